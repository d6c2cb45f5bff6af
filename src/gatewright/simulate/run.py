"""Runs the simulation of an RTL project on vectors, phase after phase, and measures it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright import processes
from gatewright.errors import DesignFailure, InputError
from gatewright.resources import data_dir
from gatewright.simulate.bench import TOP
from gatewright.simulate.packing import pack, unpack, words_per_beat
from gatewright.simulate.stalls import FULL_RATE, STALLS, StallPattern
from gatewright.simulate.verilator import build, waves_suffix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.project import Port, RtlProject

LOG = "simulation.log"
"""Name of cocotb's log in the build directory; its test results stand beside it."""

RESULTS = "results.xml"
"""Name of cocotb's test results, in the xUnit format, in the build directory."""


@dataclass(frozen=True)
class PhaseResult:
    """One pass of the vectors through the design, under one stall pattern."""

    name: str
    vectors: int
    cycles: int  # clock cycles from reset to the end of the phase
    seconds: float  # wall time of these


@dataclass(frozen=True)
class SimulationResult:
    """What came out of a simulation, the same in every phase, and what was measured.

    Latency and interval are in clock cycles and measured at full rate. The latency of a vector
    runs from its first transfer at any input to the first transfer of its result at the output
    that gives it last. The interval is the mean distance of successive results.
    """

    outputs: list[NDArray[np.int64]]  # raw values per output, shape (n, elements)
    latency_min: int
    latency_max: int
    interval: float | None  # None for a single vector
    phases: tuple[PhaseResult, ...]

    @property
    def cycles(self) -> int:
        """Clock cycles of all phases."""
        return sum(phase.cycles for phase in self.phases)

    @property
    def seconds(self) -> float:
        """Wall time of all phases, without build and start-up."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def cycles_per_second(self) -> float:
        """Simulated clock cycles per second of wall time, at full rate."""
        return self.phases[0].cycles / self.phases[0].seconds


def _port(port: Port, kind: str, number: int) -> dict[str, Any]:
    return {
        "prefix": port.prefix,
        "beats": port.beats,
        "words": words_per_beat(port),
        "file": f"{kind}{number}.npy",
    }


def _phase(
    pattern: StallPattern,
    vectors: int,
    *,
    name: str | None = None,
    resets: Sequence[int] = (),
    external: bool = False,
) -> dict[str, Any]:
    """A phase of the job, as the cocotb test reads it."""

    def threshold(probability: float) -> int:
        return min(int(probability * 2**32), 2**32 - 1)

    source, sink = pattern.chain(pattern.input_idle), pattern.chain(pattern.output_stall)
    return {
        "name": name or pattern.name,
        "vectors": vectors,
        "input_idle": pattern.input_idle,
        "output_stall": pattern.output_stall,
        "source_enter": threshold(source[0]),
        "source_leave": threshold(source[1]),
        "sink_enter": threshold(sink[0]),
        "sink_leave": threshold(sink[1]),
        "seed": pattern.seed,
        "resets": list(resets),
        "external": external,
    }


def _environment(job: Path, results: Path) -> dict[str, str]:
    """What cocotb needs to know, and its Python side to find."""
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


def _check_same(
    project: RtlProject,
    phase: str,
    words: Sequence[NDArray[np.uint32]],
    expected: Sequence[NDArray[np.uint32]],
) -> None:
    """Hold the packed outputs of a phase against those at full rate."""
    for port, got, full in zip(project.outputs, words, expected, strict=True):
        want = full[: len(got)]
        if np.array_equal(got, want):
            continue
        values, rights = unpack(got, port), unpack(want, port)
        vector, element = np.argwhere(values != rights)[0]
        raise DesignFailure(
            f"{project.top}: output '{port.tensor}' depends on stalls: vector {vector}, "
            f"element {element} is {values[vector, element]} in phase '{phase}', "
            f"{rights[vector, element]} at full rate"
        )


def simulate(
    project: RtlProject,
    inputs: Sequence[NDArray[np.int64]],
    build_dir: Path,
    *,
    stalls: Sequence[StallPattern] = STALLS,
    resets: int = 16,
    driver_vectors: int = 256,
    waves: bool = False,
    jobs: int | None = None,
) -> SimulationResult:
    """Build the simulation, pass vectors through the design, and hold it to the stream protocol.

    The phases: all vectors at full rate; all vectors under each stall pattern; all vectors after
    a series of resets in mid-stream; the first vectors once more with the AXI4-Stream drivers of
    the cocotbext-axi package at the ports. The outputs are not compared with anything but each
    other: every phase must give the same.

    Args:
        project: the RTL project.
        inputs: raw values per input of the manifest, shape (n, elements), equal n, n >= 1.
        build_dir: directory for the executable, cocotb's log, its test results and the waves.
        stalls: the patterns to pass after the one at full rate.
        resets: resets in mid-stream; 0 leaves the phase out.
        driver_vectors: vectors to pass by way of cocotbext-axi; 0 leaves the phase out.
        waves: write waves of all phases, as waves.fst, or waves.vcd where the headers of lz4 and
            zlib are not installed; wants a build of its own, and a small n.
        jobs: compiler processes at a time; all cores unless given.

    Raises:
        DesignFailure: if the design breaks a rule of the protocol, comes to a deadlock, or gives
            outputs that depend on stalls; names the phase, the port and the vector.
        InputError: if the inputs do not fit the manifest, or a tool is missing.
    """
    if len(inputs) != len(project.inputs):
        raise InputError(
            f"{project.top} has {len(project.inputs)} inputs "
            f"({', '.join(port.tensor for port in project.inputs)}), got {len(inputs)}"
        )
    vectors = len(inputs[0])
    if vectors == 0 or any(len(raw) != vectors for raw in inputs):
        raise InputError(
            f"{project.top}: the inputs must hold the same number of vectors, at least 1; "
            f"got {', '.join(str(len(raw)) for raw in inputs)}"
        )
    packed = [pack(raw, port) for raw, port in zip(inputs, project.inputs, strict=True)]
    executable = build(project, build_dir, waves=waves, jobs=jobs)

    phases = [_phase(FULL_RATE, vectors)]
    phases += [_phase(pattern, vectors) for pattern in stalls]
    if resets:
        # After so few cycles that every stage of the pipeline is met empty, filling and full.
        rng = np.random.default_rng(resets)
        moments = rng.integers(1, 2 * project.latency + 16, resets).tolist()
        pattern = StallPattern("reset", 0.3, 0.3, seed=6)
        phases.append(_phase(pattern, vectors, resets=moments))
    if driver_vectors:
        pattern = StallPattern("cocotbext-axi", 0.3, 0.3, seed=7)
        phases.append(_phase(pattern, min(driver_vectors, vectors), external=True))
    depth = project.latency + max(1, project.interval)
    longest = max((pattern.burst or 1 for pattern in stalls), default=1)
    job: dict[str, Any] = {
        "inputs": [_port(port, "input", i) for i, port in enumerate(project.inputs)],
        "outputs": [_port(port, "output", i) for i, port in enumerate(project.outputs)],
        # Far beyond any pause that the design or a stall pattern can account for.
        "patience": int(1000 + 8 * depth + 64 * longest),
        "drain": 64 + 2 * depth,
        "phases": phases,
    }

    log = build_dir.resolve() / LOG
    with tempfile.TemporaryDirectory(dir=build_dir, prefix="job-") as scratch:
        directory = Path(scratch).resolve()
        for port, words in zip(job["inputs"], packed, strict=True):
            np.save(directory / port["file"], words)
        (directory / "job.json").write_text(json.dumps(job))
        command = [str(executable), "+verilator+rand+reset+2", "+verilator+seed+1"]
        if waves:
            command += ["--trace", "--trace-file", str(log.with_name(f"waves{waves_suffix()}"))]
        with log.open("w") as stream:
            status = processes.run(
                command,
                # Memories of the design are read from files relative to the project.
                cwd=project.directory,
                env=_environment(directory, build_dir.resolve() / RESULTS),
                stdout=stream,
                stderr=subprocess.STDOUT,
            ).returncode
        return _collect(project, job, directory, status, log)


def _collect(
    project: RtlProject, job: dict[str, Any], directory: Path, status: int, log: Path
) -> SimulationResult:
    """Read what each phase left, and compare the phases."""
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
        result = json.loads(report.read_text())
        if result["failure"] is not None:
            raise DesignFailure(f"{project.top}, phase '{name}': {result['failure']}")
        words = [np.load(directory / f"{name}.{entry['file']}") for entry in job["outputs"]]
        if not phases:
            full_rate, expected = result, words
            outputs = [
                unpack(beats, port) for beats, port in zip(words, project.outputs, strict=True)
            ]
        _check_same(project, name, words, expected)
        phases.append(PhaseResult(name, phase["vectors"], result["cycles"], result["seconds"]))
    if status:
        raise DesignFailure(f"{project.top}: the simulator ended with status {status}; see {log}")
    return SimulationResult(
        outputs=outputs,
        latency_min=full_rate["latency_min"],
        latency_max=full_rate["latency_max"],
        interval=full_rate["interval"],
        phases=tuple(phases),
    )
