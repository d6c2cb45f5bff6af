"""The interface of kernels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from gatewright.fixed import FixedType
from gatewright.tensor import Tensor
from gatewright.units import CircuitUnit, Datapath

__all__ = ["Implementation", "Kernel", "OperationCounts", "Tensor"]

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target


@dataclass(frozen=True)
class Implementation:
    """How a kernel is built on a target, and why; both go into the report."""

    strategy: str
    reason: str


@dataclass(frozen=True)
class OperationCounts:
    """Compute cost of one inference: counted on the model, not on the hardware."""

    macs: int = 0
    bops: int = 0  # bit operations: MACs with non-zero weights times both operand widths
    ebops: int = 0  # the same, each weight counting its effective bits instead of its width
    weights: int = 0  # factors: without biases
    nonzero: int = 0  # weights that are not zero
    parameters: int = 0  # weights and biases
    weight_bits: int = 0  # storage of the parameters


@dataclass(frozen=True, eq=False)
class Kernel(ABC):
    """One layer of hardware.

    A subclass is a frozen dataclass whose further fields are plain data: int, bool, str,
    FixedType, tuples of these, and int64 arrays of raw weights. It registers itself by name.

    Attributes:
        layer: the layer's name in hls4ml's graph.
        inputs: tensors read, in order.
        output: tensor written.
    """

    layer: str
    inputs: tuple[Tensor, ...]
    output: Tensor

    #: Works element by element on its only input, so it can join the module of its producer.
    elementwise: ClassVar[bool] = False
    registry: ClassVar[dict[str, type[Kernel]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Kernel.registry[cls.__name__] = cls

    @abstractmethod
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Raw outputs of shape (batch, *output.shape) for raw inputs of shape (batch, *shape)."""

    @abstractmethod
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        """Add this layer to a circuit.

        Args:
            circuit: where the operations go.
            target: the device; decides between adder graphs and multipliers.
            inputs: per input tensor its elements in C order, as words in the unit of the tensor's
                type (or finer scaled views of them); their ranges lie within the type's.

        Returns:
            The output's elements in C order; the value of each, times 2**output.type.frac, is
            an integer within the range of the output's type.
        """

    def notes(self) -> tuple[str, ...]:
        """Requests that are not honoured, and what is done instead."""
        return ()

    @property
    def period(self) -> int:
        """Number of elements after which the kernel repeats itself.

        If the period is smaller than the input, element i of every period is treated alike, and
        input and output have the same shape.
        """
        return self.inputs[0].size

    def on_beat(self, lanes: int) -> Self:
        """The kernel for a beat of `lanes` elements, a multiple of its period."""
        if lanes == self.inputs[0].size:
            return self
        inputs = tuple(replace(tensor, shape=(lanes,)) for tensor in self.inputs)
        return replace(self, inputs=inputs, output=replace(self.output, shape=(lanes,)))

    def datapath(self, lanes: tuple[int, ...]) -> Datapath:
        """How the kernel is built: by default, as a circuit on beats as they arrive, however small.

        Args:
            lanes: elements per beat of the arriving streams, per input; if the datapath takes
                others, width converters come before it.
        """
        sizes = {tensor.size for tensor in (*self.inputs, self.output)}
        smallest = min(lanes)
        if len(sizes) == 1 and smallest % self.period == 0:
            beat = (smallest,) * len(lanes)
            return Datapath(beat, (CircuitUnit((self.on_beat(smallest),)),), smallest)
        whole = tuple(tensor.size for tensor in self.inputs)
        return Datapath(whole, (CircuitUnit((self,)),), self.output.size)

    def implementation(self, target: Target) -> Implementation | None:
        """How the kernel is built, if there is a choice."""
        del target
        return None

    def types(self) -> dict[str, FixedType]:
        """Fixed-point type per role: "input", "result", and what the kernel's fields add."""
        found = {"input": self.inputs[0].type}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, FixedType):
                found[item.name.removesuffix("_type")] = value
        return found | {"result": self.output.type}

    def operation_counts(self) -> OperationCounts:
        """Compute cost of one inference."""
        return OperationCounts()
