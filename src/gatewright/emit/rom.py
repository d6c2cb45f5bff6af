"""The netlist of a read-only memory: the constants of each step, by its number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.emit.netlist import Memory, Module, ModulePort, Net, Ref

if TYPE_CHECKING:
    from gatewright.units import Rom


def rom_module(rom: Rom, name: str, about: tuple[str, ...]) -> Module:
    """A module of a ROM with a registered output.

    Args:
        rom: its contents.
        name: of the module.
        about: lines of the header on how it was made.
    """
    types = ", ".join(f"{values.shape[1]} x {to}" for values, to in rom.columns)
    ports = (
        ModulePort("input", Net("clk")),
        ModulePort("input", Net("enable")),
        ModulePort("input", Net("address", address_bits(rom))),
        ModulePort("output", Net("data", rom.width)),
    )
    words = Memory(
        "mem",
        rom.width,
        tuple(rom.words()),
        rom.attribute,
        address=Ref("address"),
        enable=Ref("enable"),
        data=Ref("data"),
    )
    return Module(name, (f"{rom.depth} words of {types}.", *about), ports, (words,))


def address_bits(rom: Rom) -> int:
    """Width of a ROM's address."""
    return max(1, (rom.depth - 1).bit_length())
