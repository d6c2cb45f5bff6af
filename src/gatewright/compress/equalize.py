"""Rescales tensors within a network without changing its outputs.

relu(s x) = s relu(x) for positive s, and poolings, sums and paddings have the same property. So the
weights that compute a tensor can be divided by a positive number for each channel, if the weights
that read the tensor are multiplied by it. Tensors that must share such a scale form a group.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.editable_model import Network, Node

# Layers with f(s x) = s f(x) for s > 0, separately for each channel.
_HOMOGENEOUS = (
    *("Dropout", "Flatten", "Add", "Subtract", "Average", "Maximum", "Minimum"),
    *(
        f"{kind}{rank}D"
        for rank in (1, 2)
        for kind in (
            "MaxPooling",
            "AveragePooling",
            "GlobalMaxPooling",
            "GlobalAveragePooling",
            "ZeroPadding",
            "Cropping",
            "UpSampling",
        )
    ),
)
_MOST_ROUNDS = 50
_SETTLED = 1e-3
# Limit of scales: channels with tiny weights would get scales that floats can hardly hold.
_MOST = 2.0**10


@dataclass
class Group:
    """Tensors that share their scales.

    Attributes:
        tensors: Names of the layers that compute them.
        writers: Names of those of these layers that have kernels.
        readers: Names of layers with kernels that read any of them.
        channels: The number of scales, one for each channel.
    """

    tensors: set[str]
    writers: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)
    channels: int = 1

    def scale(self, network: Network, scales: NDArray[np.float64]) -> None:
        """Divide the tensors by positive scales [channels]; the network's outputs don't change."""
        for name in self.writers:
            network.put(_written(network[name], 1 / scales))
        for name in self.readers:
            network.put(_read(network[name], scales))


def find_groups(network: Network) -> list[Group]:
    """The groups whose scales are free.

    Inputs and outputs of the model fix the scale of their group. So do the inputs and results of
    functions such as tanh, of unknown layers, and of batch normalizations that weren't folded.
    """
    group_of = {node.name: Group({node.name}) for node in network}
    bound: set[str] = set(network.outputs)
    for node in network:
        if node.kernels:
            group_of[node.name].writers.append(node.name)
        elif _is_homogeneous(node):
            for name in node.inputs:
                _join(group_of, node.name, name)
        else:
            bound |= {node.name, *node.inputs}
    for node in network:
        if node.kernels:
            group_of[node.inputs[0]].readers.append(node.name)
    found: list[Group] = []
    for group in {id(group): group for group in group_of.values()}.values():
        widths = {_outputs(network[name]) for name in group.writers}
        if not bound & group.tensors and len(widths) == 1 and group.readers:
            (group.channels,) = widths
            found.append(group)
    return found


def equalize(network: Network) -> None:
    """Even out the ranges of the channels' weights between consecutive layers.

    The type of a kernel must suit its widest channel. Cross-layer equalization (Nagel et al.,
    "Data-free quantization through weight equalization and bias correction", 2019): if r1 and r2
    are the largest weights that write and read a channel, the scale s = sqrt(r1 / r2) makes both
    sqrt(r1 r2). This is repeated until the scales settle. The network is changed in place.
    """
    groups = find_groups(network)
    for _ in range(_MOST_ROUNDS):
        moved = 0.0
        for group in groups:
            writers, readers = (
                [network[n] for n in names] for names in (group.writers, group.readers)
            )
            written = np.max([_range_written(node) for node in writers], axis=0)
            read = np.max([_range_read(node, group.channels) for node in readers], axis=0)
            alive = (written > 0) & (read > 0)
            scales = np.sqrt(np.divide(written, read, out=np.ones_like(read), where=alive))
            scales = np.clip(scales.astype(np.float64), 1 / _MOST, _MOST)
            group.scale(network, scales)
            moved = max(moved, float(np.abs(np.log2(scales)).max()))
        if moved < _SETTLED:
            return


def _is_homogeneous(node: Node) -> bool:
    if node.function:
        return node.function == "linear" or (node.function == "relu" and node.limit is None)
    return node.kind in _HOMOGENEOUS


def _join(group_of: dict[str, Group], one: str, other: str) -> None:
    first, second = group_of[one], group_of[other]
    if first is not second:
        first.tensors |= second.tensors
        first.writers += second.writers
        for name in second.tensors:
            group_of[name] = first


def _outputs(node: Node) -> int:
    """The number of output channels of a layer with kernels."""
    *_, last = node.kernels.values()
    return int(np.prod(_axes(node, last)))


def _axes(node: Node, last: NDArray[Any]) -> tuple[int, ...]:
    """The sizes of the last kernel's axes that are the output channels."""
    return last.shape[-2:] if node.kind.startswith("Depthwise") else last.shape[-1:]


def _written(node: Node, factors: NDArray[np.float64]) -> Node:
    """The layer with its output channels multiplied by factors [channels]."""
    *kernels, last = node.kernels.values()
    weights = [*kernels, last * factors.reshape(_axes(node, last))]
    if node.bias is not None:
        weights.append(node.bias * factors)
    return replace(node, weights=tuple(weights))


def _read(node: Node, factors: NDArray[np.float64]) -> Node:
    """The layer with its input channels multiplied; for a flattened input, in every pixel."""
    first, *others = node.weights
    axis = _input_axis(node)
    wide = np.tile(factors, first.shape[axis] // len(factors))
    shape = [1] * first.ndim
    shape[axis] = -1
    return replace(node, weights=(first * wide.reshape(shape), *others))


def _input_axis(node: Node) -> int:
    """The axis of the first kernel that is the input channels."""
    return node.weights[0].ndim - 2


def _range_written(node: Node) -> NDArray[Any]:
    *_, last = node.kernels.values()
    ranges: NDArray[Any] = np.abs(last).reshape(-1, _outputs(node)).max(axis=0)
    return ranges


def _range_read(node: Node, channels: int) -> NDArray[Any]:
    first = np.moveaxis(np.abs(node.weights[0]), _input_axis(node), 0)
    ranges: NDArray[Any] = first.reshape(-1, channels, first[0].size).max(axis=(0, 2))
    return ranges
