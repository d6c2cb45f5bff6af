"""Projects for vendor tools, written beside the RTL of a project directory."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gatewright.errors import InputError
from gatewright.flow.convert import load_rtl, require_project
from gatewright.flow.steps import Progress, held, silent
from gatewright.system.files import remove, replaced_directory, write_text
from gatewright.targets import load_target
from gatewright.vendor.projects.devices import DEFAULT_PARTS, PROJECT_TOOLS, check_part
from gatewright.vendor.projects.files import VendorProject, core_file, project_files, shared_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gatewright.rtl.manifest import RtlProject
    from gatewright.vendor.projects.boards import Board
    from gatewright.vendor.projects.devices import ProjectTool

#: Where the projects are in a project directory.
VENDOR = "vendor"


def write_vendor_projects(
    directory: Path,
    tools: Sequence[ProjectTool] = PROJECT_TOOLS,
    *,
    part: str | None = None,
    board: Board | None = None,
    progress: Progress = silent,
) -> dict[ProjectTool, VendorProject]:
    """Write projects for vendor tools, `vendor/<tool>/`, and a FuseSoC core beside `rtl/`.

    A project of an earlier time goes, with the reports in it; those of other tools stay.

    Args:
        directory: a converted project.
        tools: for which.
        part: the device; by default the board's, the one of the target's family, or a large one.
        board: to give the wrapper its pins and its clock; of the only one of `tools`.
        progress: is told what is being done.

    Returns:
        The projects by tool.

    Raises:
        InputError: if the directory is no project, or the device or board does not suit the tools.
    """
    require_project(directory)
    if (part is not None or board is not None) and len(tools) != 1:
        raise InputError("--part and --board are of one tool; add --tool")
    with held(directory, progress):
        if (directory / VENDOR).is_symlink():  # nothing is written elsewhere
            remove(directory / VENDOR)
        rtl = load_rtl(directory)
        projects = {tool: _project(rtl, tool, part, board) for tool in tools}
        for tool, project in projects.items():
            if tool == "vitis_hls":
                _require_hls(directory, rtl)
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
    """The device of the target's family, if it is the tool's vendor's and is still known."""
    with suppress(InputError):
        known = load_target(rtl.target).family.hls_part
        if known is not None and tool in ("vivado", "vitis_hls"):
            return known
    return DEFAULT_PARTS[tool]


def _require_hls(directory: Path, rtl: RtlProject) -> None:
    source = directory / "hls" / "firmware" / f"{rtl.top}.cpp"
    if not source.is_file():
        raise InputError(f"{source}: there is no such file; run 'gatewright convert' again")
