"""Static timing by OpenSTA, and by programs that stand in for it."""

import shutil
import stat
import sys
from dataclasses import replace

import pytest

from gatewright.errors import DesignFailure, GatewrightError, InputError
from gatewright.results.signal_origin import SignalOrigin
from gatewright.rtl.signal_map import Origin, SignalMap
from gatewright.silicon import static_timing
from gatewright.silicon.static_timing import Constraints, analyze, timing_version

real = pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA is not installed")
NO_NAMES = SignalMap({})
ASKED = Constraints(20.0, "BUF", 40.0)
GOOD = """
print("gatewright:read\\ngatewright:linked\\ngatewright:cells", CELLS)
print("gatewright:slack 17.5\\ngatewright:point s_axis_tdata_0")
print("gatewright:point", f"{CELL}/D")
print("gatewright:done")
"""


@pytest.fixture
def sta(tmp_path_factory, monkeypatch, netlist):
    """Puts a program in the place of OpenSTA."""
    folder = tmp_path_factory.mktemp("bin")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    register = next(each.name for each in netlist.instances if each.cell == "DFF")

    def install(body, version="2.0.17"):
        program = folder / "sta"
        program.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"if '-version' in sys.argv: print({version!r}); sys.exit()\n"
            f"CELLS, CELL = {len(netlist.instances)}, {register!r}\n{body}"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        timing_version.cache_clear()

    yield install
    timing_version.cache_clear()


def failure(netlist, target):
    with pytest.raises(GatewrightError) as caught:
        analyze(netlist, target.family.standard_cells.library, ASKED, NO_NAMES)
    assert "\n" not in str(caught.value)
    return caught.value


@real
def test_the_real_one_finds_slack_and_path(netlist, target):
    timing_version.cache_clear()
    found = analyze(netlist, target.family.standard_cells.library, ASKED, NO_NAMES)
    assert 0 < found.slack_ns < 20
    assert found.fmax_mhz == pytest.approx(1000 / (20 - found.slack_ns), rel=1e-3)
    assert (found.path.end_layer, found.path.cells > 2) == ("add", True)
    assert found.leakage_uw == pytest.approx(
        1e-3 * sum({"INV": 1, "BUF": 1, "DFF": 4}.get(each.cell, 2) for each in netlist.instances)
    )
    assert (netlist.directory / static_timing.DELAYS).stat().st_size > 100


@real
def test_an_end_says_what_it_was_made_for(netlist, target):
    timing_version.cache_clear()
    names = {
        net: [*names, "u_add__u_sum__t3_q1_2"] if any("m_axis_tdata" in n for n in names) else names
        for net, names in netlist.names.items()
    }
    signals = SignalMap({("u_add.u_sum", "t3_q1"): Origin("add_relu", 1, 0)})
    named = replace(netlist, names=names)
    path = analyze(named, target.family.standard_cells.library, ASKED, signals).path
    assert path.start_origin is None  # a port
    assert path.end_origin == SignalOrigin(layer="add_relu", stage=1, element=0)


@real
def test_a_cell_that_it_drops_is_an_error(netlist, target):
    """OpenSTA makes an empty box of a module that it does not know, with a warning."""
    timing_version.cache_clear()
    netlist.file.write_text(netlist.file.read_text().replace("  DFF ", "  DFX ", 1))
    assert isinstance(failure(netlist, target), DesignFailure)


def test_one_that_works(sta, netlist, target):
    sta(GOOD)
    found = analyze(netlist, target.family.standard_cells.library, ASKED, NO_NAMES)
    assert (found.slack_ns, found.fmax_mhz, found.path.start) == (17.5, 400.0, "s_axis_tdata_0")
    assert found.path.end_layer == "add"
    assert timing_version() == "2.0.17"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.exit(3)", "ended early"),
        ("print('gatewright:read'); print('Error: bad.v line 3'); sys.exit(0)", "bad.v line 3"),
        (
            "print('gatewright:read\\nWarning: module DFX not found. Creating black box.')",
            "Creating black box",
        ),
        (GOOD.replace("CELLS)", "CELLS - 1)"), "OpenSTA read "),
        (GOOD.replace("slack 17.5", "slack INF-"), "found no path"),
        (GOOD.replace("gatewright:slack", "Slack (new format):"), "found no path"),
        (GOOD.replace("gatewright:done", ""), "ended early"),
        ("", "ended early, after: no output"),
    ],
)
def test_one_that_fails_or_says_something_else_is_named(sta, netlist, target, body, message):
    sta(body)
    assert message in str(failure(netlist, target))


def test_one_that_hangs_is_ended(sta, netlist, target, monkeypatch):
    sta("import time; time.sleep(60)")
    timing_version()
    monkeypatch.setattr(static_timing, "_SECONDS", 1)
    assert "ended after 1 seconds" in str(failure(netlist, target))


def test_a_version_is_needed(sta):
    sta("", version="no version\nat all")
    with pytest.raises(InputError, match="prints no version"):
        timing_version()


def test_without_it_the_message_says_what_to_install(monkeypatch, tmp_path):
    timing_version.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt-get install opensta"):
        timing_version()


def test_constraints_are_in_the_units_of_the_tool():
    text = ASKED.sdc(time_ns=0.001, load_ff=1.0)
    assert "-period 20000 " in text
    assert "set_load 40 " in text
    assert "set_driving_cell -lib_cell BUF $data" in text
