"""Budgets: limits on the figures of a report, which a build script can check."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatewright.errors import InputError
from gatewright.report.figures import FIGURES, Quantity, find_quantity
from gatewright.targets import find_part

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewright.report.schema import Report, SweepReport


@dataclass(frozen=True)
class Budget:
    """A limit on a figure, inclusive."""

    quantity: Quantity  # a resource without a target is limited on every target of a report
    relation: Literal["<=", ">="]
    limit: float  # in the figure's unit
    alike: tuple[str, ...] = ()  # other targets that the limit applies to: parts of one family

    def allows(self, value: float) -> bool:
        """Whether a value of the figure is within the limit."""
        return value <= self.limit if self.relation == "<=" else value >= self.limit


@dataclass(frozen=True)
class Verdict:
    """A budget checked for one configuration. If the figure is unknown, the budget is missed."""

    config: str
    figure: str  # name of the figure; of a resource with its target, "TARGET.lut"
    relation: Literal["<=", ">="]
    limit: float
    actual: float | None
    ok: bool

    def __str__(self) -> str:
        """For example "w6: TARGET.lut is 21676, budget <= 20000: missed"."""
        actual = "not known" if self.actual is None else f"{self.actual:.10g}"
        state = "met" if self.ok else "missed"
        limit = f"{self.relation} {self.limit:.10g}"
        return f"{self.config}: {self.figure} is {actual}, budget {limit}: {state}"


def parse_budget(text: str) -> Budget:
    """Parse a budget: FIGURE=LIMIT, FIGURE<=LIMIT or FIGURE>=LIMIT, FIGURE a name of `FIGURES`.

    "=" means "at most", or "at least" if more of the figure is better. A resource can be limited
    on one target, "TARGET.lut=20000"; otherwise it is limited on each. `accuracy` is that of the
    RTL, `latency` the largest latency in cycles.

    Raises:
        InputError: if the figure does not exist or the limit is not a finite number.
    """
    match = re.fullmatch(r"\s*(?P<name>[^=<>]+?)\s*(?P<relation><=|>=|=)(?P<limit>.*)", text)
    if match is None:
        raise InputError(f"budget '{text}': write it as FIGURE=LIMIT, for example lut=20000")
    try:
        quantity = find_quantity(match["name"])
    except InputError as error:
        raise InputError(f"budget '{text}': {error}") from None
    try:
        limit = float(match["limit"])
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise InputError(f"budget '{text}': the limit '{match['limit'].strip()}' is not a number")
    relation: Literal["<=", ">="]
    if match["relation"] == "=":
        relation = "<=" if quantity.figure.better == "less" else ">="
    else:
        relation = "<=" if match["relation"] == "<=" else ">="
    return Budget(quantity, relation, limit)


def parse_budgets(text: str) -> list[Budget]:
    """Parse a budget, or "fits=PART", which limits each resource to the capacity of the part.

    That is necessary for a design to fit, but not sufficient: placement and routing need room.

    Raises:
        InputError: as `parse_budget`, or if no target lists the part.
    """
    name, equals, part = text.partition("=")
    if name.strip() != "fits":
        return [parse_budget(text)]
    try:
        if not equals:
            raise InputError("write it as fits=PART, a part that a target names")
        target = find_part(part.strip())
    except InputError as error:
        raise InputError(f"budget '{text}': {error}") from None
    return [
        Budget(Quantity(FIGURES[resource], target.name), "<=", limit, tuple(target.parts))
        for resource, limit in target.capacity(part.strip()).items()
    ]


def check_budgets(sweep: SweepReport, budgets: Iterable[Budget]) -> list[Verdict]:
    """Check every budget for every configuration, in the order of the budgets.

    If a report does not have the figure, the budget is missed. A build passes if all verdicts
    are `ok`.
    """
    return [
        _check(budget, quantity, report)
        for budget in budgets
        for report in sweep.reports
        for quantity in _on_targets(budget, report)
    ]


def _on_targets(budget: Budget, report: Report) -> list[Quantity]:
    quantity = budget.quantity
    known = getattr(report, quantity.figure.part) if quantity.figure.per_target else ()
    wanted = known if quantity.anywhere else (quantity.target, *budget.alike)
    targets = [target for target in wanted if target in known]
    return [Quantity(quantity.figure, target) for target in targets] or [quantity]


def _check(budget: Budget, quantity: Quantity, report: Report) -> Verdict:
    actual = quantity.of(report)
    ok = actual is not None and budget.allows(actual)
    name = quantity.name
    return Verdict(report.config.name, name, budget.relation, budget.limit, actual, ok)
