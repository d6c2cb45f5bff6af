"""Attributes of one node, each as a value of a known type."""

from __future__ import annotations

from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.hlsgraph.precisions import fixed_type, word_type

#: What hls4ml puts before or behind the name of a layer, for nodes that it adds to it.
_ADDED = {
    "ApplyAlpha": ("", ("_alpha", "_scale")),
    "BatchNormalizationQuantizedTanh": ("bnbt_", ("_alpha", "_scale")),
    "Repack": ("repack_", ()),
}


def layer_name(node: Any) -> str:
    """The layer that a node is, or was added to."""
    name = str(node.name)
    prefix, suffixes = _ADDED.get(node.class_name, ("", ()))
    found = next((name.removesuffix(end) for end in suffixes if name.endswith(end)), name)
    return found.removeprefix(prefix)


def place(node: Any) -> str:
    """What messages call a node."""
    return f"layer '{layer_name(node)}' ({node.class_name})"


def refusal(node: Any, reason: str) -> UnsupportedError:
    """The error that refuses a node."""
    return UnsupportedError(f"{place(node)}: {reason}")


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """An attribute, which must be set.

    Raises:
        UnsupportedError: if it isn't, and there is no default.
    """
    value = node.get_attr(name, default)
    if value is None:
        raise refusal(node, f"hls4ml left its attribute {name} unset")
    return value


def integer(node: Any, name: str, default: int | None = None) -> int:
    """An integer."""
    return int(attribute(node, name, default))


def number(node: Any, name: str, default: float | None = None) -> float:
    """A number."""
    return float(attribute(node, name, default))


def word(node: Any, name: str, default: str | None = None) -> str:
    """A word, in lower case."""
    return str(attribute(node, name, default)).lower()


def words(node: Any, what: str) -> FixedType:
    """The type `what`, "accum" for that of the accumulator."""
    return word_type(attribute(node, f"{what}_t").precision, place(node))


def words_or_none(node: Any, what: str) -> FixedType | None:
    """The type `what`; None if the node has none, or it is not fixed point."""
    found = node.get_attr(f"{what}_t")
    return None if found is None else fixed_type(found.precision)


def result_type(node: Any) -> FixedType | None:
    """The type of a node's result; None if it is not fixed point."""
    return fixed_type(node.get_output_variable().type.precision)


def read_types(node: Any) -> list[FixedType | None]:
    """The types of what a node reads; None for those that are not fixed point."""
    return [fixed_type(node.get_input_variable(name).type.precision) for name in node.inputs]


def read_type(node: Any) -> FixedType | None:
    """The type of what a node reads first; None if it is not fixed point."""
    return fixed_type(node.get_input_variable().type.precision)


def quantizer(node: Any) -> Any:
    """What hls4ml casts a node's result by, instead of a type of its own; or None."""
    return node.get_attr("quantizer")


def channels(node: Any) -> int:
    """Size of the last axis of a node's result."""
    return int(node.get_output_variable().shape[-1])


def read_channels(node: Any) -> int:
    """Size of the last axis of what a node reads first."""
    return int(node.get_input_variable().shape[-1])
