"""Child processes end with the command that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gatewright import processes

_PROGRAM = """
import signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
from gatewright import processes
def interrupt(*_):
    processes.stop()
    raise KeyboardInterrupt
signal.signal(signal.SIGTERM, interrupt)
try:
    with ThreadPoolExecutor(1) as pool:
        jobs = [pool.submit(processes.run, ["sh", "-c", "sleep 61 & echo $!; wait"],
                            stdout=sys.stdout.fileno()) for _ in range(3)]
        jobs[0].result()
except KeyboardInterrupt:
    print("stopped", [type(job.exception()).__name__ for job in jobs], flush=True)
"""


def test_run_gives_status_and_output():
    done = processes.run(["sh", "-c", "cat; echo no >&2; exit 3"], input_text="yes")
    assert (done.returncode, done.stdout, done.stderr) == (3, "yes", "no\n")


def test_a_failing_block_kills_its_process():
    with pytest.raises(ZeroDivisionError), processes.started(["sleep", "61"]) as process:
        raise ZeroDivisionError
    assert process.returncode == -signal.SIGKILL


def test_an_interrupt_ends_processes_and_what_they_started():
    program = subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True)
    grandchild = int(program.stdout.readline())
    program.terminate()
    output, _ = program.communicate(timeout=20)
    # The one that ran was ended; those that waited never started.
    assert output == "stopped ['KeyboardInterrupt', 'KeyboardInterrupt', 'KeyboardInterrupt']\n"
    for _ in range(100):
        try:
            os.kill(grandchild, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{grandchild}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the grandchild is still there")


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ("a.cpp:1: note: here\na.cpp:2: error: no type\nerror: more", "a.cpp:2: error: no type"),
        (
            "a.cpp: error: what follows\n/usr/bin/ld: final link failed: No space left on device\n"
            "collect2: error: ld returned 1 exit status",
            "/usr/bin/ld: final link failed: No space left on device",
        ),
        ("\n  killed\nby somebody", "killed"),
        ("", "it says nothing"),
    ],
)
def test_why_a_tool_failed(errors, said):
    assert processes.complaint(errors) == said
