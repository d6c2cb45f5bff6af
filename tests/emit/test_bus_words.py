"""Designs whose ports have the width of a bus: the right words, at the predicted times."""

import subprocess

import numpy as np
import pytest

from emit.test_emit import branched_design, words
from flow.stream_designs import conv, residual
from gatewright.design import golden
from gatewright.design.dataflow import Design
from gatewright.emit import emit
from gatewright.errors import DesignFailure
from gatewright.fixed import FixedType
from gatewright.flow.balance import check_interval
from gatewright.kernels import Tensor
from gatewright.place import harness
from gatewright.rtl.manifest import RtlProject
from gatewright.simulate import StallPattern, lint, simulate
from gatewright.simulate.packing import pack
from gatewright.targets import load_target
from gatewright.vendor.projects.ip import ip_module, ip_name
from gatewright.vendor.projects.wrapper import wrapper, wrapper_name
from rtl.tools import build_bench, verilator

TARGET = load_target("xcup")
STALLS = (StallPattern("both", 0.4, 0.4, seed=7),)
EVERYTHING = {"register_ports": True, "check_frames": True}


def colours(channels, filters):
    """A convolution whose pixels have widths that no bus is a multiple of."""
    layer = conv("layer", Tensor("x", (5, 5, channels), FixedType(8, 4)), filters)
    return Design("colours", layer.inputs, (layer.output,), (layer,), "stream")


def emitted(design, directory, bus_width, **options):
    rtl = directory / "rtl"
    rtl.mkdir()
    return emit(design, TARGET, 5.0, rtl, bus_width=bus_width, **options)


CASES = [
    ("branched", 32, {"handshake": "stall"}, (2, 2, 2)),
    ("branched", 32, {"handshake": "credit", **EVERYTHING}, (2, 2, 2)),
    ("3 to 3", 64, EVERYTHING, (10, 10)),
    pytest.param("20 to 6", 32, {}, (125, 32), marks=pytest.mark.full),
    pytest.param("branched", 256, {}, (1, 1, 1), marks=pytest.mark.full),
    pytest.param("residual", 64, {}, (9, 9), marks=pytest.mark.full),
    pytest.param("residual", 128, EVERYTHING, (5, 5), marks=pytest.mark.full),
    pytest.param("3 to 3", 32, {}, (19, 19), marks=pytest.mark.full),
    pytest.param("20 to 6", 512, {}, (8, 2), marks=pytest.mark.full),
    pytest.param("7 to 16", 32, {"handshake": "credit"}, (44, 75), marks=pytest.mark.full),
]


@pytest.mark.parametrize(("kind", "bus_width", "options", "transfers"), CASES)
def test_tensors_pass_as_words(tmp_path, kind, bus_width, options, transfers):
    rng = np.random.default_rng(4)
    designs = {"branched": lambda: branched_design(rng), "residual": lambda: residual(9)}
    design = designs[kind]() if kind in designs else colours(*map(int, kind.split(" to ")))
    project = emitted(design, tmp_path, bus_width, **options)
    lint(project)
    (x,) = design.inputs
    vectors = rng.integers(x.type.min, x.type.max + 1, (8, *x.shape))
    expected = golden.run(design, [vectors])
    run = simulate(project, [vectors.reshape(8, -1)], tmp_path / "sim", stalls=STALLS)
    for tensor, got in zip(design.outputs, run.outputs, strict=True):
        assert np.array_equal(got, expected[tensor.name].reshape(8, -1)), tensor.name
    ports = (*project.inputs, *project.outputs)
    assert tuple(port.beats for port in ports) == transfers
    assert all(port.tdata_width == bus_width for port in ports)
    assert run.interval_min == run.interval_max == project.interval >= max(transfers)
    assert run.timing.latency_min == project.latency  # of later ones more, where layers are slower
    assert RtlProject.load(tmp_path / "rtl").outputs == project.outputs


def test_words_of_bytes_are_an_array_of_bytes(tmp_path):
    """What a DMA engine reads is then what NumPy holds."""
    port = emitted(colours(3, 3), tmp_path, 64).inputs[0]
    raw = np.random.default_rng(1).integers(-128, 128, (4, 75))
    memory = pack(raw, port).view(np.int8).reshape(4, 80)
    assert np.array_equal(memory[:, :75], raw)
    assert not memory[:, 75:].any()


def test_what_is_put_around_a_design_fits_its_ports(tmp_path):
    """The harness that is placed, the IP for block designs, and the wrapper for boards."""
    project = emitted(branched_design(np.random.default_rng(3)), tmp_path, 32, check_frames=True)
    around = {
        harness.MODULE: harness.harness(project),
        ip_name(project): ip_module(project),
        wrapper_name(project): wrapper(project, reset_active_high=True),
    }
    for name, text in around.items():
        (project.directory / f"{name}.sv").write_text(text)
        flags = ("--lint-only", "-Wall", "-Wno-PINCONNECTEMPTY", "--top-module", name)
        done = verilator(*flags, *project.files, f"{name}.sv", cwd=project.directory)
        assert done.returncode == 0, done.stderr
    assert 'm_axis_b TKEEP" *)\n  output wire [3:0] m_axis_b_tkeep,' in around[ip_name(project)]


