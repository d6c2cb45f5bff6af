"""Products of vectors with constant matrices, folded onto shared multipliers by a reuse factor."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gatewright.fixed import WORD_BITS, FixedType, cast, narrowest_type
from gatewright.kernels import cmvm
from gatewright.tensor import Tensor
from gatewright.units import (
    Accumulate,
    BeatSequencer,
    CircuitPart,
    CircuitUnit,
    Datapath,
    OperandSequencer,
    Permute,
    Rom,
    Unit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.circuit.fabric import Fabric
    from gatewright.targets import Target


@dataclass(frozen=True)
class TimeMultiplexing:
    """How `n_in` products for each of `n_out` results are folded onto multipliers.

    A step takes `inputs` operands for each of `outputs` results; `groups` groups of results follow
    each other, each of `steps` steps.

    Attributes:
        n_in: products per result.
        n_out: results.
        reuse: steps in all; one of `reuse_factors(n_in, n_out)`.
    """

    n_in: int
    n_out: int
    reuse: int

    @property
    def inputs(self) -> int:
        """Operands per result and step."""
        return max(1, self.n_in // self.reuse)

    @property
    def groups(self) -> int:
        """Groups of results that follow each other."""
        return max(1, self.reuse // self.n_in)

    @property
    def outputs(self) -> int:
        """Results of a group."""
        return self.n_out // self.groups

    @property
    def steps(self) -> int:
        """Steps per group."""
        return self.reuse // self.groups

    @property
    def multipliers(self) -> int:
        """Products per step."""
        return self.inputs * self.outputs

    def words(self, matrix: NDArray[np.int64]) -> NDArray[np.int64]:
        """A matrix (n_in, n_out) in the order in which multipliers take it.

        Returns:
            Of shape (reuse, multipliers). Word t = g * steps + s holds, for each result of group g,
            the weights of its operands in step s.
        """
        ordered = matrix.reshape(self.steps, self.inputs, self.groups, self.outputs)
        return ordered.transpose(2, 0, 3, 1).reshape(self.reuse, self.multipliers)

    def needed(self, matrix: NDArray[np.int64], parts: int = 1) -> NDArray[np.int64]:
        """Which steps a matrix needs; the others, whose weights are zero, are left out.

        Args:
            matrix: of shape (n_in, n_out).
            parts: number of parts in which a vector arrives, each with the same number of steps. At
                least one step of each is left.

        Returns:
            Numbers of steps, in order, of shape (groups, steps). Each group keeps the same number.
        """
        blocks = matrix.reshape(self.steps, self.inputs, self.groups, self.outputs)
        needed: NDArray[np.bool_] = np.logical_or.reduce(blocks != 0, axis=(1, 3)).T
        by_part = needed.reshape(self.groups, parts, -1)
        by_part[..., 0] |= ~np.logical_or.reduce(by_part, axis=-1)
        count = int(needed.sum(axis=1).max())
        return np.sort(np.argsort(~needed, axis=1, kind="stable")[:, :count], axis=1)

    def of(self, steps: int) -> TimeMultiplexing:
        """The same of fewer steps per group."""
        return TimeMultiplexing(steps * self.inputs, self.n_out, steps * self.groups)

    def without_zeros(self, matrix: NDArray[np.int64]) -> TimeMultiplexing:
        """The same without the steps that are left out where vectors come whole."""
        return self.of(self.needed(matrix).shape[1])


def reuse_factors(n_in: int, n_out: int) -> list[int]:
    """Every reuse factor that a product of a vector with an n_in x n_out matrix can have.

    Those that hls4ml's Resource strategy takes (`get_valid_reuse_factors`): all results share the
    steps, or each operand has a step for each group of results.
    """
    few = [r for r in range(1, n_in + 1) if n_in % r == 0]
    many = [n_in * g for g in range(2, n_out + 1) if n_out % g == 0]
    return few + many


def parallel_notes(requested: int, built: int, reuse: int) -> tuple[str, ...]:
    """The parallelization factor as built, if it is another one.

    Args:
        requested: number of positions worked on at a time.
        built: that number.
        reuse: the reuse factor.
    """
    if requested == built:
        return ()
    why = "; more than 1 takes reuse factor 1" if reuse > 1 else ""
    return (f"parallelization factor moved from {requested} to {built}{why}",)


def multiplexed_area(
    fold: TimeMultiplexing, widths: tuple[int, int, int], fabric: Fabric, *, shared: bool = True
) -> float:
    """Estimated area of a folded product, multipliers and memory blocks at their price.

    Args:
        fold: how the work is shared out.
        widths: of an operand, a weight and a sum.
        fabric: what it is built in.
        shared: whether all results have the same operands.
    """
    operand, weight, total = widths
    products = fold.multipliers * fabric.product_area(operand, weight)
    # Per result, an adder tree and an accumulator.
    sums = fold.outputs * ((fold.inputs - 1) / (fabric.sum_operands - 1) + 1)
    operands = (fold.n_in if shared else fold.n_in * fold.n_out) * fabric.held_area(operand)
    rom = fabric.rom_area(fold.multipliers * weight, fold.reuse)
    return products + sums * fabric.sum_area(total) + operands + rom


@dataclass(frozen=True, eq=False)
class Weights:
    """A constant matrix and what is added to its products with vectors.

    Attributes:
        layer: name of the layer.
        x: type of the vectors' elements.
        matrix: raw int64 of shape (n_in, n_out).
        frac: fractional bits of `matrix`.
        bias: raw int64 of shape (n_out,) in the unit of `accum`.
        accum: type to which products are cast before they are added.
        shared: whether all results have the same operands; else result j has operands [:, j] of a
            vector taken as (n_in, n_out).
        rom_style: where the weights stand: "auto", "block" or "distributed".
    """

    layer: str
    x: FixedType
    matrix: NDArray[np.int64]
    frac: int
    bias: NDArray[np.int64]
    accum: FixedType
    shared: bool = True
    rom_style: str = "auto"

    @cached_property
    def _reduced(self) -> tuple[NDArray[np.int64], FixedType]:
        """The matrix without a common factor, in the narrowest type that holds it."""
        matrix, exponent = cmvm.without_common_factor(self.matrix)
        low, high = int(matrix.min(initial=0)), int(matrix.max(initial=0))
        return matrix, narrowest_type(low, high, self.frac - exponent)

    @property
    def _exact(self) -> bool:
        """Whether no product is rounded."""
        return self.accum.frac >= self.x.frac + self._reduced[1].frac

    @property
    def _sum_frac(self) -> int:
        """Fractional bits of the sums: no more than products and bias have."""
        if not self._exact:
            return self.accum.frac
        bits = int(np.bitwise_or.reduce(self.bias, initial=0))
        zeros = (bits & -bits).bit_length() - 1 if bits else self.accum.frac
        return max(self.x.frac + self._reduced[1].frac, self.accum.frac - zeros)

    def _ends(
        self, weights: NDArray[np.int64], frac: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Least and greatest product with each of some weights, in the unit of the sums."""
        to = FixedType(WORD_BITS, WORD_BITS - self._sum_frac, True, self.accum.rounding)
        ends = [cast(weights * end, self.x.frac + frac, to) for end in (self.x.min, self.x.max)]
        return np.minimum(*ends), np.maximum(*ends)

    def summed(self, fold: TimeMultiplexing) -> tuple[Rom, Products, Accumulate]:
        """What makes the sums of a group: a step's weights and products, and their accumulation."""
        matrix, weight_type = self._reduced
        p, q, groups, steps = fold.inputs, fold.outputs, fold.groups, fold.steps
        words = fold.words(matrix)
        # What a circuit can know of a step: every lane's least and greatest weight of all steps.
        each = words.reshape(fold.reuse, q, p)
        lanes_low, lanes_high = self._ends(
            np.stack([each.min(axis=0), each.max(axis=0)]), weight_type.frac
        )
        # Wide enough for what wraps in the accumulator, which is left to the cast at the end.
        sums = narrowest_type(
            int(lanes_low.min(axis=0).sum(axis=-1).min()),
            int(lanes_high.max(axis=0).sum(axis=-1).max()),
            self._sum_frac,
            signed=True,
        )
        low, high = self._ends(matrix, weight_type.frac)
        total_low, total_high = self._bias() + low.sum(axis=0), self._bias() + high.sum(axis=0)
        least, most = int(total_low.min()), int(total_high.max())
        total = narrowest_type(least, most, self._sum_frac, signed=True)
        wraps = total.integer > self.accum.integer + (not self.accum.signed)
        if wraps:
            # Bits above the accumulator don't matter; at least one is left.
            signed = self.accum.integer + (not self.accum.signed)
            width = max(1, signed + self._sum_frac)
            total = FixedType(width, width - self._sum_frac)
            bounds = ((total.min, total.max),) * q
        else:
            bounds = tuple(
                (int(a), int(b))
                for a, b in zip(
                    total_low.reshape(groups, q).min(axis=0),
                    total_high.reshape(groups, q).max(axis=0),
                    strict=True,
                )
            )
        bias = tuple(tuple(int(b) for b in group) for group in self._bias().reshape(groups, q))
        products = Products(
            self.layer,
            (
                Tensor("x", (p if self.shared else p * q,), self.x),
                Tensor("w", (q * p,), weight_type),
            ),
            Tensor("sum", (q,), sums),
            None if self._exact else replace(sums, rounding=self.accum.rounding),
        )
        rom = Rom(((words, weight_type),), self.rom_style)
        return rom, products, Accumulate(steps, total, bounds, bias)

    def _bias(self) -> NDArray[np.int64]:
        return self.bias >> (self.accum.frac - self._sum_frac)

    def order(self, fold: TimeMultiplexing, operands: NDArray[np.int64]) -> tuple[int, ...]:
        """The position in a vector of each operand that the steps take.

        Args:
            fold: how the work is shared out.
            operands: of its steps, of shape (groups, n_in), the same for each group where all
                results have the same; counted as if the vector were of shape (n_in,).
        """
        if self.shared:
            return tuple(operands[0].tolist())
        taps = operands.reshape(fold.groups, fold.steps, 1, fold.inputs)
        results = np.arange(fold.n_out).reshape(fold.groups, 1, fold.outputs, 1)
        return tuple((taps * fold.n_out + results).ravel().tolist())


