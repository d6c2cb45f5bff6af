"""The doctor says what is missing and what to type."""

import json
import os
import stat

import pytest

from gatewright.cli import commands as cli
from gatewright.cli import doctor


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
