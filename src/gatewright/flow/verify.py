"""Verification: RTL = NumPy golden = C++ emulation, or the first difference between them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gatewright import simulate
from gatewright.design import golden
from gatewright.emit import isolate
from gatewright.emulation import EMULATION, SECONDS, Emulation
from gatewright.errors import DesignFailure
from gatewright.flow.compare import (
    difference_of,
    differing_in_any,
)
from gatewright.flow.convert import (
    NETWORK,
    changed_files,
    design_files,
    load_design,
    load_rtl,
    require_project,
)
from gatewright.flow.emulated import Emulated
from gatewright.flow.fidelity import Fidelity, read_network, versions
from gatewright.flow.inputs import random_inputs, read_inputs
from gatewright.flow.ranges import activation_ranges
from gatewright.flow.results import VerifyResults
from gatewright.flow.steps import Progress, Stamp, hash_files, held, key_of, run_step, silent
from gatewright.frontend import originals
from gatewright.parsing.typed import written
from gatewright.results.verification import Difference, Verification, reference_of
from gatewright.rtl.manifest import MANIFEST
from gatewright.system.console import duration
from gatewright.system.files import replaced_file, require_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gatewright.design.dataflow import Design
    from gatewright.flow.emulated import Agreement
    from gatewright.rtl.manifest import RtlProject

    Values = NDArray[np.int64]

#: The RTL's outputs, beside the simulation.
OUTPUTS = "outputs.npz"

#: Default number of random vectors, and least number for slow designs.
VECTORS = 1000
_LEAST = 10

#: Most vectors with which single modules are simulated, to find the one that differs.
_ISOLATED = 256


def verify(
    directory: Path,
    *,
    inputs: Path | None = None,
    samples: int | None = None,
    seed: int = 0,
    stalls: Sequence[simulate.StallPattern] = simulate.STALLS,
    waves: bool = False,
    jobs: int | None = None,
    progress: Progress = silent,
    notice: Progress = silent,
    share: Callable[[float], None] | None = None,
    fidelity: bool = True,
    emulation_seconds: float | None = None,
) -> Stamp[VerifyResults]:
    """Compare the RTL of a project directory with the golden outputs and the C++ emulation.

    The C++ is compiled in parallel, if necessary. If that exceeds its limit of time or memory, the
    rest is verified, and the results say so.

    The RTL's outputs are also compared with the predictions of the model itself, in its own
    framework. This shows how well the hardware does what the model means, and never fails the
    verification.

    Args:
        directory: A converted project.
        inputs: `.npy` with the samples of the only input, or `.npz` with an array for each input,
            each (samples, *shape); floats are cast as in the C++. None for random words.
        samples: Number of random vectors, including each input's extremes and zero. By default
            1,000, or as many as can be simulated in a few minutes.
        seed: Seed of the random vectors.
        stalls: Patterns of idle cycles and backpressure, on which the outputs must not depend.
        waves: Whether to record a waveform.
        jobs: Number of parallel compiler processes; None for all cores.
        progress: Called with a line before each phase.
        notice: Called with a line before the simulation if it will take long, or if the default
            number of vectors was lowered.
        share: Called with the finished share of the simulation, from 0 to 1.
        fidelity: Whether to compare with the model itself, which needs TensorFlow in a child
            process.
        emulation_seconds: Limit of time for compiling hls4ml's C++ in seconds; None for 15 minutes.

    Returns:
        The stamp of the step "verify". Its results have the number of differing vectors, the first
        difference (None if all are equal), why hls4ml's C++ wasn't compared (`emulation_missing`,
        None if it was), and the files that differ from the conversion's (`changed`), which are
        verified as they are.

    Raises:
        DesignFailure: if the RTL doesn't pass lint, breaks the stream protocol, or hangs.
        InputError: if the directory isn't a converted project, or the inputs are wrong.
    """
    if inputs is not None:
        require_file(inputs)
    require_project(directory)
    requested = inputs is not None or samples is not None
    with held(directory, progress):
        project = load_rtl(directory)
        vectors = samples or _default_vectors(project, stalls)
        subject = verified_content(directory, project)
        if not Emulation(directory / "hls").is_compiled:
            # Existing results are another user's, or lack the comparison with the C++.
            (directory / "steps" / "verify.json").unlink(missing_ok=True)
        key = key_of(
            subject,
            hash_files([directory / "hls" / EMULATION]),
            hash_files([inputs]) if inputs is not None else [vectors, seed],
            [asdict(pattern) for pattern in stalls],
            waves,
            versions(directory / "model") if fidelity else None,
        )
        return run_step(
            directory,
            "verify",
            key,
            lambda: _Verifier(
                directory=directory,
                project=project,
                inputs=inputs,
                samples=vectors,
                seed=seed,
                stalls=stalls,
                waves=waves,
                jobs=jobs,
                progress=progress,
                announce=lambda count: _announce_duration(
                    directory, project, stalls, count, requested, notice
                ),
                share=share,
                fidelity=fidelity,
                emulation_seconds=emulation_seconds or SECONDS,
            ).verify(),
            subject=subject,
            made=lambda: [directory / "sim" / OUTPUTS],
        )


def verified_content(directory: Path, project: RtlProject) -> str:
    """A hash of the network, the design, the RTL and the C++, on which a verification depends."""
    rtl = [project.directory / file for file in (*project.files, MANIFEST)]
    firmware = directory / "hls" / "firmware"
    cpp = sorted(path for path in firmware.glob("*") if path.suffix in (".cpp", ".h"))
    weights = sorted((firmware / "weights").glob("*.txt"))
    network = sorted((directory / "model").glob(f"{NETWORK}.*"))
    return hash_files([*design_files(directory), *network, *rtl, *cpp, *weights])


@dataclass(frozen=True, kw_only=True)
class _Verifier:
    """A verification; the fields are arguments of `verify`.

    Attributes:
        announce: Called with the number of vectors before they are simulated.
    """

    directory: Path
    project: RtlProject
    inputs: Path | None
    samples: int
    seed: int
    stalls: Sequence[simulate.StallPattern]
    waves: bool
    jobs: int | None
    progress: Progress
    announce: Callable[[int], None]
    share: Callable[[float], None] | None
    fidelity: bool
    emulation_seconds: float

    @property
    def _sim(self) -> Path:
        return self.directory / "sim"

    @property
    def _source(self) -> str:
        """The origin of the vectors, in words."""
        return written(Path(self.inputs.name)) if self.inputs else "random words of the input types"

    def verify(self) -> VerifyResults:
        """Simulate, and compare the outputs with all references."""
        design = load_design(self.directory)
        given = read_inputs(self.inputs, design) if self.inputs else None
        words = given.words if given else random_inputs(design, self.samples, self.seed)
        self.announce(len(words[0]))
        with contextlib.ExitStack() as open_:
            self.progress("building the simulation, and compiling hls4ml's C++")
            emulated = open_.enter_context(
                Emulated(self.directory / "hls", design, words, self.emulation_seconds)
            )
            model = None
            if self.fidelity:  # its child process starts in parallel
                values = given.values if given else None
                network = read_network(self.directory)
                original = originals.kept(self.directory / "model")
                model = Fidelity(network, design, words, values, self._source, original)
                open_.enter_context(model)
            pool = open_.enter_context(ThreadPoolExecutor(1))
            # Verilator's build takes longest; the golden outputs are computed in parallel.
            linted = pool.submit(_lint_and_build, self.project, self._sim, self.waves, self.jobs)
            expected = golden.run(design, words)
            if model is not None:
                self.progress("running the model itself, in its own framework")
                model.look(expected)
            linted.result()
            emulated.check()
            run = self._simulated(words)
            if not emulated.done:
                self.progress("waiting for hls4ml's C++")
            reference = emulated.against(expected)
        checked = self._checked(design, expected, run.outputs, reference)
        self._keep(run.outputs)
        return VerifyResults(
            verification=checked,
            timing=run.timing,
            fidelity=None if model is None else model.results(run.outputs),
            ranges=activation_ranges(design, expected),
            source=self._source,
            seed=None if self.inputs else self.seed,
            emulation_mismatches=reference.mismatches,
            interval=run.interval,
            cycles=run.cycles,
            cycles_per_second=round(run.cycles_per_second),
            simulator=simulate.simulator_version(),
            changed=tuple(changed_files(self.directory)),
        )

    def _simulated(self, words: Sequence[Values]) -> simulate.SimulationResult:
        count = len(words[0])
        self.progress(f"simulating {count} vectors, at full rate and under stalls")
        return simulate.simulate(
            self.project,
            [word.reshape(count, -1) for word in words],
            build_dir=self._sim,
            stalls=self.stalls,
            waves=self.waves,
            jobs=self.jobs,
            share=self.share,
        )

    def _checked(
        self,
        design: Design,
        expected: dict[str, Values],
        got: list[Values],
        reference: Agreement,
    ) -> Verification:
        """The differing vectors, and the first difference.

        Args:
            design: The design.
            expected: Golden values of every tensor, int64 (vectors, *shape).
            got: The RTL's outputs, int64 (vectors, elements).
            reference: The comparison with hls4ml's C++.
        """
        count = len(got[0])
        outputs = [expected[tensor.name].reshape(count, -1) for tensor in design.outputs]
        differing = differing_in_any(outputs, got)
        difference = reference.difference
        if difference is None and len(differing):
            self.progress("looking for the layer that differs")
            difference = _locate(design, self.project, expected, outputs, got, differing, self._sim)
        return Verification(
            vectors=count,
            mismatches=len(differing),
            reference=reference_of(reference.missing),
            first_difference=difference,
            stalls=(simulate.FULL_RATE.name, *(pattern.name for pattern in self.stalls)),
            emulation_missing=reference.missing,
            layers=reference.layers,
        )

    def _keep(self, outputs: list[Values]) -> None:
        """Write the RTL's outputs."""
        kept = self._sim / OUTPUTS
        if kept.is_dir():
            shutil.rmtree(kept)
        with replaced_file(kept) as file:
            named = {f"output{i}": values for i, values in enumerate(outputs)}
            np.savez(file, allow_pickle=False, **named)


