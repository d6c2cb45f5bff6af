"""Warnings of designs that fit no device of a target."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from gatewright.capacity import fit_text, fits_none
from gatewright.errors import InputError
from gatewright.targets import load_target

if TYPE_CHECKING:
    from gatewright.report.schema import Report
    from gatewright.targets import Target


def over_capacity(report: Report) -> list[str]:
    """A sentence for each target whose parts are too small for the design of a report."""
    found = []
    for name, used in report.resources.items():
        target = listed_target(name)
        if target is not None and fits_none(target, used):
            found.append(f"{name}: {fit_text(target, used)}")
    return found


@functools.cache  # hundreds of reports are about the same few targets
def listed_target(name: str) -> Target | None:
    """The target of a name; None for a target file of the user's, which may be gone."""
    try:
        return load_target(name)
    except InputError:
        return None
