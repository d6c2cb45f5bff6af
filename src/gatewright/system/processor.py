"""The processor of this machine, which software is measured on."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Processor:
    """A processor, as the system tells of it."""

    name: str
    cores: int  # logical ones that this process may use


def this_processor() -> Processor:
    """The processor of this machine."""
    try:
        cores = len(psutil.Process().cpu_affinity())
    except AttributeError:  # no such thing on macOS
        cores = psutil.cpu_count() or 1
    return Processor(_name(), cores)


def _name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        found = re.search(
            r"^model name\s*:\s*(\S.*)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE
        )
    except OSError:
        found = None
    if found:
        return " ".join(found[1].split())
    if sys.platform == "darwin":
        answer = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if answer.stdout.strip():
            return answer.stdout.strip()
    return platform.processor() or platform.machine() or "unknown processor"