def _default_vectors(project: RtlProject, stalls: Sequence[simulate.StallPattern]) -> int:
    """The default number of random vectors for a project."""

    def seconds(vectors: int) -> float:
        return simulate.seconds_of(project, simulate.plan(project, vectors, stalls=stalls))

    return simulate.bearable(seconds, VECTORS, _LEAST)


def _announce_duration(
    directory: Path,
    project: RtlProject,
    stalls: Sequence[simulate.StallPattern],
    count: int,
    given: bool,
    notice: Progress,
) -> None:
    """Notify the user if the simulation will take long, or the number of vectors was lowered."""
    seconds = simulate.seconds_of(project, simulate.plan(project, count, stalls=stalls))
    if not given and count < VECTORS:
        notice(
            f"{directory}: {count} random vectors instead of {VECTORS:,}, about "
            f"{duration(seconds)}: the design takes {project.interval:,} clock cycles for "
            f"each; use --samples for more"
        )
    elif seconds > simulate.LONGEST:
        notice(
            f"{directory}: simulating {count:,} vectors of {project.interval:,} clock cycles each "
            f"will take about {duration(seconds)}"
        )


def _lint_and_build(project: RtlProject, build_dir: Path, waves: bool, jobs: int | None) -> None:
    simulate.lint(project)
    simulate.build(project, build_dir, waves=waves, jobs=jobs)


