"""Softmax as the activation that hls4ml has: what it makes of the layer does not compile."""

from __future__ import annotations

import math

from gatewright.frontend.network import Network
from gatewright.frontend.passes.layouts import without_detours
from gatewright.frontend.passes.parts import Parts, rewritten


def reword_softmax(network: Network) -> Network:
    """The network with each softmax as an activation, which runs over the last axis.

    Those over other axes stand between permutations; those over several axes between reshapes, too.

    Raises:
        InputError: naming the layer, if it runs over an axis that isn't there.
    """

    def rule(parts: Parts) -> None:
        rank = len(parts.given[0])
        over = parts.axes(f"{network.origin}: layer '{parts.layer.name}'", "softmax over")
        there = (*(n for n in range(1, rank + 1) if n not in over), *over)
        if over != [rank]:
            parts.note(f"softmax over axes {over} as one over the last")
        source = _permuted(parts, "last", parts.source, there)
        turned = parts.shape(source)
        if len(over) > 1:
            kept = turned[: rank - len(over)]
            if kept:
                rows = (*kept, math.prod(turned[len(kept) :]))
                source = parts.add("Reshape", "joined", source, target_shape=rows)
            else:
                source = parts.add("Flatten", "joined", source)
        result = parts.add("Activation", "", source, activation="softmax")
        if len(over) > 1:
            result = parts.add("Reshape", "parted", result, target_shape=turned)
        _permuted(parts, "back", result, tuple(there.index(n) + 1 for n in range(1, rank + 1)))

    return without_detours(rewritten(network, rule, ["Softmax"]))


def _permuted(parts: Parts, what: str, source: str, dims: tuple[int, ...]) -> str:
    if dims == tuple(sorted(dims)):
        return source
    return parts.add("Permute", what, source, dims=dims)
