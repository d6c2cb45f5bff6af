"""Switching activity: transitions of every net of a netlist, simulated at full rate by Icarus."""

from __future__ import annotations

import functools
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gatewright.errors import DesignFailure, InputError, MissingToolError
from gatewright.silicon.static_timing import CLOCK, DELAYS
from gatewright.simulate.packing import pack, unpack, words_per_beat
from gatewright.system import processes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gatewright.rtl.manifest import Port, RtlProject
    from gatewright.silicon.netlist import Netlist

    Values = NDArray[np.int64]

#: Gate delays in simulation: none, or from an SDF file.
Delays = Literal["none", "sdf"]

_BENCH, _MODELS, _WAVES, _PROGRAM = "bench.v", "models.v", "activity.vcd", "bench.vvp"
_COMPILE_SECONDS, _SECONDS = 1800, 2 * 3600
_LARGEST = 8 << 30
"""Largest size of the file of waves, in bytes."""
_CHUNK = 1 << 24
_RESET_CYCLES = 8


@dataclass(frozen=True)
class Activity:
    """The switching activity in a window of a run.

    Attributes:
        transitions: number of transitions of each net in the window, by its first name.
        cycles: clock cycles of the window, from the last beat of the first output tensor to the
            last input beat.
        interval: initiation interval measured at the outputs, in cycles.
    """

    transitions: dict[str, int]
    cycles: int
    interval: float


@functools.cache
def simulator_version() -> str:
    """Version of Icarus Verilog.

    Raises:
        MissingToolError: if it is not on PATH.
        InputError: if it doesn't run.
    """
    for name in ("iverilog", "vvp"):
        if shutil.which(name) is None:
            raise MissingToolError(
                f"Icarus Verilog ({name}) is not on PATH; to get it, type: apt-get install iverilog"
            )
    limits = processes.Limits(what="iverilog -V", seconds=60)
    said = processes.run(["iverilog", "-V"], limits=limits).stdout
    found = re.search(r"version ([0-9][^ ]{0,40})", said)
    if found is None:
        raise InputError("iverilog -V: prints no version of Icarus Verilog")
    return found[1]


@dataclass(frozen=True, kw_only=True)
class GateRun:
    """A gate-level simulation of a netlist.

    Attributes:
        project: the design.
        netlist: its netlist.
        models: Verilog models of its cells.
        inputs: raw values per input port, int64 of shape (n, elements).
        expected: golden raw values per output port, int64 of shape (n, elements).
        period_ns: clock period, in ns.
    """

    project: RtlProject
    netlist: Netlist
    models: str
    inputs: Sequence[Values]
    expected: Sequence[Values]
    period_ns: float

    def count(self, delays: Delays) -> Activity:
        """Run the simulation, check the outputs, and count transitions.

        Raises:
            DesignFailure: if an output differs from the golden one, or outputs are missing.
            InputError: if Icarus Verilog is not installed.
        """
        simulator_version()
        folder = self.netlist.directory
        (folder / _MODELS).write_text(self.models, encoding="ascii")
        (folder / _BENCH).write_text(_Bench(self, delays).text, encoding="ascii")
        for number, (port, words) in enumerate(zip(self.project.inputs, self.inputs, strict=True)):
            _write_words(folder / f"input{number}.hex", pack(words, port))
        options = ["-gspecify", "-Tmax"] if delays == "sdf" else ["-gno-specify"]
        sources = [_MODELS, self.netlist.file.name, _BENCH]
        compiler = ["iverilog", "-g2005", *options, "-o", _PROGRAM]
        self._tool([*compiler, *sources], _COMPILE_SECONDS)
        said = self._tool(["vvp", "-n", _PROGRAM], _SECONDS)
        self._check_outputs()
        found = re.search(r"^gatewright:window ([0-9]+) ([0-9]+)$", said, flags=re.MULTILINE)
        if found is None or int(found[2]) <= int(found[1]):
            raise DesignFailure(f"{self._what}: too few vectors for a full pipeline; give more")
        transitions = _transitions(folder / _WAVES, self.netlist)
        for name in (_MODELS, _BENCH, _PROGRAM, _WAVES):
            (folder / name).unlink()
        for path in (*folder.glob("input*.hex"), *folder.glob("output*.hex")):
            path.unlink()
        return Activity(transitions, int(found[2]) - int(found[1]), self._interval(said))

    @property
    def _what(self) -> str:
        return f"{self.netlist.top}: gate-level simulation"

    def _tool(self, command: Sequence[str], seconds: float) -> str:
        limits = processes.Limits(
            what=f"{self._what} ({command[0]})", seconds=seconds, file=_LARGEST
        )
        done = processes.run(command, cwd=self.netlist.directory, limits=limits)
        if done.returncode:
            reason = processes.complaint(done.stderr or done.stdout)
            raise DesignFailure(f"{self._what}: {command[0]} failed: {reason[:300]}")
        if "SDF ERROR" in done.stderr or "SDF ERROR" in done.stdout:
            raise DesignFailure(f"{self._what}: {command[0]} rejected the delays ({DELAYS})")
        return done.stdout

    def _interval(self, said: str) -> float:
        ends = [int(found) for found in re.findall(r"^gatewright:tensor ([0-9]+)$", said, re.M)]
        return (ends[-1] - ends[0]) / (len(ends) - 1)

    def _check_outputs(self) -> None:
        for number, (port, golden) in enumerate(
            zip(self.project.outputs, self.expected, strict=True)
        ):
            path = self.netlist.directory / f"output{number}.hex"
            lines = path.read_text(encoding="ascii").split() if path.is_file() else []
            beats = len(golden) * port.beats
            if len(lines) < beats:
                raise DesignFailure(
                    f"{self._what}: output '{port.tensor}' gave {len(lines)} of {beats} beats"
                )
            try:
                words = _read_words(lines[:beats], port)
            except ValueError:
                raise DesignFailure(
                    f"{self._what}: output '{port.tensor}' has unknown bits"
                ) from None
            got, want = unpack(words, port), golden.reshape(len(golden), -1)
            if not np.array_equal(got, want):
                vector, element = np.argwhere(got != want)[0]
                raise DesignFailure(
                    f"{self._what}: output '{port.tensor}', vector {vector}, element {element}: "
                    f"golden {want[vector, element]}, netlist {got[vector, element]} (raw values)"
                )


