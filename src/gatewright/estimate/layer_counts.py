"""Counts the hardware of a layer's module: its units, their ROMs, its circuits."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from gatewright.circuit import Op
from gatewright.estimate.circuit_counts import Counts, circuit_counts, lanes_read, takes_block
from gatewright.estimate.library_counts import library_counts
from gatewright.estimate.truth_tables import changing_bits, distinct_bits, luts_of_words
from gatewright.units import (
    Accumulate,
    BeatSequencer,
    Fifo,
    Maximum,
    OperandSequencer,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    for units in module.chains:
        for placed, read in zip(units, _lanes_read(units), strict=True):
            found += _unit(placed, read, rules, multiplier)
        for before, placed in pairwise(units):
            if isinstance(placed.unit, Accumulate):
                free = _free_lanes(before, rules, multiplier) * placed.unit.type.width
                found.subtract({"accumulator": free, "ff": free})
    if found["dsp"] and rules.products.block_registers == "all":  # at the blocks' operands, too
        del found["rom_register"]
    return found


def _lanes_read(units: Sequence[Placed]) -> list[list[bool]]:
    """For each unit of a chain, which lanes of its first input anything depends on."""
    found: list[list[bool]] = []
    for placed in reversed(units):
        after = found[-1] if found else [True] * placed.result[0].lanes
        found.append(_read_by(placed, after))
    return found[::-1]


def _read_by(placed: Placed, after: list[bool]) -> list[bool]:
    lanes = placed.sources[0].lanes
    if placed.circuit is not None:
        return lanes_read(placed.circuit, lanes)
    match placed.unit:
        case OperandSequencer(take=take):
            return [after[lane % take] for lane in range(lanes)]
        case Fifo() | BeatSequencer() | Accumulate() | Maximum():
            return after
        case Window():
            return [any(after[lane::lanes]) for lane in range(lanes)]
    return [True] * lanes


def _unit(placed: Placed, read: list[bool], rules: Rules, multiplier: str) -> Counts:
    unit, circuit = placed.unit, placed.circuit
    if circuit is not None:
        found = circuit_counts(circuit, rules, multiplier)
        return found + _credit(placed, rules) if placed.gated else found
    found = library_counts(unit.module, unit.parameters(*placed.sources), rules)
    if isinstance(unit, OperandSequencer | BeatSequencer):
        found += _rom(unit.rom, rules)
    if not isinstance(unit, Accumulate):
        found.subtract(_idle(placed, read, found))
    return found


def _idle(placed: Placed, read: list[bool], found: Counts) -> Counts:
    """What holds lanes that are constant, as those of pruned channels, or that nothing reads.

    It is optimized away.
    """
    lanes = [element.lo == element.hi for source in placed.sources for element in source.elements]
    idle = [*(a or not b for a, b in zip(lanes, read, strict=False)), *lanes[len(read) :]]
    share = sum(idle) / len(idle)
    held = {"ff": found["ff"] - found["control"]}
    held |= {name: found[name] for name in ("turning", "memory", "memory_choice")}
    return Counter({name: round(share * bits) for name, bits in held.items()})


def _free_lanes(placed: Placed, rules: Rules, multiplier: str) -> int:
    """Number of lanes whose accumulator is free: it is in a DSP block, or the lane is constant."""
    if placed.circuit is None:
        return 0
    circuit = placed.circuit
    leaving = [circuit.circuit.nodes[word.node] for word in circuit.outputs]
    return sum(
        node.op is Op.CONST
        or (
            rules.products.block_registers == "all"
            and node.op is Op.MUL
            and takes_block(node, circuit, rules, multiplier)
        )
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
    words = rom.words()
    if rom.attribute == "block":
        bits = changing_bits(words, rom.width)
        return Counter(half_blocks=-(-bits // 36) * -(-rom.depth // 512))
    return Counter(
        rom=luts_of_words(words, rom.width, rules.tables),
        rom_register=distinct_bits(words, rom.width),
    )
