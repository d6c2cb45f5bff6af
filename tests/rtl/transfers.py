"""Passes tensors through stream modules of the library and checks every transfer, in any timing.

All units run in one simulation, each with sources and a sink of its own, through phases that each
begin with a reset: at full rate, under several patterns of random stalls, and phases that the next
reset cuts short. Every transfer is recorded with its clock cycles; beats are compared with those
expected, and cycles with a unit's timing, which says when each transfer ought to happen, given what
the other side of the unit did.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tools import build_bench, verilator, yosys

from gatewright.system.package_data import data_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Phase:
    """How the sources and sinks behave: per cent of chances per clock cycle, and when it ends."""

    name: str
    idle: tuple[int, int] = (0, 0)  # of a source: to begin a pause, to go on with it
    stall: tuple[int, int] = (0, 0)  # of a sink
    cycles: int = 0  # the next reset comes after so many; 0 when all beats have come

    @property
    def complete(self) -> bool:
        return self.cycles == 0


FULL_RATE = Phase("full rate")
PHASES = (
    FULL_RATE,
    *(Phase(f"reset after {cycles}", (30, 30), (30, 30), cycles) for cycles in (1, 2, 5, 11, 37)),
    Phase("random", (30, 30), (30, 30)),
    Phase("slow input", (70, 70), (0, 0)),
    Phase("reset at full rate", cycles=23),
    Phase("backpressure", (0, 0), (70, 70)),
    Phase("bursts", (5, 90), (5, 90)),
)


@dataclass(frozen=True)
class Unit:
    """An instance under test: its module, parameters, what to send into it, what should come."""

    module: str
    parameters: dict[str, object]  # as SystemVerilog prints them
    bits: int  # of an input beat
    out_bits: int
    inputs: tuple[NDArray[np.int64], ...]  # beats per input
    outputs: list[int | None]  # beats; None for one that may be anything
    tensors: int  # that the beats make up
    cycles: int  # per tensor, at full rate
    timing: Timing


# From the transfers at the ports: the clock cycles in which the output beats should first be
# offered, and for each input those in which its beats should be taken.
Timing = Callable[["Record"], tuple[list[int], list[list[int]]]]


@dataclass
class Transfers:
    """The transfers at one port, in order: clock cycles since reset, and data."""

    offered: list[int] = field(default_factory=list)  # when valid rose for this beat
    taken: list[int] = field(default_factory=list)
    data: list[int] = field(default_factory=list)  # of an output


@dataclass
class Record:
    """What happened at the ports of one instance in one phase."""

    inputs: list[Transfers]
    output: Transfers


_DRIVERS = """
module bench_source #(
  parameter int Unit = 0,
  parameter int Port = 0,
  parameter int Bits = 8,
  parameter int Beats = 1
) (
  input logic clk, rst,
  input int phase, cycle, enter, stay,
  output logic valid, done,
  input logic ready,
  output logic [Bits-1:0] data
);
  logic [Bits-1:0] beats[Beats];
  int index, offered;
  logic pause;
  initial $readmemh($sformatf("stimuli_%0d_%0d.hex", Unit, Port), beats);
  assign done = index == Beats && !valid;
  always_ff @(posedge clk) begin
    pause <= $urandom_range(99) < (pause ? stay : enter);
    if (rst) begin
      valid <= 1'b0;
      index <= 0;
    end else if (!valid || ready) begin
      if (valid) $display("i %0d %0d %0d %0d %0d", phase, Unit, Port, offered, cycle);
      valid <= 1'b0;
      data <= ~data;  // not to be read
      if (index < Beats && !pause) begin
        valid <= 1'b1;
        data <= beats[index];
        index <= index + 1;
        offered <= cycle + 1;
      end
    end
  end
endmodule

module bench_sink #(
  parameter int Unit = 0,
  parameter int Bits = 8,
  parameter int Beats = 1
) (
  input logic clk, rst,
  input int phase, cycle, enter, stay,
  input logic valid,
  output logic ready, done,
  input logic [Bits-1:0] data
);
  int count, offered;
  logic waiting;
  logic [Bits-1:0] held;
  assign done = count >= Beats;
  always_ff @(posedge clk) begin
    ready <= $urandom_range(99) >= (ready ? enter : stay);
    waiting <= !rst && valid && !ready;
    held <= data;
    if (rst) begin
      count <= 0;
    end else begin
      if (waiting && !valid) $display("bad %0d %0d valid fell at %0d", phase, Unit, cycle);
      if (waiting && data != held) $display("bad %0d %0d data changed at %0d", phase, Unit, cycle);
      if (valid && !waiting) offered <= cycle;
      if (valid && ready) begin
        $display("o %0d %0d %h %0d %0d", phase, Unit, data, waiting ? offered : cycle, cycle);
        count <= count + 1;
      end
    end
  end
