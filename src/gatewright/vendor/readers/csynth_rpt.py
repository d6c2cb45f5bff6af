"""Reports of C synthesis as text: `<top>_csynth.rpt` of Vivado HLS and Vitis HLS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gatewright.vendor.readers.tables import first_table
from gatewright.vendor.readers.text import shown

if TYPE_CHECKING:
    from gatewright.results.imported import Imported, Tool
    from gatewright.vendor.readers.tables import Row, Table
    from gatewright.vendor.readers.text import Figures, Line, ReportText

TITLE: Final = r"== (Vivado|Vitis) HLS Report for '(?P<top>[^']+)'"

_TOOLS: dict[str, Tool] = {"Vivado": "vivado_hls", "Vitis": "vitis_hls"}

#: Texts of tools for unknown or uncounted values.
_UNKNOWN = ("-", "?", "undef", "N/A", "")


def read(report: ReportText) -> Imported:
    """Read a report of C synthesis.

    Raises:
        InputError: if it isn't one, or is inconsistent.
    """
    _, match = report.find(TITLE, "== Vitis HLS Report for 'TOP'")
    version, _ = _header(report, "Version")
    part, line = _header(report, "Target device")
    performance = _section(report, "Performance Estimates", line)
    utilization = _section(report, "Utilization Estimates", performance)
    _section(report, "Interface", utilization)
    figures = _timing(report, performance, utilization)
    return report.imported(
        "csynth",
        _TOOLS[match[1]],
        "estimated",
        figures | _resources(report, first_table(report, utilization, "|")),
        version=version.split()[0],
        part=part,
        design=match["top"],
    )


def estimated(report: ReportText, line: Line, texts: dict[str, str | None]) -> Figures:
    """Resources by field of `Imported`, from the names of C synthesis; block RAM in 36 Kb.

    Args:
        report: the report.
        line: their line.
        texts: numbers by name; None or a dash if not counted.
    """
    known = {
        name: report.count(line, name, text)
        for name, text in texts.items()
        if text is not None and text not in _UNKNOWN
    }
    half_blocks = known.get("BRAM_18K")
    return {
        "lut": known.get("LUT"),
        "ff": known.get("FF"),
        "dsp": known.get("DSP48E", known.get("DSP")),
        "bram": None if half_blocks is None else half_blocks / 2,
        "uram": known.get("URAM"),
    }


def cycles(report: ReportText, line: Line, name: str, text: str | None) -> int | None:
    """A number of clock cycles; None if the tool does not know it."""
    return None if text is None or text in _UNKNOWN else report.count(line, name, text)


def _header(report: ReportText, name: str) -> tuple[str, Line]:
    line, match = report.find(rf"\* {name}:\s*(?P<text>\S.*)", f"'* {name}: ...'")
    return match["text"], line


def _section(report: ReportText, name: str, after: Line) -> Line:
    line, _ = report.find(rf"== {name}\s*$", f"the section '{name}'", after.number)
    return line


def _timing(report: ReportText, performance: Line, end: Line) -> Figures:
    """Clock, latency and initiation interval; before 2019.2 units are in headings."""
    pattern = r"\+ Timing( \((?P<unit>\w+)\))?:"
    timing, match = report.find(pattern, "'+ Timing:'", performance.number)
    latency, _ = report.find(r"\+ Latency", "'+ Latency:'", timing.number)
    if latency.number > end.number:
        raise report.error(end, "'+ Latency:' is expected before this section")
    clock = _only_row(report, first_table(report, timing, "|"))
    target, path = (
        _period(report, clock, column, match["unit"]) for column in ("Target", "Estimated")
    )
    whole = _only_row(report, first_table(report, latency, "|"))
    bounds = [_bounds(report, whole, prefix) for prefix in ("Latency", "Interval")]
    (low, high), (fast, slow) = bounds
    return {
        "clock_ns": target,
        "fmax_mhz": None if not path else 1e3 / path,
        "latency_min": low,
        "latency_max": high,
        "ii_min": fast or None,
        "ii_max": slow or None,
    }


def _only_row(report: ReportText, table: Table) -> Row:
    if len(table.rows) != 1:
        raise report.error(table.line, f"a table of one row is expected, not of {len(table.rows)}")
    return table.rows[0]


def _period(report: ReportText, row: Row, column: str, unit: str | None) -> float:
    text = row.get(column)
    if text is None:
        raise report.error(row.line, f"a column '{column}' is expected above this row")
    if unit is None:
        return report.value(row.line, column, text, "ns")
    return report.scaled(row.line, column, text, unit, "ns")


def _bounds(report: ReportText, row: Row, prefix: str) -> tuple[int | None, int | None]:
    """Least and largest of a figure in cycles."""
    columns = [name for name in row.columns if re.match(rf"{prefix}( \(cycles\))? m(in|ax)$", name)]
    if len(columns) != 2:
        raise report.error(
            row.line, f"columns '{prefix} min' and '{prefix} max' are expected above this row"
        )
    low, high = (cycles(report, row.line, name, row.get(name)) for name in columns)
    return low, high


def _resources(report: ReportText, table: Table) -> Figures:
    """The resources in the row of totals, which must be the sums of the rows above."""
    total = table.row("Total")
    if total is None:
        raise report.error(table.line, "a row 'Total' is expected in this table")
    parts = table.rows[: table.rows.index(total)]
    for column in table.columns[1:]:
        said = _cell(report, total, column)
        summed = sum(_cell(report, part, column) or 0 for part in parts)
        if (said or 0) != summed:
            raise report.error(
                total.line,
                f"{column}: the rows above add up to {summed}, not to {shown(str(said))}",
            )
    return estimated(report, total.line, {name: total.get(name) for name in table.columns[1:]})


def _cell(report: ReportText, row: Row, column: str) -> int | None:
    text = row.get(column)
    return None if text is None or text in _UNKNOWN else report.count(row.line, column, text)
