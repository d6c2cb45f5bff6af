"""Every figure is reachable, and its group is one that the schema knows."""

import re
from pathlib import Path

import pytest
from made_up import (
    add_analyzed,
    add_routed,
    add_software,
    make_fidelity,
    make_fields,
    make_imported,
    make_recipe_fields,
    make_sweep,
    with_error,
)

from gatewright.cli import main
from gatewright.errors import InputError
from gatewright.report.figures import FIGURES, Quantity, columns, find_quantity
from gatewright.report.schema import Report, Resources

#: Of parts that have figures per target, the one that `everything` knows them on.
TARGETS = {
    "resources": "xcup",
    "routed": "xcup",
    "analyzed": "xcup",
    "power": "xcup",
    "vendor": "vivado-routed",
}


def everything():
    """A report in which each figure is known."""
    fields = make_recipe_fields()
    add_routed(fields, "xcup")
    add_analyzed(fields, "xcup")
    add_software(fields)
    fields["timing"].update(latency_last_min=12, latency_last_max=13)
    fields["resources"]["xcup"].update(
        bram=1.5, uram=2, lutram=3, area_um2=4.5, nand2=0.5, memory_bits=8
    )
    fields.update(make_fidelity())
    fields["vendor"] = make_imported()
    fields["provenance"]["groups"]["vendor.vivado-routed"] = {"method": "vendor", "tool": "Vivado"}
    fields["provenance"]["groups"]["fidelity"] = {"method": "simulated", "tool": "tf-keras 2.21"}
    return Report.model_validate(with_error(fields, 0.013))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_read_from_its_field_and_has_an_origin(name):
    report = everything()
    quantity = Quantity(FIGURES[name], TARGETS.get(FIGURES[name].part))
    assert quantity.of(report) is not None
    assert quantity.group in report.groups or name == "clock"
    bare = make_fields()
    for part in ("accuracy", "verification", "timing", "compute"):
        bare[part] = None
    bare["resources"] = {}
    assert quantity.of(Report.model_validate(bare)) is None


def test_every_resource_is_a_figure():
    fields = {figure.field for figure in FIGURES.values() if figure.part == "resources"}
    assert fields == set(Resources.model_fields)


def test_the_command_lists_every_figure_in_order_and_says_what_it_is(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", "--figures"])
    assert not ended.value.code
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(FIGURES)
    assert all(
        re.search(r", (more|less) is better(, on each target)?\. [A-Z].*\.$", line)
        for line in lines
    )
    assert "slack: slack (ns), more is better, on each target. Worst slack" in "\n".join(lines)


def test_the_documentation_names_figures_that_there_are():
    text = (Path(__file__).parents[2] / "docs" / "report.md").read_text()
    (listed,) = re.findall(r"lists all figures, with unit and meaning:\s(.*?) and", text, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) <= FIGURES.keys()


def test_columns_of_two_targets_stand_together():
    names = [column.name for column in columns(make_sweep(targets=("xcup", "xc7")))]
    split = names.index("xcup.lut")
    assert names[split - 1] == "xc7.memory_bits"
    assert names[-1] == "sparsity"


@pytest.mark.parametrize("name", ["ii", "lut", "xcup.lut", "7k.x.lut"])
def test_a_figure_is_found_by_its_name(name):
    quantity = find_quantity(name)
    assert quantity.name == name
    assert quantity.anywhere is (name == "lut")


@pytest.mark.parametrize(
    ("name", "message"),
    [("luts", "no figure 'luts'"), ("xcup.ii", "write ii"), (".lut", "no target before the point")],
)
def test_a_name_of_no_figure_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        find_quantity(name)
