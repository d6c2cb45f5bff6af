"""The flat netlist of a design, joined from the mapped netlists of its modules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gatewright.errors import DesignFailure
from gatewright.synth.yosys_commands import run_commands

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gatewright.liberty.library import CellLibrary
    from gatewright.rtl.manifest import RtlProject

NETLIST = "netlist.v"
_JSON = "netlist.json"
_SECONDS = 3600

#: Separator between the name of an instance and names in it, after flattening.
_WITHIN = "__"


@dataclass(frozen=True)
class Instance:
    """A cell of a netlist.

    Attributes:
        name: its name.
        cell: name of the cell in the library.
        nets: names of nets by pin; unconnected pins and pins at a constant are left out.
    """

    name: str
    cell: str
    nets: dict[str, str]


@dataclass(frozen=True)
class Netlist:
    """A flat netlist in a file `NETLIST`; every port and net has one bit.

    Attributes:
        directory: the directory of the file.
        top: name of its module.
        instances: the cells.
        names: all names of each net, by the first one, which `Instance` uses.
        ports: names of nets, by port.
        layers: names of layers, by instance in the top.
    """

    directory: Path
    top: str
    instances: list[Instance]
    names: dict[str, list[str]]
    ports: dict[str, str]
    layers: dict[str, str]

    @property
    def file(self) -> Path:
        """Path of the netlist, in Verilog."""
        return self.directory / NETLIST

    @cached_property
    def by_name(self) -> dict[str, Instance]:
        """The cells by their names."""
        return {instance.name: instance for instance in self.instances}

    def layer(self, name: str) -> str:
        """The layer that a net or cell belongs to; "" between layers."""
        return self.layers.get(self._instance(name), "")

    def signal(self, name: str) -> str:
        """The name of a net within its layer."""
        instance = self._instance(name)
        return name.removeprefix(instance + _WITHIN) if instance else name

    def path(self, name: str) -> tuple[str, str]:
        """The instance of the top that a net is in, and its name there, below further instances."""
        return self._instance(name), self.signal(name).replace(_WITHIN, ".")

    def _instance(self, name: str) -> str:
        found = (each for each in self.layers if name.startswith(each + _WITHIN))
        return max(found, key=len, default="")


def join(project: RtlProject, library: CellLibrary, mapped: Path, directory: Path) -> Netlist:
    """Join the netlists of the modules to one flat netlist.

    Args:
        project: the design.
        library: the library of their cells.
        mapped: directory of a synthesis, with one subdirectory per module.
        directory: existing directory for the netlist.

    Raises:
        DesignFailure: if the netlists don't match, or contain a cell that is not in the library.
    """
    (directory / "cells.lib").symlink_to(library.path)
    names = [module.name for module in project.modules if module.layer]
    commands = ["read_liberty -lib cells.lib"]
    for name in dict.fromkeys([*names, project.top]):
        if (source := mapped / name / NETLIST).is_file():
            (directory / f"{name}.v").symlink_to(source.resolve())
            commands.append(f"read_verilog {name}.v")
    commands += [
        f"hierarchy -check -top {project.top}",
        f"flatten -noscopeinfo -separator {_WITHIN}",
        "opt_clean -purge",
        # OpenSTA reads neither concatenations on the left nor partly assigned buses.
        "splitnets -ports -format _",
        "check -assert",
        f"write_verilog -noattr -noexpr -simple-lhs {NETLIST}",
        f"write_json {_JSON}",
    ]
    run_commands(commands, directory, project.top, seconds=_SECONDS)
    found = json.loads((directory / _JSON).read_text(encoding="utf-8"))
    for left in ("cells.lib", _JSON, *(f"{name}.v" for name in (*names, project.top))):
        (directory / left).unlink(missing_ok=True)
    layers = {module.instance: module.layer for module in project.modules}
    return _netlist(directory, project.top, found["modules"][project.top], library, layers)


def _netlist(
    directory: Path,
    top: str,
    module: dict[str, Any],
    library: CellLibrary,
    layers: dict[str, str],
) -> Netlist:
    by_bit: dict[int, list[str]] = {}
    for name, wire in module["netnames"].items():
        for bit in wire["bits"]:
            if isinstance(bit, int):
                by_bit.setdefault(bit, []).append(name)

    def net(bits: Sequence[int | str]) -> str | None:
        (bit,) = bits
        return by_bit[bit][0] if isinstance(bit, int) else None

    instances = []
    for name, cell in module["cells"].items():
        if cell["type"] not in library.names:
            raise DesignFailure(f"{top}: the library has no cell '{cell['type']}'")
        nets = {pin: found for pin, bits in cell["connections"].items() if (found := net(bits))}
        instances.append(Instance(name, cell["type"], nets))
    ports = {name: net(port["bits"]) or "" for name, port in module["ports"].items()}
    # Nets without connections are leftovers of names in the RTL.
    joined = {used for each in instances for used in each.nets.values()} | set(ports.values())
    names = {each[0]: each for each in by_bit.values() if each[0] in joined}
    return Netlist(directory, top, instances, names, ports, layers)
