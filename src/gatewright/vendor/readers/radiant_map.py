"""Radiant's `<project>_<implementation>.mrp`: the cells of a mapped design, before placement."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.vendor.readers.radiant import header
from gatewright.vendor.readers.text import shown

if TYPE_CHECKING:
    from gatewright.results.imported import Imported
    from gatewright.vendor.readers.text import Figures, Line, ReportText

_ROW = r"(?P<indent>\s+)Number (?P<name>[^:]+):\s*(?P<rest>\S.*)"
_USAGE = re.compile(r"(?P<used>\d+)(\s+out of\s+\d+ \(<?\d+%\))?(\s+\((?P<note>[^()]*)\))?")
_LUTS = re.compile(r"(?P<luts>\d+) LUT4s")

#: Rows of blocks; the first name is that of Nexus, the second that of iCE40 UltraPlus.
_BLOCKS = {
    "dsp": ("of MULT18", "of DSPs"),
    "ram_blocks": ("of Block RAMs", "of EBRs"),
    "large_ram_blocks": ("of Large RAMs", "of SRAMs"),
}


@dataclass(frozen=True)
class _Row:
    """A row of the summary.

    Attributes:
        line: its line.
        indent: number of blanks before it; rows of its parts have more.
        name: what is counted, with single blanks.
        used: how many there are.
        note: the text in parentheses at its end; "" if there is none.
    """

    line: Line
    indent: int
    name: str
    used: int
    note: str


def read(report: ReportText) -> Imported:
    """Read a report of the mapper.

    LUT are `LUT4s` with those in carry chains and those that only pass a net through, FF are
    registers in slices and in pins. DSP are `MULT18` of the physical components of a Nexus device,
    each the place of one 18x18 or of two 9x9 multipliers, and `DSPs` of an iCE40 UltraPlus device.

    Raises:
        InputError: if it isn't one, has errors, contradicts itself, or is truncated.
    """
    head = header(report)
    rows = _summary(report)
    found: Figures = {"lut": _luts(report, rows), "ff": _registers(report, rows)}
    lutram = _row(rows, "used as distributed RAM")
    found["lutram"] = lutram.used if lutram is not None else None
    for field, names in _BLOCKS.items():
        if (row := _row(rows, *names)) is not None:
            found[field] = row.used
    _check_end(report)
    return report.imported(
        "map",
        "radiant",
        "synthesized",
        found,
        version=head.version,
        part=head.part,
        design=head.design,
    )


def _summary(report: ReportText) -> list[_Row]:
    """The rows of the summary above those of nets; it may go on over pages."""
    begin, _ = report.find(r"Design Summary$", "'Design Summary'")
    end, _ = report.find(r"\s+Number of Clocks:", "'Number of Clocks:'", begin.number)
    rows: list[_Row] = []
    for line, match in report.search(_ROW, begin.number):
        if line.number >= end.number:
            break
        usage = _USAGE.fullmatch(match["rest"])
        name = " ".join(match["name"].split())
        if usage is None:
            raise report.error(
                line, f"Number {name}: a whole number is expected, not {shown(match['rest'])}"
            )
        if _row(rows, name) is not None:
            raise report.error(line, f"a second row 'Number {name}'")
        used = report.count(line, f"Number {name}", usage["used"])
        rows.append(_Row(line, len(match["indent"]), name, used, usage["note"] or ""))
    return rows


def _row(rows: list[_Row], *names: str) -> _Row | None:
    return next((row for row in rows if row.name in names), None)


def _required(report: ReportText, rows: list[_Row], name: str) -> _Row:
    row = _row(rows, name)
    if row is None:
        raise report.error(None, f"a row 'Number {name}:' is expected in its summary")
    return row


def _luts(report: ReportText, rows: list[_Row]) -> int:
    row = _required(report, rows, "of LUT4s")
    _check_sum(report, row, rows)
    return row.used


def _registers(report: ReportText, rows: list[_Row]) -> int:
    if _row(rows, "of slice registers") is not None:
        names = ("of slice registers", "of I/O registers")
        return sum(_required(report, rows, name).used for name in names)
    row = _required(report, rows, "of registers")
    _check_sum(report, row, rows)
    return row.used


def _check_sum(report: ReportText, total: _Row, rows: list[_Row]) -> None:
    """Check that the rows of a total's parts add up to it; parts of parts don't count."""
    parts: list[_Row] = []
    for row in rows[rows.index(total) + 1 :]:
        if row.indent <= total.indent:
            break
        if not parts or row.indent == parts[0].indent:
            parts.append(row)
    if (added := sum(map(_cells, parts))) != total.used:
        raise report.error(
            total.line,
            f"Number {total.name}: the rows below add up to {added}, not to {total.used}",
        )


def _cells(row: _Row) -> int:
    """The cells of a row: rows of carry chains of iCE40 count chains' slices, and note LUTs."""
    luts = _LUTS.fullmatch(row.note)
    return int(luts["luts"]) if luts is not None else row.used


def _check_end(report: ReportText) -> None:
    """Check that the mapper had no errors and wrote its report to the end."""
    line, match = report.find(r"\s+Number of errors:\s*(?P<errors>.*)", "'Number of errors:'")
    if (errors := report.count(line, "Number of errors", match["errors"])) > 0:
        raise report.error(line, f"the mapper had {errors} errors; map the design without")
    report.find(r"\s+Peak Memory Usage:", "'Peak Memory Usage:' at its end", line.number)
