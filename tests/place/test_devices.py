"""A small design on real devices, by the nextpnr that is installed."""

import pytest
from test_harness import toy

from gatewright import synth
from gatewright.errors import InputError, UnsupportedError
from gatewright.place import place
from gatewright.place.nextpnr import find_nextpnr
from gatewright.place.placement import router_of
from gatewright.targets import load_target


def routed(tmp_path, name):
    target = load_target(name)
    try:
        find_nextpnr(router_of(target).program)
    except InputError as error:
        pytest.skip(str(error))
    project, folder = toy(tmp_path), tmp_path / "placed"
    folder.mkdir()
    found = place(project, target, folder).routed
    assert 10 < found.fmax_mhz < 1000
    assert len(found.critical_path) > 1
    assert {each.layer for each in found.critical_path} <= {"ports", None}
    alone = tmp_path / "alone"
    alone.mkdir()
    mapped = synth.synthesize_files([tmp_path / "toy.sv"], "toy", target, alone).total
    # Registers of the design and of the harness are all there.
    assert found.ff in (None, mapped.ff)
    # Where a cell is a LUT and a register, some of the harness are in cells of the design.
    assert found.lut >= 0.9 * mapped.lut
    return found


def test_ecp5(tmp_path):
    found = routed(tmp_path, "ecp5-12k")
    assert found.device == "LFE5U-12F-6CABGA381"
    assert (found.dsp, found.bram) == (0, 0)


@pytest.mark.full
@pytest.mark.parametrize(
    "name",
    [
        *("ice40-hx1k", "ice40-hx4k", "ice40-hx8k", "ice40-lp1k", "ice40-lp4k", "ice40-lp8k"),
        *("ice40-up3k", "ice40-up5k", "gw1n-1", "gw1n-9", "gw2a-18", "ccgm1a1"),
        *("ecp5-25k", "ecp5-45k", "ecp5-85k"),
    ],
)
def test_devices_of_other_families(tmp_path, name):
    routed(tmp_path, name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lifcl-40", "carry chains of Yosys' netlists for Nexus"),
        ("gw2a-55", "has no pins of it"),
        ("ccgm1a2", "single die"),
        ("xcku5p", "no open router is known"),
    ],
)
def test_what_can_not_be_placed_is_refused_with_the_reason(name, reason):
    target = load_target(name)
    assert target.device is not None
    with pytest.raises(UnsupportedError, match=reason):
        target.family.router(target.device.device or name)
