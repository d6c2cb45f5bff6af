"""Every target: a small network with every kind of memory, mapped, counted and simulated."""

from __future__ import annotations

import numpy as np
import pytest
from test_netlists import check, dense, one_layer, x_type

from gatewright.design.dataflow import Design
from gatewright.emit import emit
from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import Conv, Relu, Tensor
from gatewright.synth import synthesize
from gatewright.synth.liberty.family import Liberty
from gatewright.targets import load_target, target_names

# Standard cells have netlists of their own, and need a library.
DEVICES = [n for n in target_names() if not isinstance(load_target(n).family, Liberty)]


@pytest.fixture(autouse=True)
def netlists_are_ours(monkeypatch):
    """Yosys' names of cells are none that the wall before simulation lets pass."""
    monkeypatch.setattr("gatewright.wall.systemverilog.check", lambda project: None)


def network(memories: str, multiplier: str, ram: str = "auto") -> Design:
    """Two convolutions of a stream of pixels, a FIFO between them.

    Args:
        memories: where the second one's weights stand, and the first one's: in logic.
        multiplier: what multiplies.
        ram: where rows of pixels wait.
    """
    rng = np.random.default_rng(1)
    x = Tensor("x", (4, 10, 2), FixedType(6, 3))
    hidden = Tensor("conv", (2, 8, 3), FixedType(6, 3, False))
    common = {
        "strides": (1, 1), "pads": (0, 0, 0, 0), "dilation": (1, 1), "parallel": 1,
        "weight_type": FixedType(6, 1), "bias_type": FixedType(8, 3), "accum": FixedType(24, 12),
        "multiplier": multiplier, "ram_style": ram,
    }  # fmt: skip
    first = Conv(
        "conv", (x,), hidden, window=(3, 3), reuse_factor=18, rom_style="distributed", **common,
        weights=rng.integers(-32, 32, (3, 3, 2, 3)), bias=rng.integers(-30, 30, 3),
    )  # fmt: skip
    relu = Relu("relu", (hidden,), Tensor("relu", hidden.shape, hidden.type))
    last = Tensor("last", (1, 7, 2), FixedType(16, 8))
    second = Conv(
        "last", (relu.output,), last, window=(2, 2), reuse_factor=4, rom_style=memories, **common,
        weights=rng.integers(-32, 32, (2, 2, 3, 2)), bias=rng.integers(-30, 30, 2),
    )  # fmt: skip
    return Design("net", (x,), (last,), (first, relu, second), "stream")


# Targets of which there are models: of all that the network below becomes; of all but block
# memories; and of all but these and multipliers.
_ALL = {"cyclonev", "gatemate", "ice40-hx", "ice40-lp", "ice40-up", "xc7", "xcu", "xcup"}
_NO_BLOCKS = {"ecp5"}
_LOGIC = {"eg4", "gw1n", "gw2a", "gw5a", "machxo2", "machxo3", "nexus"}


def layer(multiplier: str) -> Design:
    """A time-multiplexed layer: sums, products, a ROM, and no memory that is written."""
    return one_layer(
        dense(Tensor("x", (4,), x_type), 2, 4, multiplier=multiplier, rom_style="distributed")
    )


@pytest.mark.full
@pytest.mark.parametrize("name", DEVICES)
def test_a_netlist_of_logic_is_exact(tmp_path, name):
    check(layer("lut"), name, tmp_path, handshake="stall")  # without FIFOs, which are memories


@pytest.mark.full
def test_a_fifo_of_ng_medium_is_mapped(tmp_path):
    """Yosys 0.70 fails on its register files; a short FIFO is of flip-flops there."""
    target = load_target("ng-medium")
    project = emit(layer("lut"), target, 20.0, tmp_path, handshake="slice")
    found = synthesize(project, target, tmp_path).total
    assert found.ff > 0
    assert found.bram == 0


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(_ALL | _NO_BLOCKS | _LOGIC))
def test_a_netlist_with_memories_is_exact(tmp_path, name):
    weights = "block" if name in _ALL else "distributed"
    check(network(weights, "lut" if name in _LOGIC else "auto"), name, tmp_path, n=3)


_ONE_OF_A_FAMILY = {load_target(name).family.mapper.room.name: name for name in DEVICES}
#: Those that are placed most; `make test-full` takes all.
_FAST = {"xilinx", "ecp5", "ice40", "gatemate"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if family in _FAST else [pytest.mark.full])
        for family, name in _ONE_OF_A_FAMILY.items()
    ],
)
def test_a_network_with_every_kind_of_memory_is_mapped_and_counted(tmp_path, name):
    target = load_target(name)
    multiplies = target.fabric.dsp_luts is not None
    design = network("block", "dsp" if multiplies else "auto")
    project = emit(design, target, target.clock_ns, tmp_path)
    found = synthesize(project, target, tmp_path, flatten=True).total
    assert found.lut > 0
    assert found.ff > 0
    # Yosys chooses memories of Cyclone V by their size alone.
    assert found.lutram > 0 if name == "cyclonev" else found.bram > 0
    assert bool(found.dsp) == multiplies


def test_a_line_buffer_stands_where_the_family_has_memory(tmp_path):
    with pytest.raises(UnsupportedError, match="ram_style distributed: the target has no"):
        emit(network("block", "auto", "distributed"), load_target("ice40-hx"), 20.0, tmp_path)
