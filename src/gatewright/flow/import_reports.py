"""Attaches reports of vendor tools to the project directory that they describe."""

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

    An import replaces earlier figures of the same tool and stage: figures of two runs are never
    mixed.

    Args:
        directory: A converted project.
        files: The reports.
        stage: The stage of timing summaries that don't name theirs.
        design: The design's name in the reports, if it isn't the name of the top module.
        progress: Called with a line if it has to wait.

    Returns:
        A stamp of a step "vendor-<tool>-<stage>" for each tool and stage.

    Raises:
        InputError: if the directory isn't a converted project, or a report can't be read or
            describes another design.
    """
    require_project(directory)
    found = read_reports(files, stage)
    with held(directory, progress):
        return attach(directory, load_rtl(directory), found, design=design)


def attach(
    directory: Path, rtl: RtlProject, found: Mapping[str, Imported], *, design: str | None = None
) -> list[Stamp[Imported]]:
    """Attach the contents of reports to a project directory that is held.

    Args:
        directory: The project directory.
        rtl: Its RTL project.
        found: The contents by "tool-stage".
        design: The design's name in the reports, if it isn't the name of the top module.

    Returns:
        A stamp for each tool and stage.

    Raises:
        InputError: if a report describes another design.
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
