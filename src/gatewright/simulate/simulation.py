"""Runs the simulation of an RTL project on vectors in several phases, and measures timing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.errors import DesignFailure, InputError
from gatewright.results.timing import Timing
from gatewright.simulate.bench import TOP
from gatewright.simulate.packing import pack, recorded_words, unpack_recorded
from gatewright.simulate.stalls import FULL_RATE, STALLS, StallPattern
from gatewright.simulate.verilator import build, waves_suffix
from gatewright.system import processes
from gatewright.system.package_data import data_dir
from gatewright.wall.systemverilog import copy_memories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from gatewright.rtl.manifest import Port, RtlProject

LOG = "simulation.log"
"""Name of cocotb's log in the build directory."""

RESULTS = "results.xml"
"""Name of cocotb's test results, in the xUnit format, in the build directory."""

PROGRESS = "progress.json"
"""Name of the file in which a simulation regularly writes its progress."""

_WATCHING = 0.5  # seconds between two reads of it
_DRAIN = 1000  # clock cycles to watch after the last beat of a phase not at full rate

# The largest unrolled networks run at a few hundred cycles per second. The bench's own limit on
# cycles is eight times the expected number.
_LEAST_CYCLES_PER_SECOND = 50
_START_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Latency and initiation interval, in clock cycles, from the times of transfers at the ports.

    A vector's latency starts with its first transfer at any input. `timing.latency_*` end with the
    first beat of its result, `timing.latency_last_*` with the last beat, each at the slowest
    output. They are equal if a result is a single beat.

    The interval is the time between the last beats of successive results. The first half of the
    results is left out, because the rate is not steady while FIFOs and pipelines fill. `interval`
    is the mean, exact if `interval_min` equals `interval_max`; `timing.ii` is the mean rounded up.
    All are None for a single vector.
    """

    timing: Timing
    interval: float | None = None
    interval_min: int | None = None
    interval_max: int | None = None


def _measured(found: dict[str, Any]) -> dict[str, Any]:
    """The fields of `Measured`, from the bench's record of a phase."""
    intervals = {name: value for name, value in found.items() if name.startswith("interval")}
    timing = {name: value for name, value in found.items() if name not in intervals}
    mean = intervals.get("interval")
    return {"timing": Timing(**timing, ii=None if mean is None else ceil(mean)), **intervals}


@dataclass(frozen=True, kw_only=True)
class PhaseResult(Measured):
    """One pass of vectors through the design under one stall pattern, and its own timing."""

    name: str
    vectors: int  # number of vectors, from the first; limited by the budget
    cycles: int  # clock cycles from the last reset to the end of the phase
    seconds: float  # wall time of these cycles
    levels: dict[str, int]
    """High-water mark of each `gw_fifo` in this phase, in beats, by instance path below the top."""


