"""Gives the factors and biases of a GarNet the types of its configuration, which hls4ml ignores."""

from __future__ import annotations

from typing import Any

from hls4ml.model.flow import get_available_flows, register_flow
from hls4ml.model.optimizer import OptimizerPass, register_pass

from gatewright.hlsgraph.garnet import FACTORS

#: The name of the flow that runs before hls4ml's own, and of its only pass.
FLOW = "gatewright_garnet"


class TypedFactors(OptimizerPass):  # type: ignore[misc]  # hls4ml has no types
    """Sets the types that hls4ml's layer has made of the values alone, with ten fraction bits."""

    def match(self, node: Any) -> bool:
        """Whether a type of a node isn't that of its configuration."""
        return node.class_name == "GarNet" and any(
            node.weights[what].type.precision != to for what, to in _configured(node).items()
        )

    def transform(self, model: Any, node: Any) -> bool:
        """Set the types."""
        del model
        for what, to in _configured(node).items():
            node.weights[what].update_precision(to)
        return False


def _configured(node: Any) -> dict[str, Any]:
    """The types that the configuration of a layer has for its factors, by name."""
    found = {what: node.model.config.get_precision(node, var=what) for what in FACTORS}
    # The type of anything without one of its own is a default of the model.
    return {what: to for what, (to, name) in found.items() if not name.endswith("default_t")}


def register() -> None:
    """Register the flow in hls4ml, if it isn't there yet."""
    if FLOW not in get_available_flows():
        register_pass(FLOW, TypedFactors)
        register_flow(FLOW, [FLOW])
