"""Reports of vendor tools, attached to a project: they stay until its RTL changes."""

import json

import made_up_reports as made
import pytest

from gatewright.cli import main
from gatewright.errors import InputError
from gatewright.flow.convert import load_rtl
from gatewright.flow.import_reports import attach_reports
from gatewright.flow.summary import summarize


@pytest.fixture
def reports(project, tmp_path):
    """Writes reports of the project's design, by name; gives their paths."""
    top = load_rtl(project).top

    def write(**makers):
        paths = []
        for name, make in makers.items():
            paths.append(tmp_path / f"{name}.rpt")
            paths[-1].write_text(make(top), encoding="utf-8")
        return paths

    return write


def routed(top):
    return made.utilization("Routed", top=top)


def estimated(top):
    return made.csynth(top=top)


def test_estimates_and_measurements_are_kept_apart_with_their_origins(project, reports):
    stamps = attach_reports(project, reports(area=routed, hls=estimated))
    assert [stamp.step for stamp in stamps] == [
        "vendor-vitis_hls-estimated",
        "vendor-vivado-routed",
    ]
    report = summarize(project)
    assert {key: one.lut for key, one in report.vendor.items()} == {
        "vitis_hls-estimated": 590,
        "vivado-routed": 700,
    }
    assert report.resources == {} and report.targets == []
    origin = report.provenance.groups["vendor.vivado-routed"]
    assert (origin.method, origin.tool, origin.version) == ("vendor", "Vivado", "2022.2")
    assert origin.details == "after routing, on xczu7ev-ffvc1156-2-e: area.rpt"
    details = report.provenance.groups["vendor.vitis_hls-estimated"].details
    assert details.startswith("estimated by C synthesis")


def test_an_import_replaces_the_one_before(project, reports):
    attach_reports(project, reports(area=routed))
    attach_reports(project, reports(timing=lambda top: made.timing_summary(top=top)))
    (one,) = summarize(project).vendor.values()
    assert (one.lut, one.slack_ns) == (None, 0.312)


def test_other_rtl_has_no_imports(project, reports):
    attach_reports(project, reports(area=routed))
    path = project / "rtl" / load_rtl(project).files[0]
    path.write_text(path.read_text() + "\n")
    assert summarize(project).vendor == {}


def test_a_report_of_another_design_is_refused(project, reports):
    files = reports(area=lambda _: made.utilization("Routed", top="another"))
    with pytest.raises(InputError, match=r"area\.rpt: about the design 'another', not '\w+' of"):
        attach_reports(project, files)
    assert not list((project / "steps").glob("vendor*"))
    attach_reports(project, files, design="another")
    assert summarize(project).vendor["vivado-routed"].lut == 700


def test_nothing_is_attached_if_one_report_is_refused(project, reports):
    files = reports(area=routed, power=lambda _: "no report\n")
    with pytest.raises(InputError, match=r"power\.rpt: is not a known report"):
        attach_reports(project, files)
    assert not list((project / "steps").glob("vendor*"))


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code or 0


def test_commands(project, reports, capsys):
    files = reports(area=routed)
    assert run("import-report", *files, "-o", project) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("vivado-routed (Vivado 2022.2, xczu7ev-ffvc1156-2-e): LUT 700,")
    assert captured.err == (
        f"{project}: vivado-routed: attached; 'gatewright report {project}' shows them\n"
    )
    assert run("report", project, "--budget", "vivado-routed.vendor_lut=700") == 0
    shown = capsys.readouterr().out
    assert "vivado-routed: vendor · Vivado 2022.2 (after routing" in shown
    assert "vivado-routed.vendor_lut is 700, budget <= 700: met" in shown
    assert run("report", project, "--budget", "vivado-routed.vendor_lut=699") == 1
    capsys.readouterr()
    assert run("import-report", *files, "--json") == 0
    assert json.loads(capsys.readouterr().out)["vivado-routed"]["lut"] == 700
    assert run("import-report", *files, "--design", "x") == 2
    assert "add -o DIR" in capsys.readouterr().err