@dataclass(frozen=True, kw_only=True)
class SimulationResult(Measured):
    """The outputs of a simulation, the same in every phase, and its timing at full rate."""

    outputs: list[NDArray[np.int64]]  # raw values per output, shape (n, elements)
    phases: tuple[PhaseResult, ...]  # the one at full rate first

    @property
    def levels(self) -> dict[str, int]:
        """High-water mark of each `gw_fifo`, in beats, by instance path below the top."""
        return {
            path: max(phase.levels[path] for phase in self.phases) for path in self.phases[0].levels
        }

    @property
    def cycles(self) -> int:
        """Clock cycles of all phases."""
        return sum(phase.cycles for phase in self.phases)

    @property
    def seconds(self) -> float:
        """Wall time of all phases, in s, without build and start-up."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def cycles_per_second(self) -> float:
        """Simulated clock cycles per second of wall time, at full rate."""
        return self.phases[0].cycles / self.phases[0].seconds


def _port(port: Port, kind: str, number: int) -> dict[str, Any]:
    return {
        "prefix": port.prefix,
        "beats": port.beats,
        "words": recorded_words(port),
        "file": f"{kind}{number}.npy",
    }


def _cycles(project: RtlProject, pattern: StallPattern) -> int:
    """Expected clock cycles per vector under a stall pattern."""
    beats = max(port.beats for port in (*project.inputs, *project.outputs))
    moving = (1 - pattern.input_idle) * (1 - pattern.output_stall)
    return max(project.interval, pattern.pace or 0, ceil(beats / moving))


def _within(
    budget: int, project: RtlProject, pattern: StallPattern, vectors: int, least: int
) -> int:
    """The number of vectors within a budget of clock cycles: from `least` to `vectors`."""
    room = (budget - project.latency) // _cycles(project, pattern)
    return min(vectors, max(least, room))


def _moments(project: RtlProject, resets: int, budget: int) -> list[int]:
    """Numbers of clock cycles before each reset, so that the design is empty, filling or full.

    One is drawn from each of `resets` equal parts of a logarithmic scale, in random order. So even
    a design with a latency of 100,000 cycles is reset early as well as late, and most resets come
    soon. None takes more than half the budget.
    """
    longest = max(2, min(2 * project.latency + project.interval + 16, budget // 2))
    rng = np.random.default_rng(resets)
    spread = rng.permutation((np.arange(resets) + rng.random(resets)) / resets)
    return [int(moment) for moment in np.exp(spread * np.log(longest))]


def _phase(
    project: RtlProject,
    pattern: StallPattern,
    vectors: int,
    *,
    resets: Sequence[int] = (),
    external: bool = False,
) -> dict[str, Any]:
    """A phase of the job, as the cocotb test reads it."""
    cycles = _cycles(project, pattern)
    depth = project.latency + cycles
    source, sink = pattern.chain(pattern.input_idle), pattern.chain(pattern.output_stall)
    pause = 1 / min(source[1], sink[1])  # in the mean
    # Far longer than any pause that the design or the stall pattern can cause.
    patience = int(1000 + 4 * depth + 64 * pause)
    limit = patience + 8 * cycles * vectors
    # A surplus beat can come as late as a result. The phase at full rate waits that long for it.
    drain = 64 + (depth if pattern is FULL_RATE else min(depth, _DRAIN))

    # The bench does not count cycles before a reset, but they take time.
    expected = depth + cycles * vectors + drain + sum(resets)

    def threshold(probability: float) -> int:
        return min(int(probability * 2**32), 2**32 - 1)

    return {
        "name": pattern.name,
        "vectors": vectors,
        "input_idle": pattern.input_idle,
        "output_stall": pattern.output_stall,
        "source_enter": threshold(source[0]),
        "source_leave": threshold(source[1]),
        "sink_enter": threshold(sink[0]),
        "sink_leave": threshold(sink[1]),
        "seed": pattern.seed,
        "pace": pattern.pace or 0,
        "patience": patience,
        "limit": limit,
        "drain": drain,
        "resets": list(resets),
        "external": external,
        "cycles": expected,
    }


def _limits(project: RtlProject, phases: Sequence[dict[str, Any]]) -> processes.Limits:
    """Limits on the simulator's process: enough time for the cycle limits of all phases."""
    cycles = sum(p["limit"] + p["drain"] + sum(p["resets"]) for p in phases)
    seconds = _START_SECONDS + cycles / _LEAST_CYCLES_PER_SECOND
    return processes.Limits(what=f"{project.top}: the simulation", seconds=seconds)


def _environment(job: Path, results: Path) -> dict[str, str]:
    """Environment variables for cocotb and its Python side."""
    import find_libpython
    from cocotb_tools import config

    library = os.environ.get("LIBPYTHON_LOC") or find_libpython.find_libpython()
    if library is None:
        raise InputError(
            "no shared libpython for this Python, which cocotb needs; "
            "install it ('apt install libpython3-dev' on Debian and Ubuntu)"
        )
    return {
        **os.environ,
        "COCOTB_ANSI_OUTPUT": "0",
        "COCOTB_MAX_FAILURES": "1",
        "COCOTB_RANDOM_SEED": "1",
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_REWRITE_ASSERTION_FILES": "",  # needs all of pytest, a second per simulation
        "COCOTB_TEST_MODULES": "gw_streams",
        "COCOTB_TOPLEVEL": TOP,
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "GATEWRIGHT_JOB": str(job),
        "GPI_USERS": f"{library};{config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(data_dir("sim")), *filter(None, sys.path)]),
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
        "TOPLEVEL_LANG": "verilog",
    }


