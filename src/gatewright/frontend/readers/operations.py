"""Replaces operations such as `a + b` or `x[:, :8]` by layers that compute the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, Final, Protocol

from gatewright.errors import UnsupportedError
from gatewright.frontend.messages import shown
from gatewright.frontend.readers.outline import Given, Slice
from gatewright.frontend.shapes import Shape


@dataclass(frozen=True)
class Tensor:
    """The result of a layer of the network, by the layer's name."""

    name: str


#: An argument or result of an operation: a tensor, or a value that is known without data.
Known = Tensor | Slice | EllipsisType | bool | int | float | str | None | tuple["Known", ...]


class Emitter(Protocol):
    """Adds layers to the network for an operation."""

    def add(self, kind: str, inputs: Sequence[str], config: Mapping[str, Any]) -> str:
        """Add a layer with Keras' arguments, and return its name."""

    def shape(self, name: str) -> Shape:
        """The shape of a layer's result, without the batch."""


def operate(
    where: str,
    kind: str,
    arguments: Sequence[Known],
    named: Mapping[str, Known],
    emitter: Emitter,
) -> list[Known]:
    """Emit the layers that compute an operation.

    Args:
        where: The file and the operation, to begin messages.
        kind: Its name in TensorFlow, or its class in Keras 3.
        arguments: The positional arguments of its call.
        named: The named arguments of its call, and its settings.
        emitter: Receives the layers.

    Returns:
        The results of the operation.

    Raises:
        UnsupportedError: if no layers compute the same.
    """
    rule = _RULES.get(kind.rpartition(".")[2].lower().replace("_", ""))
    operation = _Operation(where, kind, arguments, named, emitter)
    if rule is None:
        raise operation.refused("has no equivalent layer; replace it with layers")
    result = rule(operation)
    return result if isinstance(result, list) else [result]


