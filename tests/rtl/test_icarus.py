"""The library and what is generated of it, as Icarus Verilog 11 reads and runs it."""

import shutil
import subprocess

import numpy as np
import pytest

from emit.test_emit import branched_design, words
from flow.stream_designs import residual
from gatewright.design import golden
from gatewright.emit import emit
from gatewright.rtl.library import LIBRARY, library_files
from gatewright.system.package_data import data_dir
from gatewright.targets import load_target

pytestmark = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed"
)

BENCH = """
module bench;
  reg clk = 0, rst = 1;
  integer sent = 0, got = 0, cycle = 0;
  reg [{in_bits}-1:0] stimuli [0:{beats}-1];
  wire [{in_bits}-1:0] data = stimuli[sent];
  wire in_ready;
  initial $readmemh("stimuli.hex", stimuli);
  always #1 clk = ~clk;
  {top} dut (
    .clk(clk), .rst(rst), .s_axis_tvalid(!rst && sent < {beats}), .s_axis_tready(in_ready),
    .s_axis_tlast(1'b1), .s_axis_tdata(data){outputs}
  );
  always @(posedge clk) begin
    rst <= cycle < 3;
    cycle <= cycle + 1;
    if (!rst && in_ready && sent < {beats}) sent <= sent + 1;
    {prints}
    if (cycle == {cycles}) $finish;
  end
endmodule
"""


def run(project, design, vectors, directory):
    """The words that leave each output of a design, at full rate."""
    (port,) = project.inputs
    beats = vectors.reshape(-1, port.lanes)
    mask = (1 << port.width) - 1
    lines = (sum((int(v) & mask) << (i * port.width) for i, v in enumerate(beat)) for beat in beats)
    (directory / "stimuli.hex").write_text("".join(f"{line:x}\n" for line in lines))
    outputs, prints = "", ""
    for number, out in enumerate(project.outputs):
        outputs += (
            f",\n    .{out.prefix}_tvalid(v{number}), .{out.prefix}_tready(1'b1),"
            f" .{out.prefix}_tdata(d{number}), .{out.prefix}_tlast()"
        )
        prints += f'if (!rst && v{number}) $display("out {number} %h", d{number});\n    '
    wires = "".join(
        f"  wire v{number}; wire [{out.tdata_width - 1}:0] d{number};\n"
        for number, out in enumerate(project.outputs)
    )
    text = BENCH.format(
        in_bits=port.tdata_width,
        beats=len(beats),
        top=project.top,
        outputs=outputs,
        prints=prints,
        cycles=project.latency + (len(vectors) + 4) * project.interval + 20,
    ).replace("module bench;\n", f"module bench;\n{wires}")
    (directory / "bench.v").write_text(text)
    files = [str(project.directory / file) for file in project.files]
    command = ["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", *files]
    built = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-2000:]
    ran = subprocess.run(
        ["vvp", "-n", "bench.vvp"], cwd=directory, capture_output=True, text=True, check=True
    )
    found = [[] for _ in project.outputs]
    for line in ran.stdout.splitlines():
        if line.startswith("out "):
            _, number, word = line.split()
            found[int(number)].append(int(word, 16))
    return [
        [
            word >> (i * out.width) & ((1 << out.width) - 1)
            for word in words
            for i in range(out.lanes)
        ]
        for out, words in zip(project.outputs, found, strict=True)
    ]


@pytest.mark.parametrize("module", LIBRARY)
def test_a_module_of_the_library_is_read(module, tmp_path):
    files = [str(data_dir("rtl") / file) for file in library_files([module])]
    done = subprocess.run(
        ["iverilog", "-g2012", "-t", "null", "-s", module, *files],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("handshake", ["stall", "credit"])
@pytest.mark.parametrize("kind", ["unrolled", "stream"])
def test_a_design_gives_golden_outputs(kind, handshake, tmp_path):
    rng = np.random.default_rng(3)
    design = branched_design(rng) if kind == "unrolled" else residual(9)
    (x,) = design.inputs
    vectors = words(rng, 20)
    if kind == "stream":
        vectors = rng.integers(x.type.min, x.type.max + 1, (3, *x.shape))
    (tmp_path / "rtl").mkdir()
    project = emit(design, load_target("xcup"), 5.0, tmp_path / "rtl", handshake=handshake)
    expected = golden.run(design, [vectors])
    found = run(project, design, vectors, tmp_path)
    for tensor, port, got in zip(design.outputs, project.outputs, found, strict=True):
        want = expected[tensor.name].ravel() & ((1 << port.width) - 1)
        assert got == want.tolist(), tensor.name
