"""Synthesis of small designs: counts, cache, failures, and the mapped netlist against the RTL."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_adders import prove

from gatewright.emit.printer import text_of
from gatewright.emit.rom import rom_module
from gatewright.errors import DesignFailure, InputError
from gatewright.fixed import FixedType
from gatewright.results.utilization import Resources
from gatewright.rtl.manifest import Module, RtlProject
from gatewright.synth import export_netlist, synthesize, synthesize_files
from gatewright.synth import synthesis as run
from gatewright.system.package_data import data_dir
from gatewright.targets import load_target
from gatewright.units import Rom

LAYER = """
module {name}(input clk, input advance, input signed [7:0] a, b, c,
              output reg signed [9:0] y, output reg [7:0] r{extra_port});
  wire signed [9:0] t = a - b + c;  // one row
  always_ff @(posedge clk) if (advance) begin
    y <= t;
    r <= t[9] ? 8'd0 : t[8] ? 8'hff : t[7:0];
{extra}  end
endmodule
"""
TOP = """
module top(input clk, input advance, input signed [7:0] a, b, c, output [7:0] r0, r1);
  wire signed [9:0] y;
  one u_one(.clk, .advance, .a, .b, .c, .y, .r(r0));
  two u_two(.clk, .advance(advance & ~r0[0]), .a(y[7:0]), .b, .c, .y(), .r(r1));
endmodule
"""

PRODUCTS = """
(* use_dsp = "no" *)
module wide(input clk, input signed [7:0] x, y, output reg signed [15:0] p);
  always_ff @(posedge clk) p <= x * y;
endmodule
(* use_dsp = "yes" *)
module narrow(input clk, input signed [2:0] x, input [2:0] y, output reg signed [5:0] p);
  always_ff @(posedge clk) p <= x * $signed({1'b0, y});
endmodule
module any(input clk, input signed [2:0] x, y, output reg signed [5:0] p);
  always_ff @(posedge clk) p <= x * y;
endmodule
module top(input clk, input signed [7:0] x, y, output [15:0] p, output [5:0] q, r);
  wide u_wide(.clk, .x, .y, .p);
  narrow u_narrow(.clk, .x(x[2:0]), .y(y[2:0]), .p(q));
  any u_any(.clk, .x(x[5:3]), .y(y[5:3]), .p(r));
endmodule
"""
MEMORIES = """
module top(
  input clk, rst, valid, ready, input [15:0] data, input [7:0] address,
  output [15:0] held, delayed, constant, output [1:0] handshake
);
  gw_fifo #(.Width(16), .Depth(100), .RamStyle("{style}")) u_fifo (
    .clk, .rst, .in_valid(valid), .in_ready(handshake[0]), .in_data(data),
    .out_valid(handshake[1]), .out_ready(ready), .out_data(held)
  );
  gw_line_buffer #(.Bits(16), .Depth(100), .RamStyle("{style}")) u_line (
    .clk, .rst, .step(valid), .in_data(data), .out_data(delayed)
  );
  weights u_weights (.clk, .enable(ready), .address, .data(constant));
endmodule
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def xcup():
    return load_target("xcup")


def layer(path: Path, name: str, port: str = "", statement: str = "") -> Path:
    text = LAYER.format(name=name, extra_port=port, extra=statement)
    path.write_text(text)
    return path


def project(directory: Path) -> RtlProject:
    """Two kernels and a top."""
    for name in ("one", "two"):
        layer(directory / f"{name}.sv", name)
    (directory / "top.sv").write_text(TOP)
    kernels = tuple(
        Module(name, f"{name}.sv", f"u_{name}", name, "Dense", 1, ()) for name in ("one", "two")
    )
    return RtlProject(
        directory, "top", ("one.sv", "two.sv", "top.sv"), (), (), kernels, "xcup", 5.0, 2, 1
    )


