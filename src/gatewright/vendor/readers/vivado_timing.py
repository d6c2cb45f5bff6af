"""Vivado's `report_timing_summary`: slack and clock after synthesis, placement or routing."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from gatewright.vendor.readers.vivado import header

if TYPE_CHECKING:
    from gatewright.results.imported import Imported, Stage
    from gatewright.vendor.readers.text import Line, ReportText

TITLE = "Timing Summary Report"

#: Kinds of nets in paths with the step that they imply, the earliest step first.
_NETS: tuple[tuple[str, Stage], ...] = (
    ("unplaced", "synthesized"),
    ("estimated", "placed"),
    ("routed", "routed"),
)

_UNCONSTRAINED = r"There are no user specified timing constraints\."
_MET = r"(?P<met>All user specified timing constraints are met\.)|Timing constraints are not met\."
_CLOCK = re.compile(
    r"(?P<indent>\s*)(?P<name>\S+)\s+\{[\d. ]+\}\s+(?P<period>\S+)\s+(?P<frequency>\S+)"
)


def read(report: ReportText, stage: Stage | None) -> Imported:
    """Read a timing summary.

    Args:
        report: the report.
        stage: the step after which it was written, if it does not name it; in older releases only
            the nets of paths show it.

    Raises:
        InputError: if it isn't one, is truncated or inconsistent, or its step is unknown.
    """
    head = header(report)
    names, values = _summary(report)
    setup, hold, width = (_slack(report, names, values, name) for name in ("WNS", "WHS", "WPWS"))
    _check_verdict(report, values, [slack for slack in (setup, hold, width) if slack is not None])
    clocks = _clocks(report)
    period = clocks[0] if len(clocks) == 1 else None
    fmax = None
    if period is not None and setup is not None and setup < period:
        fmax = 1e3 / (period - setup)
    return report.imported(
        "timing_summary",
        "vivado",
        _stage(report, head.stage, stage),
        {"clock_ns": period, "slack_ns": setup, "hold_slack_ns": hold, "fmax_mhz": fmax},
        version=head.version,
        part=head.part,
        design=head.design,
    )


def _summary(report: ReportText) -> tuple[Line, Line]:
    """The line of headings and the line of values in the design's summary."""
    title, _ = report.find(r"\| Design Timing Summary", "'| Design Timing Summary'")
    names, _ = report.find(r"\s*WNS\((ns|ps)\)", "'WNS(ns)'", title.number)
    if names.number + 2 > len(report.lines):
        raise report.error(names, "a row of slacks is expected below; is the file cut off?")
    values = report.lines[names.number + 1]
    if len(values.text.split()) != len(_headings(names)):
        raise report.error(
            values, f"a row of {len(_headings(names))} numbers is expected below their headings"
        )
    return names, values


def _headings(line: Line) -> list[str]:
    return re.split(r"\s{2,}", line.text.strip())


def _slack(report: ReportText, names: Line, values: Line, name: str) -> float | None:
    """A slack, in ns; None if there are no paths."""
    for heading, text in zip(_headings(names), values.text.split(), strict=True):
        match = re.fullmatch(rf"{name}\((?P<unit>\w+)\)", heading)
        if match is not None:
            known = text not in ("NA", "inf")
            return report.scaled(values, name, text, match["unit"], "ns") if known else None
    raise report.error(names, f"a heading '{name}(ns)' is expected")


def _check_verdict(report: ReportText, values: Line, slacks: list[float]) -> None:
    """Check that the report's statement on timing constraints agrees with the slacks."""
    for line, _ in report.search(_UNCONSTRAINED, values.number):
        raise report.error(line, "no timing without constraints: create a clock, run it again")
    line, match = report.find(_MET, "whether timing constraints are met", values.number)
    if slacks and (match["met"] is not None) != (min(slacks) >= 0):
        raise report.error(
            line, f"the slacks in line {values.number} say otherwise: the least is {min(slacks):g}"
        )


def _clocks(report: ReportText) -> list[float]:
    """Periods of the clocks that are not derived from another clock, in ns."""
    title, _ = report.find(r"\| Clock Summary", "'| Clock Summary'")
    end, _ = report.find(r"\| Intra Clock Table", "'| Intra Clock Table'", title.number)
    _, unit = report.find(
        r"Clock\s+Waveform\((ns|ps)\)\s+Period\((?P<period>\w+)\)\s+Frequency\((?P<rate>\w+)\)",
        "'Clock  Waveform(ns)  Period(ns)  Frequency(MHz)'",
        title.number,
    )
    periods = []
    for line in report.lines[title.number : end.number - 1]:
        match = _CLOCK.fullmatch(line.text)
        if match is None or match["indent"]:
            continue
        period = report.scaled(line, "Period", match["period"], unit["period"], "ns")
        rate = report.scaled(line, "Frequency", match["frequency"], unit["rate"], "MHz")
        if not math.isclose(period * rate, 1e3, rel_tol=2e-3):
            raise report.error(line, f"a period of {period:g} ns is no frequency of {rate:g} MHz")
        periods.append(period)
    return periods


def _stage(report: ReportText, said: Stage | None, asked: Stage | None) -> Stage:
    """The step of the report: from its header, from its nets, or from the user."""
    if said is None:
        nets = {
            match["kind"]
            for _, match in report.search(r"\s+net \(fo=\d+, (?P<kind>unplaced|estimated|routed)\)")
        }
        said = next((stage for kind, stage in _NETS if kind in nets), None)
    return report.settled(said, asked)
