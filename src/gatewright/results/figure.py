"""Declarations of figures, beside the fields that hold them.

A field annotated with a `Figure` is a column of tables and CSV, can be limited by a budget, weighed
by a search and compared with an older report. The declaration is all that these need:

    lut: Annotated[Count | None, Figure("LUT", "less")] = None

    @property
    @Figure("FPS", "more", "timing.simulated")
    def fps(self) -> float | None: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Source:
    """Declares the origin of a field that is not a named figure.

    Attributes:
        group: the group of `provenance.groups` that has the origin; "" if other fields declare it.
    """

    group: str


@dataclass(frozen=True)
class PerTarget(Source):
    """Declares a dictionary by target; the group of each entry is `<group>.<target>`."""


@dataclass(frozen=True)
class PerImport(PerTarget):
    """Declares a dictionary by vendor tool and step, which are not targets."""


@dataclass(frozen=True)
class Figure:
    """Declares a named number: as an annotation of a field, or as the decorator of a property.

    Attributes:
        label: its name in tables.
        better: whether less or more is better.
        group: the group of `provenance.groups` that has the origin; "" for a setting, and in parts
            per target, whose dictionary declares the group.
        unit: "" for plain numbers.
        digits: digits after the decimal point in tables.
        significant: digits that count, instead, for figures of any size; 0 for `digits`.
        name: its name in budgets and CSV; "" for the name of the field.
        after: name of the figure that it follows in tables; "" for the order of declaration.
        primary: whether the main table shows it.
        repeats: names of figures; the main table leaves it out if it equals one of them.
        foretold_by: name of a figure that is known earlier and orders configurations in the same
            way, so that a search can stop trials early; "" if there is none.
        least: least acceptable value; reports show a lower one as a failure. None for no limit.
        weighed: whether a Pareto front weighs it if there is no search with objectives.
    """

    label: str
    better: Literal["less", "more"]
    group: str = ""
    _: KW_ONLY
    unit: str = ""
    digits: int = 0
    significant: int = 0
    name: str = ""
    after: str = ""
    primary: bool = True
    repeats: tuple[str, ...] = ()
    foretold_by: str = ""
    least: float | None = None
    weighed: bool = False

    def __call__(self, function: _Function) -> _Function:
        """Declare the figure on the getter of a property."""
        vars(function)["figure"] = self
        return function

    def format(self, value: float | None) -> str:
        """The value with thousands separators and the figure's digits; "" if unknown."""
        if value is None:
            return ""
        if not self.significant:
            return f"{value:,.{self.digits}f}"
        return f"{float(f'{value:.{self.significant}g}'):,.10g}"


def declared(part: type[BaseModel]) -> Iterator[tuple[str, Figure]]:
    """The figures of a class with the names of their attributes: fields, then properties."""
    for name, field in part.model_fields.items():
        yield from ((name, mark) for mark in field.metadata if isinstance(mark, Figure))
    for base in reversed(part.__mro__):
        for name, member in vars(base).items():
            figure = getattr(getattr(member, "fget", None), "figure", None)
            if isinstance(figure, Figure):
                yield name, figure


def marked(part: type[BaseModel], kind: type[Source]) -> list[str]:
    """The fields of a class that are annotated with exactly this kind of mark, in order."""
    return [
        name
        for name, field in part.model_fields.items()
        if any(type(mark) is kind for mark in field.metadata)
    ]


def sources(part: BaseModel) -> Iterator[str]:
    """The groups of origins that a part of a report needs, by its known fields.

    Parts in fields without a mark are searched as well. A group may occur more than once.
    """
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        mark = next((mark for mark in field.metadata if isinstance(mark, Source | Figure)), None)
        if isinstance(mark, PerTarget):
            yield from (f"{mark.group}.{target}" for target in value)
        elif mark is not None:
            if mark.group and value not in (None, ()):
                yield mark.group
        else:
            for inner in value if isinstance(value, tuple) else (value,):
                if isinstance(inner, BaseModel):
                    yield from sources(inner)
