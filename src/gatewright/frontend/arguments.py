"""Types of arguments: what a file says becomes a value of a known kind, or is refused.

A reader is a function that takes what JSON holds and returns a `Value`. It raises ValueError, whose
text says what would be right and fits behind "must be".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from gatewright.frontend.network import Object, Value, is_name

Reader = Callable[[Any], Value]

#: Beyond any layer that can be built; far below where sizes overflow what computes with them.
MAX_EXTENT = 1 << 24
#: Axes of a tensor, the batch included.
MAX_RANK = 8
_MAX_DEPTH = 8
_MAX_ITEMS = 4096
_MAX_WORD = 256

_REQUIRED: Final = object()


@dataclass(frozen=True)
class Argument:
    """An argument of a class: how it is read, and what it is where a file doesn't say.

    Files of older versions of Keras lack what came later; the default is what Keras fills in.
    """

    read: Reader
    default: Any = _REQUIRED

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is _REQUIRED


def integer(low: int = 1, high: int = MAX_EXTENT) -> Reader:
    """An integer in a range, both ends included; also where a file has it as 3.0."""

    def read(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"an integer from {low} to {high}")
        return int(value)

    return read


def real(low: float = -math.inf, high: float = math.inf) -> Reader:
    """A finite number in a range, both ends included. Integers stay integers."""

    def read(value: Any) -> int | float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        # An integer of hundreds of digits is no float.
        if not number or not -1e300 < value < 1e300 or not low <= value <= high:
            limits = "" if (low, high) == (-math.inf, math.inf) else f" from {low:g} to {high:g}"
            raise ValueError(f"a finite number{limits}")
        found: int | float = value
        return found

    return read


def flag(value: Any) -> bool:
    """A truth value; QKeras also writes 0 and 1."""
    if value is True or value is False or (isinstance(value, int | float) and value in (0, 1)):
        return bool(value)
    raise ValueError("true or false")


def word(*choices: str) -> Reader:
    """One of a list of words, in lower case whatever the file has."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return value.lower()

    return read


def optional(read: Reader) -> Reader:
    """The same, or null."""
    return lambda value: None if value is None else read(value)


def extents(count: int, low: int = 1) -> Reader:
    """As many integers as a window has axes; a single one stands for all of them."""
    single = integer(low)

    def read(value: Any) -> tuple[Value, ...]:
        values = value if isinstance(value, list | tuple) else [value] * count
        if len(values) != count:
            raise ValueError(f"{count} integers")
        return tuple(single(each) for each in values)

    return read


def sides(axes: int) -> Reader:
    """Pixels before and behind each axis: a pair per axis, or an integer per axis, or one for all.

    The result is flat: (before, behind) for one axis, (top, bottom, left, right) for two.
    """
    single = integer(0)

    def pair(value: Any) -> tuple[Value, ...]:
        values = value if isinstance(value, list | tuple) else [value, value]
        if len(values) != 2:
            raise ValueError(f"a pair of integers for each of {axes} axes")
        return tuple(single(each) for each in values)

    def read(value: Any) -> tuple[Value, ...]:
        if axes == 1:
            return pair(value)
        values = value if isinstance(value, list | tuple) else [value] * axes
        if len(values) != axes:
            raise ValueError(f"a pair of integers for each of {axes} axes")
        return tuple(number for each in values for number in pair(each))

    return read


def integers(low: int = -MAX_EXTENT) -> Reader:
    """A list of integers, at most one per axis of a tensor; a single one is a list of one."""
    single = integer(low)

    def read(value: Any) -> tuple[Value, ...]:
        values = value if isinstance(value, list | tuple) else [value]
        if len(values) > MAX_RANK:
            raise ValueError(f"at most {MAX_RANK} integers")
        return tuple(single(each) for each in values)

    return read


def plain(value: Any, depth: int = _MAX_DEPTH) -> Value:
    """Anything that consists of numbers, short printable text, lists and objects of these.

    For settings of training, which no hardware is made of. An object is what Keras writes for one
    of its classes; where it would import a class from is left out.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return real()(value)
    if isinstance(value, str):
        if len(value) > _MAX_WORD or not (value.isascii() and value.isprintable()):
            raise ValueError(f"printable text of at most {_MAX_WORD} characters")
        return value
    if depth and isinstance(value, list | tuple) and len(value) <= _MAX_ITEMS:
        return tuple(plain(each, depth - 1) for each in value)
    if depth and isinstance(value, dict) and is_name(value.get("class_name")):
        return Object(value["class_name"], _plain_fields(value.get("config") or {}, depth))
    raise ValueError("made of numbers, words, lists and objects of Keras")


def _plain_fields(config: Any, depth: int) -> Mapping[str, Value]:
    if not isinstance(config, dict) or not all(is_name(key) for key in config):
        raise ValueError("made of numbers, words, lists and objects of Keras")
    # Null is the default, also where a version of Keras doesn't know the key.
    given = {key: each for key, each in config.items() if each is not None}
    return MappingProxyType({key: plain(each, depth - 1) for key, each in given.items()})
