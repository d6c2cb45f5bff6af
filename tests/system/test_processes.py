"""Child processes end with the command that started them."""

import os
import resource
import signal
import socket
import subprocess
import sys

import pytest

from gatewright.errors import InputError
from gatewright.system import launcher, processes
from gatewright.system.processes import Limits
from waiting import gone, wait_until

# The main thread waits without locks of Python: an interrupt that comes while one is taken leaves
# it taken.
_PROGRAM = """
import os, signal, sys, time
from concurrent.futures import ThreadPoolExecutor
from gatewright.system import processes
def interrupt(*_):
    processes.stop()
    raise KeyboardInterrupt
signal.signal(signal.SIGTERM, interrupt)
ready, all_are_there = os.pipe()
def run(first):
    if first:
        os.read(ready, 1)  # who reads what this prints interrupts at once
    processes.run(["sh", "-c", "sleep 61 & echo $!; wait"], stdout=sys.stdout.fileno())
try:
    with ThreadPoolExecutor(1) as pool:
        jobs = [pool.submit(run, first) for first in (True, False, False)]
        os.write(all_are_there, b"1")
        time.sleep(60)
except KeyboardInterrupt:
    print("stopped", [type(job.exception()).__name__ for job in jobs], flush=True)
"""


def test_run_gives_status_and_output():
    done = processes.run(["sh", "-c", "cat; echo no >&2; exit 3"], input_text="yes")
    assert (done.returncode, done.stdout, done.stderr) == (3, "yes", "no\n")


def limited(code, **limits):
    command = [sys.executable, "-I", "-S", "-c", code]
    return processes.run(command, limits=Limits(what="it", **{"seconds": 60, **limits}))


def test_limits_leave_a_good_process_alone():
    limits = Limits(what="it", seconds=60)
    done = processes.run(["sh", "-c", "cat; echo no >&2; exit 3"], input_text="yes", limits=limits)
    assert (done.returncode, done.stdout, done.stderr) == (3, "yes", "no\n")
    assert limited("import os; print(os.getuid())").stdout == f"{os.getuid()}\n"


@pytest.mark.parametrize(
    ("code", "limits", "said"),
    [
        ("while True: pass", {"seconds": 0.2}, "it: ended after 0.2 seconds, its time limit"),
        # What it started in turn, and what holds on to its output, ends with it.
        (
            "import os, time\nos.fork()\ntime.sleep(61)",
            {"seconds": 0.2},
            "it: ended after 0.2 seconds, its time limit",
        ),
        (
            "bytearray(1 << 33)",
            {"memory": 1 << 32},
            "it: it needed more memory than its limit, 4 GB",
        ),
        (
            "import sys; sys.exit('cc1plus: out of memory allocating 65536 bytes')",
            {"memory": 1 << 32},
            "it: it needed more memory than its limit, 4 GB",
        ),
    ],
)
def test_a_limit_is_said_in_one_line(code, limits, said):
    with pytest.raises(InputError) as caught:
        limited(code, **limits)
    assert str(caught.value) == said


def test_what_a_limit_ended_is_gone(tmp_path):
    code = f"""
import os, pathlib, time
os.fork()
pathlib.Path({str(tmp_path)!r}, str(os.getpid())).touch()
time.sleep(61)
"""
    with pytest.raises(InputError, match="its time limit"):
        limited(code, seconds=1)
    started = [int(path.name) for path in tmp_path.iterdir()]
    assert len(started) == 2
    wait_until(lambda: all(map(gone, started)))


def test_files_are_bounded(tmp_path):
    path = tmp_path / "file"
    done = limited(f"open({str(path)!r}, 'wb').write(bytes(1 << 20))", file=1 << 12)
    assert done.returncode
    assert path.stat().st_size <= 1 << 12


def test_no_core_dumps():
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    assert limited(code).stdout == "(0, 0)\n"


def test_a_deep_stack_where_it_is_asked_for():
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_STACK)[0])"
    before, hard = resource.getrlimit(resource.RLIMIT_STACK)
    most = (1 << 26) if hard == resource.RLIM_INFINITY else min(hard, 1 << 26)
    assert int(limited(code).stdout) == before
    found = int(limited(code, stack=1 << 26).stdout)
    assert found == (before if before == resource.RLIM_INFINITY else max(before, most))


def test_the_network_is_out_of_reach_where_the_system_offers_it():
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket; socket.create_connection({server.getsockname()!r}, 5)"
        assert limited(code, network=True).returncode == 0
        reached = limited(code).returncode == 0
    assert reached is not processes.network_can_be_closed()


def test_a_program_that_is_not_there():
    done = processes.run(["no-such-program"], limits=Limits(what="it", seconds=60))
    assert done.returncode == launcher.CANNOT_START
    assert done.stderr == "no-such-program: No such file or directory\n"


def test_a_killed_command_takes_limited_processes_along():
    code = """
import sys
from gatewright.system import processes
processes.run(["sh", "-c", "echo $$; exec sleep 61"], stdout=sys.stdout.fileno(),
              limits=processes.Limits(what="it", seconds=61))
"""
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(program.stdout.readline())
    program.kill()
    program.wait()
    wait_until(lambda: gone(child))


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
    wait_until(lambda: gone(grandchild))


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
        ("", "no message"),
    ],
)
def test_why_a_tool_failed(errors, said):
    assert processes.complaint(errors) == said
