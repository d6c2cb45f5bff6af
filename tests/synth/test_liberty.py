"""Mapping to standard cells: memories, ROMs, buffers, and what is refused."""

from pathlib import Path

import pytest
import yaml

from gatewright.errors import InputError
from gatewright.synth import export_netlist, synthesize_files
from gatewright.targets import load_target

LIBRARY = Path(__file__).parents[1] / "liberty" / "tiny.lib"
TARGET = {
    "description": "a tiny library",
    "clock_ns": 5.0,
    "family": "liberty",
    "libraries": [str(LIBRARY)],
    "nand2": "NAND2",
    "driving_cell": "BUF",
}
MEMORY = """
module memory (input clk, input we, input [2:0] a, b, input [3:0] d, output logic [3:0] q, r);
  logic [3:0] words [0:7];
  logic [3:0] rom [0:7];
  initial begin
    rom[0] = 1; rom[1] = 5; rom[2] = 9; rom[3] = 2; rom[4] = 7; rom[5] = 8; rom[6] = 3; rom[7] = 0;
  end
  always_ff @(posedge clk) begin
    if (we) words[a] <= d;
    q <= words[b];
    r <= rom[b];
  end
endmodule
"""
WIDE = """
module wide (input clk, input enable, input [63:0] d, output logic [63:0] q);
  always_ff @(posedge clk) if (enable) q <= d;
endmodule
"""


def target(folder, **changes):
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(TARGET | changes))
    return load_target(str(path))


def mapped(folder, text, name):
    source = folder / f"{name}.sv"
    source.write_text(text)
    netlist = export_netlist([source], name, target(folder), folder)[0].read_text()
    return netlist, synthesize_files([source], name, target(folder), folder).total


def test_a_memory_becomes_flip_flops_and_is_told_and_a_rom_logic(tmp_path):
    netlist, found = mapped(tmp_path, MEMORY, "memory")
    assert found.memory_bits == 32
    assert found.ff == 32 + 8
    assert "initial" not in netlist
    assert found.lut is None
    assert found.bram is None
    assert found.area_um2 > 40 * 8


def test_an_enable_of_many_flip_flops_is_buffered(tmp_path):
    netlist, found = mapped(tmp_path, WIDE, "wide")
    assert found.memory_bits == 0
    assert netlist.count("enable") < 64


def test_a_clock_decides_what_netlists_are_mapped_to(tmp_path):
    mapper = target(tmp_path).family.mapper
    assert mapper.at(2.0) != mapper.at(3.0)
    assert "-D 2000" in mapper.at(2.0).flow


def test_a_library_is_known_by_its_content(tmp_path):
    copy = tmp_path / "copy.lib"
    copy.write_text(LIBRARY.read_text())
    first = target(tmp_path, libraries=[str(copy)]).family.mapper
    copy.write_text(LIBRARY.read_text().replace("area : 8", "area : 9"))
    assert target(tmp_path, libraries=[str(copy)]).family.mapper != first


def test_a_fabric_has_the_delays_of_its_library(tmp_path):
    """A NAND2 with four like it: 40 fF; its slew is 0.1 + 0.2 * 0.4; the register's set-up 0.1."""
    fabric = target(tmp_path).fabric
    slew = 0.18
    assert fabric.gate_ns == pytest.approx(0.1 + 0.1 * slew + 0.1 * 0.4)
    assert fabric.register_ns == pytest.approx(0.2 + 0.1 * slew + 0.2 * 0.4 + 0.1)


def test_a_pdk_is_found_below_its_root(tmp_path, monkeypatch):
    place = tmp_path / "sky" / "lib"
    place.mkdir(parents=True)
    (place / "cells.lib").write_text(LIBRARY.read_text())
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    found = target(tmp_path, libraries=["/nowhere.lib", "$PDK_ROOT/sky/lib/cells.lib"])
    assert found.family.path == (place / "cells.lib").resolve()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"libraries": ["/nowhere.lib"]}, "/nowhere.lib: no such file; give its path"),
        ({"libraries": ["/nowhere.lib"], "obtain": "type: get it"}, "no such file; type: get it"),
        ({"nand2": "NAND9"}, "has no cell 'NAND9'"),
        ({"nand2": "INV"}, "cell 'INV' is not a gate with 2 inputs"),
        ({"driving_cell": "NAND2"}, "cell 'NAND2' is not a gate with 1 input,"),
    ],
)
def test_a_library_that_is_not_there_or_lacks_cells_is_refused(tmp_path, change, message):
    with pytest.raises(InputError) as refusal:
        assert target(tmp_path, **change).family.mapper
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    "change",
    [{"nand2": "A; shell"}, {"dont_use": ["$(x)"]}, {"libraries": []}, {"driving_cell": "a b"}],
)
def test_text_that_would_reach_a_tool_is_refused(tmp_path, change):
    with pytest.raises(
        InputError, match=f"mine.yaml: not a target description: {next(iter(change))}"
    ):
        target(tmp_path, **change)
