"""Proves netlists equal to their RTL by Yosys' SAT solver: `python prove.py JOB.json`.

A process of its own, as a failed proof ends it. The primitives' models are Yosys' own.
"""

import json
import sys
from pathlib import Path

from pyosys import libyosys

from gatewright.synth.carry_chains import map_sums
from gatewright.synth.xilinx.adders import CARRY, map_adders

run = libyosys.run_pass


def adders(source: str, modules: list[str], chains: bool = False) -> None:
    """Map the adders of combinational modules; print how many are mapped, prove each module.

    Args:
        source: SystemVerilog.
        modules: the modules in it.
        chains: map onto carry chains of two operands instead of AMD's of three.
    """
    run(f"read_verilog -sv {source}")
    run("proc; opt_expr; opt_clean; write_json rtl.json")
    netlist = json.loads(Path("rtl.json").read_text())
    of_two = (map_sums(netlist, module) for module in modules)
    mapped = sum(of_two) if chains else map_adders(netlist)
    Path("mapped.json").write_text(json.dumps(netlist))
    for module in modules:
        run(f"rename {module} rtl_{module}")
    run("read_json mapped.json; opt_clean")
    if not chains:
        run(f"chtype -set CARRY4 t:{CARRY}; delete ={CARRY}")
    run("read_verilog +/xilinx/cells_sim.v; hierarchy; proc")
    for module in modules:
        run(f"miter -equiv -flatten -make_assert rtl_{module} {module} miter_{module}")
        run(f"flatten miter_{module}; sat -verify -prove-asserts miter_{module}")
    print(f"PROVED {len(modules)} MAPPED {mapped}")


def netlist(source: str, top: str, netlist: str, steps: int) -> None:
    """Prove a mapped netlist equal to its RTL over all inputs of the first `steps` clock cycles."""
    run(f"read_verilog -sv {source}")
    run(f"hierarchy -top {top}; proc; flatten; memory_map; design -stash rtl")
    run(f"read_verilog +/xilinx/cells_sim.v; read_verilog {netlist}")
    run(f"hierarchy -top {top}; proc; flatten; design -stash netlist")
    for name in ("rtl", "netlist"):
        run(f"design -copy-from {name} -as {name} {top}")
    run("miter -equiv -flatten -make_assert rtl netlist miter; hierarchy -top miter")
    run("opt_clean; dffunmap; async2sync; opt_clean")
    run(f"sat -verify -prove-asserts -set-init-zero -seq {steps} miter")
    print("PROVED")


if __name__ == "__main__":
    job = json.loads(Path(sys.argv[1]).read_text())
    globals()[job.pop("kind")](**job)
