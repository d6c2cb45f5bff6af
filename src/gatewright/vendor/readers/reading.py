"""Reads reports of any kind, recognized by their content, and merges those of one run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatewright.errors import InputError
from gatewright.results.imported import FIGURE_FIELDS, Imported
from gatewright.vendor.readers import (
    csynth_rpt,
    csynth_xml,
    oneapi,
    quartus,
    radiant,
    radiant_map,
    radiant_timing,
    vivado,
    vivado_power,
    vivado_timing,
    vivado_utilization,
)
from gatewright.vendor.readers.text import ReportText

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gatewright.results.imported import Stage

_FIRST_LINES = 80
_MEASURED: tuple[Stage, ...] = ("synthesized", "placed", "routed")
_KNOWN = (
    "Vivado and Vitis HLS csynth (.rpt, .xml); Vivado utilization, timing summary and power; "
    "Quartus fit and sta; Radiant map (.mrp) and timing (.twr); oneAPI summary, loop_attr and "
    "quartus (.ndjson)"
)


def parse_stage(text: str, option: str = "--stage") -> Stage:
    """Parse a step from a user: the step after which a report was written, or a run's last one.

    Args:
        text: the step.
        option: the command line option, for messages.

    Raises:
        InputError: if it is not a step.
    """
    for stage in _MEASURED:
        if text == stage:
            return stage
    raise InputError(f"{option} {text}: choose from {', '.join(_MEASURED)}")


def read_reports(paths: Iterable[Path], stage: Stage | None = None) -> dict[str, Imported]:
    """Read reports of vendor tools, and merge those of one tool after one step.

    Args:
        paths: the files.
        stage: the step of timing summaries that don't name it.

    Returns:
        Their figures, by tool and step, for example "vivado-routed".

    Raises:
        InputError: if a file is missing, not a known report or inconsistent, or if two contradict
            each other.
    """
    found: dict[str, tuple[Path, Imported]] = {}
    for path in paths:
        one = read_report(path, stage)
        before = found.get(one.key)
        found[one.key] = (path, one if before is None else _joined(*before, path, one))
    return {key: one for key, (_, one) in sorted(found.items())}


def read_report(path: Path, stage: Stage | None = None) -> Imported:
    """Read a report of a vendor tool; see `read_reports`."""
    try:
        report = ReportText.read(path)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    text = report.text.lstrip()
    if text.startswith("{"):
        return oneapi.read(report)
    if text.startswith("<"):
        return csynth_xml.read(report)
    head = "\n".join(line.text for line in report.lines[:_FIRST_LINES])
    if re.search(rf"^{csynth_rpt.TITLE}", head, re.MULTILINE):
        return csynth_rpt.read(report)
    if re.search(rf"^{vivado.BEGINS}", head, re.MULTILINE):
        return _read_vivado(report, head, stage)
    if match := re.search(rf"^{quartus.BEGINS}", head, re.MULTILINE):
        read = quartus.read_fit if match[1] == "Fitter" else quartus.read_sta
        return read(report)
    if match := re.search(rf"^{radiant.BEGINS}", head, re.MULTILINE):
        mapped = match["kind"] == "Mapping"
        return radiant_map.read(report) if mapped else radiant_timing.read(report, stage)
    if "Synthesis Summary Report of" in head:
        raise report.error(None, "is a synthesis summary; give <top>_csynth.rpt instead")
    raise report.error(None, f"is not a known report; known are {_KNOWN}")


def _read_vivado(report: ReportText, head: str, stage: Stage | None) -> Imported:
    if re.search(rf"^{vivado_utilization.TITLE}", head, re.MULTILINE):
        return vivado_utilization.read(report)
    if re.search(rf"^{vivado_timing.TITLE}", head, re.MULTILINE):
        return vivado_timing.read(report, stage)
    if re.search(rf"^{vivado_power.TITLE}", head, re.MULTILINE):
        return vivado_power.read(report)
    raise report.error(
        None,
        "is a report of Vivado, but not of report_utilization (without -hierarchical), "
        "report_timing_summary or report_power",
    )


def _joined(first: Path, one: Imported, second: Path, other: Imported) -> Imported:
    """Merge the figures of two reports of one tool after one step.

    Raises:
        InputError: if they contradict each other.
    """
    fields = one.model_dump(include={"tool", "stage"})
    fields["reports"] = (*one.reports, *other.reports)
    fields["part"] = _part(first, one.part, second, other.part)
    for name in ("version", "design", *FIGURE_FIELDS):
        ours, theirs = getattr(one, name), getattr(other, name)
        if None not in (ours, theirs) and ours != theirs:
            raise InputError(
                f"{second}: {name} is {theirs}, but {first} says {ours}; give reports of one run"
            )
        fields[name] = theirs if ours is None else ours
    try:
        return Imported(**fields)
    except ValueError:
        raise InputError(
            f"{second}: contradicts {first}, or is the same report; give reports of one run"
        ) from None


def _part(first: Path, ours: str | None, second: Path, theirs: str | None) -> str | None:
    """The longer of two names of a device; some reports leave out package or speed grade."""
    if ours is None or theirs is None:
        return ours or theirs
    plain = [re.sub(r"[-_.]", "", name.lower()).removeprefix("xc") for name in (ours, theirs)]
    if not (plain[0].startswith(plain[1]) or plain[1].startswith(plain[0])):
        raise InputError(
            f"{second}: part is {theirs}, but {first} says {ours}; give reports of one run"
        )
    return ours if len(plain[0]) >= len(plain[1]) else theirs
