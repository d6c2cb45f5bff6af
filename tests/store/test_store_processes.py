"""Many processes work on one store and are killed at any moment, or run out of disk."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gatewright.errors import InputError
from gatewright.store import Check, Store, key_of
from gatewright.system.files import exclusive, locked
from waiting import wait_until

SOUND = Check(lost=(), orphaned=(), corrupt=())
PACKAGE = Path(sys.modules["gatewright"].__file__).parent


def start(action):
    """Run a function in a process of its own; returns its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        action()
        status = 0
    finally:
        os._exit(status)


def end(child):
    """Wait for a process; returns its exit status, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def nothing_is_left(store):
    return not below(store.root / "making") and not below(store.root / "locks")


def checked(store):
    assert store.check() == SOUND
    return True


def payload(number):
    return random.Random(number).randbytes(3000)


def maker(number):
    """Makes an entry in small pieces, so that a kill finds it half-made."""

    def make(folder):
        with (folder / "weights.bin").open("wb", buffering=0) as file:
            for at in range(0, 3000, 500):
                file.write(payload(number)[at : at + 500])
        (folder / "deep").mkdir()
        (folder / "deep" / "number").write_text(str(number))
        return {"number": number}

    return make


def is_right(entry, number):
    return (
        entry.record == {"number": number}
        and (entry.directory / "weights.bin").read_bytes() == payload(number)
        and (entry.directory / "deep" / "number").read_text() == str(number)
    )


def killed_before_line(count, action):
    """Start a process that kills itself before the count-th line of the store's code it runs."""
    code = (str(PACKAGE / "store"), str(PACKAGE / "files.py"))
    left = count

    def local(frame, event, argument):
        nonlocal left
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return local

    def trace(frame, event, argument):
        return local if frame.f_code.co_filename.startswith(code) else None

    def traced():
        sys.settrace(trace)
        action()

    return start(traced)


def assert_killed_anywhere(action, after, step):
    """Kill `action` before each line in turn, and see each time that `after` holds."""
    count = 1
    while (status := end(killed_before_line(count, action))) == -signal.SIGKILL:
        after()
        count += step
    assert status == 0
    assert count > 100  # it was killed that often


@pytest.mark.parametrize("damaged", [pytest.param(False, marks=pytest.mark.full), True])
@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.full)])
def test_a_maker_killed_before_any_line_leaves_no_trace(tmp_path, damaged, step):
    store = Store(tmp_path / "store")
    key = key_of("step", {"n": 1})
    other = store.obtain("step", {"n": 2}, maker(2))

    def prepare():
        store.remove(key)
        if damaged:
            folder = store.obtain("step", {"n": 1}, maker(1)).directory
            os.truncate(folder / "weights.bin", 10)

    def after():
        made = store.find(key)
        assert made is None or is_right(made, 1)
        damage = (key,) if (store.root / "entries" / key).exists() and made is None else ()
        assert damaged or not damage
        found = store.check()
        assert (found.lost, found.corrupt) == ((), damage)
        assert nothing_is_left(store)
        assert is_right(store.obtain("step", {"n": 1}, maker(1)), 1)
        assert store.find(other.key) == store.obtain("step", {"n": 2}, maker(2))
        assert store.check() == SOUND
        assert nothing_is_left(store)
        prepare()

    prepare()
    assert_killed_anywhere(lambda: store.obtain("step", {"n": 1}, maker(1)), after, step)


def test_who_is_killed_while_removing_has_removed_it_or_not(tmp_path):
    store = Store(tmp_path / "store")
    key = store.obtain("step", {"n": 1}, maker(1)).key

    def after():
        found = store.find(key)
        assert found is None or is_right(found, 1)
        assert store.check() == SOUND
        assert nothing_is_left(store)
        store.obtain("step", {"n": 1}, maker(1))

    count = 1
    while (status := end(killed_before_line(count, lambda: store.remove(key)))) != 0:
        assert status == -signal.SIGKILL
        after()
        count += 2
    assert count > 50
    assert store.find(key) is None


