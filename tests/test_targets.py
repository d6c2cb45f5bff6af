"""Targets: what their files say, in common fields and in the family's own."""

import subprocess
import sys

import pytest
import yaml

from gatewright.errors import InputError
from gatewright.synth.family import family_names, family_type
from gatewright.system.package_data import data_dir
from gatewright.targets import load_target, target_names

SHIPPED = data_dir("hls") / "targets"
XCUP = yaml.safe_load((SHIPPED / "xcup.yaml").read_text())


def load(folder, fields):
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(fields))
    return load_target(str(path))


def test_a_file_of_ones_own_is_a_target(tmp_path):
    mine = load(tmp_path, XCUP | {"clock_ns": 3.5, "dsp_price": 90})
    assert (mine.name, mine.clock_ns) == ("mine", 3.5)
    assert mine.fabric.multiplier_area(8, 8) == 90
    assert mine.family.mapper == load_target("xcup").family.mapper


@pytest.mark.parametrize("name", target_names())
def test_a_shipped_target_names_a_family_that_can_be_loaded_by_itself(name):
    """The worker process loads the mapper only; the estimates are those of a fabric."""
    target = load_target(name)
    try:
        assert isinstance(target.family, family_type(target.family.mapper.room.name))
    except InputError as missing:  # a library of cells that isn't installed
        pytest.skip(str(missing))
    assert target.fabric.rom_area(8, 64) > 0
    assert target.fabric.product_area(4, 4) <= target.fabric.multiplier_area(4, 4)
    assert target.fabric.register_ns < target.clock_ns
    assert all(file.is_file() for file in target.family.mapper.models())


@pytest.mark.parametrize("name", family_names())
def test_loading_a_mapper_imports_nothing_slow(name):
    code = (
        f"import sys, gatewright.synth.{name}.mapper as m, gatewright.synth.mapper as base\n"
        "assert issubclass(m.MAPPER, base.Mapper)\n"
        "print(sorted({'pydantic', 'numpy', 'yaml'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "abacus"}, "family: must be one of "),
        (
            {"family": "max10"},
            "family: max10 can't be mapped: Yosys' map of its",
        ),
        ({"family": ["xilinx"]}, "family: must be one of "),
        ({"clock_ns": -1}, "clock_ns: "),
        ({"synth_family": "spartan"}, "synth_family: "),
        ({"dsp_price": "cheap"}, "dsp_price: "),
        ({"delays": {**XCUP["delays"], "lut": 0}}, "delays.lut: "),
        ({"delays": {}}, "delays.register: is missing"),
        ({"area": 3}, "area: is not a known key"),
        ({"parts": {"big": {"lut": 1}}}, "parts.big.ff: is missing"),
    ],
)
def test_a_field_that_is_wrong_is_named(tmp_path, change, message):
    with pytest.raises(InputError) as refusal:
        load(tmp_path, XCUP | change)
    assert str(refusal.value).startswith(f"{tmp_path}/mine.yaml: ")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("missing", ["clock_ns", "synth_family", "description", "delays"])
def test_a_field_that_is_missing_is_named(tmp_path, missing):
    fields = {key: value for key, value in XCUP.items() if key != missing}
    with pytest.raises(InputError, match=f"{missing}: is missing"):
        load(tmp_path, fields)


def test_a_description_of_before_there_were_families_is_told_what_to_change(tmp_path):
    """Following the message makes it a target."""
    former = {key: value for key, value in XCUP.items() if key != "family"}
    former |= {"lut_inputs": 6, "three_operand_adders": True, "dsp_width": [27, 18]}
    with pytest.raises(InputError) as refusal:
        load(tmp_path, former)
    assert str(refusal.value) == (
        f"{tmp_path}/mine.yaml: names no family; write 'family: xilinx' and leave out dsp_width, "
        "lut_inputs, three_operand_adders"
    )
    for name in ("dsp_width", "lut_inputs", "three_operand_adders"):
        del former[name]
    assert load(tmp_path, former | {"family": "xilinx"}).fabric == load_target("xcup").fabric
