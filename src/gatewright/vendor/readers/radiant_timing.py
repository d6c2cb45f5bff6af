"""Radiant's `<project>_<implementation>.twr`: static timing of all corners."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.vendor.readers.radiant import header
from gatewright.vendor.readers.text import shown

if TYPE_CHECKING:
    from gatewright.results.imported import Imported, Stage
    from gatewright.vendor.readers.text import Line, ReportText

_CORNER = r"(?P<name>\d+  (?P<check>Setup|Hold) at Speed Grade .+ Corner at -?\d+ Degrees)$"
_LISTING = re.compile(r"\s*Listing (?P<count>\d+) End Points?\s*\|\s*Slack$")
_NO_PATHS = "There is no end point satisfying reporting criteria"
_NEGATIVE = re.compile(r"(Setup|Hold) # of endpoints with negative slack:\s*\|\s*(?P<count>\S+)$")
_CLOCK = re.compile(r'\d+\.\d+\.\d+ Clock "(?P<name>.*)"$')
_PERIODS = ("Target", "Actual (all paths)")
_UNPLACED = r"Path (Begin|End)\s+: .*\(SLICE\)$"


@dataclass(frozen=True)
class _Corner:
    """The section of a check in a corner of process and temperature.

    Attributes:
        line: its heading.
        check: "Setup" or "Hold".
        lines: the lines below the heading.
    """

    line: Line
    check: str
    lines: list[Line]


def read(report: ReportText, stage: Stage | None) -> Imported:
    """Read a report of static timing analysis, with the worst of all corners.

    Fmax is the lowest `Actual (all paths)`, which includes limits of the device's cells.

    Args:
        report: the report.
        stage: the step after which it was written, if its command line doesn't tell.

    Raises:
        InputError: if it isn't one, is truncated or contradicts itself, has no clock or several,
            or its step is unknown.
    """
    head = header(report)
    corners = _corners(report)
    clock, fmax = _clock(report, [corner for corner in corners if corner.check == "Setup"])
    return report.imported(
        "timing",
        "radiant",
        _stage(report, stage),
        {
            "clock_ns": clock,
            "slack_ns": _worst(report, corners, "Setup"),
            "hold_slack_ns": _worst(report, corners, "Hold"),
            "fmax_mhz": fmax,
        },
        version=head.version,
        part=head.part,
        design=head.design,
    )


def _corners(report: ReportText) -> list[_Corner]:
    """The sections of corners, each of which the table of contents lists."""
    end, _ = report.find(r"\s+End of Table of Contents$", "'End of Table of Contents'")
    listed = [
        match["name"] for line, match in report.search(rf"\s+{_CORNER}") if line.number < end.number
    ]
    if not any(" Setup " in name for name in listed):
        raise report.error(
            end,
            "'Setup at Speed Grade ... Corner at ... Degrees' is expected in the table above, as "
            "Radiant 2023.1 and later write it",
        )
    headings = list(report.search(_CORNER, end.number))
    if [match["name"] for _, match in headings] != listed:
        raise report.error(
            end, f"the {len(listed)} corners listed above are expected below; is the file cut off?"
        )
    ends = [line.number - 1 for line, _ in headings[1:]] + [len(report.lines)]
    return [
        _section(report, _Corner(line, match["check"], report.lines[line.number : last]))
        for (line, match), last in zip(headings, ends, strict=True)
    ]


def _section(report: ReportText, corner: _Corner) -> _Corner:
    """Check that a corner's section is complete."""
    if not any("End of Detailed Report for timing paths" in line.text for line in corner.lines):
        raise report.error(
            corner.line,
            "'End of Detailed Report for timing paths' is expected below; is the file cut off?",
        )
    return corner


def _worst(report: ReportText, corners: list[_Corner], check: str) -> float | None:
    """The worst slack of a check over its corners, in ns; None if there are no paths."""
    slacks = (_slack(report, corner) for corner in corners if corner.check == check)
    return min((slack for slack in slacks if slack is not None), default=None)


