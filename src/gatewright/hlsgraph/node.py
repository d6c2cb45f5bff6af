"""Attributes of one node, as values of known types."""

from __future__ import annotations

from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.hlsgraph.precisions import fixed_type, word_type

#: Prefix and suffixes that hls4ml adds to the name of a layer for nodes that it adds to it.
_ADDED = {
    "ApplyAlpha": ("", ("_alpha", "_scale")),
    "BatchNormalizationQuantizedTanh": ("bnbt_", ("_alpha", "_scale")),
    "Repack": ("repack_", ()),
}


def layer_name(node: Any) -> str:
    """Name of the layer that a node is, or was added to."""
    name = str(node.name)
    prefix, suffixes = _ADDED.get(node.class_name, ("", ()))
    found = next((name.removesuffix(end) for end in suffixes if name.endswith(end)), name)
    return found.removeprefix(prefix)


def place(node: Any) -> str:
    """Name of a node in messages, for example "layer 'fc1' (Dense)"."""
    return f"layer '{layer_name(node)}' ({node.class_name})"


def refusal(node: Any, reason: str) -> UnsupportedError:
    """An error that names the node and the reason."""
    return UnsupportedError(f"{place(node)}: {reason}")


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """The value of an attribute.

    Raises:
        UnsupportedError: if it is not set and there is no default.
    """
    value = node.get_attr(name, default)
    if value is None:
        raise refusal(node, f"hls4ml left its attribute {name} unset")
    return value


def integer(node: Any, name: str, default: int | None = None) -> int:
    """The value of an integer attribute; raises as `attribute`."""
    return int(attribute(node, name, default))


def number(node: Any, name: str, default: float | None = None) -> float:
    """The value of a numeric attribute; raises as `attribute`."""
    return float(attribute(node, name, default))


def word(node: Any, name: str, default: str | None = None) -> str:
    """The value of a text attribute in lower case; raises as `attribute`."""
    return str(attribute(node, name, default)).lower()


def words(node: Any, what: str) -> FixedType:
    """The type in the attribute `<what>_t`, for example "accum"."""
    return word_type(attribute(node, f"{what}_t").precision, place(node))


def words_or_none(node: Any, what: str) -> FixedType | None:
    """The type in the attribute `<what>_t`; None if there is none or it is not fixed point."""
    found = node.get_attr(f"{what}_t")
    return None if found is None else fixed_type(found.precision)


def result_type(node: Any) -> FixedType | None:
    """The type of a node's result; None if it is not fixed point."""
    return fixed_type(node.get_output_variable().type.precision)


def read_types(node: Any) -> list[FixedType | None]:
    """The types of a node's inputs; None for those that are not fixed point."""
    return [fixed_type(node.get_input_variable(name).type.precision) for name in node.inputs]


def read_type(node: Any) -> FixedType | None:
    """The type of a node's first input; None if it is not fixed point."""
    return fixed_type(node.get_input_variable().type.precision)


def quantizer(node: Any) -> Any:
    """The quantizer that hls4ml casts a node's result with, instead of its type; or None."""
    return node.get_attr("quantizer")


def channels(node: Any) -> int:
    """Size of the last axis of a node's result."""
    return int(node.get_output_variable().shape[-1])


def read_channels(node: Any) -> int:
    """Size of the last axis of a node's first input."""
    return int(node.get_input_variable().shape[-1])
