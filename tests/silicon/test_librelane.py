"""The configuration of LibreLane: files that there are, the clock that was asked for."""

import json

from gatewright.silicon.librelane import CONFIGURATION, CONSTRAINTS, write_configuration
from gatewright.silicon.static_timing import Constraints


def test_it_names_the_rtl_and_the_clock(project, target, tmp_path):
    folder = project.directory.parent / "silicon" / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    cells = target.family.standard_cells
    write_configuration(project, cells, Constraints(20.0, "BUF", 40.0), folder)
    config = json.loads((folder / CONFIGURATION).read_text())
    for name in config["VERILOG_FILES"]:
        assert (folder / name.removeprefix("dir::")).is_file()
    assert (config["DESIGN_NAME"], config["CLOCK_PORT"], config["CLOCK_PERIOD"]) == (
        "sums",
        "clk",
        20.0,
    )
    assert "PDK" not in config
    assert (folder / CONSTRAINTS).read_text().startswith("create_clock -name clk -period 20 ")
