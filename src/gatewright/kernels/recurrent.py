"""Recurrent layers: each step of a sequence changes a state."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from gatewright.errors import UnsupportedError
from gatewright.fixed import WORD_BITS, FixedType, cast, cast_range, is_lossless, narrowest_type
from gatewright.kernels import curves
from gatewright.kernels.activation import Linear, Relu
from gatewright.kernels.dense import Dense
from gatewright.kernels.kernel import Implementation, OperationCounts
from gatewright.kernels.multiplexed import Multiplexed
from gatewright.kernels.table import Lookup
from gatewright.tensor import Tensor
from gatewright.units import CircuitPart, CircuitUnit, Datapath, Loop, Unit, resized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.circuit import Circuit, Word
    from gatewright.kernels.elementwise import Elementwise
    from gatewright.targets import Target

    Words = Sequence[Word]

Values = NDArray[np.int64]

#: Functions that nnet_recr_activations.h has; all but the first look up a table.
FUNCTIONS = ("relu", "sigmoid", "tanh")


@dataclass(frozen=True, eq=False, kw_only=True)
class Recurrent(Multiplexed):
    """A state after each step, of the step's input and the state before: nnet_recurrent.h.

    The input is of shape (steps, n_in). The output is the first part of the state, of shape (n,)
    after the last step, or (steps, n) after each. The state is zero before the first step, and has
    the output's type. Sums of products with weights are cast to the accumulator's type, and so are
    the sums of both, and what a function makes of them.

    Attributes:
        weights: raw int64 of shape (n_in, gates * n).
        bias: raw int64 of shape (gates * n,).
        weight_type: type of `weights`.
        bias_type: type of `bias`.
        recurrent_weights: raw int64 of shape (n, gates * n).
        recurrent_bias: raw int64 of shape (gates * n,).
        recurrent_weight_type: type of `recurrent_weights`.
        recurrent_bias_type: type of `recurrent_bias`.
        accum: type of all sums.
        activation: one of `FUNCTIONS`, of what enters the state.
        table: raw entries of that function's table; empty for "relu".
        table_type: type of the entries.
        recurrent_reuse_factor: requested for `recurrent_weights`; 0 for `reuse_factor`.
    """

    weights: Values
    bias: Values
    weight_type: FixedType
    bias_type: FixedType
    recurrent_weights: Values
    recurrent_bias: Values
    recurrent_weight_type: FixedType
    recurrent_bias_type: FixedType
    accum: FixedType
    activation: str
    table: Values
    table_type: FixedType
    recurrent_reuse_factor: int = 0

    #: Sums per element of the state's first part.
    gates: ClassVar[int]
    #: Parts of the state.
    parts: ClassVar[int]

    def __post_init__(self) -> None:
        for name in self._functions:
            if name not in FUNCTIONS:
                raise UnsupportedError(
                    f"layer '{self.layer}': a recurrent layer's functions are "
                    f"{', '.join(FUNCTIONS)}, not '{name}'"
                )
        if self.widest > WORD_BITS:
            raise UnsupportedError(
                f"layer '{self.layer}': its next state needs words of more than {WORD_BITS} bits; "
                f"narrow {self.layer}.precision.accum or {self.layer}.precision.result"
            )
        # These refuse what can't be exact.
        _ = self.projection, self.recurrent, self._squash(self.accum)

    @property
    def units(self) -> int:
        """Elements of the output after a step."""
        return self.output.shape[-1]

    @property
    def steps(self) -> int:
        """Steps of the sequence."""
        return self.inputs[0].shape[0]

    @property
    def every(self) -> bool:
        """Whether the output has a part for each step."""
        return len(self.output.shape) > 1

    @property
    def state(self) -> Tensor:
        """What is kept from step to step."""
        return Tensor("state", (self.parts * self.units,), self.output.type)

    # Products

    @cached_property
    def projection(self) -> Dense:
        """The products with each step's input."""
        sums = Tensor("projection", (self.steps, self.gates * self.units), self.accum)
        return Dense(
            self.layer,
            self.inputs,
            sums,
            self.weights,
            self.bias,
            self.weight_type,
            self.bias_type,
            self.accum,
            strategy=self.strategy,
            reuse_factor=self.reuse_factor,
            rom_style=self.rom_style,
        )

    @cached_property
    def recurrent(self) -> Dense:
        """The products with the state's first part."""
        return Dense(
            self.layer,
            (Tensor("h", (self.units,), self._hidden),),
            Tensor("sum", (self.gates * self.units,), self.accum),
            self.recurrent_weights,
            self.recurrent_bias,
            self.recurrent_weight_type,
            self.recurrent_bias_type,
            self.accum,
            strategy=self.strategy,
            reuse_factor=self.recurrent_reuse_factor or self.reuse_factor,
            rom_style=self.rom_style,
        )

    @property
    def _products(self) -> tuple[Dense, Dense]:
        return self.projection, self.recurrent

    @property
    def _hidden(self) -> FixedType:
        """The narrowest type of the state's first part."""
        low, high = self.bounds[0]
        return narrowest_type(low, high, self.output.type.frac)

    # Functions

    @property
    def _functions(self) -> tuple[str, ...]:
        return (self.activation,)

    @cached_property
    def _squashed(self) -> Tensor:
        return self._function_of(self.activation, self.table)

    def _function_of(self, name: str, table: Values) -> Tensor:
        """What a function gives, in the narrowest type of all entries of its table."""
        if name == "relu":
            return Tensor(name, (1,), self.accum)
        entries, frac = self._entries(table)
        to = narrowest_type(int(entries.min()), int(entries.max()), frac)
        return Tensor(name, (1,), to)

    def _entries(self, table: Values) -> tuple[Values, int]:
        """The entries of a table as sums hold them, and their fractional bits."""
        frac = self.table_type.frac
        if is_lossless(int(table.min()), int(table.max()), frac, self.accum):
            return table, frac
        return cast(table, frac, self.accum), self.accum.frac

    def _squash(self, source: FixedType) -> Elementwise:
        """The function of what enters the state, or of the state itself."""
        return self._function(self.table, source, self._squashed)

    def _function(self, table: Values, source: FixedType, output: Tensor) -> Elementwise:
        reads = (Tensor("x", (1,), source),)
        if output.name == "relu":
            return Relu(self.layer, reads, output)
        (entries, _), (_, reach) = self._entries(table), curves.CENTRED[output.name]
        return Lookup(self.layer, reads, output, entries, output.type, reach)

    def _range_of(self, output: Tensor, table: Values) -> tuple[int, int]:
        """Least and greatest value that a function gives, in the unit of its type."""
        if output.name == "relu":
            return 0, self.accum.max
        entries, _ = self._entries(table)
        return int(entries.min()), int(entries.max())

    @property
    def _squashed_range(self) -> tuple[int, int]:
        return self._range_of(self._squashed, self.table)

    @property
    @abstractmethod
    def widest(self) -> int:
        """Bits of the widest word of a step, sums of products with weights aside."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """Least and greatest value of each part of the state, zero included."""

    # What it computes

    def golden(self, *inputs: Values) -> Values:
        """See `Kernel.golden`."""
        (x,) = inputs
        projected = self.projection.golden(x)
        state = np.zeros((len(x), self.parts * self.units), np.int64)
        after = []
        for step in range(self.steps):
            sums = self.recurrent.golden(state[:, : self.units])
            state = self.golden_step(sums, projected[:, step], state)
            after.append(state[:, : self.units])
        return np.stack(after, axis=1) if self.every else after[-1]

    @abstractmethod
    def golden_step(self, sums: Values, projected: Values, state: Values) -> Values:
        """The next state.

        Args:
            sums: products with the state, of shape (batch, gates * n), in the accumulator's type.
            projected: products with the input, likewise.
            state: of shape (batch, parts * n).
        """

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Words) -> list[Word]:
        width, units = self.gates * self.units, self.units
        projected = self.projection.build(circuit, target, inputs[0])
        state = [circuit.constant(0)] * (self.parts * units)
        after: list[Word] = []
        for step in range(self.steps):
            sums = self.recurrent.build(circuit, target, state[:units])
            now = projected[step * width : (step + 1) * width]
            state = self.build_step(circuit, target, sums, now, state)
            after += state[:units]
        return after if self.every else after[-units:]

    @abstractmethod
    def build_step(
        self, circuit: Circuit, target: Target, sums: Words, projected: Words, state: Words
    ) -> list[Word]:
        """Add a step to a circuit; see `golden_step`."""

    def _build_sums(self, circuit: Circuit, sums: Words, projected: Words) -> list[Word]:
        return [
            circuit.cast(circuit.sum(((1, a), (1, b))), self.accum)
            for a, b in zip(sums, projected, strict=True)
        ]

    # How it is built

    @override
    def datapath(self, lanes: tuple[int, ...]) -> Datapath:
        """See `Kernel.datapath`: the products with the inputs are made ahead of the loop."""
        width = self.gates * self.units
        ahead = self.projection.datapath((self.inputs[0].shape[-1],))
        units = [*ahead.units, *resized(ahead.out_lanes, width)]
        # A register for the products that the loop reads, so that the next ones can be made.
        last = units[-1]
        if isinstance(last, CircuitUnit):
            units[-1] = replace(last, buffered=True)
        else:
            sums = self.recurrent.output
            units.append(CircuitUnit((Linear(self.layer, (sums,), sums),), buffered=True))
        result = self.output.shape[-1]
        multipliers = [each for each in (ahead.multipliers, self._inside.multipliers) if each]
        return Datapath(
            ahead.lanes,
            (*units, self._loop()),
            result,
            self.reuse,
            sum(multipliers) or None,
            tuple(dict.fromkeys((*ahead.notes, *self._inside.notes))),
        )

    @cached_property
    def _inside(self) -> Datapath:
        return self.recurrent.datapath((self.units,))

    def _loop(self) -> Loop:
        width = self.gates * self.units
        *chain, last = self._inside.units
        assert isinstance(last, CircuitUnit)
        taken: tuple[CircuitPart, ...] = (Hidden(self.layer, self.state, self.recurrent.inputs[0]),)
        body: list[Unit] = list(chain)
        if body:
            first = body[0] if isinstance(body[0], CircuitUnit) else None
            rest = body[1:] if first else body
            body = [CircuitUnit((*taken, *(first.parts if first else ()))), *rest]
            taken = ()
        if self._inside.out_lanes == width:
            taken = (*taken, *last.parts)
        else:
            body += [last, *resized(self._inside.out_lanes, width)]
        bounds = tuple(bound for bound in self.bounds for _ in range(self.units))
        cell = CircuitUnit((Cell(self, taken),))
        return Loop(self.state, bounds, tuple(body), cell, self.steps, self.every, self.units)

    # Reuse factors

    @property
    @override
    def reuse_factors(self) -> list[int]:
        """See `Multiplexed.reuse_factors`: those of either matrix."""
        return sorted({factor for each in self._products for factor in each.reuse_factors})

    @property
    @override
    def repeats(self) -> int:
        return self.steps

    @override
    def cycles(self, reuse: int) -> int:
        """See `Multiplexed.cycles`: of the slower products; the loop adds its functions to that."""
        of_both = self.reused(reuse)._products
        return max(each.cycles(each.reuse) for each in of_both)

    @override
    def reused(self, reuse: int) -> Self:
        factors: dict[str, Any] = {"reuse_factor": reuse, "recurrent_reuse_factor": 0}
        return replace(self, **factors)

    @override
    def area(self, reuse: int, target: Target) -> float:
        of_both = self.reused(reuse)._products
        return sum(each.area(each.reuse, target) for each in of_both)

    @override
    def notes(self) -> tuple[str, ...]:
        of_each = zip(("inputs", "state"), self._products, strict=True)
        return tuple(f"{note}, of the {what}" for what, each in of_each for note in each.notes())

    @override
    def implementation(self, target: Target) -> Implementation:
        found = [each.implementation(target) for each in self._products]
        kinds = dict.fromkeys(each.strategy for each in found)
        inputs, state = (each.reason for each in found)
        return Implementation(" and ".join(kinds), f"inputs: {inputs}; state: {state}")

    @override
    def operation_counts(self) -> OperationCounts:
        """See `Kernel.operation_counts`; products of gates are not counted."""
        projection = self.projection.operation_counts()
        inside = self.recurrent.operation_counts()
        return OperationCounts(
            macs=projection.macs + self.steps * inside.macs,
            bops=projection.bops + self.steps * inside.bops,
            ebops=projection.ebops + self.steps * inside.ebops,
            weights=projection.weights + inside.weights,
            nonzero=projection.nonzero + inside.nonzero,
            parameters=projection.parameters + inside.parameters,
            weight_bits=projection.weight_bits + inside.weight_bits,
        )


@dataclass(frozen=True, eq=False)
class SimpleRnn(Recurrent):
    """h = act(W x + U h + b): a GRU of hls4ml's C++ whose gates are z = 0 and r = 1."""

    gates: ClassVar[int] = 1
    parts: ClassVar[int] = 1

    @property
    @override
    def widest(self) -> int:
        return self.accum.width + 1

    @cached_property
    @override
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """See `Recurrent.bounds`."""
        made = cast_range(*self._squashed_range, self._squashed.type.frac, self.output.type)
        return (_with_zero(made),)

    @override
    def golden_step(self, sums: Values, projected: Values, state: Values) -> Values:
        enters = cast(projected + sums, self.accum.frac, self.accum)
        g = self._squash(self.accum).golden(enters)
        return cast(g, self._squashed.type.frac, self.output.type)

    @override
    def build_step(
        self, circuit: Circuit, target: Target, sums: Words, projected: Words, state: Words
    ) -> list[Word]:
        enters = self._build_sums(circuit, sums, projected)
        g = self._squash(self.accum).build(circuit, target, enters)
        return [circuit.cast(word, self.output.type) for word in g]


