"""Rewrites of a circuit that save adders.

- A negation is a sign on the terms that read it; a constant moves to the sum that reads it.
- RND and RND_CONV after a sum add half a unit of the result; the half joins the sum's constant.
- Where the fabric adds three numbers at the price of two, sums are written out in the sums that
  read them, unless it costs less to compute them once, and built anew in rows that are as long and
  full as possible (`rows`). What only sums read may be more than it was by a constant.
- Elsewhere a constant is an operand like any other: a sum of two and a constant is two sums.
  A constant joins a sum that has an operand to spare; a sum is computed negated where its low bits
  then pass through on wires.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from gatewright.circuit.digits import canonical_digits
from gatewright.circuit.fabric import adder_bits
from gatewright.circuit.graph import Cast, Circuit, Node, Op, Word, sum_range
from gatewright.circuit.rows import LANES, Operand, build, heap_area
from gatewright.fixed import Rounding, width_of


class _Term(NamedTuple):
    sign: int
    shift: int
    arg: int


@dataclass
class _Sum:
    """A SUM node being rewritten: sign * arg << shift over its terms, plus a constant."""

    terms: list[_Term]
    constant: int

    @property
    def operands(self) -> int:
        return len(self.terms) + (self.constant != 0)


def optimize(circuit: Circuit, *, operands: Literal[2, 3] = 3) -> Circuit:
    """A circuit with the same outputs and sums that cost less.

    Args:
        circuit: left as it is.
        operands: how many operands the fabric adds at the price of two.
    """
    nodes = list(circuit.nodes)
    sums = {index: _split(node, nodes) for index, node in enumerate(nodes) if node.op is Op.SUM}
    _absorb_unary(sums, nodes, circuit.outputs)
    rounded = _fold_rounding(sums, nodes, circuit.outputs)
    if operands == LANES:
        _write_out(sums, nodes, circuit.outputs)
    else:
        _orient(sums, nodes, circuit.outputs)
        _sink_constants(sums, nodes, circuit.outputs)
    return _Rebuilt(circuit, nodes, sums, rounded, operands).circuit


def adders_area(circuit: Circuit) -> int:
    """About how many LUTs the sums of a circuit take where three are added at the price of two.

    What `optimize` makes of it, without the search for rows.
    """
    nodes = list(circuit.nodes)
    sums = {index: _split(node, nodes) for index, node in enumerate(nodes) if node.op is Op.SUM}
    _absorb_unary(sums, nodes, circuit.outputs)
    heaps = _write_out(sums, nodes, circuit.outputs)
    live = _readers(sums, nodes, circuit.outputs)
    return sum(heap_area(heaps[index]) for index in sums if live[index])


def _split(node: Node, nodes: list[Node]) -> _Sum:
    terms, constant = [], 0
    for (sign, shift), arg in zip(node.attr, node.args, strict=True):
        if nodes[arg].op is Op.CONST:
            constant += sign * nodes[arg].lo << shift
        else:
            terms.append(_Term(sign, shift, arg))
    return _Sum(terms, constant)


def _absorb_unary(sums: dict[int, _Sum], nodes: list[Node], outputs: list[int]) -> None:
    for total in sums.values():
        for position, term in enumerate(total.terms):
            inner = sums.get(term.arg)
            if inner is not None and len(inner.terms) == 1 and inner.constant == 0:
                sign, shift, arg = inner.terms[0]
                total.terms[position] = _Term(term.sign * sign, term.shift + shift, arg)
    readers = _readers(sums, nodes, outputs)
    for total in sums.values():
        for position, term in enumerate(total.terms):
            inner = sums.get(term.arg)
            if inner is not None and len(inner.terms) == 1 and readers[term.arg] == 1:
                total.constant += term.sign * inner.constant << term.shift
                sign, shift, arg = inner.terms[0]
                total.terms[position] = _Term(term.sign * sign, term.shift + shift, arg)
    readers = _readers(sums, nodes, outputs)
    for total in sums.values():
        if len(total.terms) == 1 and readers[total.terms[0].arg] == 1:
            sign, shift, arg = total.terms[0]
            inner = sums.get(arg)
            # -(-a - b) has a positive operand again; -(a + b) would have none, and stays as it is
            # unless a constant can lead the sum.
            if inner is not None and (
                total.constant + (sign * inner.constant << shift)
                or any(sign * t.sign > 0 for t in inner.terms)
            ):
                total.terms = [_Term(sign * t.sign, shift + t.shift, t.arg) for t in inner.terms]
                total.constant += sign * inner.constant << shift


def _fold_rounding(sums: dict[int, _Sum], nodes: list[Node], outputs: list[int]) -> set[int]:
    """Add the halves; the casts whose argument has got one."""
    readers = _readers(sums, nodes, outputs)
    rounded = set()
    for index, node in enumerate(nodes):
        if node.op is not Op.CAST or not readers[index]:
            continue
        if node.args[0] not in sums or readers[node.args[0]] != 1:
            continue
        dropped = _dropped(node)
        if dropped > 0 and _cast(node).to.rounding in (Rounding.RND, Rounding.RND_CONV):
            sums[node.args[0]].constant += 1 << (dropped - 1)
            rounded.add(index)
    return rounded


def _cast(node: Node) -> Cast:
    attr = node.attr
    assert isinstance(attr, Cast)
    return attr


def _dropped(node: Node) -> int:
    return _cast(node).frac - _cast(node).to.frac


def _orient(sums: dict[int, _Sum], nodes: list[Node], outputs: list[int]) -> None:
    """Compute a sum or its negative, whichever leaves fewer adder bits in it and its readers.

    b * 2**k - a needs its low bits negated; a - b * 2**k passes them through on wires.
    """
    reading = _reading_sums(sums, nodes, outputs)
    widths = _widths(sums, nodes)
    for index, readers in reading.items():
        if not readers:
            continue
        affected = {index, *readers}
        before = sum(_bits(sums[i], i, widths) for i in affected)
        saved = {i: list(sums[i].terms) for i in affected}
        total = sums[index]
        total.terms = [term._replace(sign=-term.sign) for term in total.terms]
        total.constant = -total.constant
        for reader in readers:
            terms = sums[reader].terms
            terms[:] = [t._replace(sign=-t.sign) if t.arg == index else t for t in terms]
        led = all(any(t.sign > 0 for t in sums[i].terms) for i in affected)
        if not led or sum(_bits(sums[i], i, widths) for i in affected) >= before:
            total.constant = -total.constant
            for i, terms in saved.items():
                sums[i].terms = terms


def _write_out(
    sums: dict[int, _Sum], nodes: list[Node], outputs: list[int]
) -> dict[int, list[int]]:
    """Write sums out in all sums that read them, where that leaves fewer bits to add.

    A partial sum that one sum reads always is; of one that many read, the more it adds, the more is
    saved by computing it once.

    Returns:
        For each sum, its bits in each column.
    """
    widths = _widths(sums, nodes)
    columns = 1 + max((t.shift + widths[t.arg] for s in sums.values() for t in s.terms), default=0)
    reading = _reading_sums(sums, nodes, outputs)
    heaps = {index: _heights(sums[index], widths, columns) for index in reading}
    readers = {index: set(found) for index, found in reading.items() if found}
    changed = True
    while changed:
        changed = False
        for index in sorted(readers, reverse=True):
            shared = len(readers[index]) > 1 and len(sums[index].terms) > 1
            if shared and _saved(index, readers[index], sums, heaps, widths) <= 0:
                continue
            changed = True
            for reader in readers.pop(index):
                sums[reader] = _with_written_out(sums[reader], index, sums[index])
                heaps[reader] = _heights(sums[reader], widths, columns)
                for term in sums[reader].terms:
                    if term.arg in readers:
                        readers[term.arg].add(reader)
            for term in sums.pop(index).terms:
                if term.arg in readers:
                    readers[term.arg].discard(index)
        # Terms may cancel out, so that nothing reads a sum any more.
        readers = {index: found for index, found in readers.items() if found}
    return heaps


def _saved(
    index: int,
    readers: set[int],
    sums: dict[int, _Sum],
    heaps: dict[int, list[int]],
    widths: list[int],
) -> int:
    """LUTs that are saved if a sum is written out in its readers, about."""
    own = heaps[index]
    saved = heap_area(own)
    for reader in readers:
        after = list(heaps[reader])
        for term in sums[reader].terms:
            if term.arg == index:
                for column in range(term.shift, term.shift + widths[index]):
                    after[column] -= 1
                for column, height in enumerate(own[: len(after) - term.shift]):
                    after[column + term.shift] += height
        saved += heap_area(heaps[reader]) - heap_area(after)
    return saved


def _heights(total: _Sum, widths: list[int], columns: int) -> list[int]:
    """Bits that a sum adds in each column."""
    heights = [0] * columns
    for term in total.terms:
        for column in range(term.shift, min(term.shift + widths[term.arg], columns)):
            heights[column] += 1
    return heights


def _with_written_out(total: _Sum, index: int, inner: _Sum) -> _Sum:
    """A sum with another one that it reads written out."""
    terms, constant = [], total.constant
    for sign, shift, arg in total.terms:
        if arg == index:
            terms += [_Term(sign * t.sign, shift + t.shift, t.arg) for t in inner.terms]
            constant += sign * inner.constant << shift
        else:
            terms.append(_Term(sign, shift, arg))
    return _Sum(_combined(terms), constant)


def _combined(terms: list[_Term]) -> list[_Term]:
    """The terms, several of one argument as the digits of its factor.

    A sum of nothing is left as it is: what reads it expects a word, not a constant.
    """
    factors: dict[int, int] = {}
    for term in terms:
        factors[term.arg] = factors.get(term.arg, 0) + (term.sign << term.shift)
    if len(factors) == len(terms) or not any(factors.values()):
        return terms
    return [
        _Term(sign, shift, arg)
        for arg, factor in factors.items()
        for sign, shift in canonical_digits(factor)
    ]


def _reading_sums(
    sums: dict[int, _Sum], nodes: list[Node], outputs: list[int]
) -> dict[int, list[int]]:
    """Per sum that leads to an output, the sums that read it; empty if anything else does."""
    live = _readers(sums, nodes, outputs)
    reading: dict[int, list[int]] = {index: [] for index in sums if live[index]}
    others = set(outputs)
    for index, node in enumerate(nodes):
        if not live[index]:
            continue
        if index not in sums:
            others.update(node.args)
            continue
        for arg in {term.arg for term in sums[index].terms}:
            if arg in reading:
                reading[arg].append(index)
    return {index: [] if index in others else found for index, found in reading.items()}


def _bits(total: _Sum, index: int, widths: list[int]) -> int:
    terms = [(term.sign, term.shift, widths[term.arg]) for term in total.terms]
    return adder_bits(terms, widths[index]) if terms else 0


def _widths(sums: dict[int, _Sum], nodes: list[Node]) -> list[int]:
    ranges = [(node.lo, node.hi) for node in nodes]
    for index, total in sums.items():
        ranges[index] = _sum_range(total, ranges)
    return [width_of(lo, hi) for lo, hi in ranges]


def _sink_constants(sums: dict[int, _Sum], nodes: list[Node], outputs: list[int]) -> None:
    """Move a constant that makes an operand too many to a sum below that has one to spare."""
    readers = _readers(sums, nodes, outputs)
    for index, total in sums.items():
        if total.operands <= 2 or not readers[index]:
            continue
        pending = [(1, 0, term) for term in total.terms]
        while pending:
            sign, shift, term = pending.pop()
            inner = sums.get(term.arg)
            if inner is None or readers[term.arg] != 1:
                continue
            sign, shift = sign * term.sign, shift + term.shift
            if total.constant % (1 << shift):
                continue
            if inner.operands < 2 or inner.constant:
                inner.constant += sign * (total.constant >> shift)
                total.constant = 0
                break
            pending.extend((sign, shift, t) for t in inner.terms)


def _readers(sums: dict[int, _Sum], nodes: list[Node], outputs: list[int]) -> list[int]:
    """Number of readers of each node that leads to an output."""
    readers = [0] * len(nodes)
    for index in outputs:
        readers[index] += 1
    for index in range(len(nodes) - 1, -1, -1):
        if readers[index]:
            for arg in _args(index, sums, nodes):
                readers[arg] += 1
    return readers


def _args(index: int, sums: dict[int, _Sum], nodes: list[Node]) -> list[int]:
    if index in sums:
        return [term.arg for term in sums[index].terms]
    return list(nodes[index].args)


def _sum_range(total: _Sum, ranges: list[tuple[int, int]]) -> tuple[int, int]:
    lo = hi = total.constant
    for sign, shift, arg in total.terms:
        a, b = ranges[arg]
        lo += (a if sign > 0 else -b) << shift
        hi += (b if sign > 0 else -a) << shift
    return lo, hi


class _Rebuilt:
    """The circuit of the rewritten sums."""

    def __init__(
        self,
        old: Circuit,
        nodes: list[Node],
        sums: dict[int, _Sum],
        rounded: set[int],
        operands: Literal[2, 3],
    ) -> None:
        self.circuit = circuit = Circuit()
        self.new = [-1] * len(nodes)
        # Of sums that only sums read: what was added to them.
        self.added: dict[int, int] = {}
        # By new index: rows before a sum.
        self.depths: dict[int, int] = {}
        reading = _reading_sums(sums, nodes, old.outputs)
        readers = _readers(sums, nodes, old.outputs)
        for index, node in enumerate(nodes):
            if not readers[index]:
                continue
            circuit.section = old.sections[index]
            args = tuple(self.new[arg] for arg in node.args)
            if index in sums:
                make = self._rows if operands == LANES and len(sums[index].terms) > 1 else self._sum
                self.new[index] = make(index, sums[index], bool(reading[index]))
            elif index in rounded:
                self.new[index] = self._rounded(node, args[0])
            else:
                self.new[index] = circuit.add(node.op, args, node.attr, node.lo, node.hi)
        circuit.outputs = [self.new[index] for index in old.outputs]

    def _rounded(self, node: Node, arg: int) -> int:
        """What remains of a cast when half a unit of its result is in the argument already."""
        circuit = self.circuit
        word = Word(circuit, arg, _cast(node).frac)
        to = _cast(node).to
        if to.rounding is Rounding.RND_CONV:
            word = circuit.round_even(word, _dropped(node))
        word = circuit.cast(word, replace(to, rounding=Rounding.TRN))
        value = circuit.value_of(word)
        if value is not None:  # constants are kept odd; the readers expect units of the type
            value = value << (to.frac - word.frac) if to.frac > word.frac else value
            return circuit.add(Op.CONST, (), value, value, value)
        return word.node

    def _operands(self, total: _Sum) -> tuple[list[_Term], int]:
        """The terms of a sum in the new circuit, a positive one first, and its constant."""
        constant = total.constant
        for sign, shift, arg in total.terms:
            constant -= sign * self.added.get(arg, 0) << shift
        terms = [_Term(sign, shift, self.new[arg]) for sign, shift, arg in total.terms]
        # A positive operand leads, so that the line reads as a sum.
        return sorted(terms, key=lambda term: -term.sign), constant

    def _rows(self, index: int, total: _Sum, internal: bool) -> int:
        """A sum as rows of adders."""
        terms, constant = self._operands(total)
        nodes = self.circuit.nodes
        operands = [
            Operand(sign, shift, arg, nodes[arg].lo, nodes[arg].hi, self.depths.get(arg, 0))
            for sign, shift, arg in terms
        ]
        if internal:
            natural = sum(each.inverted for each in operands)
            self.added[index] = natural - constant
            constant = natural
        lo, hi = sum_range([(nodes[term.arg], term.sign, term.shift) for term in terms])
        known = (lo + constant, hi + constant)
        rows = build(operands, None if internal else constant, width_of(*known))
        made: list[int] = []
        for row in rows:
            last = len(made) == len(rows) - 1
            unit = 0 if last else row.shift
            parts = [
                _Term(sign, shift - unit, source if source >= 0 else made[-1 - source])
                for sign, shift, source, *_ in row.operands
            ]
            made.append(self._node(parts, row.constant >> unit, known if last else None))
            self.depths[made[-1]] = 1 + max(self.depths.get(part.arg, 0) for part in parts)
        return made[-1]

    def _sum(self, index: int, total: _Sum, internal: bool) -> int:
        """A sum as sums of two operands."""
        del index, internal
        terms, constant = self._operands(total)
        if not constant or len(terms) < 2:
            return self._node(terms, constant)
        # The constant joins all terms but the last where it is what leads them.
        if terms[0].sign > 0:
            return self._node([_Term(1, 0, self._node(terms, 0))], constant)
        return self._node([_Term(1, 0, self._node(terms[:-1], constant)), terms[-1]], 0)

    def _node(self, terms: list[_Term], constant: int, known: tuple[int, int] | None = None) -> int:
        circuit = self.circuit
        lo, hi = sum_range([(circuit.nodes[term.arg], term.sign, term.shift) for term in terms])
        lo, hi = known or (lo + constant, hi + constant)
        if constant or not terms:
            constant_node = circuit.add(Op.CONST, (), constant, constant, constant)
            terms = [*terms, _Term(1, 0, constant_node)]
        args = tuple(term.arg for term in terms)
        attr = tuple((term.sign, term.shift) for term in terms)
        return circuit.add(Op.SUM, args, attr, lo, hi)
