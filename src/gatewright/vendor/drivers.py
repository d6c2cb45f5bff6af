"""Drivers of vendor tools: run a project's script under limits, and read its reports.

A tool's exit status is not trusted, because some exit with 0 after a failure. A run is successful
only if the script wrote its mark at the end, the log has no error, and every report can be read.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.errors import DesignFailure, InputError
from gatewright.system import processes
from gatewright.vendor.readers.reading import read_reports

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.results.imported import Imported, Stage
    from gatewright.vendor.projects.devices import ProjectTool

#: Default limit on the wall time of a run, in s; large devices take hours.
SECONDS = 8 * 3600

#: Name of the file with the tool's output, in the directory of its project.
LOG = "run.log"

#: Size of the largest file that a tool may write, in bytes.
_FILE = 64 << 30

#: Number of bytes at the end of a log that are searched for errors.
_TAIL = 4 << 20

#: Lines with errors, of AMD's, Lattice's and Intel's tools.
_ERROR = re.compile(r"^\s*(ERROR:|ERROR \[|ERROR( <\d+>)? - |Error( \(\d+\))?:).*", re.MULTILINE)


@dataclass(frozen=True)
class Driver:
    """How a tool is run.

    Attributes:
        tool: the tool.
        commands: alternative programs with their arguments, of which the first on PATH is used;
            {until} is the last step.
        reports: names of the reports of each step, in the order of steps; {top} is the design.
    """

    tool: ProjectTool
    commands: tuple[tuple[str, ...], ...]
    reports: dict[Stage, tuple[str, ...]]

    @property
    def command(self) -> tuple[str, ...] | None:
        """The first program on PATH, with its arguments; None if there is none."""
        return next((one for one in self.commands if shutil.which(one[0])), None)


_AMD_REPORTS = ("utilization", "timing_summary", "power")

DRIVERS: dict[ProjectTool, Driver] = {
    driver.tool: driver
    for driver in (
        Driver(
            "quartus",
            (("quartus_sh", "-t", "out_of_context.tcl"),),
            {"routed": ("{top}.fit.rpt", "{top}.sta.rpt")},
        ),
        Driver(
            "radiant",
            (("radiantc", "out_of_context.tcl"),),
            {"routed": ("{top}.mrp", "{top}.twr")},
        ),
        Driver(
            "vitis_hls",
            (
                ("vitis_hls", "-f", "csynth.tcl"),
                ("vitis-run", "--mode", "hls", "--tcl", "csynth.tcl"),
            ),
            {"estimated": ("{top}_csynth.rpt",)},
        ),
        Driver(
            "vivado",
            (
                (
                    *("vivado", "-mode", "batch", "-nojournal", "-nolog"),
                    *("-source", "out_of_context.tcl", "-tclargs", "{until}"),
                ),
            ),
            {
                stage: tuple(f"{stage}_{kind}.rpt" for kind in _AMD_REPORTS)
                for stage in ("synthesized", "placed", "routed")
            },
        ),
    )
}
"""The tools that can be run."""


def find_driver(tool: ProjectTool) -> Driver:
    """The driver of a tool.

    Raises:
        InputError: if the tool is not on PATH.
    """
    driver = DRIVERS[tool]
    if driver.command is None:
        names = " or ".join(command[0] for command in driver.commands)
        raise InputError(f"--run: {names} is not on PATH; source the settings of {tool} first")
    return driver


def available() -> list[ProjectTool]:
    """The tools whose programs are on PATH."""
    return [tool for tool, driver in DRIVERS.items() if driver.command is not None]


def last_step(driver: Driver, until: Stage | None) -> Stage:
    """The last step of a run: the requested one, or the tool's last one.

    Raises:
        InputError: if the tool's script has no such step.
    """
    stages = list(driver.reports)
    if until is None:
        return stages[-1]
    if until not in stages:
        raise InputError(f"--until {until}: {driver.tool} has {', '.join(stages)}")
    return until


def run(
    driver: Driver, folder: Path, top: str, until: Stage, seconds: float = SECONDS
) -> dict[str, Imported]:
    """Run a tool on its newly written project, and read the reports.

    Args:
        driver: the driver of the tool.
        folder: the directory of the project.
        top: name of the design.
        until: the last step.
        seconds: limit on the wall time, in s.

    Returns:
        The figures of the reports, by tool and step.

    Raises:
        DesignFailure: if the tool failed, whatever its exit status; with its first error and the
            path of its log.
        InputError: if it is not on PATH, or a report can't be read.
        TimeLimitError: if it exceeds its time limit.
    """
    command = find_driver(driver.tool).command or ()
    status = _run(driver.tool, [word.format(until=until) for word in command], folder, seconds)
    _check(driver.tool, folder, status, until)
    found: dict[str, Imported] = {}
    for stage, names in driver.reports.items():
        files = [folder / "reports" / name.format(top=top) for name in names]
        for file in files:
            if not file.is_file():
                raise DesignFailure(
                    f"{driver.tool}: finished without writing {file.name}; see {folder / LOG}"
                )
        found |= read_reports(files, None if stage == "estimated" else stage)
        if stage == until:
            break
    return found


def _run(tool: str, command: list[str], folder: Path, seconds: float) -> int:
    """Run a command in a directory, with its output in the log, and return its exit status."""
    limits = processes.Limits(
        what=tool,
        seconds=seconds,
        # They reserve more address space than the memory they use.
        memory=4 * processes.most_memory(),
        file=_FILE,
        network=True,  # for license servers
    )
    with (folder / LOG).open("w", encoding="utf-8") as log:
        done = processes.run(
            command, limits=limits, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    return done.returncode


def _check(tool: str, folder: Path, status: int, until: Stage) -> None:
    """Check that a run finished.

    Raises:
        DesignFailure: if it did not; with the first error in its log.
    """
    log, mark = folder / LOG, folder / "reports" / "finished"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        said = file.read(_TAIL).decode("utf-8", "replace")
    if (error := _ERROR.search(said)) is not None:
        problem = f"failed: {error.group().strip()}"
    elif status:
        problem = f"ended with status {status}: {processes.complaint(said)}"
    elif not mark.is_file() or mark.read_text(encoding="utf-8", errors="replace").strip() != until:
        problem = f"ended without an error, but before its script was {until}"
    else:
        return
    raise DesignFailure(f"{tool}: {problem}; see {log}")
