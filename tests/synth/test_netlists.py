"""Mapped netlists of time-multiplexed layers, simulated against the golden outputs.

What Yosys packs into DSP slices (operand, product and sum registers, the adder, its start value)
and block RAMs is not proved by it; here it is what computes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from netlists import cells, map_project, run_netlist

from gatewright.design import golden
from gatewright.design.dataflow import Design
from gatewright.emit import emit
from gatewright.fixed import FixedType
from gatewright.kernels import Conv, Dense, Relu, Tensor
from gatewright.options import Handshake
from gatewright.rtl.manifest import RtlProject
from gatewright.simulate import lint
from gatewright.targets import load_target

rng = np.random.default_rng(1)


@pytest.fixture(autouse=True)
def netlists_are_ours(monkeypatch):
    """Yosys' names of cells are none that the wall before simulation lets pass."""
    monkeypatch.setattr("gatewright.wall.systemverilog.check", lambda project: None)


x_type, w_type, y_type = FixedType(8, 3), FixedType(8, 1), FixedType(16, 8)


def dense(x: Tensor, n_out: int, reuse: int, **options) -> Dense:
    """A layer of random weights with a bias, whose accumulator wraps."""
    return Dense(
        "fc",
        (x,),
        Tensor("fc", (n_out,), y_type),
        weights=rng.integers(-128, 128, (x.size, n_out)),
        bias=rng.integers(-30, 30, n_out),
        weight_type=w_type,
        bias_type=FixedType(8, 3),
        accum=FixedType(24, 12),
        strategy="resource",
        reuse_factor=reuse,
        **{"rom_style": "block", **options},
    )


def check(
    design: Design, family: str, tmp_path: Path, n: int = 12, handshake: Handshake | None = None
) -> dict[str, int]:
    """Hold a design's netlist against golden outputs; what it is made of."""
    directories = [tmp_path / name for name in ("rtl", "netlist", "sim")]
    for directory in directories:
        directory.mkdir()
    target = load_target(family)
    project = emit(design, target, 5.0, directories[0], handshake=handshake)
    mapped = map_project(project, target, directories[1])
    (x,) = design.inputs
    values = rng.integers(x.type.min, x.type.max + 1, (n, *x.shape))
    right = golden.run(design, [values])
    outputs = run_netlist(mapped, [values.reshape(n, -1)], directories[2])
    for tensor, output in zip(design.outputs, outputs, strict=True):
        assert np.array_equal(output, right[tensor.name].reshape(n, -1))
    return cells(mapped)


def one_layer(layer: Dense) -> Design:
    return Design("layer", layer.inputs, (layer.output,), (layer,))


def test_accumulator_packed_into_a_dsp_slice(tmp_path):
    found = check(one_layer(dense(Tensor("x", (4,), x_type), 2, 4)), "xcup", tmp_path)
    assert found["DSP48E2"] == 2
    assert found["RAMB18E2"] == 1
    assert "CARRY4" not in found
    text = (tmp_path / "netlist" / "netlist.v").read_text()
    assert text.count(".PREG(1'h1)") == text.count(".MREG(1'h1)") == 2


@pytest.mark.full
def test_a_wrong_netlist_is_noticed(tmp_path, monkeypatch):
    """A DSP slice that adds zero in place of its product."""
    original = map_project

    def broken(*args) -> RtlProject:
        mapped = original(*args)
        netlist = mapped.directory / "netlist.v"
        before, found, after = netlist.read_text().partition(".OPMODE(7'h05)")
        assert found
        netlist.write_text(f"{before}.OPMODE(7'h00){after}")
        return mapped

    monkeypatch.setitem(globals(), "map_project", broken)
    with pytest.raises(AssertionError):
        check(one_layer(dense(Tensor("x", (4,), x_type), 2, 4)), "xc7", tmp_path)


@pytest.mark.parametrize(
    ("multiplier", "attribute"), [("auto", None), ("dsp", "yes"), ("lut", "no")]
)
@pytest.mark.parametrize("reuse", [1, 4])
def test_modules_with_products_say_what_is_asked(tmp_path, multiplier, attribute, reuse):
    layer = dense(Tensor("x", (4,), x_type), 2, reuse, multiplier=multiplier)
    project = emit(one_layer(layer), load_target("xcup"), 5.0, tmp_path)
    texts = {file: (project.directory / file).read_text() for file in project.files}
    found = {file: text for file, text in texts.items() if "use_dsp" in text}
    assert set(found) == (
        {f"layer_fc{'_products' if reuse > 1 else ''}.sv"} if attribute else set()
    )
    assert all(f'(* use_dsp = "{attribute}" *)' in text for text in found.values())
    lint(project)


