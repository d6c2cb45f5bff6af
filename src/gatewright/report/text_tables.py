"""Tables as text, which every view for people prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Entry:
    """A column of a table."""

    heading: str
    cells: tuple[str, ...]  # one per row; "" where it is not known
    values: tuple[float | None, ...] | None = None  # of numeric columns, as they sort
    group: str = ""  # group of `Report.groups` that the column belongs to, if any


def texts(heading: str, cells: Iterable[str | None]) -> Entry:
    """A column of words."""
    return Entry(heading, tuple(cell or "" for cell in cells))


def numbers(
    heading: str, values: Sequence[float | None], group: str = "", form: str = ",.10g"
) -> Entry:
    """A column of numbers, in that format; "" where one is not known."""
    cells = tuple("" if value is None else format(value, form) for value in values)
    return Entry(heading, cells, tuple(values), group)


def cut(text: str, longest: int) -> str:
    """Text that is no longer than so many characters; dots stand for what is left out."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def filled(entries: Iterable[Entry]) -> list[Entry]:
    """The columns in which something stands."""
    return [entry for entry in entries if any(entry.cells)]
