"""Circuits of activations against golden outputs, for types, parameters and tables at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import check_circuit, values

from gatewright import kernels
from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, Overflow, Rounding
from gatewright.kernels import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewright.kernels import Kernel

SIZE = 3


class Draw:
    """Random types and values of types."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def type(self, widest: int = 14) -> FixedType:
        width = int(self.rng.integers(1, widest + 1))
        return FixedType(
            width,
            int(self.rng.integers(-3, width + 4)),
            bool(self.rng.integers(2)),
            list(Rounding)[self.rng.integers(len(Rounding))],
            list(Overflow)[self.rng.integers(len(Overflow))],
        )

    def raw(self, t: FixedType, count: int) -> np.ndarray:
        return self.rng.integers(t.lowest, t.max + 1, count)

    def parameter(self) -> tuple[int, FixedType]:
        t = self.type(10)
        return int(self.raw(t, 1)[0]), t

    def table(self) -> tuple[np.ndarray, FixedType]:
        t = self.type(16)
        return self.raw(t, int(self.rng.choice([2, 7, 16, 100, 256, 1024]))), t

    def indexed(self, index: FixedType, to: FixedType) -> np.ndarray:
        """A table for the top bits of a type."""
        return self.raw(to, 1 << int(self.rng.integers(1, min(8, index.width) + 1)))

    def place(self) -> tuple[str, tuple[Tensor, ...], Tensor]:
        source = self.type()
        return "k", (Tensor("x", (SIZE,), source),), Tensor("y", (SIZE,), self.type())


def _leaky(draw: Draw) -> Kernel:
    t = draw.type(10)
    return kernels.LeakyRelu(*draw.place(), draw.raw(t, SIZE), t)


def _softmax(draw: Draw) -> Kernel:
    place = draw.place()
    norm = None
    if draw.rng.integers(2):
        norm = FixedType(int(draw.rng.integers(2, 10)), 3, False)
    index = norm or place[1][0].type
    exp_type, inv_type, inv_input = draw.type(), draw.type(), draw.type()
    return kernels.Softmax(
        *place,
        draw.indexed(index, exp_type),
        exp_type,
        draw.indexed(inv_input, inv_type),
        inv_type,
        draw.type(),
        inv_input,
        norm,
    )


def _legacy(draw: Draw) -> Kernel:
    table, t = draw.table()
    return kernels.SoftmaxLegacy(*draw.place(), table, draw.raw(t, 64), t)


def _layernorm(draw: Draw) -> Kernel:
    (table, table_type), (scale_type, bias_type) = draw.table(), (draw.type(8), draw.type(8))
    return kernels.LayerNorm(
        *draw.place(),
        draw.raw(scale_type, SIZE),
        draw.raw(bias_type, SIZE),
        scale_type,
        bias_type,
        draw.type(20),
        table,
        table_type,
        int(draw.rng.integers(-3, 4)),
        int(draw.rng.integers(1, 7)),
    )


KINDS: dict[str, Callable[[Draw], Kernel]] = {
    "linear": lambda d: kernels.Linear(*d.place()),
    "relu": lambda d: kernels.Relu(*d.place()),
    "clipped_relu": lambda d: kernels.ClippedRelu(*d.place(), int(d.rng.choice([1, 6]))),
    "leaky_relu": _leaky,
    "thresholded_relu": lambda d: kernels.ThresholdedRelu(*d.place(), *d.parameter()),
    "hard_sigmoid": lambda d: kernels.HardSigmoid(*d.place(), *d.parameter(), *d.parameter()),
    "hard_tanh": lambda d: kernels.HardTanh(*d.place(), *d.parameter(), *d.parameter()),
    "binary_tanh": lambda d: kernels.BinaryTanh(*d.place()),
    "ternary_tanh": lambda d: kernels.TernaryTanh(*d.place()),
    "lookup": lambda d: kernels.Lookup(*d.place(), *d.table(), int(d.rng.choice([8, 16]))),
    "elu": lambda d: kernels.Elu(*d.place(), *d.table(), *d.parameter()),
    "selu": lambda d: kernels.Selu(*d.place(), *d.table()),
    "selu of streams": lambda d: kernels.Selu(*d.place(), *d.table(), *d.parameter()),
    "argmax": lambda d: kernels.Argmax(*d.place()),
    "softmax": _softmax,
    "legacy": _legacy,
    "layer normalization": _layernorm,
}


def check(kind: str, seeds: range) -> None:
    tried = 0
    for seed in seeds:
        draw = Draw(seed)
        try:
            kernel = KINDS[kind](draw)
        except UnsupportedError:
            continue
        check_circuit(kernel, values(kernel.inputs[0].type, SIZE, seed, samples=100))
        tried += 1
    assert tried > len(seeds) // 2


@pytest.mark.parametrize("kind", KINDS)
def test_circuit_is_golden(kind: str) -> None:
    check(kind, range(15))


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_circuit_is_golden_for_many_types(kind: str) -> None:
    check(kind, range(100, 500))
