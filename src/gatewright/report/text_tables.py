"""Tables as text, which the terminal, Markdown and HTML print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Entry:
    """A column of a table."""

    heading: str
    cells: tuple[str, ...]  # one per row; "" if unknown
    values: tuple[float | None, ...] | None = None  # of numeric columns: the numbers to sort by
    group: str = ""  # group of `Report.groups` that the column belongs to, if any


def texts(heading: str, cells: Iterable[str | None]) -> Entry:
    """A column of text."""
    return Entry(heading, tuple(cell or "" for cell in cells))


def numbers(
    heading: str, values: Sequence[float | None], group: str = "", form: str = ",.10g"
) -> Entry:
    """A column of numbers in the format `form`; "" for an unknown one."""
    cells = tuple("" if value is None else format(value, form) for value in values)
    return Entry(heading, cells, tuple(values), group)


def significant(heading: str, values: Sequence[float | None], digits: int = 4) -> Entry:
    """Numbers of which that many digits count."""
    rounded = [None if value is None else float(f"{value:.{digits}g}") for value in values]
    return numbers(heading, rounded)


def cut(text: str, longest: int) -> str:
    """Text shortened to at most `longest` characters, with an ellipsis if it was longer."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def filled(entries: Iterable[Entry]) -> list[Entry]:
    """The columns that are not empty."""
    return [entry for entry in entries if any(entry.cells)]
