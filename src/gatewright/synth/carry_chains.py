"""Gives each sum of two operands a carry chain of its own.

By default Yosys merges a sum into the only sum that reads it, and adds the many operands with
compressors. These need two LUTs for each bit that they remove; a carry chain needs one.
"""

from __future__ import annotations

from typing import Any

from gatewright.synth.mapper import Netlist

#: Ports that a chain's operands A and B come from, and whether B is subtracted.
_SUMS = {"$add": ("A", "B", "0"), "$sub": ("A", "B", "1"), "$neg": ("", "A", "1")}


def map_sums(netlist: Netlist, top: str) -> int:
    """Replace each `$add`, `$sub` and `$neg` of a module by an `$alu`, in place.

    Returns:
        The number of cells replaced.
    """
    module = netlist["modules"][top]
    cells: dict[str, Any] = module["cells"]
    nets = 1 + max(
        (bit for port in _connections(module) for bit in port if isinstance(bit, int)), default=1
    )
    sums = [cell for cell in cells.values() if cell["type"] in _SUMS]
    for cell in sums:
        width = len(cell["connections"]["Y"])
        cell.update(_chain(cell, list(range(nets, nets + width)), width))
        nets += 2 * width
        cell["connections"]["CO"] = list(range(nets - width, nets))
    return len(sums)


def operand(cell: Netlist, port: str) -> list[int | str]:
    """Bits of an operand, without leading zeros or repeated signs."""
    bits: list[int | str] = list(cell["connections"][port])
    signed = is_signed(cell, port)
    while len(bits) > 1 and (bits[-2] == bits[-1] if signed else bits[-1] in ("0", "x")):
        bits.pop()
    return bits


def is_signed(cell: Netlist, port: str) -> bool:
    """Whether an operand is read as signed."""
    return bool(int(cell["parameters"][f"{port}_SIGNED"], 2))


def _connections(module: Netlist) -> list[list[int | str]]:
    ports = [port["bits"] for port in module["ports"].values()]
    names = [name["bits"] for name in module["netnames"].values()]
    return ports + names + [b for c in module["cells"].values() for b in c["connections"].values()]


def _chain(cell: Netlist, propagate: list[int], width: int) -> Netlist:
    """An `$alu` cell whose operands are extended to the width of the result."""
    first, second, negated = _SUMS[cell["type"]]
    operands = {
        "A": _extended(cell, first, width) if first else ["0"] * width,
        "B": _extended(cell, second, width),
    }
    return {
        "type": "$alu",
        "parameters": {
            "A_SIGNED": "0",
            "B_SIGNED": "0",
            **{f"{port}_WIDTH": f"{width:032b}" for port in "ABY"},
        },
        "port_directions": {
            **dict.fromkeys(("A", "B", "CI", "BI"), "input"),
            **dict.fromkeys(("X", "Y", "CO"), "output"),
        },
        "connections": {
            **operands,
            "CI": [negated],
            "BI": [negated],
            "X": propagate,
            "Y": cell["connections"]["Y"],
        },
    }


def _extended(cell: Netlist, port: str, width: int) -> list[int | str]:
    bits = operand(cell, port)[:width]
    sign = bits[-1] if is_signed(cell, port) else "0"
    return bits + [sign] * (width - len(bits))
