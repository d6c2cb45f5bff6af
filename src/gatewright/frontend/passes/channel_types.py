"""Quantizers of HGQ in streams, where hls4ml has one type for all elements of a beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import UnsupportedError
from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten


def quantize_in_streams(network: Network, io: str) -> Network:
    """The network with quantizers that hls4ml has in streams.

    A type for each channel is one type between scales: with a channel's least bit moved to the
    point, rounding is the same for all channels; with its greatest bit moved there, wrapping is.
    Types without a sign wrap among others as those with one, half a range lower.

    Raises:
        UnsupportedError: if types differ from pixel to pixel, or otherwise than this can express.
    """

    def rule(parts: Parts) -> None:
        layer = parts.layer
        where = f"{network.origin}: layer '{layer.label or layer.name}'"
        masks = [layer.weights[key] for key in ("keep_negative", "bits", "integers")]
        if all((mask == mask.flat[0]).all() for mask in masks) and _can_fold(network, parts):
            return
        signed, bits, integers = (_of_channels(where, mask, parts.given[0]) for mask in masks)
        overflow = layer.arguments["SAT"]
        used = bits > 0
        if not used.any():
            parts.affine("", parts.source, 0.0, 0.0)
            return
        most, is_signed = int(bits.max()), bool(signed[used].any())
        lower = np.where(used & (signed != is_signed), 0.5, 0.0)
        bits = np.where(used, bits, most)
        fractions = np.where(used, bits - integers, 0)
        alike = not lower.any() and (bits == most).all()
        if overflow != "wrap" and not alike:
            raise _refusal(where, f"types of several widths or signs with overflow {overflow}")
        if not alike or (fractions != fractions[0]).any() or not used.all():
            parts.note("a type for each channel as one type between scales")
        modes = {key: layer.arguments[key] for key in ("RND", "SAT")}
        source = parts.affine("scaled", parts.source, np.ldexp(1.0, fractions), 0.0)
        source = _quantized(parts, "steps", source, (is_signed, most, most), modes)
        if not alike:
            source = parts.affine("top", source, np.ldexp(1.0, -bits), -lower)
            modes = {"RND": "trn", "SAT": "wrap"}
            source = _quantized(parts, "wrapped", source, (is_signed, most, 0), modes)
            fractions = fractions - bits
        back = np.ldexp(1.0, -fractions) * used
        parts.affine("", source, back, back * lower)

    return rewritten(network, rule, ["FixedPointQuantizer"]) if io == "stream" else network


def _can_fold(network: Network, parts: Parts) -> bool:
    """Whether hls4ml makes the type that of the layer before, or a table reads it."""
    source = network.layer(parts.layer.inputs[0])
    readers = [layer for layer in network.layers if source.name in layer.inputs]
    tables = [layer for layer in network.layers if parts.layer.name in layer.inputs]
    alone = len(readers) == 1 and source.name not in network.outputs
    return (alone and source.kind != "InputLayer") or any(t.kind == "UnaryLUT" for t in tables)


def _of_channels(where: str, mask: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """A property of the types of channels, int64 of shape (channels,)."""
    each = np.broadcast_to(mask[0] if mask.size > 1 else mask.ravel(), shape)
    pixels = each.reshape(-1, shape[-1]).astype(np.int64)
    if (pixels != pixels[0]).any():
        raise _refusal(where, "types that differ from pixel to pixel")
    found: NDArray[np.int64] = pixels[0]
    return found


def _quantized(
    parts: Parts, what: str, source: str, to: tuple[bool, int, int], modes: dict[str, Any]
) -> str:
    """Add a quantizer of one type: whether it has a sign, its width, its integer bits."""
    keys = ("keep_negative", "bits", "integers")
    masks = {key: np.array([value], np.int16) for key, value in zip(keys, to, strict=True)}
    return parts.add(
        "FixedPointQuantizer", what, source, weights=masks, fusible=True, overrides=None, **modes
    )


def _refusal(where: str, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"{where} has {what}, which hls4ml has in io parallel only; convert with --io parallel, or "
        "train with heterogeneous_axis=() for one type of all elements"
    )
