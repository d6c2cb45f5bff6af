"""Commands on a project: results alone on stdout, the answer in the exit status."""

import json

import pytest

from gatewright.cli import commands as cli


@pytest.fixture
def run(capsys):
    """Runs a command; gives status, stdout and stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return run


def test_a_failing_conversion_leaves_the_project(run, converted, project):
    given = (converted / "net.json", "--weights", converted / "net_weights.h5", "-o", project)
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file()}
    status, out, err = run("convert", *given, "--set", "fc1.strategy=foo")
    assert (status, out) == (2, "") and "strategy 'foo' does not exist" in err
    assert {
        path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file()
    } == before
    options = ("--input-precision", "fixed<6,2>", "--precision", "fixed<8,3>")
    status, out, err = run("convert", *given, *options, "--json")
    assert status == 0 and err == "" and json.loads(out)["top"] == "net"
    assert {
        path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file()
    } == before


def test_reports_as_json_and_budgets(run, project):
    status, out, err = run("report", project, "--json", "-")
    assert (status, err) == (0, "")
    assert json.loads(out)["reports"][0]["config"]["name"] == "project"
    status, _, err = run("report", project, "--budget", "lut=1")
    assert status == 1 and err.startswith("gatewright: ") and err.count("\n") == 1
    assert "1: missed" in err


@pytest.mark.parametrize(
    "name", ["model/design.json", "model/design.npz", "rtl/project.json", "hls/emulation.json"]
)
def test_a_damaged_project(run, project, name):
    for spoil in (lambda path: path.write_text("garbage{"), lambda path: path.unlink()):
        spoil(project / name)
        status, out, err = run("verify", project, "--samples", "5", "--no-fidelity")
        assert (status, out) == (2, "")
        assert err.startswith("gatewright: ") and err.count("\n") == 1
        assert "internal error" not in err and name.split("/")[0] in err
