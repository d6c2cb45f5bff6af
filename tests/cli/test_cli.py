"""The command line: exit status, one line on stderr, results alone on stdout."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from gatewright.cli import commands as cli
from gatewright.system import processes


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs a command in an empty folder; gives status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def refused(run, tmp_path):
    """Runs a command that must be refused with one line and leave nothing; gives the line."""

    def refused(*arguments):
        before = sorted(tmp_path.rglob("*"))
        status, out, err = run(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("gatewright: ") and err.count("\n") == 1, err
        assert "Traceback" not in err and "internal error" not in err
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return refused


@pytest.fixture
def model(tmp_path):
    """Arguments of a conversion whose weights are never reached."""
    (tmp_path / "m.json").write_text("{}")
    (tmp_path / "m.h5").write_bytes(b"")
    return ("convert", "m.json", "--weights", "m.h5", "-o", "out")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--io", "foo"), "'foo' does not exist; choose from parallel, stream"),
        (("--reuse", "0"), "reuse factor 0: must be from 1 to"),
        (("--clock", "-1"), "clock -1 ns: must be from 0.01 to 1e+06 ns"),
        (("--clock", "nan"), "clock nan ns"),
        (("--clock", "inf"), "clock inf ns"),
        (("--clock", "0.1"), "registers alone take 0.15 ns on xcup"),
        (("--precision", "fixed<8>"), "'fixed<8>' is not a fixed-point type; write for example"),
        (("--input-precision", "float"), "'float' is not a fixed-point type"),
        (("--set", "fc1"), "write layer.key=value"),
        (("--preset", "nope"), "preset 'nope' does not exist; choose from"),
        (("--target", "nope"), "target 'nope' does not exist; choose from cyclonev, ecp5"),
        (("--strategy", "fast"), "strategy 'fast' does not exist; choose from"),
        (("--name", "module"), "is reserved in SystemVerilog"),
        (("--name", "a b"), "letters, digits and _"),
        (("--nope",), "No such option: --nope"),
        ((), "m.h5: not a readable HDF5 model"),
    ],
)
def test_a_wrong_option_of_a_conversion(refused, model, arguments, words):
    assert words in refused(*model, *arguments)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [1", "not a target description"),
        ("", "no mapping of fields"),
        ("{part: x}", "names no family; write 'family: xilinx'"),
        ("{family: xilinx, part: x}", "synth_family: is missing"),
    ],
)
def test_a_wrong_target_file(refused, model, tmp_path, content, words):
    (tmp_path / "t.yaml").write_text(content)
    assert words in refused(*model, "--target", "t.yaml")


def test_a_place_that_cannot_take_a_project(refused, model, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "mine" / "rtl").mkdir(parents=True)
    (tmp_path / "mine" / "rtl" / "precious.sv").write_text("")
    for place, words in (
        ("file", "file: is a file"),
        ("file/below", "file: is a file"),
        ("mine", "holds a 'rtl' that is not Gatewright's"),
    ):
        assert words in refused(*model[:-1], place)


def test_a_directory_that_is_no_project(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    for command in (("verify",), ("synth", "--target", "xcup")):
        assert "nope: does not exist" in refused(*command, "nope")
        assert "empty: no converted model here" in refused(*command, "empty")
    assert "empty: no report.json here" in refused("report", "empty")
    assert "no such sweep" in refused("run", "nope")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--samples", "0"), "--samples"), (("--stall", "foo"), "--stall foo: choose from")],
)
def test_a_wrong_option_of_a_verification(refused, arguments, words):
    assert words in refused("verify", "nope", *arguments)


def test_a_missing_package_is_named(refused, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert "h5py is not installed; type 'gatewright doctor'" in refused(*model)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device", "out/x"), "out/x: No space left on device"),
        (shutil.Error([("a", "out/b", "[Errno 28] No space left")]), "out/b: No space left"),
        (MemoryError(), "out of memory"),
        (RecursionError(), "nested too deeply"),
        (KeyboardInterrupt(), "interrupted; run the same command again"),
    ],
)
def test_what_the_system_refuses(run, model, monkeypatch, error, words):
    def convert(*_, **__):
        raise error

    monkeypatch.setattr("gatewright.flow.convert.convert", convert)
    monkeypatch.setattr(processes, "_stopping", isinstance(error, KeyboardInterrupt))
    status, out, err = run(*model)
    assert (status, out) == (2, "") and words in err and err.count("\n") == 1


def test_help_without_arguments(run):
    status, out, err = run()
    assert (status, err) == (0, "") and "convert" in out


def test_debug_shows_the_traceback(run):
    assert "Traceback" in run("--debug", "verify", "nope")[2]


def test_an_interrupt_is_one_line_and_leaves_nothing(tmp_path):
    os.mkfifo(tmp_path / "net.json")  # reading it waits for ever
    (tmp_path / "net.h5").write_bytes(b"")
    program = "from gatewright import cli, flow\nimport gatewright.flow.convert as c, time\n"
    program += "c.run_step = lambda *a, **k: (print('up', flush=True), time.sleep(60))\n"
    program += "c._content = lambda *a: ''\n"
    program += "cli.main(['convert', 'net.json', '--weights', 'net.h5', '-o', 'out'])"
    command = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stdout.readline() == "up\n"
    started = time.monotonic()
    command.send_signal(signal.SIGTERM)
    _, err = command.communicate(timeout=20)
    assert time.monotonic() - started < 10
    assert command.returncode == 2
    assert err == "gatewright: interrupted; run the same command again to continue\n"
    assert not (tmp_path / "out").exists()


def test_inputs_that_are_no_samples(run, tmp_path, monkeypatch):
    from gatewright.design.dataflow import Design
    from gatewright.errors import InputError
    from gatewright.fixed import FixedType
    from gatewright.flow.inputs import read_inputs
    from gatewright.kernels import Tensor

    tensor = Tensor("x", (3,), FixedType.parse("fixed<6,2>"))
    design = Design("net", (tensor,), (tensor,), ())
    arrays = {
        "shape": np.zeros((2, 4)),
        "scalar": np.float64(1),
        "none": np.zeros((0, 3)),
        "nan": np.full((2, 3), np.nan),
        "object": np.array([[{}, 1, 2]], object),
        "text": np.array([["a", "b", "c"]]),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array, allow_pickle=True)
        with pytest.raises(InputError):
            read_inputs(tmp_path / f"{name}.npy", design)
    for content in (b"", b"hello", b"PK\x03\x04", b"\x93NUMPY\x01"):
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(InputError, match=r"x\.npy"):
            read_inputs(tmp_path / "x.npy", design)


@pytest.mark.parametrize("command", ["layers", "cache", "doctor"])
def test_a_reader_that_is_gone_is_no_error_to_report(command):
    """As `gatewright layers | head` has it, which closes the pipe early."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", "from gatewright.cli import main; main()", command],
        stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=120,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (2, "")


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "gatewright", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.startswith("gatewright ")
