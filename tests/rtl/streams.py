"""Drives stream modules of the library in one simulation and checks every cycle of each.

Each unit has a source and a sink of its own that stall at random; one reset is common to all. The
trace of all ports is then followed by a model in Python, which says for every clock cycle which
beat must be offered, if any, and whether the unit must be ready to take one.
"""

from __future__ import annotations

import re
import subprocess
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from tools import build_bench, yosys

from gatewright.rtl.library import library_files
from gatewright.system.package_data import data_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

RTL = data_dir("rtl")
FULL_RATE = 150
"""Cycles of the first phase, in which nothing stalls."""
FULL = (1.0, 1.0)
RATES = (FULL, (0.5, 0.5), (1.0, 0.2), (0.2, 1.0), (0.8, 0.8))
"""Fraction of the cycles in which a source has a beat and a sink takes one, phase by phase."""


@dataclass(frozen=True)
class Unit:
    """One module with its parameters, and what it must do.

    Every `beats_in` beats that are taken become the beats that `function` makes of them, which are
    offered from the next cycle on. `function` is told how many such sets came before since reset.

    A unit of depth 0 is wires. Of depth 1, it takes a beat when it holds none to offer, or when the
    last one leaves. Of a greater depth, when it holds fewer beats than that, whatever the sink
    does.
    """

    module: str
    parameters: dict[str, int | str]
    in_width: int
    out_width: int
    function: Callable[[list[int], int], list[int]]
    beats_in: int = 1
    beats_out: int | tuple[int, ...] = 1  # of a set, or of each of several sets in turn
    depth: int = 1
    body: str = "{module} #({parameters}) u_dut ({ports});"
    probe: str = ""  # an internal signal that counts the beats held
    model: Callable[[Unit], Model] | None = None  # one of its own, if the above does not say it


@dataclass
class Model:
    """Follows a unit through the clock cycles since reset."""

    unit: Unit
    taken: list[int] = field(default_factory=list)
    offers: deque[int] = field(default_factory=deque)
    sets: int = 0

    def look(self, beat: int | None, out_ready: bool) -> tuple[bool | None, int | None]:
        """Whether the unit must be ready for `beat`, and which beat it must offer, if any.

        None if it is free to be ready or not.
        """
        if self.unit.depth == 0:
            return out_ready, beat
        offer = self.offers[0] if self.offers else None
        if self.unit.depth == 1:
            return offer is None or (len(self.offers) == 1 and out_ready), offer
        return len(self.offers) < self.unit.depth, offer

    def clock(self, taken: int | None, given: bool) -> None:
        """A rising edge at which a beat may come, and the beat offered may leave."""
        if self.unit.depth == 0:
            return
        if given:
            self.offers.popleft()
        if taken is not None:
            self.taken.append(taken)
            if len(self.taken) == self.unit.beats_in:
                self.offers.extend(self.unit.function(self.taken, self.sets))
                self.sets += 1
                self.taken = []

    def check_rate(self, came: list[int], left: list[int], rate: int) -> None:
        """Hold the cycles in which beats came and left at full rate against what theory allows.

        A beat that comes in cycle c of a unit that reduces n beats to m, one of them being 1: the
        first result leaves in cycle c + n, and then the narrower side moves a beat in every cycle.

        Args:
            came: cycles since reset.
            left: cycles since reset.
            rate: how many cycles those are.
        """
        latency = self.unit.beats_in if self.unit.depth else 0
        sets = np.cumsum(np.resize(np.atleast_1d(self.unit.beats_out), rate))
        assert came == [0, *sets[sets < rate]]
        assert left == list(np.arange(rate)[latency :: self.unit.beats_in])


def elements(beat: int, lanes: int, width: int) -> list[int]:
    """The elements of a beat, unsigned, element 0 first."""
    return [beat >> (lane * width) & ((1 << width) - 1) for lane in range(lanes)]


def beat_of(values: Sequence[int], width: int) -> int:
    """The inverse of `elements`; values are taken modulo 2**width."""
    mask = (1 << width) - 1
    return sum((int(value) & mask) << (lane * width) for lane, value in enumerate(values))


def signed(value: int, width: int) -> int:
    """Two's complement."""
    return value - (1 << width) if value >> (width - 1) else value


_WRAPPER = """
module unit_{number} (
  input  logic clk, rst, in_valid, out_ready,
  input  logic [{in_msb}:0] in_data,
  output logic in_ready, out_valid,
  output logic [{out_msb}:0] out_data
);
  {body}
endmodule
"""

