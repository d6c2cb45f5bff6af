"""What synthesis asks a family of devices."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from gatewright.results.utilization import Resources

#: A netlist as Yosys' `write_json` prints it.
Netlist = dict[str, Any]


@dataclass(frozen=True)
class Mapper(ABC):
    """Maps netlists to the cells of a family, and counts these.

    Its fields are plain JSON values. They, and the files of its room,
    decide what netlists are mapped to; whatever else does (a cell library, for example) stands in
    a field by its content's hash. So cell counts are kept by them.

    Attributes:
        keeps_netlists: whether mapped netlists are kept beside cell counts.
        memories_are_flip_flops: whether memories that are written become flip-flops; their bits
            are then reported.
    """

    keeps_netlists: ClassVar[bool] = False
    memories_are_flip_flops: ClassVar[bool] = False

    @property
    @abstractmethod
    def flow(self) -> str:
        """How netlists are mapped, for reports: "synth_ice40 -abc9", for example."""

    def at(self, clock_ns: float) -> Self:
        """The mapper for a clock period in ns, where what it maps to depends on it."""
        del clock_ns
        return self

    @abstractmethod
    def map(self, netlist: Netlist, top: str) -> list[str]:
        """Yosys commands that map an elaborated netlist.

        Args:
            netlist: one flat module of word-level cells (`$add`, `$mul`, `$mem_v2`, ...) with `src`
                attributes, and black boxes. May be rewritten in place: the commands find what it
                is afterwards.
            top: name of the module.
        """

    @abstractmethod
    def count(self, cells: Mapping[str, int], module: str) -> Resources:
        """Resources of a mapped netlist.

        Args:
            cells: number of cells by type, of which none are Yosys' own.
            module: name of the module, for messages.

        Raises:
            DesignFailure: if there is a cell that a design must not have, a latch for example.
        """

    @abstractmethod
    def models(self) -> tuple[Path, ...]:
        """Verilog models of the cells, for simulation; not of all of them, where Yosys has none."""

    @property
    def room(self) -> Path:
        """Folder of the family's code; its name is the family's."""
        return Path(inspect.getfile(type(self))).parent
