"""Counts the hardware of a layer's module: its units, their ROMs, its circuits."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from gatewright.circuit import Op
from gatewright.estimate.circuit_counts import Counts, circuit_counts, takes_block
from gatewright.estimate.library_counts import library_counts
from gatewright.estimate.truth_tables import distinct_bits, luts_of_words
from gatewright.units import Accumulate, BeatSequencer, Fifo, OperandSequencer

if TYPE_CHECKING:
    from gatewright.emit.layers import LayerModule, Placed
    from gatewright.estimate.rules import Rules
    from gatewright.units import Rom


def layer_counts(module: LayerModule, rules: Rules) -> Counts:
    """Quantities of hardware in a layer's module.

    Raises:
        UnsupportedError: if there is no estimate of one of its units.
    """
    multiplier = module.multiplier
    found: Counts = Counter()
    for placed in (*(unit for join in module.joins for unit in join), *module.units):
        found += _unit(placed, rules, multiplier)
    for before, placed in pairwise(module.units):
        if isinstance(placed.unit, Accumulate):
            free = _free_lanes(before, rules, multiplier) * placed.unit.type.width
            found.subtract({"accumulator": free, "ff": free})
    if found["dsp"]:  # DSP blocks have registers at their operands
        del found["rom_register"]
    return found


def _unit(placed: Placed, rules: Rules, multiplier: str) -> Counts:
    unit, circuit = placed.unit, placed.circuit
    if circuit is not None:
        found = circuit_counts(circuit, rules, multiplier)
        return found + _credit(placed, rules) if placed.gated else found
    found = library_counts(unit.module, unit.parameters(*placed.sources), rules)
    if isinstance(unit, OperandSequencer | BeatSequencer):
        found += _rom(unit.rom, rules)
    if not isinstance(unit, Accumulate):
        found.subtract(_constant(placed, found))
    return found


def _constant(placed: Placed, found: Counts) -> Counts:
    """Registers of constant lanes, such as those of pruned channels, which are optimized away."""
    lanes = [element.lo == element.hi for source in placed.sources for element in source.elements]
    share = sum(lanes) / len(lanes)
    held = {"ff": found["ff"] - found["control"], "turning": found["turning"]}
    return Counter({name: round(share * bits) for name, bits in held.items()})


def _free_lanes(placed: Placed, rules: Rules, multiplier: str) -> int:
    """Number of lanes whose accumulator is free: it is in a DSP block, or the lane is constant."""
    if placed.circuit is None:
        return 0
    nodes = placed.circuit.circuit.nodes
    leaving = [nodes[word.node] for word in placed.circuit.outputs]
    return sum(
        node.op is Op.CONST or (node.op is Op.MUL and takes_block(node, nodes, rules, multiplier))
        for node in leaving
    )


def _credit(placed: Placed, rules: Rules) -> Counts:
    """The credit gate before a pipeline that never stalls, and the FIFO after it."""
    stages = placed.latency - 1
    fifo = Fifo(stages + 2)
    return gate_counts((stages,)) + library_counts(
        fifo.module, fifo.sized(placed.result[0].bits), rules
    )


def gate_counts(stages: tuple[int, ...]) -> Counts:
    """Quantities of a `gw_credit`; `stages` are the register stages from it to each output."""
    places = sum((latency + 2).bit_length() + 1 for latency in stages)
    return Counter(ff=max((1, *stages)) + places, control=places, modules=1)


def _rom(rom: Rom, rules: Rules) -> Counts:
    if rom.attribute == "block":
        return Counter(half_blocks=-(-rom.width // 36) * -(-rom.depth // 512))
    words = rom.words()
    return Counter(
        rom=luts_of_words(words, rom.width, rules.lut_inputs),
        rom_register=distinct_bits(words, rom.width),
    )