def test_modules_add_up_and_are_synthesized_once(tmp_path, xcup, monkeypatch):
    result = synthesize(project(tmp_path), xcup, tmp_path)
    assert set(result.modules) == {"one", "two", "top"}
    one, glue = result.modules["one"], result.modules["top"]
    assert one == result.modules["two"]
    assert one.ff == 18
    assert 9 <= one.lut <= 18
    assert one.carry == 3
    assert glue == Resources(lut=1, ff=0, dsp=0, bram=0, uram=0, lutram=0, carry=0)
    assert result.total.lut == 2 * one.lut + 1
    assert result.total.ff == 36
    monkeypatch.setattr(run.subprocess, "run", None)
    assert synthesize(project(tmp_path), xcup, tmp_path) == result


def test_what_is_kept_depends_on_the_mapping_and_its_code_alone(tmp_path, xcup, monkeypatch):
    file = layer(tmp_path / "m.sv", "m")
    runs = []
    cells = {"modules": {"\\m": {"num_cells_by_type": {"LUT2": 1}}}}
    monkeypatch.setattr(run, "_execute", lambda job, _: runs.append(job.mapper) or cells)

    def runs_for(family):
        before = len(runs)
        synthesize_files([file], "m", replace(xcup, family=family), tmp_path / "out")
        return len(runs) - before

    assert runs_for(xcup.family) == 1
    assert runs_for(replace(xcup.family, dsp_price=2.0)) == 0  # an estimate
    assert runs_for(load_target("xc7").family) == 1
    room = tmp_path / "room"
    room.mkdir()
    (room / "map.v").write_text("module map; endmodule")
    code = run._code
    monkeypatch.setattr(run, "_code", lambda family: [*code(family), room / "map.v"])
    assert [runs_for(xcup.family) for _ in range(2)] == [1, 0]


def test_the_code_of_a_family_is_all_of_its_room(tmp_path):
    """And what is common; other families' code, and compiled code, is not."""
    found = {file.relative_to(Path(run.__file__).parent).as_posix() for file in run._code("xilinx")}
    assert {"yosys_worker.py", "xilinx/adders.py", "xilinx/mapper.py", "xilinx/cells.py"} <= found
    assert {Path(name).suffix for name in found} == {".py"}
    assert not [file for file in run._code("abacus") if "xilinx" in str(file)]


def test_flat_run_counts_the_whole(tmp_path, xcup):
    result = synthesize(project(tmp_path), xcup, tmp_path, flatten=True)
    assert set(result.modules) == {"top"}
    assert result.total.ff <= 36  # what nobody reads is gone


@pytest.mark.parametrize(
    ("target", "primitive"),
    [("xcup", "DSP48E2"), pytest.param("xc7", "DSP48E1", marks=pytest.mark.full)],
)
def test_products_fill_dsp_slices_with_their_registers(tmp_path, target, primitive):
    file = layer(
        tmp_path / "m.sv",
        "m",
        ", output reg signed [23:0] p",
        "    x <= a;\n    p <= x * 16'sd12345;\n",
    )
    file.write_text(file.read_text().replace("  wire", "  reg signed [7:0] x;\n  wire", 1))
    result = synthesize_files([file], "m", load_target(target), tmp_path)
    assert result.total.dsp == 1
    assert result.total.ff == 18  # neither x nor p
    assert f'"{primitive}"' in (tmp_path / "cells.json").read_text()


@pytest.mark.parametrize("target", ["xcup", pytest.param("xc7", marks=pytest.mark.full)])
def test_multipliers_are_made_of_what_their_module_asks_for(tmp_path, target):
    """Wide products in LUTs, narrow ones in a DSP slice; also where all is one module."""
    file = tmp_path / "top.sv"
    file.write_text(PRODUCTS)
    total = synthesize_files([file], "top", load_target(target), tmp_path).total
    assert total.dsp == 1
    assert total.ff == 16 + 6  # that of the narrow one is in the slice


