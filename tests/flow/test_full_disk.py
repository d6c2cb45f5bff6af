"""A full disk is named, by a file or by the project whose disk it is, and leaves nothing behind."""

import errno
import os
import shutil
import subprocess
import sys

import pytest

from gatewright.errors import DesignFailure, InputError, system_message
from gatewright.system.files import locked

SIZE = 8 << 20
COMMANDS = {
    "convert": ("convert", "net.json", "--weights", "net_weights.h5", "-o", "other"),
    "verify": ("verify", "project", "--samples", "20", "--no-fidelity"),
    "synth": ("synth", "project", "--target", "xcup"),
    "report": ("report", "project", "--html", "page.html", "--csv", "table.csv"),
}

# Mounts the disk where no other process sees it, leaves so many bytes, and runs a command on it.
SCRIPT = """
set -e
mount -t tmpfs -o size=$SIZE tmpfs disk
cp -r source/. disk
cd disk
free=$(( $(stat -f -c %a .) * $(stat -f -c %S .) ))
head -c $(( free - LEFT )) /dev/zero > filler || true
set +e
"$@"
status=$?
echo "files: $(find . -name '.*' -name '*.??*' | wc -l)"
exit $status
"""


def may_mount():
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return shutil.which("unshare") and subprocess.run(probe, capture_output=True).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="no right to mount a small disk")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("left", [0, pytest.param(8192, marks=pytest.mark.full), 40960])
def test_a_disk_that_fills(converted, tmp_path, command, left):
    (tmp_path / "disk").mkdir()
    source = shutil.copytree(converted, tmp_path / "source")
    for folder in ("sim", "synth"):
        shutil.rmtree(source / "project" / folder, ignore_errors=True)
    for step in ("verify", "synth-xcup"):
        (source / "project" / "steps" / f"{step}.json").unlink(missing_ok=True)
    program = [
        sys.executable,
        "-c",
        "from gatewright.cli import main; main()",
        *COMMANDS[command],
    ]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", *program],
        cwd=tmp_path,
        env={
            **os.environ,
            "SIZE": str(SIZE),
            "LEFT": str(left),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "GATEWRIGHT_CACHE": str(tmp_path / "cache"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr
    assert "files: 0" in done.stdout  # nothing half-written
    if left == 0:
        assert done.returncode == 2
    if done.returncode:
        line = done.stderr.splitlines()[-1]
        assert done.returncode == 2 and line.startswith("gatewright: ")
        assert "o space" in line
        assert any(name in line for name in ("project", "other", "page.html", "table.csv")), line


def test_errors_without_a_file_are_told_to_be_of_the_project(tmp_path):
    with pytest.raises(OSError, match="No space") as caught, locked(tmp_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert system_message(caught.value) == f"{tmp_path}: No space left on device"


@pytest.mark.parametrize("kind", [DesignFailure, ValueError, RuntimeError, EOFError])
@pytest.mark.parametrize("room", [0, 1 << 30])
def test_what_a_full_disk_leads_to_is_told_to_be_that(tmp_path, monkeypatch, kind, room):
    usage = shutil._ntuple_diskusage(1 << 30, (1 << 30) - room, room)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    expected = kind if room else InputError
    with pytest.raises(expected) as caught, locked(tmp_path):
        raise kind("it broke off")
    assert caught.type is expected and "it broke off" in str(caught.value)
    assert room or "no space left on its disk" in str(caught.value)


def test_what_is_wrong_otherwise_stays_that(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(InputError, match=r"^no such layer$"), locked(tmp_path):
        raise InputError("no such layer")
