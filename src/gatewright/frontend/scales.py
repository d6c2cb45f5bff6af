"""Splits scales off weights into separate layers, if no type holds weights and scale together."""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.model.flow import get_available_flows, register_flow
from hls4ml.model.layers import ApplyAlpha
from hls4ml.model.optimizer import OptimizerPass, register_pass

from gatewright.frontend.network import Object
from gatewright.frontend.qkeras_layers import WeightQuantizer

#: The name of the flow that runs before hls4ml's own, and of its only pass.
FLOW = "gatewright_scales"

_SPLIT = ("Dense", "Conv1D", "Conv2D")


class SplitScale(OptimizerPass):  # type: ignore[misc]  # hls4ml has no types
    """Splits a scale off weights, like hls4ml's `qkeras_factorize_alpha`, but without TensorFlow.

    The layer keeps the weights without their scale. A new layer after it multiplies by the scale
    and adds the bias.
    """

    def match(self, node: Any) -> bool:
        """Whether a node's weights or its bias have a scale."""
        return node.class_name in _SPLIT and any(
            isinstance(quantizer, WeightQuantizer)
            and getattr(quantizer, "alpha", None) not in (None, 1)
            for quantizer in _quantizers(node)
        )

    def transform(self, model: Any, node: Any) -> bool:
        """Split off the scale of a node's weights."""
        weight, bias = node.weights["weight"], node.weights["bias"]
        quantizer: WeightQuantizer = weight.quantizer
        found = quantizer.quantized(weight.data_unquantized)
        scale: Any = found.scale
        if isinstance(scale, int | float):
            scale = np.ones(node.get_output_variable().shape[-1]) * scale
        # A channel whose weights are all 0 has a scale of 0.
        unscale = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale != 0)
        unscaled = quantizer.without_scale()
        weight.data = unscaled(unscale.astype(np.float32) * found.values)
        weight.quantizer = unscaled
        unscaled.hls_type, unscaled.bits = quantizer.hls_type, quantizer.bits
        node.attributes["weight_quantizer"] = unscaled
        shift, bias.data = bias.data, np.zeros(bias.data.shape)
        of_bias = node.attributes.get("bias_quantizer")
        if of_bias is not None:
            of_bias.alpha = 1
        name = f"{node.name}_alpha"
        model.config.set_name_config(name, {"Precision": "auto"})
        model.config.parse_name_config(name, {"Precision": "auto"})
        extents = ("out_width", "out_height", "n_filt") if "Conv" in node.class_name else ("n_out",)
        attributes = {
            "name": name,
            "class_name": "Alpha",
            "inputs": node.outputs,
            "n_in": int(np.prod([node.get_attr(extent, 1) for extent in extents])),
            "n_filt": node.get_attr("n_filt", -1),
            "reuse_factor": node.get_attr("reuse_factor"),
            "scale_data": scale,
            "scale_quantizer": _of_scale(quantizer.alpha, scale),
            "bias_data": shift,
            "bias_quantizer": getattr(bias, "quantizer", None),
            "trace": node.get_attr("trace", False),
        }
        model.insert_node(model.make_node(ApplyAlpha, name, attributes, node.outputs))
        return True


def _quantizers(node: Any) -> tuple[Any, Any]:
    return node.get_attr("weight_quantizer"), node.get_attr("bias_quantizer")


def _of_scale(alpha: Any, scale: Any) -> WeightQuantizer | None:
    """The quantizer of scales that are powers of two; None for other scales."""
    if alpha != "auto_po2":
        return None
    bits = max(int(np.abs(np.log2(scale)).max()) + 1, 2)
    defaults = {"max_value": None, "quadratic_approximation": False, "log2_rounding": "rnd"}
    return WeightQuantizer(Object("quantized_po2", {"bits": bits, "use_ste": True, **defaults}))


def register() -> None:
    """Register the flow in hls4ml, if it isn't there yet."""
    if FLOW not in get_available_flows():
        register_pass(FLOW, SplitScale)
        register_flow(FLOW, [FLOW])