@dataclass(frozen=True)
class Products:
    """Sums of products of a step's operands and weights.

    Attributes:
        layer: the layer that it belongs to.
        inputs: operands, of shape (p,) for all results or (q * p,); weights, of shape (q * p,).
            With a third, of shape (1,), it says which p of more operands the step takes.
        output: sums, of shape (q,).
        rounded: type to which each product is cast; None if they are added as they are.
    """

    layer: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    rounded: FixedType | None

    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        """Add the function to a circuit, as `Kernel.build` does."""
        del target
        x, w, *index = inputs
        count = len(w) // self.output.size
        if index:
            x = [_pick(circuit, x[lane::count], index[0][0]) for lane in range(count)]
        sums = []
        for start in range(0, len(w), count):
            operands = x if len(x) == count else x[start : start + count]
            terms = []
            for operand, weight in zip(operands, w[start : start + count], strict=True):
                product = circuit.mul(operand, weight)
                if self.rounded is not None:
                    product = circuit.cast(product, self.rounded)
                terms.append((1, product))
            sums.append(circuit.sum(terms))
        return sums


def _pick(circuit: Circuit, words: Sequence[Word], index: Word) -> Word:
    """The word of an index: a tree of multiplexers."""
    place = 0
    while len(words) > 1:
        odd = circuit.bits(index, place, place)
        pairs = zip(words[::2], words[1::2], strict=False)
        last = words[-1:] if len(words) % 2 else []
        words = [*(circuit.select(odd, b, a) for a, b in pairs), *last]
        place += 1
    return words[0]


