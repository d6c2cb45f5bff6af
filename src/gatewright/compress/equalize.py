"""Scales of tensors that a network can exchange without computing anything else.

A relu of a positive multiple is the same multiple of the relu, and so it is with pooling, sums,
padding. So whatever writes a tensor can be divided by a positive number, channel by channel, if
whatever reads it multiplies by it. Tensors that share such a scale are a group.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.editable_model import Network, Node

# They pass a scale on: f(s x) = s f(x) for s > 0, each channel by itself.
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
# A channel of almost no weight is not worth a scale that floats can hardly hold.
_MOST = 2.0**10


@dataclass
class Group:
    """Tensors of one scale.

    Attributes:
        tensors: Names of the layers that give them.
        writers: Layers with kernels whose outputs are among them.
        readers: Layers with kernels that read any of them.
        channels: How many scales there are.
    """

    tensors: set[str]
    writers: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)
    channels: int = 1

    def scale(self, network: Network, scales: NDArray[np.float64]) -> None:
        """Divide the tensors by positive scales of shape [channels]; the network's outputs stay."""
        for name in self.writers:
            network.put(_written(network[name], 1 / scales))
        for name in self.readers:
            network.put(_read(network[name], scales))


def find_groups(network: Network) -> list[Group]:
    """The groups whose scale is free: none that the model's inputs or outputs belong to.

    Curves such as tanh fix the scale of what goes in and comes out; so do layers of which it isn't
    known here, and a batch normalization that could not be folded.
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
    """Even out the ranges of weights between the channels of layers that stand behind one another.

    A type for a whole kernel is as coarse as its widest channel needs. Cross-layer equalization
    (Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019):
    scales s = sqrt(r1 / r2), r1 and r2 being the largest weights of a channel where it is written
    and read, leave both ranges at sqrt(r1 r2). Repeated until nothing moves.
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
    """Channels that a layer with kernels gives."""
    *_, last = node.kernels.values()
    return int(np.prod(_axes(node, last)))


def _axes(node: Node, last: NDArray[Any]) -> tuple[int, ...]:
    """The axes of the last kernel that are the channels of the output."""
    return last.shape[-2:] if node.kind.startswith("Depthwise") else last.shape[-1:]


def _written(node: Node, factors: NDArray[np.float64]) -> Node:
    """A layer whose output channels are multiplied."""
    *kernels, last = node.kernels.values()
    weights = [*kernels, last * factors.reshape(_axes(node, last))]
    if node.bias is not None:
        weights.append(node.bias * factors)
    return replace(node, weights=tuple(weights))


def _read(node: Node, factors: NDArray[np.float64]) -> Node:
    """A layer whose input channels are multiplied; of a flattened input, each pixel's."""
    first, *others = node.weights
    axis = _input_axis(node)
    wide = np.tile(factors, first.shape[axis] // len(factors))
    shape = [1] * first.ndim
    shape[axis] = -1
    return replace(node, weights=(first * wide.reshape(shape), *others))


def _input_axis(node: Node) -> int:
    """The axis of the first kernel that is the channels of the input."""
    return node.weights[0].ndim - 2


def _range_written(node: Node) -> NDArray[Any]:
    *_, last = node.kernels.values()
    ranges: NDArray[Any] = np.abs(last).reshape(-1, _outputs(node)).max(axis=0)
    return ranges


def _range_read(node: Node, channels: int) -> NDArray[Any]:
    first = np.moveaxis(np.abs(node.weights[0]), _input_axis(node), 0)
    ranges: NDArray[Any] = first.reshape(-1, channels, first[0].size).max(axis=(0, 2))
    return ranges