def work(store, numbers, log):
    for number in numbers:

        def make(folder, number=number):
            with log.open("a") as file:
                file.write(f"{number}\n")
            return maker(number)(folder)

        assert is_right(store.obtain("step", {"n": number}, make), number)


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.full)])
def test_processes_killed_at_random_lose_and_corrupt_nothing(tmp_path, kills):
    store, log = Store(tmp_path / "store"), tmp_path / "log"
    log.touch()
    rng = random.Random(5)
    total = 0
    seen = set()

    for _ in range(kills):
        total += 2
        orders = [range(total), rng.sample(range(total), total)]
        children = [start(lambda order=order: work(store, order, log)) for order in orders]
        time.sleep(rng.uniform(0, 0.08))
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            assert end(child) in (0, -signal.SIGKILL)
        done = {entry.key for entry in store.entries()}
        assert seen <= done
        seen = done
        found = store.check()
        assert (found.lost, found.corrupt) == ((), ())
        assert nothing_is_left(store)
    work(store, range(total), log)
    assert len(store.entries("step")) == total
    assert store.check() == SOUND
    # Each entry was made once, and once more for each time that its maker was killed at most.
    assert total <= len(log.read_text().split()) <= total + 2 * kills


def test_processes_at_once_make_each_entry_once(tmp_path):
    store, log = Store(tmp_path / "store"), tmp_path / "log"
    orders = [random.Random(seed).sample(range(12), 12) for seed in range(5)]
    children = [start(lambda order=order: work(store, order, log)) for order in orders]
    # Checking meanwhile neither disturbs them nor takes them for killed.
    wait_until(lambda: checked(store) and len(store.entries()) == 12)
    assert [end(child) for child in children] == [0] * 5
    assert sorted(map(int, log.read_text().split())) == list(range(12))
    assert store.check() == SOUND
    assert nothing_is_left(store)


def test_threads_at_once_make_each_entry_once(tmp_path):
    store, log = Store(tmp_path / "store"), tmp_path / "log"
    orders = [random.Random(seed).sample(range(6), 6) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda order: work(store, order, log), orders))
    assert sorted(map(int, log.read_text().split())) == list(range(6))
    assert store.check() == SOUND
    assert nothing_is_left(store)


def test_who_waits_for_a_killed_maker_makes_it(tmp_path):
    store = Store(tmp_path / "store")
    begun, waiting = tmp_path / "begun", tmp_path / "waiting"

    def hang(folder):
        (folder / "half").write_text("half")
        begun.touch()
        time.sleep(60)
        return {}

    def wait():
        waiting.touch()
        assert is_right(store.obtain("step", {"n": 1}, maker(1)), 1)

    first = start(lambda: store.obtain("step", {"n": 1}, hang))
    wait_until(begun.exists)
    second = start(wait)
    wait_until(waiting.exists)
    # What is being made is no leftover, and nobody's business.
    assert store.check() == SOUND
    store.obtain("step", {"n": 2}, maker(2))
    assert [path.name for path in (store.root / "making").glob("*/half")] == ["half"]
    os.kill(first, signal.SIGKILL)
    assert end(first) == -signal.SIGKILL
    assert end(second) == 0
    assert nothing_is_left(store)
    assert is_right(store.find(key_of("step", {"n": 1})), 1)


def test_a_project_directory_is_used_by_one_at_a_time(tmp_path):
    store = Store(tmp_path / "store")

    def count():
        for _ in range(10):
            with store.project("trial", {}) as directory:
                file = directory / "count"
                number = int(file.read_text()) if file.exists() else 0
                time.sleep(0.001)
                file.write_text(str(number + 1))

    children = [start(count) for _ in range(4)]
    assert [end(child) for child in children] == [0] * 4
    with store.project("trial", {}) as directory:
        assert (directory / "count").read_text() == "40"
        os.kill(child := start(lambda: time.sleep(60)), signal.SIGKILL)
        end(child)
    assert nothing_is_left(store)


