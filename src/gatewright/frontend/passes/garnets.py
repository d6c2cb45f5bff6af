"""Writes a GarNetStack as the GarNet layers of which it consists."""

from __future__ import annotations

from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten


def unstack(network: Network) -> Network:
    """The network with each GarNetStack as GarNet layers, one reading the other's vertices.

    hls4ml's own C++ for it can't be compiled unless its results become one.

    Raises:
        UnsupportedError: if a stack has quantizers.
    """

    def rule(parts: Parts) -> None:
        layer, arguments = parts.layer, dict[str, Any](parts.layer.arguments)
        if arguments["input_format"] != "xn":
            return  # refused with all others of that sort
        if arguments.pop("quantize_transforms") is not None:
            raise UnsupportedError(
                f"{network.origin}: layer '{layer.name}' ({layer.kind}): hls4ml leaves out its "
                "quantizers, which it has unless quantize_transforms=None"
            )
        sizes = ("n_aggregators", "n_filters", "n_propagate")
        layers = list(zip(*(arguments.pop(size) for size in sizes), strict=True))
        collapse, (source, count) = arguments.pop("collapse"), layer.inputs
        parts.note(f"a stack as {len(layers)} layers")
        for number, each in enumerate(layers):
            last = number == len(layers) - 1
            source = parts.add(
                "GarNet",
                "" if last else str(number),
                source,
                count,
                weights={
                    f"{what}_{role}": layer.weights[f"{what}{number}_{role}"]
                    for what in ("FLR", "S", "Fout")
                    for role in ("kernel", "bias")
                },
                collapse=collapse if last else None,
                **dict(zip(sizes, each, strict=True)),
                **arguments,
            )

    return rewritten(network, rule, ["GarNetStack"])