@dataclass(frozen=True, eq=False, kw_only=True)
class Gated(Recurrent):
    """Gates decide how much of the state stays, and how much enters it.

    Attributes:
        recurrent_activation: one of `FUNCTIONS`, of the gates.
        recurrent_table: raw entries of that function's table; empty for "relu".
    """

    recurrent_activation: str
    recurrent_table: Values

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._gates_of()

    @property
    @override
    def _functions(self) -> tuple[str, ...]:
        return (self.activation, self.recurrent_activation)

    @cached_property
    def _gate(self) -> Tensor:
        return self._function_of(self.recurrent_activation, self.recurrent_table)

    def _gates_of(self) -> Elementwise:
        """The function of the gates."""
        return self._function(self.recurrent_table, self.accum, self._gate)

    @property
    def _gate_range(self) -> tuple[int, int]:
        return self._range_of(self._gate, self.recurrent_table)

    @property
    def _gates_share(self) -> bool:
        """Whether a gate lies between 0 and 1."""
        low, high = self._gate_range
        return low >= 0 and high <= 1 << max(self._gate.type.frac, 0)


@dataclass(frozen=True, eq=False)
class Lstm(Gated):
    """s = c i + s f, h = act(s) o, as `lstm_static` has it; the state is h, then s.

    The gates i, f and o, and c, follow each other as Keras has them: i, f, c, o.
    """

    gates: ClassVar[int] = 4
    parts: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._squash(self.output.type)

    @property
    @override
    def widest(self) -> int:
        return self._gate.type.width + _sum_width(self._squashed.type, self.output.type)

    @cached_property
    @override
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """See `Recurrent.bounds`: each step adds a product to a share of the cell's state."""
        to, gate, squashed = self.output.type, self._gate_range, self._squashed_range
        frac = self._gate.type.frac + self._squashed.type.frac
        made = _product(gate, squashed)
        hidden = _with_zero(cast_range(*made, frac, to))
        low = high = 0
        fine = max(frac, to.frac + self._gate.type.frac)
        for _ in range(self.steps):
            kept = _product((low, high), gate)
            ends = [
                (new << (fine - frac)) + (old << (fine - to.frac - self._gate.type.frac))
                for new, old in zip(made, kept, strict=True)
            ]
            after = cast_range(ends[0], ends[1], fine, to)
            grown = min(low, after[0]), max(high, after[1])
            if grown == (low, high):
                break
            low, high = grown
        return hidden, (low, high)

    @override
    def golden_step(self, sums: Values, projected: Values, state: Values) -> Values:
        n, to = self.units, self.output.type
        before = cast(sums + projected, self.accum.frac, self.accum)
        gate = self._gates_of()
        i, f, o = (gate.golden(before[:, k * n : (k + 1) * n]) for k in (0, 1, 3))
        c = self._squash(self.accum).golden(before[:, 2 * n : 3 * n])
        made, kept = (
            self._gate.type.frac + self._squashed.type.frac,
            self._gate.type.frac + to.frac,
        )
        fine = max(made, kept)
        cell = cast((c * i << (fine - made)) + (state[:, n:] * f << (fine - kept)), fine, to)
        hidden = cast(o * self._squash(to).golden(cell), made, to)
        return np.concatenate([hidden, cell], axis=1)

    @override
    def build_step(
        self, circuit: Circuit, target: Target, sums: Words, projected: Words, state: Words
    ) -> list[Word]:
        n, to = self.units, self.output.type
        before = self._build_sums(circuit, sums, projected)
        gate, squash, of_state = self._gates_of(), self._squash(self.accum), self._squash(to)
        i, f, o = (gate.build(circuit, target, before[k * n : (k + 1) * n]) for k in (0, 1, 3))
        c = squash.build(circuit, target, before[2 * n : 3 * n])
        cell = [
            circuit.cast(
                circuit.sum(((1, circuit.mul(new, enters)), (1, circuit.mul(old, stays)))), to
            )
            for new, enters, old, stays in zip(c, i, state[n:], f, strict=True)
        ]
        squashed = of_state.build(circuit, target, cell)
        hidden = [
            circuit.cast(circuit.mul(leaves, word), to)
            for leaves, word in zip(o, squashed, strict=True)
        ]
        return [*hidden, *cell]


