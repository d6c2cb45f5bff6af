"""Sizes FIFOs by measurement: only as deep as the design fills them at its own throughput."""

from __future__ import annotations

import math
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright import simulate
from gatewright.errors import DesignFailure, InputError
from gatewright.flow.convert import (
    changed_files,
    load_design,
    load_request,
    load_rtl,
    require_project,
    target_of,
    write_rtl,
)
from gatewright.flow.inputs import random_inputs, read_inputs
from gatewright.flow.results import FifosResults
from gatewright.flow.steps import Progress, Stamp, hash_files, held, key_of, run_step, silent
from gatewright.flow.synthesize import synthesized_content
from gatewright.system.console import duration
from gatewright.system.files import replaced_directory, require_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from gatewright.design.dataflow import Design
    from gatewright.rtl.manifest import RtlProject
    from gatewright.simulate import SimulationResult, StallPattern

#: Number of tensors to simulate: enough for a steady state.
SAMPLES = 8

#: Least number of tensors, for slow designs.
_LEAST = 4

#: Number of trials of depths. After each one that fails, all depths grow by half.
_ATTEMPTS = 4


def size_fifos(
    directory: Path,
    *,
    inputs: Path | None = None,
    samples: int | None = None,
    stalls: Sequence[StallPattern] = simulate.STALLS,
    progress: Progress = silent,
    notice: Progress = silent,
    share: Callable[[float], None] | None = None,
) -> Stamp[FifosResults]:
    """Set the depths of a project's FIFOs to those that simulation shows to be needed.

    The design is first simulated with FIFOs for two tensors, with inputs paced at its own interval,
    without stalls and with each stall pattern. The high-water marks become the depths. A second
    simulation, with inputs at full rate and the stall patterns, must reach the same interval. Then
    the RTL is written again.

    Args:
        directory: A converted project.
        inputs: Samples, as for `verify`; None for random words. Throughput doesn't depend on them.
        samples: Number of tensors; by default 8, or as many as can be simulated in a few minutes.
        stalls: Patterns of idle cycles and backpressure.
        progress: Called with a line before each phase.
        notice: Called with a line if it will take long, or the default number of samples was
            lowered.
        share: Called with the finished share of each simulation, from 0 to 1.

    Returns:
        The stamp of the step "fifos": the depth and the high-water mark of each FIFO, and the
        interval before and after; without FIFOs, no depths.

    Raises:
        DesignFailure: if no depths keep the interval, or the design deadlocks.
        InputError: if the directory isn't a converted project, or the inputs are wrong.
    """
    if inputs is not None:
        require_file(inputs)
    require_project(directory)
    given = inputs is not None or samples is not None
    with held(directory, progress):
        if changed := changed_files(directory, ["model"]):
            raise InputError(f"{directory}: {changed[0]}; run 'gatewright convert' again")
        design, project = load_design(directory), load_rtl(directory)
        if samples is None:
            samples = simulate.bearable(
                lambda count: _seconds(project, count, stalls), SAMPLES, _LEAST
            )
        words = (
            read_inputs(inputs, design).words if inputs else random_inputs(design, samples, seed=0)
        )
        key = key_of(
            hash_files([inputs]) if inputs is not None else None,
            samples,
            [asdict(pattern) for pattern in stalls],
            project.target,
            project.clock_ns,
        )
        spoilt = changed_files(directory, ["rtl"])
        sizing = _Sizing(directory, design, project, words, stalls, samples, progress, share)
        seconds = _seconds(project, samples, stalls)

        def action() -> FifosResults:
            if not given and samples < SAMPLES:
                notice(
                    f"{directory}: {samples} samples instead of {SAMPLES}: the design takes "
                    f"{project.interval:,} clock cycles for each, {duration(seconds)} in all"
                )
            elif seconds > simulate.LONGEST:
                notice(f"{directory}: the simulations will take about {duration(seconds)}")
            return sizing.run()

        stamp = run_step(
            directory,
            "fifos",
            key,
            action,
            subject=lambda: synthesized_content(load_rtl(directory)),
            made=lambda: sorted((directory / "rtl").iterdir()) if sizing.names else (),
        )
    if stamp.fresh and stamp.results.depths and spoilt:
        stamp = replace(stamp, cause=spoilt[0])
    return stamp


