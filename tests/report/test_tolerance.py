"""How much worse than in an older report figures may be, and what the command makes of it."""

import pytest
from made_up import make_fields, make_report, make_sweep

from gatewright.cli import main
from gatewright.errors import InputError
from gatewright.report.diff import compare
from gatewright.report.report_files import write_json
from gatewright.report.schema import Report, SweepReport
from gatewright.report.tolerance import parse_tolerance, regressions


def sweep_with(lut=None, mismatches=0, accuracy=0.9611, latency=None):
    fields = make_fields(mismatches=mismatches, accuracy=accuracy)
    fields["resources"]["xcup"]["lut"] = lut
    if latency is not None:
        fields["timing"].update(latency_min=latency, latency_max=latency, latency_predicted=latency)
    return SweepReport(reports=(Report.model_validate(fields),))


@pytest.mark.parametrize(
    ("old", "new", "tolerances", "named"),
    [
        (1000, 1020, (), []),
        (1000, 1021, (), ["xcup.lut was 1,000, is 1,021, worse by 2.1%; tolerance 2%"]),
        (1000, 500, (), []),
        (1000, 1040, ("5%",), []),
        (1000, 1040, ("5%", "lut=1%"), ["tolerance 1%"]),
        (1000, 1040, ("lut=50%", "0%"), []),
        (1000, 1040, ("xcup.lut=39",), ["tolerance 39"]),
        (1000, 1040, ("xcup.lut=40",), []),
        (1000, 1040, ("ecp5.lut=40",), ["tolerance 2%"]),
        (0, 1, (), ["xcup.lut was 0, is 1; tolerance 2%"]),
        (1000, None, ("100%",), ["xcup.lut was 1,000, is ?; tolerance 100%"]),
        (None, 1000, (), []),
    ],
)
def test_what_is_worse_by_more_than_is_tolerated(old, new, tolerances, named):
    changes = compare(sweep_with(new), sweep_with(old))
    found = regressions(changes, [parse_tolerance(text) for text in tolerances])
    assert len(found) == len(named)
    for text, words in zip(found, named, strict=True):
        assert text.startswith("w6: xcup.lut") and words in text


def test_figures_of_which_more_is_better():
    changes = compare(sweep_with(accuracy=0.93), sweep_with(accuracy=0.96))
    assert any("w6: accuracy was 0.9600, is 0.9300, worse by 3.1%" in text
               for text in regressions(changes))  # fmt: skip
    assert regressions(changes, [parse_tolerance("4%")]) == []
    assert regressions(compare(sweep_with(accuracy=0.99), sweep_with(accuracy=0.96))) == []


def test_what_was_chosen_and_what_the_main_table_leaves_out_is_held_only_by_name():
    old, new = make_fields(), make_fields()
    new["timing"]["clock_ns"] = 5.0
    new["compute"]["macs"] *= 2
    pair = [SweepReport(reports=(Report.model_validate(fields),)) for fields in (new, old)]
    assert regressions(compare(*pair)) == []
    assert len(regressions(compare(*pair), [parse_tolerance("macs=1%")])) == 1


def test_a_design_no_longer_known_to_be_bit_exact():
    old, broken = sweep_with(), sweep_with(mismatches=3)
    (text,) = regressions(compare(broken, old), [parse_tolerance("1000%")])
    assert text == "w6: no longer proved bit-exact"
    assert regressions(compare(old, broken)) == []


@pytest.mark.parametrize("text", ["", "5", "-1%", "nan%", "lut=", "lut=-1", "=5%", "nothing=5%"])
def test_a_tolerance_that_is_none(text):
    with pytest.raises(InputError, match=f"^tolerance '{text}': "):
        parse_tolerance(text)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["gatewright", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return run


def test_the_command_gates_on_an_older_report(run, tmp_path):
    write_json(sweep_with(1000, latency=10), tmp_path / "old.json")
    write_json(sweep_with(1100, latency=10), tmp_path / "new.json")
    status, out, err = run("report", "new.json", "--against", "old.json")
    assert status == 1 and "worse" in out
    assert err.startswith("gatewright: worse than before: w6: xcup.lut was 1,000, is 1,100")
    assert run("report", "new.json", "--against", "old.json", "--tolerance", "lut=10%")[0] == 0
    assert run("report", "old.json", "--against", "new.json")[0] == 0
    status, _, err = run("report", "new.json", "--tolerance", "5%")
    assert status == 2 and "add --against" in err


def test_the_command_takes_several_models_for_one_page(run, tmp_path):
    other = make_fields("w4")
    other["model"]["name"] = "another"
    old = SweepReport.model_validate({"reports": [other]})
    sweep = SweepReport(reports=make_sweep().reports[1:3])
    write_json(sweep, tmp_path / "all" / "mlp" / "report.json")
    write_json(old, tmp_path / "all" / "another" / "report.json")
    status, out, _ = run("report", "all", "--html", "page.html", "--against", "all")
    assert status == 0 and "digits_mlp" in out and "another" in out
    page = (tmp_path / "page.html").read_text()
    assert "<title>another, digits_mlp" in page
    for option in ("--json", "--csv", "--markdown"):
        status, _, err = run("report", "all", option, "file")
        assert status == 2
        assert err == (
            f"gatewright: {option} is for one model, not for another, digits_mlp; "
            "--html takes several\n"
        )
        assert not (tmp_path / "file").exists()
    write_json(SweepReport(reports=(make_report(),)), tmp_path / "one.json")
    status, _, err = run("report", "one.json", "--against", "all/another")
    assert status == 2 and "can't be compared" in err
