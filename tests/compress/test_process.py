"""Processes that do steps: kept for the next recipe where that is asked for, and only if sound."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from gatewright.compress import process
from gatewright.errors import InputError
from waiting import gone

# Answers as the real one does, without TensorFlow; what it is to do stands in the request.
STAND_IN = """
import json, os, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["step"] == "die":
        sys.exit("it is too hot in here")
    if request["step"] == "refuse":
        print(json.dumps({"refused": "not today"}), flush=True)
        continue
    if request["step"] == "wait":
        print(json.dumps({"epoch": 1}), flush=True)
        sys.stdin.read()
    print("a library's chatter")
    print(json.dumps({"epoch": 1}))
    print(json.dumps({"measured": {"pid": os.getpid()}}), flush=True)
"""


@pytest.fixture(autouse=True)
def stand_in(monkeypatch, tmp_path):
    (tmp_path / "stand_in_worker.py").write_text(STAND_IN)
    given = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *([given] if given else [])]))
    monkeypatch.setattr(process, "WORKER", "stand_in_worker")
    monkeypatch.setattr(process, "_keeping", False)
    yield
    process._close_spare()


@pytest.fixture
def keeping(monkeypatch):
    monkeypatch.setattr(process, "_keeping", True)


def ask(step="train", loads="model", progress=None):
    request = {"step": step, "training": {"epochs": 3}, "model_file": "model.py"}
    with process.Worker("toy", loads, progress) as worker:
        return worker.do(request, "folder").get("pid")


def test_a_recipe_has_one_process_and_the_next_another(tmp_path):
    request = {"step": "train", "training": {"epochs": 3}}
    with process.Worker("toy", "model", None) as worker:
        pids = {worker.do(request, tmp_path)["pid"] for _ in range(3)}
    assert len(pids) == 1
    assert gone(*pids)
    assert ask() not in pids


@pytest.mark.usefixtures("keeping")
def test_a_process_is_kept_for_what_it_has_loaded():
    first = ask()
    assert not gone(first)
    assert ask() == first
    other = ask(loads="another model")
    assert other != first
    assert gone(first)  # one waits at a time


@pytest.mark.usefixtures("keeping")
def test_a_refusal_does_no_harm():
    first = ask()
    with pytest.raises(InputError, match="toy: step 'refuse': not today"):
        ask("refuse")
    assert ask() == first


@pytest.mark.usefixtures("keeping")
def test_one_that_died_is_not_kept():
    first = ask()
    with pytest.raises(InputError, match=r"step 'die' failed: it is too hot.*\(in model.py\)"):
        ask("die")
    assert gone(first)
    assert ask() != first


@pytest.mark.usefixtures("keeping")
def test_one_that_is_given_up_is_killed():
    def give_up(*_):
        raise KeyboardInterrupt

    first = ask()
    with pytest.raises(KeyboardInterrupt):
        ask("wait", progress=give_up)
    assert gone(first)
    assert ask() != first


@pytest.mark.usefixtures("keeping")
def test_one_that_died_while_it_waited_is_replaced():
    first = ask()
    os.kill(first, signal.SIGKILL)
    process._spare._process.wait()
    assert ask() != first


@pytest.mark.usefixtures("keeping")
def test_a_process_makes_room_in_time(monkeypatch):
    monkeypatch.setattr(process, "_MOST_STEPS", 2)
    assert ask() == ask()
    assert len({ask() for _ in range(4)}) == 2


@pytest.mark.usefixtures("keeping")
def test_two_recipes_at_once_have_a_process_each():
    inside, done = threading.Barrier(2), []

    def walk():
        request = {"step": "train", "training": {"epochs": 3}}
        with process.Worker("toy", "model", None) as worker:
            pid = worker.do(request, "folder")["pid"]
            inside.wait(timeout=60)
            done.append(pid)

    threads = [threading.Thread(target=walk) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(done)) == 2
    assert sum(map(gone, done)) == 1


def test_a_kept_process_ends_with_its_keeper():
    code = (
        "from gatewright.compress import process\n"
        "process.WORKER = 'stand_in_worker'\n"
        "process.keep_processes()\n"
        "with process.Worker('toy', 'model', None) as worker:\n"
        "    request = {'step': 'train', 'training': {'epochs': 3}}\n"
        "    print(worker.do(request, 'folder')['pid'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert gone(int(done.stdout))
