"""The base of results: fields of exactly their types, no others, and none that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable


class Part(BaseModel):
    """A group of fields of a result. A figure that is not known is None; it is never zero."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )


def refuse_duplicates(what: str, names: Iterable[str]) -> None:
    """Check that names differ.

    Args:
        what: what they name, for the message.
        names: the names.

    Raises:
        ValueError: if one comes twice.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} '{name}' stands twice")
        seen.add(name)


def refuse_excess(weights: int | None, nonzero: int | None) -> None:
    """Check that no more weights are not zero than there are.

    Raises:
        ValueError: if more are.
    """
    if weights is not None and nonzero is not None and nonzero > weights:
        raise ValueError("more weights that are not zero than weights")
