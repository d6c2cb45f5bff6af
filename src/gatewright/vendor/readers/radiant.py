"""What reports of Lattice Radiant have in common: a header with version, design and device."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gatewright.vendor.readers.text import ReportText

#: How the text begins; the title of a report of the mapper is centred in later releases.
BEGINS: Final = r"\s*Lattice (?P<kind>Mapping|Timing) Report\b"

_VERSION = r"(Mapper:|Lattice Timing Report\b.*,)\s+[Vv]ersion\b(?P<tool>.*)"
_RADIANT = re.compile(r" Radiant Software \(\d+-bit\) (?P<version>\d+(\.\d+)+)")
_NAME = r"(Target )?(?P<name>Design|Device|Package|Performance)( Grade)?:\s+(?P<value>\S+)$"
_BODY = r"Design Information$|\s+Table of Contents$"


@dataclass(frozen=True)
class Header:
    """The header of a report.

    Attributes:
        version: version of Radiant.
        part: device, package and performance grade, joined by dashes.
        design: the top module; None in reports of the mapper before 2023, which name the project.
    """

    version: str
    part: str
    design: str | None


def header(report: ReportText) -> Header:
    """Read the header of a report.

    Raises:
        InputError: if it is incomplete, of another tool of Lattice, or followed by a second one.
    """
    title, _ = report.find(BEGINS, "'Lattice Mapping Report File' or 'Lattice Timing Report'")
    for line, _ in report.search(BEGINS, title.number + 1):
        raise report.error(line, "a second report begins here; give each in a file of its own")
    line, match = report.find(_VERSION, "'version Radiant Software (64-bit) ...'")
    tool = _RADIANT.fullmatch(match["tool"])
    if tool is None:
        raise report.error(line, "'version Radiant Software (64-bit) ...' is expected in this line")
    body, _ = report.find(_BODY, "'Design Information' or 'Table of Contents'")
    names = {
        match["name"]: match["value"]
        for line, match in report.search(_NAME)
        if line.number < body.number
    }
    for name in ("Device", "Performance"):
        if name not in names:
            raise report.error(body, f"'{name}: ...' is expected above this line")
    part = "-".join(names[name] for name in ("Device", "Package", "Performance") if name in names)
    return Header(tool["version"], part, names.get("Design"))
