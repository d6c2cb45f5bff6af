"""Tolerances: how much worse a figure may be than in an older report, for build scripts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.errors import InputError
from gatewright.report.figures import Quantity, find_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.report.diff import Change, Changes

USUAL_PERCENT = 2.0
"""Default tolerance, in percent of the old value."""


@dataclass(frozen=True)
class Tolerance:
    """How much worse a figure may become.

    Attributes:
        quantity: the figure; a resource without a target means it on every target. None for all
            figures of the main table except settings, such as the clock.
        limit: in percent of the old value, or in the figure's unit.
        relative: whether `limit` is in percent.
    """

    quantity: Quantity | None
    limit: float
    relative: bool

    def covers(self, change: Change) -> bool:
        """Whether this tolerance applies to the figure of a change."""
        if self.quantity is None:
            return change.quantity.figure.primary and bool(change.quantity.group)
        return self.quantity.name == change.quantity.name or (
            self.quantity.anywhere and self.quantity.figure == change.quantity.figure
        )

    def allows(self, change: Change) -> bool:
        """Whether a change is within the tolerance. A known figure must not become unknown."""
        if change.old is None or change.better is not False:
            return change.old is None or change.new is not None
        if not self.relative:
            return abs((change.new or 0) - change.old) <= self.limit
        return change.percent is not None and abs(change.percent) <= self.limit

    def __str__(self) -> str:
        """For example "2%" or "0.1"."""
        return f"{self.limit:.10g}{'%' if self.relative else ''}"


def parse_tolerance(text: str) -> Tolerance:
    """Parse a tolerance: PERCENT%, FIGURE=PERCENT% or FIGURE=AMOUNT, in the figure's unit.

    Raises:
        InputError: if there is no such figure, or if the amount is not a finite number >= 0.
    """
    name, equals, amount = text.rpartition("=")
    amount = amount.strip()
    relative = amount.endswith("%")
    try:
        quantity = find_quantity(name.strip()) if equals else None
        limit = float(amount.removesuffix("%"))
    except InputError as error:
        raise InputError(f"tolerance '{text}': {error}") from None
    except ValueError:
        limit = math.nan
    if not (math.isfinite(limit) and limit >= 0 and (relative or quantity is not None)):
        raise InputError(
            f"tolerance '{text}': write it as 2%, lut=5% or slack=0.1, in the figure's unit"
        )
    return Tolerance(quantity, limit, relative)


def regressions(changes: Changes, tolerances: Sequence[Tolerance] = ()) -> list[str]:
    """Sentences on what became worse by more than is tolerated; empty if nothing did.

    The last tolerance that names the figure applies; without one the last that covers all figures;
    without one `USUAL_PERCENT`. No tolerance allows a known figure to become unknown, or a design
    to be no longer proved bit-exact.
    """
    ordered = sorted(
        (Tolerance(None, USUAL_PERCENT, relative=True), *tolerances),
        key=lambda tolerance: tolerance.quantity is not None,
    )
    found = [f"{config}: no longer proved bit-exact" for config in changes.unproved]
    for change in changes.changes:
        held = [tolerance for tolerance in ordered if tolerance.covers(change)]
        if held and not held[-1].allows(change):
            old, new, percent = change.format()
            by = f", worse by {percent.lstrip('+-')}" if percent else ""
            found.append(
                f"{change.config}: {change.quantity.name} was {old}, is {new}{by}; "
                f"tolerance {held[-1]}"
            )
    return found
