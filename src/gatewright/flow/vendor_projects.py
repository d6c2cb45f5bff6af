"""Writes projects for vendor tools into a project directory, and runs these tools."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gatewright.errors import InputError
from gatewright.flow.convert import load_rtl, require_project
from gatewright.flow.import_reports import attach
from gatewright.flow.steps import Progress, held, silent
from gatewright.system.files import remove, replaced_directory, write_text
from gatewright.targets import load_target
from gatewright.vendor.drivers import LOG, SECONDS, find_driver, last_step, run
from gatewright.vendor.projects.devices import DEFAULT_PARTS, PROJECT_TOOLS, check_part
from gatewright.vendor.projects.files import VendorProject, core_file, project_files, shared_files
from gatewright.wall import systemverilog
from gatewright.wall.cpp import checked_sources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gatewright.flow.steps import Stamp
    from gatewright.results.imported import Imported, Stage
    from gatewright.rtl.manifest import RtlProject
    from gatewright.vendor.projects.boards import Board
    from gatewright.vendor.projects.devices import ProjectTool

#: Folder of the vendor projects in a project directory.
VENDOR = "vendor"


def write_vendor_projects(
    directory: Path,
    tools: Sequence[ProjectTool] = PROJECT_TOOLS,
    *,
    part: str | None = None,
    board: Board | None = None,
    progress: Progress = silent,
) -> dict[ProjectTool, VendorProject]:
    """Write projects for vendor tools to `vendor/<tool>/`, and a FuseSoC core beside `rtl/`.

    An earlier project of the same tool is replaced, including its reports. Projects of other tools
    stay.

    Args:
        directory: A converted project.
        tools: The tools.
        part: The device; by default the board's, that of the target's family, or a large one.
        board: A board that gives the wrapper its pins and its clock; only with a single tool.
        progress: Called with a line if it has to wait.

    Returns:
        The projects by tool.

    Raises:
        InputError: if the directory isn't a converted project, or the device or the board doesn't
            suit the tools.
    """
    require_project(directory)
    _check_choices(tools, part, board)
    with held(directory, progress):
        return _write(directory, load_rtl(directory), tools, part, board)


def run_vendor_tools(
    directory: Path,
    tools: Sequence[ProjectTool],
    *,
    part: str | None = None,
    until: Stage | None = None,
    seconds: float = SECONDS,
    progress: Progress = silent,
) -> list[Stamp[Imported]]:
    """Write projects for vendor tools, run the tools out of context, and attach their reports.

    Args:
        directory: A converted project.
        tools: The tools; each must be on PATH.
        part: The device; only with a single tool.
        until: The last stage; by default routing, or C synthesis for Vitis HLS.
        seconds: Limit of wall time for each tool, in seconds.
        progress: Called with a line before each phase.

    Returns:
        A stamp of a step "vendor-<tool>-<stage>" for each tool and stage.

    Raises:
        DesignFailure: if a tool fails.
        InputError: as `write_vendor_projects`; or if a tool isn't on PATH, exceeds its time, or
            wrote a report that can't be read.
    """
    require_project(directory)
    _check_choices(tools, part, None)
    runs = [(driver, last_step(driver, until)) for driver in map(find_driver, tools)]
    stamps = []
    with held(directory, progress):
        rtl = load_rtl(directory)
        systemverilog.check(rtl)
        for driver, step in runs:
            _write(directory, rtl, [driver.tool], part, None)
            folder = directory / VENDOR / driver.tool
            progress(f"running {driver.tool}; its log is {folder / LOG}")
            stamps += attach(directory, rtl, run(driver, folder, rtl.top, step, seconds))
    return stamps


def _check_choices(tools: Sequence[ProjectTool], part: str | None, board: Board | None) -> None:
    if (part is not None or board is not None) and len(tools) != 1:
        raise InputError("--part and --board apply to one tool; add --tool")


def _write(
    directory: Path,
    rtl: RtlProject,
    tools: Sequence[ProjectTool],
    part: str | None,
    board: Board | None,
) -> dict[ProjectTool, VendorProject]:
    """Write projects into a project directory that is held."""
    if (directory / VENDOR).is_symlink():  # never write outside the project
        remove(directory / VENDOR)
    projects = {tool: _project(rtl, tool, part, board) for tool in tools}
    if "vitis_hls" in tools:
        checked_sources(directory / "hls", rtl.top)
    for tool, project in projects.items():
        with replaced_directory(directory / VENDOR / tool) as folder:
            for name, text in project_files(project).items():
                write_text(folder / name, text)
    for name, text in shared_files(rtl).items():
        write_text(directory / VENDOR / name, text)
    defaults = (_default_part(rtl, "vivado"), _default_part(rtl, "quartus"))
    write_text(directory / f"{rtl.top}.core", core_file(rtl, *defaults))
    return projects


def _project(
    rtl: RtlProject, tool: ProjectTool, part: str | None, board: Board | None
) -> VendorProject:
    if board is not None and board.tool != tool:
        raise InputError(f"{board.description} is built with {board.tool}, not with {tool}")
    if board is not None and part not in (None, board.part):
        raise InputError(f"--part {part}: the {board.description} has {board.part}")
    if board is not None and rtl.clock_ns > board.clock_ns:
        raise InputError(
            f"the {board.description} has a clock of {board.clock_ns:g} ns, but the pipeline is "
            f"cut for {rtl.clock_ns:g}; convert with --clock {board.clock_ns:g}"
        )
    chosen = part or (board.part if board else _default_part(rtl, tool))
    check_part(tool, chosen)
    return VendorProject(rtl, tool, chosen, board)


def _default_part(rtl: RtlProject, tool: ProjectTool) -> str:
    """The device of the target's family if the tool supports it, else the tool's default."""
    with suppress(InputError):
        known = load_target(rtl.target).family.hls_part
        if known is not None and tool in ("vivado", "vitis_hls"):
            return known
    return DEFAULT_PARTS[tool]
