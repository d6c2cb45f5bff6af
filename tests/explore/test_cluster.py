"""Tasks on a Ray cluster: the same as in processes, and nothing on standard output."""

import importlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from explore import tasks
from gatewright.errors import InputError
from gatewright.explore.cluster import ClusterEngine
from gatewright.explore.engine import WorkerDied
from gatewright.system import processes
from waiting import gone, wait_until

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.full
def test_cluster_on_this_machine(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))  # for the tasks of these tests
    note = tmp_path / "note"
    engine = ClusterEngine(jobs=2)
    try:
        assert engine.workers == 2
        sums = [engine.submit(tasks.add, n, 1) for n in range(3)]
        failing = engine.submit(tasks.fail, "conv1: no such thing")
        dying = engine.submit(tasks.die)
        assert [task.result() for task in sums] == [1, 2, 3]
        with pytest.raises(InputError, match=r"^conv1: no such thing$"):
            failing.result()
        with pytest.raises(WorkerDied):
            dying.result()

        release, running = tmp_path / "release", tmp_path / "running"
        running.mkdir()
        done = [engine.submit(tasks.note_and_wait, running, str(n), release) for n in range(3)]
        wait_until(lambda: len(list(running.iterdir())) == 2)
        release.touch()
        assert [task.result() for task in done] == ["0", "1", "2"]

        engine.submit(tasks.sleep_in_child, note)
        wait_until(lambda: note.exists() and note.read_text())
        pids = [int(text) for text in note.read_text().split()]
        assert not any(gone(pid) for pid in pids)
    finally:
        engine.close()
    wait_until(lambda: all(gone(pid) for pid in pids))
    assert not [p for p in psutil.Process().children(recursive=True) if "raylet" in p.name()]
    assert capfd.readouterr().out == ""


@pytest.mark.full
def test_cluster_at_an_address():
    """One that `ray start` has started asks for a token; clients are processes of their own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    tokens = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 2}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
    environment["PYTHONPATH"] = str(TESTS)
    ray = Path(sys.executable).with_name("ray")
    start = [ray, "start", "--head", "--block", "--num-cpus=1", "--include-dashboard=false"]
    client = [sys.executable, "-m", "explore.client", address]

    def ask(**more):
        return subprocess.run(
            client, env=environment | more, capture_output=True, text=True, check=False
        )

    with processes.started(
        [*start, f"--port={address.partition(':')[2]}"],
        env=environment | tokens | {"RAY_USAGE_STATS_ENABLED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as cluster:
        try:
            wait_until(lambda: ask(**tokens).stdout == "3\n", 120)
            refused = ask()
            assert refused.stdout == ""
            assert "set RAY_AUTH_MODE=token" in refused.stderr.splitlines()[-1]
        finally:
            os.killpg(cluster.pid, signal.SIGTERM)


@pytest.mark.full
def test_no_cluster_at_an_address():
    with pytest.raises(InputError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        ClusterEngine("127.0.0.1:1")


def test_ray_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'gatewright\[cluster\]'"):
        ClusterEngine()


def test_ray_is_imported_by_those_who_use_it_alone():
    module = importlib.import_module("gatewright.explore.cluster")
    assert "ray" not in vars(module)
