"""Tasks in processes of this machine: results, errors, deaths, and nothing left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from explore import tasks
from gatewright.errors import InputError
from gatewright.explore.engine import WorkerDied
from gatewright.explore.local import LocalEngine, usable_cores
from waiting import gone, wait_until


@contextlib.contextmanager
def engine(jobs, **options):
    made = LocalEngine(jobs, **options)
    try:
        yield made
    finally:
        made.close()


def test_results_and_errors_come_back():
    with engine(2) as local:
        sums = [local.submit(tasks.add, n, 1) for n in range(5)]
        failing = local.submit(tasks.fail, "conv1: no such thing")
        assert [task.result() for task in sums] == [1, 2, 3, 4, 5]
        with pytest.raises(InputError, match="conv1: no such thing"):
            failing.result()


def test_death_of_a_worker_fails_its_task_alone(tmp_path):
    with engine(2) as local:
        release = tmp_path / "release"
        other = local.submit(tasks.wait_for, release)
        dying = local.submit(tasks.die)
        later = local.submit(tasks.add, 1, 2)
        with pytest.raises(WorkerDied, match="killed"):
            dying.result()
        assert later.result() == 3
        release.touch()
        other.result()


def test_death_of_idle_workers_is_survived(tmp_path):
    with engine(1) as local:
        release = tmp_path / "release"
        running = local.submit(tasks.note_and_wait, tmp_path, "a", release)
        wait_until(lambda: (tmp_path / "a").exists() and (tmp_path / "a").read_text())
        pid = int((tmp_path / "a").read_text())
        release.touch()
        running.result()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: gone(pid))
        time.sleep(0.5)  # for the pool to notice
        assert local.submit(tasks.add, 1, 2).result() == 3


def test_as_many_at_a_time_as_asked_for(tmp_path):
    with engine(2) as local:
        release = tmp_path / "release"
        running = tmp_path / "running"
        running.mkdir()
        done = [local.submit(tasks.note_and_wait, running, str(n), release) for n in range(4)]
        wait_until(lambda: len(list(running.iterdir())) == 2)
        time.sleep(0.3)
        assert len(list(running.iterdir())) == 2
        release.touch()
        assert [task.result() for task in done] == ["0", "1", "2", "3"]


def test_memory_bounds_the_workers():
    available = psutil.virtual_memory().available
    with engine(4, memory=available // 2 - (1 << 24)) as local:
        assert local.workers == 2
        assert local.short_of_memory
    with engine(4, memory=10 * available) as local:
        assert local.workers == 1
    with engine(None, memory=1 << 20) as local:
        assert local.workers == usable_cores()
        assert not local.short_of_memory


def test_closing_ends_tasks_and_what_they_started(tmp_path):
    note = tmp_path / "note"
    with engine(1) as local:
        local.submit(tasks.sleep_in_child, note)
        wait_until(lambda: note.exists() and note.read_text())
        pids = [int(text) for text in note.read_text().split()]
        assert not any(gone(pid) for pid in pids)
    wait_until(lambda: all(gone(pid) for pid in pids), 5)


SEARCH = """
import sys
from pathlib import Path
from explore import tasks
from waiting import gone, wait_until
from gatewright.explore.local import LocalEngine

if __name__ == "__main__":
    engine = LocalEngine(1)
    engine.submit(tasks.sleep_in_child, Path(sys.argv[1])).result()
"""


def test_nothing_outlives_a_killed_parent(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(SEARCH)
    note = tmp_path / "note"
    tests = str(Path(__file__).resolve().parents[1])
    parent = subprocess.Popen(
        [sys.executable, script, note], env=os.environ | {"PYTHONPATH": tests}
    )
    wait_until(lambda: note.exists() and note.read_text())
    pids = [int(text) for text in note.read_text().split()]
    parent.kill()
    parent.wait()
    wait_until(lambda: all(gone(pid) for pid in pids), 5)