def _slack(report: ReportText, corner: _Corner) -> float | None:
    """The worst slack of a corner, in ns; None if it has no paths."""
    lines = _part(report, corner, "Endpoint slacks", "Detailed Report")
    if any(line.text == _NO_PATHS for line in lines):
        return None
    found: list[tuple[Line, str]] = []
    expected: int | None = None
    negative: int | None = None
    for line in lines:
        if (match := _LISTING.fullmatch(line.text)) is not None:
            expected = report.count(line, "End Points", match["count"])
        elif (match := _NEGATIVE.fullmatch(line.text)) is not None:
            negative = report.count(line, "endpoints with negative slack", match["count"])
        elif (slack := _cells(line)[-1]).endswith(" ns"):
            found.append((line, slack))
    if expected is None or negative is None or not found or len(found) != expected:
        raise report.error(
            lines[0],
            "'Listing ... End Points', as many slacks in ns and "
            f"'{corner.check} # of endpoints with negative slack:' are expected below",
        )
    worst = min(report.value(line, "Slack", text, "ns") for line, text in found)
    if any(text.startswith("-") for _, text in found) != (negative > 0):
        raise report.error(
            lines[0], f"the worst slack is {worst:g} ns, of {negative} endpoints with negative ones"
        )
    return worst


def _part(report: ReportText, corner: _Corner, title: str, following: str) -> list[Line]:
    """The lines of a part of a corner, from its title to the next one."""
    numbers = []
    for name in (title, following):
        pattern = re.compile(rf"\d+\.\d+  {name}$")
        places = [i for i, line in enumerate(corner.lines) if pattern.match(line.text)]
        if len(places) != 1:
            raise report.error(corner.line, f"one title '{name}' is expected below")
        numbers += places
    if numbers[0] > numbers[1]:
        raise report.error(corner.line, f"'{title}' is expected above '{following}'")
    return corner.lines[numbers[0] : numbers[1]]


def _clock(report: ReportText, corners: list[_Corner]) -> tuple[float, float]:
    """Period of the only clock, in ns, and its lowest highest frequency, in MHz."""
    found = [_clock_of(report, corner) for corner in corners]
    for corner, (period, _) in zip(corners, found, strict=True):
        if period != found[0][0]:
            raise report.error(
                corner.line,
                f"a clock of {period:g} ns, but of {found[0][0]:g} ns in line "
                f"{corners[0].line.number}",
            )
    return found[0][0], min(fmax for _, fmax in found)


def _clock_of(report: ReportText, corner: _Corner) -> tuple[float, float]:
    """Period of the only clock in a corner, in ns, and its highest frequency, in MHz."""
    lines = _part(report, corner, "Clock Summary", "Endpoint slacks")
    names = [match["name"] for line in lines if (match := _CLOCK.fullmatch(line.text))]
    if not names:
        raise report.error(lines[0], "no timing without a clock: create one, and run it again")
    if len(names) > 1:
        some = ", ".join(shown(name) for name in names[:4])
        raise report.error(lines[0], f"one clock is expected, not {len(names)} ({some})")
    rows = [
        (line, cells) for line in lines if len(cells := _cells(line)) == 4 and cells[1] in _PERIODS
    ]
    if [cells[1] for _, cells in rows] != list(_PERIODS):
        raise report.error(lines[0], "rows 'Target' and 'Actual (all paths)' are expected below")
    (period, _), (_, fmax) = (_period(report, line, *cells[2:]) for line, cells in rows)
    return period, fmax


def _cells(line: Line) -> list[str]:
    """The cells of a row; only the first one, a name, may hold bars."""
    return [cell.strip() for cell in line.text.rsplit("|", 3)]


def _period(
    report: ReportText, line: Line, period_cell: str, rate_cell: str
) -> tuple[float, float]:
    """Period in ns and frequency in MHz of a row."""
    period = report.value(line, "Period", period_cell, "ns")
    rate = report.value(line, "Frequency", rate_cell, "MHz")
    if not math.isclose(period * rate, 1e3, rel_tol=2e-3):
        raise report.error(line, f"a period of {period:g} ns is no frequency of {rate:g} MHz")
    return period, rate


def _stage(report: ReportText, asked: Stage | None) -> Stage:
    """The step of the report: from its command line, or from the user.

    The router's database has the name of its report, the mapper's ends with "_map".
    """
    line, _ = report.find(r"Command line:\s+timing ", "'Command line: timing ...'")
    _, _, files = line.text.partition(" -rpt ")
    written, database = [*files.split(maxsplit=2), "", ""][:2]
    said: Stage | None = None
    if database and written == f"{database.removesuffix('.udb')}.twr":
        said = "routed"
    elif database.endswith("_map.udb"):
        said = "synthesized"
    stage = report.settled(said, asked)
    for line, _ in report.search(_UNPLACED):
        if stage != "synthesized":
            raise report.error(line, f"a slice without a place, in a design that is {stage}")
        break
    return stage
