"""Runs Yosys on one module in a process of its own, because an error in a pass ends the process.

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

#: Files that a job writes: cell counts, the mapped netlist.
STATISTICS = "cells.json"
NETLIST = "netlist.v"
#: Added to the output of Yosys' `stat`: bits of writable memories, before they are mapped.
MEMORY_BITS = "memory_bits"

# Values of the attribute use_dsp, as in vendor tools.
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
        top: module to synthesize, with everything below it flattened.
        files: SystemVerilog files, read in this order.
        black_boxes: files whose modules are black boxes: only their ports are read.
        family: name of the family.
        mapper: fields of its `Mapper`.
        netlist: file that the mapped netlist is written to, `netlist.v` as Verilog or
            `netlist.json` as Yosys' JSON; "" for none.
        pads: I/O buffers for ports in the written netlist, as arguments of `iopadmap`; they are
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
        """Yosys commands from sources to a flat word-level netlist, `elaborated.json`."""
        return [
            *(f'read_verilog -sv -lib "{file}"' for file in self.black_boxes),
            *(f'read_verilog -sv "{file}"' for file in self.files),
            f"hierarchy -top {self.top}",
            "proc",
            # Flattening loses the attribute of modules, so copy it to their multipliers.
            *(f'setattr -set use_dsp "{value}" A:use_dsp={value}/t:$mul' for value in _USE_DSP),
            "flatten -noscopeinfo",
            # Turn ROMs in LUTs into logic before registers behind them are merged into memories,
            # so that a DSP slice can take these registers.
            "memory_map -rom-only -attr rom_style=logic",
            # No opt_merge yet: a partial sum shared by two sums is part of both their rows.
            "opt_expr",
            "opt_clean",
            "write_json elaborated.json",
        ]

    def map(self, mapping: Sequence[str]) -> list[str]:
        """Yosys commands from `elaborated.json` to mapped cells.

        Args:
            mapping: Yosys commands of the family's mapper.
        """
        return [
            "design -reset",
            "read_json elaborated.json",
            "opt_clean",
            # abc9's own equivalence check does not terminate on large combinational modules.
            "scratchpad -set abc9.verify false",
            *mapping,
        ]

    def finish(self) -> list[str]:
        """Yosys commands that count mapped cells, for `STATISTICS`, and write the netlist."""
        return [
            "check",
            f"tee -q -o {STATISTICS} stat -json",
            *((f"iopadmap -bits {self.pads}",) if self.pads else ()),
            *_WRITERS[self.netlist],
        ]


def _memory_bits(netlist: Netlist, top: str) -> int:
    """Bits of the writable memories of an elaborated netlist, without ROMs."""
    module = netlist["modules"][top]
    written = {
        cell["parameters"]["MEMID"].removeprefix("\\")
        for cell in module["cells"].values()
        if cell["type"].startswith("$memwr")
    }
    memories = module.get("memories", {})
    return sum(memories[name]["width"] * memories[name]["size"] for name in written)


def _run(commands: Sequence[str]) -> None:
    from pyosys import libyosys

    for command in commands:
        libyosys.run_pass(command)


def main(path: str) -> None:
    """Run the job in a JSON file, in the current directory."""
    job = Job(**json.loads(Path(path).read_text(encoding="utf-8")))
    _run(job.elaborate())
    elaborated = Path("elaborated.json")
    netlist = json.loads(elaborated.read_text(encoding="utf-8"))
    mapper: Mapper = import_module(f"gatewright.synth.{job.family}.mapper").MAPPER(**job.mapper)
    bits = _memory_bits(netlist, job.top)
    mapping = mapper.map(netlist, job.top)
    cells = netlist["modules"][job.top]["cells"].values()
    elaborated.write_text(json.dumps(netlist), encoding="utf-8")
    _run(job.map(mapping))
    if mapper.packer is not None and any(cell["type"] == "$mul" for cell in cells):
        _run(["write_json mapped.json"])
        mapped = json.loads(Path("mapped.json").read_text(encoding="utf-8"))
        mapper.packer(mapped, job.top)
        Path("mapped.json").write_text(json.dumps(mapped), encoding="utf-8")
        _run(["design -reset", "read_json mapped.json", "opt_clean"])
    _run(job.finish())
    statistics = Path(STATISTICS)
    found = json.loads(statistics.read_text(encoding="utf-8"))
    statistics.write_text(json.dumps({**found, MEMORY_BITS: bits}), encoding="utf-8")


def save(job: Job, path: Path) -> None:
    """Write a job as JSON, for `main`."""
    path.write_text(json.dumps(asdict(job)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
