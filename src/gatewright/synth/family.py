"""Families of devices: each is a package beside this module, its name the family's."""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from gatewright.circuit.fabric import Fabric
from gatewright.errors import UnsupportedError
from gatewright.liberty.standard_cells import StandardCells
from gatewright.synth.mapper import Mapper
from gatewright.synth.router import Router

#: Families that Yosys 0.70 has a command for, and why it is of no use here.
UNMAPPED = {
    "max10": "Yosys' map of its memories ends with an error, and it maps no carry chains",
    "cyclone10lp": "Yosys maps no carry chains of it",
    "cycloneiv": "Yosys maps no carry chains of it",
    "quicklogic": "Yosys leaves tables of it without cells",
    "analogdevices": "what its cells take up is not published",
}


@dataclass(frozen=True)
class Family(ABC):
    """A family as a target describes it.

    Its fields are the family's own in the file of a target, with types that pydantic checks. The
    class is `FAMILY` of the module `family` of its package. That of its mapper is `MAPPER` of the
    module `mapper`, which is loaded once per module that is synthesized, so that it imports nothing
    slow.
    """

    @property
    @abstractmethod
    def mapper(self) -> Mapper:
        """How netlists are mapped and counted."""

    @property
    @abstractmethod
    def fabric(self) -> Fabric:
        """What the logic costs."""

    @property
    def hls_part(self) -> str | None:
        """The device that Vitis HLS is told, in the project that hls4ml writes.

        None, of families that it doesn't know, leaves hls4ml's own default.
        """
        return None

    @property
    def standard_cells(self) -> StandardCells | None:
        """The cell library that netlists are mapped to; None of devices.

        Raises:
            InputError: if it is not there, or can't be read.
        """
        return None

    @property
    def cost_model(self) -> str | None:
        """Name of the cost model in hls/estimates; None where none was fitted."""
        return None

    def router(self, device: str) -> Router:
        """How designs are placed and routed on a device.

        Args:
            device: what its vendor calls it, as the target's part says.

        Raises:
            UnsupportedError: if no open router can; says why.
        """
        raise UnsupportedError(f"{device}: no open router is known for its family")


def family_names() -> list[str]:
    """The families there are, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if m.ispkg)


def family_type(name: str) -> type[Family]:
    """The family of a name of `family_names`."""
    found: type[Family] = import_module(f"gatewright.synth.{name}.family").FAMILY
    return found
