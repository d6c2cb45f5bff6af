"""Declarations of figures, beside the fields that hold them.

A field with a `Figure` among its annotations is a column of tables and of CSV, may be limited by a
budget, weighed by a search and compared with an older report. All that these need to know of it is
in the declaration:

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
    """Declares how a field that is no named figure comes about.

    Attributes:
        group: the group of `provenance.groups` that holds the origin; "" if that of others holds.
    """

    group: str


@dataclass(frozen=True)
class PerTarget(Source):
    """Declares a dictionary by target; the group of each is `<group>.<target>`."""


@dataclass(frozen=True)
class PerImport(PerTarget):
    """Declares a dictionary by tool and step of a vendor, which are no targets of Gatewright's."""


@dataclass(frozen=True)
class Figure:
    """Declares a number that has a name: as an annotation of a field, or above a property.

    Attributes:
        label: what tables call it.
        better: which is better, less or more.
        group: the group of `provenance.groups` that holds the origin; "" for what was chosen, and
            in parts that are one per target, whose dictionary declares it.
        unit: "" for plain numbers.
        digits: after the point, where people read it.
        name: what budgets and CSV columns call it; "" for the name of the field.
        after: name of the figure that it follows in tables; "" for the one declared before it.
        primary: whether the main table for people shows it.
        repeats: names of figures; the main table leaves it out where it equals one of them.
        foretold_by: name of a figure that is known earlier and says which of two configurations has
            more of this one, so that a search can stop trials early; "" if there is none.
        least: below this a design is not what was asked for, and reports say so first; None where
            there is no such limit.
        weighed: whether a Pareto front weighs it where no search says what counts.
    """

    label: str
    better: Literal["less", "more"]
    group: str = ""
    _: KW_ONLY
    unit: str = ""
    digits: int = 0
    name: str = ""
    after: str = ""
    primary: bool = True
    repeats: tuple[str, ...] = ()
    foretold_by: str = ""
    least: float | None = None
    weighed: bool = False

    def __call__(self, function: _Function) -> _Function:
        """Declare the property of a function."""
        vars(function)["figure"] = self
        return function

    def format(self, value: float | None) -> str:
        """The value for people, with thousands separated; "" where it is not known."""
        return "" if value is None else f"{value:,.{self.digits}f}"


def declared(part: type[BaseModel]) -> Iterator[tuple[str, Figure]]:
    """The figures of a class: fields in their order, then properties, each with its attribute."""
    for name, field in part.model_fields.items():
        yield from ((name, mark) for mark in field.metadata if isinstance(mark, Figure))
    for base in reversed(part.__mro__):
        for name, member in vars(base).items():
            figure = getattr(getattr(member, "fget", None), "figure", None)
            if isinstance(figure, Figure):
                yield name, figure


def marked(part: type[BaseModel], kind: type[Source]) -> list[str]:
    """The fields of a class that are declared by a mark of exactly this kind, in their order."""
    return [
        name
        for name, field in part.model_fields.items()
        if any(type(mark) is kind for mark in field.metadata)
    ]


def sources(part: BaseModel) -> Iterator[str]:
    """The groups of origins that a part of a report needs: those of its fields that are known.

    A field whose source is declared is not looked into; other parts within it are. A group may come
    more than once.
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
