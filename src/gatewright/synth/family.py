"""Families of devices. Each is a package beside this module, named like the family."""

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

#: Families that Yosys 0.70 has a command for but can't be used, and why.
UNMAPPED = {
    "max10": "Yosys' map of its memories ends with an error, and it maps no carry chains",
    "cyclone10lp": "Yosys maps no carry chains of it",
    "cycloneiv": "Yosys maps no carry chains of it",
    "quicklogic": "Yosys leaves some look-up tables unmapped",
    "analogdevices": "the resources of its cells are not published",
}


@dataclass(frozen=True)
class Family(ABC):
    """The settings of a family in the file of a target.

    The fields are the family's own fields in that file; pydantic checks their types. The module
    `family` of the family's package has the class as `FAMILY`, the module `mapper` has the class of
    its mapper as `MAPPER`. The latter is imported for each module that is synthesized, so it must
    not import anything slow.
    """

    @property
    @abstractmethod
    def mapper(self) -> Mapper:
        """How netlists are mapped and counted."""

    @property
    @abstractmethod
    def fabric(self) -> Fabric:
        """Area and delay model of the logic."""

    @property
    def hls_part(self) -> str | None:
        """The device for Vitis HLS in the project that hls4ml writes.

        None keeps hls4ml's default, for families that Vitis HLS doesn't support.
        """
        return None

    @property
    def standard_cells(self) -> StandardCells | None:
        """The cell library that netlists are mapped to; None if the family is an FPGA.

        Raises:
            InputError: if the library does not exist or can't be read.
        """
        return None

    @property
    def cost_model(self) -> str | None:
        """Name of the cost model in hls/estimates; None if there is none."""
        return None

    def router(self, device: str) -> Router:
        """How designs are placed and routed on a device.

        Args:
            device: the vendor's name of the device, from the target's part.

        Raises:
            UnsupportedError: if no open router supports it; says why.
        """
        raise UnsupportedError(f"{device}: no open router is known for its family")


def family_names() -> list[str]:
    """Names of all families, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if m.ispkg)


def family_type(name: str) -> type[Family]:
    """The class of the family with a name from `family_names`."""
    found: type[Family] = import_module(f"gatewright.synth.{name}.family").FAMILY
    return found
