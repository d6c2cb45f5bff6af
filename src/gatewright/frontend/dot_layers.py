"""Handlers of products of two tensors for hls4ml's Keras 2 parser, whose own takes vectors only."""

from __future__ import annotations

from string import ascii_lowercase
from typing import Any

from hls4ml.converters.keras_v2_to_hls import (
    get_layer_handlers,
    parse_default_keras_layer,
    register_keras_v2_layer_handler,
)

from gatewright.frontend.keras2 import OURS


def parse_dot(
    keras_layer: dict[str, Any], input_names: Any, input_shapes: Any, data_reader: Any
) -> tuple[dict[str, Any], list[int | None]]:
    """A Dot of vectors as hls4ml reads it; of tensors of a higher rank as hls4ml's Einsum."""
    given = {**keras_layer, "class_name": "Dot"}
    ranks = [len(shape) - 1 for shape in input_shapes]
    if ranks == [1, 1]:
        parsed: tuple[dict[str, Any], list[int | None]] = get_layer_handlers()["Dot"](
            given, input_names, input_shapes, data_reader
        )
        return parsed
    axes = keras_layer["config"]["axes"]
    axes = axes if len(axes) == 2 else axes * 2
    letters = iter(ascii_lowercase)
    summed = next(letters)
    names = []
    for rank, axis in zip(ranks, axes, strict=True):
        place = axis - 1 if axis > 0 else rank + axis
        names.append([summed if n == place else next(letters) for n in range(rank)])
    made = [name for each in names for name in each if name != summed]
    first, second = ("".join(each) for each in names)
    return _einsum(given, input_names, input_shapes, f"{first},{second}->{''.join(made)}")


def parse_einsum(
    keras_layer: dict[str, Any], input_names: Any, input_shapes: Any, data_reader: Any
) -> tuple[dict[str, Any], list[int | None]]:
    """Products of two tensors by an equation."""
    del data_reader
    return _einsum(keras_layer, input_names, input_shapes, keras_layer["config"]["equation"])


def _einsum(
    keras_layer: dict[str, Any], input_names: Any, input_shapes: Any, equation: str
) -> tuple[dict[str, Any], list[int | None]]:
    """The layer of hls4ml for an equation without the batch, and the shape of its result."""
    operands, _, made = equation.partition("->")
    sizes = {
        name: int(size)
        for axes, shape in zip(operands.split(","), input_shapes, strict=True)
        for name, size in zip(axes, shape[1:], strict=True)
    }
    first, second = (tuple(sizes[name] for name in axes) for axes in operands.split(","))
    result = [sizes[name] for name in made]
    layer: dict[str, Any] = parse_default_keras_layer(keras_layer, input_names)
    layer |= {
        "class_name": "Einsum",
        "equation": equation,
        "inp0_shape": first,
        "inp1_shape": second,
        "out_shape": tuple(result),
    }
    return layer, [None, *result]


def register() -> None:
    """Register the handlers in hls4ml's parser, if they aren't there yet."""
    for kind, handler in (("Dot", parse_dot), ("Einsum", parse_einsum)):
        if f"{OURS}{kind}" not in get_layer_handlers():
            register_keras_v2_layer_handler(f"{OURS}{kind}", handler)
