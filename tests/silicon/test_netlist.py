"""The flat netlist: all cells of the modules, each with its layer."""

from collections import Counter

import pytest

from gatewright.errors import DesignFailure
from gatewright.silicon.netlist import join


def test_it_has_the_cells_that_were_counted(netlist, mapped, target):
    library = target.family.standard_cells.library
    cells = Counter(instance.cell for instance in netlist.instances)
    total = mapped[1].total
    assert total.area_um2 == sum(library.cell(name).area * n for name, n in cells.items())
    assert total.nand2 == total.area_um2 / library.cell("NAND2").area
    assert total.ff == cells["DFF"] == 6
    assert total.lut is None


def test_ports_have_a_bit_each_and_names_tell_the_layer(netlist):
    assert {f"s_axis_tdata_{i}" for i in range(8)} <= netlist.ports.keys()
    text = netlist.file.read_text()
    assert "[" not in text
    assert "initial" not in text
    assert all(netlist.layer(instance.name) == "add" for instance in netlist.instances)
    assert netlist.layer("s_axis_tvalid") == ""
    assert netlist.signal("u_add__out_valid") == "out_valid"


def test_a_module_that_is_missing_is_an_error(project, target, tmp_path):
    library = target.family.standard_cells.library
    with pytest.raises(DesignFailure, match=r"^sums: Yosys failed: "):
        join(project, library, tmp_path / "nothing", tmp_path)
