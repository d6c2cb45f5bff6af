"""Drivers of vendor tools: they run a project's script under limits and read its reports.

A tool's status is not believed: some end with 0 after they failed. A run counts only if the script
left its mark at its end, the log has no error, and every report is there and can be read.
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

#: Wall time of a run unless the user says otherwise; large devices take hours.
SECONDS = 8 * 3600

#: What the tool says, in the folder of its project.
LOG = "run.log"

#: Bytes of the largest file that a tool may write.
_FILE = 64 << 30

#: Bytes of a log that are searched for errors, at its end.
_TAIL = 4 << 20

#: How tools begin the lines of errors: AMD's, Intel's.
_ERROR = re.compile(r"^\s*(ERROR:|ERROR \[|Error( \(\d+\))?:).*", re.MULTILINE)


@dataclass(frozen=True)
class Driver:
    """How a tool is run.

    Attributes:
        tool: which.
        commands: programs with their arguments, the first of them that is on PATH; {until} stands
            for the last step.
        reports: names of the reports that each step leaves, {top} standing for the design; steps in
            their order.
    """

    tool: ProjectTool
    commands: tuple[tuple[str, ...], ...]
    reports: dict[Stage, tuple[str, ...]]

    @property
    def command(self) -> tuple[str, ...] | None:
        """The program that is on PATH, with its arguments; None if there is none."""
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
"""The tools that can be run; of others no reports are read."""


def find_driver(tool: ProjectTool) -> Driver:
    """The driver of a tool whose program is on PATH.

    Raises:
        InputError: if the tool can't be run from here, or is not on PATH.
    """
    if tool not in DRIVERS:
        raise InputError(f"--run: no reports of {tool} are read; run its board.tcl yourself")
    driver = DRIVERS[tool]
    if driver.command is None:
        names = " or ".join(command[0] for command in driver.commands)
        raise InputError(f"--run: {names} is not on PATH; source the settings of {tool} first")
    return driver


def available() -> list[ProjectTool]:
    """The tools whose programs are on PATH."""
    return [tool for tool, driver in DRIVERS.items() if driver.command is not None]


def last_step(driver: Driver, until: Stage | None) -> Stage:
    """The last step of a run: the one asked for, or all.

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
    """Run a tool on its project, which was just written, and read the reports.

    Args:
        driver: the tool's.
        folder: the project.
        top: name of the design.
        until: the last step.
        seconds: wall time that it may take.

    Returns:
        What the reports say, by tool and step.

    Raises:
        DesignFailure: if the tool failed, whatever its status: with its first error and its log.
        InputError: if it is not on PATH, or a report can't be read.
        TimeLimitError: if it takes longer.
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
                    f"{driver.tool}: says that it ended, but left no {file.name}; see "
                    f"{folder / LOG}"
                )
        found |= read_reports(files, None if stage == "estimated" else stage)
        if stage == until:
            break
    return found


def _run(tool: str, command: list[str], folder: Path, seconds: float) -> int:
    """Run a command in a folder, what it says into the log; gives its status."""
    limits = processes.Limits(
        what=tool,
        seconds=seconds,
        # They reserve more addresses than they use memory.
        memory=4 * processes.most_memory(),
        file=_FILE,
        network=True,  # for the server of their licenses
    )
    with (folder / LOG).open("w", encoding="utf-8") as log:
        done = processes.run(
            command, limits=limits, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    return done.returncode


def _check(tool: str, folder: Path, status: int, until: Stage) -> None:
    """Check that a run came to its end.

    Raises:
        DesignFailure: if not: with the first error in its log.
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
