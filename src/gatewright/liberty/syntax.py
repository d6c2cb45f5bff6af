"""Parses Liberty text to groups and attributes, with Yosys' parser in a process under limits."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gatewright.errors import InputError
from gatewright.system import processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECONDS = 120
_LARGEST = 256 << 20
"""Largest size of a library, in bytes; the largest open one, a file per corner, has 15 MB."""


@dataclass(frozen=True)
class Group:
    """A group of a library: `name (arguments) { ... }`, or an attribute, which has no children.

    Attributes:
        name: for example "cell", "pin", "capacitance".
        arguments: arguments, or value(s) of an attribute, without quotes.
        children: groups and attributes in it.
    """

    name: str
    arguments: tuple[str, ...]
    children: tuple[Group, ...]

    def all(self, name: str) -> Iterator[Group]:
        """The children with a name, in order."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Group | None:
        """The first child with a name; None if there is none."""
        return next(self.all(name), None)

    def text(self, name: str) -> str | None:
        """The value of an attribute; None if not given."""
        found = self.first(name)
        return found.arguments[0] if found is not None and found.arguments else None

    def number(self, name: str) -> float | None:
        """The value of a numeric attribute; None if not given.

        Raises:
            ValueError: if it is not a number.
        """
        text = self.text(name)
        return None if text is None else finite(text)


def finite(text: str) -> float:
    """Parse a number of a library.

    Raises:
        ValueError: if it is not a number, or not finite.
    """
    value = float(text)
    if not abs(value) < 1e30:
        raise ValueError(f"{text[:40]!r} is out of range")
    return value


def read_groups(path: Path) -> Group:
    """The group `library` of a file.

    Raises:
        InputError: if it can't be read, is too large, or is not a Liberty file.
    """
    if find_spec("libparse") is None:
        raise InputError(
            "the parser of cell libraries is not installed; type: pip install 'gatewright[asic]'"
        )
    if path.stat().st_size > _LARGEST:
        raise InputError(f"{path}: the cell library is larger than {_LARGEST >> 20} MB")
    limits = processes.Limits(what=f"{path}: reading the cell library", seconds=_SECONDS)
    done = processes.run(
        [sys.executable, "-P", "-m", "libparse", str(path.resolve())], limits=limits
    )
    if done.returncode:
        raise InputError(f"{path}: not a Liberty file: {_complaint(done.stderr)}")
    try:
        library = _group(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{path}: not a Liberty file") from None
    if library.name != "library":
        raise InputError(f"{path}: not a Liberty file: it begins with '{library.name[:40]}'")
    return library


def _complaint(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return " ".join(lines[-2:])[:200] if lines else "the parser gave no reason"


def _group(tree: dict[str, Any]) -> Group:
    """Convert the parser's output, which has id and optionally args, value or children."""
    values = [tree["value"]] if "value" in tree else tree.get("args", [])
    return Group(
        tree["id"],
        tuple(value.strip().strip('"') for value in values),
        tuple(_group(child) for child in tree.get("children", [])),
    )
