"""A rewrite of products in logic that take longer than a pipeline stage."""

from __future__ import annotations

from gatewright.circuit.fabric import Fabric
from gatewright.circuit.graph import Circuit, Node, Op, Word
from gatewright.fixed import FixedType

_NARROWEST = 4  # bits of a factor that is halved


def split_products(circuit: Circuit, fabric: Fabric, clock_ns: float) -> Circuit:
    """The same circuit with every product that fits a stage, as far as halving a factor helps.

    A product of logic holds no registers. One that takes longer than a stage becomes the sum of
    the products by the low and by the high bits of its narrower factor, a * (h * 2**k + l), which
    has a register between. Multiplier blocks are left alone: halves would take two of them, and
    each as long as before.

    Args:
        circuit: left as it is.
        fabric: its delay model says how long a product takes, and what it is made of.
        clock_ns: clock period to meet.
    """
    budget = clock_ns - fabric.register_ns
    if not any(_is_slow(node, circuit.nodes, fabric, budget) for node in circuit.nodes):
        return circuit
    result = Circuit()
    new: list[int] = []
    for section, node in zip(circuit.sections, circuit.nodes, strict=True):
        result.section = section
        args = tuple(new[arg] for arg in node.args)
        if _is_slow(node, circuit.nodes, fabric, budget):
            a, b = (Word(result, arg, 0) for arg in args)
            new.append(_integer(result, _product(a, b, fabric, budget)))
        else:
            new.append(result.add(node.op, args, node.attr, node.lo, node.hi))
    result.outputs = [new[index] for index in circuit.outputs]
    return result


def _is_slow(node: Node, nodes: list[Node], fabric: Fabric, budget: float) -> bool:
    if node.op is not Op.MUL:
        return False
    widths = [nodes[arg].width for arg in node.args]
    return (
        min(widths) >= _NARROWEST
        and fabric.product_in_logic(*widths)
        and fabric.delay(node, nodes) > budget
    )


def _product(a: Word, b: Word, fabric: Fabric, budget: float) -> Word:
    """The product of two words, in as many parts as a stage asks for."""
    circuit = a.circuit
    whole = Node(Op.MUL, (a.node, b.node), None, 0, 0)
    if not _is_slow(whole, circuit.nodes, fabric, budget):
        return circuit.mul(a, b)
    if circuit.nodes[a.node].width < circuit.nodes[b.node].width:
        a, b = b, a
    factor = circuit.nodes[b.node]
    low = factor.width // 2
    rest = FixedType(factor.width - low, factor.width - b.frac, factor.signed)
    parts = (circuit.bits(b, low - 1, 0).scaled(-b.frac), circuit.cast(b, rest))
    return circuit.sum((1, _product(a, part, fabric, budget)) for part in parts)


def _integer(circuit: Circuit, word: Word) -> int:
    """The node of a word as an integer; constants are kept odd by their fractional bits."""
    value = circuit.value_of(word)
    if value is None:
        assert word.frac == 0
        return word.node
    value <<= -word.frac
    return circuit.add(Op.CONST, (), value, value, value)
