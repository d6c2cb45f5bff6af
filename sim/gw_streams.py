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
from typing import TYPE_CHECKING, Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, First, ReadOnly, RisingEdge, Timer
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Words = NDArray[np.uint32]  # one row per beat
    Stamps = NDArray[np.uint64]  # clock cycle per vector

DIRECTORY = Path(os.environ["GATEWRIGHT_JOB"])
JOB: dict[str, Any] = json.loads((DIRECTORY / "job.json").read_text())
PERIOD = 2  # time steps per clock cycle: the simulator has no finer event


class Streams:
    """The buffers behind the ports of the bench, for a number of vectors."""

    def __init__(self, vectors: int) -> None:
        self._library = ctypes.CDLL(None)
        self._library.gw_bench_failure.restype = ctypes.c_char_p
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
            stamps = np.zeros(vectors, np.uint64)
            self.words.append(words)
            self.stamps.append(stamps)
            self._library.gw_bench_attach(
                ctypes.c_uint32(number),
                words.ctypes.data_as(ctypes.c_void_p),
                stamps.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_size_t(port["words"]),
            )

    def split(self, arrays: list[Any]) -> tuple[list[Any], list[Any]]:
        """The part of a list with one item per port that belongs to inputs, and to outputs."""
        return arrays[: len(JOB["inputs"])], arrays[len(JOB["inputs"]) :]

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


def deadlock(dut: Any, streams: Streams) -> str:
    """What each port is doing while nothing moves."""
    states = []
    for port in streams.ports:
        taken, tvalid, tready = (
            int(getattr(dut, f"{port['prefix']}_{name}").value)
            for name in ("taken", "tvalid", "tready")
        )
        states.append(
            f"{port['prefix']} tvalid={tvalid} tready={tready} "
            f"after {taken} of {streams.vectors * port['beats']} beats"
        )
    return f"deadlock: no beat moved for {JOB['patience']} clock cycles; " + "; ".join(states)


async def reset(dut: Any) -> None:
    """Hold `rst` for one rising clock edge, which is all that a design may ask for."""
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
        """Replace the recorded outputs by the frames that came; what is wrong with them, if any."""
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


def measure(streams: Streams) -> dict[str, Any]:
    """Latency of each vector and the mean interval between vectors, in clock cycles.

    Latency runs from a vector's first transfer at any input to the first transfer of its result at
    the output that gives it last.
    """
    inputs, outputs = streams.split(streams.stamps)
    given = np.max(outputs, axis=0).astype(np.int64)
    latency = given - np.min(inputs, axis=0).astype(np.int64)
    span = int(given[-1] - given[0])
    return {
        "latency_min": int(latency.min()),
        "latency_max": int(latency.max()),
        "interval": span / (len(given) - 1) if len(given) > 1 else None,
    }


@cocotb.test
@cocotb.parametrize(phase=JOB["phases"])
async def streams(dut: Any, phase: dict[str, Any]) -> None:
    """Pass the first `vectors` vectors through the design under the stalls of a phase."""
    streams = Streams(phase["vectors"])
    external = phase["external"]
    for name in ("source_enter", "source_leave", "sink_enter", "sink_leave", "seed", "vectors"):
        getattr(dut, name).value = phase[name]
    dut.patience.value = JOB["patience"]
    dut.drain.value = JOB["drain"]
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

    started = time.perf_counter()
    await stop
    await ReadOnly()
    seconds = time.perf_counter() - started
    cycles = int(dut.cycle.value)

    failure = streams.failure()
    if failure is None and dut.stuck.value:
        failure = deadlock(dut, streams)
    if failure is None and drivers:
        failure = drivers.receive()
    result: dict[str, Any] = {"cycles": cycles, "seconds": seconds, "failure": failure}
    if failure is None:
        result |= measure(streams)
        for port, words in zip(JOB["outputs"], streams.split(streams.words)[1], strict=True):
            np.save(DIRECTORY / f"{phase['name']}.{port['file']}", words)
    (DIRECTORY / f"{phase['name']}.json").write_text(json.dumps(result))
    assert failure is None, failure
