"""The plot of a search's trials as data; `page/chart.js` draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewright.report.search_tables import missed, weighed
from gatewright.report.text_tables import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.report.schema import Search, SearchTrial

GOOD, PLAIN = "#009E73", "#808080"


def trial_plot(search: Search) -> dict[str, Any] | None:
    """A scatter plot of the completed trials by the first two objectives, for `page/chart.js`.

    If less is better for one of the two, it is on the x axis. With exactly two objectives a line
    joins the front; with more the front depends on figures that the plot does not show.

    Returns:
        Axes, groups of points and edges; None for a single objective, or if no completed trial has
        both figures.

    Raises:
        InputError: if an objective or a constraint names no figure.
    """
    if len(search.objectives) < 2:
        return None
    held = weighed(search)
    up, across = search.objectives[:2]
    if (held[up][1].figure.better, held[across][1].figure.better) == ("less", "more"):
        up, across = across, up
    points = [
        (trial, trial.figures[across], trial.figures[up])
        for trial in search.completed
        if {across, up} <= trial.figures.keys()
    ]
    if not points:
        return None
    (title, column), (title_up, _) = held[across], held[up]
    costs = [x for _, x, _ in points]
    wide = min(costs) > 0 and max(costs) > 30 * min(costs)
    edges = [_joined_front(points, column.figure.better)] if len(search.objectives) == 2 else []
    return {
        "across": {"title": title, "log": wide, "zero": True},
        "up": {"title": title_up, "up": True},
        "groups": _trials(search, points),
        "edges": edges,
    }


_Point = tuple["SearchTrial", float, float]
"""A trial with its x and y values."""


def _joined_front(points: Sequence[_Point], better: str) -> dict[str, Any]:
    """A line through the front; `better` says which x is better."""
    edge = sorted((x, y) for trial, x, y in points if trial.front)
    # The line borders the dominated region: right of the front if less is better, else left.
    return {"points": edge, "step": "hv" if better == "less" else "vh"}


def _trials(search: Search, points: Sequence[_Point]) -> list[dict[str, Any]]:
    """A point per trial, with a marker for its result."""
    few = sum(trial.front for trial, *_ in points) <= 12  # more labels would overlap
    kinds = {
        "not on the front": (PLAIN, "circle", 7),
        "misses a constraint": (PLAIN, "x", 7),
        "on the front": (GOOD, "diamond", 10),
    }
    groups: list[dict[str, Any]] = []
    for name, (colour, symbol, size) in kinds.items():
        group = [point for point in points if _trial_kind(search, point[0]) == name]
        marks = [
            {
                "x": x,
                "y": y,
                "label": str(trial.number) if trial.front and few else "",
                "about": _trial_hover(search, trial),
                "symbol": symbol,
                "size": size,
            }
            for trial, x, y in group
        ]
        if marks:
            groups.append({"name": f"{name} ({len(marks):,})", "colour": colour, "points": marks})
    return groups


def _trial_kind(search: Search, trial: SearchTrial) -> str:
    """The legend entry that a completed trial belongs to."""
    if trial.front:
        return "on the front"
    return "misses a constraint" if missed(search, trial) else "not on the front"


def _trial_hover(search: Search, trial: SearchTrial) -> str:
    lines = [trial.config]
    for name, (label, quantity) in weighed(search).items():
        if name in trial.figures:
            lines.append(f"{label}: {quantity.figure.format(trial.figures[name])}")
    lines += [f"misses {text}" for text in missed(search, trial)]
    lines += [f"{path}: {cut(text, 60)}" for path, text in trial.point.items()]
    return "\n".join(" ".join(line.split()) for line in lines)
