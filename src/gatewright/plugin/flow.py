"""hls4ml's Vitis flow, extended by a pass that sets types of softmax before C++ types are made."""

from __future__ import annotations

from typing import Any

from hls4ml.model.flow import get_flow, register_flow
from hls4ml.model.layers import Softmax
from hls4ml.model.optimizer import OptimizerPass, register_pass
from hls4ml.model.types import NamedType
from hls4ml.utils.string_utils import convert_to_snake_case

from gatewright.hlsgraph.marks import mark, marked
from gatewright.plugin import NAME

#: Mark on a softmax that was processed.
_SETTLED = "settled"


class SettleSoftmax(OptimizerPass):  # type: ignore[misc]  # hls4ml has no types
    """Sets those types of a softmax that the user did not set, as the command line does."""

    def match(self, node: Any) -> bool:
        """Whether a node is a softmax that was not processed."""
        return isinstance(node, Softmax) and not marked(node, _SETTLED, False)

    def transform(self, model: Any, node: Any) -> bool:
        """Set the types; returns False, because the structure of the graph does not change."""
        from gatewright.frontend.precision import Choices
        from gatewright.frontend.softmax_types import refine_softmax

        given = model.config.get_layer_config(node)
        user = {(node.name, key.removesuffix("_t")) for key in given if key.endswith("_t")}
        choices = Choices(user, {})
        refine_softmax(node, choices)
        chosen = choices.layers.get(node.name, {})
        precisions = {f"{what}_t": to for what, to in chosen.pop("Precision", {}).items()}
        for key, value in {**chosen, **precisions}.items():
            name = convert_to_snake_case(key)
            if name.endswith("_t"):
                to = model.config.backend.convert_precision_string(value)
                value = NamedType(f"{node.name}_{name}", to)
            node.set_attr(name, value)
        mark(node, _SETTLED, True)
        return False


def register_ip_flow() -> str:
    """Register the flow, and return its name."""
    requires = get_flow("vitis:ip").requires.copy()
    tables = register_pass("settle_softmax", SettleSoftmax, backend=NAME)
    flow = register_flow("softmax", [tables], requires=["vivado:init_layers"], backend=NAME)
    requires.insert(requires.index("vivado:specific_types"), flow)
    return str(register_flow("ip", None, requires=requires, backend=NAME))
