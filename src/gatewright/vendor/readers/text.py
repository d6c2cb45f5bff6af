"""The text of a report with numbered lines, and parsing of numbers in it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gatewright.errors import InputError
from gatewright.parsing.strict import first_problem
from gatewright.results.imported import Imported, SourceReport
from gatewright.system.files import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gatewright.results.imported import Stage, Tool

#: Largest report, in bytes; timing reports of many paths have about ten megabytes.
LARGEST = 64 << 20

_SHOWN = 60  # most characters of a report's text in a message

_COUNT = re.compile(r"\d{1,15}")
_GROUPED = re.compile(r"\d{1,3}(,\d{3}){0,4}")
_GROUPED_REAL = re.compile(rf"{_GROUPED.pattern}(\.\d{{1,15}})?")
_REAL = re.compile(r"[-+]?\d{1,15}(\.\d{1,15})?")
_VALUE = re.compile(r"(?P<number>\S+?)\s*(?P<unit>[A-Za-zµ]+)")

#: Factors of units, by the unit they convert to.
_UNITS = {
    "ns": {"fs": 1e-6, "ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6, "sec": 1e9, "s": 1e9},
    "MHz": {"Hz": 1e-6, "kHz": 1e-3, "KHz": 1e-3, "MHz": 1.0, "GHz": 1e3},
    "W": {"uW": 1e-6, "mW": 1e-3, "W": 1.0},
}


Figures = dict[str, float | None]
"""Figures of a report, by field of `Imported`; None for an unknown one."""


@dataclass(frozen=True)
class Line:
    """A line of a report, or a text in it, with the line number."""

    number: int
    text: str


@dataclass(frozen=True)
class ReportText:
    """The text of a report.

    Attributes:
        path: its file, for messages.
        text: the whole text.
        sha256: hash of its bytes.
    """

    path: Path
    text: str = field(repr=False)
    sha256: str = ""

    @classmethod
    def read(cls, path: Path) -> ReportText:
        """Read the file of a report.

        Raises:
            FileNotFoundError: if there is no such file.
            InputError: if it can't be read, is too large or is not text.
        """
        data = read_bytes(path, LARGEST)
        if b"\0" in data:
            raise InputError(f"{path}: holds NUL bytes; the text of a report is expected")
        text = data.decode("utf-8-sig", "replace")  # host names may have any encoding
        return cls(path, text, hashlib.sha256(data).hexdigest())

    @cached_property
    def lines(self) -> list[Line]:
        """Its lines, numbered from 1, without trailing blanks."""
        found = self.text.replace("\r\n", "\n").split("\n")
        return [Line(number, text.rstrip()) for number, text in enumerate(found, 1)]

    def search(self, pattern: str, start: int = 1) -> Iterator[tuple[Line, re.Match[str]]]:
        """The lines that begin with a pattern, from line `start` on."""
        compiled = re.compile(pattern)
        for line in self.lines[start - 1 :]:
            if (match := compiled.match(line.text)) is not None:
                yield line, match

    def find(self, pattern: str, expected: str, start: int = 1) -> tuple[Line, re.Match[str]]:
        """The first line that begins with a pattern.

        Raises:
            InputError: if there is none; says what is expected.
        """
        for found in self.search(pattern, start):
            return found
        raise self.error(None, f"{expected} is expected, and the file ends without it")

    def error(self, line: Line | None, problem: str) -> InputError:
        """An error about the report, to be raised.

        Args:
            line: the line; None for the whole report.
            problem: what is wrong, and what is expected.
        """
        where = f"{self.path}:{line.number}" if line is not None else str(self.path)
        return InputError(f"{where}: {problem}")

    def count(self, line: Line, name: str, text: str, *, grouped: bool = False) -> int:
        """Parse a whole number.

        Args:
            line: its line.
            name: its name, for messages.
            text: its text in the report.
            grouped: whether the tool separates thousands by commas.

        Raises:
            InputError: if it is not such a number, or has the format of a locale.
        """
        if not (_COUNT.fullmatch(text) or (grouped and _GROUPED.fullmatch(text))):
            raise self.error(line, f"{name}: a whole number is expected, not {shown(text)}")
        return int(text.replace(",", ""))

    def real(self, line: Line, name: str, text: str, *, grouped: bool = False) -> float:
        """Parse a number with a decimal point; for the arguments see `count`.

        Raises:
            InputError: if it is not such a number, or has the format of a locale.
        """
        if not (_REAL.fullmatch(text) or (grouped and _GROUPED_REAL.fullmatch(text))):
            raise self.error(
                line, f"{name}: a number with a decimal point is expected, not {shown(text)}"
            )
        return float(text.replace(",", ""))

    def value(self, line: Line, name: str, text: str, unit: str) -> float:
        """Parse a number with its unit, and convert it to `unit`: ns, MHz or W.

        Raises:
            InputError: if it is not such a number, or can't be converted.
        """
        match = _VALUE.fullmatch(text)
        if match is None or match["unit"] not in _UNITS[unit]:
            units = ", ".join(_UNITS[unit])
            raise self.error(
                line, f"{name}: a number and a unit ({units}) are expected, not {shown(text)}"
            )
        return self.scaled(line, name, match["number"], match["unit"], unit)

    def scaled(self, line: Line, name: str, number: str, given: str, unit: str) -> float:
        """Parse a number whose unit is elsewhere, and convert it from `given` to `unit`."""
        if given not in _UNITS[unit]:
            units = ", ".join(_UNITS[unit])
            raise self.error(line, f"{name}: a unit ({units}) is expected, not {shown(given)}")
        return round(self.real(line, name, number) * _UNITS[unit][given], 9)

    def settled(self, said: Stage | None, asked: Stage | None) -> Stage:
        """The step after which the report was written.

        Args:
            said: what the report tells; None if it doesn't.
            asked: what the user says; None if nothing.

        Raises:
            InputError: if neither tells, or they contradict each other.
        """
        stage = said or asked
        if stage is None:
            raise self.error(
                None, "does not name its step; give --stage, for example --stage placed"
            )
        if asked is not None and stage != asked:
            raise self.error(None, f"is of a design that is {said}, not {asked} as --stage says")
        return stage

    def imported(
        self,
        kind: str,
        tool: Tool,
        stage: Stage,
        figures: Mapping[str, float | None],
        *,
        version: str | None = None,
        part: str | None = None,
        design: str | None = None,
    ) -> Imported:
        """The typed content of the report.

        Args:
            kind: kind of report.
            tool: the tool that wrote it.
            stage: the step after which it was written.
            figures: figures by field of `Imported`; None for an unknown one.
            version: version of the tool.
            part: the device.
            design: name of the top.

        Raises:
            InputError: if a name is not valid, figures contradict each other, or there are none.
        """
        source = SourceReport(name=_file_name(self.path), kind=kind, sha256=self.sha256)
        said = {"version": version, "part": part, "design": design, **figures}
        try:
            found = Imported.model_validate(
                {"tool": tool, "stage": stage, "reports": (source,), **said}
            )
        except ValidationError as error:
            raise self.error(None, first_problem(error)) from None
        if not found.figures:
            raise self.error(None, f"the {kind} report holds no figure")
        return found


def shown(text: str) -> str:
    """Text of a report for a message, in quotes and shortened if it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def _file_name(path: Path) -> str:
    return path.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")[-250:]
