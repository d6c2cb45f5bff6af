"""The plot of a search's trials as Plotly's JSON; the page adds colours of text and grid."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from gatewright.report.search_tables import missed, weighed
from gatewright.report.text_tables import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.report.schema import Search, SearchTrial

GOOD, PLAIN = "#009E73", "#808080"


def trial_plot(search: Search) -> dict[str, Any] | None:
    """A scatter plot of the completed trials by the first two objectives, as Plotly's JSON.

    If less is better for one of the two, it is on the x axis. With exactly two objectives a line
    joins the front; with more the front depends on figures that the plot does not show.

    Returns:
        Data and layout; None for a single objective, or if no completed trial has both figures.

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
    traces = _trials(search, points)
    if len(search.objectives) == 2:
        traces.insert(0, _joined_front(points, held[across][1].figure.better))
    ticks = ".3f" if held[up][1].figure.digits >= 3 else ","
    titles = _escape(held[across][0]), _escape(held[up][0])
    layout = _layout(*titles, [x for _, x, _ in points], ticks)
    return {"data": traces, "layout": layout}


_Point = tuple["SearchTrial", float, float]
"""A trial with its x and y values."""


def _joined_front(points: Sequence[_Point], better: str) -> dict[str, Any]:
    """A line through the front; `better` says which x is better."""
    edge = sorted((x, y) for trial, x, y in points if trial.front)
    # The line borders the dominated region: right of the front if less is better, else left.
    shape = "hv" if better == "less" else "vh"
    return {
        "type": "scatter",
        "x": [x for x, _ in edge],
        "y": [y for _, y in edge],
        "mode": "lines",
        "line": {"shape": shape, "width": 1.5, "dash": "dot", "color": GOOD},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _trials(search: Search, points: Sequence[_Point]) -> list[dict[str, Any]]:
    """A point per trial, with a marker for its result."""
    few = sum(trial.front for trial, *_ in points) <= 12  # more labels would overlap
    kinds = {
        "not on the front": (PLAIN, "circle", 7),
        "misses a constraint": (PLAIN, "x-thin-open", 7),
        "on the front": (GOOD, "diamond", 10),
    }
    traces: list[dict[str, Any]] = []
    for name, (colour, symbol, size) in kinds.items():
        line = {"width": 1, "color": colour}
        group = [point for point in points if _trial_kind(search, point[0]) == name]
        if group:
            trace = {
                "type": "scatter",
                "x": [x for _, x, _ in group],
                "y": [y for *_, y in group],
                "text": [str(trial.number) if trial.front and few else "" for trial, *_ in group],
                "hovertext": [_trial_hover(search, trial) for trial, *_ in group],
                "hovertemplate": "%{hovertext}<extra></extra>",
                "mode": "markers+text",
                "textposition": "top left",
                "marker": {"color": colour, "symbol": symbol, "size": size, "line": line},
                "name": f"{name} ({len(group):,})",
                "cliponaxis": False,
            }
            traces.append(trace)
    return traces


def _layout(across: str, up: str, costs: Sequence[float], ticks: str) -> dict[str, Any]:
    """Titles and axes; `across` and `up` are the titles of x and y, `costs` the values of x."""
    wide = min(costs) > 0 and max(costs) > 30 * min(costs)
    return {
        "height": 420,
        "margin": {"l": 70, "r": 30, "t": 20, "b": 60},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {
            "title": {"text": across},
            "type": "log" if wide else "linear",
            "rangemode": "tozero",
        },
        "yaxis": {"title": {"text": up}, "tickformat": ticks},
    }


def _trial_kind(search: Search, trial: SearchTrial) -> str:
    """The legend entry that a completed trial belongs to."""
    if trial.front:
        return "on the front"
    return "misses a constraint" if missed(search, trial) else "not on the front"


def _trial_hover(search: Search, trial: SearchTrial) -> str:
    lines = [f"<b>{_escape(trial.config)}</b>"]
    for name, (label, quantity) in weighed(search).items():
        if name in trial.figures:
            lines.append(f"{_escape(label)}: {quantity.figure.format(trial.figures[name])}")
    lines += [f"misses {_escape(text)}" for text in missed(search, trial)]
    lines += [f"{_escape(path)}: {_escape(cut(text, 60))}" for path, text in trial.point.items()]
    return "<br>".join(lines)


def _escape(text: str) -> str:
    """Text escaped for Plotly, which reads tags and entities as markup."""
    return html.escape(text, quote=False)
