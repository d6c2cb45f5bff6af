"""A Python whose files, names and terminal are ASCII by default runs the whole flow, too."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys

import pytest

ASCII = {
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "LC_ALL": "C",
    "LANG": "C",
    "PYTHONIOENCODING": "ascii",
}


@pytest.fixture
def run(converted, tmp_path):
    """Runs a command in a folder with files whose names and texts are not ASCII."""
    folder = tmp_path / "plätze"
    folder.mkdir()
    for name in ("net.json", "net_weights.h5"):
        shutil.copy(converted / name, folder / f"ü_{name}")
    (folder / "preset.yaml").write_text("description: für 模型\n", encoding="utf-8")

    def run(*arguments, status=0):
        done = subprocess.run(
            [sys.executable, "-c", "from gatewright.cli import main; main()", *arguments],
            cwd=folder,
            env={**os.environ, **ASCII, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            check=False,
        )
        err = done.stderr.decode("ascii")
        assert done.returncode == status, err
        assert "Traceback" not in err and "internal error" not in err
        return done.stdout.decode("ascii"), err

    run.folder = folder
    return run


def test_the_flow(run):
    files = ("ü_net.json", "--weights", "ü_net_weights.h5", "--name", "net")
    run("convert", *files, "--preset", "preset.yaml", "-o", "prüfling")
    assert "bit-exact" in run("verify", "prüfling", "--samples", "20", "--no-fidelity")[1]
    run("synth", "prüfling", "--target", "xcup")
    written = {kind: f"bericht-é.{kind}" for kind in ("html", "json", "csv", "markdown")}
    options = [text for kind, name in written.items() for text in (f"--{kind}", name)]
    out, _ = run("report", "prüfling", *options)
    assert "verification" in out
    texts = {kind: (run.folder / name).read_text("utf-8") for kind, name in written.items()}
    assert json.loads(texts["json"]) and texts["html"].startswith("<!")
    assert len(list(csv.reader(io.StringIO(texts["csv"])))) == 2
    assert json.loads(run("report", "prüfling", "--json", "-")[0])["reports"]


def test_messages(run):
    for arguments in (
        ("convert", "fehlt-ü.json", "--weights", "é.h5", "-o", "p"),
        ("verify", "fehlt-ü"),
        ("report", "fehlt-ü"),
        ("convert", "ü_net.json", "--weights", "ü_net_weights.h5", "-o", "p", "--name", "größe"),
    ):
        err = run(*arguments, status=2)[1]
        assert err.startswith("gatewright: ") and err.count("\n") == 1
