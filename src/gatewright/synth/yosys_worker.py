"""Runs Yosys over one module, in a process of its own: an error in a pass ends the process.

Called as `python -m gatewright.synth.yosys_worker JOB.json`; the Yosys log goes to standard output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from gatewright.synth.mapper import Mapper, Netlist

#: Files that a job leaves: counts of cells, the mapped netlist.
STATISTICS = "cells.json"
NETLIST = "netlist.v"
#: Beside what Yosys' `stat` says: bits of the memories that are written, before they are mapped.
MEMORY_BITS = "memory_bits"

# Values of the attribute use_dsp, as vendor tools have it.
_USE_DSP = ("yes", "no")

_WRITERS = {
    "": (),
    "netlist.v": ("write_verilog -noattr netlist.v",),
    "netlist.json": ("write_json netlist.json",),
}


@dataclass(frozen=True)
class Job:
    """One run of Yosys.

    Attributes:
        top: module to synthesize; everything below it is flattened.
        files: SystemVerilog files, read in this order.
        black_boxes: files of which only the ports matter: what they define is not synthesized.
        family: name of the family.
        mapper: fields of its `Mapper`.
        netlist: file that the mapped netlist is written to, `netlist.v` as Verilog or
            `netlist.json` as Yosys' JSON; "" for none.
        pads: buffers of ports in the netlist that is written, as arguments of `iopadmap`; they are
            not counted.
    """

    top: str
    files: tuple[str, ...]
    black_boxes: tuple[str, ...]
    family: str
    mapper: dict[str, Any]
    netlist: str
    pads: str = ""

    def elaborate(self) -> list[str]:
        """Yosys commands from source text to a flat word-level netlist, `elaborated.json`."""
        return [
            *(f'read_verilog -sv -lib "{file}"' for file in self.black_boxes),
            *(f'read_verilog -sv "{file}"' for file in self.files),
            f"hierarchy -top {self.top}",
            "proc",
            # What a module asks for its multipliers is lost when it is flattened.
            *(f'setattr -set use_dsp "{value}" A:use_dsp={value}/t:$mul' for value in _USE_DSP),
            "flatten -noscopeinfo",
            # ROMs in LUTs are logic before registers behind them are joined to memories: they may
            # then be those of a DSP slice.
            "memory_map -rom-only -attr rom_style=logic",
            # No opt_merge yet: a partial sum that two sums share is part of either one's row.
            "opt_expr",
            "opt_clean",
            "write_json elaborated.json",
        ]

    def finish(self, mapping: Sequence[str]) -> list[str]:
        """Yosys commands from `elaborated.json` to mapped cells and their count, `STATISTICS`.

        Args:
            mapping: the family's.
        """
        return [
            "design -reset",
            "read_json elaborated.json",
            "opt_clean",
            # abc9's own equivalence check does not end on large combinational modules.
            "scratchpad -set abc9.verify false",
            *mapping,
            "check",
            f"tee -q -o {STATISTICS} stat -json",
            *((f"iopadmap -bits {self.pads}",) if self.pads else ()),
            *_WRITERS[self.netlist],
        ]


def _memory_bits(netlist: Netlist, top: str) -> int:
    """Bits of the memories of an elaborated netlist that are written: not of ROMs."""
    module = netlist["modules"][top]
    written = {
        cell["parameters"]["MEMID"].removeprefix("\\")
        for cell in module["cells"].values()
        if cell["type"].startswith("$memwr")
    }
    memories = module.get("memories", {})
    return sum(memories[name]["width"] * memories[name]["size"] for name in written)


def main(path: str) -> None:
    """Run the job of a JSON file in the current directory."""
    from pyosys import libyosys

    job = Job(**json.loads(Path(path).read_text(encoding="utf-8")))
    for command in job.elaborate():
        libyosys.run_pass(command)
    elaborated = Path("elaborated.json")
    netlist = json.loads(elaborated.read_text(encoding="utf-8"))
    mapper: Mapper = import_module(f"gatewright.synth.{job.family}.mapper").MAPPER(**job.mapper)
    bits = _memory_bits(netlist, job.top)
    mapping = mapper.map(netlist, job.top)
    elaborated.write_text(json.dumps(netlist), encoding="utf-8")
    for command in job.finish(mapping):
        libyosys.run_pass(command)
    statistics = Path(STATISTICS)
    found = json.loads(statistics.read_text(encoding="utf-8"))
    statistics.write_text(json.dumps({**found, MEMORY_BITS: bits}), encoding="utf-8")


def save(job: Job, path: Path) -> None:
    """Write a job for `main`."""
    path.write_text(json.dumps(asdict(job)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
