"""GarNet: vertices of a graph that exchange features through a few aggregators."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from typing_extensions import override

from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import WORD_BITS, FixedType, Overflow, Rounding, cast
from gatewright.kernels import cmvm, curves
from gatewright.kernels.accumulation import in_order, running_total, total
from gatewright.kernels.kernel import Kernel, OperationCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target

#: hls4ml's type of a distance between a vertex and an aggregator, which can't be set.
DISTANCE: Final = FixedType(12, 4, True, Rounding.TRN, Overflow.SAT)
#: Type of the quotient of which a norm is made.
_QUOTIENT: Final = FixedType(64, 32, False)
#: Greatest width of the number of vertices, if it indexes a table.
_MOST_COUNT_BITS: Final = 12


@dataclass(frozen=True, eq=False)
class GarNet(Kernel):
    """One layer of GarNet (Qasim et al., 2019), in the form that Iiyama et al., 2020, gave it.

    It is `garnet` of nnet_garnet.h as `emulation.mended_headers` has it. Of V vertices the first n
    count, n being the second input. Each has a distance d from each of A aggregators, a linear
    function of its X features, and weighs exp(-d * d) there. An aggregator takes the mean of
    features and of weights. A linear function of these, for each of O results, returns to the
    vertices with the same weights; or to none, and the result is the mean of what they would get.

    Attributes:
        distances: raw int64 of shape (A, X): factors of the distances.
        distance_biases: raw int64 of shape (A,).
        transform: raw int64 of shape (O, A, X): factors of mean features.
        transform_biases: raw int64 of shape (O, A): factors of mean weights.
        biases: raw int64 of shape (O,).
        distances_type, distance_biases_type, transform_type, transform_biases_type, biases_type:
            types of these.
        edge_type: type of a weight, and of a mean weight.
        edge_sum_type: type of sums of weights.
        accum: type of sums of features, of their means, and of what is returned to a vertex.
        norm_type: type of (V / passes) / n.
        passes: hls4ml's reuse factor. V / passes vertices are summed up and their sum divided; then
            these means are.
        by_count: whether means are over n vertices instead of V.
        mean: whether the result is the mean over V vertices, of shape (O,), instead of (V, O).
    """

    distances: NDArray[np.int64]
    distance_biases: NDArray[np.int64]
    transform: NDArray[np.int64]
    transform_biases: NDArray[np.int64]
    biases: NDArray[np.int64]
    distances_type: FixedType
    distance_biases_type: FixedType
    transform_type: FixedType
    transform_biases_type: FixedType
    biases_type: FixedType
    edge_type: FixedType
    edge_sum_type: FixedType
    accum: FixedType
    norm_type: FixedType
    passes: int
    by_count: bool
    mean: bool

    def __post_init__(self) -> None:
        count, vertices = self.inputs[1].type, self.vertices
        if vertices & (vertices - 1) or not 1 <= self.passes <= vertices or vertices % self.passes:
            raise InputError(
                f"layer '{self.layer}': its number of vertices, {vertices}, must be a power of two "
                f"and a multiple of its reuse factor, {self.passes}"
            )
        if count.signed or count.frac != 0 or (self.by_count and count.width > _MOST_COUNT_BITS):
            bits = vertices.bit_length()
            raise UnsupportedError(
                f"layer '{self.layer}': the type of its number of vertices, {count}, is no "
                f"unsigned integer of up to {_MOST_COUNT_BITS} bits; give it the type "
                f"ufixed<{bits},{bits}>"
            )
        if self._widest > WORD_BITS:
            raise UnsupportedError(
                f"layer '{self.layer}': its sums of products need more than {WORD_BITS} bits; "
                f"narrow its input, {self.layer}.precision.aggr or {self.layer}.precision.result"
            )

    @property
    def vertices(self) -> int:
        """V."""
        return self.inputs[0].shape[0]

    @property
    def _widest(self) -> int:
        """Bits that hold every sum and product."""
        x, count = self.inputs[0].type, self.inputs[1].type
        accum, edge, result = self.accum, self.edge_type, self.output.type
        grown = (self.inputs[0].shape[1] - 1).bit_length()
        sums = FixedType(x.width + grown, x.integer + grown)
        widest = (
            (accum, (x, edge)),
            (accum, (accum, self.transform_type)),
            (accum, (edge, self.transform_biases_type)),
            (accum, (accum, self.norm_type)),
            (self.edge_sum_type, (self.edge_sum_type, self.norm_type)),
            (self.edge_sum_type, (edge, FixedType(1, 1))),
            (accum, (accum, count)),
            (self.distance_biases_type, (sums, self.distances_type)),
            (result, (edge, accum)),
        )
        return max(
            max(total.integer, a.integer + b.integer) + max(total.frac, a.frac + b.frac) + 1
            for total, (a, b) in widest
        )

    @property
    def _shifts(self) -> tuple[int, int]:
        """By how many bits a pass's sums are shifted, and the sums of these."""
        all_bits, pass_bits = self.vertices.bit_length() - 1, self.passes.bit_length() - 1
        return all_bits - pass_bits, pass_bits

    @property
    def _weights(self) -> NDArray[np.int64]:
        """Raw weights by raw distance, up to where they stay the same."""
        table = curves.edge_weights(DISTANCE, self.edge_type)
        return table[: int(np.flatnonzero(table != table[-1]).max(initial=-1)) + 2]

    @property
    def _norms(self) -> NDArray[np.int64]:
        """Raw norms by n; 0 for n = 0."""
        count = np.arange(self.inputs[1].type.max + 1)
        whole = self.vertices // self.passes << _QUOTIENT.frac
        quotient = np.where(count > 0, whole // np.maximum(count, 1), 0)
        return cast(quotient, _QUOTIENT.frac, self.norm_type)

    @override
    def notes(self) -> tuple[str, ...]:
        if self.passes == 1:
            return ()
        return (
            f"its sums are split by a reuse factor of {self.passes}, as in hls4ml, but all "
            f"{self.vertices} vertices are computed at once",
        )

    # What it computes

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        x, count = inputs[0], inputs[1].reshape(len(inputs[1]), 1)
        counts = np.arange(self.vertices) < count
        weights = self._golden_weights(x) * counts[..., np.newaxis]
        means = self._golden_means(x, weights, count)
        to, edge, accum = self.output.type, self.edge_type, self.accum
        base = self._golden_base(*means)  # (batch, O, A)
        products = edge.frac + accum.frac
        if not self.mean:
            found = np.broadcast_to(
                cast(self.biases, self.biases_type.frac, to),
                (len(x), self.vertices, len(self.biases)),
            )
            for aggregator in range(len(self.distances)):
                product = weights[:, :, aggregator, None] * base[:, None, :, aggregator]
                found = cast(found + cast(product, products, to), to.frac, to)
            return found * counts[..., np.newaxis]
        found = cast(self._golden_biases(count), self.biases_type.frac, to)
        for aggregator in range(len(self.distances)):
            product = means[0][:, aggregator, None] * base[:, :, aggregator]
            found = _added(found, to, product, products)
        return found

    def _golden_weights(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """The weights, of shape (batch, V, A)."""
        frac = self.inputs[0].type.frac + self.distances_type.frac
        fine = max(frac, self.distance_biases_type.frac)
        distance = (x @ self.distances.T) << fine - frac
        distance += self.distance_biases << fine - self.distance_biases_type.frac
        distance, table = cast(distance, fine, DISTANCE), self._weights
        return table[np.minimum(np.abs(distance), len(table) - 1)]

    def _golden_means(
        self, x: NDArray[np.int64], weights: NDArray[np.int64], count: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Mean weights, of shape (batch, A), and mean features, of shape (batch, A, X)."""
        source, edge = self.inputs[0].type, self.edge_type
        products = x[:, :, np.newaxis] * weights[..., np.newaxis]
        found = []
        for each, frac, to, mean in (
            (weights, edge.frac, self.edge_sum_type, edge),
            (products, source.frac + edge.frac, self.accum, self.accum),
        ):
            whole = np.zeros_like(each[:, 0])
            for one_pass in np.split(each, self.passes, axis=1):
                part = np.zeros_like(whole)
                for vertex in np.moveaxis(one_pass, 1, 0):
                    part = _added(part, to, vertex, frac)
                whole = _added(whole, to, part >> self._shifts[0], to.frac)
            if self.by_count:
                norm = self._norms[count].reshape(len(x), *(1,) * (whole.ndim - 1))
                found.append(cast(whole * norm, to.frac + self.norm_type.frac, mean))
            else:
                found.append(cast(whole >> self._shifts[1], to.frac, mean))
        return found[0], found[1]

    def _golden_base(
        self, weight: NDArray[np.int64], features: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """What the aggregators return, of shape (batch, O, A)."""
        accum = self.accum
        frac = self.edge_type.frac + self.transform_biases_type.frac
        found = cast(weight[:, np.newaxis] * self.transform_biases, frac, accum)
        for feature in range(features.shape[-1]):
            product = features[:, np.newaxis, :, feature] * self.transform[..., feature]
            found = _added(found, accum, product, accum.frac + self.transform_type.frac)
        return found

    def _golden_biases(self, count: NDArray[np.int64]) -> NDArray[np.int64]:
        """The biases' share in a mean over V vertices of which n have one: (batch, O)."""
        accum, to = self.accum, self.biases_type
        bias = cast(self.biases, to.frac, accum)
        share = cast(bias * count, accum.frac, accum) >> self.vertices.bit_length() - 1
        return cast(np.where(count < self.vertices, share, bias), accum.frac, to)

    # What it is built of

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        (count,) = inputs[1]
        features = len(inputs[0]) // self.vertices
        x = [inputs[0][first : first + features] for first in range(0, len(inputs[0]), features)]
        counts = [
            circuit.compare("<", circuit.constant(vertex), count) for vertex in range(self.vertices)
        ]
        zero, to = circuit.constant(0), self.output.type
        weights = [
            [
                circuit.select(counted, weight, zero)
                for weight in self._build_weights(circuit, target, vertex)
            ]
            for vertex, counted in zip(x, counts, strict=True)
        ]
        means, mean_features = self._build_means(circuit, x, weights, count)
        base = self._build_base(circuit, target, means, mean_features)
        if self.mean:
            return [
                running_total(
                    circuit,
                    [circuit.cast(bias, to), *map(circuit.mul, means, returned)],
                    to,
                )
                for bias, returned in zip(
                    self._build_biases(circuit, target, count), base, strict=True
                )
            ]
        result = []
        biases = cast(self.biases, self.biases_type.frac, to)
        for vertex, counted in zip(weights, counts, strict=True):
            for bias, returned in zip(biases, base, strict=True):
                products = [circuit.cast(each, to) for each in map(circuit.mul, vertex, returned)]
                words = [circuit.constant(int(bias), to.frac), *products]
                found = total(circuit, words, to, in_order)
                result.append(circuit.select(counted, found, zero))
        return result

    def _build_weights(self, circuit: Circuit, target: Target, x: Sequence[Word]) -> list[Word]:
        """The weights of a vertex, one for each aggregator."""
        table = self._weights
        bits = max(1, (len(table) - 1).bit_length())
        reach = FixedType(bits, bits, False, overflow=Overflow.SAT)
        entries = np.pad(table, (0, (1 << bits) - len(table)), mode="edge").tolist()
        matrix, scale = cmvm.without_common_factor(self.distances.T)
        plan = cmvm.choose(matrix, self.inputs[0].type.width, "latency", target)
        if plan.strategy == cmvm.MULTIPLIERS:
            sums = cmvm.multipliers(circuit, x, matrix)
        else:
            sums = cmvm.adder_graph(circuit, x, matrix, target.fabric)
        found = []
        for word, bias in zip(sums, self.distance_biases, strict=True):
            constant = circuit.constant(int(bias), self.distance_biases_type.frac)
            distance = word.scaled(scale - self.distances_type.frac)
            distance = circuit.cast(circuit.sum(((1, distance), (1, constant))), DISTANCE)
            opposite = circuit.sum(((-1, distance),))
            index = circuit.maximum(distance, opposite).scaled(DISTANCE.frac)
            index = circuit.cast(index, reach)
            known = circuit.value_of(index)
            if known is not None:
                index = circuit.constant(known, index.frac)  # which drops fractional zeros
            found.append(circuit.table(index, entries, self.edge_type.frac))
        return found

    def _build_means(
        self,
        circuit: Circuit,
        x: Sequence[Sequence[Word]],
        weights: Sequence[Sequence[Word]],
        count: Word,
    ) -> tuple[list[Word], list[list[Word]]]:
        """Mean weights by aggregator, and mean features by aggregator and feature."""
        norm = None
        if self.by_count:
            norm = circuit.table(count, self._norms.tolist(), self.norm_type.frac)

        def mean(words: Sequence[Word], accum: FixedType, to: FixedType) -> Word:
            size = len(words) // self.passes
            parts = [
                running_total(circuit, words[first : first + size], accum)
                for first in range(0, len(words), size)
            ]
            within, beyond = self._shifts
            parts = [_shifted(circuit, part, within, accum) for part in parts]
            whole = running_total(circuit, parts, accum)
            if norm is not None:
                return circuit.cast(circuit.mul(whole, norm), to)
            return circuit.cast(_shifted(circuit, whole, beyond, accum), to)

        means, features = [], []
        for edges in zip(*weights, strict=True):
            means.append(mean(edges, self.edge_sum_type, self.edge_type))
            products = [
                [circuit.mul(word, edge) for word in vertex]
                for vertex, edge in zip(x, edges, strict=True)
            ]
            features.append(
                [mean(each, self.accum, self.accum) for each in zip(*products, strict=True)]
            )
        return means, features

    def _build_base(
        self,
        circuit: Circuit,
        target: Target,
        means: Sequence[Word],
        features: Sequence[Sequence[Word]],
    ) -> list[list[Word]]:
        """What the aggregators return, by result and aggregator."""
        found = []
        for matrix, biases in zip(self.transform, self.transform_biases, strict=True):
            row = []
            for mean, words, factors, bias in zip(means, features, matrix, biases, strict=True):
                frac = self.transform_biases_type.frac
                products = [cmvm.product(circuit, target, mean, int(bias), frac)]
                for word, factor in zip(words, factors, strict=True):
                    frac = self.transform_type.frac
                    products.append(cmvm.product(circuit, target, word, int(factor), frac))
                row.append(running_total(circuit, products, self.accum))
            found.append(row)
        return found

    def _build_biases(self, circuit: Circuit, target: Target, count: Word) -> list[Word]:
        """The biases' share in a mean over V vertices of which n have one."""
        accum, found = self.accum, []
        some = circuit.compare("<", count, circuit.constant(self.vertices))
        for value in cast(self.biases, self.biases_type.frac, accum):
            share = cmvm.product(circuit, target, count, int(value), accum.frac)
            share = circuit.cast(share, accum)
            share = _shifted(circuit, share, self.vertices.bit_length() - 1, accum)
            whole = circuit.constant(int(value), accum.frac)
            found.append(circuit.cast(circuit.select(some, share, whole), self.biases_type))
        return found

    @override
    def operation_counts(self) -> OperationCounts:
        factors = (self.distances, self.transform, self.transform_biases)
        vertices, (results, aggregators, features) = self.vertices, self.transform.shape
        returned = results * aggregators * (1 if self.mean else vertices)
        types = (self.distances_type, self.transform_type, self.transform_biases_type)
        biases = self.distance_biases.size * self.distance_biases_type.width
        biases += self.biases.size * self.biases_type.width
        bits = sum(each.size * to.width for each, to in zip(factors, types, strict=True))
        weights = sum(each.size for each in factors)
        return OperationCounts(
            # Distances, weighted features, what the aggregators return, and what vertices get.
            macs=2 * vertices * aggregators * features
            + results * aggregators * (features + 1)
            + returned,
            weights=weights,
            nonzero=sum(int(np.count_nonzero(each)) for each in factors),
            parameters=weights + self.distance_biases.size + self.biases.size,
            weight_bits=bits + biases,
        )


def _added(
    total: NDArray[np.int64], to: FixedType, more: NDArray[np.int64], frac: int
) -> NDArray[np.int64]:
    """`total += more` in C++: the exact sum, cast to the type of `total`."""
    fine = max(to.frac, frac)
    return cast((total << fine - to.frac) + (more << fine - frac), fine, to)


def _shifted(circuit: Circuit, word: Word, bits: int, to: FixedType) -> Word:
    """`word >> bits` in C++: the bits below the last one of the type are lost."""
    kept = replace(to, rounding=Rounding.TRN, overflow=Overflow.WRAP)
    return circuit.cast(word.scaled(-bits), kept)
