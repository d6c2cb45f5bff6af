"""Types of arguments: a value in a file becomes a value of a known type, or is refused.

A reader is a function that takes a value of JSON and returns a `Value`. It raises ValueError if the
value is wrong; the text of the error says what would be right and completes "must be ...".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from gatewright.frontend.network import Object, Value, is_name

Reader = Callable[[Any], Value]

#: Larger than any layer that can be built, and small enough for products of sizes not to overflow.
MAX_EXTENT = 1 << 24
#: Axes of a tensor, the batch included.
MAX_RANK = 8
_MAX_DEPTH = 8
_MAX_ITEMS = 4096
_MAX_WORD = 256

_REQUIRED: Final = object()


@dataclass(frozen=True)
class Argument:
    """An argument of a class: its reader, and its default.

    Files of older versions of Keras lack arguments that were added later. The default is the value
    that Keras fills in for them.
    """

    read: Reader
    default: Any = _REQUIRED

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is _REQUIRED


def integer(low: int = 1, high: int = MAX_EXTENT) -> Reader:
    """A reader of integers from `low` to `high`, both included. It accepts 3.0 for 3."""

    def read(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"an integer from {low} to {high}")
        return int(value)

    return read


def real(low: float = -math.inf, high: float = math.inf) -> Reader:
    """A reader of finite numbers from `low` to `high`, both included. Integers stay integers."""

    def read(value: Any) -> int | float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        # An integer of hundreds of digits can't become a float.
        if not number or not -1e300 < value < 1e300 or not low <= value <= high:
            limits = "" if (low, high) == (-math.inf, math.inf) else f" from {low:g} to {high:g}"
            raise ValueError(f"a finite number{limits}")
        found: int | float = value
        return found

    return read


def flag(value: Any) -> bool:
    """Read a truth value; QKeras also writes 0 and 1."""
    if value is True or value is False or (isinstance(value, int | float) and value in (0, 1)):
        return bool(value)
    raise ValueError("true or false")


def word(*choices: str) -> Reader:
    """A reader of one of several words. It ignores case and returns lower case."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return value.lower()

    return read


def optional(read: Reader) -> Reader:
    """A reader that also accepts null, as None."""
    return lambda value: None if value is None else read(value)


def extents(count: int, low: int = 1) -> Reader:
    """A reader of `count` integers, one for each axis; a single integer stands for all axes."""
    single = integer(low)

    def read(value: Any) -> tuple[Value, ...]:
        values = value if isinstance(value, list | tuple) else [value] * count
        if len(values) != count:
            raise ValueError(f"{count} integers")
        return tuple(single(each) for each in values)

    return read


def sides(axes: int) -> Reader:
    """A reader of sizes of padding or cropping, in pixels before and after each axis.

    A file gives a pair for each axis, or an integer for each axis, or an integer for all axes. The
    result is flat: (before, after) for one axis, (top, bottom, left, right) for two.
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
    """A reader of lists of at most `MAX_RANK` integers; a single integer is a list of one."""
    single = integer(low)

    def read(value: Any) -> tuple[Value, ...]:
        values = value if isinstance(value, list | tuple) else [value]
        if len(values) > MAX_RANK:
            raise ValueError(f"at most {MAX_RANK} integers")
        return tuple(single(each) for each in values)

    return read


def plain(value: Any, depth: int = _MAX_DEPTH) -> Value:
    """Read numbers, short printable text, and lists and Keras objects made of these.

    For settings of training, which don't affect the hardware. A Keras object has a `class_name` and
    a `config`. The module that Keras would import the class from is left out.
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
    # Null means the default, also in versions of Keras that don't know the key.
    given = {key: each for key, each in config.items() if each is not None}
    return MappingProxyType({key: plain(each, depth - 1) for key, each in given.items()})
