"""Whatever befalls a file of a project, each command says what is wrong, and `convert` mends it."""

import hashlib
import json
import os
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from gatewright.cli import commands as cli
from gatewright.flow import convert as conversion
from gatewright.flow.convert import changed_files
from gatewright.flow.fifos import size_fifos
from gatewright.flow.steps import read_stamp
from gatewright.flow.synthesize import synthesize
from gatewright.flow.verify import verify
from gatewright.system.files import remove, replaced_directories

ASKED = ("--input-precision", "fixed<6,2>", "--precision", "fixed<8,3>")
VERIFY = ("--samples", "5", "--stall", "random", "--no-fidelity")
MADE = ("hls", "model", "rtl", "convert.json")


@pytest.fixture(scope="module")
def finished(converted, tmp_path_factory):
    """A project all of whose steps are done."""
    directory = shutil.copytree(converted / "project", tmp_path_factory.mktemp("f") / "project")
    verify(directory, samples=5, stalls=cli._patterns(["random"]), fidelity=False)
    synthesize(directory, "xcup")
    with pytest.raises(SystemExit):
        cli.main(["report", str(directory), "--json", "-"])
    return directory


@pytest.fixture
def project(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "project")


@pytest.fixture
def run(capsys):
    """Runs a command; gives status and the lines on stderr, none of which is an internal error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        lines = capsys.readouterr().err.splitlines()
        status = ended.value.code or 0
        errors = [line for line in lines if line.startswith("gatewright: ")]
        assert len(errors) == (status != 0), lines
        assert not any("internal error" in line for line in lines), lines
        return status, lines

    return run


@contextmanager
def conversions_from(finished, monkeypatch):
    """Conversions take what a real one of the same model has made, instead of seconds."""

    def instead(model, weights, options, directory, *_):
        with replaced_directories(*(directory / name for name in MADE[:3])) as folders:
            for folder in folders:
                name = folder.name.split(".")[1]
                shutil.copytree(finished / name, folder, dirs_exist_ok=True)
            remove(directory / "convert.json")
            shutil.copy(finished / "convert.json", directory)
        return read_stamp(finished, "convert").results

    with monkeypatch.context() as patched:
        patched.setattr(conversion, "_convert", instead)
        yield


def hashes(directory):
    """SHA-256 of what a conversion makes, by path."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    names = [path.relative_to(directory).as_posix() for path in files]
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in zip(names, files, strict=True)
        if name.split("/")[0] in MADE
    }


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) * 2 // 3] ^= 0x04
    path.write_bytes(data)


def another_type(path):
    """Put text in the place of the first number of a JSON file, or a number in that of text."""

    def change(value):
        if isinstance(value, dict):
            for key in value:
                value[key], done = change(value[key])
                if done:
                    return value, True
            return value, False
        if isinstance(value, list):
            return (["x", *value], True)
        return ("1" if isinstance(value, int | float) else 1), True

    fields = json.loads(path.read_text())
    path.write_text(json.dumps(change(fields)[0]))


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "flipped": flip,
    "another type": another_type,
    "directory": lambda path: (path.unlink(), path.mkdir()),
    "device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "link to nothing": lambda path: (path.unlink(), path.symlink_to("nothing")),
}

#: One of each kind of file.
KINDS = [
    "convert.json",
    "report.json",
    "model/design.json",
    "model/design.npz",
    "model/network.json",
    "model/network.npz",
    "rtl/project.json",
    "rtl/net_fc1.sv",
    "rtl/net.sv",
    "hls/emulation.json",
    "hls/firmware/net.cpp",
    "hls/firmware/defines.h",
    "hls/firmware/weights/w2.txt",
    "sim/outputs.npz",
    "sim/results.xml",
    "steps/convert.json",
    "steps/fifos.json",
    "steps/synth-xcup.json",
    "steps/verify.json",
    "synth/xcup/net/cells.json",
]


def damages(name):
    return [how for how in DAMAGE if how != "another type" or name.endswith(".json")]


def is_spared(command, name, how):
    """What is too slow here: a simulation is built anew."""
    built_anew = name.endswith(".sv") and how == "flipped"
    return command == "verify" and built_anew


def cases():
    """Every kind of file in one way, another for each; the rest is for the wide run."""
    ways = len(DAMAGE)
    for number, name in enumerate(KINDS):
        for how in damages(name):
            chosen = list(DAMAGE)[number % ways] == how
            slow = name.endswith(".sv") and how in ("flipped", "truncated", "empty")
            marks = () if chosen and not slow else pytest.mark.full
            yield pytest.param(name, how, marks=marks)


@pytest.mark.parametrize(("name", "how"), list(cases()))
def test_a_damaged_file_is_named_and_made_again(
    run, converted, finished, project, monkeypatch, name, how
):
    """Each command ends in an answer or a line; after `convert` all is as in a fresh project."""
    if not (project / name).exists():
        size_fifos(project)
    DAMAGE[how](project / name)
    commands = {
        "report": ("report", project, "--json", "-"),
        "verify": ("verify", project, *VERIFY),
        "fifos": ("fifos", project, "--samples", "4"),
        "synth": ("synth", project, "--target", "xcup"),
    }
    for command, arguments in commands.items():
        if not is_spared(command, name, how):
            run(*arguments)
    given = (converted / "net.json", "--weights", converted / "net_weights.h5", "-o", project)
    with conversions_from(finished, monkeypatch):
        status, lines = run("convert", *given, *ASKED)
        assert status == 0
        part = name.split("/")[0]
        if part in MADE or (name == "steps/convert.json" and how != "missing"):
            assert name in lines[0] and lines[0].endswith(": converted again")
        status, lines = run("convert", *given, *ASKED)
        assert (status, "up to date" in lines[-1]) == (0, True)
    assert hashes(project) == hashes(finished)
    assert changed_files(project) == []
    for arguments in commands.values():
        status, lines = run(*arguments)
        assert status == 0, lines
    assert read_stamp(project, "synth-xcup").results == read_stamp(finished, "synth-xcup").results
    same = ("verification", "timing", "interval", "changed")
    after, before = (read_stamp(d, "verify").results for d in (project, finished))
    assert [getattr(after, key) for key in same] == [getattr(before, key) for key in same]
    outputs = [np.load(d / "sim" / "outputs.npz")["output0"] for d in (project, finished)]
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize("folder", ["hls", "model", "rtl", "sim", "steps", "synth"])
@pytest.mark.parametrize(
    "what", ["file", *(pytest.param(w, marks=pytest.mark.full) for w in ("missing", "device"))]
)
def test_a_missing_folder_is_made_again(
    run, converted, finished, project, monkeypatch, folder, what
):
    shutil.rmtree(project / folder)
    if what == "file":
        (project / folder).touch()
    elif what == "device":
        (project / folder).symlink_to("/dev/zero")
    given = (converted / "net.json", "--weights", converted / "net_weights.h5", "-o", project)
    for command in (("verify", *VERIFY), ("report", "--json", "-")):
        run(command[0], project, *command[1:])
    with conversions_from(finished, monkeypatch):
        assert run("convert", *given, *ASKED)[0] == 0
    assert hashes(project) == hashes(finished)
    for command in (("verify", *VERIFY), ("synth", "--target", "xcup"), ("report",)):
        status, lines = run(command[0], project, *command[1:])
        assert status == 0, lines