@pytest.mark.parametrize(
    ("style", "blocks"), [("block", 1.5), pytest.param("distributed", 0, marks=pytest.mark.full)]
)
def test_memories_stand_where_asked(tmp_path, xcup, style, blocks):
    """A FIFO, a line buffer and a ROM of 16 bits each."""
    contents = np.random.default_rng(0).integers(-(2**15), 2**15, (256, 1))
    rom = Rom(((contents, FixedType(16, 16)),), style)
    (tmp_path / "top.sv").write_text(
        text_of(rom_module(rom, "weights", ())) + MEMORIES.replace("{style}", style)
    )
    library = [data_dir("rtl") / f"{name}.sv" for name in ("gw_fifo", "gw_line_buffer")]
    found = synthesize_files([*library, tmp_path / "top.sv"], "top", xcup, tmp_path).total
    assert found.bram == blocks
    assert (found.lutram > 0) == (style == "distributed")
    # A LUT holds 64 words of a ROM.
    assert found.lut - found.lutram > 16 * 4 if style == "distributed" else found.lut < 100


def test_netlist_equals_the_rtl(tmp_path):
    """Adders, a saturating ReLU, a look-up table and a registered product, over three cycles."""
    contents = "".join(f"      4'd{i}: w <= 6'd{i * i % 61};\n" for i in range(16))
    file = layer(
        tmp_path / "m.sv",
        "m",
        ", output reg [5:0] w, output reg signed [10:0] p",
        f"    unique case (a[3:0])\n{contents}    endcase\n    p <= $signed(a[4:0]) * 6'sd23;\n",
    )
    netlist, _ = export_netlist([file], "m", load_target("xc7"), tmp_path)
    text = netlist.read_text()
    assert "LUT6_2" in text
    assert "DSP48E1" in text
    job = {"kind": "netlist", "source": str(file), "top": "m", "netlist": str(netlist), "steps": 3}
    assert prove(tmp_path, **job) == "PROVED"
    first = re.search(r"LUT6_2 #\(\s*\.INIT\(64'h(\w+)\)", text)
    netlist.write_text(text.replace(first[1], f"{int(first[1], 16) ^ (1 << 64) - 1:016x}", 1))
    assert "ERROR" in prove(tmp_path, **job)


def test_broken_rtl_is_one_line_that_names_module_and_step(tmp_path, xcup):
    file = tmp_path / "m.sv"
    file.write_text("module m(input a, output y);\n  assign y = a +;\nendmodule\n")
    with pytest.raises(DesignFailure) as failure:
        synthesize_files([file], "m", xcup, tmp_path)
    message = str(failure.value)
    assert message.startswith("m: synthesis failed in read_verilog: ")
    assert "m.sv:2" in message
    assert "\n" not in message


def test_a_module_that_is_missing_is_named(tmp_path, xcup):
    file = tmp_path / "m.sv"
    file.write_text("module m(input a, output y);\n  other u(.a, .y);\nendmodule\n")
    with pytest.raises(DesignFailure, match="other"):
        synthesize_files([file], "m", xcup, tmp_path)


def test_latches_are_refused(tmp_path, xcup):
    file = tmp_path / "m.sv"
    file.write_text("module m(input a, b, output reg y);\n always @* if (a) y = b;\nendmodule\n")
    with pytest.raises(DesignFailure, match="1 latches"):
        synthesize_files([file], "m", xcup, tmp_path)


def test_a_worker_that_is_killed_is_told(tmp_path, xcup, monkeypatch):
    file = layer(tmp_path / "m.sv", "m")
    monkeypatch.setattr(run.sys, "executable", "false")
    with pytest.raises(DesignFailure, match="m: synthesis failed in the start of Yosys: no output"):
        synthesize_files([file], "m", xcup, tmp_path)


def test_a_missing_file_is_named(tmp_path, xcup):
    with pytest.raises(InputError, match=r"gone\.sv: no such file"):
        synthesize_files([tmp_path / "gone.sv"], "m", xcup, tmp_path)
