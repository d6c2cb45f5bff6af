"""How long a simulation will take, known before it starts, and how many vectors are bearable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gatewright.rtl.manifest import RtlProject

# Wall time of a clock cycle on a slow core that others share: measured figures, doubled. Verilator
# runs through all of a design in every cycle; ports are copied word by word; cocotbext-axi runs
# Python in every cycle.
_CYCLE = 2e-6
_PER_BYTE = 50e-12  # of the design's SystemVerilog, without what ROMs hold: it is set once
_PER_WORD = 50e-9  # 32 bits of a beat at a port
_EXTERNAL = 70e-6

_CONTENT = re.compile(rb"^ *mem\[\d+\] = [^\n]*\n", re.MULTILINE)

LONGEST = 300.0
"""Seconds that a simulation should take at most where nobody asked for a number of vectors."""


def seconds_per_cycle(project: RtlProject) -> float:
    """Wall time of a clock cycle, rather over- than underestimated."""
    size = sum(_running((project.directory / file).read_bytes()) for file in project.files)
    words = sum(-(-port.tdata_width // 32) for port in (*project.inputs, *project.outputs))
    return _CYCLE + _PER_BYTE * size + _PER_WORD * words


def _running(text: bytes) -> int:
    """Bytes of a module's text that stand for work in a clock cycle."""
    return len(_CONTENT.sub(b"", text))


def seconds_of(project: RtlProject, phases: Sequence[dict[str, Any]]) -> float:
    """Wall time of phases.

    Args:
        project: the design.
        phases: of a simulation's job, with the `cycles` that each is expected to take.
    """
    cycle = seconds_per_cycle(project)
    return sum(float(phase["cycles"] * (cycle + phase["external"] * _EXTERNAL)) for phase in phases)


def bearable(seconds: Callable[[int], float], wanted: int, least: int) -> int:
    """The most vectors, of those wanted, that are simulated in `LONGEST`; `least` in any case.

    Args:
        seconds: Wall time that a number of vectors takes; more of them never take less.
        wanted: Vectors.
        least: Vectors.
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
