"""Replaces Softmax layers by softmax activations: hls4ml's C++ for the layer doesn't compile."""

from __future__ import annotations

import math

from gatewright.frontend.network import Network
from gatewright.frontend.passes.layouts import without_detours
from gatewright.frontend.passes.parts import Parts, rewritten


def reword_softmax(network: Network) -> Network:
    """The network with each softmax as an activation over the last axis.

    A softmax over another axis gets permutations around it; over several axes, reshapes as well.

    Raises:
        InputError: if the input of a softmax doesn't have its axis.
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
