"""Measures a command: wall time, processor time, and peak memory of its processes."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PERIOD = 0.1  # seconds between two samples of the memory


@dataclass(frozen=True)
class Usage:
    """Cost of a command including all processes that it starts.

    Attributes:
        wall_s: wall time, in s.
        cpu_s: processor time, user and system, in s.
        peak_mib: peak memory of all its processes together, sampled, in MiB; shared memory counts
            for each process.
    """

    wall_s: float
    cpu_s: float
    peak_mib: int


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    look: Callable[[int], None] | None = None,
) -> Usage:
    """Run a command to its end.

    Args:
        command: program and arguments.
        environment: environment of the command.
        look: called with the process id at each sample of the memory.

    Raises:
        RuntimeError: if it fails; with its output.
    """
    before, start, peak = _cpu(), time.monotonic(), 0
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while True:
            try:
                _, said = process.communicate(timeout=_PERIOD)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, _resident(process.pid))
                if look is not None:
                    look(process.pid)
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {said.strip()}")
    return Usage(round(time.monotonic() - start, 1), round(_cpu() - before, 1), peak >> 20)


def _cpu() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _resident(root: int) -> int:
    """Memory of a process and its descendants, in bytes, from Linux' /proc."""
    parents, sizes = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = dict(
                line.split(":", 1) for line in (folder / "status").read_text().splitlines()
            )
        except OSError:
            continue  # it has ended
        parents[int(folder.name)] = int(fields["PPid"])
        sizes[int(folder.name)] = int(fields.get("VmRSS", "0").split()[0]) << 10
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(sizes.get(pid, 0) for pid in family)
