"""The base class of results: immutable, with strictly typed fields and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable


class Part(BaseModel):
    """A group of fields of a result. An unknown figure is None, never zero."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )


def refuse_duplicates(what: str, names: Iterable[str]) -> None:
    """Check that all names are different.

    Args:
        what: the kind of thing they name, for the message.
        names: the names.

    Raises:
        ValueError: if a name occurs twice.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} '{name}' occurs twice")
        seen.add(name)


def refuse_excess(weights: int | None, nonzero: int | None) -> None:
    """Check that the number of nonzero weights is at most the number of weights.

    Raises:
        ValueError: if both are known and it is not.
    """
    if weights is not None and nonzero is not None and nonzero > weights:
        raise ValueError("more nonzero weights than weights")
