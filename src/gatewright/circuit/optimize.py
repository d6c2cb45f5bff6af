"""Rewrites of a circuit that cost nothing and save adders.

- A negation is a sign on the terms that read it; a constant moves to the sum that reads it.
- RND and RND_CONV after a sum add half a unit of the result; the half joins the sum's constant.
- A sum of two operands is written out in the sums that read it, up to three operands, where
  the fabric adds three numbers at the price of two. Elsewhere a constant is an operand like any
  other: a sum of two and a constant is two sums.
  A sum written out in all its readers vanishes; an integer program finds which should.
- A sum is computed negated where its low bits then pass through on wires.
- A constant joins a sum that has an operand to spare.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from gatewright.circuit.fabric import adder_bits
from gatewright.circuit.graph import Cast, Circuit, Node, Op, Word, sum_range
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
    """A circuit with the same outputs and fewer, wider sums.

    Args:
        circuit: left as it is.
        operands: how many operands the fabric adds at the price of two.
    """
    nodes = list(circuit.nodes)
    sums = {index: _split(node, nodes) for index, node in enumerate(nodes) if node.op is Op.SUM}
    _absorb_unary(sums, nodes, circuit.outputs)
    rounded = _fold_rounding(sums, nodes, circuit.outputs)
    _orient(sums, nodes, circuit.outputs)
    if operands == 3:
        _merge(sums, nodes, circuit.outputs)
    _sink_constants(sums, nodes, circuit.outputs, operands)
    return _rebuild(circuit, nodes, sums, rounded, operands)


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


def _merge(sums: dict[int, _Sum], nodes: list[Node], outputs: list[int]) -> None:
    """Write sums of two operands out in the sums that read them, where that saves adder bits.

    A sum that is written out in all its readers vanishes. A reader has room for one such sum, and
    has none if it vanishes itself: the choice is a maximum-weight independent set.
    """
    reading = _reading_sums(sums, nodes, outputs)
    widths = _widths(sums, nodes)
    saving: dict[int, int] = {}
    for index, readers in reading.items():
        total = sums[index]
        if not readers or len(total.terms) != 2:
            continue
        saved = _bits(total, index, widths)
        for reader in readers:
            outer = sums[reader]
            positions = [p for p, term in enumerate(outer.terms) if term.arg == index]
            if len(outer.terms) != 2 or len(positions) != 1:
                break
            merged = _merged(outer, positions[0], total)
            if all(term.sign < 0 for term in merged.terms):
                break
            saved += _bits(outer, reader, widths) - _bits(merged, reader, widths)
        else:
            if saved > 0:
                saving[index] = saved
    vanishing = _independent(saving, sums)
    for index, total in sums.items():
        if index in vanishing:
            continue
        for position, term in enumerate(total.terms):
            if term.arg in vanishing:
                sums[index] = _merged(total, position, sums[term.arg])
                break


def _independent(saving: dict[int, int], sums: dict[int, _Sum]) -> set[int]:
    """The candidates that save most together, no two of them a sum and its operand or siblings."""
    if not saving:
        return set()
    # scipy is slow to import, and most circuits have nothing to merge.
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    column = {index: i for i, index in enumerate(saving)}
    cliques = []
    for index, total in sums.items():
        members = {column[term.arg] for term in total.terms if term.arg in column}
        if index in column:
            members.add(column[index])
        if len(members) > 1:
            cliques.append(sorted(members))
    constraints = []
    if cliques:
        rows = [row for row, clique in enumerate(cliques) for _ in clique]
        columns = [member for clique in cliques for member in clique]
        matrix = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(cliques), len(column)))
        constraints.append(LinearConstraint(matrix, ub=1))
    found = milp(
        -np.array(list(saving.values()), float),
        integrality=np.ones(len(column)),
        bounds=Bounds(0, 1),
        constraints=constraints,
        options={"mip_rel_gap": 1e-3},
    )
    return {index for index, chosen in zip(saving, found.x, strict=True) if chosen > 0.5}


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


def _merged(outer: _Sum, position: int, inner: _Sum) -> _Sum:
    sign, shift, _ = outer.terms[position]
    rest = [term for i, term in enumerate(outer.terms) if i != position]
    raised = [_Term(sign * t.sign, shift + t.shift, t.arg) for t in inner.terms]
    return _Sum(raised + rest, outer.constant + (sign * inner.constant << shift))


def _sink_constants(
    sums: dict[int, _Sum], nodes: list[Node], outputs: list[int], most: int
) -> None:
    """Move a constant that makes an operand too many to a sum below that has one to spare."""
    readers = _readers(sums, nodes, outputs)
    for index, total in sums.items():
        if total.operands <= most or not readers[index]:
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
            if inner.operands < most or inner.constant:
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


def _rebuild(
    circuit: Circuit, nodes: list[Node], sums: dict[int, _Sum], rounded: set[int], most: int
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
            new[index] = _add_sum(result, sums[index], new, most)
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


def _add_sum(circuit: Circuit, total: _Sum, new: list[int], most: int) -> int:
    terms = [_Term(sign, shift, new[arg]) for sign, shift, arg in total.terms]
    # A positive operand leads, so that the line reads as a sum.
    terms.sort(key=lambda term: -term.sign)
    if total.constant and len(terms) < most:
        return _sum_node(circuit, terms, total.constant)
    if not total.constant:
        return _sum_node(circuit, terms, 0)
    # The constant joins all terms but the last where it is what leads them.
    inner = terms if terms[0].sign > 0 else terms[:-1]
    index = _sum_node(circuit, inner, total.constant if inner is not terms else 0)
    if inner is terms:
        return _sum_node(circuit, [_Term(1, 0, index)], total.constant)
    return _sum_node(circuit, [_Term(1, 0, index), terms[-1]], 0)


def _sum_node(circuit: Circuit, terms: list[_Term], constant: int) -> int:
    operands = [(circuit.nodes[term.arg], term.sign, term.shift) for term in terms]
    lo, hi = sum_range(operands)
    if constant:
        terms = [*terms, _Term(1, 0, circuit.add(Op.CONST, (), constant, constant, constant))]
    args = tuple(term.arg for term in terms)
    attr = tuple((term.sign, term.shift) for term in terms)
    return circuit.add(Op.SUM, args, attr, lo + constant, hi + constant)
