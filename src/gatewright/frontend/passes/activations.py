"""Replaces activations that hls4ml lacks by activations that it has."""

from __future__ import annotations

from typing import Any

from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten

#: Functions of x that are x times another function of x.
_GATES = {"silu": "sigmoid", "hard_silu": "hard_sigmoid"}
#: Limits at which hls4ml can clip a relu, in io_parallel.
_CLIPS = (1, 6)


def reword_activations(network: Network, io: str) -> Network:
    """The network with ReLU layers and other functions replaced by activations that hls4ml has."""

    def rule(parts: Parts) -> None:
        arguments: Any = parts.layer.arguments
        if parts.layer.kind == "ReLU":
            slope, threshold = arguments["negative_slope"] or 0, arguments["threshold"] or 0
            _relu(parts, slope, threshold, arguments["max_value"], io)
        elif arguments["activation"] in ("relu1", "relu6") and io == "stream":
            _relu(parts, 0, 0, int(arguments["activation"][-1]), io)
        elif arguments["activation"] == "hard_tanh":
            _hard_tanh(parts)
        elif arguments["activation"] in _GATES:
            _gated(parts, _GATES[arguments["activation"]])

    return rewritten(network, rule, ["Activation", "ReLU"], io)


def split_activations(network: Network, io: str) -> Network:
    """The network in which activations that `reword_activations` replaces are separate layers."""
    reworded = ("hard_tanh", *_GATES, *(("relu1", "relu6") if io == "stream" else ()))

    def rule(parts: Parts) -> None:
        activation = parts.layer.arguments.get("activation")
        if activation in reworded:
            result = parts.keep(activation="linear")
            parts.add("Activation", str(activation), result, activation=activation)

    kinds = {layer.kind for layer in network.layers} - {"Activation", "QActivation"}
    return rewritten(network, rule, sorted(kinds), io)


def _relu(parts: Parts, slope: float, threshold: float, limit: float | None, io: str) -> None:
    """Add clip(x if x > t else 0, 0, m) - a * relu(t - x), which is Keras' ReLU layer."""
    source = parts.source
    if limit in _CLIPS and not slope and not threshold and io == "parallel":
        parts.add("Activation", "", source, activation=f"relu{limit:.0f}")
        return
    if slope and limit is None and not threshold:
        parts.add("LeakyReLU", "", source, alpha=slope)
        return
    if threshold:
        result = parts.add("ThresholdedReLU", "", source, theta=threshold)
    else:
        result = parts.add("Activation", "", source, activation="relu")
    if limit is not None:
        parts.note(f"relu clipped at {limit:g} as {limit:g} - relu({limit:g} - relu(x))")
        result = parts.at_most(result, limit)
    if slope:
        parts.note(f"slope {slope:g} below {threshold:g} as a separate branch")
        below = parts.affine("below", source, -1, threshold)
        below = parts.add("Activation", "beneath", below, activation="relu")
        below = parts.affine("sloped", below, -slope, 0)
        parts.add("Add", "sum", result, below)


def _gated(parts: Parts, gate: str) -> None:
    """Add x times a function of x."""
    parts.note(f"{parts.layer.arguments['activation']} as x times its {gate}")
    opened = parts.add("Activation", "gate", parts.source, activation=gate)
    parts.add("Multiply", "", parts.source, opened)


def _hard_tanh(parts: Parts) -> None:
    """Add clip(x, -1, 1), as min(relu(x + 1), 2) - 1."""
    parts.note("hard_tanh as relus")
    above = parts.affine("above", parts.source, 1, 1)
    parts.at_most(parts.add("Activation", "", above, activation="relu"), 2, shift=1)
