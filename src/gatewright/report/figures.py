"""The named figures of a report, for tables, budgets, searches and comparisons.

They are collected from the declarations in the schema, see `results.figure`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_origin

from gatewright.errors import InputError
from gatewright.report.schema import Report
from gatewright.results.figure import Figure, PerTarget, declared
from gatewright.results.part import Part, refuse_duplicates
from gatewright.system.package_data import DEFAULT_TARGET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gatewright.report.schema import SweepReport


@dataclass(frozen=True, kw_only=True)
class ReportFigure(Figure):
    """A figure and its place in a report.

    Attributes:
        part: the field of the report, for example "timing".
        field: the field or property of that part.
        per_target: whether there is one value per target.
        description: the docstring of the field or property.
    """

    part: str
    field: str
    per_target: bool
    description: str


def gather(report: type[Part]) -> dict[str, ReportFigure]:
    """The figures that the parts of a report class declare, by name, in the order of tables.

    Raises:
        ValueError: if two figures have the same name, or `after` names no figure.
    """
    found = [
        figure
        for name, field in report.model_fields.items()
        for kind in _parts(field.annotation)
        for figure in _of_part(name, field.metadata, kind)
    ]
    names = [figure.name for figure in found]
    refuse_duplicates("figure", names)
    if unknown := {figure.after for figure in found} - {"", *names}:
        raise ValueError(f"no figure '{min(unknown)}', which 'after' names")
    placed = {figure.name: figure for figure in found if not figure.after}
    waiting = [figure for figure in found if figure.after]
    while waiting:
        figure = next(figure for figure in waiting if figure.after in placed)
        waiting.remove(figure)
        at = list(placed).index(figure.after) + 1
        items = list(placed.items())
        placed = dict([*items[:at], (figure.name, figure), *items[at:]])
    return placed


def _parts(annotation: Any) -> Iterator[type[Part]]:
    """The part classes in a field's type: a part, a part or None, or a dictionary of parts."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    elif get_origin(annotation) is not tuple:
        for inner in get_args(annotation):
            yield from _parts(inner)


def _of_part(part: str, marks: list[Any], kind: type[Part]) -> Iterator[ReportFigure]:
    holder = next((mark for mark in marks if isinstance(mark, PerTarget)), None)
    for field, figure in declared(kind):
        fields = vars(figure) | {"name": figure.name or field}
        if holder is not None:
            fields["group"] = holder.group
        yield ReportFigure(
            **fields,
            part=part,
            field=field,
            per_target=holder is not None,
            description=_description(kind, field),
        )


def _description(kind: type[Part], field: str) -> str:
    """The docstring of a field or property, on one line."""
    known = kind.model_fields.get(field)
    text = known.description if known is not None else getattr(kind, field).__doc__
    return " ".join((text or "").split())


FIGURES = gather(Report)
"""Every figure by name, in the order of tables."""


@dataclass(frozen=True)
class Quantity:
    """A figure on one target. A figure per target without a target means it on every target."""

    figure: ReportFigure
    target: str | None = None

    @property
    def name(self) -> str:
        """Its name in columns and budgets, for example "ii" or "TARGET.lut"."""
        return f"{self.target}.{self.figure.name}" if self.target else self.figure.name

    @property
    def group(self) -> str:
        """The group of `Report.groups` that it belongs to."""
        return f"{self.figure.group}.{self.target}" if self.target else self.figure.group

    @property
    def anywhere(self) -> bool:
        """Whether it means a figure on every target."""
        return self.figure.per_target and self.target is None

    @property
    def heading(self) -> str:
        """Label and unit, for example "latency (cycles)"."""
        figure = self.figure
        return f"{figure.label} ({figure.unit})" if figure.unit else figure.label

    def of(self, report: Report) -> float | None:
        """The value in a report, in the figure's unit; None if it is unknown."""
        part = getattr(report, self.figure.part)
        if self.figure.per_target:
            part = part.get(self.target)
        value: float | None = getattr(part, self.figure.field, None)
        return value


@dataclass(frozen=True)
class Column(Quantity):
    """A quantity with its value in every report of a sweep."""

    values: tuple[float | None, ...] = ()

    @property
    def known(self) -> bool:
        """Whether any report has a value of it."""
        return any(value is not None for value in self.values)

    @property
    def constant(self) -> bool:
        """Whether there are several reports and all have the same known value."""
        return len(self.values) > 1 and self.known and len(set(self.values)) == 1


def find_quantity(name: str) -> Quantity:
    """The quantity with a name as budgets use it, for example "ii", "lut" or "TARGET.lut".

    Raises:
        InputError: if there is no such figure, or a target is given that it does not depend on.
    """
    target, point, short = name.rpartition(".")
    figure = FIGURES.get(short)
    if figure is None:
        raise InputError(f"no figure '{short}'; choose from {', '.join(FIGURES)}")
    if point and not figure.per_target:
        raise InputError(f"{short} does not depend on a target; write {short}")
    if point and not target:
        raise InputError(f"no target before the point; for example {DEFAULT_TARGET}.{short}")
    return Quantity(figure, target or None)


def quantities(targets: Mapping[str, Iterable[str]]) -> list[Quantity]:
    """Every quantity with these targets, in the order of tables.

    Args:
        targets: names of targets by part of a report, for parts with figures per target.
    """
    parts = list(dict.fromkeys(figure.part for figure in FIGURES.values()))
    table = [
        Quantity(figure, target)
        for figure in FIGURES.values()
        for target in (targets.get(figure.part, ()) if figure.per_target else [None])
    ]
    return sorted(table, key=lambda q: (parts.index(q.figure.part), q.target or ""))


def columns(sweep: SweepReport) -> list[Column]:
    """Every quantity of a sweep, including those that are unknown in all reports."""
    return [column(sweep, quantity) for quantity in quantities(sweep.per_target)]


def column(sweep: SweepReport, quantity: Quantity) -> Column:
    """A quantity with its value in every report of a sweep."""
    values = tuple(quantity.of(report) for report in sweep.reports)
    return Column(quantity.figure, quantity.target, values)
