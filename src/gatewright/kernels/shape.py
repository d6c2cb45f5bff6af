"""Layers that move elements about: wires, and casts where the output has another type."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from typing_extensions import override

from gatewright.fixed import cast
from gatewright.kernels.kernel import Kernel
from gatewright.units import CircuitUnit, Concat, Datapath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class Reshape(Kernel):
    """The same elements, cast, in the same order under another shape."""

    elementwise: ClassVar[bool] = True

    @property
    @override
    def period(self) -> int:
        return 1

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        shaped = x.reshape(len(x), *self.output.shape)
        return cast(shaped, self.inputs[0].type.frac, self.output.type)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        del target
        return [circuit.cast(word, self.output.type) for word in inputs[0]]


@dataclass(frozen=True, eq=False)
class Transpose(Kernel):
    """y[i, j, ...] = cast(x with its axes permuted), as `transpose` of nnet_transpose.h.

    Attributes:
        perm: the input's axis that becomes each of the output's axes, without the batch.
    """

    elementwise: ClassVar[bool] = True

    perm: tuple[int, ...]

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        moved = x.transpose(0, *(axis + 1 for axis in self.perm))
        return cast(moved, self.inputs[0].type.frac, self.output.type)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        del target
        shape = self.inputs[0].shape
        order = np.arange(self.inputs[0].size).reshape(shape).transpose(self.perm)
        return [circuit.cast(inputs[0][i], self.output.type) for i in order.ravel().tolist()]


@dataclass(frozen=True, eq=False)
class Concatenate(Kernel):
    """Its inputs, cast, one after the other along an axis, as `concatenate*d` of nnet_merge.h.

    Attributes:
        axis: the axis, without the batch, from 0.
    """

    axis: int

    def datapath(self, lanes: tuple[int, ...]) -> Datapath:
        """See `Kernel.datapath`: by pixel along the last axis, one after the other along the first.

        Streams of unlike types are cast where their elements stand side by side only.
        """
        shapes = [tensor.shape for tensor in self.inputs]
        if lanes == tuple(tensor.size for tensor in self.inputs):
            return super().datapath(lanes)
        if self.axis == len(self.output.shape) - 1 > 0:
            beat = tuple(shape[-1] for shape in shapes)
            inputs = tuple(replace(t, shape=t.shape[-1:]) for t in self.inputs)
            output = replace(self.output, shape=self.output.shape[-1:])
            pixel = replace(self, inputs=inputs, output=output, axis=0)
            return Datapath(beat, (CircuitUnit((pixel,)),), output.size)
        if self.axis == 0 and {tensor.type for tensor in self.inputs} == {self.output.type}:
            smallest = math.gcd(*lanes)
            return Datapath((smallest,) * len(shapes), (Concat(self.output.type),), smallest)
        return super().datapath(lanes)

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        parts = [
            cast(x, tensor.type.frac, self.output.type)
            for x, tensor in zip(inputs, self.inputs, strict=True)
        ]
        return np.concatenate(parts, axis=self.axis + 1)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        del target
        words = [word for port in inputs for word in port]
        starts = np.cumsum([0, *(len(port) for port in inputs)])
        parts = [
            np.arange(tensor.size).reshape(tensor.shape) + start
            for tensor, start in zip(self.inputs, starts, strict=False)
        ]
        order = np.concatenate(parts, axis=self.axis)
        return [circuit.cast(words[i], self.output.type) for i in order.ravel().tolist()]
