"""The data of the HTML page, as plain values for its script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewright.report.attention import remarks
from gatewright.report.cost_tables import METHOD as COST_METHOD
from gatewright.report.cost_tables import cost_methods, cost_table, tells_cost
from gatewright.report.figures import Quantity, quantities
from gatewright.report.pareto import eligible, tradeoffs
from gatewright.report.recipe_tables import step_table
from gatewright.report.sentences import fidelity_text, origin_text, verdict
from gatewright.report.view import (
    change_table,
    choices,
    facts,
    fifo_table,
    heading,
    layer_table,
    limits,
    main_columns,
    notes,
    range_table,
    vendor_table,
)
from gatewright.system.console import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.report.budget import Verdict
    from gatewright.report.diff import Changes
    from gatewright.report.prices import Prices
    from gatewright.report.schema import Origin, Report, SweepReport, TypeRange
    from gatewright.report.text_tables import Entry


@dataclass(frozen=True)
class Judged:
    """The reports of one model, with its budgets and the comparison with older reports.

    Attributes:
        sweep: the reports.
        verdicts: results of checking budgets.
        difference: the comparison with older reports, if any.
        prices: prices by which costs are computed, if any.
    """

    sweep: SweepReport
    verdicts: Sequence[Verdict] = ()
    difference: Changes | None = None
    prices: Prices | None = None


class _Origins:
    """The distinct origins of figures, each with an index."""

    def __init__(self) -> None:
        self.known: dict[Origin, int] = {}

    def of(self, report: Report, group: str) -> int | None:
        """Index of the origin of a group of a report's figures; None for a setting."""
        origin = report.provenance.groups.get(group)
        return None if origin is None else self.known.setdefault(origin, len(self.known))

    def data(self) -> list[dict[str, str]]:
        return [{"method": one.method, "text": origin_text(one)} for one in self.known]


def page_data(models: Sequence[Judged]) -> dict[str, Any]:
    """The data that the page's script shows, as JSON values; texts are printable, not markup.

    A row is a configuration of a model, a column a figure that at least one of them has. The
    origin of a figure is an index into `origins`, one per row. A newly declared figure appears
    without a change here.
    """
    origins = _Origins()
    reports = [report for model in models for report in model.sweep.reports]
    found = {
        "models": [_model(model) for model in models],
        "columns": _columns(models, reports, origins),
        "choices": _choices(models),
        "rows": [row for index, model in enumerate(models) for row in _rows(model.sweep, index)],
        "details": [
            _details(report, model, origins) for model in models for report in model.sweep.reports
        ],
        "remarks": _remarks(models),
        "changes": [change for model in models for change in _changes(model)],
    }
    found["origins"] = origins.data()
    cleaned: dict[str, Any] = _printable(found)
    return cleaned


def _printable(value: Any) -> Any:
    """The same values, with control characters removed from all texts."""
    if isinstance(value, str):
        return "\n".join(plain(line) for line in value.split("\n"))
    if isinstance(value, dict):
        return {plain(key): _printable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(each) for each in value]
    return value


def _model(model: Judged) -> dict[str, Any]:
    """A model, with the axes and the weighed figures of each target's front.

    The first target is the one that most configurations are known on: the page starts with it.
    """
    sweep = model.sweep
    floats = {report.score and report.score.float_model for report in sweep.reports}
    return {
        "name": sweep.model,
        "task": sweep.reports[0].model.task,
        "float": floats.pop() if len(floats) == 1 else None,
        "fronts": [
            {
                "across": trade.area.name,
                "up": trade.score.name,
                "weighed": [column.name for column in trade.weighed],
                "said": trade.explain(sweep.search),
            }
            for trade in sorted(tradeoffs(sweep), key=lambda one: one.area.values.count(None))
        ],
    }


def _columns(
    models: Sequence[Judged], reports: Sequence[Report], origins: _Origins
) -> list[dict[str, Any]]:
    """The figures that at least one report has, in the order of tables."""
    targets = sorted({target for model in models for target in model.sweep.targets})
    parts = [model.sweep.per_target for model in models]
    held = {part: sorted({name for one in parts for name in one[part]}) for part in parts[0]}
    main = {column.name for model in models for column in main_columns(model.sweep)}
    found = []
    for quantity in quantities(held):
        values = [quantity.of(report) for report in reports]
        if all(value is None for value in values):
            continue
        sources = [
            None if value is None else origins.of(report, quantity.group)
            for report, value in zip(reports, values, strict=True)
        ]
        found.append(
            _column(quantity, targets)
            | {
                "main": quantity.name in main,
                "values": values,
                "origins": sources[0] if len(set(sources)) == 1 else sources,
            }
        )
    return found


def _column(quantity: Quantity, targets: Sequence[str]) -> dict[str, Any]:
    figure = quantity.figure
    return {
        "name": quantity.name,
        "heading": heading(quantity, targets),
        "digits": figure.digits,
        "significant": figure.significant,
        "better": figure.better,
        "chosen": not quantity.group,
        "description": figure.description,
    }


