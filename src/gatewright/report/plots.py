"""The plots of the HTML page, as Plotly figures without colours of their own for text and grid."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from gatewright.report.figures import FIGURES, Quantity, ReportFigure
from gatewright.report.search_tables import missed, weighed
from gatewright.report.sentences import verdict
from gatewright.report.text_tables import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly import graph_objects as go

    from gatewright.report.pareto import Tradeoff
    from gatewright.report.schema import Report, Search, SearchTrial, SweepReport

# Okabe and Ito's palette: told apart with every kind of colour vision, on light and dark ground.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#B79F00", "#808080")
GOOD, BAD, PLAIN = "#009E73", "#D55E00", "#808080"


def tradeoff_plot(sweep: SweepReport, tradeoff: Tradeoff) -> dict[str, Any]:
    """Accuracy against area on one target, the Pareto front marked, as Plotly's JSON.

    A line joins the configurations that are best if accuracy and area are all that is weighed.
    """
    from plotly import graph_objects as go

    figure = go.Figure()
    accuracy, area = tradeoff.accuracy, tradeoff.area
    known = [
        (row, cost, merit)
        for row, (cost, merit) in enumerate(zip(area.values, accuracy.values, strict=True))
        if cost is not None and merit is not None
    ]
    edge = sorted((cost, merit) for row, cost, merit in known if row in tradeoff.edge)
    figure.add_scatter(
        x=[cost for cost, _ in edge],
        y=[merit for _, merit in edge],
        mode="lines",
        line={"shape": "hv", "width": 1.5, "dash": "dot", "color": GOOD},
        name=f"best accuracy for its {area.figure.label}",
        hoverinfo="skip",
    )
    crowded = len(known) > 12  # labels would hide one another: those at the line are left
    kinds: dict[tuple[str, str, str], list[tuple[int, float, float]]] = {}
    for point in known:
        kinds.setdefault(_kind(sweep, tradeoff, point[0]), []).append(point)
    for (name, colour, symbol), points in kinds.items():
        figure.add_scatter(
            x=[cost for _, cost, _ in points],
            y=[merit for _, _, merit in points],
            text=[
                ""
                if crowded and row not in tradeoff.edge
                else _escape(sweep.reports[row].config.name)
                for row, _, _ in points
            ],
            hovertext=[_hover(sweep, row, tradeoff) for row, _, _ in points],
            hovertemplate="%{hovertext}<extra></extra>",
            mode="markers+text",
            # Above and left of the line there are no other points, below and right there are.
            textposition=[
                "top left" if row in tradeoff.edge else "bottom right" for row, _, _ in points
            ],
            marker={"color": colour, "symbol": symbol, "size": 10},
            name=name,
            cliponaxis=False,
        )
    floats = {r.accuracy.float_model for r in sweep.reports if r.accuracy} - {None}
    if len(floats) == 1:
        figure.add_hline(
            y=floats.pop(),
            line={"width": 1, "dash": "dash", "color": PLAIN},
            annotation={"text": "float model", "x": 0, "xanchor": "left", "yanchor": "bottom"},
        )
    across = f"{area.heading} on {_escape(tradeoff.target)}"
    _lay_out(figure, across, f"{accuracy.heading} accuracy", [cost for _, cost, _ in known])
    return _plain(figure)


def trial_plot(search: Search) -> dict[str, Any] | None:
    """The completed trials by the first two objectives, the front marked, as Plotly's JSON.

    Across goes what costs, if one of the two does. With two objectives a line joins the front; with
    more it would be one of other figures, too. None with one objective, and where no trial
    completed with both figures known.

    Raises:
        InputError: if an objective or a constraint names no figure.
    """
    from plotly import graph_objects as go

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
    figure = go.Figure()
    if len(search.objectives) == 2:
        _join_front(figure, points, held[across][1].figure.better)
    _add_trials(figure, search, points)
    ticks = ".3f" if held[up][1].figure.digits >= 3 else ","
    titles = _escape(held[across][0]), _escape(held[up][0])
    _lay_out(figure, *titles, [x for _, x, _ in points], ticks)
    return _plain(figure)


_Point = tuple["SearchTrial", float, float]
"""A trial, where it stands across and where upwards."""


def _join_front(figure: go.Figure, points: Sequence[_Point], better: str) -> None:
    """Draw a line through the front; `better` says which is better across."""
    edge = sorted((x, y) for trial, x, y in points if trial.front)
    figure.add_scatter(
        x=[x for x, _ in edge],
        y=[y for _, y in edge],
        mode="lines",
        # Round what the front betters: to its right where less is better across, else below.
        line={
            "shape": "hv" if better == "less" else "vh",
            "width": 1.5,
            "dash": "dot",
            "color": GOOD,
        },
        hoverinfo="skip",
        showlegend=False,
    )


def _add_trials(figure: go.Figure, search: Search, points: Sequence[_Point]) -> None:
    """Draw a point per trial, marked by what came of it."""
    few = sum(trial.front for trial, *_ in points) <= 12  # labels would hide one another
    kinds = {
        "not on the front": (PLAIN, "circle", 7),
        "misses a constraint": (PLAIN, "x-thin-open", 7),
        "on the front": (GOOD, "diamond", 10),
    }
    for name, (colour, symbol, size) in kinds.items():
        line = {"width": 1, "color": colour}
        group = [point for point in points if _trial_kind(search, point[0]) == name]
        if group:
            figure.add_scatter(
                x=[x for _, x, _ in group],
                y=[y for *_, y in group],
                text=[str(trial.number) if trial.front and few else "" for trial, *_ in group],
                hovertext=[_trial_hover(search, trial) for trial, *_ in group],
                hovertemplate="%{hovertext}<extra></extra>",
                mode="markers+text",
                textposition="top left",
                marker={"color": colour, "symbol": symbol, "size": size, "line": line},
                name=f"{name} ({len(group):,})",
                cliponaxis=False,
            )


def layer_plots(sweep: SweepReport, target: str) -> list[dict[str, Any]]:
    """Stacked bars of LUT, FF, DSP and BRAM per layer, one bar per configuration, as Plotly's JSON.

    A resource that no layer uses, or that is not known per layer, has no plot. A mark on each bar
    shows the figure of the whole design, which may differ from the sum over the layers.
    """
    plots = (_layer_plot(sweep, target, FIGURES[name]) for name in ("lut", "ff", "dsp", "bram"))
    return [plot for plot in plots if plot is not None]


def layer_colours(sweep: SweepReport, target: str) -> dict[str, str]:
    """The colour of each layer that has resources on a target, in the order of the network."""
    names = dict.fromkeys(
        layer.name
        for report in sweep.reports
        for layer in report.layers
        if target in layer.resources
    )
    return {name: _colour(i) for i, name in enumerate(names)}


def interval_plot(report: Report) -> dict[str, Any] | None:
    """Bars per layer: how much of the network's initiation interval it works, as Plotly's JSON.

    None where that is not known, and where all layers take a tensor every cycle.
    """
    from plotly import graph_objects as go

    whole = report.timing and report.timing.ii_predicted
    layers = [layer for layer in report.layers if layer.interval is not None]
    if not whole or whole == 1 or not layers:
        return None
    rows = list(range(len(layers)))
    busy = [min(layer.interval or 0, whole) for layer in layers]
    shares = [report.utilization(layer) or 0.0 for layer in layers]
    figure = go.Figure()
    figure.add_bar(
        x=[whole for _ in rows],
        y=rows,
        orientation="h",
        marker={"color": PLAIN, "opacity": 0.15},
        name="idle",
        hoverinfo="skip",
    )
    figure.add_bar(
        x=busy,
        y=rows,
        orientation="h",
        marker={"color": [BAD if cycles == max(busy) else PALETTE[0] for cycles in busy]},
        name="busy",
        text=[f"{share:.0%}" for share in shares],
        textposition="auto",
        textangle=0,
        insidetextfont={"color": "#fff"},
        customdata=[_escape(layer.name) for layer in layers],
        hovertemplate=f"%{{customdata}}: busy %{{x:,}} of {whole:,} cycles<extra></extra>",
    )
    figure.update_layout(
        template="none",
        barmode="overlay",
        height=110 + 26 * len(rows),
        margin={"l": 20, "r": 20, "t": 40, "b": 40},
        showlegend=False,
        title={
            "text": f"{_escape(report.config.name)}: a tensor per {whole:,} cycles",
            "x": 0,
            "xref": "paper",
            "font": {"size": 14},
        },
        xaxis={"range": [0, whole], "zeroline": False, "tickformat": ","},
        yaxis={
            "tickvals": rows,
            "ticktext": [_escape(layer.name) for layer in layers],
            "autorange": "reversed",
            "automargin": True,
            "zeroline": False,
            "showgrid": False,
        },
    )
    return _plain(figure)


def _colour(index: int) -> str:
    """The palette, then its colours lighter, then darker; from then on they come again."""
    cycle, place = divmod(index, len(PALETTE))
    ground, share = ((0, 0.0), (255, 0.5), (0, 0.4))[cycle % 3]
    channels = bytes.fromhex(PALETTE[place].removeprefix("#"))
    return "#" + bytes(round(c + share * (ground - c)) for c in channels).hex()


def _layer_plot(sweep: SweepReport, target: str, resource: ReportFigure) -> dict[str, Any] | None:
    from plotly import graph_objects as go

    figure = go.Figure()
    used = False
    rows = list(range(len(sweep.reports)))
    for layer, colour in layer_colours(sweep, target).items():
        held = [
            next((part.resources.get(target) for part in r.layers if part.name == layer), None)
            for r in sweep.reports
        ]
        values = [getattr(resources, resource.field, None) for resources in held]
        used = used or any(values)
        figure.add_bar(
            x=values,
            y=rows,
            orientation="h",
            marker={"color": colour},
            name=_escape(layer),
            hovertemplate=f"{_literal(layer)}: %{{x:,}} {resource.label}<extra></extra>",
        )
    totals = [Quantity(resource, target).of(report) for report in sweep.reports]
    figure.add_scatter(
        x=totals,
        y=rows,
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 18, "line": {"width": 2}},
        name="whole design",
        meta="ink",  # the page paints it in the colour of its text
        hovertemplate=f"whole design: %{{x:,}} {resource.label}<extra></extra>",
    )
    figure.update_layout(
        template="none",
        barmode="stack",
        height=110 + 30 * len(rows),
        margin={"l": 20, "r": 20, "t": 40, "b": 40},
        showlegend=False,
        title={"text": resource.label, "x": 0, "xref": "paper", "font": {"size": 14}},
        xaxis={"rangemode": "tozero", "zeroline": False},
        yaxis={
            "tickvals": rows,
            "ticktext": [_escape(report.config.name) for report in sweep.reports],
            "autorange": "reversed",
            "automargin": True,
            "zeroline": False,
            "showgrid": False,
        },
    )
    return _plain(figure) if used else None


def _lay_out(figure: Any, across: str, up: str, costs: Sequence[float], ticks: str = ".3f") -> None:
    """Titles and axes of a plot of one figure, up, against what it costs, across."""
    wide = min(costs) > 0 and max(costs) > 30 * min(costs)
    figure.update_layout(
        template="none",
        height=420,
        margin={"l": 70, "r": 30, "t": 20, "b": 60},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={
            "title": {"text": across},
            "type": "log" if wide else "linear",
            "rangemode": "tozero",
            "zeroline": False,
        },
        yaxis={"title": {"text": up}, "tickformat": ticks, "zeroline": False},
    )


def _trial_kind(search: Search, trial: SearchTrial) -> str:
    """The group of points that a completed trial belongs to."""
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


def _kind(sweep: SweepReport, tradeoff: Tradeoff, row: int) -> tuple[str, str, str]:
    """Name, colour and symbol of the group of points that a configuration belongs to."""
    if row in tradeoff.front:
        return "on the front", GOOD, "diamond"
    if sweep.reports[row].passed is False:
        return "verification failed", BAD, "x"
    return "not on the front", PLAIN, "circle"


def _hover(sweep: SweepReport, row: int, tradeoff: Tradeoff) -> str:
    report = sweep.reports[row]
    lines = [f"<b>{_escape(report.config.name)}</b>"]
    for name in ("accuracy", "latency", "ii"):
        quantity = Quantity(FIGURES[name])
        if (value := quantity.of(report)) is not None:
            lines.append(f"{quantity.heading}: {quantity.figure.format(value)}")
    for name in ("lut", "ff", "dsp", "bram", "area"):
        quantity = Quantity(FIGURES[name], tradeoff.target)
        if (value := quantity.of(report)) is not None:
            lines.append(f"{quantity.heading}: {quantity.figure.format(value)}")
    return "<br>".join([*lines, _escape(verdict(report))])


def _escape(text: str) -> str:
    """Text as it is, where Plotly would take tags and entities for markup."""
    return html.escape(text, quote=False)


def _literal(text: str) -> str:
    """Text inside a hover template, where %{ would start a variable."""
    return _escape(text).replace("%", "&#37;")


def _plain(figure: Any) -> dict[str, Any]:
    data: dict[str, Any] = figure.to_plotly_json()
    return data