_PORTS = """\
.clk, .rst, .in_valid, .in_ready, .in_data, .out_valid, .out_ready, .out_data"""

_DRIVER = """
  logic in_valid_{number}, in_ready_{number}, out_valid_{number}, out_ready_{number};
  logic [{in_msb}:0] in_data_{number};
  logic [{out_msb}:0] out_data_{number};
  unit_{number} u_{number} (
    .clk, .rst, .in_valid(in_valid_{number}), .in_ready(in_ready_{number}),
    .in_data(in_data_{number}), .out_valid(out_valid_{number}), .out_ready(out_ready_{number}),
    .out_data(out_data_{number})
  );
  always_ff @(posedge clk) begin
    if (rst || !in_valid_{number} || in_ready_{number}) begin
      in_valid_{number} <= control[cycle][{in_bit}];
      in_data_{number}  <= stimuli[cycle][{in_msb}:0];
    end
    out_ready_{number} <= control[cycle][{out_bit}];
  end
"""

_SAMPLE = """\
      $write(" %b %b %b %b %h %h %h", in_valid_{number}, in_ready_{number}, out_valid_{number},
          out_ready_{number}, in_data_{number}, out_data_{number}, {probe});
"""

_BENCH = """
module bench (input logic clk);
  logic [{msb}:0] stimuli [{cycles}];
  logic [{control_msb}:0] control [{cycles}];
  logic rst;
  int   cycle;
  initial begin
    cycle = 0;
    $readmemh("stimuli.hex", stimuli);
    $readmemh("control.hex", control);
  end
{drivers}
  always_ff @(posedge clk) begin
    if (cycle > 0) begin
      $write("%b", rst);
{samples}
      $write("\\n");
    end
    rst <= control[cycle][{control_msb}];
    if (cycle == {cycles} - 1) $finish;
    cycle <= cycle + 1;
  end
endmodule
"""


def _wrapper(number: int, unit: Unit) -> str:
    parameters = ", ".join(f".{name}({value})" for name, value in unit.parameters.items())
    return _WRAPPER.format(
        number=number,
        in_msb=unit.in_width - 1,
        out_msb=unit.out_width - 1,
        body=unit.body.format(module=unit.module, parameters=parameters, ports=_PORTS),
    )


def _bursts(rng: np.random.Generator, cycles: int, rate: float) -> NDArray[np.bool_]:
    """Runs of random length in which a port is willing, `rate` of the time."""
    runs = np.repeat(rng.random(cycles) < rate, rng.integers(1, rng.integers(2, 12), cycles))
    return runs[:cycles]


def _control(rng: np.random.Generator, units: int, phase: int) -> NDArray[np.bool_]:
    """Rows of {reset, (out_ready, in_valid) of the last unit, ..., of the first}."""
    columns, resets = [], []
    for turn in range(2):  # the second turn resets in mid-stream, too
        for rate in RATES:
            cycles = FULL_RATE if not resets else phase
            pair = np.array([_bursts(rng, cycles, r) for _ in range(units) for r in rate[::-1]])
            reset = rng.random(cycles) < 0.03 * turn
            reset[:2] = True  # registers start at random values
            columns.append(pair)
            resets.append(reset)
    return np.vstack([np.concatenate(resets), np.concatenate(columns, axis=1)]).T


def _bench(units: Sequence[Unit], cycles: int, netlist: bool) -> str:
    drivers, samples = [], []
    for number, unit in enumerate(units):
        fields = {
            "number": number,
            "in_bit": 2 * number,
            "out_bit": 2 * number + 1,
            "in_msb": unit.in_width - 1,
            "out_msb": unit.out_width - 1,
            "probe": f"u_{number}.u_dut.{unit.probe}" if unit.probe and not netlist else "1'b0",
        }
        drivers.append(_DRIVER.format(**fields))
        samples.append(_SAMPLE.format(**fields))
    return _BENCH.format(
        msb=max(unit.in_width for unit in units) - 1,
        control_msb=2 * len(units),
        cycles=cycles,
        drivers="".join(drivers),
        samples="".join(samples),
    )