def _locate(
    design: Design,
    project: RtlProject,
    expected: dict[str, Values],
    outputs: list[Values],
    got: list[Values],
    differing: Values,
    sim: Path,
) -> Difference:
    """Find the first difference: simulate each module separately on golden inputs.

    If this process is killed, the next command removes its files in `sim`.
    """
    chosen = differing[:_ISOLATED]
    kernels = {kernel.layer: kernel for kernel in design.kernels}
    for module in project.modules:
        if not module.layer:
            continue
        tensor = kernels[module.layers[-1]].output
        with tempfile.TemporaryDirectory(dir=sim, prefix="job-") as temporary:
            rtl = Path(temporary) / "rtl"
            rtl.mkdir()
            alone = isolate(project, module, design, rtl)
            words = [
                expected[port.tensor][chosen].reshape(len(chosen), -1) for port in alone.inputs
            ]
            try:
                run = simulate.simulate(alone, words, build_dir=Path(temporary) / "sim", stalls=())
            except DesignFailure as error:
                raise DesignFailure(f"layer '{design.called(module.layer)}': {error}") from error
        reference = expected[tensor.name][chosen].reshape(len(chosen), -1)
        name = design.called(module.layer)
        found = difference_of(name, tensor, reference, run.outputs[0], "golden", "RTL")
        if found is not None:
            return found.model_copy(update={"vector": int(chosen[found.vector])})
    # Every module is right on its own, so the top that connects them is wrong.
    for tensor, reference, values in zip(design.outputs, outputs, got, strict=True):
        difference = difference_of("(top)", tensor, reference, values, "golden", "RTL")
        if difference is not None:
            return difference
    raise AssertionError("no output differs")