def _seconds(project: RtlProject, samples: int, stalls: Sequence[StallPattern]) -> float:
    """The estimated wall time of the simulations in seconds, if the first depths suffice."""

    def one(patterns: Sequence[StallPattern]) -> float:
        phases = simulate.plan(project, samples, stalls=patterns, resets=0, driver_vectors=0)
        return simulate.seconds_of(project, phases)

    return one([]) + one([simulate.FULL_RATE, *stalls]) + one(stalls)


class _Sizing:
    def __init__(
        self,
        directory: Path,
        design: Design,
        project: RtlProject,
        words: Sequence[NDArray[Any]],
        stalls: Sequence[StallPattern],
        samples: int,
        progress: Progress,
        share: Callable[[float], None] | None,
    ) -> None:
        self.directory = directory
        self.design = design
        self.project = project
        self.words = [word[:samples].reshape(len(word[:samples]), -1) for word in words]
        self.stalls = stalls
        self.progress = progress
        self.share = share
        self.names = [m.instance for m in project.modules if m.kind == "fifo"]

    def run(self) -> FifosResults:
        """Measure depths, check that they keep the interval, and write the RTL again."""
        if not self.names:
            return FifosResults(depths={}, levels={}, interval=self.project.interval)
        self.progress("simulating with deep FIFOs, to see how full they get")
        roomy = {m.instance: max(2, m.room or 0) for m in self.project.modules if m.kind == "fifo"}
        with self._scratch() as build:
            free = self._simulate(roomy, [], build)
            interval = free.interval_max or self.project.interval
            pace = math.ceil(interval)
            paced = [
                replace(pattern, name=f"{pattern.name}, paced", pace=pace)
                for pattern in (simulate.FULL_RATE, *self.stalls)
            ]
            run = self._simulate(roomy, paced, build)
        levels = {
            name: max(phase.levels[name] for phase in run.phases if phase.name.endswith(", paced"))
            for name in self.names
        }
        depths = {name: self._depth(name, level) for name, level in levels.items()}
        for attempt in range(_ATTEMPTS):
            self.progress(f"simulating with the measured depths ({attempt + 1})")
            try:
                # Build it where a verification will find it.
                after = self._simulate(depths, self.stalls, self.directory / "sim")
            except DesignFailure:
                if attempt == _ATTEMPTS - 1:
                    raise
                after = None
            if after is not None and (after.interval_max or interval) <= interval:
                self._write(depths)
                return FifosResults(
                    depths=depths,
                    levels=levels,
                    interval=interval,
                    simulator=simulate.simulator_version(),
                    interval_after=after.interval_max,
                    stalls=tuple(pattern.name for pattern in self.stalls),
                )
            depths = {
                name: min(roomy[name], max(depth + 1, depth * 3 // 2))
                for name, depth in depths.items()
            }
        raise DesignFailure(
            f"{self.directory}: with FIFOs of the measured depths the initiation interval is "
            f"longer than {interval}; leave the depths as they are"
        )

    def _depth(self, name: str, level: int) -> int:
        """The depth of a FIFO in beats, from its high-water mark.

        A beat that is read as soon as it arrives counts as held, so a FIFO with a mark of 1 can be
        wires. But a depth of 2 cuts the ready path between modules and costs one LUT for two bits
        of a beat. That is worth it unless a beat is a whole tensor.
        """
        (fifo,) = (m for m in self.project.modules if m.instance == name)
        return max(level, 2) if fifo.beats != 1 else level if level > 1 else 0

    def _simulate(
        self, depths: Mapping[str, int], stalls: Sequence[StallPattern], build: Path
    ) -> SimulationResult:
        with self._scratch() as rtl:
            project = self._emit(depths, rtl)
            return simulate.simulate(
                project,
                self.words,
                build,
                stalls=stalls,
                resets=0,
                driver_vectors=0,
                share=self.share,
            )

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A temporary folder in the project. After a kill, the next command removes it."""
        place = self.directory / "sim"
        place.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix="job-") as folder:
            yield Path(folder)

    def _emit(self, depths: Mapping[str, int], directory: Path) -> RtlProject:
        options = load_request(self.directory).options
        target, clock_ns = target_of(options), self.project.clock_ns
        return write_rtl(self.design, options, target, clock_ns, directory, depths)

    def _write(self, depths: Mapping[str, int]) -> None:
        with replaced_directory(self.directory / "rtl") as rtl:
            self._emit(depths, rtl)