@contextmanager
def _watched(
    directory: Path, phases: Sequence[dict[str, Any]], share: Callable[[float], None] | None
) -> Iterator[None]:
    """Call `share` with the fraction of a simulation done, while the block runs the simulation."""
    if share is None:
        yield
        return
    ended = threading.Event()
    before = dict(
        zip(
            (phase["name"] for phase in phases),
            accumulate((phase["cycles"] for phase in phases), initial=0),
            strict=False,
        )
    )
    expected = {phase["name"]: phase["cycles"] for phase in phases}
    total = sum(expected.values())

    def watch() -> None:
        while not ended.wait(_WATCHING):
            with suppress(OSError, ValueError, KeyError):  # missing or incomplete
                noted = json.loads((directory / PROGRESS).read_text(encoding="utf-8"))
                phase = noted["phase"]
                # A phase that takes longer than expected must not count as the next one.
                share((before[phase] + min(noted["cycles"], expected[phase])) / total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _check_same(
    project: RtlProject,
    phase: str,
    words: Sequence[NDArray[np.uint32]],
    expected: Sequence[NDArray[np.uint32]],
) -> None:
    """Compare the packed outputs of a phase with those at full rate."""
    for port, got, full in zip(project.outputs, words, expected, strict=True):
        want = full[: len(got)]
        if np.array_equal(got, want):
            continue
        values, rights = unpack_recorded(got, port), unpack_recorded(want, port)
        vector, element = np.argwhere(values != rights)[0]
        raise DesignFailure(
            f"{project.top}: output '{port.tensor}' depends on stalls: vector {vector}, "
            f"element {element} is {values[vector, element]} in phase '{phase}', "
            f"{rights[vector, element]} at full rate"
        )


def plan(
    project: RtlProject,
    vectors: int,
    *,
    stalls: Sequence[StallPattern] = STALLS,
    resets: int = 16,
    driver_vectors: int = 256,
    budget: int = 500_000,
) -> list[dict[str, Any]]:
    """The phases of a simulation; for the arguments see `simulate`."""
    phases = [_phase(project, FULL_RATE, vectors)]
    for pattern in stalls:
        passing = _within(budget, project, pattern, vectors, 2)
        phases.append(_phase(project, pattern, passing))
    if resets:
        moments = _moments(project, resets, budget)
        pattern = StallPattern("reset", 0.3, 0.3, seed=6)
        passing = _within(budget - sum(moments), project, pattern, vectors, 2)
        phases.append(_phase(project, pattern, passing, resets=moments))
    if driver_vectors:
        pattern = StallPattern("cocotbext-axi", 0.3, 0.3, seed=7)
        passing = _within(budget // 8, project, pattern, min(driver_vectors, vectors), 1)
        phases.append(_phase(project, pattern, passing, external=True))
    return phases


def simulate(
    project: RtlProject,
    inputs: Sequence[NDArray[np.int64]],
    build_dir: Path,
    *,
    stalls: Sequence[StallPattern] = STALLS,
    resets: int = 16,
    driver_vectors: int = 256,
    budget: int = 500_000,
    waves: bool = False,
    jobs: int | None = None,
    share: Callable[[float], None] | None = None,
) -> SimulationResult:
    """Build the simulation, pass vectors through the design, and check the stream protocol.

    The phases are: all vectors at full rate; vectors under each stall pattern; vectors after a
    series of resets in mid-stream; the first vectors with the AXI4-Stream drivers of the
    cocotbext-axi package. Outputs are only compared between phases, which must all give the same.

    Args:
        project: the RTL project.
        inputs: raw values per input of the manifest, shape (n, elements), equal n, n >= 1.
        build_dir: directory for the executable, cocotb's log, its test results and the waves.
        stalls: the stall patterns after the phase at full rate.
        resets: number of resets in mid-stream; 0 omits the phase.
        driver_vectors: vectors for the phase with cocotbext-axi; 0 omits the phase.
        budget: limit on the clock cycles of each phase except that at full rate. For the phase
            with cocotbext-axi, whose cycles are slow, it is an eighth of this. Further vectors are
            left out of the phase, but at least two pass (one with cocotbext-axi).
        waves: write waves of all phases to waves.fst, or to waves.vcd if the headers of lz4 and
            zlib are not installed. Needs a separate build; use a small n.
        jobs: number of parallel compiler processes; all cores by default.
        share: called regularly, from a thread, with the fraction of clock cycles done, 0 to 1.

    Raises:
        DesignFailure: if the design violates the protocol, has a deadlock, or gives outputs that
            depend on stalls; names the phase, the port and the vector.
        InputError: if the inputs do not fit the manifest, or a tool is missing.
    """
    _check_inputs(project, inputs)
    packed = [pack(raw, port) for raw, port in zip(inputs, project.inputs, strict=True)]
    executable = build(project, build_dir, waves=waves, jobs=jobs)
    phases = plan(
        project,
        len(inputs[0]),
        stalls=stalls,
        resets=resets,
        driver_vectors=driver_vectors,
        budget=budget,
    )
    job: dict[str, Any] = {
        "inputs": [_port(port, "input", i) for i, port in enumerate(project.inputs)],
        "outputs": [_port(port, "output", i) for i, port in enumerate(project.outputs)],
        "phases": phases,
    }
    log = build_dir.resolve() / LOG
    waveform = log.with_name(f"waves{waves_suffix()}") if waves else None
    with tempfile.TemporaryDirectory(dir=build_dir, prefix="job-") as scratch:
        directory = Path(scratch).resolve()
        for port, words in zip(job["inputs"], packed, strict=True):
            np.save(directory / port["file"], words)
        (directory / "job.json").write_text(json.dumps(job), encoding="utf-8")
        for file in project.files:
            copy_memories(project.directory / file, directory)
        limits = _limits(project, phases)
        with _watched(directory, phases, share):
            status = _execute(executable, directory, limits, log, waveform)
        return _collect(project, job, directory, status, log)


def _check_inputs(project: RtlProject, inputs: Sequence[NDArray[np.int64]]) -> None:
    """Check that all inputs have the same number of vectors, at least one.

    Raises:
        InputError: if they don't.
    """
    if len(inputs) != len(project.inputs):
        raise InputError(
            f"{project.top} has {len(project.inputs)} inputs "
            f"({', '.join(port.tensor for port in project.inputs)}), got {len(inputs)}"
        )
    vectors = len(inputs[0])
    if vectors == 0 or any(len(raw) != vectors for raw in inputs):
        raise InputError(
            f"{project.top}: all inputs must have the same number of vectors, at least 1; "
            f"got {', '.join(str(len(raw)) for raw in inputs)}"
        )


def _execute(
    executable: Path, directory: Path, limits: processes.Limits, log: Path, waveform: Path | None
) -> int:
    """Run a simulation and return its exit status.

    Args:
        executable: the built simulation.
        directory: private directory with the job and its vectors; the working directory. cocotb
            imports modules from there, so others must not be able to write to it.
        limits: limits on the process.
        log: file for its output.
        waveform: file for waves, if any.
    """
    command = [str(executable), "+verilator+rand+reset+2", "+verilator+seed+1"]
    written = [log, log.with_name(RESULTS)]
    if waveform is not None:
        written.append(waveform)
        command += ["--trace", "--trace-file", str(waveform)]
    for path in written:
        path.unlink(missing_ok=True)  # if it is a link, its target must not be overwritten
    with log.open("w", encoding="utf-8") as stream:
        return processes.run(
            command,
            limits=limits,
            cwd=directory,
            env=_environment(directory, log.with_name(RESULTS)),
            stdout=stream,
            stderr=subprocess.STDOUT,
        ).returncode


def _collect(
    project: RtlProject, job: dict[str, Any], directory: Path, status: int, log: Path
) -> SimulationResult:
    """Read the results of each phase, and compare the phases."""
    phases: list[PhaseResult] = []
    full_rate: dict[str, Any] = {}
    expected: list[NDArray[np.uint32]] = []
    for phase in job["phases"]:
        name = phase["name"]
        report = directory / f"{name}.json"
        if not report.is_file():
            raise DesignFailure(
                f"{project.top}, phase '{name}': the simulator ended with status {status} "
                f"before the phase did; see {log}"
            )
        result = json.loads(report.read_text(encoding="utf-8"))
        if result["failure"] is not None:
            raise DesignFailure(f"{project.top}, phase '{name}': {result['failure']}")
        words = [np.load(directory / f"{name}.{entry['file']}") for entry in job["outputs"]]
        if not phases:
            full_rate, expected = result, words
            outputs = [
                unpack_recorded(rows, port)
                for rows, port in zip(words, project.outputs, strict=True)
            ]
        _check_same(project, name, words, expected)
        phases.append(
            PhaseResult(
                name=name,
                vectors=phase["vectors"],
                cycles=result["cycles"],
                seconds=result["seconds"],
                levels=result["levels"],
                **_measured(result["timing"]),
            )
        )
    if status:
        raise DesignFailure(f"{project.top}: the simulator ended with status {status}; see {log}")
    return SimulationResult(
        outputs=outputs,
        phases=tuple(phases),
        **_measured(full_rate["timing"]),
    )
