"""Kernels that choose, repeat or surround elements: wires, and casts to the output's type."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.errors import UnsupportedError
from gatewright.fixed import cast
from gatewright.kernels.activation import Linear
from gatewright.kernels.kernel import Kernel
from gatewright.kernels.windowed import image_shape
from gatewright.tensor import Tensor
from gatewright.units import CircuitUnit, Datapath, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class Gather(Kernel):
    """Each element of the output is an element of the input, or zero.

    Tensors are (height, width, channels), or (width, channels), which is an image of height 1.
    """

    def __post_init__(self) -> None:
        source, to = image_shape(self.inputs[0]), image_shape(self.output)
        found = self.gathered(np.zeros((1, *source), np.int64), 0).shape[1:]
        if found != to:
            raise UnsupportedError(
                f"layer '{self.layer}': its output has shape {to}, but it gathers {found}"
            )

    @abstractmethod
    def gathered(self, image: NDArray[np.int64], zero: int) -> NDArray[np.int64]:
        """The output image for input images (batch, height, width, channels)."""

    @property
    def per_pixel(self) -> Linear:
        """The cast of a pixel."""
        source, to = self.inputs[0], self.output
        return Linear(
            self.layer,
            (Tensor(source.name, source.shape[-1:], source.type),),
            Tensor(to.name, to.shape[-1:], to.type),
        )

    @abstractmethod
    def mover(self, height: int, width: int) -> Unit:
        """The unit that moves the pixels of a stream."""

    def datapath(self, lanes: tuple[int, ...]) -> Datapath:
        """See `Kernel.datapath`: pixel by pixel, unless whole images come."""
        (source,) = self.inputs
        if lanes[0] == source.size:
            return super().datapath(lanes)
        height, width, channels = image_shape(source)
        units = [self.mover(height, width)]
        if source.type != self.output.type:
            units.append(CircuitUnit((self.per_pixel,)))
        return Datapath((channels,), tuple(units), channels)

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        (source,) = self.inputs
        result = self.gathered(x.reshape(len(x), *image_shape(source)), 0)
        return cast(result, source.type.frac, self.output.type).reshape(len(x), *self.output.shape)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        del target
        (source,) = self.inputs
        words = [*inputs[0], circuit.constant(0)]
        elements = np.arange(source.size).reshape(1, *image_shape(source))
        order = self.gathered(elements, source.size).ravel().tolist()
        return [circuit.cast(words[element], self.output.type) for element in order]