def _simulate(units: Sequence[Unit], directory: Path, cycles: int, reader: str | None) -> str:
    """The trace: a line per cycle with the reset and seven fields per unit.

    Verilator's lint comes with it.
    """
    (directory / "units.sv").write_text("".join(_wrapper(*unit) for unit in enumerate(units)))
    (directory / "bench.sv").write_text(_bench(units, cycles, reader is not None))
    sources, lint = ["units.sv"], ["-Wall", "-Wno-DECLFILENAME", "-y", str(RTL)]
    if reader:
        _netlist(units, directory, reader)
        sources, lint = ["netlist.v"], ["-Wno-fatal", "-Wno-lint"]
    binary = build_bench(directory, "--x-initial", "unique", *lint, *sources)
    run = subprocess.run(
        [binary, "+verilator+rand+reset+2", "+verilator+seed+7"],
        cwd=directory, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return run.stdout


def _netlist(units: Sequence[Unit], directory: Path, reader: str) -> None:
    """Have Yosys read `units.sv` and write what it understood, word by word, to `netlist.v`."""
    library = _library(units)
    tops = " ".join(f"--top unit_{number}" for number in range(len(units)))
    reads = {
        "read_verilog": [f"read_verilog -sv {library} units.sv", "hierarchy -check"],
        # It marks one of them as the top, and passes would keep no other.
        "read_slang": [f"read_slang {tops} {library} units.sv", "setattr -mod -unset top *"],
    }
    yosys(
        [
            *reads[reader],
            "proc",
            "flatten",
            "opt",
            "memory -nomap",
            "check -assert",
            "write_verilog -noattr netlist.v",
        ],
        directory,
    )


def _library(units: Sequence[Unit]) -> str:
    """Files of the modules under test and those that stand beside or below them."""
    names = [name for unit in units for name in (unit.module, *re.findall(r"gw_\w+", unit.body))]
    return " ".join(str(RTL / file) for file in library_files(names))


def check(
    units: Sequence[Unit],
    directory: Path,
    *,
    phase: int = 250,
    seed: int = 0,
    reader: str | None = None,
) -> None:
    """Simulate all units and compare every cycle of each with its model.

    Args:
        units: the modules under test.
        directory: where to build.
        phase: clock cycles per phase, ten phases in all.
        seed: of stimuli and stalls.
        reader: of Yosys; what is simulated is then the netlist that it leads to.
    """
    rng = np.random.default_rng(seed)
    control = _control(rng, len(units), phase)
    cycles = len(control)
    width = max(unit.in_width for unit in units)
    stimuli = [int.from_bytes(rng.bytes(-(-width // 8)), "big") % (1 << width) for _ in control]
    rows = ["".join("01"[bit] for bit in row) for row in control.astype(int)]
    (directory / "stimuli.hex").write_text("".join(f"{beat:x}\n" for beat in stimuli))
    (directory / "control.hex").write_text("".join(f"{int(row, 2):x}\n" for row in rows))

    trace = [line.split() for line in _simulate(units, directory, cycles, reader).splitlines()]
    trace = [line for line in trace if len(line) == 1 + 7 * len(units)]
    assert len(trace) == cycles - 1
    resets = [line[0] == "1" for line in trace]
    for number, unit in enumerate(units):
        samples = [line[1 + 7 * number :][:7] for line in trace]
        _follow(unit, resets, samples, probe=bool(unit.probe) and reader is None)


def _follow(unit: Unit, resets: list[bool], samples: list[list[str]], *, probe: bool) -> None:
    """Compare the trace of one unit with its model, then with what theory allows at full rate."""
    followed = unit.model or Model
    model = followed(unit)
    came: list[int] = []  # cycles since the first reset
    left: list[int] = []
    start = resets.index(False)
    empty = full = 0
    for cycle, (reset, sample) in enumerate(zip(resets, samples, strict=True)):
        in_valid, in_ready, out_valid, out_ready = (bit == "1" for bit in sample[:4])
        in_data, out_data, held = (int(word, 16) for word in sample[4:])
        if not reset:
            ready, offer = model.look(in_data if in_valid else None, out_ready)
            got = (in_ready if ready is not None else None, out_data if out_valid else None)
            where = f"{unit.module} {unit.parameters}, cycle {cycle}"
            assert got == (ready, offer), f"{where}: (in_ready, beat offered)"
            if probe:
                assert held == len(model.offers), f"{where}: {unit.probe}"
            taken, given = in_valid and in_ready, out_valid and out_ready
            came += [cycle - start] if taken else []
            left += [cycle - start] if given else []
            full += in_valid and not in_ready
            empty += out_ready and not out_valid
            model.clock(in_data if taken else None, given)
        if reset:
            model = followed(unit)
    assert full > 10, f"{unit.module} {unit.parameters}: never full"
    assert empty > 10, f"{unit.module} {unit.parameters}: never empty"

    rate = resets.index(True, start) - start
    followed(unit).check_rate(
        [cycle for cycle in came if cycle < rate], [cycle for cycle in left if cycle < rate], rate
    )