@dataclass(frozen=True, eq=False)
class Gru(Gated):
    """h = g (1 - z) + h z, as `gru_static` has it, which resets after the product with the state.

    The gates z and r, and g = act(W x + r (U h + b)), follow each other as Keras has them.
    """

    gates: ClassVar[int] = 3
    parts: ClassVar[int] = 1

    @property
    @override
    def widest(self) -> int:
        mixed = _sum_width(self._squashed.type, self.output.type) + 1
        return self._gate.type.width + max(mixed, self.accum.width)

    @cached_property
    @override
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """See `Recurrent.bounds`.

        Where 0 <= z <= 1 the state lies between g and the state before. Rounding does not leave an
        interval whose ends are multiples of the state's unit.
        """
        to = self.output.type
        if not self._gates_share:
            return ((to.lowest, to.max),)
        low, high = _with_zero(self._squashed_range)
        more = to.frac - self._squashed.type.frac
        low, high = (low << more, high << more) if more >= 0 else (low >> -more, -(-high >> -more))
        if low < to.lowest or high > to.max:
            return ((to.lowest, to.max),)
        return ((low, high),)

    @override
    def golden_step(self, sums: Values, projected: Values, state: Values) -> Values:
        n, to, accum = self.units, self.output.type, self.accum
        before = cast(sums[:, : 2 * n] + projected[:, : 2 * n], accum.frac, accum)
        gates = self._gates_of().golden(before)
        z, r = gates[:, :n], gates[:, n:]
        kept = cast(r * sums[:, 2 * n :], self._gate.type.frac + accum.frac, accum)
        enters = cast(projected[:, 2 * n :] + kept, accum.frac, accum)
        g = self._squash(accum).golden(enters)
        frac = max(self._squashed.type.frac, to.frac)
        g, h = g << (frac - self._squashed.type.frac), state << (frac - to.frac)
        whole = (g << self._gate.type.frac) + z * (h - g)
        return cast(whole, frac + self._gate.type.frac, to)

    @override
    def build_step(
        self, circuit: Circuit, target: Target, sums: Words, projected: Words, state: Words
    ) -> list[Word]:
        n, to = self.units, self.output.type
        before = self._build_sums(circuit, sums[: 2 * n], projected[: 2 * n])
        gates = self._gates_of().build(circuit, target, before)
        z, r = gates[:n], gates[n:]
        kept = [
            circuit.cast(circuit.mul(reset, word), self.accum)
            for reset, word in zip(r, sums[2 * n :], strict=True)
        ]
        enters = self._build_sums(circuit, kept, projected[2 * n :])
        g = self._squash(self.accum).build(circuit, target, enters)
        # g (1 - z) + h z with one product.
        return [
            circuit.cast(
                circuit.sum(
                    ((1, new), (1, circuit.mul(share, circuit.sum(((1, old), (-1, new))))))
                ),
                to,
            )
            for new, share, old in zip(g, z, state, strict=True)
        ]


