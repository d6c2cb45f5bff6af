"""Places and routes a project directory on a device."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from gatewright.errors import InputError
from gatewright.flow.convert import (
    changed_files,
    load_request,
    load_rtl,
    require_project,
)
from gatewright.flow.results import PlaceResults
from gatewright.flow.steps import Progress, Stamp, held, key_of, run_step, silent, workspace_for
from gatewright.flow.synthesize import synthesized_content
from gatewright.place.nextpnr import find_nextpnr
from gatewright.place.placement import Prediction, router_of
from gatewright.place.placement import place as place_project
from gatewright.targets import load_target

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.rtl.manifest import RtlProject
    from gatewright.synth.router import Router
    from gatewright.targets import Target


def place(
    directory: Path, target_name: str, *, seeds: int = 1, progress: Progress = silent
) -> Stamp[PlaceResults]:
    """Place and route the RTL of a project directory at the clock for which it was cut.

    Args:
        directory: A converted project.
        target_name: A device: a part of a target, see `load_target`.
        seeds: The number of runs, with seeds 1, 2, ...; the worst one counts.
        progress: Called with a line before each phase.

    Returns:
        The stamp of the step "place-<target>": the router's results, and the RTL files that had
        changed since the conversion (`changed`).

    Raises:
        DesignFailure: if the RTL can't be synthesized, placed or routed.
        InputError: if the directory isn't a converted project, the target isn't a device, the
            router isn't installed, or its report can't be read.
        UnsupportedError: if there is no open router for the target.
    """
    require_project(directory)
    target = load_target(target_name)
    router, version = find_router(target_name)
    mapper = target.family.mapper
    folder = directory / "place" / target.name
    numbers = tuple(range(1, seeds + 1))

    def action(project: RtlProject) -> PlaceResults:
        with workspace_for(folder) as workspace:
            found = place_project(
                project,
                target,
                workspace,
                seeds=numbers,
                predicted=prediction(directory, project, target),
                progress=progress,
            )
            return PlaceResults(
                routed=found.routed,
                tool=found.tool,
                version=found.version,
                details=found.details,
                changed=tuple(changed_files(directory, ["rtl"])),
            )

    with held(directory, progress):
        project = load_rtl(directory)
        subject = synthesized_content(project)
        return run_step(
            directory,
            f"place-{target.name}",
            key_of(subject, asdict(router), version, mapper.room.name, asdict(mapper), seeds),
            lambda: action(project),
            subject=subject,
            made=lambda: (path for path in sorted(folder.rglob("*")) if path.is_file()),
        )


def find_router(target_name: str) -> tuple[Router, str]:
    """The router for a device, and its installed version.

    Raises:
        InputError: if the target isn't a device, or the router isn't installed.
        UnsupportedError: if there is no open router for the target.
    """
    router = router_of(load_target(target_name))
    return router, find_nextpnr(router.program, router.oldest).version


def prediction(directory: Path, project: RtlProject, target: Target) -> Prediction | None:
    """The prediction of a target's delay model for a project.

    None if the project was cut for another family, or if the family's file has changed since.
    """
    options = load_request(directory).options
    try:
        cut_for = load_target(options.target)
    except InputError:
        return None
    if cut_for.family != target.family or project.predicted_ns is None:
        return None
    return Prediction(project.predicted_ns, options.derate)
