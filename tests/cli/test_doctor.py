"""The doctor says what is missing and what to type."""

import json
import os
import stat

import pytest

from gatewright.cli import commands as cli
from gatewright.cli import doctor
from gatewright.place.nextpnr import find_nextpnr
from gatewright.silicon.activity import simulator_version
from gatewright.silicon.static_timing import timing_version


def _doctor(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", *arguments])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_everything_needed_for_the_tests_is_there(capsys):
    status, out, err = _doctor(capsys)
    assert (status, err) == (0, "")
    assert all(line.startswith(("ok ", "absent ")) for line in out.splitlines())


def test_json_alone_on_stdout(capsys):
    status, out, err = _doctor(capsys, "--json")
    checks = json.loads(out)
    assert (status, err) == (0, "")
    assert {"name", "purpose", "found", "remedy", "required"} == set(checks[0])
    assert {"g++", "hls4ml", "verilator", "pyosys"} <= {check["name"] for check in checks}


def test_a_missing_compiler_and_package(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    installed = doctor.metadata.version

    def version(name):
        if name == "pyosys":
            raise doctor.metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    status, out, err = _doctor(capsys)
    assert status == 2
    assert err.startswith("gatewright: missing: g++, pyosys;") and err.count("\n") == 1
    assert any(
        line.startswith("missing  pyosys") and "pip install pyosys" in line
        for line in out.splitlines()
    )


def test_a_compiler_that_cannot_run_is_missing(capsys, monkeypatch, tmp_path):
    broken = tmp_path / "g++"
    broken.write_text("#!/nowhere\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    status, _, err = _doctor(capsys)
    assert status == 2 and "g++" in err


def test_a_cache_that_cannot_be_written(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "file" / "cache"))
    status, out, err = _doctor(capsys)
    assert status == 2 and "cache directory" in err
    assert "export GATEWRIGHT_CACHE=DIR" in out


def _checks(capsys):
    return {check["name"]: check for check in json.loads(_doctor(capsys, "--json")[1])}


@pytest.fixture
def programs(monkeypatch, tmp_path):
    """Puts programs on PATH, and nothing else; versions that were found are forgotten."""
    asked = (find_nextpnr, simulator_version, timing_version)
    for function in asked:
        function.cache_clear()
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name, says, status=0):
        path = folder / name
        path.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
        path.chmod(0o755)

    yield put
    for function in asked:
        function.cache_clear()


def test_routers_of_all_families_that_can_be_placed(capsys):
    checks = _checks(capsys)
    routers = {name: check for name, check in checks.items() if name.startswith("nextpnr-")}
    assert {"nextpnr-ecp5", "nextpnr-ice40", "nextpnr-himbaechel-gowin"} <= set(routers)
    for name, check in routers.items():
        assert check["remedy"] == f"pip install yowasp-{name}" and not check["required"]
    assert routers["nextpnr-ice40"]["purpose"].endswith("ice40-hx, ice40-lp, ice40-up")


def test_a_native_router_goes_first_and_one_that_fails_is_absent(capsys, programs):
    programs("nextpnr-ecp5", '"nextpnr-ecp5" -- Next Generation (Version nextpnr-9.8-made-up)')
    programs("nextpnr-ice40", "no version", status=1)
    checks = _checks(capsys)
    assert checks["nextpnr-ecp5"]["found"] == "9.8-made-up"
    assert checks["nextpnr-ice40"]["found"] is None


def test_tools_for_standard_cells_by_what_they_say(capsys, programs):
    programs("sta", "7.6.5 made up")
    programs("iverilog", "Icarus Verilog version 4.3 (stable)")
    programs("vvp", "")
    checks = _checks(capsys)
    assert checks["sta"]["found"] == "7.6.5" and checks["iverilog"]["found"] == "4.3"
    assert checks["sta"]["remedy"] == "apt-get install opensta"


def test_tools_that_are_not_there_or_say_no_version_are_absent(capsys, programs):
    programs("sta", "no version")
    checks = _checks(capsys)
    for name in ("sta", "iverilog", "vivado", "quartus", "vitis_hls"):
        assert checks[name]["found"] is None and not checks[name]["required"]


def test_cell_libraries_are_found_below_the_root_of_pdks(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "nowhere"))
    checks = _checks(capsys)
    assert checks["PDK_ROOT"]["found"] is None and checks["sky130 cells"]["found"] is None
    assert checks["sky130 cells"]["remedy"].startswith("ciel enable --pdk sky130")
    library = tmp_path / "sky130A/libs.ref/sky130_fd_sc_hd/lib/sky130_fd_sc_hd__tt_025C_1v80.lib"
    library.parent.mkdir(parents=True)
    library.write_text("")
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    checks = _checks(capsys)
    assert checks["PDK_ROOT"]["found"] == str(tmp_path)
    assert checks["sky130 cells"]["found"] == str(library)
    assert checks["gf180mcu cells"]["found"] is None


def test_a_vendor_tool_is_found_on_the_path(capsys, programs):
    programs("vivado", "")
    assert _checks(capsys)["vivado"]["found"].endswith("/bin/vivado")