@pytest.mark.parametrize("bus_width", [None, 32])
def test_the_default_is_a_beat_per_transfer(tmp_path, bus_width):
    project = emitted(branched_design(np.random.default_rng(3)), tmp_path, bus_width)
    top = (tmp_path / "rtl" / "branched.sv").read_text()
    found = [text in top for text in ("gw_gearbox", "tkeep", "words of 32 bits")]
    assert found == [bus_width is not None] * 3
    kinds = [module.kind for module in project.modules]
    assert kinds.count("converter") == (3 if bus_width else 0)


def test_a_bus_that_is_too_narrow_for_an_interval_is_named(tmp_path):
    project = emitted(branched_design(np.random.default_rng(3)), tmp_path, 32)
    check_interval(project, 2)
    with pytest.raises(DesignFailure, match="port s_axis: takes 2 transfers of 32 bits"):
        check_interval(project, 1)


BENCH = """
module bench (input logic clk);
  logic [32:0] stimuli [{total}];  // a word, and the last of a frame in the highest bit
  initial $readmemh("stimuli.hex", stimuli);
  int sent = 0, cycle = 0;
  logic rst = 1, valid = 0, ready, error;
  logic [32:0] word;
  assign word = stimuli[sent < {total} ? sent : 0];
{signals}
  branched dut (
    .clk, .rst, .s_axis_tvalid(valid), .s_axis_tready(ready), .s_axis_tlast(word[32]),
    .s_axis_tdata(word[31:0]), .s_axis_frame_error(error){connections}
  );
  always_ff @(posedge clk) begin
    cycle <= cycle + 1;
    rst <= cycle < 2;
    if (valid && ready) sent <= sent + 1;
    if (rst) valid <= 0;
    else if (!valid || ready)
      valid <= (valid ? sent + 1 : sent) < {total} && $urandom_range(1) == 1;
{takes}
    if (cycle == 4000) begin
      $display("error %0d sent %0d", error, sent);
      $finish;
    end
  end
endmodule
"""


def test_frames_with_too_few_or_too_many_words_are_dropped(tmp_path):
    rng = np.random.default_rng(6)
    design = branched_design(rng)
    project = emitted(design, tmp_path, 32, check_frames=True)
    vectors = words(rng, 60)
    lengths = [2] * 5 + [int(n) for n in rng.choice([1, 2, 2, 2, 3, 4], 55)]
    stimuli = []
    for frame, length in zip(pack(vectors, project.inputs[0]).reshape(60, 2), lengths, strict=True):
        row = [int(frame[i % 2]) for i in range(length)]
        stimuli += [word | (i == length - 1) << 32 for i, word in enumerate(row)]
    (tmp_path / "stimuli.hex").write_text("".join(f"{word:x}\n" for word in stimuli))
    signals, connections, takes = "", "", ""
    for i, port in enumerate(project.outputs):
        signals += f"  logic v{i}, r{i} = 0, l{i}; logic [3:0] k{i}; logic [31:0] d{i};\n"
        named = {"valid": "v", "ready": "r", "last": "l", "keep": "k", "data": "d"}
        connections += "".join(f",\n    .{port.prefix}_t{n}({s}{i})" for n, s in named.items())
        takes += f"    r{i} <= $urandom_range(3) != 0;\n"
        takes += f'    if (!rst && v{i} && r{i}) $display("o{i} %h %h %h", d{i}, k{i}, l{i});\n'
    text = BENCH.format(total=len(stimuli), signals=signals, connections=connections, takes=takes)
    (tmp_path / "bench.sv").write_text(text)
    files = [str(project.directory / file) for file in project.files]
    flags = ("--x-initial", "unique", "-Wno-lint", "-Wno-style")
    binary = build_bench(tmp_path, *flags, *files)
    done = subprocess.run([binary], cwd=tmp_path, capture_output=True, text=True, check=True)
    right = np.array(lengths) == 2
    expected = golden.run(design, [vectors[right]])
    for i, (tensor, port) in enumerate(zip(design.outputs, project.outputs, strict=True)):
        want = pack(expected[tensor.name].reshape(right.sum(), -1), port).ravel()
        lines = [line.split()[1:] for line in done.stdout.splitlines() if line[:2] == f"o{i}"]
        assert [int(data, 16) for data, _, _ in lines] == want.tolist(), tensor.name
        bytes_left = (tensor.size * tensor.type.width + 7) // 8 - 4
        marks = [["f", "0"], [f"{(1 << bytes_left) - 1:x}", "1"]] * int(right.sum())
        assert [marked for _, *marked in lines] == marks
    assert f"error 1 sent {len(stimuli)}" in done.stdout
