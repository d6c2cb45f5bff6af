"""Sums of products along any axes, as fully connected layers between permutations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gatewright.errors import UnsupportedError
from gatewright.frontend.network import Network
from gatewright.frontend.passes.layouts import without_detours
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.shapes import Einsum, einsum_of

#: The function of slices along the last axis, which comes behind the last permutation.
_OF_SLICES: Final = "softmax"


def reword(network: Network) -> Network:
    """EinsumDense layers as Dense layers of the axes that they sum over, moved to the end.

    Raises:
        UnsupportedError: if an equation has other weights for each position, or sums without any.
    """

    def rule(parts: Parts) -> None:
        where = f"{network.origin}: layer '{parts.layer.name}'"
        equation: Any = parts.layer.arguments["equation"]
        einsum = einsum_of(equation, len(parts.given[0]))
        roles = _roles(einsum, f"{where}: its equation '{equation}'")
        sizes = dict(zip(einsum.reads[1:], parts.given[0], strict=True))
        kernel = parts.layer.weights["kernel"]
        sizes |= dict(zip(einsum.weights, kernel.shape, strict=True))
        parts.note(f"EinsumDense '{equation}' as Dense")
        moved = (*roles.kept, *roles.summed)
        source = _permuted(parts, "sums_last", parts.source, einsum.reads[1:], moved)
        rows = math.prod(sizes[axis] for axis in roles.kept)
        reads = math.prod(sizes[axis] for axis in roles.summed)
        shape = (rows, reads) if roles.kept else (reads,)
        source = _reshaped(parts, "rows", source, shape)
        units = math.prod(sizes[axis] for axis in roles.made)
        order = [einsum.weights.index(axis) for axis in (*roles.summed, *roles.made)]
        weights = {"kernel": np.transpose(kernel, order).reshape(reads, units)}
        if "bias" in parts.layer.weights:
            weights["bias"] = _bias(parts, einsum, roles, sizes, where)
        activation: Any = parts.layer.arguments["activation"]
        of_slices = activation == _OF_SLICES
        result = parts.add(
            "Dense",
            "",
            source,
            weights=weights,
            units=units,
            use_bias="bias" in weights,
            activation="linear" if of_slices else activation,
        )
        axes = (*roles.kept, *roles.made)
        result = _reshaped(parts, "axes", result, tuple(sizes[axis] for axis in axes))
        result = _permuted(parts, "in_order", result, axes, einsum.gives[1:])
        if of_slices:
            parts.add("Activation", "softmax", result, activation=activation)

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


def _bias(parts: Parts, einsum: Einsum, roles: _Roles, sizes: dict[str, int], where: str) -> Any:
    """The bias of each result of the Dense layer.

    Raises:
        UnsupportedError: if there is one for each position.
    """
    axes = str(parts.layer.arguments["bias_axes"])
    others = [axis for axis in axes if axis not in roles.made]
    if others:
        raise UnsupportedError(
            f"{where}: its bias_axes '{axes}' give each position along '{others[0]}' a bias of its "
            "own; use a Dense layer and an Add"
        )
    bias = parts.layer.weights["bias"]
    # Keras stores the axes of the result from the first that has a bias, those without one as 1.
    behind = einsum.gives[einsum.gives.index(axes[0]) :]
    named = bias.reshape([sizes[axis] if axis in axes else 1 for axis in behind])
    kept = [axis for axis in behind if axis in roles.made]
    named = named.reshape([sizes[axis] if axis in axes else 1 for axis in kept])
    named = named.reshape((1,) * (len(roles.made) - len(kept)) + named.shape)
    return np.ascontiguousarray(
        np.broadcast_to(named, [sizes[axis] for axis in roles.made]).ravel()
    )


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
