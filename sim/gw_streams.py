"""The cocotb test that passes streams of vectors through a design, one test per phase.

Runs inside the simulator around the module `gw_bench`. The job directory, named by the environment
variable GATEWRIGHT_JOB, holds job.json and a packed .npy file of beats per input port; each phase
leaves <phase>.json and a packed .npy file per output port. Whole streams travel as one array: the
simulation reads and writes them through gw_bench.cpp without calling Python.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import logging
import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, First, ReadOnly, RisingEdge, Timer
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Words = NDArray[np.uint32]  # one row per beat
    Stamps = NDArray[np.uint64]  # clock cycles of the first and the last beat, a row per vector

DIRECTORY = Path(os.environ["GATEWRIGHT_JOB"])
JOB: dict[str, Any] = json.loads((DIRECTORY / "job.json").read_text(encoding="utf-8"))
NOTING = 0.5  # seconds of wall time between two notes of progress
PERIOD = 2  # time steps per clock cycle: the simulator has no finer event
LISTED = 8  # names in a list of FIFOs
SETTINGS = (  # of a phase, which are signals of the bench
    "source_enter", "source_leave", "sink_enter", "sink_leave",
    "seed", "vectors", "pace", "patience", "limit", "drain",
)  # fmt: skip


class Fifo(NamedTuple):
    """What the bench knows about an instance of gw_fifo."""

    path: str  # below the top of the design
    depth: int
    highest: int  # beats held at most in this phase
    level: int  # this, and the output's valid and ready: when the simulation was given up
    valid: int
    ready: int


class Streams:
    """The buffers behind the ports of the bench, for a number of vectors."""

    def __init__(self, vectors: int) -> None:
        self._library = ctypes.CDLL(None)
        self._library.gw_bench_failure.restype = ctypes.c_char_p
        self._library.gw_bench_fifo_state.restype = ctypes.c_char_p
        self._library.gw_bench_clear_levels()
        self.vectors = vectors
        self.ports = [*JOB["inputs"], *JOB["outputs"]]
        self.words: list[Words] = []
        self.stamps: list[Stamps] = []
        for number, port in enumerate(self.ports):
            rows = vectors * port["beats"]
            if number < len(JOB["inputs"]):
                words = np.load(DIRECTORY / port["file"], mmap_mode="c")[:rows]
            else:
                words = np.zeros((rows, port["words"]), np.uint32)
            stamps = np.zeros((vectors, 2), np.uint64)
            self.words.append(words)
            self.stamps.append(stamps)
            self._library.gw_bench_attach(
                ctypes.c_uint32(number),
                words.ctypes.data_as(ctypes.c_void_p),
                stamps.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_size_t(port["words"]),
            )

    def split(self, arrays: list[Any]) -> tuple[list[Any], list[Any]]:
        """Split a list with one item per port into those of inputs and of outputs."""
        return arrays[: len(JOB["inputs"])], arrays[len(JOB["inputs"]) :]

    def fifos(self) -> list[Fifo]:
        """Every instance of gw_fifo in the design, by its path."""
        fifos: list[Fifo] = []
        numbers = (ctypes.c_uint32 * 5)()
        while path := self._library.gw_bench_fifo_state(ctypes.c_uint32(len(fifos)), numbers):
            # <anything>.gw_bench.dut.<path>.gw_bench_monitor
            inside = path.decode().split("gw_bench.dut.", 1)[1].rsplit(".", 1)[0]
            fifos.append(Fifo(inside, *numbers))
        return sorted(fifos)

    def failure(self) -> str | None:
        """The first broken rule of the protocol, in words."""
        port, beat, cycle = ctypes.c_uint32(), ctypes.c_uint32(), ctypes.c_uint64()
        rule = self._library.gw_bench_failure(
            ctypes.byref(port), ctypes.byref(beat), ctypes.byref(cycle)
        )
        if rule is None:
            return None
        at = self.ports[port.value]
        return (
            f"{at['prefix']}: {rule.decode()} "
            f"(vector {beat.value // at['beats']}, clock cycle {cycle.value})"
        )


def listed(names: list[str]) -> str:
    """Names on one line, however many there are."""
    more = [f"{len(names) - LISTED} more"] if len(names) > LISTED else []
    return ", ".join(names[:LISTED] + more)


def given_up(dut: Any, streams: Streams, phase: dict[str, Any]) -> str:
    """What each FIFO and each port was doing when a stuck simulation was stopped."""
    stuck: dict[str, list[str]] = {"full": [], "waiting": [], "starved": []}
    for fifo in streams.fifos():
        if fifo.valid and not fifo.ready:
            kind = "full" if fifo.depth and fifo.level >= fifo.depth else "waiting"
            stuck[kind].append(f"{fifo.path} ({fifo.level} of {fifo.depth})")
        elif fifo.ready and not fifo.valid:
            stuck["starved"].append(fifo.path)
    states = [f"{kind}: {listed(names)}" for kind, names in stuck.items() if names]
    for port in streams.ports:
        taken, tvalid, tready = (
            int(getattr(dut, f"{port['prefix']}_{name}").value)
            for name in ("taken", "tvalid", "tready")
        )
        states.append(
            f"{port['prefix']} tvalid={tvalid} tready={tready} "
            f"after {taken} of {streams.vectors * port['beats']} beats"
        )
    if int(dut.cycle.value) >= phase["limit"]:
        reason = (
            f"too slow: not finished after {phase['limit']} clock cycles, many times what the "
            "design's initiation interval accounts for"
        )
    else:
        reason = f"deadlock: no beat moved for {phase['patience']} clock cycles"
    return "; ".join([reason, *states])


async def note_progress(dut: Any, phase: str) -> None:
    """Note the clock cycle in a file about twice a second, for progress bars."""
    path = DIRECTORY / "progress.json"
    wait = 1000  # clock cycles
    while True:
        started = time.perf_counter()
        await Timer(wait * PERIOD, unit="step")
        note = json.dumps({"phase": phase, "cycles": int(dut.cycle.value)})
        path.write_text(note, encoding="utf-8")
        faster = NOTING / max(time.perf_counter() - started, 1e-6)
        wait = max(10, int(wait * min(faster, 10)))


async def reset(dut: Any) -> None:
    """Hold `rst` for one rising clock edge, which must be enough for every design."""
    await FallingEdge(dut.clk)
    dut.rst.value = 1
    dut.run.value = 0
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    dut.run.value = 1


def pauses(probability: float, seed: int) -> Iterator[bool]:
    """An endless pause generator for a stream driver."""
    generator = random.Random(seed)  # noqa: S311
    return (generator.random() < probability for _ in itertools.count())


class Drivers:
    """AXI4-Stream drivers of the cocotbext-axi package at every port: a second opinion."""

    def __init__(self, dut: Any, streams: Streams, phase: dict[str, Any]) -> None:
        self.streams = streams
        self.sources: list[AxiStreamSource] = []
        self.sinks: list[AxiStreamSink] = []
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)
        for number, port in enumerate(streams.ports):
            is_input = number < len(JOB["inputs"])
            driver = (AxiStreamSource if is_input else AxiStreamSink)(
                AxiStreamBus.from_prefix(dut, f"external_{port['prefix']}"),
                dut.clk,
                dut.rst,
                byte_lanes=1,  # a "byte" is a whole beat: frames are short lists of long integers
            )
            driver.log.setLevel(logging.WARNING)
            stall = phase["input_idle" if is_input else "output_stall"]
            if stall:
                driver.set_pause_generator(pauses(stall, phase["seed"] + number))
            (self.sources if is_input else self.sinks).append(driver)

    def send(self) -> None:
        """Queue every vector of every input as a frame."""
        inputs, _ = self.streams.split(self.streams.words)
        for port, words, source in zip(JOB["inputs"], inputs, self.sources, strict=True):
            beats = [int.from_bytes(row.tobytes(), "little") for row in words]
            for first in range(0, len(beats), port["beats"]):
                source.send_nowait(AxiStreamFrame(beats[first : first + port["beats"]]))

    def receive(self) -> str | None:
        """Replace the recorded outputs by the received frames; what is wrong with them, if any."""
        _, outputs = self.streams.split(self.streams.words)
        for port, words, sink in zip(JOB["outputs"], outputs, self.sinks, strict=True):
            if sink.count() != self.streams.vectors:
                return (
                    f"{port['prefix']}: cocotbext-axi received {sink.count()} frames, "
                    f"expected {self.streams.vectors}"
                )
            for vector in range(self.streams.vectors):
                frame = sink.recv_nowait(compact=False).tdata
                if len(frame) != port["beats"]:
                    return (
                        f"{port['prefix']}: cocotbext-axi received {len(frame)} beats "
                        f"in vector {vector}, expected {port['beats']}"
                    )
                for beat, value in enumerate(frame):
                    row = value.to_bytes(words.shape[1] * 4, "little")
                    words[vector * port["beats"] + beat] = np.frombuffer(row, np.uint32)
        return None


def measure(streams: Streams) -> dict[str, int | float]:
    """Latency and interval, in clock cycles, as gatewright.simulate.Measured defines them."""
    inputs, outputs = (np.array(stamps, np.int64) for stamps in streams.split(streams.stamps))
    begun = inputs[:, :, 0].min(axis=0)
    first, last = outputs.max(axis=0).T
    result: dict[str, int | float] = {}
    for name, given in (("latency", first), ("latency_last", last)):
        result[f"{name}_min"] = int((given - begun).min())
        result[f"{name}_max"] = int((given - begun).max())
    distances = np.diff(last)
    if len(distances):
        steady = distances[len(distances) // 2 :]
        result["interval"] = float(steady.mean())
        result["interval_min"] = int(steady.min())
        result["interval_max"] = int(steady.max())
    return result


@cocotb.test
@cocotb.parametrize(phase=JOB["phases"])
async def streams(dut: Any, phase: dict[str, Any]) -> None:
    """Pass the first `vectors` vectors through the design under the stalls of a phase."""
    streams = Streams(phase["vectors"])
    external = phase["external"]
    for name in SETTINGS:
        getattr(dut, name).value = phase[name]
    dut.external.value = external
    dut.rst.value = 1  # registers start at random values: nothing counts before a reset
    dut.run.value = 0
    Clock(dut.clk, PERIOD, unit="step", impl="gpi").start(start_high=False)

    drivers = Drivers(dut, streams, phase) if external else None
    stop = RisingEdge(dut.stop)
    for cycles in phase["resets"]:
        await reset(dut)
        await First(stop, Timer(cycles * PERIOD, unit="step"))
    await reset(dut)
    if drivers:
        drivers.send()

    noting = cocotb.start_soon(note_progress(dut, phase["name"]))
    started = time.perf_counter()
    await stop
    await ReadOnly()
    seconds = time.perf_counter() - started
    noting.cancel()
    cycles = int(dut.cycle.value)

    failure = streams.failure()
    if failure is None and dut.stuck.value:
        await RisingEdge(dut.clk)  # the monitors of the FIFOs report
        await ReadOnly()
        failure = given_up(dut, streams, phase)
    if failure is None and drivers:
        failure = drivers.receive()
    result: dict[str, Any] = {"cycles": cycles, "seconds": seconds, "failure": failure}
    if failure is None:
        result["timing"] = measure(streams)
        result["levels"] = {fifo.path: fifo.highest for fifo in streams.fifos()}
        for port, words in zip(JOB["outputs"], streams.split(streams.words)[1], strict=True):
            np.save(DIRECTORY / f"{phase['name']}.{port['file']}", words)
    (DIRECTORY / f"{phase['name']}.json").write_text(json.dumps(result), encoding="utf-8")
    assert failure is None, failure
