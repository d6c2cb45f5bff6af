"""The header of all reports of Vivado: tool, device, design, and step."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.vendor.readers.text import shown

if TYPE_CHECKING:
    from gatewright.results.imported import Stage
    from gatewright.vendor.readers.text import Line, ReportText

BEGINS = r"\| Tool Version\s*: Vivado v\.?(?P<version>\d{4}\.\d+(\.\d+)?)"

_STAGES: dict[str, Stage] = {
    "synthesized": "synthesized",
    "optimized": "synthesized",
    "fully placed": "placed",
    "placed": "placed",
    "physopt postplace": "placed",
    "fully routed": "routed",
    "routed": "routed",
    "physopt postroute": "routed",
}


@dataclass(frozen=True)
class Header:
    """The header of a report.

    Attributes:
        version: version of Vivado.
        part: the device.
        design: name of the top.
        stage: the step after which it was written; None if the report does not name it.
    """

    version: str
    part: str
    design: str
    stage: Stage | None


def header(report: ReportText) -> Header:
    """Read the header of a report.

    Raises:
        InputError: if it is not complete, or there are two.
    """
    first, *others = report.search(BEGINS)
    if others:
        raise report.error(
            others[0][0], "a second report begins here; give each in a file of its own"
        )
    state = next(report.search(r"\| Design State\s*: (?P<text>.+)"), None)
    return Header(
        first[1]["version"],
        _field(report, "Device"),
        _field(report, "Design"),
        None if state is None else _stage(report, state[0], state[1]["text"].strip()),
    )


def check_contents(report: ReportText) -> None:
    """Check that all sections in the table of contents exist.

    Raises:
        InputError: if one is missing, as in a truncated file.
    """
    start, _ = report.find("Table of Contents", "'Table of Contents'")
    listed = []
    for line in report.lines[start.number + 1 :]:
        if not re.match(r"\d+(\.\d+)*\.? ", line.text):
            break
        listed.append(line)
    if not listed:
        raise report.error(start, "a list of sections is expected below this line")
    below = report.lines[listed[-1].number :]
    held = {
        line.text
        for line, rule in itertools.pairwise(below)
        if rule.text and not rule.text.strip("-")
    }
    for line in listed:
        if line.text not in held:
            raise report.error(
                line, f"the section {shown(line.text)} is not in the file; is it cut off?"
            )


def _field(report: ReportText, name: str) -> str:
    _, match = report.find(rf"\| {name}\s*: (?P<text>\S+)", f"'| {name} : ...'")
    return match["text"]


def _stage(report: ReportText, line: Line, text: str) -> Stage:
    if text.lower() not in _STAGES:
        known = ", ".join(sorted({"Synthesized", "Fully Placed", "Routed"}))
        raise report.error(
            line, f"the design state {shown(text)} is not known; choose from {known}"
        )
    return _STAGES[text.lower()]