@dataclass(frozen=True)
class _Operation:
    where: str
    kind: str
    arguments: Sequence[Known]
    named: Mapping[str, Known]
    emitter: Emitter

    def refused(self, why: str) -> UnsupportedError:
        return UnsupportedError(f"{self.where}: the operation {shown(self.kind)} {why}")

    def given(self, place: int, *names: str, default: Known = None) -> Known:
        """An argument by its position or one of its names."""
        if place < len(self.arguments):
            return self.arguments[place]
        return next((self.named[name] for name in names if name in self.named), default)

    @property
    def x(self) -> Known:
        return self.given(0, "x", "x1", "input", "tensor", "a", "features", "logits")

    @property
    def tensor(self) -> str:
        """The name of the tensor that it reads."""
        if not isinstance(self.x, Tensor):
            raise self.refused("reads a value that is no layer's result")
        return self.x.name

    def add(self, kind: str, *inputs: str, **config: Any) -> Tensor:
        return Tensor(self.emitter.add(kind, inputs, config))

    def reshaped(self, source: str, shape: Shape) -> Tensor:
        """A tensor with this shape, reshaped if it has another."""
        if self.emitter.shape(source) == shape:
            return Tensor(source)
        return self.add("Reshape", source, target_shape=list(shape))

    def axis(self, value: Known, rank: int) -> int:
        """The number of an axis without the batch, from its number with the batch."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refused("has an axis that is not an integer")
        axis = value if value >= 0 else value + rank + 1
        if not 1 <= axis <= rank:
            raise self.refused("works on the batch axis, but hardware takes one sample at a time")
        return axis - 1


def _numbers(operation: _Operation, value: Known, channels: int) -> float | list[float]:
    """Read a constant: a number, or a number for each channel."""
    while isinstance(value, tuple) and len(value) == 1:
        (value,) = value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, tuple) and len(value) == channels:
        found = [each for each in value if isinstance(each, int | float)]
        if len(found) == channels:
            return [float(each) for each in found]
    raise operation.refused("has a constant that is neither one number nor one per channel")


def _scaled(operation: _Operation, source: str, **config: Any) -> Tensor:
    return operation.add("Rescaling", source, **config)


def _negative(number: float | list[float]) -> float | list[float]:
    return [-each for each in number] if isinstance(number, list) else -number


def _arithmetic(kind: str) -> Callable[[_Operation], Known]:
    """A rule for arithmetic on two tensors, or on a tensor and a constant."""

    def rule(operation: _Operation) -> Known:
        first, second = operation.x, operation.given(1, "y", "x2", "b")
        if isinstance(first, tuple) and any(isinstance(each, Tensor) for each in first):
            parts = [each for each in first if isinstance(each, Tensor)]
            if len(parts) != len(first):
                raise operation.refused("adds a value that is no layer's result")
            return _merged(operation, kind, *parts)
        if isinstance(first, Tensor) and isinstance(second, Tensor):
            if kind == "Divide":
                raise operation.refused("divides by a tensor; hardware divides by constants")
            return _merged(operation, kind, first, second)
        tensor, constant = (first, second) if isinstance(first, Tensor) else (second, first)
        if not isinstance(tensor, Tensor):
            raise operation.refused("reads a value that is no layer's result")
        number = _numbers(operation, constant, operation.emitter.shape(tensor.name)[-1])
        if kind == "Add":
            return _scaled(operation, tensor.name, offset=number)
        if kind == "Multiply":
            return _scaled(operation, tensor.name, scale=number)
        if kind == "Subtract" and tensor is first:
            return _scaled(operation, tensor.name, offset=_negative(number))
        if kind == "Subtract":
            return _scaled(operation, tensor.name, scale=-1.0, offset=number)
        if tensor is not first:
            raise operation.refused("divides by a tensor; hardware divides by constants")
        return _scaled(operation, tensor.name, scale=_inverses(operation, number))

    return rule


def _inverses(operation: _Operation, number: float | list[float]) -> float | list[float]:
    """The factors that replace divisors."""
    if isinstance(number, list):
        return [_inverse(operation, each) for each in number]
    return _inverse(operation, number)


def _inverse(operation: _Operation, number: float) -> float:
    if number == 0 or math.frexp(number)[0] not in (0.5, -0.5):
        raise operation.refused(
            f"divides by {number:g}, which is not a power of two; multiply by 1 / {number:g} "
            f"instead"
        )
    return 1 / number


def _merged(operation: _Operation, kind: str, *parts: Tensor) -> Tensor:
    ranks = {len(operation.emitter.shape(part.name)) for part in parts}
    if len(ranks) > 1:
        raise operation.refused("joins tensors of different ranks; reshape one of them")
    return operation.add(kind, *(part.name for part in parts))


def _extremum(kind: str) -> Callable[[_Operation], Known]:
    def rule(operation: _Operation) -> Known:
        first, second = operation.x, operation.given(1, "y", "x2", "b")
        if isinstance(first, Tensor) and isinstance(second, Tensor):
            return _merged(operation, kind, first, second)
        tensor, constant = (first, second) if isinstance(first, Tensor) else (second, first)
        if kind == "Maximum" and constant == 0 and isinstance(tensor, Tensor):
            return operation.add("Activation", tensor.name, activation="relu")
        raise operation.refused(
            "with a constant is supported only as a maximum with 0, which is a ReLU"
        )

    return rule


def _activation(name: str) -> Callable[[_Operation], Known]:
    return lambda operation: operation.add("Activation", operation.tensor, activation=name)


def _relu(operation: _Operation) -> Known:
    config = {
        key: operation.named[key]
        for key in ("negative_slope", "max_value", "threshold")
        if operation.named.get(key)
    }
    if config:
        return operation.add("ReLU", operation.tensor, **config)
    return operation.add("Activation", operation.tensor, activation="relu")


def _leaky_relu(operation: _Operation) -> Known:
    slope = operation.given(1, "alpha", "negative_slope", default=0.2)
    return operation.add("LeakyReLU", operation.tensor, alpha=slope)


def _softmax(operation: _Operation) -> Known:
    axis = operation.given(1, "axis", "dim")
    return operation.add("Softmax", operation.tensor, axis=-1 if axis is None else axis)


def _clip(operation: _Operation) -> Known:
    low = operation.given(1, "clip_value_min", "x_min", "min_value")
    high = operation.given(2, "clip_value_max", "x_max", "max_value")
    if low != 0 or isinstance(high, tuple | Tensor) or not high:
        raise operation.refused(
            "is supported only from 0 to a number, which is a ReLU with max_value"
        )
    return operation.add("ReLU", operation.tensor, max_value=high)


def _itself(operation: _Operation) -> Known:
    return Tensor(operation.tensor)


def _cast(operation: _Operation) -> Known:
    wanted = operation.given(1, "dtype")
    if wanted not in ("float32", "float64"):
        raise operation.refused(f"changes numbers to {shown(wanted)}, which no layer does")
    return Tensor(operation.tensor)


def _shape(operation: _Operation) -> Known:
    """The sizes of a tensor's axes; None for the batch."""
    return (None, *operation.emitter.shape(operation.tensor))


