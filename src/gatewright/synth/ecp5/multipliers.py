"""Registers behind multipliers of ECP5: Yosys leaves them in logic, the block has its own."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from gatewright.synth.mapper import Netlist

_BLOCK, _REGISTER = "MULT18X18D", "TRELLIS_FF"

# What the block's own register can stand for: one of the rising edge, zero at the start.
_PLAIN = {"CLKMUX": "CLK", "REGSET": "RESET"}

# What turns the block's output register on (Lattice FPGA-TN-02205). It is never reset.
_OUTPUT = {
    "REG_OUTPUT_CLK": "CLK0",
    "REG_OUTPUT_CE": "CE0",
    "REG_OUTPUT_RST": "RST0",
    "RESETMODE": "SYNC",
    "GSR": "DISABLED",
}


def absorb_registers(netlist: Netlist, top: str) -> int:
    """Move the registers of products into the output registers of their multipliers, in place.

    A multiplier takes the registers of its product if all bits of it that are read go to one
    register each and nowhere else, and these have one clock, one enable and no reset. With its
    register, the net to it leaves the path through the product.

    Args:
        netlist: mapped netlist, as Yosys' JSON.
        top: name of its only module with cells.

    Returns:
        Number of registers that were moved.
    """
    module = netlist["modules"][top]
    cells: dict[str, Any] = module["cells"]
    blocks = [cell for cell in cells.values() if cell["type"] == _BLOCK]
    if not blocks:
        return 0
    readers = _readers(module)
    moved = 0
    for block in blocks:
        ports = block["connections"]
        read = {
            port: readers[bits[0]]
            for port, bits in ports.items()
            if block["port_directions"][port] == "output" and bits and bits[0] in readers
        }
        names = [name for name in (_register(cells, found) for found in read.values()) if name]
        if not names or len(names) < len(read):
            continue
        registers = [cells[name] for name in names]
        controls = {_controls(register) for register in registers}
        if len(controls) > 1:
            continue
        clock, enable = controls.pop()
        for port, register in zip(read, registers, strict=True):
            ports[port] = register["connections"]["Q"]
        for name in names:
            del cells[name]
        for port, bit in (("CLK0", clock), ("CE0", enable), ("RST0", "0")):
            ports[port] = [bit]
            block["port_directions"][port] = "input"
        block["parameters"].update(_OUTPUT)
        moved += len(names)
    return moved


def _readers(module: Netlist) -> dict[int | str, list[tuple[str, str]]]:
    """By bit of a net, the cells and ports that read it; ports of the module have no cell."""
    readers: dict[int | str, list[tuple[str, str]]] = defaultdict(list)
    for name, port in module["ports"].items():
        for bit in port["bits"]:
            readers[bit].append(("", name))
    for name, cell in module["cells"].items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) != "output":
                for bit in bits:
                    readers[bit].append((name, port))
    return readers


def _register(cells: Netlist, readers: list[tuple[str, str]]) -> str | None:
    """The register that alone reads a bit, if the block's own can stand for it."""
    (name, port), *others = readers
    if others or port != "DI" or cells[name]["type"] != _REGISTER:
        return None
    register = cells[name]
    parameters = register["parameters"]
    plain = all(parameters.get(key, value) == value for key, value in _PLAIN.items())
    never_reset = register["connections"].get("LSR", ["0"]) == ["0"]
    return name if plain and never_reset else None


def _controls(register: Netlist) -> tuple[int | str, int | str]:
    """Clock and enable of a register."""
    ports = register["connections"]
    # Yosys writes the text "1" with a space behind, to tell it from a number.
    always = register["parameters"].get("CEMUX", "CE").strip() == "1"
    return ports["CLK"][0], "1" if always else ports["CE"][0]
