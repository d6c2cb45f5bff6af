"""ECP5: mapped netlists simulated against the golden outputs, and what they are counted as."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_netlists import check, dense, one_layer, rng, x_type

from gatewright.emit import emit
from gatewright.fixed import FixedType
from gatewright.kernels import Tensor
from gatewright.synth import synthesize
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
