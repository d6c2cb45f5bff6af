"""nextpnr's JSON report (`--report`), read into typed values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from gatewright.errors import InputError
from gatewright.parsing.typed import Count, Text, read

if TYPE_CHECKING:
    from pathlib import Path

_Nanoseconds = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
_Megahertz = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class Point(TypedDict):
    """A pin of a cell."""

    cell: Text
    port: Text


# A class can't have a field "from", which is a keyword.
Step = TypedDict(
    "Step",
    {"delay": _Nanoseconds, "from": Point, "to": Point, "type": Text, "net": NotRequired[Text]},
)
"""A part of a path: through a cell (clk-to-q, logic, setup) or along a net (routing)."""

_Path = TypedDict("_Path", {"from": Text, "to": Text, "path": list[Step]})


class Used(TypedDict):
    """Cells of a kind."""

    used: Count
    available: Count


class _Clock(TypedDict):
    achieved: _Megahertz
    constraint: _Megahertz


class _Report(TypedDict):
    critical_paths: list[_Path]
    fmax: dict[Text, _Clock]
    utilization: dict[Text, Used]


@dataclass(frozen=True)
class NextpnrReport:
    """The report of a design with one clock.

    Attributes:
        fmax_mhz: the highest frequency at which every path between registers meets timing, in MHz.
        path: the longest of these paths, from clock edge to clock edge.
        used: cells by kind.
    """

    fmax_mhz: float
    path: list[Step]
    used: dict[str, Used]


def read_report(path: Path) -> NextpnrReport:
    """Read a report.

    Raises:
        InputError: if it is not a report, or not in the expected format.
    """
    found = read(path, _Report, "a report of nextpnr that Gatewright can read")
    if len(found["fmax"]) != 1:
        raise InputError(f"{path}: has {len(found['fmax'])} clocks, not one")
    ((clock, achieved),) = found["fmax"].items()
    between = [
        each["path"]
        for each in found["critical_paths"]
        if clock in each["from"] and clock in each["to"]
    ]
    if not any(between):
        raise InputError(f"{path}: has no path between registers of its clock")
    longest = max(between, key=lambda steps: sum(step["delay"] for step in steps))
    return NextpnrReport(achieved["achieved"], longest, found["utilization"])