endmodule
"""

_TOP = """
module bench (input logic clk);
  localparam int Phases = {phases};
  localparam int IdleEnter[Phases] = '{{{idle_enter}}};
  localparam int IdleStay[Phases] = '{{{idle_stay}}};
  localparam int StallEnter[Phases] = '{{{stall_enter}}};
  localparam int StallStay[Phases] = '{{{stall_stay}}};
  localparam int Cycles[Phases] = '{{{cycles}}};
  logic rst = 1'b1;
  int phase = 0, cycle = 0, rest = 0;
  int ie, is, se, ss;
  logic [{last}:0] done;
  assign ie = IdleEnter[phase];
  assign is = IdleStay[phase];
  assign se = StallEnter[phase];
  assign ss = StallStay[phase];
  always_ff @(posedge clk) begin
    rst <= 1'b0;
    cycle <= rst ? 0 : cycle + 1;
    rest <= !rst && &done ? rest + 1 : 0;
    if (!rst && (rest == 20 || cycle == Cycles[phase])) begin
      rst <= 1'b1;
      phase <= phase + 1;
      if (phase == Phases - 1) $finish;
    end
  end
{drivers}
  units u_units (.*);
endmodule
"""


def _drivers(number: int, unit: Unit) -> str:
    inputs = range(len(unit.inputs))
    prefix = f"u{number}"
    lines = [
        f"logic [{len(inputs) - 1}:0] {prefix}_iv, {prefix}_ir, {prefix}_id;",
        f"logic [{len(inputs) * unit.bits - 1}:0] {prefix}_in;",
        f"logic {prefix}_ov, {prefix}_or, {prefix}_od;",
        f"logic [{unit.out_bits - 1}:0] {prefix}_out;",
        f"assign done[{number}] = &{prefix}_id && {prefix}_od;",
    ]
    lines += [
        f"bench_source #({number}, {port}, {unit.bits}, {len(unit.inputs[port])}) "
        f"{prefix}_source_{port} (.clk, .rst, .phase, .cycle, .enter(ie), .stay(is), "
        f".valid({prefix}_iv[{port}]), .ready({prefix}_ir[{port}]), .done({prefix}_id[{port}]), "
        f".data({prefix}_in[{port * unit.bits}+:{unit.bits}]));"
        for port in inputs
    ]
    lines += [
        f"bench_sink #({number}, {unit.out_bits}, {len(unit.outputs)}) {prefix}_sink "
        f"(.clk, .rst, .phase, .cycle, .enter(se), .stay(ss), .valid({prefix}_ov), "
        f".ready({prefix}_or), .done({prefix}_od), .data({prefix}_out));",
    ]
    return "\n".join(f"  {line}" for line in lines)


def _top(units: Sequence[Unit], phases: Sequence[Phase], longest: int) -> str:
    return _DRIVERS + _TOP.format(
        phases=len(phases),
        idle_enter=", ".join(str(phase.idle[0]) for phase in phases),
        idle_stay=", ".join(str(phase.idle[1]) for phase in phases),
        stall_enter=", ".join(str(phase.stall[0]) for phase in phases),
        stall_stay=", ".join(str(phase.stall[1]) for phase in phases),
        cycles=", ".join(str(phase.cycles or longest) for phase in phases),
        last=len(units) - 1,
        drivers="\n".join(_drivers(number, unit) for number, unit in enumerate(units)),
    )


def _units(units: Sequence[Unit]) -> str:
    """A module `units` that holds every unit."""
    ports, instances = ["input logic clk, rst"], []
    for number, unit in enumerate(units):
        prefix, inputs = f"u{number}", len(unit.inputs)
        ports += [
            f"input logic [{inputs - 1}:0] {prefix}_iv",
            f"output logic [{inputs - 1}:0] {prefix}_ir",
            f"input logic [{inputs * unit.bits - 1}:0] {prefix}_in",
            f"output logic {prefix}_ov",
            f"input logic {prefix}_or",
            f"output logic [{unit.out_bits - 1}:0] {prefix}_out",
        ]
        parameters = ", ".join(f".{name}({value})" for name, value in unit.parameters.items())
        instances.append(
            f"  {unit.module} #({parameters}) {prefix} (.clk, .rst,\n"
            f"    .in_valid({prefix}_iv), .in_ready({prefix}_ir), .in_data({prefix}_in),\n"
            f"    .out_valid({prefix}_ov), .out_ready({prefix}_or), .out_data({prefix}_out));\n"
        )
    return f"module units (\n  {', '.join(ports)}\n);\n{''.join(instances)}endmodule\n"


def _synthesize(reader: str, files: Sequence[Path], directory: Path) -> None:
    """Have Yosys make a netlist of `units.sv`, through one of its readers."""
    options = {"read_verilog": "-sv", "read_slang": "--top units"}[reader]
    yosys(
        [
            f"{reader} {options} {' '.join(map(str, files))} units.sv",
            "synth -flatten -noabc -top units",
            "check -assert",
            "write_verilog -noattr netlist.v",
        ],
        directory,
    )


def lint(files: Sequence[Path], module: str, parameters: dict[str, object], cwd: Path) -> str:
    """Verilator's messages on a module with these parameters; "" if it has none."""
    values = [f"-G{name}={value}" for name, value in parameters.items()]
    done = verilator(
        "--lint-only", "-Wall", "--no-timing", "--top-module", module, *values, *map(str, files),
        cwd=cwd,
    )  # fmt: skip
    return "\n".join(line for line in done.stderr.splitlines() if line.startswith("%"))


