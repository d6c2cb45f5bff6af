"""Calibration: ranges of inputs and layers, which the model's own framework computes on samples."""

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

#: Width of the type of an input whose samples aren't all integers.
_WIDTH = 16
#: Least width of the type of an input with integer samples: a single bit may mean a sign.
_LEAST_WIDTH = 2
#: Exponents of 2. Samples below the first count as zero; samples beyond the second are refused.
_LEAST_POINT, _MOST_POINT = -32, 40


@dataclass(frozen=True)
class Calibration:
    """Ranges of a network's values on calibration data, by the model's own names of layers.

    Attributes:
        origin: The file of the calibration data.
        inputs: Types that hold the samples, one for each input of the network, in order.
        layers: Least and greatest value of each layer, including inputs.
        linear: The same before a layer's own activation.
    """

    origin: str
    inputs: tuple[FixedType, ...]
    layers: Mapping[str, reference.Interval]
    linear: Mapping[str, reference.Interval]

    def by_node(self, graph: Any, network: Network) -> dict[str, Interval]:
        """The measured intervals of the nodes of a graph, by node's name.

        Args:
            graph: hls4ml's ModelGraph.
            network: The network after all passes, from which hls4ml made the graph.
        """
        layers = {layer.name: layer for layer in network.layers}
        nodes = {node.name for node in graph.get_layers()}
        found: dict[str, Interval] = {}
        for node in graph.get_layers():
            name = owner(node)
            whole = name.removesuffix("_pointwise")
            values = None
            if name in layers:
                # If hls4ml splits off a layer's scale, the scale's node has the layer's result.
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
        """The range of an activation that hls4ml appends to a layer and names after both."""
        for name, layer in layers.items():
            activation = layer.arguments.get("activation")
            if node == f"{name}_{activation}":
                return self.layers.get(_label(layer))
        return None


def calibrate(
    network: Any, path: Path, progress: Callable[[str], None] | None = None
) -> Calibration:
    """Measure the ranges of a network's layers on the calibration data of a file.

    Args:
        network: What `load` returned, before any pass.
        path: `.npy` with the samples of the only input, or `.npz` with an array for each input;
            each of shape (samples, *shape).
        progress: Called with a line when TensorFlow is being loaded.

    Raises:
        InputError: if the file can't be read or doesn't fit the inputs, the model is a graph whose
            types are already fixed, or its framework fails.
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
    """Read the samples of a file: an array (samples, *shape) for each input, in order.

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
    """A type that holds samples.

    It holds integers exactly. Other samples get 16 bits, and a range of up to twice the greatest
    magnitude.

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
            return plain  # the samples fill the type, as bytes do; it needs no saturation
        return replace(plain, rounding=Rounding.RND, overflow=Overflow.SAT)
    integer = max(math.frexp(max(-low, high))[1], _LEAST_POINT) + 1 + signed
    return FixedType(_WIDTH, integer, signed, Rounding.RND, Overflow.SAT)


def _label(layer: Layer) -> str:
    return layer.label or layer.name
