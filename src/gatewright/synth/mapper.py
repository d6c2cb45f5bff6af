"""The interface of a family of devices to synthesis."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from gatewright.results.utilization import Resources

#: A netlist as Yosys' `write_json` prints it.
Netlist = dict[str, Any]

#: Changes a mapped netlist in place, given the name of its only module with cells; the number of
#: registers that it moved.
Packer = Callable[[Netlist, str], int]


@dataclass(frozen=True)
class Mapper(ABC):
    """Maps netlists to the cells of a family, and counts the cells.

    The fields are plain JSON values. Together with the source files of the family's package they
    determine the mapped netlist, and cell counts are cached by them. So anything else that matters,
    such as a cell library, must be in a field by the hash of its content.

    Attributes:
        keeps_netlists: whether mapped netlists are cached together with cell counts.
        memories_are_flip_flops: whether writable memories become flip-flops; if so, their bits are
            reported.
    """

    keeps_netlists: ClassVar[bool] = False
    memories_are_flip_flops: ClassVar[bool] = False

    @property
    @abstractmethod
    def flow(self) -> str:
        """How netlists are mapped, for reports, for example "synth_ice40 -abc9"."""

    def at(self, clock_ns: float) -> Self:
        """The mapper for a clock period in ns, if the mapping depends on it."""
        del clock_ns
        return self

    @abstractmethod
    def map(self, netlist: Netlist, top: str) -> list[str]:
        """Yosys commands that map an elaborated netlist.

        Args:
            netlist: one flat module of word-level cells (`$add`, `$mul`, `$mem_v2`, ...) with `src`
                attributes, and black boxes. It may be changed in place; the commands then run on
                the changed netlist.
            top: name of the module.
        """

    @property
    def packer(self) -> Packer | None:
        """Moves registers of products into multipliers; None where Yosys' commands do."""
        return None

    @abstractmethod
    def count(self, cells: Mapping[str, int], module: str) -> Resources:
        """Resources of a mapped netlist.

        Args:
            cells: number of cells by type, without cells internal to Yosys.
            module: name of the module, for messages.

        Raises:
            DesignFailure: if there is a cell that a design must not have, such as a latch.
        """

    @abstractmethod
    def models(self) -> tuple[Path, ...]:
        """Verilog models of the cells for simulation, as far as Yosys has them."""

    @property
    def room(self) -> Path:
        """Directory of the family's package; its name is the name of the family."""
        return Path(inspect.getfile(type(self))).parent