def rtl(*names: str) -> list[Path]:
    """Files of the library."""
    return [data_dir("rtl") / f"{name}.sv" for name in names]


def run(
    units: Sequence[Unit],
    files: Sequence[Path],
    directory: Path,
    phases: Sequence[Phase],
    reader: str | None = None,
    longest: int = 0,
) -> list[list[Record]]:
    """Simulate all units, or their netlists, through all phases; a record per phase and unit.

    Fails if a unit breaks the protocol. Whether all beats came is the caller's to check; a phase
    ends after `longest` clock cycles, or, unless given, as many as any unit of the library takes.
    """
    for number, unit in enumerate(units):
        for port, beats in enumerate(unit.inputs):
            text = "".join(f"{beat:x}\n" for beat in beats.tolist())
            (directory / f"stimuli_{number}_{port}.hex").write_text(text)
    beats = max(len(unit.outputs) + sum(map(len, unit.inputs)) for unit in units)
    longest = longest or 200 + 40 * beats
    (directory / "bench.sv").write_text(_top(units, phases, longest))
    (directory / "units.sv").write_text(_units(units))
    sources = ["units.sv", *map(str, files)]
    if reader:
        _synthesize(reader, files, directory)
        sources = ["-Wno-UNOPTFLAT", "netlist.v"]  # loops of whole vectors, not of their bits
    binary = build_bench(directory, "--x-initial", "unique", "-Wno-lint", "-Wno-style", *sources)
    done = subprocess.run(
        [binary, "+verilator+rand+reset+2", "+verilator+seed+1"],
        cwd=directory, capture_output=True, text=True, check=True,
    )  # fmt: skip

    records = [
        [Record([Transfers() for _ in unit.inputs], Transfers()) for unit in units] for _ in phases
    ]
    for line in done.stdout.splitlines():
        kind, *words = line.split()
        if kind not in ("i", "o", "bad"):  # the simulator's own
            continue
        at, index, *words = words
        assert kind != "bad", f"phase '{phases[int(at)].name}', unit {index} {' '.join(words)}"
        record = records[int(at)][int(index)]
        transfers = record.inputs[int(words[0])] if kind == "i" else record.output
        if kind == "o":
            transfers.data.append(int(words[0], 16))
        transfers.offered.append(int(words[1]))
        transfers.taken.append(int(words[2]))
    return records


def check(
    units: Sequence[Unit],
    files: Sequence[Path],
    directory: Path,
    phases: Sequence[Phase] = PHASES,
    reader: str | None = None,
) -> None:
    """Hold all units, or the netlists that Yosys reads, to their beats and timing in all phases."""
    records = run(units, files, directory, phases, reader)
    for phase, row in zip(phases, records, strict=True):
        for unit, record in zip(units, row, strict=True):
            where = f"{unit.module} {unit.parameters}, phase '{phase.name}'"
            out = record.output
            for number, (beat, expected) in enumerate(zip(out.data, unit.outputs, strict=False)):
                assert expected in (beat, None), f"{where}: beat {number}"
            if not phase.complete:
                assert len(out.data) <= len(unit.outputs), where
                continue
            assert len(out.data) == len(unit.outputs), where
            for port, beats in zip(record.inputs, unit.inputs, strict=True):
                assert len(port.taken) == len(beats), where
            offered, taken = unit.timing(record)
            assert out.offered == offered, where
            assert [port.taken for port in record.inputs] == taken, where
            if phase is FULL_RATE:
                starts = out.taken[:: len(out.taken) // unit.tensors]
                assert set(np.diff(starts).tolist()) == {unit.cycles}, where


def packed(pixels: NDArray[np.int64], bits: int) -> list[int]:
    """Rows of numbers as beats, the first number in the least significant bits."""
    return [sum(value << (i * bits) for i, value in enumerate(row)) for row in pixels.tolist()]


def images(count: int, height: int, width: int, bits: int, seed: int) -> NDArray[np.int64]:
    """Random images of shape (count, height, width)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 1 << bits, (count, height, width))