@dataclass(frozen=True)
class Hidden:
    """The first part of a state, in the narrowest type that holds it: wires.

    Attributes:
        layer: the layer that it belongs to.
        source: the state.
        output: its first part.
    """

    layer: str
    source: Tensor
    output: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What one beat of each input carries."""
        return (self.source,)

    def build(self, circuit: Circuit, target: Target, *inputs: Words) -> list[Word]:
        """Add the function to a circuit, as `Kernel.build` does."""
        del circuit, target
        return list(inputs[0][: self.output.size])


@dataclass(frozen=True)
class Cell:
    """The next state, of sums of products and the state.

    Attributes:
        kernel: the layer.
        before: functions of the first input that make the sums of products with the state.
    """

    kernel: Recurrent
    before: tuple[CircuitPart, ...]

    @property
    def layer(self) -> str:
        """Name of the layer that it belongs to."""
        return self.kernel.layer

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What makes the sums; the products with the input; the state."""
        kernel = self.kernel
        sums = kernel.recurrent.output
        first = self.before[0].inputs[0] if self.before else sums
        return first, replace(sums, name="projection"), kernel.state

    @property
    def output(self) -> Tensor:
        """The next state."""
        return self.kernel.state

    def build(self, circuit: Circuit, target: Target, *inputs: Words) -> list[Word]:
        """Add the function to a circuit, as `Kernel.build` does."""
        sums, projected, state = inputs
        for part in self.before:
            sums = part.build(circuit, target, sums)
        return self.kernel.build_step(circuit, target, sums, projected, state)


def _sum_width(a: FixedType, b: FixedType) -> int:
    """Bits of a sum of a number of each type, or of their difference."""
    return max(a.integer, b.integer) + max(a.frac, b.frac) + 2


def _product(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


def _with_zero(ends: tuple[int, int]) -> tuple[int, int]:
    return min(ends[0], 0), max(ends[1], 0)
