"""Counts the hardware of a circuit from its nodes and its schedule."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gatewright.circuit import Cast, Node, Op
from gatewright.circuit.fabric import adder_bits, is_sign_test, sum_terms
from gatewright.circuit.rows import LANES, Operand, row_area
from gatewright.estimate.truth_tables import luts_of_words
from gatewright.fixed import Overflow, Rounding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.circuit.fabric import Fabric
    from gatewright.emit.layers import CircuitModule
    from gatewright.estimate.rules import Rules

#: Quantities of hardware by name.
Counts = Counter[str]

_STRAIGHT = (Rounding.TRN,)


def circuit_counts(module: CircuitModule, rules: Rules, multiplier: str = "auto") -> Counts:
    """Quantities of hardware in a circuit.

    Args:
        module: the scheduled circuit.
        rules: mapping rules of the family.
        multiplier: implementation of its products: "auto", "dsp" or "lut".
    """
    return _Counter(module, rules, multiplier).counts()


def takes_block(node: Node, module: CircuitModule, rules: Rules, multiplier: str) -> bool:
    """Whether a MUL node of a circuit is mapped to DSP blocks."""
    operands = [module.circuit.nodes[arg] for arg in node.args]
    if multiplier == "lut" or min(each.width for each in operands) < 2:
        return False
    # An unsigned operand gets a sign bit if the other one is signed.
    signed = any(each.signed for each in operands)
    a, b = (each.width + (signed and not each.signed) for each in operands)
    return multiplier == "dsp" or rules.products.in_block(a, b, node.width, module.cut.fabric)


def lanes_read(module: CircuitModule, lanes: int) -> list[bool]:
    """Which of the `lanes` lanes of its first input a circuit depends on."""
    read = [False] * lanes
    for node, live in zip(module.circuit.nodes, _live_widths(module), strict=True):
        if node.op is Op.INPUT and node.attr[0] == 0 and live:
            read[node.attr[1]] = True
    return read


class _Counter:
    def __init__(self, module: CircuitModule, rules: Rules, multiplier: str) -> None:
        self.module, self.rules = module, rules
        self.nodes = module.circuit.nodes
        self.live = _live_widths(module)
        self.in_blocks = {
            index
            for index, node in enumerate(self.nodes)
            if node.op is Op.MUL and takes_block(node, module, rules, multiplier)
        }

    def counts(self) -> Counts:
        found: Counts = Counter()
        for index, node in enumerate(self.nodes):
            if self.live[index]:
                found.update(self._operation(index, node))
        found.update(self._registers())
        if not self.module.free:
            found["handshakes"] += 1
            found["stage_flags"] += self.module.schedule.latency
        return found

    # Operations

    def _operation(self, index: int, node: Node) -> Counts:
        nodes, width = self.nodes, self.live[index]
        match node.op:
            case Op.SUM:
                return _sum(node, nodes, width, self.rules, self.module.cut.fabric)
            case Op.CAST:
                return _cast(node, nodes[node.args[0]])
            case Op.ROUND_EVEN:
                return Counter(round_even=1)
            case Op.COMPARE if not is_sign_test(node, nodes):
                bits = max(nodes[arg].width for arg in node.args)
                fixed = any(nodes[arg].op is Op.CONST for arg in node.args)
                return Counter({"compare_constant" if fixed else "compare": bits})
            case Op.SELECT:
                fixed = any(nodes[arg].op is Op.CONST for arg in node.args[1:])
                return Counter({"select_constant" if fixed else "select": width})
            case Op.TABLE:
                return Counter(table=luts_of_words(node.attr, node.width, self.rules.tables))
            case Op.MUL:
                return self._product(index, node)
        return Counter()

    def _product(self, index: int, node: Node) -> Counts:
        operands = [self.nodes[arg] for arg in node.args]
        a, b = (operand.width for operand in operands)
        if index in self.in_blocks:
            return Counter(dsp=self.rules.products.blocks(a, b))
        constants = [operand.lo for operand in operands if operand.op is Op.CONST]
        if constants:
            digits = _signed_digits(constants[0])
            return Counter(product_constant=max(0, digits - 1) * node.width)
        if min(a, b) < self.rules.products.recoded:
            return Counter(product_rows=(min(a, b) - 1) * max(a, b))
        return Counter(product_pairs=a * b)

    # Registers

    def _registers(self) -> Counts:
        """Registers between stages; values that are only delayed become shift registers."""
        found: Counts = Counter()
        for index, taps in enumerate(_taps(self.module)):
            width, before = self.live[index], 0
            for tap in taps:
                length, before = tap - before, tap
                if self.rules.is_shift_register(length):
                    found["shift_register"] += width
                else:
                    found["ff"] += width * length
            held = self._registers_in_block(index, taps[0]) if taps else 0
            if held:
                found["product_register"] += width * held
        return found

    def _registers_in_block(self, index: int, first: int) -> int:
        """Registers of a product that are in its block.

        Args:
            index: the product.
            first: registers from it to its first reader.
        """
        if index not in self.in_blocks:
            return 0
        products = self.rules.products
        widths = (self.nodes[arg].width for arg in self.nodes[index].args)
        match products.block_registers:
            case "none":
                return 0
            case "product":  # sums of several blocks' products are logic
                return min(first, 2) if products.blocks(*widths) == 1 else 0
            case "all":
                return 1


def _taps(module: CircuitModule) -> list[list[int]]:
    """For each node, the delays in stages at which it is read, ascending, without 0."""
    nodes, schedule = module.circuit.nodes, module.schedule
    taps: list[set[int]] = [set() for _ in nodes]
    for index, node in enumerate(nodes):
        for arg in node.args:
            taps[arg].add(schedule.stage[index] - schedule.stage[arg])
    for index in module.circuit.outputs:
        taps[index].add(schedule.latency - schedule.stage[index])
    return [
        [] if node.op is Op.CONST else sorted(found - {0})
        for node, found in zip(nodes, taps, strict=True)
    ]


def _live_widths(module: CircuitModule) -> list[int]:
    """For each node, the number of its lower bits that are read; the others are optimized away."""
    nodes = module.circuit.nodes
    live = [0] * len(nodes)
    for index in module.circuit.outputs:
        live[index] = nodes[index].width
    for index in range(len(nodes) - 1, -1, -1):
        node = nodes[index]
        if not live[index]:
            continue
        for arg, bits in zip(node.args, _bits_read(node, live[index], nodes), strict=True):
            live[arg] = max(live[arg], min(bits, nodes[arg].width))
    return live


def _bits_read(node: Node, width: int, nodes: Sequence[Node]) -> list[int]:
    """For each argument, how many of its lower bits the lower `width` bits of a node depend on."""
    match node.op:
        case Op.SUM:
            return [width - shift for _, shift in node.attr]
        case Op.SELECT:
            return [1, *(width - shift for shift in node.attr)]
        case Op.BITS:
            return [node.attr[0] + 1]
    return [nodes[arg].width for arg in node.args]


def _sum(node: Node, nodes: Sequence[Node], width: int, rules: Rules, fabric: Fabric) -> Counts:
    variable = sum(nodes[arg].op is not Op.CONST for arg in node.args)
    if not variable:
        return Counter()
    if fabric.sum_operands == LANES:
        terms = zip(node.attr, node.args, strict=True)
        operands = [
            Operand(sign, shift, arg, nodes[arg].lo, nodes[arg].hi, 0)
            for (sign, shift), arg in terms
            if nodes[arg].op is not Op.CONST and shift < width
        ]
        # A LUT per column, however many operands it has and whatever constant.
        return Counter(sum3=row_area(operands, width))
    bits = max(0, adder_bits(sum_terms(node, nodes), width))
    if bits < rules.chain.least:
        return Counter(sum_logic=(len(node.args) - 1) * bits)
    kind = f"sum{variable}" + ("_constant" if variable < len(node.args) else "")
    return Counter({kind: rules.chain.bits(bits)})


def _signed_digits(value: int) -> int:
    """Number of nonzero digits in the canonical signed-digit form of a number."""
    value = abs(value)
    return (value ^ 3 * value).bit_count()


def _cast(node: Node, source: Node) -> Counts:
    """Hardware of `gw_cast`: an adder if rounding needs one, overflow detection, saturation."""
    frac, to = Cast(*node.attr)
    found: Counts = Counter()
    width = source.width + (not source.signed)
    dropped = frac - to.frac
    whole = max(1, width - dropped)
    if dropped > 0 and to.rounding not in _STRAIGHT:
        whole += 1
        found["cast_round"] = min(whole, to.width) if to.overflow is Overflow.WRAP else whole
        found["cast_sticky"] = min(dropped, width)
    if to.overflow is not Overflow.WRAP:
        found["cast_bounds"] = node.width
        found["cast_detect"] = max(0, whole - to.width)
    return found
