"""Puts layer normalizations into the form that hls4ml reads: of the last of two axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gatewright.errors import UnsupportedError
from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten

#: Largest relative difference of an epsilon from a power of ten, as which hls4ml reads it.
_EQUAL = 1e-6


def reword(network: Network) -> Network:
    """The network with layer normalizations of rows only, each with a scale and an offset.

    Raises:
        InputError: if a layer normalizes an axis that doesn't exist.
        UnsupportedError: if hls4ml would read a layer otherwise than it is.
    """

    def rule(parts: Parts) -> None:
        layer, shape = parts.layer, parts.given[0]
        where = f"{network.origin}: layer '{layer.name}' ({layer.kind})"
        if parts.axes(f"{network.origin}: layer '{layer.name}'", "layer normalization of") != [
            len(shape)
        ]:
            raise UnsupportedError(f"{where}: hls4ml normalizes the last axis only; use axis=-1")
        if layer.arguments["rms_scaling"]:
            raise UnsupportedError(f"{where}: rms_scaling=True is not supported; use False")
        given: Any = layer.arguments["epsilon"]
        epsilon = float(given)
        power = 10.0 ** round(math.log10(epsilon)) if epsilon > 0 else 0.0
        if not 0 < power < 1 or abs(epsilon / power - 1) > _EQUAL:
            raise UnsupportedError(
                f"{where}: hls4ml has powers of ten below 1 as epsilon, not {epsilon:g}; "
                f"use epsilon=0.001"
            )
        count = shape[-1]
        weights = {"gamma": np.ones(count), "beta": np.zeros(count), **layer.weights}
        rows = (math.prod(shape[:-1]), count)
        source = parts.source
        if shape != rows:
            parts.note(f"layer normalization of a tensor of rank {len(shape)} as one of rows")
            source = parts.add("Reshape", "rows", source, target_shape=rows)
        result = parts.keep(source, weights=weights, axis=(2,), center=True, scale=True)
        if shape != rows:
            parts.add("Reshape", "back", result, target_shape=shape)

    return rewritten(network, rule, ["LayerNormalization"])
