"""A search in words, and its trials as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gatewright.report.budget import parse_budget
from gatewright.report.figures import find_quantity
from gatewright.report.text_tables import Entry, filled, numbers, texts
from gatewright.report.view import heading

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gatewright.report.figures import Quantity
    from gatewright.report.schema import Search, SearchTrial


def search_facts(search: Search) -> list[tuple[str, str]]:
    """Pairs of name and text: sampler, objectives, constraints, and counts of trials by result."""
    tool = " ".join(part for part in (search.tool, search.version) if part)
    seed = "" if search.seed is None else f"seed {search.seed}"
    stopped = sum(search.stopped.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in search.stopped.items())
    facts = [
        ("sampler", ", ".join(part for part in (search.sampler, tool, seed) if part)),
        ("objectives", ", ".join(search.objectives)),
        ("constraints", ", ".join(search.constraints)),
        (
            "trials",
            f"{len(search.trials):,}: {len(search.completed):,} completed, "
            f"{stopped:,} stopped early, {len(search.failed):,} failed",
        ),
        ("stopped early", reasons),
        ("synthesis", _synthesis(search)),
    ]
    return [(name, text) for name, text in facts if text]


def _synthesis(search: Search) -> str:
    """Numbers of trials that were synthesized, and that were only estimated; "" for neither."""
    resources = {
        name for name, (_, quantity) in weighed(search).items() if quantity.figure.per_target
    }
    synthesized = sum(not resources.isdisjoint(trial.figures) for trial in search.completed)
    estimated = sum(bool(trial.estimated) for trial in search.trials)
    if not synthesized and not estimated:
        return ""
    return f"{synthesized:,} trials synthesized, {estimated:,} estimated only"


def failure_table(search: Search) -> list[Entry]:
    """A row per trial that failed; empty if none did."""
    failed = search.failed
    return filled(
        [
            numbers("trial", [trial.number for trial in failed]),
            texts("config", [trial.config for trial in failed]),
            texts("error", [trial.error for trial in failed]),
        ]
    )


def trial_table(search: Search, trials: Sequence[SearchTrial]) -> list[Entry]:
    """A row per trial: its result, the settings varied, and the figures that the search weighs.

    Args:
        search: the search.
        trials: the trials to list, may be empty.

    Raises:
        InputError: if an objective or a constraint names no figure.
    """
    paths = dict.fromkeys(path for trial in trials for path in trial.point)
    figures = weighed(search)
    return filled(
        [
            numbers("trial", [trial.number for trial in trials]),
            texts("result", [result(search, trial) for trial in trials]),
            *(_values(path, [trial.point.get(path, "") for trial in trials]) for path in paths),
            *(
                Entry(
                    label,
                    tuple(_cell(quantity, trial) for trial in trials),
                    tuple(trial.figures.get(name) for trial in trials),
                )
                for name, (label, quantity) in figures.items()
            ),
        ]
    )


def _cell(quantity: Quantity, trial: SearchTrial) -> str:
    """A figure of a trial as text; an estimate is marked as such."""
    name = quantity.name
    if name in trial.figures or name not in trial.estimated:
        return quantity.figure.format(trial.figures.get(name))
    return f"{quantity.figure.format(trial.estimated[name])} est."


def weighed(search: Search) -> dict[str, tuple[str, Quantity]]:
    """The figures that a search weighs, objectives first.

    Returns:
        Heading and quantity, by the name that the figures of trials have.

    Raises:
        InputError: if an objective or a constraint names no figure.
    """
    limited = (parse_budget(text).quantity.name for text in search.constraints)
    found = [find_quantity(name) for name in dict.fromkeys((*search.objectives, *limited))]
    # If both "lut" and "TARGET.lut" are weighed, the headings tell them apart by target.
    targets = {quantity.target or "" for quantity in found if quantity.figure.per_target}
    return {quantity.name: (heading(quantity, sorted(targets)), quantity) for quantity in found}


def missed(search: Search, trial: SearchTrial) -> list[str]:
    """The constraints that a trial's figures miss; an unknown figure misses none.

    Raises:
        InputError: if a constraint names no figure.
    """
    return [
        text
        for text in search.constraints
        if (value := trial.figures.get((budget := parse_budget(text)).quantity.name)) is not None
        and not budget.allows(value)
    ]


def result(search: Search, trial: SearchTrial) -> str:
    """The result of a trial in a few words.

    Raises:
        InputError: if a constraint names no figure.
    """
    if trial.state == "stopped":
        return f"stopped early: {trial.reason}"
    if trial.state == "failed":
        return "failed"
    if trial.front:
        return "◆ on the front"
    misses = missed(search, trial)
    return f"misses {', '.join(misses)}" if misses else "completed"


def _values(path: str, cells: Iterable[str]) -> Entry:
    """A column of a varied setting; it sorts as numbers if all its cells are numbers."""
    held = tuple(cells)
    values = tuple(_number(cell) if cell else None for cell in held)
    numeric = all(value is not None for value, cell in zip(values, held, strict=True) if cell)
    return Entry(path, held, values if numeric else None)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
