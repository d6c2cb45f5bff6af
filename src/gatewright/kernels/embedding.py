"""Embeddings: a vector from a table for each index."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, Overflow, cast
from gatewright.kernels.kernel import Kernel, OperationCounts
from gatewright.units import CircuitUnit, Datapath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target


@dataclass(frozen=True, eq=False)
class Embedding(Kernel):
    """y[i] = cast(table[x[i]]), as `embedding` of nnet_embed.h.

    The C++ reads past the table's end for an index beyond it; here it reads the last entry.

    Attributes:
        table: raw int64 of shape (vocabulary, n).
        table_type: type of `table`.
        parallel: indices that are looked up at a time: all, or one.
    """

    table: NDArray[np.int64]
    table_type: FixedType
    parallel: int = 1

    def __post_init__(self) -> None:
        source = self.inputs[0].type
        if source.signed or source.frac != 0:
            raise UnsupportedError(
                f"layer '{self.layer}': its input, {source}, is not an unsigned integer; give "
                f"it the type uint<{max(1, (len(self.table) - 1).bit_length())}>"
            )

    @property
    def per_index(self) -> Embedding:
        """The look-up of one index."""
        source, to = self.inputs[0], self.output
        return replace(
            self, inputs=(replace(source, shape=(1,)),), output=replace(to, shape=to.shape[-1:])
        )

    @override
    def datapath(self, lanes: tuple[int, ...]) -> Datapath:
        if self.parallel >= self.inputs[0].size:
            return super().datapath(lanes)
        return Datapath((1,), (CircuitUnit((self.per_index,)),), self.output.shape[-1])

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        entries = cast(self.table, self.table_type.frac, self.output.type)
        found = entries[np.minimum(x, len(entries) - 1)]
        return found.reshape(len(x), *self.output.shape)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        del target
        entries = cast(self.table, self.table_type.frac, self.output.type)
        bits = max(1, (len(entries) - 1).bit_length())
        entries = np.pad(entries, ((0, (1 << bits) - len(entries)), (0, 0)), mode="edge")
        reach = FixedType(bits, bits, False, overflow=Overflow.SAT)
        return [
            circuit.table(circuit.cast(word, reach), column.tolist(), self.output.type.frac)
            for word in inputs[0]
            for column in entries.T
        ]

    @override
    def operation_counts(self) -> OperationCounts:
        return OperationCounts(
            parameters=self.table.size, weight_bits=self.table.size * self.table_type.width
        )
