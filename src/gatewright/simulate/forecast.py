"""Predicts the wall time of a simulation, and how many vectors fit a limit on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gatewright.rtl.manifest import RtlProject

# Wall time of a clock cycle, in s, on a slow, shared core: twice the measured figures. Verilator
# evaluates the whole design in every cycle, ports are copied word by word, and cocotbext-axi runs
# Python in every cycle.
_CYCLE = 2e-6
_PER_BYTE = 50e-12  # of the design's SystemVerilog, without contents of ROMs, which are set once
_PER_WORD = 50e-9  # 32 bits of a beat at a port
_EXTERNAL = 70e-6

_CONTENT = re.compile(rb"^ *mem\[\d+\] = [^\n]*\n", re.MULTILINE)

LONGEST = 300.0
"""Limit on the wall time of a simulation, in s, if no number of vectors was requested."""


def seconds_per_cycle(project: RtlProject) -> float:
    """Wall time of a clock cycle, in s; more likely too large than too small."""
    size = sum(_running((project.directory / file).read_bytes()) for file in project.files)
    words = sum(-(-port.tdata_width // 32) for port in (*project.inputs, *project.outputs))
    return _CYCLE + _PER_BYTE * size + _PER_WORD * words


def _running(text: bytes) -> int:
    """Size of a module's text without the contents of ROMs, in bytes."""
    return len(_CONTENT.sub(b"", text))


def seconds_of(project: RtlProject, phases: Sequence[dict[str, Any]]) -> float:
    """Wall time of phases, in s.

    Args:
        project: the design.
        phases: phases of a simulation, each with its expected number of `cycles`.
    """
    cycle = seconds_per_cycle(project)
    return sum(float(phase["cycles"] * (cycle + phase["external"] * _EXTERNAL)) for phase in phases)


def bearable(seconds: Callable[[int], float], wanted: int, least: int) -> int:
    """The largest number of vectors that can be simulated within `LONGEST`.

    Args:
        seconds: Function from number of vectors to wall time in s, not decreasing.
        wanted: Upper limit on the result.
        least: Lower limit on the result, even if it takes longer than `LONGEST`.
    """
    low, high = min(least, wanted), wanted
    if seconds(high) <= LONGEST:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if seconds(middle) <= LONGEST:
            low = middle
        else:
            high = middle
    return low
