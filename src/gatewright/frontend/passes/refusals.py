"""Refuses layers that hls4ml has no C++ for and that no pass has replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.frontend.kinds import RECURRENT
from gatewright.frontend.network import Layer, Network
from gatewright.frontend.shapes import shapes_of
from gatewright.hlsgraph import limits

#: Layers whose result depends on the mask of a sequence.
_MASKED = ("GlobalAveragePooling1D", "Softmax", *RECURRENT)
#: Beginnings of the names of layers that don't pass a mask on.
_UNMASKING = ("Conv", "DepthwiseConv", "SeparableConv", "MaxPooling", "AveragePooling", "Flatten")


def refuse(network: Network, io: str) -> Network:
    """The network itself, if hls4ml can build all its layers in an io type.

    Raises:
        UnsupportedError: if it can't build a layer.
    """
    shapes = shapes_of(network)
    for layer in network.layers:
        reason = _reason(layer, [shapes[name] for name in layer.inputs], io)
        if reason is not None:
            raise UnsupportedError(
                f"{network.origin}: layer '{layer.name}' ({layer.kind}): {reason}"
            )
    return network


def refuse_masks(network: Network) -> Network:
    """The network itself, if no layer skips steps that an embedding masks.

    Raises:
        UnsupportedError: if a layer does, naming it and the embedding.
    """
    masked: dict[str, str] = {}
    for layer in network.layers:
        name = layer.label or layer.name
        masks = [masked[each] for each in layer.inputs if each in masked]
        if layer.arguments.get("mask_zero"):
            masks = [name]
        if masks and layer.kind in _MASKED:
            raise UnsupportedError(
                f"{network.origin}: layer '{masks[0]}': its mask_zero makes '{name}' skip "
                f"words that are 0, which hls4ml doesn't; use mask_zero=False"
            )
        if masks and not layer.kind.removeprefix("Q").startswith(_UNMASKING):
            masked[layer.name] = masks[0]
    return network


def _reason(layer: Layer, given: Sequence[tuple[int, ...]], io: str) -> str | None:
    """Why hls4ml can't build a layer, or None. Its own parser says nothing, or nothing helpful.

    Args:
        layer: The layer.
        given: Shapes of its inputs, without the batch.
        io: The io type, "parallel" or "stream".
    """
    if layer.kind.startswith("GarNet"):
        return _garnet_reason(layer, given[0][0], io)
    of_tensors = layer.kind in ("Dot", "Einsum") and any(len(shape) > 1 for shape in given)
    if of_tensors and io == "stream":
        return limits.NOT_IN_STREAMS
    if layer.arguments.get("normalize"):
        return "normalize=True is not supported; use normalize=False"
    return limits.interpolation_reason(str(layer.arguments.get("interpolation") or "nearest"))


def _garnet_reason(layer: Layer, vertices: int, io: str) -> str | None:
    """Why hls4ml can't build a GarNet, or None; arguments as for `_reason`."""
    if io == "stream":
        return limits.NOT_IN_STREAMS
    a: Mapping[str, Any] = layer.arguments
    for key, right in (("simplified", True), ("input_format", "xn"), ("output_activation", None)):
        if a[key] not in (right, right or "linear"):
            return f"hls4ml has no C++ for {key}={a[key]!r}; use {key}={right!r}"
    return limits.garnet_reason(
        vertices,
        a["collapse"] or "",
        by_count=a["mean_by_nvert"],
        is_quantized=bool(a["quantize_transforms"]),
    )