def _reshape(operation: _Operation) -> Known:
    wanted = operation.given(1, "shape", "newshape")
    count = math.prod(operation.emitter.shape(operation.tensor))
    if not isinstance(wanted, tuple) or not wanted:
        raise operation.refused("has a shape that is not a list of sizes")
    first, rest = wanted[0], list(wanted[1:])
    sizes = [each for each in rest if isinstance(each, int) and not isinstance(each, bool)]
    if len(sizes) != len(rest) or first not in (None, -1) or isinstance(first, Tensor):
        raise operation.refused(
            "mixes samples, or has sizes that are not known; write -1 for the first"
        )
    known = math.prod(each for each in sizes if each != -1)
    if sizes.count(-1) == 1 and first is None and known > 0 and count % known == 0:
        sizes[sizes.index(-1)] = count // known
    if any(each < 1 for each in sizes) or math.prod(sizes) != count or not sizes:
        raise operation.refused(f"makes {sizes} of {count} elements of a sample")
    return operation.reshaped(operation.tensor, tuple(sizes))


def _expand_dims(operation: _Operation) -> Known:
    shape = operation.emitter.shape(operation.tensor)
    at = operation.axis(operation.given(1, "axis"), len(shape) + 1)
    return operation.reshaped(operation.tensor, (*shape[:at], 1, *shape[at:]))


def _squeeze(operation: _Operation) -> Known:
    shape = operation.emitter.shape(operation.tensor)
    axis = operation.given(1, "axis")
    axes = axis if isinstance(axis, tuple) else () if axis is None else (axis,)
    gone = [operation.axis(each, len(shape)) for each in axes]
    gone = gone or [at for at, size in enumerate(shape) if size == 1]
    if any(shape[at] != 1 for at in gone) or len(gone) >= len(shape):
        raise operation.refused("leaves out an axis of more than one element, or all of them")
    kept = tuple(size for at, size in enumerate(shape) if at not in gone)
    return operation.reshaped(operation.tensor, kept)


def _transpose(operation: _Operation) -> Known:
    order = operation.given(1, "perm", "axes")
    if not isinstance(order, tuple) or order[:1] != (0,):
        raise operation.refused("moves the batch axis, but hardware takes one sample at a time")
    if order == tuple(range(len(order))):
        return Tensor(operation.tensor)
    return operation.add("Permute", operation.tensor, dims=list(order[1:]))


def _concatenate(operation: _Operation) -> Known:
    values = operation.given(0, "values", "xs")
    if isinstance(values, Tensor):  # Keras 2 passes each tensor as a separate argument
        values = tuple(operation.arguments)
    axis = operation.named.get("axis", -1)
    tensors = values if isinstance(values, tuple) else ()
    names = [each.name for each in tensors if isinstance(each, Tensor)]
    if not names or len(names) != len(tensors):
        raise operation.refused("joins a value that is no layer's result")
    if len(names) == 1:
        return Tensor(names[0])
    rank = len(operation.emitter.shape(names[0]))
    operation.axis(axis, rank)
    return operation.add("Concatenate", *names, axis=axis)


def _mean(which: str) -> Callable[[_Operation], Known]:
    def rule(operation: _Operation) -> Known:
        shape = operation.emitter.shape(operation.tensor)
        axis = operation.given(1, "axis")
        axes = axis if isinstance(axis, tuple) else (axis,)
        found = sorted(operation.axis(each, len(shape)) for each in axes)
        if found != list(range(len(shape) - 1)) or len(found) not in (1, 2):
            raise operation.refused(
                "is supported only over all axes but the batch and the channels"
            )
        keep = operation.named.get("keepdims", operation.named.get("keep_dims")) or False
        kind = f"Global{which}Pooling{len(found)}D"
        return operation.add(kind, operation.tensor, keepdims=keep)

    return rule


def _cropped(operation: _Operation, source: str, axis: int, low: int, high: int) -> str:
    """Crop an axis to the elements from `low` to before `high`.

    The axes before it, and those after it, are joined into one each for the cropping.
    """
    shape = operation.emitter.shape(source)
    size = shape[axis]
    if (low, high) == (0, size):
        return source
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    if before == 1:
        flat = operation.reshaped(source, (size, after)).name
        cut = operation.add("Cropping1D", flat, cropping=[low, size - high]).name
    else:
        flat = operation.reshaped(source, (before, size, after)).name
        sides = [[0, 0], [low, size - high]]
        cut = operation.add("Cropping2D", flat, cropping=sides).name
    return operation.reshaped(cut, (*shape[:axis], high - low, *shape[axis + 1 :])).name