@dataclass(frozen=True)
class Results:
    """Sums cast to the accumulator's type, then to the result's.

    Attributes:
        layer: the layer that it belongs to.
        inputs: the sums.
        output: the results.
        accum: type of the accumulator.
    """

    layer: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    accum: FixedType

    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        """Add the function to a circuit, as `Kernel.build` does."""
        del target
        return [circuit.cast(circuit.cast(w, self.accum), self.output.type) for w in inputs[0]]


def multiplexed_datapath(
    weights: Weights, fold: TimeMultiplexing, lanes: int, output: Tensor
) -> Datapath:
    """A product with a constant matrix on shared multipliers, cast to the output's type.

    Steps whose weights are zero are left out.

    Args:
        weights: the matrix.
        fold: how the work is shared out.
        lanes: elements per beat of the vector as it comes.
        output: the result.
    """
    size = fold.n_in * (1 if weights.shared else fold.n_out)
    # A vector may arrive in parts of whole steps if every result has all of its steps in a row.
    one_after_the_other = weights.shared and fold.groups == 1
    beat = math.lcm(lanes, fold.inputs)
    parts = size // beat if one_after_the_other and size % beat == 0 else 1
    steps = fold.needed(weights.matrix, parts)
    kept = fold.of(steps.shape[1])
    rows = (steps[..., None] * fold.inputs + np.arange(fold.inputs)).reshape(fold.groups, -1)
    blocks = weights.matrix.reshape(fold.n_in, fold.groups, fold.outputs)
    matrix = blocks[rows.T, np.arange(fold.groups)].reshape(kept.n_in, fold.n_out)
    rom, products, accumulate = replace(weights, matrix=matrix).summed(kept)
    sequencer: tuple[Unit, ...]
    if weights.shared and kept != fold and (parts > 1 or (steps != steps[0]).any()):
        # Parts, or groups, leave out different steps, so each step says what it takes.
        part, place = np.divmod(steps.ravel(), fold.steps // parts)
        to = narrowest_type(0, int(place.max()), 0)
        rom = replace(rom, columns=(*rom.columns, (place[:, None], to)))
        sequencer = (BeatSequencer(tuple(np.bincount(part).tolist()), rom),)
        whole = Tensor("x", (size // parts,), weights.x)
        products = replace(products, inputs=(whole, products.inputs[1], Tensor("place", (1,), to)))
    else:
        order = weights.order(kept, rows)
        feed = OperandSequencer(products.inputs[0].size, kept.groups if weights.shared else 1, rom)
        sequencer = (feed,)
        if parts == 1 and order != tuple(range(size)):
            source = Tensor("x", (size,), weights.x)
            sequencer = (CircuitUnit((Permute(weights.layer, source, order),)), feed)
    sums = Tensor("sum", (fold.outputs,), accumulate.type)
    group = replace(output, shape=(fold.outputs,))
    body: CircuitPart = Results(weights.layer, (sums,), group, weights.accum)
    left_out = fold.reuse - kept.reuse
    note = f"{left_out} of {fold.reuse} steps are left out: their weights are zero"
    return Datapath(
        (size // parts,),
        (*sequencer, CircuitUnit((products,)), accumulate, CircuitUnit((body,))),
        fold.outputs,
        fold.reuse,
        fold.multipliers,
        (note,) if left_out else (),
    )