def _write_words(path: Path, words: NDArray[np.uint32]) -> None:
    """Write a file for $readmemh with one line per beat."""
    octets = np.ascontiguousarray(words.astype("<u4")).view(np.uint8)[:, ::-1]
    path.write_text("".join(f"{row.tobytes().hex()}\n" for row in octets), encoding="ascii")


def _read_words(lines: Sequence[str], port: Port) -> NDArray[np.uint32]:
    digits = 8 * words_per_beat(port)
    data = b"".join(bytes.fromhex(line.zfill(digits))[::-1] for line in lines)
    return np.frombuffer(data, "<u4").reshape(len(lines), -1)


def _transitions(path: Path, netlist: Netlist) -> dict[str, int]:
    """The number of times that each net changed to 0 or 1 after its initial value."""
    counts: Counter[bytes] = Counter()
    with path.open("rb") as file:
        codes = {}
        for line in file:
            words = line.split()
            if words[:2] == [b"$var", b"wire"] or words[:2] == [b"$var", b"reg"]:
                codes[words[4].decode().removeprefix("\\")] = words[3]
            elif words[:1] == [b"$dumpvars"]:
                break
        for line in file:
            if line.startswith(b"$end"):
                break
        rest = b""
        while chunk := file.read(_CHUNK):
            text, found, rest = (rest + chunk).rpartition(b"\n")
            if not found:
                continue
            before, ended, _ = text.partition(b"$dumpoff")
            counts.update(before.split())
            if ended:
                break
    missing = [name for name in netlist.names if name not in codes]
    if missing:
        raise DesignFailure(f"{netlist.top}: the simulation has no net '{missing[0]}'")
    return {name: counts[b"0" + codes[name]] + counts[b"1" + codes[name]] for name in netlist.names}


