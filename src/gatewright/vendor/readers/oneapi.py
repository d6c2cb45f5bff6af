"""Reports of oneAPI, lines of JSON: `summary.ndjson`, `loop_attr.ndjson`, `quartus.ndjson`."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from gatewright.vendor.readers.text import Line, shown

if TYPE_CHECKING:
    from gatewright.results.imported import Imported
    from gatewright.vendor.readers.text import Figures, ReportText

_DEEPEST = 32  # most nested values
_MOST = 100_000  # most lines

#: Columns of `summary.ndjson` by field of `Imported`.
_COLUMNS = {"alut": "ALUTs", "ff": "FFs", "ram_blocks": "RAMs", "dsp": "DSPs", "mlab": "MLABs"}


def read(report: ReportText) -> Imported:
    """Read one of the three files.

    Raises:
        InputError: if it is none of them, is truncated, or is inconsistent.
    """
    records = _records(report)
    for line, record in records:
        if "quartusFitResourceUsageSummary" in record:
            return _quartus(report, line, record)
        if record.get("summary_type") == "estimatedResources":
            return _summary(report, records, line, record)
        if record.get("name") == "loop_attributes":
            return _loops(report, records)
    raise report.error(
        None, "a record of estimatedResources, loop_attributes or quartusFit... is expected"
    )


def _records(report: ReportText) -> list[tuple[Line, dict[str, Any]]]:
    """The objects of the lines."""
    lines = [line for line in report.lines if line.text]
    if len(lines) > _MOST:
        raise report.error(lines[_MOST], f"more than {_MOST:,} lines")
    found = []
    for line in lines:
        if line.text.count("{") + line.text.count("[") > _DEEPEST and _depth(line.text) > _DEEPEST:
            raise report.error(line, f"values within values, more than {_DEEPEST} deep")
        try:
            record = json.loads(line.text)
        except ValueError as error:
            reason = f"a JSON object is expected ({error}); is the file cut off?"
            raise report.error(line, reason) from None
        if not isinstance(record, dict):
            raise report.error(line, "a JSON object is expected")
        found.append((line, record))
    return found


def _depth(text: str) -> int:
    """The nesting depth of brackets, including those in texts."""
    depth = deepest = 0
    for character in re.findall(r"[\[{}\]]", text):
        depth += 1 if character in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _quartus(report: ReportText, line: Line, record: dict[str, Any]) -> Imported:
    """The results of Quartus' fitter."""
    used = _system(report, line, record, "quartusFitResourceUsageSummary")
    clock = _system(report, line, record, "quartusFitClockSummary")
    counts: Figures = {
        field: report.count(line, name, _text(report, line, used, name), grouped=True)
        for field, name in (
            ("alut", "alut"),
            ("ff", "reg"),
            ("dsp", "dsp"),
            ("ram_blocks", "ram"),
            ("mlab", "mlab"),
        )
        if name in used
    }
    return report.imported(
        "quartus_fit",
        "quartus",
        "routed",
        counts
        | {
            "alm": report.real(line, "alm", _text(report, line, used, "alm"), grouped=True),
            "fmax_mhz": report.real(line, "clock fmax", _text(report, line, clock, "clock fmax")),
        },
    )


def _system(report: ReportText, line: Line, record: dict[str, Any], name: str) -> dict[str, Any]:
    """The node of the whole device in a panel."""
    panel = record.get(name)
    nodes = panel.get("nodes") if isinstance(panel, dict) else None
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, dict) and node.get("type") == "system":
            return node
    raise report.error(line, f"{name}: a node of type 'system' is expected")


def _text(report: ReportText, line: Line, fields: dict[str, Any], name: str) -> str:
    text = fields.get(name)
    if text == "TBD":
        raise report.error(
            line, f"{name} is 'TBD': Quartus has not run; compile for hardware first"
        )
    if not isinstance(text, str):
        raise report.error(
            line, f"{name}: a text that holds a number is expected, not {shown(repr(text))}"
        )
    return text


def _summary(
    report: ReportText,
    records: list[tuple[Line, dict[str, Any]]],
    head: Line,
    heading: dict[str, Any],
) -> Imported:
    """Resources as the compiler estimates them, before Quartus."""
    titles = heading.get("columns")
    if not isinstance(titles, list) or not all(isinstance(title, str) for title in titles):
        raise report.error(head, "'columns': a list of texts is expected")
    columns = [title.strip() for title in titles[1:]]
    if lacking := [name for name in _COLUMNS.values() if name not in columns]:
        raise report.error(head, f"'columns': a column '{lacking[0]}' is expected")
    rows = {
        str(record.get("name")): (line, record.get("data"))
        for line, record in records
        if record.get("parent") == "estimatedResources"
    }
    if "Total" not in rows:
        raise report.error(head, "a record 'Total' of estimatedResources is expected")
    values = {
        name: _values(report, line, data, columns)
        for name, (line, data) in rows.items()
        if name != "Available"
    }
    total, line = values.pop("Total"), rows["Total"][0]
    _check_totals(report, line, values, total)
    found: Figures = {field: total[column] for field, column in _COLUMNS.items() if column in total}
    if total.get("Frac. DSPs"):
        factor = heading.get("dsp_packing_factor")
        if type(factor) is not int or factor < 1:
            raise report.error(head, "'dsp_packing_factor': a whole number is expected")
        found["dsp"] = total["DSPs"] + math.ceil(total["Frac. DSPs"] / factor)
    return report.imported("summary", "oneapi", "estimated", found)


def _values(report: ReportText, line: Line, data: Any, columns: list[str]) -> dict[str, int]:
    known = isinstance(data, list) and len(data) == len(columns)
    if not known or not all(type(value) is int and value >= 0 for value in data):
        raise report.error(
            line, f"'data': {len(columns)} whole numbers are expected, as 'columns' has"
        )
    return dict(zip(columns, data, strict=True))


def _check_totals(
    report: ReportText, line: Line, rows: dict[str, dict[str, int]], total: dict[str, int]
) -> None:
    """Check that kernels add up to their subtotal, and that and the other rows to the total."""
    names = list(rows)
    at = names.index("Kernel Subtotal") if "Kernel Subtotal" in names else 0
    for column, said in total.items():
        kernels = sum(rows[name][column] for name in names[:at])
        if at and kernels != rows["Kernel Subtotal"][column]:
            raise report.error(
                line, f"{column}: kernels add up to {kernels}, not to their subtotal"
            )
        summed = sum(rows[name][column] for name in names[at:])
        if summed != said:
            raise report.error(line, f"{column}: the rows above add up to {summed}, not to {said}")


def _loops(report: ReportText, records: list[tuple[Line, dict[str, Any]]]) -> Imported:
    """The clock that the compiler schedules for: the lowest of all blocks.

    Latencies and initiation intervals in the file are those of single loops in parallel kernels.
    They don't give those of the whole design, so they are not read.
    """
    rates = [
        report.real(line, "af", _text(report, line, record, "af"))
        for line, record in records
        if record.get("type") in ("bb", "loop")
    ]
    if not rates:
        raise report.error(None, "a block or loop with its frequency ('af') is expected")
    children = [record.get("children") for _, record in records]
    named = sum(len(listed) for listed in children if isinstance(listed, list))
    if named != len(rates):
        raise report.error(
            records[-1][0], f"{named} blocks are listed, and {len(rates)} are here; is it cut off?"
        )
    return report.imported("loop_attr", "oneapi", "estimated", {"fmax_mhz": min(rates)})
