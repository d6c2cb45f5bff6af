"""Synthesizes a project directory for a target."""

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
        directory: A converted project.
        target_name: The name of a target in hls/targets, or a YAML file.
        jobs: Number of modules synthesized in parallel.
        progress: Called with a line before each phase.

    Returns:
        The stamp of the step "synth-<target>": resources of the design and of each module, and the
        RTL files that had changed since the conversion (`changed`).

    Raises:
        DesignFailure: if the RTL can't be synthesized.
        InputError: if the directory isn't a converted project, or the target doesn't exist.
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
    """A hash of the RTL files and the manifest, on which a synthesis depends."""
    return hash_files([project.directory / file for file in (*project.files, MANIFEST)])
