"""Puts permutations and reshapes around layers on axes that hls4ml's layers don't support."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.frontend.kinds import KINDS
from gatewright.frontend.network import Layer, Network
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.shapes import Shape, shape_of

_NORMALIZATIONS = ("BatchNormalization", "QBatchNormalization")
_DENSE = ("Dense", "QDense")
#: Highest ranks of the tensors that hls4ml's layers read.
_DENSE_RANK = 3
_NORMALIZATION_RANK = 3


def channels_last(network: Network) -> Network:
    """The network with channels last: permutations go around layers with channels first."""
    kinds = [kind for kind, known in KINDS.items() if "data_format" in known.arguments]

    def rule(parts: Parts) -> None:
        rank = len(parts.given[0])
        if parts.layer.arguments["data_format"] != "channels_first":
            return
        if rank < 2:
            parts.keep(data_format="channels_last")
            return
        parts.note("channels_first as channels_last between permutations")
        source = parts.add("Permute", "last", parts.source, dims=(*range(2, rank + 1), 1))
        result = parts.keep(source, data_format="channels_last")
        if len(parts.shape(result)) == rank:
            parts.add("Permute", "first", result, dims=(rank, *range(1, rank)))

    return without_detours(rewritten(network, rule, kinds))


def normalize_last(network: Network) -> Network:
    """The network with batch normalizations of the last axis only, of tensors of rank 3 at most.

    Raises:
        InputError: if a layer normalizes an axis that doesn't exist, or its statistics don't fit
            the size of its axes.
    """

    def rule(parts: Parts) -> None:
        shape = parts.given[0]
        rank = len(shape)
        where = f"{network.origin}: layer '{parts.layer.name}'"
        axes = parts.axes(where, "batch normalization of")
        count = math.prod(shape[axis - 1] for axis in axes)
        for key, array in parts.layer.weights.items():
            if array.size != count:
                raise InputError(
                    f"{where}: weight '{key}' has {array.size} numbers, but axes {axes} of "
                    f"its input have {count}"
                )
        if axes == [rank]:
            if rank > _NORMALIZATION_RANK:
                parts.note(f"batch normalization of a tensor of rank {rank} as one of rows")
                _normalize_rows(
                    parts, (math.prod(shape[:-1]), shape[-1]), dict(parts.layer.weights)
                )
        elif len(axes) == 1 and rank <= _NORMALIZATION_RANK:
            parts.note(f"batch normalization of axis {axes[0]} as one of the last")
            there = (*(n for n in range(1, rank + 1) if n != axes[0]), axes[0])
            source = parts.add("Permute", "last", parts.source, dims=there)
            result = parts.keep(source, axis=(-1,))
            back = tuple(there.index(n) + 1 for n in range(1, rank + 1))
            parts.add("Permute", "back", result, dims=back)
        else:
            parts.note(f"batch normalization of axes {axes} as one of each element")
            sizes = [size if n in axes else 1 for n, size in enumerate(shape, 1)]
            weights = {
                key: np.broadcast_to(array.reshape(sizes), shape).ravel()
                for key, array in parts.layer.weights.items()
            }
            _normalize_rows(parts, (1, math.prod(shape)), weights)

    return without_detours(rewritten(network, rule, _NORMALIZATIONS))


def _normalize_rows(parts: Parts, rows: Shape, weights: dict[str, NDArray[Any]]) -> None:
    source = parts.add("Reshape", "rows", parts.source, target_shape=rows)
    result = parts.keep(source, axis=(-1,), weights=weights)
    parts.add("Reshape", "back", result, target_shape=parts.given[0])


def rows_of_dense(network: Network) -> Network:
    """The network with Dense layers on tensors of rank 3 at most."""

    def rule(parts: Parts) -> None:
        shape = parts.given[0]
        if len(shape) <= _DENSE_RANK:
            return
        parts.note(f"Dense on a tensor of rank {len(shape)} as one on rows")
        rows = (math.prod(shape[:-1]), shape[-1])
        result = parts.keep(parts.add("Reshape", "rows", parts.source, target_shape=rows))
        parts.add("Reshape", "back", result, target_shape=(*shape[:-1], parts.shape(result)[-1]))

    return rewritten(network, rule, _DENSE)


def keep_dimensions(network: Network) -> Network:
    """The network with global poolings without `keepdims`, each followed by a reshape."""

    def rule(parts: Parts) -> None:
        if parts.layer.arguments["keepdims"]:
            shape = shape_of(parts.layer, parts.given)
            parts.add("Reshape", "axes", parts.keep(keepdims=False), target_shape=shape)

    return rewritten(network, rule, [kind for kind in KINDS if kind.startswith("Global")])


def repeat_vectors(network: Network) -> Network:
    """The network with RepeatVector layers replaced by up-sampling of one row."""

    def rule(parts: Parts) -> None:
        row = parts.add("Reshape", "row", parts.source, target_shape=(1, *parts.given[0]))
        parts.add("UpSampling1D", "", row, size=parts.layer.arguments["n"])

    return rewritten(network, rule, ["RepeatVector"])


def share_slopes(network: Network) -> Network:
    """The network with PReLU layers that have a slope for each element of their input."""

    def rule(parts: Parts) -> None:
        if parts.layer.arguments["shared_axes"] is not None:
            alpha = np.broadcast_to(parts.layer.weights["alpha"], parts.given[0])
            parts.keep(weights={"alpha": np.ascontiguousarray(alpha)}, shared_axes=None)

    return rewritten(network, rule, ["PReLU"])


def without_detours(network: Network) -> Network:
    """The network without pairs of permutations that undo each other."""
    layers = {layer.name: layer for layer in network.layers}
    stands_for: dict[str, str] = {}
    for layer in network.layers:
        if layer.kind != "Permute":
            continue
        before = layers[stands_for.get(layer.inputs[0], layer.inputs[0])]
        dims: Any = layer.arguments["dims"]
        if before.kind == "Permute":
            first: Any = before.arguments["dims"]
            if all(first[n - 1] == place for place, n in enumerate(dims, 1)):
                stands_for[layer.name] = before.inputs[0]
    if not stands_for:
        return network

    def ends(name: str) -> str:
        while name in stands_for:
            name = stands_for[name]
        return name

    kept = [
        replace(layer, inputs=tuple(map(ends, layer.inputs)))
        for layer in network.layers
        if layer.name not in stands_for
    ]
    outputs = tuple(map(ends, network.outputs))
    return replace(network, layers=_read(kept, outputs), outputs=outputs)


def _read(layers: list[Layer], outputs: tuple[str, ...]) -> tuple[Layer, ...]:
    """The layers without permutations that no layer or output reads."""
    needed = set(outputs)
    found = []
    for layer in reversed(layers):
        if layer.kind != "Permute" or layer.name in needed:
            found.append(layer)
            needed.update(layer.inputs)
    return tuple(reversed(found))
