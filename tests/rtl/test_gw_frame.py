"""gw_frame: frames of all lengths, right ones among wrong ones, in any timing."""

import random
import subprocess

import pytest
from tools import build_bench

from gatewright.system.package_data import data_dir

BENCH = """
module bench (input logic clk);
{units}
  int done = 0;
  always_ff @(posedge clk) begin
    done <= done + 1;
    if (done == {cycles}) $finish;
  end
endmodule

module unit #(parameter int Number = 0, Beats = 1, Total = 1, Idle = 0, Stall = 0) (
  input logic clk
);
  logic [16:0] stimuli [Total];  // data, and the last of a frame in the highest bit
  initial $readmemh($sformatf("stimuli_%0d.hex", Number), stimuli);
  int sent = 0, cycle = 0;
  logic rst = 1, valid = 0, ready, out_valid, out_ready = 0, error;
  logic [16:0] beat;
  logic [15:0] out_data;
  assign beat = stimuli[sent < Total ? sent : 0];
  gw_frame #(.Width(16), .Beats(Beats)) u_dut (
    .clk, .rst, .in_valid(valid), .in_ready(ready), .in_last(beat[16]), .in_data(beat[15:0]),
    .out_valid, .out_ready, .out_data, .error
  );
  always_ff @(posedge clk) begin
    cycle <= cycle + 1;
    rst <= cycle < 2;
    out_ready <= $urandom_range(99) >= Stall;
    if (valid && ready) sent <= sent + 1;
    if (rst) valid <= 0;
    else if (!valid || ready)
      valid <= (valid ? sent + 1 : sent) < Total && $urandom_range(99) >= Idle;
    if (!rst && valid && ready) $display("i %0d %0d %0d", Number, cycle, error);
    if (!rst && out_valid && out_ready) $display("o %0d %h %0d", Number, out_data, cycle);
  end
endmodule
"""

RATES = ((0, 0), (50, 20), (0, 70))
CASES = [(beats, rate) for beats in (1, 2, 3, 8) for rate in RATES]


def frames(beats: int, seed: int) -> list[list[int]]:
    """Right frames, with wrong ones among them but for the first four."""
    dice = random.Random(seed)
    lengths = [beats] * 4
    for _ in range(60):
        lengths.append(beats if dice.random() < 0.6 else dice.randint(1, 3 * beats + 2))
    return [[dice.randrange(1 << 16) for _ in range(length)] for length in lengths]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Per case: its frames, and (cycle, error) of beats taken and (data, cycle) of beats given."""
    directory = tmp_path_factory.mktemp("frames")
    sent, units = [], ""
    for number, (beats, (idle, stall)) in enumerate(CASES):
        sent.append(frames(beats, number))
        lines = [
            f"{word | (i == len(f) - 1) << 16:x}" for f in sent[-1] for i, word in enumerate(f)
        ]
        (directory / f"stimuli_{number}.hex").write_text("\n".join(lines))
        units += f"  unit #({number}, {beats}, {len(lines)}, {idle}, {stall}) u{number} (.clk);\n"
    (directory / "bench.sv").write_text(BENCH.format(units=units, cycles=8000))
    library = [str(data_dir("rtl") / "gw_frame.sv")]
    binary = build_bench(directory, "--x-initial", "unique", "-Wno-lint", "-Wno-style", *library)
    text = subprocess.run([binary], cwd=directory, capture_output=True, text=True, check=True)
    taken, given = [[] for _ in CASES], [[] for _ in CASES]
    for line in text.stdout.splitlines():
        kind, *words = line.split()
        if kind == "i":
            taken[int(words[0])].append((int(words[1]), int(words[2])))
        elif kind == "o":
            given[int(words[0])].append((int(words[1], 16), int(words[2])))
    return list(zip(CASES, sent, taken, given, strict=True))


def test_right_frames_pass_and_wrong_ones_are_dropped(runs):
    for (beats, rate), sent, taken, given in runs:
        want = [word for frame in sent if len(frame) == beats for word in frame]
        assert len(taken) == sum(map(len, sent)), (beats, rate)
        assert [word for word, _ in given] == want, (beats, rate)


def test_the_error_rises_with_the_first_wrong_frame_and_stays(runs):
    for (beats, _), sent, taken, _ in runs:
        errors = [error for _, error in taken]
        first = next(i for i, frame in enumerate(sent) if len(frame) != beats)
        # Known at its last beat, or at the last that it may have; shown from the next cycle on.
        known = sum(map(len, sent[:first])) + min(len(sent[first]), beats)
        assert errors == [0] * known + [1] * (len(errors) - known)


def test_a_beat_a_clock_is_sustained(runs):
    for (beats, rate), _, taken, given in runs:
        if rate == (0, 0) and beats > 1:
            cycles = [cycle for cycle, _ in taken[: 4 * beats]]
            assert cycles == list(range(cycles[0], cycles[0] + 4 * beats))
            leaving = [cycle for _, cycle in given[: 3 * beats]]
            assert leaving[-1] - leaving[0] == 3 * beats - 1
            assert leaving[0] == cycles[beats - 1] + 1
