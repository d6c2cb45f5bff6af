"""Sums of products along any axes, as fully connected layers between permutations."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.network import Network
from gatewright.frontend.passes.layouts import without_detours
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.shapes import Einsum, einsum_of

#: The function of slices along the last axis, which comes behind the last permutation.
_OF_SLICES: Final = "softmax"


def reword(network: Network) -> Network:
    """EinsumDense layers as Dense layers of the axes that they sum over, moved to the end.

    Raises:
        InputError: if the arrays of a layer don't fit its equation.
        UnsupportedError: if an equation has other weights for each position, or sums without any.
    """

    def rule(parts: Parts) -> None:
        where = f"{network.origin}: layer '{parts.layer.name}'"
        equation: Any = parts.layer.arguments["equation"]
        einsum = einsum_of(equation, len(parts.given[0]))
        roles = _roles(einsum, f"{where}: its equation '{equation}'")
        sizes = _sizes(parts, einsum, where)
        parts.note(f"EinsumDense '{equation}' as Dense")

        def extents(axes: Iterable[str]) -> list[int]:
            return [sizes[axis] for axis in axes]

        source = _permuted(
            parts, "sums_last", parts.source, einsum.reads[1:], (*roles.kept, *roles.summed)
        )
        reads, units = (math.prod(extents(axes)) for axes in (roles.summed, roles.made))
        rows = (math.prod(extents(roles.kept)), reads) if roles.kept else (reads,)
        source = _reshaped(parts, "rows", source, rows)
        order = [einsum.weights.index(axis) for axis in (*roles.summed, *roles.made)]
        kernel = parts.layer.weights["kernel"].transpose(order).reshape(reads, units)
        weights: dict[str, NDArray[Any]] = {"kernel": kernel}
        axes = (*roles.kept, *roles.made)
        bias = _bias(parts, einsum, sizes, where)
        by_position = None
        if bias is not None:
            ordered = bias.transpose([einsum.gives[1:].index(axis) for axis in axes])
            split = len(roles.kept)
            if set(ordered.shape[:split]) <= {1}:
                own = ordered.reshape(ordered.shape[split:])
                weights["bias"] = np.broadcast_to(own, extents(roles.made)).ravel()
            else:
                by_position = np.broadcast_to(bias, extents(einsum.gives[1:])).ravel()
        activation: Any = parts.layer.arguments["activation"]
        comes_last = by_position is not None or activation == _OF_SLICES
        result = parts.add(
            "Dense",
            "",
            source,
            weights=weights,
            units=units,
            use_bias="bias" in weights,
            activation="linear" if comes_last else activation,
        )
        result = _reshaped(parts, "axes", result, tuple(extents(axes)))
        result = _permuted(parts, "in_order", result, axes, einsum.gives[1:])
        if by_position is not None:
            result = _reshaped(parts, "row", result, (1, by_position.size))
            result = parts.affine("bias", result, 1.0, by_position.tolist())
            result = _reshaped(parts, "back", result, tuple(extents(einsum.gives[1:])))
        if comes_last and activation != "linear":
            parts.add("Activation", "function", result, activation=activation)

    return without_detours(rewritten(network, rule, ["EinsumDense"]))


@dataclass(frozen=True)
class _Roles:
    """The axes of an equation, the batch's aside.

    Attributes:
        kept: Of the input that are in the result.
        summed: Of the input that are summed over.
        made: Of the weights that are in the result.
    """

    kept: tuple[str, ...]
    summed: tuple[str, ...]
    made: tuple[str, ...]


def _roles(einsum: Einsum, where: str) -> _Roles:
    batch, *reads = einsum.reads
    if einsum.gives[:1] != (batch,) or batch in einsum.weights:
        raise UnsupportedError(f"{where}: its first axis is not the batch's")
    for axis in reads:
        if axis in einsum.weights and axis in einsum.gives:
            raise UnsupportedError(
                f"{where} has other weights for each position along '{axis}', which hls4ml has not"
            )
        if axis not in einsum.weights and axis not in einsum.gives:
            raise UnsupportedError(f"{where} sums along '{axis}' without weights")
    return _Roles(
        tuple(axis for axis in einsum.gives if axis in reads),
        tuple(axis for axis in reads if axis in einsum.weights),
        tuple(axis for axis in einsum.gives if axis in einsum.weights),
    )


def _sizes(parts: Parts, einsum: Einsum, where: str) -> dict[str, int]:
    """The size of each axis, of the input or of the weights.

    Raises:
        InputError: if the two don't agree.
    """
    sizes = dict(zip(einsum.reads[1:], parts.given[0], strict=True))
    kernel = parts.layer.weights["kernel"].shape
    wanted = [sizes.get(axis) for axis in einsum.weights]
    if len(kernel) != len(wanted) or any(
        want not in (None, size) for want, size in zip(wanted, kernel, strict=True)
    ):
        raise InputError(
            f"{where}: weight 'kernel' has shape {list(kernel)}, which the equation "
            f"'{parts.layer.arguments['equation']}' does not take"
        )
    return sizes | dict(zip(einsum.weights, kernel, strict=True))


def _bias(
    parts: Parts, einsum: Einsum, sizes: dict[str, int], where: str
) -> NDArray[np.float32] | None:
    """The bias in the axes of the result, those along which it is the same having a size of 1.

    Raises:
        InputError: if its shape is not that of its axes.
    """
    if "bias" not in parts.layer.weights:
        return None
    array, named = parts.layer.weights["bias"], str(parts.layer.arguments["bias_axes"])
    shape = [sizes[axis] if axis in named else 1 for axis in einsum.gives[1:]]
    if not set(named) <= set(einsum.gives[1:]) or array.size != math.prod(shape):
        raise InputError(
            f"{where}: weight 'bias' has shape {list(array.shape)}, which bias_axes '{named}' does "
            "not take"
        )
    return array.reshape(shape)


def _permuted(
    parts: Parts, what: str, source: str, axes: tuple[str, ...], wanted: tuple[str, ...]
) -> str:
    if axes == wanted:
        return source
    return parts.add("Permute", what, source, dims=tuple(axes.index(each) + 1 for each in wanted))


def _reshaped(parts: Parts, what: str, source: str, shape: tuple[int, ...]) -> str:
    if parts.shape(source) == shape:
        return source
    return parts.add("Reshape", what, source, target_shape=shape)
