"""Reverses sequences, by products with a matrix that has ones from corner to corner."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from gatewright.errors import UnsupportedError
from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten

#: Most steps that are reversed; the matrix has the square of that many weights.
MOST_STEPS: Final = 1024


def reword(network: Network) -> Network:
    """The network without `Reverse`, which hls4ml lacks, and without layers that run backwards.

    A recurrent layer that runs backwards is the same layer on the reversed sequence.

    Raises:
        UnsupportedError: if there are too many steps to reverse.
    """

    def turn(parts: Parts) -> None:
        if parts.layer.arguments.get("go_backwards"):
            parts.note("runs backwards, as it is given the reversed sequence")
            parts.keep(parts.add("Reverse", "turned", parts.source), go_backwards=False)

    def rule(parts: Parts) -> None:
        (shape,) = parts.given
        steps, elements = shape[0], math.prod(shape[1:])
        if steps > MOST_STEPS:
            raise UnsupportedError(
                f"{network.origin}: layer '{parts.layer.name}': reverses {steps} steps; at most "
                f"{MOST_STEPS} are supported"
            )
        source = parts.source
        if len(shape) != 2:
            source = parts.add("Reshape", "rows", source, target_shape=(steps, elements))
        source = parts.add("Permute", "steps_last", source, dims=(2, 1))
        kernel = np.eye(steps, dtype=np.float32)[::-1].copy()
        source = parts.add(
            "Dense", "", source, weights={"kernel": kernel}, units=steps, use_bias=False
        )
        source = parts.add("Permute", "steps_first", source, dims=(2, 1))
        if len(shape) != 2:
            parts.add("Reshape", "back", source, target_shape=shape)

    return rewritten(rewritten(network, turn, ("LSTM", "GRU")), rule, ("Reverse",))
