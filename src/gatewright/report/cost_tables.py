"""Deployments as tables, with the method of each figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewright.report.deployments import FIGURES, INFERENCES, Deployment, Told, deployments
from gatewright.report.text_tables import Entry, filled, significant, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gatewright.report.prices import Prices
    from gatewright.report.schema import Baseline, Report

METHOD = (
    "Devices at full rate, without the transfer of data. Each number is followed by how it was "
    "obtained; unknown figures are left out."
)
"""How the figures of `cost_table` were obtained."""


def tells_cost(reports: Iterable[Report], prices: Prices | None) -> bool:
    """Whether to show costs: software was measured for them, or prices were given."""
    return prices is not None or any(report.software is not None for report in reports)


def cost_table(
    reports: Sequence[Report], baselines: Sequence[Baseline] = (), prices: Prices | None = None
) -> list[Entry]:
    """A row per configuration and device; empty if no device is known.

    Args:
        reports: configurations of one model.
        baselines: baselines of that model.
        prices: prices for the costs, if any.
    """
    rows = _rows(reports, baselines, prices)
    if not rows:
        return []
    several = len(reports) > 1
    entries = [
        texts("device", [_name(row) for _, row in rows]),
        texts("config", [report.config.name if several else "" for report, _ in rows]),
        *(_column(name, [row for _, row in rows]) for name in FIGURES),
        texts("currency", [row.currency for _, row in rows]),
    ]
    return filled(entries)


def cost_methods(
    reports: Sequence[Report], baselines: Sequence[Baseline] = (), prices: Prices | None = None
) -> list[tuple[str, str]]:
    """Pairs of name and text: each device, and how its figures were obtained."""
    rows = _rows(reports, baselines, prices)
    lines = {(_name(row), row.device): None for _, row in rows if row.device != row.name}
    for _, row in rows:
        told: dict[str, list[str]] = {}
        for name, heading in FIGURES.items():
            figure: Told | None = getattr(row, name)
            if figure is not None:
                words = f"{figure.method} · {figure.details}"
                told.setdefault(words, []).append(heading.partition(" (")[0])
        for words, names in told.items():
            lines[f"{', '.join(names)} ({_name(row)})", words] = None
    return list(lines)


def cost_rows(
    reports: Sequence[Report], baselines: Sequence[Baseline] = (), prices: Prices | None = None
) -> list[dict[str, Any]]:
    """The rows as plain data for scripts, each figure with its method; unknown ones are absent."""
    found = []
    for report, row in _rows(reports, baselines, prices):
        figures = {name: getattr(row, name) for name in FIGURES}
        known = {
            name: {"value": told.value, "method": told.method, "details": told.details}
            for name, told in figures.items()
            if told is not None
        }
        about: dict[str, Any] = {"model": report.model.name, "config": report.config.name}
        about |= {"kind": row.kind, "key": row.key, "device": row.device}
        money = {"currency": row.currency, "inferences": INFERENCES} if row.cost else {}
        found.append(about | known | money)
    return found


def unused_prices(reports: Sequence[Report], prices: Prices) -> list[str]:
    """Names of devices with a price but without a throughput in the reports."""
    rows = _rows(reports, (), prices)
    used = {row.key for _, row in rows if row.cost is not None}
    return [name for name in prices.devices if name not in used]


def _rows(
    reports: Sequence[Report], baselines: Sequence[Baseline], prices: Prices | None
) -> list[tuple[Report, Deployment]]:
    """Rows of each report; those of the common baselines are in the first report."""
    return [
        (report, row)
        for index, report in enumerate(reports)
        for row in deployments(report, () if index else baselines, prices)
    ]


def _name(row: Deployment) -> str:
    return f"{row.kind} {row.name}"


def _column(name: str, rows: Sequence[Deployment]) -> Entry:
    held: list[Told | None] = [getattr(row, name) for row in rows]
    numbers = significant(FIGURES[name], [None if told is None else told.value for told in held])
    cells = tuple(
        f"{cell} {told.method}" if told is not None else ""
        for cell, told in zip(numbers.cells, held, strict=True)
    )
    return Entry(numbers.heading, cells, numbers.values)
