"""Vivado's `report_utilization`: resources after synthesis, placement or routing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gatewright.vendor.readers.tables import blocks, parse_table
from gatewright.vendor.readers.text import shown
from gatewright.vendor.readers.vivado import check_contents, header

if TYPE_CHECKING:
    from gatewright.results.imported import Imported
    from gatewright.vendor.readers.tables import Row
    from gatewright.vendor.readers.text import ReportText

TITLE = "Utilization Design Information"

#: Names in families: 7 series, UltraScale and UltraScale+, Versal.
_LUT = ("Slice LUTs", "CLB LUTs")
_FF = ("Slice Registers", "CLB Registers", "Registers")
_DSP = ("DSPs", "DSP Slices")
_BRAM = ("Block RAM Tile",)

#: Rows that add up to another row, each with its weight.
_SUMS = (
    (_LUT, {"LUT as Logic": 1.0, "LUT as Memory": 1.0}),
    (_FF, {"Register as Flip Flop": 1.0, "Register as Latch": 1.0}),
    (_BRAM, {"RAMB36/FIFO": 1.0, "RAMB18": 0.5}),
)


#: Kinds for which all tables must give the same number.
_READ = {*_LUT, *_FF, *_DSP, *_BRAM, *(name for _, parts in _SUMS for name in parts)}


def read(report: ReportText) -> Imported:
    """Read a report of utilization.

    Raises:
        InputError: if it isn't one, is truncated, or is inconsistent.
    """
    head = header(report)
    check_contents(report)
    if head.stage is None:
        raise report.error(None, "'| Design State : ...' is expected: after which step it is")
    used = _used(report)
    for names, parts in _SUMS:
        _check_sum(report, used, names, parts)
    lut, lutram, ff, dsp, uram = (
        _count(report, used, names) for names in (_LUT, ("LUT as Memory",), _FF, _DSP, ("URAM",))
    )
    if lut is None:
        raise report.error(None, f"a row {' or '.join(map(repr, _LUT))} is expected")
    tiles = _row(used, _BRAM)
    return report.imported(
        "utilization",
        "vivado",
        head.stage,
        {
            "lut": lut,
            "lutram": lutram,
            "ff": ff,
            "dsp": dsp,
            "bram": None if tiles is None else _number(report, tiles),
            "uram": uram,
        },
        version=head.version,
        part=head.part,
        design=head.design,
    )


def _used(report: ReportText) -> dict[str, Row]:
    """The rows of all tables on used sites, by kind of site.

    Later tables repeat some kinds, and use one name for parts of different kinds; the first counts.
    """
    found: dict[str, Row] = {}
    for block in blocks(report, "|"):
        if len(block) < 2 or "Site Type" not in block[1].text or "Used" not in block[1].text:
            continue
        for row in parse_table(report, block, "|").rows:
            again = row.name in _READ and row.name in found
            if again and found[row.name].get("Used") != row.get("Used"):
                before = found[row.name].line.number
                raise report.error(row.line, f"{row.name}: line {before} says another number")
            found.setdefault(row.name, row)
    return found


def _row(used: dict[str, Row], names: tuple[str, ...]) -> Row | None:
    return next((used[name] for name in names if name in used), None)


def _count(report: ReportText, used: dict[str, Row], names: tuple[str, ...]) -> int | None:
    row = _row(used, names)
    return None if row is None else report.count(row.line, row.name, row.get("Used") or "")


def _number(report: ReportText, row: Row) -> float:
    return report.real(row.line, row.name, row.get("Used") or "")


def _check_sum(
    report: ReportText, used: dict[str, Row], names: tuple[str, ...], parts: dict[str, float]
) -> None:
    total = _row(used, names)
    rows = [used[name] for name in parts if name in used]
    if total is None or len(rows) < len(parts):
        return
    summed = sum(
        weight * _number(report, row) for weight, row in zip(parts.values(), rows, strict=True)
    )
    if not math.isclose(summed, _number(report, total)):
        raise report.error(
            total.line,
            f"{total.name}: {shown(total.get('Used') or '')} used, but {' and '.join(parts)} add "
            f"up to {summed:g}",
        )
