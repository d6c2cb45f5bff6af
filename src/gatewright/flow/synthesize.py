"""Synthesis of a project directory for a target."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from gatewright import synth
from gatewright.files import replaced_directory
from gatewright.flow.convert import load_rtl
from gatewright.flow.steps import Stamp, hash_files, key_of, run_step
from gatewright.targets import load_target

if TYPE_CHECKING:
    from pathlib import Path


def synthesize(directory: Path, target_name: str, *, jobs: int = 2) -> Stamp:
    """Synthesize the RTL of a project directory.

    Args:
        directory: a converted project.
        target_name: a target of hls/targets, or a YAML file.
        jobs: modules synthesized at a time.

    Returns:
        The stamp of the step "synth-<target>": resources of the design and of each module.

    Raises:
        DesignFailure: if the RTL does not synthesize.
        InputError: if the directory is none, or the target does not exist.
    """
    project = load_rtl(directory)
    target = load_target(target_name)
    key = key_of(hash_files([project.directory / file for file in project.files]), asdict(target))

    def action() -> dict[str, object]:
        with replaced_directory(directory / "synth" / target.name) as workspace:
            return asdict(synth.synthesize(project, target, workspace, jobs=jobs))

    return run_step(directory, f"synth-{target.name}", key, action)
