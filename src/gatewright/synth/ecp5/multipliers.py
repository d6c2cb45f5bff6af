"""Registers behind multipliers of ECP5: Yosys leaves them in logic, the block has its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatewright.synth.mapper import Netlist

_Readers = dict[int | str, list[tuple[str, str]]]

_BLOCK, _REGISTER = "MULT18X18D", "TRELLIS_FF"

# What the block's own register can stand for: one of the rising edge, zero at the start.
_PLAIN = {"CLKMUX": "CLK", "REGSET": "RESET"}


def _on(*places: str) -> dict[str, str]:
    """Parameters that turn registers of the block on (Lattice FPGA-TN-02205), never reset."""
    ports = {"CLK": "CLK0", "CE": "CE0", "RST": "RST0"}
    names = {f"REG_{place}_{what}": port for place in places for what, port in ports.items()}
    return {**names, "RESETMODE": "SYNC", "GSR": "DISABLED"}


def absorb_registers(netlist: Netlist, top: str) -> int:
    """Move the registers of products into those of their multipliers, in place.

    A multiplier takes the registers of its product if all bits of it that are read go to one
    register each and nowhere else, and these have one clock, one enable and no reset. With its
    register, the net to it leaves the path through the product. If a second such register follows,
    the first one moves before the product, to both operands, whose nets leave the path, too.

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
        product = {
            port: bits[0]
            for port, bits in ports.items()
            if block["port_directions"][port] == "output" and bits and bits[0] in readers
        }
        first = _registers(cells, readers, product)
        if first is None:
            continue
        second = _registers(cells, readers, first.outputs)
        if second is not None and second.controls != first.controls:
            second = None
        for names in (first.names, second.names if second else ()):
            for name in names:
                del cells[name]
            moved += len(names)
        ports.update({port: [bit] for port, bit in (second or first).outputs.items()})
        clock, enable = first.controls
        for port, bit in (("CLK0", clock), ("CE0", enable), ("RST0", "0")):
            ports[port] = [bit]
            block["port_directions"][port] = "input"
        block["parameters"].update(_on("INPUTA", "INPUTB", "OUTPUT") if second else _on("OUTPUT"))
    return moved


@dataclass(frozen=True)
class _Row:
    """Registers of one clock and one enable.

    Attributes:
        names: their cells.
        outputs: their results, by the port of the multiplier whose bit they take.
        controls: clock and enable.
    """

    names: tuple[str, ...]
    outputs: dict[str, int | str]
    controls: tuple[int | str, int | str]


def _registers(cells: Netlist, readers: _Readers, bits: Mapping[str, int | str]) -> _Row | None:
    """The registers that alone read some bits, if registers of the block can stand for them."""
    names = [_register(cells, readers[bit]) for bit in bits.values()]
    found = [name for name in names if name is not None]
    if not found or len(found) < len(names):
        return None
    controls = {_controls(cells[name]) for name in found}
    if len(controls) > 1:
        return None
    outputs = {
        port: cells[name]["connections"]["Q"][0] for port, name in zip(bits, found, strict=True)
    }
    return _Row(tuple(found), outputs, controls.pop())


def _readers(module: Netlist) -> _Readers:
    """By bit of a net, the cells and ports that read it; ports of the module have no cell."""
    readers: _Readers = defaultdict(list)
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
