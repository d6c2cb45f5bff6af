"""Counts the hardware of instances of library modules from their parameters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gatewright.errors import UnsupportedError
from gatewright.estimate.truth_tables import luts_of_words

if TYPE_CHECKING:
    from gatewright.estimate.circuit_counts import Counts
    from gatewright.estimate.rules import Rules

Parameters = Mapping[str, int | str]


def library_counts(module: str, parameters: Parameters, rules: Rules) -> Counts:
    """Quantities of hardware in an instance.

    Args:
        module: name of a module of the library.
        parameters: parameters of the instance.
        rules: mapping rules of the family.

    Raises:
        UnsupportedError: if there is no estimate of the module.
    """
    if module not in _MODULES:
        raise UnsupportedError(f"{module}: there is no estimate of this module; synthesize it")
    found = _MODULES[module](parameters, rules)
    return Counter({name: amount for name, amount in found.items() if amount})


def _of(parameters: Parameters, *names: str) -> list[int]:
    return [int(parameters[name]) for name in names]


def _style(parameters: Parameters) -> str:
    return str(parameters["RamStyle"]).strip('"')


def _counter(most: int) -> int:
    """Bits of a counter up to `most`."""
    return max(1, most.bit_length())


def _control(bits: int) -> Counts:
    """Counters and flags of a sequential module."""
    return Counter(ff=bits, control=bits, modules=1)


def _window(parameters: Parameters, rules: Rules) -> Counts:
    bits, height, width = _of(parameters, "Bits", "Height", "Width")
    kernel, span = (
        _of(parameters, "KernelHeight", "KernelWidth"),
        _of(parameters, "DilationHeight", "DilationWidth"),
    )
    strides = _of(parameters, "StrideHeight", "StrideWidth")
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, span, strict=True)]
    waits = sum(_counter(max(pair)) for pair in zip(spans, strides, strict=True))
    found = _control(_counter(height) + _counter(width) + waits + 1)
    found["ff"] += spans[1] * kernel[0] * bits
    if kernel[0] > 1:
        # Lines that move up are read and written in the same cycle.
        memory = ((kernel[0] - 1) * bits, span[0] * width)
        found += _line_buffer(*memory, _style(parameters), rules, 1 if kernel[0] == 2 else 2)
    return found


def _line_buffer(bits: int, depth: int, style: str, rules: Rules, addresses: int) -> Counts:
    """Quantities of a line buffer; the conditions are those of `gw_line_buffer`."""
    if depth == 1 or style == "registers" or (style == "auto" and depth == 2):
        return Counter(ff=bits * depth)
    address = _counter(depth - 1)
    found = _control(address)
    blocks = _half_blocks(bits, depth)
    luts = (8 * bits + 6) // 7 * -(-depth // 64)
    if style == "block" or (style == "auto" and luts > 160 * blocks):
        return found + Counter(half_blocks=blocks)
    return found + _distributed(bits, depth, rules, addresses)


def _distributed(bits: int, depth: int, rules: Rules, addresses: int = 2) -> Counts:
    """Quantities of a memory in LUTs."""
    ram = rules.ram
    found = Counter(memory=ram.cost(bits, depth, addresses), memory_choice=ram.choice(bits, depth))
    if ram.copied_address:
        copied = _counter(depth - 1)
        found += Counter(ff=copied, control=copied)
    return found


def _half_blocks(bits: int, depth: int) -> int:
    wide = next((w for w, d in _BLOCK_SHAPES if depth <= d), 1)
    return -(-bits // wide) * -(-depth // 16384)


#: Width and depth of half a block RAM.
_BLOCK_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192))


def _pad(parameters: Parameters, rules: Rules) -> Counts:
    del rules
    bits, height, width, *sides = _of(
        parameters, "Bits", "Height", "Width", "Top", "Bottom", "Left", "Right"
    )
    rows, columns = sides[0] + height + sides[1], sides[2] + width + sides[3]
    found = _control(_counter(rows) + _counter(columns) + 1)
    return found + Counter(ff=bits, pad=_counter(rows) + _counter(columns))


def _crop(parameters: Parameters, rules: Rules) -> Counts:
    del rules
    height, width = _of(parameters, "Height", "Width")
    return _control(_counter(height - 1) + _counter(width - 1))


def _upsample(parameters: Parameters, rules: Rules) -> Counts:
    bits, width, *factors = _of(parameters, "Bits", "Width", "FactorHeight", "FactorWidth")
    found = _control(_counter(width) + sum(_counter(factor) for factor in factors) + 1)
    found += Counter(ff=bits, choice=bits)
    if factors[0] > 1:
        found += _line_buffer(bits, width, _style(parameters), rules, 1)
    return found


def _concat(parameters: Parameters, rules: Rules) -> Counts:
    del rules
    bits, inputs = _of(parameters, "Bits", "Inputs")
    beats = str(parameters["Beats"]).strip("{}").split(",")
    most = max(int(text.strip().removeprefix("32'd")) for text in beats)
    return _control(_counter(most - 1) + _counter(inputs - 1)) + Counter(choice=bits * (inputs - 1))


def _accumulate(parameters: Parameters, rules: Rules) -> Counts:
    lanes, width, steps, groups = _of(parameters, "Lanes", "Width", "Steps", "Groups")
    found = _reduce(steps) + Counter(ff=lanes * width, accumulator=lanes * width)
    if groups > 1:
        found += Counter(ff=_counter(groups - 1), control=_counter(groups - 1))
        bits, packed = lanes * width, int(str(parameters["Bias"]).partition("'h")[2], 16)
        biases = [packed >> (group * bits) & ((1 << bits) - 1) for group in range(groups)]
        found["bias_select"] = luts_of_words(biases, bits, rules.tables)
    return found


def _maximum(parameters: Parameters, rules: Rules) -> Counts:
    del rules
    lanes, width, steps = _of(parameters, "Lanes", "Width", "Steps")
    return _reduce(steps) + Counter(ff=lanes * width, compare=lanes * width, enables=lanes)


def _reduce(steps: int) -> Counts:
    return _control(1 + (_counter(steps - 1) + 1 if steps > 1 else 0))


def _feed(parameters: Parameters, rules: Rules) -> Counts:
    del rules
    width, lanes, take, rounds, steps = _of(parameters, "Width", "Lanes", "Take", "Rounds", "Steps")
    found = _control(2 + _counter(rounds * lanes // take - 1) + _counter(steps - 1))
    turning = lanes * width
    return found + Counter(ff=turning, turning=turning)


def _repeat(parameters: Parameters, rules: Rules) -> Counts:
    del rules
    bits, steps = _of(parameters, "Bits", "Steps")
    return _control(1 + _counter(steps - 1)) + Counter(ff=bits)


def _resize(parameters: Parameters, rules: Rules) -> Counts:
    del rules
    width, enter, leave = _of(parameters, "Width", "InLanes", "OutLanes")
    parts = max(enter, leave) // min(enter, leave)
    found = _control(_counter(parts)) + Counter(ff=max(enter, leave) * width)
    if enter > leave:
        found["turning"] = (enter - leave) * width
    return found


def _gearbox(parameters: Parameters, rules: Rules) -> Counts:
    """Quantities of a `gw_gearbox`; the four cases are those of the module."""
    del rules
    width, beats, out_width, out_beats = _of(
        parameters, "InWidth", "InBeats", "OutWidth", "OutBeats"
    )
    if beats == out_beats == 1 or width == out_width:
        return Counter()
    count = _counter(beats - 1)
    if out_beats == 1 or out_width % width == 0:
        parts = beats if out_beats == 1 else out_width // width
        found = _control(1 + _counter(parts - 1) + (count if beats != parts * out_beats else 0))
        return found + Counter(ff=min(parts * width, out_width), enables=parts)
    if beats == 1 or width % out_width == 0:
        parts = out_beats if beats == 1 else width // out_width
        found = _control(_counter(parts) + (count if out_beats != parts * beats else 0))
        held = min(parts * out_width, width)
        return found + Counter(ff=held, turning=held - out_width)
    common = math.gcd(width, out_width)
    coming, going = width // common, out_width // common
    room = (coming + 2 * going - 2) // going * going
    found = _control(_counter(room) + count) + Counter(ff=room * common)
    # One multiplexer per place that a beat can go to, and one for the data that moves down.
    return found + Counter(choice=room * common + (room - coming + 1) * width)


def _fifo(parameters: Parameters, rules: Rules) -> Counts:
    bits, depth = _of(parameters, "Width", "Depth")
    if depth == 0:
        return Counter()
    level = _counter(depth)
    if depth == 1:
        return _control(level) + Counter(ff=bits)
    address = _counter(depth - 1)
    found = _control(level + 2 * address)
    style = _style(parameters)
    blocks = _half_blocks(bits, depth)
    if style == "block" or (style == "auto" and depth > 64 and depth * bits >= 8192):
        # The register of the beat that is offered and that of one that passes by the memory, with
        # multiplexers before the first and of the address that is fetched from; the comparison of
        # addresses that says which beats pass by.
        # One of three by two signals: a LUT of more than four inputs, else one and a half.
        chosen = bits if rules.tables.inputs > 4 else 3 * bits // 2
        return found + Counter(ff=2 * bits, bypass=chosen + 2 * address, half_blocks=blocks)
    if style == "auto" and rules.ram.cost(bits, depth, 2) > rules.ram.block * blocks:
        # A block of the tool's own choice, without the register.
        return found + Counter(ff=bits, bypass=bits + 2 * address, half_blocks=blocks)
    if style == "registers" or (style == "auto" and depth * bits <= rules.ram.least):
        return found + Counter(ff=depth * bits, choice=(depth - 1) * bits)
    return found + _distributed(bits, depth, rules)


def _loop(parameters: Parameters, rules: Rules) -> Counts:
    del rules
    state, out, steps = _of(parameters, "StateBits", "OutBits", "Steps")
    return _control(2 + (_counter(steps - 1) if steps > 1 else 0)) + Counter(ff=state + out)


def _fork(parameters: Parameters, rules: Rules) -> Counts:
    del rules
    return Counter(ff=int(parameters["Outputs"]), fork=int(parameters["Outputs"]))


def _delay(parameters: Parameters, rules: Rules) -> Counts:
    depth = int(parameters["Depth"])
    return _shift(parameters, rules) + Counter(ff=depth, handshakes=1)


def _shift(parameters: Parameters, rules: Rules) -> Counts:
    bits, depth = _of(parameters, "Width", "Depth")
    if rules.is_shift_register(depth):
        return Counter(shift_register=bits)
    return Counter(ff=bits * depth)


_MODULES: dict[str, Callable[[Parameters, Rules], Counts]] = {
    "gw_accumulate": _accumulate,
    "gw_concat": _concat,
    "gw_crop": _crop,
    "gw_delay": _delay,
    "gw_feed": _feed,
    "gw_fifo": _fifo,
    "gw_fork": _fork,
    "gw_gearbox": _gearbox,
    "gw_loop": _loop,
    "gw_maximum": _maximum,
    "gw_pad": _pad,
    "gw_repeat": _repeat,
    "gw_resize": _resize,
    "gw_shift": _shift,
    "gw_upsample": _upsample,
    "gw_window": _window,
}
