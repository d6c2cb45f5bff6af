"""Reports of C synthesis as XML: `<top>_csynth.xml` of Vivado HLS and Vitis HLS."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from gatewright.vendor.readers.csynth_rpt import cycles, estimated
from gatewright.vendor.readers.text import Line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.results.imported import Imported, Tool
    from gatewright.vendor.readers.text import ReportText

_DEEPEST = 64  # most nested elements
_MOST = 1_000_000  # most elements

_RESOURCES = "AreaEstimates/Resources"
_LATENCY = "PerformanceEstimates/SummaryOfOverallLatency"


def read(report: ReportText) -> Imported:
    """Read a report of C synthesis.

    Raises:
        InputError: if it isn't one, or has a document type, which no tool writes.
    """
    texts = _Texts(report)
    version = texts.one("ReportVersion/Version")
    target, path = (
        report.scaled(period, name, period.text, texts.one(unit).text, "ns")
        for name, period, unit in (
            (
                "TargetClockPeriod",
                texts.one("UserAssignments/TargetClockPeriod"),
                "UserAssignments/unit",
            ),
            (
                "EstimatedClockPeriod",
                texts.one("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod"),
                "PerformanceEstimates/SummaryOfTimingAnalysis/unit",
            ),
        )
    )
    low, high, fast, slow = (
        texts.cycles(f"{_LATENCY}/{name}")
        for name in ("Best-caseLatency", "Worst-caseLatency", "Interval-min", "Interval-max")
    )
    resources = texts.under(_RESOURCES)
    first = texts.one(_RESOURCES)
    return report.imported(
        "csynth",
        _tool(version.text, resources),
        "estimated",
        {
            "clock_ns": target,
            "fmax_mhz": None if not path else 1e3 / path,
            "latency_min": low,
            "latency_max": high,
            "ii_min": fast or None,
            "ii_max": slow or None,
        }
        | estimated(report, first, {name: line.text for name, line in resources.items()}),
        version=version.text,
        part=texts.one("UserAssignments/Part").text,
        design=texts.one("UserAssignments/TopModelName").text,
    )


def _tool(version: str, resources: dict[str, Line]) -> Tool:
    """The tool, which is not in the file; Vitis HLS replaced Vivado HLS after 2020.1."""
    if version > "2020.1" or "DSP48E" not in resources:
        return "vitis_hls"
    return "vivado_hls"


class _Texts:
    """The text of the first element with each path in a document, with its line.

    The document is read by Expat, without building a tree and without entities.
    """

    def __init__(self, report: ReportText) -> None:
        self._report = report
        self._found: dict[str, Line] = {}
        self._path: list[str] = []
        self._characters: list[str] = []
        self._elements = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters.append
        self._parser.StartDoctypeDeclHandler = self._doctype
        try:
            self._parser.Parse(report.text, True)
        except expat.ExpatError as error:
            reason = f"not XML ({expat.ErrorString(error.code)}); is it cut off?"
            raise report.error(Line(error.lineno, ""), reason) from None

    def one(self, path: str) -> Line:
        """The text of an element, which must exist."""
        if path not in self._found:
            raise self._report.error(None, f"an element <{path}> is expected, and there is none")
        return self._found[path]

    def cycles(self, path: str) -> int | None:
        """A number of clock cycles in an element; None if the tool does not know it."""
        line = self.one(path)
        return cycles(self._report, line, path.rpartition("/")[2], line.text)

    def under(self, path: str) -> dict[str, Line]:
        """The texts of the elements in an element, by name."""
        return {
            name.removeprefix(f"{path}/"): line
            for name, line in self._found.items()
            if name.startswith(f"{path}/")
        }

    def _start(self, name: str, attributes: dict[str, str] | Sequence[str]) -> None:
        del attributes  # reports have none
        self._elements += 1
        self._path.append(name)
        line = self._line("")
        if len(self._path) > _DEEPEST or self._elements > _MOST:
            raise self._report.error(
                line, f"more than {_MOST:,} elements, or {_DEEPEST} in one another"
            )
        if len(self._path) == 1 and name != "profile":
            raise self._report.error(line, f"the element <profile> is expected, not <{name[:40]}>")
        self._characters.clear()

    def _end(self, name: str) -> None:
        del name
        path = "/".join(self._path[1:])
        self._found.setdefault(path, self._line("".join(self._characters).strip()))
        self._path.pop()
        self._characters.clear()

    def _doctype(self, *_: object) -> None:
        raise self._report.error(self._line(""), "a document type, which no report has")

    def _line(self, text: str) -> Line:
        return Line(self._parser.CurrentLineNumber, text)
