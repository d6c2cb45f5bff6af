"""Synthesis of a project directory for a target."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from gatewright import synth
from gatewright.flow.convert import changed_files, load_rtl, require_project
from gatewright.flow.results import SynthResults
from gatewright.flow.steps import (
    Progress,
    Stamp,
    hash_files,
    held,
    key_of,
    run_step,
    silent,
    workspace_for,
)
from gatewright.rtl.manifest import MANIFEST
from gatewright.targets import load_target

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.rtl.manifest import RtlProject


def synthesize(
    directory: Path, target_name: str, *, jobs: int = 2, progress: Progress = silent
) -> Stamp[SynthResults]:
    """Synthesize the RTL of a project directory.

    Args:
        directory: a converted project.
        target_name: a target of hls/targets, or a YAML file.
        jobs: modules synthesized at a time.
        progress: is told what is being done.

    Returns:
        The stamp of the step "synth-<target>": resources of the design and of each module, and
        what of the RTL was not as it had been made (`changed`).

    Raises:
        DesignFailure: if the RTL does not synthesize.
        InputError: if the directory is none, or the target does not exist.
    """
    require_project(directory)
    target = load_target(target_name)
    mapper = target.family.mapper
    folder = directory / "synth" / target.name

    def action(project: RtlProject) -> SynthResults:
        with workspace_for(folder) as workspace:
            found = synth.synthesize(project, target, workspace, jobs=jobs, progress=progress)
            return SynthResults(
                total=found.total,
                modules=found.modules,
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
            f"synth-{target.name}",
            key_of(subject, mapper.room.name, asdict(mapper)),
            lambda: action(project),
            subject=subject,
            made=lambda: (path for path in sorted(folder.rglob("*")) if path.is_file()),
        )


def synthesized_content(project: RtlProject) -> str:
    """Hash of the RTL that a synthesis is about."""
    return hash_files([project.directory / file for file in (*project.files, MANIFEST)])
