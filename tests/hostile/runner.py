"""Tries: a valid input, damaged, read by Gatewright in a process with limits; and what to expect.

A server is a process that has imported what reading takes; each try is a fork of it, which damages
its own copy of a seed, runs a command on it, and is then judged by what it left.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import corpus
import networks
import payloads
import psutil
from mutate import Damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Above what the server holds; files of a few KB must not take more.
_MEMORY = 4 << 30
#: Of the try's own process, in seconds; a busy machine doesn't count against it.
_CPU_SECONDS = 30
#: A try in which nothing has computed anything for so long waits for what never comes.
_STILL_SECONDS = 15
#: Kinds whose accepted tries would each take a compiler for seconds: it is stood in for, and what
#: it is given is searched for text of the file.
_WITHOUT_COMPILER = ("h5", "json", "keras2", "keras3", "fml", "hgq", "preset", "target")
#: Of these, one try in so many has the compiler, and is verified; the first of them is none of
#: those that `make test` does.
_COMPILED, _FIRST_COMPILED = 40, 9

_COMPILER = f"""\
#!/bin/sh
# Stands in for g++: what it is given must hold no text of the model.
grep -rq -e '{payloads.MARKER}' -e '/etc/hostname' . && touch "$HOME/given_to_the_compiler"
while [ $# -gt 1 ]; do [ "$1" = -o ] && : > "$2"; shift; done
exit 0
"""

#: Exit status of a try that could not be set up.
_BROKEN = 99
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Verdict:
    """What a try came to.

    Attributes:
        kind: Of file.
        number: Of the try, which with the kind says all of it; None: the seed as it is.
        seed: Name of the seed.
        done: What was done to which file.
        accepted: Whether the command did what it is for.
        said: What the command said last.
        faults: What must not happen and did; empty if all is well.
        seconds: That it took.
    """

    kind: str
    number: int | None
    seed: str
    done: str
    accepted: bool
    said: str
    faults: tuple[str, ...]
    seconds: float

    @property
    def repeat(self) -> str:
        """The command that does it again."""
        what = f"--number {self.number}" if self.number is not None else f"--seed {self.seed}"
        return f"python tests/hostile --kind {self.kind} {what} --keep DIR"

    def __str__(self) -> str:
        return f"{self.kind} {self.seed} [{self.done}]: {'; '.join(self.faults)}\n  {self.repeat}"


class Scratch:
    """The folders of a try, and what was in them before the command."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work, self.home, self.temporary = (root / name for name in ("work", "home", "tmp"))
        for folder in (self.work, self.home, self.temporary):
            folder.mkdir()
        self.out, self.err = root / "stdout", root / "stderr"

    def left(self, seed: corpus.Seed, *, refused: bool) -> list[str]:
        """Faults in what the command left."""
        found = [
            "code of a file ran" if path.name == payloads.MARKER else f"left in home: {path.name}"
            for path in sorted(self.home.rglob("*"))
            # Keras has its own settings there.
            if path.is_file() and path.parent.name != ".keras"
        ]
        found += [f"left in the temporary folder: {path.name}" for path in self.temporary.iterdir()]
        if refused:
            found += [f"left: {name}" for name in seed.made if os.path.lexists(self.work / name)]
        found += [f"left: {path.name}" for path in self.work.glob(".*")]
        return found

    def views(self) -> list[str]:
        """Faults in pages and tables that were written."""
        found = []
        for path in self.work.glob("out.*"):
            text = path.read_text(errors="replace")
            if path.suffix == ".html" and any(payload in text for payload in payloads.HTML[:2]):
                found.append("text of a file is part of the page's code")
            if path.suffix == ".csv" and re.search(r"(^|,)\"?[=+@]", text, re.MULTILINE):
                found.append("a cell of the CSV file is a formula")
            if _CONTROL.search(text.replace("\r\n", "\n")):
                found.append(f"control characters in {path.name}")
        return found


def plan(kind: str, number: int) -> tuple[random.Random, corpus.Seed]:
    """The seed of a try, and what decides how it is damaged."""
    rng = random.Random(f"{kind}/{number}")
    return rng, rng.choice(corpus.seeds()[kind])


def _damage(rng: random.Random, seed: corpus.Seed, work: Path) -> str:
    """Damage one file of a seed; returns what was done."""
    pattern = rng.choice([pattern for pattern in seed.files if any(work.glob(pattern))])
    path = rng.choice([path for path in sorted(work.glob(pattern)) if path.is_file()])
    damage = Damage(rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        damage.file(path)
    return f"{path.relative_to(work)}: {', '.join(damage.done)}"


def _command(command: Sequence[str]) -> None:
    """What a seed's command says, as the command line does it."""
    from gatewright.cli import commands as cli

    if command[0] != "sweep":
        cli.main(list(command))
    # `run` and `explore` read it so, and then train.
    from gatewright.explore.space import load_search
    from gatewright.zoo import load_sweep

    try:
        load_sweep(Path(command[1]))
        load_search(Path(command[1]))
    except BaseException as error:
        sys.exit(cli._complain(*cli._explain(error)))
    sys.exit(0)


def _child(
    kind: str, number: int | None, seed: corpus.Seed, scratch: Scratch, prepared: Path
) -> None:
    """Set a try up and run its command; never returns."""
    status = _BROKEN
    try:
        compiled = kind not in _WITHOUT_COMPILER or (
            number is not None and number % _COMPILED == _FIRST_COMPILED
        )
        path = os.environ["PATH"] if compiled else f"{prepared / 'bin'}:{os.environ['PATH']}"
        os.environ.update(HOME=str(scratch.home), TMPDIR=str(scratch.temporary), PATH=path)
        tempfile.tempdir = None
        seed.write(scratch.work, prepared)
        done = "nothing"
        if number is not None:
            rng, _ = plan(kind, number)
            done = _damage(rng, seed, scratch.work)
        (scratch.root / "done").write_text(done, errors="replace")
        cache = scratch.work / "cache"
        os.environ["GATEWRIGHT_CACHE"] = str(cache if cache.is_dir() else prepared / "cache")
        os.chdir(scratch.work)
        for descriptor, file in ((1, scratch.out), (2, scratch.err)):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
        used = psutil.Process().memory_info().vms
        resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, used + _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        status = 70
        commands = [seed.command]
        if compiled and seed.command[0] == "convert" and kind != "project":
            commands.append(("verify", "out", "--samples", "20"))
        for command in commands:
            try:
                _command(command)
            except SystemExit as end:
                status = int(end.code or 0)
            if status:
                break
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _wait(pid: int) -> int | None:
    """Status of a try's process, None if it had to be ended because nothing went on."""
    pause = 0.002
    computed, since = 0.0, time.monotonic()
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        time.sleep(pause)
        pause = min(0.1, pause * 1.3)
        now = time.monotonic()
        if now - since > 1:
            total = _computed()
            if total - computed > 0.01:
                computed, since = total, now
            elif now - since > _STILL_SECONDS:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return None


def _computed() -> float:
    """Seconds that everything that runs below this process has computed."""
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            total += sum(child.cpu_times()[:4])
        except psutil.Error:
            continue
    return total


def _orphans() -> list[str]:
    """What the try started and left running: ended here."""
    names = []
    for child in psutil.Process().children(recursive=True):
        try:
            if child.status() != psutil.STATUS_ZOMBIE:
                names.append(child.name())
                child.kill()
            child.wait(5)
        except psutil.Error:
            continue
    return names


def judge(
    status: int | None, scratch: Scratch, seed: corpus.Seed, orphans: list[str]
) -> tuple[bool, str, list[str]]:
    """Whether a try's command did its work, its last line, and the faults."""
    out, err = (
        file.read_bytes().decode("utf-8", "replace") if file.exists() else ""
        for file in (scratch.out, scratch.err)
    )
    lines = err.splitlines()
    last = lines[-1] if lines else ""
    faults: list[str] = []
    code = None if status is None or os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    if code == _BROKEN:
        return False, last, [f"the try could not be set up: {last}"]
    if status is None:
        faults.append(f"hangs: computes nothing for {_STILL_SECONDS} s")
    elif code is None:
        number = os.WTERMSIG(status)
        late = number in (signal.SIGXCPU, signal.SIGKILL)
        faults.append(f"more than {_CPU_SECONDS} s" if late else f"died of signal {number}")
    elif code not in (0, 1, 2):
        faults.append(f"exit status {code}")
    if "Traceback" in err or "Traceback" in out:
        faults.append("a traceback")
    signs = ("internal error", "out of memory", "nested too deeply")
    faults += [f"{sign}: {last}" for sign in signs if sign in err]
    if code in (1, 2):
        own = [line for line in lines if line.startswith("gatewright: ")]
        # Lines of progress name the folder and say what is being done.
        odd = [line for line in lines if not re.match(r"gatewright: |[\w./-]+: [a-z]", line)]
        if len(own) != 1 or odd:
            faults.append(f"{len(own)} lines of refusal, {len(odd)} others: {(odd or lines)[:1]}")
    if _CONTROL.search(err) or _CONTROL.search(out):
        faults.append("control characters are printed")
    faults += [f"left running: {name}" for name in orphans]
    faults += scratch.left(seed, refused=code == 2)
    if code == 0:
        faults += scratch.views()
    return code == 0, last, faults


def attempt(
    kind: str,
    number: int | None,
    prepared: Path,
    seed: corpus.Seed | None = None,
    keep: Path | None = None,
) -> Verdict:
    """Do a try in a fork of this process, and judge it.

    Args:
        kind: Of file.
        number: Of the try; None leaves the seed undamaged.
        prepared: What `prepare` made.
        seed: The seed, where the number does not decide.
        keep: Folder that receives the files of the try.
    """
    if seed is None:
        assert number is not None
        _, seed = plan(kind, number)
    if seed.name == "quantized":
        _import_qkeras()
    root = Path(tempfile.mkdtemp(prefix="hostile-"))
    try:
        scratch = Scratch(root)
        start = time.monotonic()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            _child(kind, number, seed, scratch, prepared)
        status = _wait(pid)
        seconds = time.monotonic() - start
        accepted, said, faults = judge(status, scratch, seed, _orphans())
        note = root / "done"
        done = note.read_text() if note.exists() else "?"
        if keep is not None:
            shutil.copytree(root, keep, symlinks=True, dirs_exist_ok=True, ignore=_special)
        return Verdict(
            kind, number, seed.name, done, accepted, said, tuple(faults), round(seconds, 3)
        )
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _special(folder: str, names: list[str]) -> list[str]:
    """What can't be copied."""
    return [name for name in names if Path(folder, name).is_fifo()]


def warm(prepared: Path) -> None:
    """Import what reading takes, once for all tries of this process.

    What that is a fork of it finds out. Here nothing is read: libraries would start threads, which
    the forks that are to come would wait for in vain.
    """
    names = prepared / f"modules-{os.getpid()}"
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException), Path(os.devnull).open("w") as nowhere:
            sys.stdout = sys.stderr = nowhere
            _read_something(prepared)
            names.write_text("\n".join(sys.modules))
        os._exit(0)
    os.waitpid(pid, 0)
    for name in names.read_text().split("\n"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    names.unlink()
    # What ends up without a parent becomes a child of this process, which ends it.
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def _read_something(prepared: Path) -> None:
    import gatewright.explore.space
    import gatewright.flow.fifos
    import gatewright.flow.synthesize
    import gatewright.flow.verify
    import gatewright.zoo  # noqa: F401
    from gatewright.cli import commands as cli

    os.environ["GATEWRIGHT_CACHE"] = str(prepared / "cache")
    os.environ["PATH"] = f"{prepared / 'bin'}:{os.environ['PATH']}"
    network = networks.images()
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        networks.write_h5(network, Path("net.h5"))
        for command in (
            ("convert", "net.h5", "-o", "out", *network.options),
            ("report", "out", "--html", "a.html"),
        ):
            with contextlib.suppress(SystemExit):
                cli.main(command)


@functools.cache
def _import_qkeras() -> None:
    """Import what QKeras' quantizers take: once per server, where a seed has any."""
    from gatewright.frontend.quiet import import_keras

    import_keras("qkeras")


def prepare(folder: Path) -> None:
    """Make what seeds take long to make; a folder that is ready is left as it is.

    It has a cache of its own, whose compiled objects are copies of those in the user's.
    """
    if (folder / "ready").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    binaries = folder / "bin"
    binaries.mkdir(exist_ok=True)
    (binaries / "g++").write_text(_COMPILER)
    (binaries / "g++").chmod(0o755)
    environment = {**os.environ, "GATEWRIGHT_CACHE": str(folder / "cache")}
    _copy_objects(folder / "cache")

    def run(command: tuple[str, ...], where: Path) -> None:
        program = [sys.executable, "-c", "from gatewright.cli import main; main()"]
        subprocess.run([*program, *command], cwd=where, env=environment, check=True, stdout=2)

    corpus.prepare(folder, run)
    (folder / "ready").touch()


def _copy_objects(cache: Path) -> None:
    """Copy what is compiled for all simulations, if it is."""
    from gatewright.system.cache import cache_dir

    for entry in (cache_dir() / "verilator").glob("*/"):
        for file in (each for end in ("o", "gch", "hash") for each in entry.glob(f"*.{end}")):
            (cache / "verilator" / entry.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, cache / "verilator" / entry.name)


class Server:
    """A process that does tries.

    Attributes:
        prepared: What `prepare` made.
    """

    def __init__(self, prepared: Path) -> None:
        self.prepared = prepared
        command = [sys.executable, str(Path(__file__).parent), "--serve", str(prepared)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def attempt(
        self, kind: str, number: int | None, seed: str | None = None, keep: Path | None = None
    ) -> Verdict:
        """As the function of that name; the seed by its name."""
        return self._ask({"kind": kind, "number": number, "seed": seed, "keep": keep})

    def run(self, files: Path, *command: str) -> Verdict:
        """Run a command on the files of a folder; what it converts is compiled and verified."""
        return self._ask({"kind": "given", "files": files, "command": command})

    def _ask(self, request: dict[str, Any]) -> Verdict:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request, default=str) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the server ended at {request}")
        fields: dict[str, Any] = json.loads(answer)
        return Verdict(**fields | {"faults": tuple(fields["faults"])})

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve(prepared: Path, requests: Iterable[str]) -> None:
    """Do the tries that are asked for on standard input, answer on standard output."""
    warm(prepared)
    for line in requests:
        asked = json.loads(line)
        kind, number, keep = asked["kind"], asked.get("number"), asked.get("keep")
        seed = next((s for s in corpus.seeds().get(kind, ()) if s.name == asked.get("seed")), None)
        if "files" in asked:
            seed = corpus.given(Path(asked["files"]), tuple(asked["command"]))
        verdict = attempt(kind, number, prepared, seed, Path(keep) if keep else None)
        sys.stdout.write(json.dumps(asdict(verdict)) + "\n")
        sys.stdout.flush()
