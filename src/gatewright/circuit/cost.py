"""What an operation costs in the fabric: LUTs and nanoseconds, estimated."""

from __future__ import annotations

from collections.abc import Sequence

from gatewright.circuit.graph import Cast, Node, Op
from gatewright.fixed import Overflow, Rounding
from gatewright.targets import Target

#: Roundings whose result may be one more than the truncated value, so that they need an adder.
_INCREMENTING = frozenset(Rounding) - {Rounding.TRN}


def adder_bits(terms: Sequence[tuple[int, int, int]], width: int) -> int:
    """Bits of carry chain of a sum of (sign, shift, width) terms with a result of `width` bits.

    Below the second lowest operand the lowest one passes through on wires, unless it is negated.
    """
    if len(terms) == 1:
        return width - terms[0][1]
    (sign, lowest, _), (_, second, _) = sorted(terms, key=lambda term: term[1])[:2]
    return width - (second if sign > 0 else lowest)


def sum_terms(node: Node, nodes: Sequence[Node]) -> list[tuple[int, int, int]]:
    """The (sign, shift, width) terms of a SUM node; a constant's trailing zeros count as shift."""
    terms = []
    for (sign, shift), arg in zip(node.attr, node.args, strict=True):
        operand = nodes[arg]
        if operand.op is Op.CONST:
            zeros = (operand.lo & -operand.lo).bit_length() - 1
            terms.append((sign, shift + zeros, operand.width - zeros))
        else:
            terms.append((sign, shift, operand.width))
    return terms


def node_luts(node: Node, nodes: Sequence[Node]) -> float:
    """Estimated LUTs of one node; a multiplier counts none."""
    match node.op:
        case Op.SUM:
            return adder_bits(sum_terms(node, nodes), node.width)
        case Op.CAST:
            assert isinstance(node.attr, Cast)
            luts = 0.0
            if _increments(node.attr):
                luts += node.width + 1
            if node.attr.to.overflow is not Overflow.WRAP:
                luts += node.width / 2 + 1
            return luts
        case Op.ROUND_EVEN:
            return 2.0
        case Op.COMPARE:
            return 0.0 if is_sign_test(node, nodes) else max(nodes[a].width for a in node.args) / 2
        case Op.SELECT:
            return node.width / 2 if any(nodes[a].op is Op.CONST for a in node.args) else node.width
        case Op.TABLE:
            return node.width * max(1.0, len(node.attr) / 64)
    return 0.0


def node_delay(node: Node, nodes: Sequence[Node], target: Target) -> float:
    """Delay through one node in ns, the net to its reader included (the target's delay model)."""
    delays = target.delays
    match node.op:
        case Op.SUM:
            variable = sum(nodes[arg].op is not Op.CONST for arg in node.args)
            carry = adder_bits(sum_terms(node, nodes), node.width) * delays.carry_bit
            return delays.carry_start + carry + (delays.lut if variable > 2 else 0.0)
        case Op.CAST:
            assert isinstance(node.attr, Cast)
            delay = 0.0
            if _increments(node.attr):
                delay += delays.lut + delays.carry_start + node.width * delays.carry_bit
            if node.attr.to.overflow is not Overflow.WRAP:
                delay += 2 * delays.lut
            return delay
        case Op.ROUND_EVEN:
            return delays.lut
        case Op.COMPARE:
            if is_sign_test(node, nodes):
                return 0.0
            return delays.carry_start + max(nodes[a].width for a in node.args) * delays.carry_bit
        case Op.SELECT:
            return delays.lut
        case Op.TABLE:
            depth = (max(1, len(node.attr) - 1).bit_length() - 6 + 1) // 2
            return delays.rom + max(0, depth) * delays.lut
        case Op.MUL:
            return delays.dsp
    return 0.0


def _increments(attr: Cast) -> bool:
    return attr.frac > attr.to.frac and attr.to.rounding in _INCREMENTING


def is_sign_test(node: Node, nodes: Sequence[Node]) -> bool:
    """Whether a COMPARE node asks for the sign bit and nothing else."""
    relation = node.attr[0]
    return relation in ("<", ">=") and nodes[node.args[1]].hi == nodes[node.args[1]].lo == 0
