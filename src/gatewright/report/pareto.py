"""The Pareto front of configurations by accuracy or error, resources and speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.report.budget import check_budgets, parse_budget
from gatewright.report.figures import FIGURES, Column, Quantity, column, columns, find_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.report.schema import Search, SweepReport

_SCORES = ("accuracy", "error", "accuracy_quantized", "error_quantized")


@dataclass(frozen=True)
class Tradeoff:
    """The figures of all configurations on one target, and the Pareto front."""

    target: str
    score: Column  # accuracy or error of the RTL; of the quantized model if that is unknown
    area: Column  # LUTs; cell area if no report has LUTs
    weighed: tuple[Column, ...]  # the objectives of the front
    front: frozenset[int]  # rows on the Pareto front
    edge: frozenset[int]  # rows on the Pareto front of score and area only
    partly_known: tuple[Column, ...]  # not weighed, because some configurations lack them

    def explain(self, search: Search | None) -> str:
        """The rule of the front in sentences; `search` is that of the sweep, if any."""
        names = [_name(held, self.target) for held in self.weighed]
        text = f"The front weighs {_listed(names)}"
        text += ", the objectives of the search" if search else ""
        text += ". On it is each configuration unless another is as good in all and better in one."
        if self.partly_known:
            names = [_name(held, self.target) for held in self.partly_known]
            text += f" Not weighed, because unknown for some configurations: {_listed(names)}."
        never = ["that failed verification"]
        if search and search.constraints:
            never.append(f"that misses a constraint ({', '.join(search.constraints)})")
        return f"{text} A configuration {' or '.join(never)} is never on it."


def tradeoffs(sweep: SweepReport) -> list[Tradeoff]:
    """The Pareto front on each target for which area and accuracy, or error, are known.

    The front weighs the objectives of the search that found the configurations. Without a search
    it weighs accuracy or error, area, DSPs, block RAM and the initiation interval (frames per
    second if clocks differ), each only if it is known and differs. A configuration is not on the
    front if its verification failed, if it misses a constraint of the search, or if it lacks a
    weighed figure.

    Raises:
        InputError: if an objective or a constraint of the search names no figure.
    """
    table = {held.name: held for held in columns(sweep)}
    known = {name: held for name, held in table.items() if held.known}
    score = next((known[name] for name in _SCORES if name in known), None)
    free = eligible(sweep)
    found = []
    for target in sweep.targets:
        area = known.get(f"{target}.lut") or known.get(f"{target}.area")
        if score and area:
            rows = _that_know(free, (score, area))
            partly: tuple[Column, ...] = ()
            if sweep.search:
                weighed = _objectives(sweep, sweep.search, target)
            else:
                others, partly = _others(table, target, rows)
                weighed = (score, area, *others)
            found.append(
                Tradeoff(
                    target,
                    score,
                    area,
                    weighed,
                    _front(_that_know(free, weighed), weighed),
                    _front(rows, (score, area)),
                    partly,
                )
            )
    return found


def eligible(sweep: SweepReport) -> list[int]:
    """Rows that did not fail verification and meet the constraints of the search."""
    constraints = sweep.search.constraints if sweep.search else ()
    verdicts = check_budgets(sweep, map(parse_budget, constraints))
    missed = {verdict.config for verdict in verdicts if not verdict.ok}
    return [
        row
        for row, report in enumerate(sweep.reports)
        if report.passed is not False and report.config.name not in missed
    ]


def _objectives(sweep: SweepReport, search: Search, target: str) -> tuple[Column, ...]:
    """The columns of a search's objectives; a resource without a target means this target."""
    quantities = map(find_quantity, search.objectives)
    return tuple(
        column(sweep, Quantity(wanted.figure, target) if wanted.anywhere else wanted)
        for wanted in quantities
    )


def _others(
    table: dict[str, Column], target: str, rows: Sequence[int]
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """The other columns to weigh, which differ among rows; and those that only some rows have."""
    clocks = {table["clock"].values[row] for row in rows}
    resources = (figure for figure in FIGURES.values() if figure.weighed and figure.per_target)
    names = [f"{target}.{figure.name}" for figure in resources]
    names.append("ii" if len(clocks) == 1 else "fps")
    held = [(table[name], {table[name].values[row] for row in rows}) for name in names]
    return (
        tuple(one for one, values in held if None not in values and len(values) > 1),
        tuple(one for one, values in held if None in values and len(values) > 1),
    )


def _that_know(rows: Sequence[int], weighed: Sequence[Column]) -> list[int]:
    return [row for row in rows if all(one.values[row] is not None for one in weighed)]


def _front(rows: Sequence[int], weighed: Sequence[Column]) -> frozenset[int]:
    """The rows that no other row dominates: equals or betters in all columns, betters in one."""
    signs = [1 if one.figure.better == "less" else -1 for one in weighed]
    costs = {
        row: tuple(sign * (one.values[row] or 0) for sign, one in zip(signs, weighed, strict=True))
        for row in rows
    }
    distinct = set(costs.values())
    best = {
        own
        for own in distinct
        if not any(
            other != own and all(a <= b for a, b in zip(other, own, strict=True))
            for other in distinct
        )
    }
    return frozenset(row for row, own in costs.items() if own in best)


def _name(held: Column, target: str) -> str:
    """For example "accuracy", "LUT", or "LUT on TARGET" if it is not the target of the front."""
    figure = held.figure
    elsewhere = f" on {held.target}" if held.target not in (None, target) else ""
    label = figure.label
    if figure.part in ("accuracy", "error"):
        label = figure.part if figure.name == figure.part else f"{label} {figure.part}"
    elif figure.name == "latency_ns":
        label = "latency in ns"
    return label + elsewhere


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