def _get_item(operation: _Operation) -> Known:
    spec = operation.given(1, "slice_spec", "key")
    keys = list(spec) if isinstance(spec, tuple) else [spec]
    if isinstance(operation.x, tuple):  # the shape of a tensor
        if (
            len(keys) == 1
            and isinstance(keys[0], int)
            and -len(operation.x) <= keys[0] < len(operation.x)
        ):
            return operation.x[keys[0]]
        raise operation.refused("takes something other than one size of a tensor's shape")
    shape = operation.emitter.shape(operation.tensor)
    named = sum(key is not None and key is not ... for key in keys)
    everything = Slice(None, None, None)
    missing = [everything] * (len(shape) + 1 - named)
    if ... in keys:
        at = keys.index(...)
        keys[at : at + 1] = missing
    else:
        keys += missing
    if not keys or keys[0] not in (everything, Slice(None, None, 1)):
        raise operation.refused("selects samples, but hardware takes one sample at a time")
    source, axis, result = operation.tensor, 0, []
    for key in keys[1:]:
        if key is None:
            result.append(1)
            continue
        if axis >= len(shape):
            raise operation.refused(f"takes more axes than the tensor's {len(shape)}")
        size = shape[axis]
        if isinstance(key, Slice):
            if key.step not in (None, 1):
                raise operation.refused(
                    f"takes one element in {key.step}; take all elements between two ends"
                )
            low, high, _ = slice(key.start, key.stop).indices(size)
            result.append(high - low)
        elif isinstance(key, int) and not isinstance(key, bool) and -size <= key < size:
            low = key % size
            high = low + 1
        else:
            raise operation.refused(
                "takes elements by something other than a number or slice within the tensor"
            )
        if high <= low:
            raise operation.refused("takes no elements")
        source = _cropped(operation, source, axis, low, high)
        axis += 1
    if not result:
        raise operation.refused("takes a single element; keep its axis, as x[:, 3:4]")
    return operation.reshaped(source, tuple(result))


def _split(operation: _Operation) -> list[Known]:
    shape = operation.emitter.shape(operation.tensor)
    parts = operation.given(1, "num_or_size_splits", "indices_or_sections")
    axis = operation.axis(operation.named.get("axis", operation.given(2)), len(shape))
    size = shape[axis]
    if not isinstance(parts, int) or isinstance(parts, bool) or parts < 1 or size % parts:
        raise operation.refused("is supported only into equal parts; take the parts as slices")
    width = size // parts
    return [
        Tensor(_cropped(operation, operation.tensor, axis, low, low + width))
        for low in range(0, size, width)
    ]


#: Rules by name of the operation, in lower case and without _: `reducemean` for TensorFlow's
#: `math.reduce_mean`, `truedivide` for Keras 3's class `TrueDivide`.
_RULES: Final[Mapping[str, Callable[[_Operation], Known | list[Known]]]] = {
    "add": _arithmetic("Add"),
    "addv2": _arithmetic("Add"),
    "addn": _arithmetic("Add"),
    "sub": _arithmetic("Subtract"),
    "subtract": _arithmetic("Subtract"),
    "mul": _arithmetic("Multiply"),
    "multiply": _arithmetic("Multiply"),
    "divide": _arithmetic("Divide"),
    "truediv": _arithmetic("Divide"),
    "truedivide": _arithmetic("Divide"),
    "neg": lambda operation: _scaled(operation, operation.tensor, scale=-1.0),
    "negative": lambda operation: _scaled(operation, operation.tensor, scale=-1.0),
    "maximum": _extremum("Maximum"),
    "minimum": _extremum("Minimum"),
    "relu": _relu,
    "relu6": _activation("relu6"),
    "leakyrelu": _leaky_relu,
    **{name: _activation(name) for name in ("sigmoid", "tanh", "softplus", "softsign", "selu")},
    "softmax": _softmax,
    "clip": _clip,
    "clipbyvalue": _clip,
    "identity": _itself,
    "stopgradient": _itself,
    "cast": _cast,
    "shape": _shape,
    "reshape": _reshape,
    "expanddims": _expand_dims,
    "squeeze": _squeeze,
    "transpose": _transpose,
    "concat": _concatenate,
    "concatenate": _concatenate,
    "mean": _mean("Average"),
    "reducemean": _mean("Average"),
    "max": _mean("Max"),
    "reducemax": _mean("Max"),
    "getitem": _get_item,
    "slicingoplambda": _get_item,
    "split": _split,
}


def known(value: Given, resolve: Callable[[Any], Known]) -> Known:
    """An argument of a call, with references to tensors replaced by what `resolve` returns."""
    if isinstance(value, tuple):
        return tuple(known(each, resolve) for each in value)
    if value is None or isinstance(value, bool | int | float | str | Slice | EllipsisType):
        return value
    return resolve(value)
