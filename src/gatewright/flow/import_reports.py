"""Reports of vendor tools, attached to the project directory that they are about."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from gatewright.errors import InputError
from gatewright.flow.convert import load_rtl, require_project
from gatewright.flow.steps import Progress, Stamp, held, key_of, run_step, silent
from gatewright.flow.synthesize import synthesized_content
from gatewright.vendor.readers.reading import read_reports

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gatewright.results.imported import Imported, Stage
    from gatewright.rtl.manifest import RtlProject


def attach_reports(
    directory: Path,
    files: Iterable[Path],
    *,
    stage: Stage | None = None,
    design: str | None = None,
    progress: Progress = silent,
) -> list[Stamp[Imported]]:
    """Attach reports of vendor tools to a project directory.

    What an earlier import knew of a tool and step goes: figures of two runs are never mixed.

    Args:
        directory: a converted project.
        files: the reports.
        stage: after which step timing summaries were written that don't say so.
        design: what the reports call the design, where that is not the name of its top.
        progress: is told what is being done.

    Returns:
        A stamp of a step "vendor-<tool>-<stage>" for each tool and step.

    Raises:
        InputError: if the directory is no project, a report can't be read, or is about another
            design.
    """
    require_project(directory)
    found = read_reports(files, stage)
    with held(directory, progress):
        return attach(directory, load_rtl(directory), found, design=design)


def attach(
    directory: Path, rtl: RtlProject, found: Mapping[str, Imported], *, design: str | None = None
) -> list[Stamp[Imported]]:
    """Attach what reports say to a project directory that is held.

    Args:
        directory: the project directory.
        rtl: its RTL.
        found: by tool and step.
        design: what the reports call the design, where that is not the name of its top.

    Raises:
        InputError: if a report is about another design.
    """
    for one in found.values():
        if one.design not in (None, design or rtl.top):
            files = ", ".join(each.name for each in one.reports)
            raise InputError(
                f"{files}: about the design '{one.design}', not '{rtl.top}' of {directory}; if it "
                f"is the same, give --design {one.design}"
            )
    subject = synthesized_content(rtl)
    return [
        run_step(
            directory,
            f"vendor-{key}",
            key_of(subject, one.model_dump(mode="json")),
            functools.partial(_itself, one),
            subject=subject,
        )
        for key, one in found.items()
    ]


def _itself(imported: Imported) -> Imported:
    return imported