@pytest.mark.full
@pytest.mark.parametrize("family", ["xc7", "xcup"])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("reuse", [2, 4, 8, 16, 64])
def test_dense_layers(tmp_path, family, signed, reuse):
    """Sums of several products, one product a step, groups of results with a bias each."""
    x = Tensor("x", (8,), FixedType(8, 3, signed))
    found = check(one_layer(dense(x, 8, reuse)), family, tmp_path)
    assert found["DSP48E1" if family == "xc7" else "DSP48E2"] == 64 // reuse


@pytest.mark.full
@pytest.mark.parametrize("family", ["xc7", "xcup"])
@pytest.mark.parametrize("options", [
    {"rom_style": "distributed"},
    {"multiplier": "lut"},
    {"multiplier": "dsp", "weights": rng.integers(-4, 4, (6, 4))},
    {"accum": FixedType(9, 5)},  # wraps within the DSP slice's adder
    {"weights": rng.integers(-(2**19), 2**19, (6, 4)), "weight_type": FixedType(20, 1)},
])  # fmt: skip
def test_options_of_multipliers(tmp_path, family, options):
    layer = replace(dense(Tensor("x", (6,), x_type), 4, 6), **options)
    found = check(one_layer(layer), family, tmp_path)
    slices = found.get("DSP48E1", 0) + found.get("DSP48E2", 0)
    assert slices == (0 if options.get("multiplier") == "lut" else 4)


@pytest.mark.full
@pytest.mark.parametrize("family", ["xc7", "xcup"])
def test_products_too_wide_for_a_dsp_slice(tmp_path, family):
    """Two slices in a cascade, and a sum that is neither's."""
    layer = replace(
        dense(Tensor("x", (4,), FixedType(22, 4)), 2, 4),
        weights=rng.integers(-(2**21), 2**21, (4, 2)),
        weight_type=FixedType(22, 1),
        accum=FixedType(52, 10),
    )
    found = check(one_layer(layer), family, tmp_path)
    assert found.get("DSP48E1", 0) + found.get("DSP48E2", 0) >= 4


@pytest.mark.full
@pytest.mark.parametrize("family", ["xc7", "xcup"])
@pytest.mark.parametrize("style", ["block", "distributed"])
def test_convolution_with_its_line_memory_and_fifos(tmp_path, family, style):
    """A stream of pixels: a FIFO between two layers, a window whose rows stand in memory."""
    x = Tensor("x", (5, 6, 2), FixedType(6, 3))
    hidden = Tensor("conv", (3, 4, 3), FixedType(6, 3, False))
    options = {
        "weight_type": FixedType(5, 1),
        "bias_type": FixedType(8, 3),
        "accum": FixedType(24, 12),
        "reuse_factor": 18,
        "rom_style": style,
        "ram_style": style,
    }
    geometry = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilation": (1, 1), "parallel": 1}
    first = Conv(
        "conv", (x,), hidden, window=(3, 3), **geometry, **options,
        weights=rng.integers(-16, 16, (3, 3, 2, 3)), bias=rng.integers(-30, 30, 3),
    )  # fmt: skip
    relu = Relu("relu", (hidden,), Tensor("relu", hidden.shape, hidden.type))
    second = Conv(
        "last", (relu.output,), Tensor("last", (2, 3, 2), y_type), window=(2, 2),
        **geometry, **(options | {"reuse_factor": 4}),
        weights=rng.integers(-16, 16, (2, 2, 3, 2)), bias=rng.integers(-30, 30, 2),
    )  # fmt: skip
    design = Design("net", (x,), (second.output,), (first, relu, second), "stream")
    found = check(design, family, tmp_path)
    blocks = sum(number for name, number in found.items() if name.startswith("RAMB"))
    tables = sum(number for name, number in found.items() if name.startswith("RAM"))
    assert tables > blocks  # the FIFO
    assert (blocks > 0) == (style == "block")
