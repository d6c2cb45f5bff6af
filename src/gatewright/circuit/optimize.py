"""Rewrites of a circuit that cost nothing and save adders.

- A negation is a sign on the terms that read it; a constant moves to the sum that reads it.
- RND and RND_CONV after a sum add half a unit of the result; the half joins the sum's constant.
- A sum with a single reader that is a sum merges into it, up to three operands: a 6-input LUT
  fabric with a carry chain adds three numbers at one LUT per bit, the price of adding two.
- A constant joins a sum that has an operand to spare.

Which sums merge is chosen optimally: the sums with single readers form trees, every sum takes part
in at most one merger, and the mergers that save the most adder bits are found by dynamic
programming over the trees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from gatewright.circuit.cost import adder_bits
from gatewright.circuit.graph import Cast, Circuit, Node, Op, Word, sum_range, width_of
from gatewright.fixed import Rounding

_MAX_OPERANDS = 3


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


def optimize(circuit: Circuit, *, three_operand: bool = True) -> Circuit:
    """A circuit with the same outputs and fewer, wider sums.

    Args:
        circuit: left as it is.
        three_operand: whether the fabric adds three operands at the price of two.
    """
    nodes = list(circuit.nodes)
    sums = {index: _split(node, nodes) for index, node in enumerate(nodes) if node.op is Op.SUM}
    _absorb_unary(sums, nodes, circuit.outputs)
    rounded = _fold_rounding(sums, nodes, circuit.outputs)
    if three_operand:
        _merge(sums, nodes, circuit.outputs)
        _sink_constants(sums, nodes, circuit.outputs)
    return _rebuild(circuit, nodes, sums, rounded)


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


def _merge(sums: dict[int, _Sum], nodes: list[Node], outputs: list[int]) -> None:
    """Merge single-reader sums into their readers: a maximum-weight matching on each tree."""
    readers = _readers(sums, nodes, outputs)
    ranges = _ranges(sums, nodes)

    def bits(total: _Sum, index: int) -> int:
        terms = [(t.sign, t.shift, width_of(*ranges[t.arg])) for t in total.terms]
        return adder_bits(terms, width_of(*ranges[index]))

    children: dict[int, list[tuple[int, int]]] = {}  # sum -> (position of term, bits saved)
    free: dict[int, int] = {}  # best saving below a sum that may still merge with a child
    taken: dict[int, int] = {}  # the same for a sum that merges into its reader
    choice: dict[int, int | None] = {}
    for index, total in sums.items():
        candidates = []
        if len(total.terms) == 2:
            for position, term in enumerate(total.terms):
                inner = sums.get(term.arg)
                if inner is None or readers[term.arg] != 1 or len(inner.terms) != 2:
                    continue
                merged = _merged(total, position, inner)
                if all(t.sign < 0 for t in merged.terms):
                    continue
                saved = bits(total, index) + bits(inner, term.arg) - bits(merged, index)
                if saved > 0:
                    candidates.append((position, saved))
        children[index] = candidates
        below = {t.arg for t in total.terms if t.arg in sums and readers[t.arg] == 1}
        taken[index] = sum(free[arg] for arg in below)
        free[index], choice[index] = taken[index], None
        for position, saved in candidates:
            arg = total.terms[position].arg
            value = taken[index] - free[arg] + taken[arg] + saved
            if value > free[index]:
                free[index], choice[index] = value, position
    consumed: set[int] = set()
    for index in reversed(sums):
        chosen = choice[index]
        if index in consumed or chosen is None:
            continue
        total = sums[index]
        arg = total.terms[chosen].arg
        consumed.add(arg)
        sums[index] = _merged(total, chosen, sums[arg])


def _merged(outer: _Sum, position: int, inner: _Sum) -> _Sum:
    sign, shift, _ = outer.terms[position]
    rest = [term for i, term in enumerate(outer.terms) if i != position]
    raised = [_Term(sign * t.sign, shift + t.shift, t.arg) for t in inner.terms]
    return _Sum(raised + rest, outer.constant + (sign * inner.constant << shift))


def _sink_constants(sums: dict[int, _Sum], nodes: list[Node], outputs: list[int]) -> None:
    """Move a constant that makes a fourth operand to a sum below that has one to spare."""
    readers = _readers(sums, nodes, outputs)
    for index, total in sums.items():
        if total.operands <= _MAX_OPERANDS or not readers[index]:
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
            if inner.operands < _MAX_OPERANDS or inner.constant:
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


def _ranges(sums: dict[int, _Sum], nodes: list[Node]) -> list[tuple[int, int]]:
    ranges = [(node.lo, node.hi) for node in nodes]
    for index, total in sums.items():
        ranges[index] = _sum_range(total, ranges)
    return ranges


def _sum_range(total: _Sum, ranges: list[tuple[int, int]]) -> tuple[int, int]:
    lo = hi = total.constant
    for sign, shift, arg in total.terms:
        a, b = ranges[arg]
        lo += (a if sign > 0 else -b) << shift
        hi += (b if sign > 0 else -a) << shift
    return lo, hi


def _rebuild(
    circuit: Circuit, nodes: list[Node], sums: dict[int, _Sum], rounded: set[int]
) -> Circuit:
    result = Circuit()
    readers = _readers(sums, nodes, circuit.outputs)
    new = [-1] * len(nodes)
    for index, node in enumerate(nodes):
        if not readers[index]:
            continue
        result.section = circuit.sections[index]
        args = tuple(new[arg] for arg in node.args)
        if index in sums:
            new[index] = _add_sum(result, sums[index], new)
        elif index in rounded:
            new[index] = _add_rounded(result, node, args[0])
        else:
            new[index] = result.add(node.op, args, node.attr, node.lo, node.hi)
    result.outputs = [new[index] for index in circuit.outputs]
    return result


def _add_rounded(circuit: Circuit, node: Node, arg: int) -> int:
    """What remains of a cast when half a unit of its result is in the argument already."""
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


def _add_sum(circuit: Circuit, total: _Sum, new: list[int]) -> int:
    terms = [_Term(sign, shift, new[arg]) for sign, shift, arg in total.terms]
    # A positive operand leads, so that the line reads as a sum.
    terms.sort(key=lambda term: -term.sign)
    if total.constant and len(terms) < _MAX_OPERANDS:
        return _sum_node(circuit, terms, total.constant)
    index = _sum_node(circuit, terms, 0)
    return _sum_node(circuit, [_Term(1, 0, index)], total.constant) if total.constant else index


def _sum_node(circuit: Circuit, terms: list[_Term], constant: int) -> int:
    operands = [(circuit.nodes[term.arg], term.sign, term.shift) for term in terms]
    lo, hi = sum_range(operands)
    if constant:
        terms = [*terms, _Term(1, 0, circuit.add(Op.CONST, (), constant, constant, constant))]
    args = tuple(term.arg for term in terms)
    attr = tuple((term.sign, term.shift) for term in terms)
    return circuit.add(Op.SUM, args, attr, lo + constant, hi + constant)
