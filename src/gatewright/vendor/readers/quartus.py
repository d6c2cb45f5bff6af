"""Reports of Quartus: `<revision>.fit.rpt` of the fitter, `<revision>.sta.rpt` of timing."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from gatewright.vendor.readers.tables import blocks, parse_table
from gatewright.vendor.readers.text import shown

if TYPE_CHECKING:
    from gatewright.results.imported import Imported
    from gatewright.vendor.readers.tables import Row, Table
    from gatewright.vendor.readers.text import Figures, ReportText

BEGINS: Final = (
    r"(Fitter|Timing Analyzer|TimeQuest Timing Analyzer|TimeQuest) report for (?P<name>.+)"
)

#: Names of the fitter's figures in releases and families, Standard and Pro.
_FIT = {
    "alm": ("Logic utilization (in ALMs)",),
    "le": ("Total logic elements",),
    "alut": ("Combinational ALUTs", "Combinational ALUT usage for logic"),
    "ff": ("Total registers", "Total dedicated logic registers", "Dedicated logic registers"),
    "ram_bits": ("Total block memory bits", "Total memory bits"),
    "ram_blocks": ("Total RAM Blocks",),
    "dsp": ("Total DSP Blocks",),
    "mlab": ("Memory LABs",),
}

_USAGE = re.compile(r"(?P<used>[\d.,]+)(\s*/\s*[\d.,]+)?(\s*\(\s*(<\s*)?\d+\s*%\s*\))?")


def read_fit(report: ReportText) -> Imported:
    """Read a report of the fitter, which places and routes.

    Raises:
        InputError: if it isn't one, the fitter failed, or the file is truncated.
    """
    summary = _panel(report, r"Fitter Summary")
    status = _said(report, summary, "Fitter Status")
    if not status.cells[1].startswith("Successful"):
        raise report.error(
            status.line, f"the fitter's status is {shown(status.cells[1])}, not 'Successful'"
        )
    found: Figures = {}
    for field, names in _FIT.items():
        if (row := summary.row(*names)) is not None:
            found[field] = _used(report, row, halves=field == "alm")
    if not found.keys() & {"alm", "le"}:
        raise report.error(
            summary.line, f"a row '{_FIT['alm'][0]}' or '{_FIT['le'][0]}' is expected"
        )
    return report.imported(
        "fit",
        "quartus",
        "routed",
        found,
        version=_version(report, summary),
        part=_said(report, summary, "Device").cells[1],
        design=_said(report, summary, "Top-level Entity Name").cells[1],
    )


def read_sta(report: ReportText) -> Imported:
    """Read a report of static timing analysis, with the worst of all corners.

    Raises:
        InputError: if it isn't one, is truncated, or has several clocks.
    """
    summary = _panel(report, r"(TimeQuest )?Timing Analyzer Summary")
    clock = _clock(report, _panel(report, r"Clocks"))
    return report.imported(
        "sta",
        "quartus",
        "routed",
        {
            "clock_ns": _period(report, clock),
            "slack_ns": _slack(report, "Setup"),
            "hold_slack_ns": _slack(report, "Hold"),
            "fmax_mhz": _fmax(report, clock.name),
        },
        version=_version(report, summary),
        part=_said(report, summary, "Device Name", "Device").cells[1],
    )


def _panel(report: ReportText, title: str) -> Table:
    """The table with a title.

    Raises:
        InputError: if there is none.
    """
    line, _ = report.find(rf"; {title}\s+;", f"a table '; {title} ;'")
    for block in blocks(report, ";", line.number - 1):
        return parse_table(report, block, ";")
    raise report.error(line, "a table is expected here")


def _said(report: ReportText, table: Table, *names: str) -> Row:
    row = table.row(*names)
    if row is None or len(row.cells) < 2:
        raise report.error(table.line, f"a row '{names[0]}' is expected in this table")
    return row


def _version(report: ReportText, summary: Table) -> str:
    row = next((row for row in summary.rows if re.match(r"Quartus.* Version$", row.name)), None)
    match = re.search(r"\d+\.\d+(\.\d+)?", row.cells[1]) if row is not None else None
    if match is None:
        raise report.error(summary.line, "a row 'Quartus Prime Version' is expected in this table")
    return match[0]


def _used(report: ReportText, row: Row, *, halves: bool) -> float:
    """The used number in a cell such as "31,584 / 56,480 ( 56 % )".

    Args:
        report: the report.
        row: the row of the cell.
        halves: whether the tool counts halves.
    """
    match = _USAGE.fullmatch(row.cells[1])
    if match is None:
        raise report.error(
            row.line,
            f"{row.name}: 'USED / AVAILABLE ( SHARE % )' is expected, not {shown(row.cells[1])}",
        )
    number = report.real if halves else report.count
    return number(row.line, row.name, match["used"], grouped=True)


def _clock(report: ReportText, clocks: Table) -> Row:
    """The row of the only clock that is not derived from another."""
    base = [row for row in clocks.rows if row.get("Type") == "Base"]
    if len(base) != 1:
        names = ", ".join(row.name[:40] for row in base[:4])
        raise report.error(
            clocks.line, f"one clock of type Base is expected, not {len(base)} ({names or 'none'})"
        )
    return base[0]


def _period(report: ReportText, clock: Row) -> float:
    period = report.real(clock.line, "Period", clock.get("Period") or "")
    rate = report.value(clock.line, "Frequency", clock.get("Frequency") or "", "MHz")
    if not math.isclose(period * rate, 1e3, rel_tol=5e-3):
        raise report.error(clock.line, f"a period of {period:g} ns is no frequency of {rate:g} MHz")
    return period


def _slack(report: ReportText, check: str) -> float | None:
    """The worst slack of a check over all corners, in ns; None if there are no paths."""
    corners = "Multicorner Timing Analysis Summary"
    if next(report.search(rf"; {corners}\s+;"), None) is not None:
        rows, column = [_said(report, _panel(report, corners), "Worst-case Slack")], check
    else:  # Quartus Prime Pro has a table per check
        rows, column = list(_panel(report, f"{check} Summary").rows), "Slack"
    found = []
    for row in rows:
        text = row.get(column)
        if text is None:
            raise report.error(row.line, f"a column '{column}' is expected in this table")
        if text != "N/A":
            found.append(report.real(row.line, column, text))
    return min(found, default=None)


def _fmax(report: ReportText, clock: str) -> float | None:
    """The lowest Fmax over all corners, in MHz, including limits of the device."""
    found = []
    for line, _ in report.search(r"; (.+ )?Fmax Summary\s+;"):
        for block in blocks(report, ";", line.number - 1):
            for row in parse_table(report, block, ";").rows:
                if row.get("Clock Name") == clock:
                    text = row.get("Restricted Fmax") or row.get("Fmax") or ""
                    found.append(report.value(row.line, "Fmax", text, "MHz"))
            break
    return min(found, default=None)
