"""Tables drawn with plus signs, dashes, and bars or semicolons."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.vendor.readers.text import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewright.vendor.readers.text import Line, ReportText


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        line: its line.
        cells: texts in the order of columns, without surrounding blanks.
        columns: headings of the columns.
    """

    line: Line
    cells: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """The first cell, without the star of a footnote."""
        return self.cells[0].rstrip("*")

    def get(self, column: str) -> str | None:
        """The cell of a column; None if there is no such column."""
        return dict(zip(self.columns, self.cells, strict=True)).get(column)


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        line: its first line.
        title: the line above its heading, as in tables of Quartus; "" without one.
        columns: headings, with several lines joined by blanks; empty without a heading.
        rows: its rows.
    """

    line: Line
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def row(self, *names: str) -> Row | None:
        """The row with the first of these names that exists; None if none does."""
        found = {row.name: row for row in reversed(self.rows)}
        return next((found[name] for name in names if name in found), None)


def blocks(report: ReportText, separator: str, start: int = 1) -> Iterator[list[Line]]:
    """The lines of each table, from a line on.

    Args:
        report: the report.
        separator: separator of cells.
        start: number of the first line.
    """
    block: list[Line] = []
    for line in report.lines[start - 1 :]:
        text = line.text.lstrip()
        if _is_border(text) or (block and text.startswith(separator)):
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def first_table(report: ReportText, line: Line, separator: str) -> Table:
    """The first table after a line.

    Raises:
        InputError: if there is none, or it is incomplete.
    """
    for block in blocks(report, separator, line.number + 1):
        return parse_table(report, block, separator)
    raise report.error(line, "a table is expected after this line, and the file ends without one")


def parse_table(report: ReportText, block: list[Line], separator: str) -> Table:
    """Parse a table: optional title, optional heading, rows, with borders between them.

    Raises:
        InputError: if it has no end, or a row has another number of cells than its border.
    """
    if not _is_border(block[-1].text.lstrip()) or len(block) == 1:
        raise report.error(
            block[-1], "the table has no end: a border is expected; is the file cut off?"
        )
    title = ""
    if block[0].text.count("+") == 2 and len(block) > 3 and _is_border(block[2].text.lstrip()):
        title, block = block[1].text.strip().strip(separator).strip(), block[2:]
    borders = [i for i, line in enumerate(block) if _is_border(line.text.lstrip())]
    headed = len(borders) > 2
    columns = _headings(block[: borders[1]], separator) if headed else ()
    width = block[0].text.count("+") - 1
    rows = [
        _row(report, line, columns or tuple(map(str, range(width))), separator)
        for i, line in enumerate(block)
        if i not in borders and (not headed or i > borders[1])
    ]
    return Table(block[0], title, columns, tuple(rows))


def _is_border(text: str) -> bool:
    return len(text) > 2 and text[0] == "+" and text[-1] == "+" and not text.strip("+-=")


def _row(report: ReportText, line: Line, columns: tuple[str, ...], separator: str) -> Row:
    cells = tuple(cell.strip() for cell in _split(line, separator))
    if len(cells) != len(columns):
        raise report.error(
            line,
            f"a row of {len(columns)} cells is expected as in the border above, not of "
            f"{len(cells)}: {shown(line.text.strip())}",
        )
    return Row(line, cells, columns)


def _split(line: Line, separator: str) -> list[str]:
    text = line.text.strip()
    return text[1 : -1 if text.endswith(separator) else None].split(separator)


def _headings(head: list[Line], separator: str) -> tuple[str, ...]:
    """The columns' headings; a cell in one line may span several cells in the next.

    Args:
        head: the border, whose plus signs separate columns, and the lines of the heading.
        separator: separator of cells.
    """
    border, *lines = head
    starts = [i for i, character in enumerate(border.text) if character == "+"]
    found: list[str] = []
    for left, right in itertools.pairwise(starts):
        words = []
        for line in lines:
            begin = line.text.rfind(separator, 0, left + 1) + 1
            end = line.text.find(separator, right)
            words += line.text[begin : end if end >= 0 else None].split()
        found.append(" ".join(words))
    return tuple(found)