def test_a_lock_file_vanishes_and_still_keeps_others_out(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")

    def count():
        for _ in range(200):
            with exclusive(tmp_path / "lock"):
                number = int(counter.read_text())
                counter.write_text(str(number + 1))

    children = [start(count) for _ in range(4)]
    assert [end(child) for child in children] == [0] * 4
    assert counter.read_text() == "800"
    assert below(tmp_path) == ["counter"]
    with exclusive(tmp_path / "lock") as held, exclusive(tmp_path / "lock", wait=False) as other:
        assert (held, other) == (True, False)
    with (
        pytest.raises(InputError, match=r"no/lock: cannot be locked"),
        exclusive(tmp_path / "no/lock"),
    ):
        pass


@pytest.mark.parametrize("lock", [locked, exclusive])
def test_a_lock_is_free_when_released_though_a_child_lives_on(tmp_path, lock):
    path = tmp_path if lock is locked else tmp_path / "lock"
    waiting, done = tmp_path / "waiting", tmp_path / "done"

    def wait():
        waiting.touch()
        with lock(path):
            done.touch()

    with lock(path):
        heir = start(lambda: time.sleep(60))
        waiter = start(wait)
        wait_until(waiting.exists)
        time.sleep(0.05)
        assert not done.exists()
    # The waiter, too, was forked with the lock in its hands.
    try:
        wait_until(done.exists)
    finally:
        for child in (heir, waiter):
            os.kill(child, signal.SIGKILL)
            end(child)


# In a process that has a file system of its own, of 64 pages: fill it up to each last page, and
# see what an entry then does. At the end the file system is read-only.
FULL_DISK = """
    import json, subprocess, sys
    from pathlib import Path
    from gatewright.errors import InputError
    from gatewright.store import Check, Store

    disk = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], check=True)
    store = Store(disk / "store")
    old = store.obtain("step", {"n": 0}, lambda folder: {})
    page = bytes(4096)

    def make(folder):
        for name in range(4):
            (folder / f"{name}.bin").write_bytes(page * 3)
        return {"accuracy": 0.5, "losses": [0.5] * 400}

    def left():
        return [str(path) for name in ("making", "locks") for path in (store.root / name).iterdir()]

    outcomes = []
    for pages in range(64):
        with (disk / "filler").open("wb", buffering=0) as filler:
            try:
                for _ in range(pages):
                    filler.write(page)
            except OSError:
                break
        try:
            made = store.obtain("step", {"n": 1}, make)
            assert store.find(made.key).record == made.record
            outcomes.append("made")
            (disk / "filler").unlink()
            assert store.check().corrupt == store.check().lost == ()
            store.remove(made.key)
        except InputError as error:
            outcomes.append(str(error))
            (disk / "filler").unlink()
            assert store.check() == Check((), (), ())
            assert [entry.key for entry in store.entries()] == [old.key]
        assert not left(), left()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert store.find(old.key) == store.entries("step")[0]
    try:
        store.obtain("step", {"n": 1}, make)
    except InputError as error:
        outcomes.append(str(error))
    print(json.dumps(outcomes))
"""


def can_mount():
    unshare = shutil.which("unshare")
    return (
        unshare is not None
        and subprocess.run(
            [unshare, "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True
        ).returncode
        == 0
    )


@pytest.mark.skipif(not can_mount(), reason="needs namespaces of the user's own, to mount a disk")
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    run = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    *outcomes, read_only = json.loads(run.stdout)
    assert f"{tmp_path}/store/" in read_only
    assert "Read-only file system" in read_only
    refused = [outcome for outcome in outcomes if outcome != "made"]
    assert outcomes[: len(outcomes) - len(refused)] == ["made"] * (len(outcomes) - len(refused))
    assert 12 <= len(refused) < len(outcomes)
    for message in refused:
        assert message.startswith(f"{tmp_path}/store/")
        assert "No space left on device" in message
        assert "\n" not in message


def test_a_maker_out_of_its_file_size_limit_says_so(tmp_path):
    """The system's own refusal to write, without a disk that is full."""
    store = Store(tmp_path / "store")

    def limited():
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(InputError, match=rf"{tmp_path}.*: cannot be written \(File too large"):
            store.obtain("step", {"n": 1}, maker(1))

    store.obtain("step", {"n": 2}, maker(2))
    assert end(start(limited)) == 0
    assert nothing_is_left(store)
    assert store.check() == SOUND
    assert is_right(store.obtain("step", {"n": 1}, maker(1)), 1)
