"""A handler of Dot for hls4ml's Keras 2 parser, whose own takes vectors only."""

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
    sizes = {
        name: int(size)
        for each, shape in zip(names, input_shapes, strict=True)
        for name, size in zip(each, shape[1:], strict=True)
    }
    made = [name for each in names for name in each if name != summed]
    first, second = ("".join(each) for each in names)
    layer: dict[str, Any] = parse_default_keras_layer(given, input_names)
    shape = [sizes[name] for name in made]
    layer |= {
        "class_name": "Einsum",
        "equation": f"{first},{second}->{''.join(made)}",
        "inp0_shape": tuple(sizes[name] for name in names[0]),
        "inp1_shape": tuple(sizes[name] for name in names[1]),
        "out_shape": tuple(shape),
    }
    return layer, [None, *shape]


def register() -> None:
    """Register the handler in hls4ml's parser, if it isn't there yet."""
    if f"{OURS}Dot" not in get_layer_handlers():
        register_keras_v2_layer_handler(f"{OURS}Dot", parse_dot)
