"""The trade of accuracy against area, and which configurations are worth having."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.report.figures import Column, columns

if TYPE_CHECKING:
    from gatewright.report.schema import SweepReport


@dataclass(frozen=True)
class Tradeoff:
    """Accuracy against area of every configuration on one target."""

    target: str
    accuracy: Column  # of the RTL; of the quantized model where no RTL's is known
    area: Column  # LUTs; cell area where LUTs are not known
    front: frozenset[int]  # rows on the Pareto front: nothing is both smaller and more accurate


def tradeoffs(sweep: SweepReport) -> list[Tradeoff]:
    """The trade on every target for which accuracy and area are known.

    A configuration whose verification failed is never on the front.
    """
    known = {column.name: column for column in columns(sweep) if column.known}
    accuracy = known.get("accuracy") or known.get("accuracy_quantized")
    found = []
    for target in sweep.targets:
        area = known.get(f"{target}.lut") or known.get(f"{target}.area")
        if accuracy and area:
            candidates = {
                row: (cost, -merit)
                for row, report in enumerate(sweep.reports)
                if report.passed is not False
                and (merit := accuracy.values[row]) is not None
                and (cost := area.values[row]) is not None
            }
            found.append(Tradeoff(target, accuracy, area, _front(candidates)))
    return found


def _front(costs: dict[int, tuple[float, float]]) -> frozenset[int]:
    """The rows that no other row equals or betters in both costs and betters in one."""
    return frozenset(
        row
        for row, own in costs.items()
        if not any(o != own and o[0] <= own[0] and o[1] <= own[1] for o in costs.values())
    )
