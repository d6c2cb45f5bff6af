"""Replaces Rescaling layers by batch normalizations, which hls4ml has."""

from __future__ import annotations

from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten


def rescale(network: Network) -> Network:
    """The network with each Rescaling replaced by a batch normalization of mean 0, variance 1.

    Raises:
        UnsupportedError: if the number of constants is neither 1 nor the number of channels.
    """

    def rule(parts: Parts) -> None:
        arguments: Any = parts.layer.arguments
        channels = parts.given[0][-1]
        for key in ("scale", "offset"):
            value = arguments[key]
            if isinstance(value, tuple) and len(value) not in (1, channels):
                raise UnsupportedError(
                    f"{network.origin}: layer '{parts.layer.name}': its {key} "
                    f"has {len(value)} numbers; give one, or one for each of {channels} channels"
                )
        parts.affine("", parts.source, arguments["scale"], arguments["offset"])

    return rewritten(network, rule, ("Rescaling",))