def _choices(models: Sequence[Judged]) -> list[dict[str, Any]]:
    """The settings of each row, by heading; "" if a model does not have the setting."""
    tables = [(len(m.sweep.reports), {e.heading: e for e in choices(m.sweep)}) for m in models]
    headings = dict.fromkeys(name for _, table in tables for name in table)
    found = []
    for name in headings:
        cells = [
            cell
            for count, table in tables
            for cell in (table[name].cells if name in table else ("",) * count)
        ]
        if any(cells) and name != "config":
            found.append({"heading": name, "cells": cells})
    return found


def _rows(sweep: SweepReport, model: int) -> list[dict[str, Any]]:
    """The name and verification of each configuration, and whether it may be on a front."""
    free = set(eligible(sweep))
    return [
        {
            "model": model,
            "config": report.config.name,
            "about": report.config.description,
            "state": {True: "good", False: "bad", None: "open"}[report.passed],
            "verdict": verdict(report),
            "eligible": row in free,
        }
        for row, report in enumerate(sweep.reports)
    ]


def _details(report: Report, model: Judged, origins: _Origins) -> dict[str, Any]:
    """The details of one configuration."""
    said = limits(report)
    if report.fidelity is not None:
        said.append(fidelity_text(report.fidelity))
    tables = (
        ("Layers", layer_table(report)),
        ("Steps of the recipe", step_table([report])),
        ("FIFOs", fifo_table(report)),
        ("Reports of vendor tools", vendor_table([report])),
    )
    return {
        "said": [*said, *notes(report)],
        "tables": [
            {"title": title, "columns": [_entry(entry, report, origins) for entry in entries]}
            for title, entries in tables
            if entries and entries[0].cells
        ],
        "cost": _cost(report, model),
        "ranges": _ranges(report),
        "facts": facts(report),
    }


def _cost(report: Report, model: Judged) -> dict[str, Any] | None:
    """The table of costs, and how its figures were obtained; None where nobody asked for it."""
    if not tells_cost([report], model.prices):
        return None
    held = [report], model.sweep.baselines, model.prices
    return {
        "columns": [_plain_entry(entry) for entry in cost_table(*held)],
        "said": [f"{name}: {text}" for name, text in cost_methods(*held)] + [COST_METHOD],
    }


def _plain_entry(entry: Entry) -> dict[str, Any]:
    """A column of a table whose origins are told elsewhere."""
    values = {} if entry.values is None else {"values": entry.values}
    return {"heading": entry.heading, "cells": entry.cells} | values


def _bits(found: TypeRange) -> dict[str, Any]:
    """The width of a type, its integer bits, and how many bits no value uses."""
    return {
        "width": found.fixed.width,
        "integer": found.fixed.integer,
        "high": found.unused_high,
        "low": found.unused_low,
        "saturates": found.saturates,
    }


def _ranges(report: Report) -> dict[str, Any] | None:
    """The table of ranges, and the bits of the type of each row."""
    table = range_table(report)
    if report.ranges is None or not table:
        return None
    return {
        "columns": [_plain_entry(entry) for entry in table],
        "bits": [_bits(each) for each in (*report.ranges.activations, *report.ranges.weights)],
    }


def _entry(entry: Entry, report: Report, origins: _Origins) -> dict[str, Any]:
    found: dict[str, Any] = {"heading": entry.heading, "cells": entry.cells}
    if entry.values is not None:
        found["values"] = entry.values
    if entry.group and (index := origins.of(report, entry.group)) is not None:
        found["origin"] = index
    if entry.group.startswith("layers.") or entry.group == "compute":
        found["adds"] = True  # the sum over the layers is the figure of the design
    return found


def _remarks(models: Sequence[Judged]) -> list[dict[str, Any]]:
    """The remarks on all models, the most severe first, each with the rows that it applies to."""
    found = []
    start = 0
    for model in models:
        names = [report.config.name for report in model.sweep.reports]
        for remark in remarks(model.sweep, model.verdicts, model.difference):
            rows = [start + names.index(name) for name in remark.configs if name in names]
            told = "" if rows or len(models) == 1 else f"{model.sweep.model}: "
            found.append({"level": remark.level, "text": told + remark.text, "rows": rows})
        start += len(names)
    order = ["failure", "warning", "note"]
    return sorted(found, key=lambda remark: order.index(remark["level"]))


def _changes(model: Judged) -> list[dict[str, Any]]:
    """The tables of changes since older reports."""
    if model.difference is None:
        return []
    table = change_table(model.difference) if model.difference.changes else []
    return [
        {
            "model": model.sweep.model,
            "columns": [_plain_entry(entry) for entry in table],
            "said": model.difference.remarks(),
        }
    ]
