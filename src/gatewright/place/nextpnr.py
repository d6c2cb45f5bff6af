"""Runs nextpnr: that on PATH, else YoWASP's from pip."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.errors import DesignFailure, InputError, LimitError
from gatewright.system import processes

if TYPE_CHECKING:
    from gatewright.synth.router import Router

#: Limit on the wall time of one seed, in s; designs that can be routed take minutes.
SECONDS = 2 * 3600

# WebAssembly reserves address space that it never uses: 4 GB for each memory, and guard regions.
_RESERVED = 16 << 30

_VERSION = re.compile(r"\(Version (?:nextpnr-)?([A-Za-z0-9][A-Za-z0-9_.+-]{0,60})\)")
_NUMBERS = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){1,3}")
_WITHOUT_TEXT = re.compile(r"[^ -~]")


@dataclass(frozen=True)
class Nextpnr:
    """An installed nextpnr.

    Attributes:
        command: the command that starts it.
        version: its version.
    """

    command: tuple[str, ...]
    version: str


@dataclass(frozen=True)
class Routing:
    """One run of nextpnr.

    Attributes:
        report: the JSON that it wrote.
        seconds: wall time, in s.
    """

    report: Path
    seconds: float


@functools.cache
def find_nextpnr(program: str, oldest: tuple[int, ...] = ()) -> Nextpnr:
    """Find a nextpnr on PATH, else YoWASP's in this Python environment.

    Args:
        program: its name, for example "nextpnr-ecp5".
        oldest: the oldest version that will do; one on PATH that is older is passed over.

    Raises:
        InputError: if it is not installed, is too old, or can't be run.
    """
    package = f"yowasp-{program}"
    found: Nextpnr | None = None
    for command in _commands(program, package):
        found = Nextpnr(command, _version(program, command))
        if not _is_older(found.version, oldest):
            return found
    if found is None:
        raise InputError(f"{program} is not installed; type: pip install {package}")
    needed = ".".join(map(str, oldest))
    raise InputError(
        f"{program} {found.version} is too old, {needed} or newer is needed; "
        f"type: pip install --upgrade {package}"
    )


def _commands(program: str, package: str) -> Iterator[tuple[str, ...]]:
    native = shutil.which(program)
    if native is not None:
        yield (native,)
    if find_spec(package.replace("-", "_")) is not None:
        runner = f"_run_{program.replace('-', '_')}_argv"
        code = f"from {package.replace('-', '_')} import {runner} as run; run()"
        yield (sys.executable, "-P", "-c", code)


def _is_older(version: str, oldest: tuple[int, ...]) -> bool:
    """Whether a version is known to be older; those of builds from source may be hashes."""
    numbers = _NUMBERS.match(version)
    return numbers is not None and tuple(map(int, numbers[0].split("."))) < oldest


def _version(program: str, command: tuple[str, ...]) -> str:
    limits = _limits(f"{program} --version", 300)  # YoWASP's compiles itself the first time
    try:
        done = processes.run([*command, "--version"], limits=limits)
    except LimitError as error:
        raise InputError(f"{program} does not run: {error}") from None
    found = _VERSION.search(done.stdout + done.stderr)
    if done.returncode or found is None:
        reason = processes.complaint(done.stderr or done.stdout)
        raise InputError(f"{program} does not run: {_plain(reason)}")
    return found[1]


def run_nextpnr(
    router: Router,
    netlist: Path,
    top: str,
    *,
    clock_ns: float,
    seed: int,
    placer: str = "",
    seconds: float = SECONDS,
) -> Routing:
    """Place and route a netlist with one seed.

    Args:
        router: the router for the device.
        netlist: netlist as Yosys' JSON; logs and reports are written to its directory.
        top: its top module.
        clock_ns: requested clock period, in ns; not meeting it is not an error.
        seed: seed of the placer.
        placer: placement algorithm; the default one if empty.
        seconds: limit on the wall time, in s.

    Raises:
        DesignFailure: if the design can't be placed or routed, or there is no report.
        InputError: if nextpnr is not installed, or exceeds its limits on time or memory.
    """
    found = find_nextpnr(router.program, router.oldest)
    folder = netlist.parent
    stem = f"seed-{seed}-{placer}" if placer else f"seed-{seed}"
    report, log, printed = (folder / f"{stem}.{end}" for end in ("json", "log", "txt"))
    for file in (report, log, printed):
        file.unlink(missing_ok=True)
    start = time.monotonic()
    limits = _limits(f"{router.program} (seed {seed})", seconds)
    with printed.open("wb") as output:
        # Run in the directory with relative names: YoWASP's can't open absolute ones below /tmp.
        done = processes.run(
            [
                *(*found.command, *router.options, "--json", netlist.name, "--top", top),
                *("--freq", f"{1000 / clock_ns:.4f}", "--timing-allow-fail", "--seed", str(seed)),
                *(("--placer", placer) if placer else ()),
                *("--report", report.name, "--log", log.name, "--quiet"),
            ],
            limits=limits,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if done.returncode or not report.is_file():
        said = printed.read_text(encoding="utf-8", errors="replace")
        processes.check_memory(limits, said)
        raise DesignFailure(
            f"{router.device}: {router.program} failed (seed {seed}): "
            f"{_reason(said, done.returncode)} (log: {log})"
        )
    printed.unlink()
    return Routing(report, round(time.monotonic() - start, 1))


def _limits(what: str, seconds: float) -> processes.Limits:
    return processes.Limits(what=what, seconds=seconds, memory=processes.most_memory() + _RESERVED)


def _reason(said: str, status: int) -> str:
    """Why a run failed: its last error, or the way it ended."""
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    if errors:
        return _plain(errors[-1].partition(": ")[2])
    if status < 0:
        return f"the process was ended by signal {-status} (out of memory?)"
    if status == 0:
        return "it ended without a report"
    return _plain(processes.complaint(said))


def _plain(text: str) -> str:
    return _WITHOUT_TEXT.sub("?", text)[:300]