@dataclass(frozen=True)
class _Bench:
    """The test bench of a netlist, which never stalls its inputs or outputs."""

    run: GateRun
    delays: Delays

    @property
    def text(self) -> str:
        """The module, in Verilog-2005."""
        project, count = self.run.project, len(self.run.inputs[0])
        half = self.run.period_ns / 2
        latest = project.latency + (count + 4) * project.interval
        parts = [
            "`timescale 1ns/1ps",
            "module bench;",
            f"  reg {CLOCK} = 0, rst = 1;",
            "  integer cycle = 0, begun = 0, ended = 0, waiting = 0;",
            f"  always #{half:.4f} {CLOCK} = ~{CLOCK};",
            *(self._source(number, port, count) for number, port in enumerate(project.inputs)),
            *(self._sink(number, port, count) for number, port in enumerate(project.outputs)),
            f"  {project.top} dut (",
            ",\n".join(f"    .{name}({self._joined(name)})" for name in self.run.netlist.ports),
            "  );",
            "  initial begin",
            *([f'    $sdf_annotate("{DELAYS}", dut);'] if self.delays == "sdf" else []),
            f'    $dumpfile("{_WAVES}");',
            f"    repeat ({_RESET_CYCLES}) @(posedge {CLOCK});",
            f"    rst <= #{self._hold:.4f} 0;",
            "  end",
            self._end(count, 4 * latest + 1000),
            "endmodule",
        ]
        return "\n".join(parts) + "\n"

    @property
    def _hold(self) -> float:
        """Time from the clock edge to changes of inputs, in ns."""
        return self.run.period_ns / 100

    def _source(self, number: int, port: Port, count: int) -> str:
        beats, width, hold = count * port.beats, port.tdata_width, f"{self._hold:.4f}"
        lane = f"in{number}"
        return f"""
  reg [{width - 1}:0] {lane}_beats [0:{beats - 1}];
  reg [{width - 1}:0] {lane}_data = 0;
  reg {lane}_valid = 0, {lane}_last = 0;
  wire {lane}_ready;
  integer {lane}_next = 0, {lane}_taken = 0;
  initial $readmemh("input{number}.hex", {lane}_beats);
  always @(posedge {CLOCK}) if (!rst) begin
    if ({lane}_valid && {lane}_ready) {lane}_taken = {lane}_taken + 1;
    if (!{lane}_valid || {lane}_ready) begin
      {lane}_valid <= #{hold} {lane}_next < {beats};
      if ({lane}_next < {beats}) begin
        {lane}_data <= #{hold} {lane}_beats[{lane}_next];
        {lane}_last <= #{hold} ({lane}_next + 1) % {port.beats} == 0;
      end
      {lane}_next = {lane}_next + 1;
    end
  end"""

    def _sink(self, number: int, port: Port, count: int) -> str:
        beats, width = count * port.beats, port.tdata_width
        lane = f"out{number}"
        keep = f"\n  wire [{port.keep_bits - 1}:0] {lane}_keep;" if port.keep else ""
        told = f"""
      if ({lane}_count % {port.beats} == 0) $display("gatewright:tensor %0d", cycle);"""
        return f"""
  wire [{width - 1}:0] {lane}_data;
  wire {lane}_valid, {lane}_last;{keep}
  integer {lane}_count = 0, {lane}_file;
  initial {lane}_file = $fopen("output{number}.hex");
  always @(posedge {CLOCK}) if (!rst && {lane}_valid === 1'b1 && {lane}_count < {beats}) begin
      $fdisplay({lane}_file, "%h", {lane}_data);
      {lane}_count = {lane}_count + 1;{told if number == 0 else ""}
  end"""

    def _end(self, count: int, most: int) -> str:
        project = self.run.project
        lanes = list(enumerate(project.outputs))
        first = " && ".join(f"out{n}_count >= {port.beats}" for n, port in lanes)
        taken = " || ".join(
            f"in{n}_taken >= {count * port.beats}" for n, port in enumerate(project.inputs)
        )
        whole = " && ".join(f"out{n}_count >= {count * port.beats}" for n, port in lanes)
        # The window begins and ends late in a cycle, when all signals have settled.
        late = 0.75 * self.run.period_ns
        return f"""
  always @(posedge {CLOCK}) begin
    cycle = cycle + 1;
    #{late:.4f};
    if (begun == 0 && {first}) begin
      begun = cycle;
      $dumpvars(1, dut);
    end else if (begun != 0 && ended == 0 && ({taken})) begin
      ended = cycle;
      $dumpoff;
      $display("gatewright:window %0d %0d", begun, ended);
    end
    if (({whole}) || cycle > {most}) $finish;
  end"""

    def _joined(self, name: str) -> str:
        """The signal that a port of the netlist is connected to."""
        if name in (CLOCK, "rst"):
            return name
        project = self.run.project
        for side, ports in (("in", project.inputs), ("out", project.outputs)):
            for number, port in enumerate(ports):
                signal, _, bit = name.removeprefix(f"{port.prefix}_t").partition("_")
                if not name.startswith(f"{port.prefix}_t") or (bit and not bit.isdigit()):
                    continue
                if signal == "ready":
                    return f"{side}{number}_ready" if side == "in" else "1'b1"
                if signal in ("valid", "last", "keep", "data"):
                    return f"{side}{number}_{signal}" + (f"[{bit}]" if bit else "")
        raise DesignFailure(f"{self.run.netlist.top}: port '{name}' belongs to no stream")
