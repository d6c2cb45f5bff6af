"""Runs Yosys over one module, in a process of its own: an error in a pass ends the process.

Called as `python -m gatewright.synth.worker JOB.json`; the Yosys log goes to standard output.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from gatewright.synth.adders import CARRY, map_adders

# The multiplier of a family's DSP slice: Yosys' map of it, and the operand widths.
_MULTIPLIERS = {"xc7": ("xc7_dsp_map.v", 25, 18), "xcup": ("xcu_dsp_map.v", 27, 18)}

# Values of the attribute use_dsp, as vendor tools have it.
_ASKED = ("yes", "no")


@dataclass(frozen=True)
class Job:
    """One run of Yosys.

    Attributes:
        top: module to synthesize; everything below it is flattened.
        files: SystemVerilog files, read in this order.
        black_boxes: files of which only the ports matter: what they define is not synthesized.
        family: `synth_xilinx -family`.
        map_adders: whether sums of one source line are mapped by `gatewright.synth.adders`.
        netlist: whether the mapped netlist is written as Verilog, to `netlist.v`.
    """

    top: str
    files: tuple[str, ...]
    black_boxes: tuple[str, ...]
    family: str
    map_adders: bool
    netlist: bool

    def elaborate(self) -> list[str]:
        """Yosys commands from source text to a flat word-level netlist, `elaborated.json`."""
        return [
            *(f'read_verilog -sv -lib "{file}"' for file in self.black_boxes),
            *(f'read_verilog -sv "{file}"' for file in self.files),
            f"hierarchy -top {self.top}",
            "proc",
            # What a module asks for its multipliers is lost when it is flattened.
            *(f'setattr -set use_dsp "{asked}" A:use_dsp={asked}/t:$mul' for asked in _ASKED),
            "flatten -noscopeinfo",
            # ROMs in LUTs are logic before registers behind them are joined to memories: they may
            # then be those of a DSP slice.
            "memory_map -rom-only -attr rom_style=logic",
            # No opt_merge yet: a partial sum that two sums share is part of either one's row.
            "opt_expr",
            "opt_clean",
            "write_json elaborated.json",
        ]

    def map(self, blocks: bool) -> list[str]:
        """Yosys commands from `elaborated.json` to mapped cells and their count, `cells.json`.

        Args:
            blocks: whether there may be memories, multipliers or primitives to map. Without, what
                Yosys reads to map them is left out: most of the time that a small module takes.
        """
        synth = f"synth_xilinx -top {self.top} -family {self.family} -noiopad -noclkbuf -flatten"
        return [
            "design -reset",
            "read_json elaborated.json",
            "opt_clean",
            # abc9's own equivalence check does not end on large combinational modules.
            "scratchpad -set abc9.verify false",
            *(self._map_blocks(synth) if blocks else self._map_none(synth)),
            f"{synth} -run map_ffram:check",
            f"chtype -set CARRY4 t:{CARRY}",
            f"delete ={CARRY}",
            "check",
            "tee -q -o cells.json stat -json",
            *(["write_verilog -noattr netlist.v"] if self.netlist else []),
        ]

    def _map_blocks(self, synth: str) -> list[str]:
        commands = [
            f"{synth} -run begin:map_dsp",
            "chtype -set $__soft_mul t:$mul a:use_dsp=no %i",
            *self._map_narrow_products(),
            f"{synth} -run map_dsp:coarse",
        ]
        if self.family == "xcup":
            # Yosys packs registers into the DSP48E1 only; the DSP48E2's are the same.
            commands += [
                "chtype -set DSP48E1 t:DSP48E2",
                "xilinx_dsp -family xc7",
                "chtype -set DSP48E2 t:DSP48E1",
            ]
        return [*commands, f"{synth} -run coarse:map_ffram"]

    def _map_narrow_products(self) -> list[str]:
        """Products asked for in DSP slices, which `synth_xilinx` would find too small."""
        if self.family not in _MULTIPLIERS:
            return []
        file, a, b = _MULTIPLIERS[self.family]
        return [
            f"techmap -map +/mul2dsp.v -map +/xilinx/{file} -D DSP_NAME=$__MUL{a}X{b}"
            f" -D DSP_A_MAXWIDTH={a} -D DSP_B_MAXWIDTH={b} -D DSP_A_MAXWIDTH_PARTIAL=18"
            " -D DSP_A_MINWIDTH=2 -D DSP_B_MINWIDTH=2 -D DSP_Y_MINWIDTH=2 -D DSP_SIGNEDONLY=1"
            " t:$mul a:use_dsp=yes %i"
        ]

    def _map_none(self, synth: str) -> list[str]:
        return [
            "read_verilog -lib -specify +/xilinx/cells_sim.v",
            f"hierarchy -check -top {self.top}",
            f"{synth} -run prepare:map_dsp",
            f"{synth} -run coarse:map_memory",
        ]


def main(path: str) -> None:
    """Run the job of a JSON file in the current directory."""
    from pyosys import libyosys

    job = Job(**json.loads(Path(path).read_text(encoding="utf-8")))
    for command in job.elaborate():
        libyosys.run_pass(command)
    elaborated = Path("elaborated.json")
    netlist = json.loads(elaborated.read_text(encoding="utf-8"))
    blocks = any(_is_block(cell["type"]) for cell in netlist["modules"][job.top]["cells"].values())
    if job.map_adders:
        print(f"Mapped {map_adders(netlist)} sums onto carry chains.", flush=True)
        elaborated.write_text(json.dumps(netlist), encoding="utf-8")
    for command in job.map(blocks):
        libyosys.run_pass(command)


def _is_block(kind: str) -> bool:
    """Whether a cell of an elaborated netlist may become, or is, more than LUTs and flip-flops."""
    return not kind.startswith("$") or kind == "$mul" or kind.startswith("$mem")


def save(job: Job, path: Path) -> None:
    """Write a job for `main`."""
    path.write_text(json.dumps(asdict(job)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
