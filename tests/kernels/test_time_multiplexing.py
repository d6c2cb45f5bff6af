"""Reuse factors are hls4ml's, and so many multipliers work in every clock cycle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from checks import TARGET
from rows import Builder

from gatewright.circuit.graph import Op
from gatewright.design.dataflow import Design
from gatewright.emit.layers import LayerModule
from gatewright.emit.modules import build_modules
from gatewright.fixed import FixedType
from gatewright.kernels import BatchNorm, Dense
from gatewright.kernels.time_multiplexing import TimeMultiplexing, reuse_factors

SHAPES = [(n_in, n_out) for n_in in range(1, 33) for n_out in (1, 2, 3, 5, 8, 12, 17)]


_WIDE = FixedType(40, 20)


@pytest.fixture(scope="module")
def backend():
    from hls4ml.backends import get_backend

    return get_backend("Vitis")


def _dense(n_in: int, n_out: int, reuse: int) -> Dense:
    builder = Builder(n_in)
    builder.dense(builder.input(n_in), n_out, reuse)
    (kernel,) = builder.kernels
    assert isinstance(kernel, Dense)
    return kernel


def test_reuse_factors_are_those_of_hls4mls_resource_strategy(backend) -> None:
    for n_in, n_out in [*SHAPES, (784, 10), (144, 32), (7, 128)]:
        expected = backend.get_valid_reuse_factors(n_in, n_out)
        assert reuse_factors(n_in, n_out) == expected, (n_in, n_out)


@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (1, 7), (6, 4), (9, 5), (12, 8), (13, 3)])
def test_an_impossible_factor_moves_as_hls4mls_does(backend, n_in: int, n_out: int) -> None:
    valid = backend.get_valid_reuse_factors(n_in, n_out)
    for asked in range(1, n_in * n_out + 10):
        kernel = _dense(n_in, n_out, asked)
        assert kernel.reuse == backend.get_closest_reuse_factor(valid, asked), asked
        assert bool(kernel.notes()) == (asked not in valid)


def test_no_multiplier_is_ever_idle() -> None:
    for n_in, n_out in SHAPES:
        for reuse in reuse_factors(n_in, n_out):
            fold = TimeMultiplexing(n_in, n_out, reuse)
            assert fold.multipliers * reuse == n_in * n_out
            assert fold.groups * fold.steps == reuse
            assert fold.groups * fold.outputs == n_out
            assert fold.steps * fold.inputs == n_in


@pytest.mark.parametrize(("n_in", "n_out"), [(6, 4), (8, 3), (5, 5)])
@pytest.mark.parametrize("io", ["stream", "parallel"])
@pytest.mark.parametrize("kind", ["dense", "vectors", "depthwise", "batchnorm"])
def test_interval_and_multipliers(kind: str, io: str, n_in: int, n_out: int) -> None:
    """A vector takes as many cycles as its reuse factor says; its circuits multiply as often."""
    for reuse in reuse_factors(n_in, n_out):
        if reuse == 1:
            continue
        builder = Builder(reuse, io)
        vectors, work = 1, n_in * n_out
        if kind == "depthwise":
            builder.depthwise(builder.input(1, n_in, n_out), (1, n_in), reuse=reuse)
        elif kind == "batchnorm":
            if n_in % reuse:
                continue
            vectors, work = 3, n_in
            builder.batchnorm(builder.input(vectors, n_in), reuse)
        else:
            shape, vectors = ((n_in,), 1) if kind == "dense" else ((2, n_in), 2)
            builder.dense(builder.input(*shape), n_out, reuse)
        design = _distinct(builder)
        (kernel,) = design.kernels
        (module,) = build_modules(design, TARGET, TARGET.clock_ns).layers
        # A convolution takes pixel after pixel.
        beats = n_in if kind == "depthwise" else max(s.beats for s in module.sources)
        assert module.reuse == reuse
        assert module.multipliers == -(-work // reuse)
        assert _products(module) == module.multipliers
        assert (
            module.measure()[1] == max(vectors * reuse, beats) == max(kernel.interval(reuse), beats)
        )


def _distinct(builder: Builder) -> Design:
    """The design with weights of which none is a power of two, nor the same in all of its steps."""
    (kernel,) = builder.kernels
    name, accum = ("scale", {}) if isinstance(kernel, BatchNorm) else ("weight", {"accum": _WIDE})
    field = name if name == "scale" else "weights"
    shape = getattr(kernel, field).shape
    weights = {field: np.arange(np.prod(shape)).reshape(shape) * 2 + 3}
    source = replace(kernel.inputs[0], type=FixedType(6, 3))
    builder.inputs = [source]
    builder.kernels = [
        replace(kernel, inputs=(source,), **weights, **accum, **{f"{name}_type": FixedType(12, 8)})
    ]
    return builder.design("d")


def _products(module: LayerModule) -> int:
    return sum(
        node.op is Op.MUL
        for placed in module.units
        if placed.circuit
        for node in placed.circuit.circuit.nodes
    )
