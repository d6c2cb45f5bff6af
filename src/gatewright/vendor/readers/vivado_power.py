"""Vivado's `report_power`: power after synthesis, placement or routing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatewright.vendor.readers.tables import first_table
from gatewright.vendor.readers.vivado import check_contents, header

if TYPE_CHECKING:
    from gatewright.results.imported import Imported
    from gatewright.vendor.readers.tables import Row, Table
    from gatewright.vendor.readers.text import ReportText

TITLE = "Power Report"

_TOTAL, _DYNAMIC, _STATIC = "Total On-Chip Power", "Dynamic", "Device Static"


def read(report: ReportText) -> Imported:
    """Read a report of power.

    Raises:
        InputError: if it isn't one, is truncated, or is inconsistent.
    """
    head = header(report)
    check_contents(report)
    if head.stage is None:
        raise report.error(None, "'| Design State : ...' is expected: after which step it is")
    below = report.find("Table of Contents", "'Table of Contents'")[0]
    table = first_table(report, below, "|")
    total, dynamic, static = (_power(report, table, n) for n in (_TOTAL, _DYNAMIC, _STATIC))
    # Each is rounded to its last digit.
    if abs(total - dynamic - static) > 1.5 * _last_digit(table):
        raise report.error(
            table.line, f"{_DYNAMIC} and {_STATIC} add up to {dynamic + static:g} W, not {total:g}"
        )
    return report.imported(
        "power",
        "vivado",
        head.stage,
        {"power_w": total, "dynamic_power_w": dynamic, "static_power_w": static},
        version=head.version,
        part=head.part,
        design=head.design,
    )


def _power(report: ReportText, table: Table, name: str) -> float:
    for row in table.rows:
        match = re.fullmatch(rf"{re.escape(name)} \((?P<unit>\w+)\)", row.name)
        if match is not None:
            return report.scaled(row.line, name, _number(row), match["unit"], "W")
    raise report.error(table.line, f"a row '{name} (W)' is expected in this table")


def _number(row: Row) -> str:
    """The number of a row, without the warning about the junction temperature."""
    return row.cells[1].removesuffix("(Junction temp exceeded!)").rstrip()


def _last_digit(table: Table) -> float:
    """The unit of the last digit of the most coarsely rounded number."""
    texts = [_number(row) for row in table.rows if row.name.startswith((_TOTAL, _DYNAMIC, _STATIC))]
    return max(10.0 ** -len(text.partition(".")[2]) for text in texts)
