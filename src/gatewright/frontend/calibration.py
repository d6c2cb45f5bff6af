"""Calibration samples: the values that a model's own framework has for inputs and layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.fixed import FixedType, Overflow, Rounding, width_of
from gatewright.frontend import reference
from gatewright.frontend.folding import owner
from gatewright.frontend.network import Layer, Network
from gatewright.frontend.ranges import Interval
from gatewright.parsing.samples import read_arrays

#: Width of the type of an input whose samples are no integers.
_WIDTH = 16
#: Least width of the type of one whose samples are: a single bit may mean a sign.
_LEAST_WIDTH = 2
#: Samples below 2 to this are as good as zero; those beyond the other end are refused.
_LEAST_POINT, _MOST_POINT = -32, 40


@dataclass(frozen=True)
class Calibration:
    """What values calibration samples take in a network, by what its model calls a layer.

    Attributes:
        origin: The file that they are from.
        inputs: Types that hold the samples of the inputs, in their order.
        layers: Least and greatest value of each layer, inputs among them.
        linear: The same before a layer's own activation.
    """

    origin: str
    inputs: tuple[FixedType, ...]
    layers: Mapping[str, reference.Interval]
    linear: Mapping[str, reference.Interval]

    def by_node(self, graph: Any, network: Network) -> dict[str, Interval]:
        """The intervals of the nodes of a graph.

        Args:
            graph: hls4ml's ModelGraph.
            network: What hls4ml made it of, after all passes.
        """
        layers = {layer.name: layer for layer in network.layers}
        nodes = {node.name for node in graph.get_layers()}
        found: dict[str, Interval] = {}
        for node in graph.get_layers():
            name = owner(node)
            whole = name.removesuffix("_pointwise")
            values = None
            if name in layers:
                # A scale that hls4ml splits off a layer has its result.
                if f"{name}_alpha" not in nodes:
                    label = _label(layers[name])
                    values = self.linear.get(label) or self.layers.get(label)
            elif whole in layers:
                values = self.linear.get(_label(layers[whole]))
            else:
                values = self._activated(name, layers)
            if values is not None:
                found[node.name] = Interval.of(*values)
        return found

    def _activated(self, node: str, layers: Mapping[str, Layer]) -> reference.Interval | None:
        """Of the activation that hls4ml puts behind a layer, which it names after both."""
        for name, layer in layers.items():
            activation = layer.arguments.get("activation")
            if node == f"{name}_{activation}":
                return self.layers.get(_label(layer))
        return None


def calibrate(
    network: Any, path: Path, progress: Callable[[str], None] | None = None
) -> Calibration:
    """Measure a network on the samples of a file.

    Args:
        network: As `load` gave it, before any pass.
        path: `.npy` with the samples of the only input, or `.npz` with an array per input.
        progress: Is told that TensorFlow is being loaded.

    Raises:
        InputError: if the file can't be read or doesn't fit, the model is a graph whose types are
            chosen, or its framework fails.
    """
    if not isinstance(network, Network):
        raise InputError(
            f"{path}: the types of {network.origin} are already fixed; leave --data out"
        )
    samples = read_samples(network, path)
    ranges = reference.ranges(network, samples, progress=progress)
    inputs = tuple(sample_type(array) for array in samples)
    return Calibration(str(path), inputs, ranges.layers, ranges.linear)


def read_samples(network: Network, path: Path) -> list[NDArray[np.float64]]:
    """The samples of a file, (samples, *shape) per input of a network, in their order.

    Raises:
        InputError: if the file can't be read or doesn't fit the inputs.
    """
    arrays = read_arrays(path, alone=network.inputs[0])
    found: list[NDArray[np.float64]] = []
    for name in network.inputs:
        if name not in arrays:
            raise InputError(
                f"{path}: no array for input '{name}'; the model's inputs are "
                f"{', '.join(network.inputs)}"
            )
        array = arrays[name]
        shape: Any = network.layer(name).arguments["shape"]
        if array.ndim == 0 or len(array) == 0 or array[:1].size != math.prod(shape):
            raise InputError(
                f"{path}: input '{name}' has shape {array.shape}, should be "
                f"(samples, {', '.join(map(str, shape))})"
            )
        if np.abs(array.astype(np.float64)).max() > 2.0**_MOST_POINT:
            raise InputError(
                f"{path}: input '{name}' holds values beyond 2^{_MOST_POINT}; scale them"
            )
        found.append(array.astype(np.float64).reshape(len(array), *shape))
    if len({len(array) for array in found}) != 1:
        raise InputError(f"{path}: the inputs have different numbers of samples")
    return found


def sample_type(samples: NDArray[Any]) -> FixedType:
    """A type that holds samples: integers exactly; others in 16 bits, up to twice the greatest.

    Args:
        samples: Any shape, not empty.
    """
    low, high = float(samples.min()), float(samples.max())
    signed = low < 0
    if low == high == 0:
        return FixedType(_WIDTH, 1, signed, Rounding.RND, Overflow.SAT)
    if (samples == np.floor(samples)).all():
        width = max(width_of(int(low), int(high)), _LEAST_WIDTH)
        plain = FixedType(width, width, signed)
        if plain.max == high or (signed and plain.min == low):
            return plain  # bytes, say: nothing lies beyond
        return replace(plain, rounding=Rounding.RND, overflow=Overflow.SAT)
    integer = max(math.frexp(max(-low, high))[1], _LEAST_POINT) + 1 + signed
    return FixedType(_WIDTH, integer, signed, Rounding.RND, Overflow.SAT)


def _label(layer: Layer) -> str:
    return layer.label or layer.name
