"""Searches for the highest clock frequency of a design on a device, and its latency there."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from gatewright.errors import InputError
from gatewright.flow.closure import next_derate
from gatewright.flow.convert import (
    changed_files,
    load_design,
    load_request,
    load_rtl,
    target_of,
    write_rtl,
)
from gatewright.flow.place import find_router
from gatewright.flow.results import FmaxResults, FmaxRound
from gatewright.flow.steps import Progress, Stamp, held, key_of, run_step, silent, workspace_for
from gatewright.flow.synthesize import synthesized_content
from gatewright.place.placement import Prediction, place
from gatewright.targets import load_target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewright.targets import Target

#: A round is cut for the last round's routed period times this.
_STEP = 0.85
#: The search ends with a round whose relative gain in frequency is less than this.
_GAIN = 0.02


def find_fmax(
    directory: Path,
    target_name: str,
    *,
    rounds: int,
    seeds: int = 1,
    progress: Progress = silent,
    notice: Progress = silent,
) -> Stamp[FmaxResults]:
    """Cut a design for shorter and shorter clock periods, and place and route each cut.

    The search ends when a round gains almost nothing. Each round corrects the delay model with the
    routed path of the last one. The project doesn't change.

    Args:
        directory: A converted project; the first round is cut for its clock.
        target_name: A device of the family for which the project was cut.
        rounds: Most rounds.
        seeds: The number of the placer's seeds, see `place`; the worst one counts.
        progress: Called with a line before each phase.
        notice: Called with a sentence after each round.

    Returns:
        The stamp of the step "fmax-<target>", with all rounds.

    Raises:
        DesignFailure: if a round can't be placed and routed.
        InputError: if the directory isn't a converted project or was cut for another family, the
            target isn't a device, or the router isn't installed.
        UnsupportedError: if there is no open router for the target.
    """
    router, version = find_router(target_name)
    target = load_target(target_name)
    folder = directory / "place" / f"{target.name}-fmax"
    with held(directory, progress):
        if changed := changed_files(directory, ["model"]):
            raise InputError(f"{directory}: {changed[0]}; run 'gatewright convert' again")
        if target_of(load_request(directory).options).family != target.family:
            raise InputError(
                f"{directory}: was not cut for the family of {target.name}; convert it with "
                f"--target {target.name}"
            )

        def action() -> FmaxResults:
            with workspace_for(folder) as workspace:
                search = _Search(directory, target, workspace, seeds, progress)
                found = []
                for made in search.rounds(rounds):
                    found.append(made)
                    notice(made.sentence)
                return FmaxResults(rounds=tuple(found), tool=router.program, version=version)

        subject = synthesized_content(load_rtl(directory))
        mapper = asdict(target.family.mapper)
        return run_step(
            directory,
            f"fmax-{target.name}",
            key_of(subject, asdict(router), version, target.content(), mapper, seeds, rounds),
            action,
            subject=subject,
            made=lambda: (path for path in sorted(folder.rglob("*")) if path.is_file()),
        )


class _Search:
    def __init__(
        self, directory: Path, target: Target, workspace: Path, seeds: int, progress: Progress
    ) -> None:
        self.directory, self.target, self.workspace = directory, target, workspace
        self.seeds, self.progress = seeds, progress
        self.options = load_request(directory).options
        self.design = load_design(directory)
        self.clock_ns = load_rtl(directory).clock_ns

    def rounds(self, most: int) -> Iterator[FmaxRound]:
        """The rounds, at most `most`, until one gains almost nothing."""
        clock_ns, derate, best = self.clock_ns, self.options.derate, 0.0
        for number in range(1, most + 1):
            self.progress(f"round {number}: cutting for {clock_ns:.4g} ns")
            made = self._try(number, clock_ns, derate)
            yield made
            if made.routed.fmax_mhz < best * (1 + _GAIN):
                return
            best = made.routed.fmax_mhz
            derate = next_derate(made.routed) or derate
            clock_ns = round(_STEP * made.routed.path_ns, 3)
            if clock_ns <= 2 * load_target(self.options.target).derated(derate).fabric.register_ns:
                return

    def _try(self, number: int, clock_ns: float, derate: float) -> FmaxRound:
        folder = self.workspace / f"round-{number}"
        rtl = folder / "rtl"
        rtl.mkdir(parents=True)
        target = load_target(self.options.target).derated(derate)
        project = write_rtl(self.design, self.options, target, clock_ns, rtl)
        assert project.predicted_ns is not None
        found = place(
            project,
            self.target,
            folder,
            seeds=tuple(range(1, self.seeds + 1)),
            predicted=Prediction(project.predicted_ns, derate),
            progress=lambda text: self.progress(f"round {number}: {text}"),
        )
        return FmaxRound(latency=project.latency, interval=project.interval, routed=found.routed)
