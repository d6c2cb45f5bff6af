"""How Yosys and ABC map a netlist to the cells of a library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from gatewright.errors import DesignFailure
from gatewright.synth.mapper import Mapper, Netlist

if TYPE_CHECKING:
    from gatewright.results.utilization import Resources

_LIBRARY = "cells.lib"
_CONSTRAINTS = "abc.constr"
#: Most conflicts for which ABC looks whether two nodes are equal. By default it is a million, and a
#: layer of a few hundred products does not end in an hour; the area differs by half a percent.
_CONFLICTS = 100
#: ABC's commands, those of Yosys 0.70 but for that limit, in the form of the option -script.
_SCRIPT = (
    f"strash;&get,-n;&fraig,-x,-C,{_CONFLICTS};&put;scorr;dc2;dretime;retime,-o,{{D}};strash;"
    "&get,-n;&dch,-f;&nf,{D};&put;buffer;upsize,{D};dnsize,{D};stime,-p"
)


@dataclass(frozen=True)
class LibertyMapper(Mapper):
    """Maps to gates and flip-flops; memories become flip-flops, ROMs become logic.

    Attributes:
        library: path of the library.
        sha256: hash of its content.
        nand2: the cell that is the unit of NAND2 equivalents.
        driving_cell: the cell that drives every input of a module.
        load_ff: load of every output, in fF.
        dont_use: cells not to be used; `*` stands for any text, `?` for any character.
        clock_ps: clock period that gates are sized and nets are buffered for, in ps.
    """

    keeps_netlists: ClassVar[bool] = True
    memories_are_flip_flops: ClassVar[bool] = True

    library: str
    sha256: str
    nand2: str
    driving_cell: str
    load_ff: float
    dont_use: tuple[str, ...]
    clock_ps: int = 0

    @property
    @override
    def flow(self) -> str:
        return (
            f"dfflibmap and abc -liberty {Path(self.library).name} -constr -D {self.clock_ps} "
            f"with at most {_CONFLICTS} conflicts for an equivalence, "
            f"inputs driven by {self.driving_cell}, outputs loaded with {self.load_ff:.4g} fF"
        )

    @override
    def at(self, clock_ns: float) -> LibertyMapper:
        return replace(self, clock_ps=round(1000 * clock_ns))

    @override
    def map(self, netlist: Netlist, top: str) -> list[str]:
        # Commands are text, so files get plain names in the directory that the commands run in.
        Path(_LIBRARY).symlink_to(self.library)
        Path(_CONSTRAINTS).write_text(
            f"set_driving_cell {self.driving_cell}\nset_load {self.load_ff:.6g}\n",
            encoding="ascii",
        )
        avoided = "".join(f" -dont_use {name}" for name in self.dont_use)
        return [
            f"synth -top {top} -run coarse:fine",
            "memory_map",
            "opt -undriven -fine",
            "techmap",
            "opt -fast",
            f"dfflibmap -liberty {_LIBRARY}{avoided}",
            "opt",
            "setundef -zero",
            # Without constraints and a clock, ABC inserts no buffers.
            f"abc -liberty {_LIBRARY}{avoided} -constr {_CONSTRAINTS} -D {self.clock_ps} "
            f"-script +{_SCRIPT}",
            "opt_clean -purge",
        ]

    @override
    def count(self, cells: Mapping[str, int], module: str) -> Resources:
        from gatewright.liberty.library import load_library
        from gatewright.results.utilization import Resources

        library = load_library(Path(self.library))
        area, flip_flops = 0.0, 0
        for name, number in cells.items():
            cell = library.cell(name)
            if cell.memory == "latch":
                raise DesignFailure(f"{module}: latches; assign every signal on every path")
            area += number * cell.area
            flip_flops += number * (cell.memory == "flip-flop")
        return Resources(
            ff=flip_flops, area_um2=round(area, 3), nand2=area / library.cell(self.nand2).area
        )

    @override
    def models(self) -> tuple[Path, ...]:
        from gatewright.synth.liberty.models import write_models

        return (write_models(Path(self.library)),)


MAPPER = LibertyMapper
