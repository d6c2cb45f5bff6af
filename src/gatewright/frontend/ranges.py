"""The range of each tensor of a network, from bounds or from calibration data.

Interval arithmetic (Moore, 1966) on hls4ml's graph with the weights of the hardware: each layer's
range follows from the ranges of its inputs. Each channel (last axis) has its own interval, so that
large weights of one channel don't widen the others. docs/semantics.md says which types follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gatewright.fixed import FixedType, Overflow, Rounding
from gatewright.hlsgraph import activation, families, garnet, image, recurrent, tensor, weights
from gatewright.hlsgraph.node import channels, read_channels, result_type
from gatewright.hlsgraph.normalization import layer_normalization

Floats = NDArray[np.float64]

#: Most channels with an interval each; a tensor with more has one interval.
_MOST_CHANNELS = 1 << 18
#: Exponent of 2: smaller magnitudes count as zero.
_LEAST_POINT = -32
#: By how much the rounding of a mean, an entry and a scale may extend a layer normalization.
_SLACK = 1 + 2.0**-6
#: Factor and slope of a SELU (Klambauer et al., 2017).
_SELU = (1.0507009873554805, 1.6732632423543772)


@dataclass(frozen=True)
class Interval:
    """The range of a tensor's values.

    Attributes:
        low: Least values, float64 of shape (channels,), or () for one interval for all channels.
        high: Greatest values, of the same shape.
    """

    low: Floats
    high: Floats

    @classmethod
    def of(cls, low: Any, high: Any) -> Interval:
        """An interval from numbers, or from arrays that broadcast against each other."""
        ends = np.broadcast_arrays(np.asarray(low, np.float64), np.asarray(high, np.float64))
        return cls(*ends)

    @property
    def whole(self) -> tuple[float, float]:
        """Least and greatest value of all channels."""
        return float(self.low.min()), float(self.high.max())

    @property
    def largest(self) -> float:
        """The greatest magnitude."""
        return max(map(abs, self.whole))

    def hull(self) -> Interval:
        """One interval for all channels that holds each channel's."""
        return Interval.of(*self.whole)

    def union(self, other: Interval) -> Interval:
        """The smallest interval that holds both."""
        first, second = _alike(self, other)
        return Interval.of(np.minimum(first.low, second.low), np.maximum(first.high, second.high))

    def within(self, other: Interval) -> Interval:
        """The intersection with another interval; if empty, the other's end that is nearest."""
        mine, its = _alike(self, other)
        return Interval.of(*(np.clip(end, its.low, its.high) for end in (mine.low, mine.high)))

    def with_room(self) -> Interval:
        """The interval extended on either side by its greatest magnitude."""
        return Interval.of(self.low - self.largest, self.high + self.largest)

    def spread(self, channels: int) -> Interval:
        """The intervals after a reshape that changes the last axis.

        Args:
            channels: The new size of the last axis. If neither size divides the other, the result
                is one interval.
        """
        size = self.low.size
        if self.low.ndim == 0 or channels > _MOST_CHANNELS:
            return self.hull()
        if channels % size == 0:
            return Interval(
                np.tile(self.low, channels // size), np.tile(self.high, channels // size)
            )
        if size % channels == 0:
            low, high = (end.reshape(-1, channels) for end in (self.low, self.high))
            return Interval(low.min(axis=0), high.max(axis=0))
        return self.hull()


def type_interval(to: FixedType) -> Interval:
    """The range of a type."""
    return Interval.of(math.ldexp(to.lowest, -to.frac), math.ldexp(to.max, -to.frac))


def holds_interval(to: FixedType, interval: Interval) -> bool:
    """Whether a type holds an interval, up to less than one unit of its last place."""
    low, high = type_interval(to).whole
    unit = math.ldexp(1, -to.frac)
    least, most = interval.whole
    return low - unit < least and most < high + unit


def cast_interval(interval: Interval, to: FixedType) -> Interval:
    """The range of an interval's values after a cast to a type; if they wrap, the type's range."""
    if holds_interval(to, interval):
        unit = 0.0 if to.rounding is Rounding.RND else math.ldexp(1, -to.frac)
        return Interval.of(interval.low - unit, interval.high + unit).within(type_interval(to))
    if to.overflow in (Overflow.SAT, Overflow.SAT_SYM):
        return interval.within(type_interval(to))
    return type_interval(to)


#: The type of a node's result, given the node and the range that the result has without a type.
Typed = Callable[[Any, Interval], FixedType | None]


@dataclass(frozen=True)
class Ranges:
    """The intervals of a graph's tensors, by node.

    Attributes:
        free: The range of each result before the cast to its own type.
        held: The range after that cast.
    """

    free: Mapping[str, Interval]
    held: Mapping[str, Interval]


def find(graph: Any, typed: Typed, measured: Mapping[str, Interval] | None = None) -> Ranges:
    """The intervals of a graph's tensors.

    Args:
        graph: hls4ml's ModelGraph after its flow.
        typed: Returns the type of a node's result; None if it isn't fixed point.
        measured: The ranges of nodes on calibration data; `Interval.with_room` extends them.
    """
    free: dict[str, Interval] = {}
    held: dict[str, Interval] = {}
    for node in graph.get_layers():
        inputs = [
            held[node.get_input_node(name).name]
            for name in node.inputs
            if name in graph.output_vars
        ]
        rule = _RULES.get(node.class_name)
        result = rule(node, inputs) if rule is not None and inputs else None
        if result is None:
            result = _result_interval(node)
        # The state of an LSTM's cell is not among its results, but has their type.
        if measured is not None and node.name in measured and node.class_name != "LSTM":
            result = result.within(measured[node.name].with_room())
        to = typed(node, result)
        free[node.name] = result
        held[node.name] = result if to is None else cast_interval(result, to)
    return Ranges(free, held)


def ranged_type(interval: Interval, like: FixedType, width: int, most: int) -> FixedType:
    """A type that holds an interval.

    Args:
        interval: The range.
        like: A type with the wanted signedness, rounding and overflow, and the least number of
            fraction bits.
        width: Least width in bits; if a narrow range leaves bits over, they are fraction bits.
        most: Greatest width in bits. A range that needs more is not held at its ends.
    """
    # 2^bits is greater than the greatest magnitude, or equal to it up to the last bit.
    bits = max(math.frexp(interval.largest)[1], _LEAST_POINT)
    for integer in range(bits - 1 + like.signed, bits + 1 + like.signed):
        to = replace(like, width=max(width, integer + like.frac), integer=integer)
        if to.width < most and holds_interval(to, interval):
            return to
    return replace(to, width=min(to.width, most), integer=min(to.integer, most - like.frac))


def _result_interval(node: Any) -> Interval:
    to = result_type(node)
    # A result that isn't fixed point is a sign.
    return Interval.of(-1, 1) if to is None else type_interval(to)


def _alike(first: Interval, second: Interval) -> tuple[Interval, Interval]:
    """Both as they are if they broadcast, else both as one interval."""
    sizes = {first.low.size, second.low.size}
    if len(sizes - {1}) > 1:
        return first.hull(), second.hull()
    return first, second


def _with_zero(interval: Interval) -> Interval:
    return Interval.of(np.minimum(interval.low, 0), np.maximum(interval.high, 0))


# Sums


def _product(weights: Floats, x: Interval, axis: int | tuple[int, ...]) -> Interval:
    """The range of the sum of weights times values along axes; `x` broadcasts to the weights."""
    positive, negative = np.maximum(weights, 0), np.minimum(weights, 0)
    return Interval(
        (positive * x.low + negative * x.high).sum(axis=axis),
        (positive * x.high + negative * x.low).sum(axis=axis),
    )


def _moved(interval: Interval, node: Any, name: str = "bias") -> Interval:
    """An interval with a bias of the node added."""
    bias = weights.values(node, name).ravel()
    return Interval.of(interval.low + bias, interval.high + bias)


def _dense(node: Any, inputs: list[Interval]) -> Interval:
    (x,) = inputs
    if any(image.pads(node)):
        x = _with_zero(x)
    matrix = weights.matrix(node)
    if matrix is None:
        terms = weights.terms(node)
        # Signs: the C++ counts agreements, adds the bias, and doubles the sum.
        bias = 2 * float(np.abs(weights.values(node, "bias")).max())
        reach = terms * x.largest + bias
        return Interval.of(-reach, reach)
    return _moved(_weighted(matrix, x), node)


def _weighted(matrix: Floats, x: Interval) -> Interval:
    """The range of sums of products with weights of shape (*window, channels, results)."""
    x = x.spread(matrix.shape[-2])
    low, high = (np.broadcast_to(end, matrix.shape[:-1]).reshape(-1, 1) for end in (x.low, x.high))
    return _product(matrix.reshape(-1, matrix.shape[-1]), Interval(low, high), 0)


def _depthwise(node: Any, inputs: list[Interval]) -> Interval:
    (x,) = inputs
    channels = read_channels(node)
    matrix = weights.matrix(node)
    if matrix is None or matrix.size % channels or weights.values(node, "bias").size != channels:
        return _result_interval(node)
    if any(image.pads(node)):
        x = _with_zero(x)
    return _moved(_product(matrix.reshape(-1, channels), x.spread(channels), 0), node)


def _batchnorm(node: Any, inputs: list[Interval]) -> Interval:
    (x,) = inputs
    last = channels(node)
    scale, bias = (weights.values(node, name).ravel() for name in ("scale", "bias"))
    if weights.type_of(node, "scale") is None:
        scale = np.ones(1)
        x = Interval.of(-x.largest, x.largest)
    count = max(scale.size, bias.size, last)
    if any(count % size for size in (scale.size, bias.size, last)):
        return _result_interval(node)
    scale, bias = (np.tile(each, count // each.size) for each in (scale, bias))
    x = x.spread(last)
    x = Interval(*(np.resize(end, count) for end in (x.low, x.high)))
    product = _product(scale[None], Interval(x.low[None], x.high[None]), 0)
    return Interval(product.low + bias, product.high + bias).spread(last)


def _layer_normalized(node: Any, inputs: list[Interval]) -> Interval:
    """The range of a layer normalization: n values are at most sqrt(n) deviations from the mean."""
    (x,) = inputs
    given, size = layer_normalization(node), channels(node)
    low, high = x.whole
    unit = size * math.ldexp(1, -given.accum.frac)
    reach = min(math.sqrt(size), (high - low + unit) / math.sqrt(given.epsilon))
    if (high - low) ** 2 / 4 > 2.0**given.reach:  # where the table has ended
        reach = max(reach, (high - low) / 2.0 ** (given.reach / 2))
    reach *= _SLACK
    scale, bias = (weights.values(node, name).ravel() for name in ("scale", "bias"))
    return Interval.of(bias - reach * np.abs(scale), bias + reach * np.abs(scale))


def _merge(node: Any, inputs: list[Interval]) -> Interval | None:
    a, b = _alike(*inputs)
    operation = tensor.operation(node)
    if operation in ("add", "average"):
        half = 0.5 if operation == "average" else 1
        return Interval.of((a.low + b.low) * half, (a.high + b.high) * half)
    if operation == "subtract":
        return Interval.of(a.low - b.high, a.high - b.low)
    if operation == "multiply":
        return _times(a, b)
    if operation in ("maximum", "minimum"):
        choose = np.maximum if operation == "maximum" else np.minimum
        return Interval.of(choose(a.low, b.low), choose(a.high, b.high))
    return None


def _times(a: Interval, b: Interval) -> Interval:
    products = np.stack(
        np.broadcast_arrays(*(x * y for x in (a.low, a.high) for y in (b.low, b.high)))
    )
    return Interval.of(products.min(axis=0), products.max(axis=0))


def _dot(node: Any, inputs: list[Interval]) -> Interval:
    product = _times(inputs[0].hull(), inputs[1].hull())
    terms = read_channels(node)
    return Interval.of(product.low * terms, product.high * terms)


def _einsum(node: Any, inputs: list[Interval]) -> Interval:
    product = _times(inputs[0].hull(), inputs[1].hull())
    terms = tensor.einsum(node).summed
    return Interval.of(product.low * terms, product.high * terms)


# Layers with a state


def _recurrent(node: Any, inputs: list[Interval]) -> Interval | None:
    """The range of the state: what a step adds lies between -1 and 1 unless a function is a ReLU.

    The state of an LSTM's cell grows by that in each step; its result has the type of both.
    """
    found = recurrent.functions(node)
    gates = found.gates == "sigmoid" or recurrent.has_open_gates(node)
    if found.state != "tanh" or not gates:
        return None
    reach = recurrent.steps(node) if node.class_name == "LSTM" else 1
    return Interval.of(-reach, reach)


def recurrent_sums(node: Any, x: Interval, state: Interval) -> Interval:
    """The range of all sums of a recurrent layer.

    Args:
        node: The layer.
        x: The range of its input.
        state: The range of its result.
    """
    found = Interval.of(-1, 1)  # what its functions make of sums has the same type
    whole = Interval.of(0, 0)
    for prefix, read in (("", x), ("recurrent_", state)):
        matrix = weights.matrix(node, f"{prefix}weight")
        if matrix is None:
            return _result_interval(node)
        each = _moved(_weighted(matrix, read), node, f"{prefix}bias")
        found = found.union(each.hull())
        whole = Interval.of(whole.low + each.low, whole.high + each.high)
    return found.union(whole.hull())


# Graphs


def garnet_returns(node: Any, x: Interval) -> Interval:
    """The range of what aggregators return for each result, of shape (results, aggregators).

    A mean weight is at most one. A mean of weighted features lies between zero and a feature.

    Args:
        node: A GarNet.
        x: The range of its features.
    """
    factors, biases = (weights.values(node, f"input_transform_{w}") for w in ("weights", "biases"))
    x = _with_zero(x).spread(factors.shape[-1])
    found = _product(factors, x, -1)
    share = _with_zero(Interval.of(biases, biases))
    # Each of its products, and their sum, is rounded once.
    unit = (factors.shape[-1] + 1) * math.ldexp(1, -garnet.garnet(node).accum.frac)
    return Interval.of(found.low + share.low - unit, found.high + share.high + unit)


def _garnet(node: Any, inputs: list[Interval]) -> Interval:
    returned = _with_zero(garnet_returns(node, inputs[0]))
    bias = weights.values(node, "output_transform_biases").ravel()
    low, high = (end.sum(axis=-1) for end in (returned.low, returned.high))
    # A mean has a share of its bias; vertices that don't count have zero.
    return _with_zero(Interval.of(low + np.minimum(bias, 0), high + np.maximum(bias, 0)))


# Layers that move or select elements


def _same(node: Any, inputs: list[Interval]) -> Interval:
    return inputs[0]


def _padded(node: Any, inputs: list[Interval]) -> Interval:
    return _with_zero(inputs[0])


def _reshaped(node: Any, inputs: list[Interval]) -> Interval:
    return inputs[0].spread(channels(node))


def _transposed(node: Any, inputs: list[Interval]) -> Interval:
    perm = tensor.permutation(node)
    return inputs[0] if perm[-1] == len(perm) - 1 else inputs[0].hull()


def _concatenated(node: Any, inputs: list[Interval]) -> Interval:
    shapes = [node.get_input_variable(name).shape for name in node.inputs]
    if tensor.axis(node, len(shapes[0])) != len(shapes[0]) - 1:
        return inputs[0].union(inputs[1])
    ends = []
    for each, shape in zip(inputs, shapes, strict=True):
        wide = each.spread(int(shape[-1]))
        ends.append([np.broadcast_to(end, int(shape[-1])) for end in (wide.low, wide.high)])
    return Interval(*(np.concatenate(pair) for pair in zip(*ends, strict=True)))


def _pooled(node: Any, inputs: list[Interval]) -> Interval:
    return _with_zero(inputs[0]) if any(image.pads(node)) else inputs[0]


def _embedded(node: Any, inputs: list[Interval]) -> Interval:
    table = weights.values(node, "embeddings").reshape(-1, channels(node))
    return Interval(table.min(axis=0), table.max(axis=0))


# Activations


def _elu(x: Floats, alpha: float = 1.0) -> Floats:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


#: Functions that never decrease.
_GROWING: Final[dict[str, Callable[[Floats], Floats]]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu1": lambda x: np.clip(x, 0, 1),
    "relu6": lambda x: np.clip(x, 0, 6),
    "elu": _elu,
    "selu": lambda x: _SELU[0] * _elu(x, _SELU[1]),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
}
_BOUNDED: Final = {
    **dict.fromkeys(("sigmoid", "hard_sigmoid", "softmax"), (0.0, 1.0)),
    **dict.fromkeys(("tanh", "hard_tanh", "binary_tanh", "ternary_tanh"), (-1.0, 1.0)),
}


def _activation(node: Any, inputs: list[Interval]) -> Interval | None:
    name = activation.function(node)
    if name in _GROWING:
        return Interval.of(*(_GROWING[name](end) for end in (inputs[0].low, inputs[0].high)))
    return Interval.of(*_BOUNDED[name]) if name in _BOUNDED else None


def _parametrized(node: Any, inputs: list[Interval]) -> Interval | None:
    (x,) = inputs
    name, parameter = activation.parametrized(node), activation.parameter(node)
    if name == "leakyrelu":
        return _sloped(x, parameter)
    if name == "thresholdedrelu":
        passed = np.minimum(np.maximum(x.low, parameter), 0)
        return Interval.of(np.where(x.low > parameter, x.low, passed), np.maximum(x.high, 0))
    if name == "elu":
        return _bent(x, [_elu(end, parameter) for end in (x.low, x.high)])
    return None


def _bent(x: Interval, ends: list[Floats]) -> Interval:
    """The range of a function that is 0 at 0 and monotone on either side of it.

    Args:
        x: The range of its argument.
        ends: Its values at the ends of that range.
    """
    turns = (x.low < 0) & (x.high > 0)
    low, high = np.min(ends, axis=0), np.max(ends, axis=0)
    return Interval.of(
        np.where(turns, np.minimum(low, 0), low), np.where(turns, np.maximum(high, 0), high)
    )


def _sloped(x: Interval, *slopes: float) -> Interval:
    """The range of a ReLU whose slope below zero lies between the given numbers."""
    return _bent(
        x, [np.where(end < 0, slope * end, end) for end in (x.low, x.high) for slope in slopes]
    )


def _prelu(node: Any, inputs: list[Interval]) -> Interval:
    slopes = weights.values(node, "param")
    return _sloped(inputs[0], float(slopes.min()), float(slopes.max()))


_Rule = Callable[[Any, list[Interval]], Interval | None]

#: Rules for ranges, by hls4ml's class of layers. Without a rule, a result has its type's range.
_RULES: Final[dict[str, _Rule]] = {
    **dict.fromkeys(families.MATRICES, _dense),
    **dict.fromkeys(families.DEPTHWISE, _depthwise),
    **dict.fromkeys(families.NORMALIZATIONS, _batchnorm),
    **dict.fromkeys(families.RECURRENT, _recurrent),
    "LayerNormalization": _layer_normalized,
    "GarNet": _garnet,
    "Merge": _merge,
    "Dot": _dot,
    "Einsum": _einsum,
    **dict.fromkeys(("Clone", *families.CROPPINGS, *families.GLOBAL_POOLINGS, "Resize"), _same),
    **dict.fromkeys(families.POOLINGS, _pooled),
    **dict.fromkeys(families.PADDINGS, _padded),
    **dict.fromkeys(families.RESHAPES, _reshaped),
    "Transpose": _transposed,
    "Concatenate": _concatenated,
    "Embedding": _embedded,
    **dict.fromkeys(("Activation", "HardActivation", "Softmax"), _activation),
    "ParametrizedActivation": _parametrized,
    "PReLU": _prelu,
}
