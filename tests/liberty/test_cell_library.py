"""Cell libraries: what is read of them, and what is refused."""

from pathlib import Path

import pytest

from gatewright.errors import InputError
from gatewright.liberty import syntax
from gatewright.liberty.library import load_library

TINY = Path(__file__).with_name("tiny.lib")


@pytest.fixture(scope="module")
def tiny():
    return load_library(TINY)


def changed(folder, old, new):
    text = TINY.read_text()
    assert old in text
    path = folder / "changed.lib"
    path.write_text(text.replace(old, new, 1))
    return load_library(path)


def test_units_are_told_in_si(tiny):
    assert (tiny.volt, tiny.time_ns, tiny.load_ff, tiny.leakage_uw) == (2, 1, 1000, 0.001)
    assert tiny.energy_pj == pytest.approx(1.0)
    assert tiny.conditions == "2 V, 25 C"


def test_other_units(tmp_path):
    text = TINY.read_text().replace('"1ns"', '"100ps"').replace("(1, pf)", "(10, ff)")
    (tmp_path / "other.lib").write_text(text.replace('unit : "1nW"', 'unit : "1pW"'))
    other = load_library(tmp_path / "other.lib")
    assert other.time_ns == pytest.approx(0.1)
    assert other.load_ff == pytest.approx(10)
    assert other.energy_pj == pytest.approx(0.01)
    assert other.leakage_uw == pytest.approx(1e-6)


def test_cells_have_pins_areas_and_memories(tiny):
    assert tiny.names == ["INV", "BUF", "NAND2", "NOR2", "DFF"]
    gate, register = tiny.cell("NAND2"), tiny.cell("DFF")
    assert (gate.area, gate.leakage, gate.memory) == (2, 2, None)
    assert [pin.name for pin in gate.inputs] == ["A", "B"]
    assert gate.pins["A"].capacitance == 0.01
    assert (register.memory, register.next_state) == ("flip-flop", "D")
    assert register.pins["CK"].clock


@pytest.mark.parametrize(
    ("slew", "load", "delay"),
    [(0, 0, 0.1), (0, 0.1, 0.2), (1, 0.1, 0.3), (0.5, 0.05, 0.2), (2, 0.2, 0.5)],
)
def test_tables_are_linear_between_points_and_beyond(tiny, slew, load, delay):
    (arc, _) = tiny.cell("NAND2").outputs[0].arcs
    assert arc.mean("cell_rise", slew=slew, load=load) == pytest.approx(delay)


def test_energies_are_means_of_rising_and_falling(tiny):
    (energy,) = tiny.cell("INV").outputs[0].energies
    assert energy.related == "A"
    assert energy.mean(slew=0.5, load=0) == pytest.approx(0.03)
    (clock,) = tiny.cell("DFF").pins["CK"].energies
    assert clock.mean(slew=1, load=0) == pytest.approx(0.04)


def test_without_a_cells_leakage_its_states_are_averaged(tmp_path):
    states = "leakage_power () { value : 2; when : A; } leakage_power () { value : 4; }"
    found = changed(tmp_path, "cell_leakage_power : 1;", states)
    assert found.cell("INV").leakage == 3
    assert changed(tmp_path, "cell_leakage_power : 1;", "").cell("INV").leakage is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a Liberty file"),
        ("library (a) { cell (b) {", "not a Liberty file"),
        ("cell (b) { area : 1; }", "it begins with 'cell'"),
        ("library (a) { }", "capacitive_load_unit"),
        ("\x7fELF\x00\x01", "not a Liberty file"),
        ("library (a) {" + "g () {" * 100_000, "not a Liberty file"),
    ],
)
def test_what_is_no_library_is_refused_in_a_line(tmp_path, text, message):
    path = tmp_path / "no.lib"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        load_library(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("area : 1;", "area : wide;", "could not convert"),
        ("area : 1;", "area : 1e400;", "out of range"),
        ("area : 1;", "", "gives no area"),
        ('values ("0.1, 0.2", "0.2, 0.3")', 'values ("1")', "1 values for 4 points"),
        ('index_2 ("0, 0.1")', 'index_2 ("0.1, 0")', "is not ascending"),
        ("pin (A)", 'pin ("A;exec")', "letters, digits"),
    ],
)
def test_a_cell_that_is_wrong_is_named(tmp_path, old, new, message):
    with pytest.raises(InputError, match=rf"cell 'INV': .*{message}"):
        changed(tmp_path, old, new).cell("INV")


def test_names_that_are_text_for_tools_are_refused(tmp_path):
    with pytest.raises(InputError, match="a name of letters"):
        changed(tmp_path, "cell (INV)", 'cell ("INV; shell ls")')


def test_without_the_parser_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(syntax, "find_spec", lambda _: None)
    (tmp_path / "copy.lib").write_text(TINY.read_text() + "\n")
    with pytest.raises(InputError, match=r"pip install 'gatewright\[asic\]'"):
        load_library(tmp_path / "copy.lib")
