"""Runs commands of Yosys in a process of its own, because an error in a pass ends the process.

Called as `python -m gatewright.synth.yosys_commands FILE`, with one command per line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_SCRIPT = "commands.ys"
_LOG = "yosys.log"


def run_commands(commands: Sequence[str], directory: Path, what: str, *, seconds: float) -> None:
    """Run commands in a directory, and leave the log, `yosys.log`, there.

    Args:
        commands: Yosys commands; their file names are relative to the directory.
        directory: the directory.
        what: the design or file that they work on, for messages.
        seconds: limit on the wall time, in s.

    Raises:
        DesignFailure: if a command fails; with the error.
        InputError: if Yosys is not installed.
    """
    from gatewright.errors import DesignFailure
    from gatewright.synth.yosys import yosys_version
    from gatewright.system import processes

    yosys_version()
    script, log = directory / _SCRIPT, directory / _LOG
    script.write_text("".join(f"{command}\n" for command in commands), encoding="utf-8")
    inherited = os.environ.get("PYTHONPATH")
    paths = [str(Path(__file__).resolve().parents[2]), *([inherited] if inherited else [])]
    with log.open("wb") as output:
        done = processes.run(
            [sys.executable, "-P", "-m", "gatewright.synth.yosys_commands", _SCRIPT],
            limits=processes.Limits(what=f"{what}: Yosys", seconds=seconds),
            cwd=directory,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    script.unlink()
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line.strip() for line in lines if "ERROR" in line] or ["no output"]
        raise DesignFailure(f"{what}: Yosys failed: {errors[-1][:300]}")


def main(script: str) -> None:
    """Run the commands of a file."""
    from pyosys import libyosys

    for command in Path(script).read_text(encoding="utf-8").splitlines():
        libyosys.run_pass(command)


if __name__ == "__main__":
    main(sys.argv[1])
