"""The wall before Verilator and Yosys: what reaches out of a design is refused, logic is not."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from gatewright.errors import InputError
from gatewright.rtl.manifest import Module, Port, RtlProject
from gatewright.simulate import build, lint
from gatewright.synth.synthesis import synthesize
from gatewright.system.package_data import data_dir
from gatewright.targets import load_target
from gatewright.wall import systemverilog

DESIGNS = Path(__file__).parents[1] / "simulate" / "designs"

MODULE = """\
module m (input logic clk, input logic [3:0] a, output logic [3:0] y);
{}
  always_ff @(posedge clk) y <= a;
endmodule
"""

REFUSED = {
    'initial $c("abort();");': r"\$c",
    'wire x = $c1("abort()");': r"\$c1",
    'initial $system("touch marker");': r"\$system",
    'integer f = $fopen("marker", "w");': r"\$fopen",
    'initial $writememh("marker", r);': r"\$writememh",
    'initial $dumpfile("marker");': r"\$dumpfile",
    'initial $readmemh("/etc/passwd", r);': r"\$readmemh",
    'initial $readmemh("../secret.hex", r);': r"\$readmemh",
    'initial $readmemh("numpy.py", r);': r"\$readmemh",
    'initial $readmemh("numpy/a", r);': r"\$readmemh",
    'initial $readmemh({"/etc", "/passwd"}, r);': r"\$readmemh",
    "initial $readmemh(name, r);": r"\$readmemh",
    "initial $finish;": r"\$finish",
    "initial \\$system (1);": "system",
    "wire \\a;b = 1;": "a;b",
    'import "DPI-C" function int system(string s);': "import",
    'export "DPI-C" function f;': "export",
    "bind gw_fifo m x();": "bind",
    "initial force a = 1;": "force",
    "`include \"/etc/passwd\"": "`include",
    "`systemc_header\n#include <cstdlib>\n`verilog": "`systemc_header",
    "`define logic": "`define",
    "`verilator_config": "`",
    "`line 1 \"x\" 0": "`line",
    "`ifdef __ICARUS__\nlogic a;\n`endif": "`ifdef",
    "`ifndef VERILATOR\nlogic a;\n`endif": "`ifndef",
    "`ifndef __ICARUS__\nlogic a;": "`ifndef",
    "`ifndef __ICARUS__\nlogic a;\n`else\nlogic b;\n`endif": "`ifndef",
    "`ifndef __ICARUS__\ninitial $system(\"touch marker\");\n`endif": r"\$system",
    "`ifndef __ICARUS__\nlogic a;\n`endif\n`endif": "`endif",
    "// verilator public_flat_rw": "verilator",
    "/*verilator public*/": "verilator",
    "/* verilator inline_module */": "verilator",
    "/*VERILATOR public*/": "VERILATOR",
    "// synthesis translate_off": "synthesis",
    "/* synopsys translate_off */": "synopsys",
    "/* never ended": "never ended",
    '"never ended': "never ended",
    '"a \\x41"': '"a',
    "(* techmap_celltype = \"x\" *) wire x;": "techmap",
    '(* keep, init = "x" *) wire x;': "init",
    "(* keep = \"a;b\" *) wire x;": "keep",
    "wire caf\u00e9;": "xc3",
    "// caf\u00e9": "xc3",
    "// \x1b[2J": "x1b",
    "// a comment\rinitial $c(1);": "is refused",
    "wire x\x00;": "x00",
}  # fmt: skip

LOGIC = [
    "",
    '`ifndef __ICARUS__\n  if (Bits < 1) begin : gen_none\n    $error("none");\n  end\n`endif\n',
    '  // It\'s "logic", made by Verilator; synthesis and simulation agree.',
    "  /* lines\n     of it */",
    "  // by an editor on Windows\r\n  wire x = a[0];\r",
    "  /* verilator lint_off UNUSEDSIGNAL */  // why\n  logic u;\n"
    "  // verilator lint_on UNUSEDSIGNAL",
    '  (* use_dsp = "yes" *) logic x;\n  (* ram_style = Style, keep *) logic z;',
    "  always @(*) x = 1;\n  always @ ( * ) x = a * (b);",
    "  typedef enum logic [1:0] {A, B} s_t;\n  s_t s;\n  function automatic int f(int x);\n"
    "    return x ** 2 + $clog2(x) - int'($signed(4'hA)) + $bits(a);\n  endfunction",
    '  generate if (1) begin : g\n    $error("wrong");\n  end endgenerate',
    '  initial $readmemh("weights/rom_0.hex", rom);',
    "  interface_like i();\n  genvar k;\n  for (genvar n = 0; n < 3; n++) begin : each\n  end",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_reaches_out_is_refused(text, tmp_path):
    path = tmp_path / "m.sv"
    path.write_text(MODULE.format(text), "utf-8", newline="")
    with pytest.raises(InputError, match=r"m\.sv, line \d+: .* is refused") as caught:
        systemverilog.check_file(path)
    assert REFUSED[text].replace("\\$", "$") in str(caught.value).replace("\\\\", "\\")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", LOGIC)
def test_logic_passes(text, tmp_path):
    path = tmp_path / "m.sv"
    path.write_text(MODULE.format(text), newline="")
    systemverilog.check_file(path)


def test_the_line_is_named(tmp_path):
    path = tmp_path / "m.sv"
    path.write_text(MODULE.format("  // $c in a comment\n  /*\n  $c */\n  wire x = $c(1);"))
    with pytest.raises(InputError, match=r"line 5: '\$c\(1\);'"):
        systemverilog.check_file(path)


@pytest.mark.parametrize("path", sorted(data_dir("rtl").glob("*.sv")), ids=lambda path: path.name)
def test_the_library_passes(path):
    systemverilog.check_file(path)


@pytest.fixture
def project(tmp_path):
    shutil.copytree(DESIGNS, tmp_path / "rtl")
    module = {"instance": "dut", "kind": "Sum", "latency": 4, "library": ()}
    return RtlProject(
        directory=tmp_path / "rtl",
        top="serial_sum",
        files=("serial_sum.sv",),
        inputs=(Port("x", "s_axis", (2, 2), "fixed<8,8>", width=8, lanes=1, tdata_width=8),),
        outputs=(Port("y", "m_axis", (2,), "fixed<10,10>", width=10, lanes=1, tdata_width=16),),
        modules=(Module(name="serial_sum", file="serial_sum.sv", layer="sum", **module),),
        target="xcup",
        clock_ns=5.0,
        latency=4,
        interval=6,
    )


def test_a_manifest_that_is_right_passes(project):
    systemverilog.check(project)


@pytest.mark.parametrize("tool", ["lint", "build", "synthesize", "flat"])
def test_nothing_is_started_on_what_is_refused(project, tool, tmp_path, monkeypatch):
    path = project.directory / project.files[-1]
    attack = 'initial $c("abort();");\nendmodule'
    path.write_text(path.read_text().replace("endmodule", attack))
    target = load_target("xcup")
    run = {
        "lint": lambda: lint(project),
        "build": lambda: build(project, tmp_path / "sim"),
        "synthesize": lambda: synthesize(project, target, tmp_path),
        "flat": lambda: synthesize(project, target, tmp_path, flatten=True),
    }[tool]
    monkeypatch.setattr(
        "gatewright.system.processes.started", lambda *a, **k: pytest.fail("started")
    )
    with pytest.raises(InputError, match=r"is refused: RTL must not reach outside"):
        run()


@pytest.mark.parametrize(
    "file",
    ["/etc/passwd", "../secret.sv", "a/../../b.sv", "-Ifoo.sv", "a b.sv", 'a".sv', "a;b.sv",
     "a\nb.sv", "a.txt", "", 3, None],
)  # fmt: skip
@pytest.mark.parametrize("place", ["files", "file", "parts"])
def test_files_of_a_manifest_are_in_the_project(project, file, place):
    if place == "files":
        changed = dataclasses.replace(project, files=(file,))
    else:
        value = (file,) if place == "parts" else file
        module = dataclasses.replace(project.modules[0], **{place: value})
        changed = dataclasses.replace(project, modules=(module,))
    with pytest.raises(InputError, match="is not the name of a file in the project") as caught:
        systemverilog.check(changed)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a\nb", "a(", "3a", 'a"', "\\a ", 3, None])
@pytest.mark.parametrize("place", ["top", "prefix", "module"])
def test_names_of_a_manifest_are_names(project, name, place):
    if place == "top":
        changed = dataclasses.replace(project, top=name)
    elif place == "prefix":
        port = dataclasses.replace(project.inputs[0], prefix=name)
        changed = dataclasses.replace(project, inputs=(port,))
    else:
        module = dataclasses.replace(project.modules[0], name=name, layer="fc1")
        changed = dataclasses.replace(project, modules=(module,))
    with pytest.raises(InputError, match="is not a name in SystemVerilog") as caught:
        systemverilog.check(changed)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("size", ["8]; initial $c(1); //", 0, -1, 1.5, True, None, 1 << 40])
@pytest.mark.parametrize("field", ["width", "lanes", "tdata_width", "shape"])
def test_sizes_of_a_manifest_are_sizes(project, size, field):
    port = dataclasses.replace(project.outputs[0], **{field: (size,) if field == "shape" else size})
    with pytest.raises(InputError, match=f"port '{port.prefix}' has an invalid size"):
        systemverilog.check(dataclasses.replace(project, outputs=(port,)))
