"""ECP5: mapped netlists simulated against the golden outputs, and what they are counted as."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_netlists import check, dense, one_layer, rng, x_type

from gatewright.emit import emit
from gatewright.fixed import FixedType
from gatewright.kernels import Tensor
from gatewright.synth import synthesize, synthesize_files
from gatewright.targets import load_target


@pytest.fixture(autouse=True)
def netlists_are_ours(monkeypatch):
    """Yosys' names of cells are none that the wall before simulation lets pass."""
    monkeypatch.setattr("gatewright.wall.systemverilog.check", lambda project: None)


def test_sums_and_products_of_logic_are_exact(tmp_path):
    """Carry chains of two operands, constants, Booth's products, and ROMs of LUTs."""
    layer = dense(Tensor("x", (4,), x_type), 2, 4, multiplier="lut", rom_style="distributed")
    found = check(one_layer(layer), "ecp5-85k", tmp_path)
    assert found.keys() <= {"LUT4", "CCU2C", "TRELLIS_FF", "PFUMX", "L6MUX21", "TRELLIS_DPR16X4"}


def test_products_too_narrow_for_booth_are_in_logic(tmp_path):
    """Weights of three bits, whose products by eight bits are as wide as a multiplier takes."""
    narrow = {"weights": rng.integers(-4, 4, (4, 2)), "weight_type": FixedType(3, 1)}
    layer = replace(dense(Tensor("x", (4,), x_type), 2, 4, rom_style="distributed"), **narrow)
    found = check(one_layer(layer), "ecp5-85k", tmp_path)
    assert "MULT18X18D" not in found


@pytest.mark.parametrize(("multiplier", "blocks"), [("auto", 2), ("dsp", 2), ("lut", 0)])
def test_a_product_is_in_a_multiplier_where_it_is_asked_for_or_pays(tmp_path, multiplier, blocks):
    design = one_layer(dense(Tensor("x", (4,), x_type), 2, 4, multiplier=multiplier))
    target = load_target("ecp5-25k")
    found = synthesize(emit(design, target, 10.0, tmp_path), target, tmp_path).total
    assert found.dsp == blocks
    assert found.bram == 0.5
    assert found.uram is None


@pytest.mark.parametrize("handshake", ["stall", "credit"])
@pytest.mark.parametrize("signed", [True, False])
def test_a_multiplier_takes_the_registers_of_its_product(tmp_path, handshake, signed):
    x = Tensor("x", (4,), FixedType(8, 3, signed))
    layer = dense(x, 2, 4, multiplier="dsp", rom_style="distributed")
    found = check(one_layer(layer), "ecp5-85k", tmp_path, handshake=handshake)
    text = (tmp_path / "netlist" / "netlist.v").read_text()
    assert found["MULT18X18D"] == text.count('.REG_OUTPUT_CLK("CLK0")') == 2


_PRODUCT = """
module top(input clk, input en, input rst, input signed [9:0] a, input signed [9:0] b,
           output logic signed [19:0] y, output logic signed [19:0] z);
  logic signed [9:0] ra, rb;
  logic signed [19:0] p;
  assign p = ra * rb;
  always_ff @(posedge clk) {ra, rb} <= {a, b};
  %s
endmodule
"""


@pytest.mark.parametrize(("registers", "packed"), [
    ("assign z = 0; always_ff @(posedge clk) if (en) y <= p;", True),
    ("assign z = 0; always_ff @(posedge clk) y <= p;", True),
    ("assign z = 0; always_ff @(posedge clk) y <= 20'(p[19:4]);", True),
    ("logic [19:0] q; assign z = 0; always_ff @(posedge clk) if (en) {q, y} <= {p, q};", True),
    # Another reader, two registers of different enables, an edge or a reset: left in logic.
    ("assign z = p; always_ff @(posedge clk) if (en) y <= p;", False),
    ("always_ff @(posedge clk) begin y <= p; if (en) z <= p; end", False),
    ("assign z = 0; always_ff @(posedge clk) if (rst) y <= 0; else y <= p;", False),
    ("assign z = 0; always_ff @(negedge clk) y <= p;", False),
    ("assign z = 0; initial y = -1; always_ff @(posedge clk) y <= p;", False),
])  # fmt: skip
def test_only_plain_registers_go_into_a_multiplier(tmp_path, registers, packed):
    (tmp_path / "top.sv").write_text(_PRODUCT % registers)
    found = synthesize_files([tmp_path / "top.sv"], "top", load_target("ecp5-25k"), tmp_path)
    assert found.total.dsp == 1
    assert (found.total.ff == 20) == packed  # of the operands
