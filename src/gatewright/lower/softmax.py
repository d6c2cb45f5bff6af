"""The four implementations of softmax in hls4ml."""

from __future__ import annotations

from typing import Any

from gatewright import kernels
from gatewright.fixed import FixedType
from gatewright.hlsgraph import activation
from gatewright.hlsgraph.activation import Softmax
from gatewright.hlsgraph.layers import Layer
from gatewright.hlsgraph.node import words
from gatewright.kernels import Kernel, curves
from gatewright.lower.registry import lowers, place

#: `table_t` of the legacy implementation, which hls4ml's template does not override.
_LEGACY_TABLE = FixedType(18, 8)


@lowers("Softmax")
def softmax(layer: Layer) -> Kernel:
    """exp(x) divided by the sum of all, by tables; or the index of the greatest element."""
    given = activation.softmax(layer.node)
    slices: Any = {"n_outer": given.outer, "n_inner": given.inner}
    if given.implementation == "argmax":
        return kernels.Argmax(**place(layer), **slices)
    if given.implementation == "legacy":
        return kernels.SoftmaxLegacy(
            **place(layer),
            **slices,
            exp_table=curves.legacy_exp(given.exp_size, _LEGACY_TABLE),
            inv_table=curves.legacy_invert(given.inv_size, _LEGACY_TABLE),
            table_type=_LEGACY_TABLE,
        )
    if given.implementation not in ("stable", "latency"):
        raise layer.refuse(f"softmax '{given.implementation}' is not supported yet")
    return kernels.Softmax(**place(layer), **slices, **_tables(layer, given))


def _tables(layer: Layer, given: Softmax) -> dict[str, Any]:
    exp_type, inv_type = words(layer.node, "exp_table"), words(layer.node, "inv_table")
    source, norm, exp_size = layer.inputs[0].type, None, given.exp_size
    if given.implementation == "stable":
        norm = given.norm
        if norm is None:
            norm = FixedType(source.width - source.signed, source.integer - source.signed, False)
            if source.signed:
                exp_size = min(given.inv_size, 1 << norm.width)
    return {
        "exp_table": curves.softmax_exp(
            exp_size, norm or source, exp_type, negative=norm is not None, scale=given.scale
        ),
        "exp_type": exp_type,
        "inv_table": curves.softmax_invert(given.inv_size, given.inv_input, inv_type),
        "inv_type": inv_type,
        "accum": words(layer.node, "accum"),
        "inv_input": given.inv_input,
        "norm": norm,
    }
