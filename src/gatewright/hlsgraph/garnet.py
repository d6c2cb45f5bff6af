"""GarNet: vertices of a graph that exchange features through aggregators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from gatewright.fixed import FixedType
from gatewright.hlsgraph import weights
from gatewright.hlsgraph.families import RESHAPES
from gatewright.hlsgraph.node import integer, place
from gatewright.hlsgraph.precisions import word_type

#: Names of the types that hls4ml looks up for a layer where it writes its C++.
TYPES: Final = ("edge_weight", "edge_weight_aggr", "aggr", "norm")
#: Names of its factors and biases.
FACTORS: Final = (
    *("aggregator_distance_weights", "aggregator_distance_biases"),
    *("input_transform_weights", "input_transform_biases", "output_transform_biases"),
)
#: Types that can be set although they are no attributes of the node.
LOOKED_UP: Final = (*TYPES, *FACTORS)
#: Fraction bits of the types that nothing sets, and integer bits of sums beyond those of a sum.
_FRACTION, _MORE = 10, 3


@dataclass(frozen=True)
class GarNet:
    """The settings of a GarNet layer.

    Attributes:
        vertices: V, of all vertices.
        passes: hls4ml's reuse factor, by which it divides the vertices.
        collapse: How results of vertices become one: "mean", "sum" or "max"; "" if they stay.
        by_count: Whether means are over the vertices that count, instead of over all.
        is_quantized: Whether hls4ml makes its factors -1, 0 and 1.
        edge: Type of a weight of a vertex at an aggregator, and of their means.
        edge_sum: Type of sums of these.
        accum: Type of sums of features, of their means, and of what aggregators return.
        norm: Type of V / passes over the number of vertices that count.
    """

    vertices: int
    passes: int
    collapse: str
    by_count: bool
    is_quantized: bool
    edge: FixedType
    edge_sum: FixedType
    accum: FixedType
    norm: FixedType


def garnet(node: Any) -> GarNet:
    """The settings of a GarNet node."""
    vertices, passes = integer(node, "n_vertices"), weights.reuse_factor(node)
    types = internal_types(node)
    return GarNet(
        vertices,
        passes,
        str(node.get_attr("collapse") or ""),
        bool(node.get_attr("mean_by_nvert", False)),
        node.get_attr("quantizer") is not None,
        *(types[name] for name in TYPES),
    )


def internal_types(node: Any) -> dict[str, FixedType]:
    """The types that hls4ml's template `garnet_templates` writes for a GarNet node, by name.

    They are no attributes of the node: the template looks them up in the configuration of the
    layer, and has its own where only a default of the model is found.
    """
    bits, pass_bits = (
        count.bit_length() - 1
        for count in (integer(node, "n_vertices"), weights.reuse_factor(node))
    )
    sums = max(pass_bits, bits - pass_bits)
    defaults = {
        "edge_weight": FixedType(_FRACTION, 0, False),
        "edge_weight_aggr": FixedType(sums + _FRACTION, sums, False),
        "aggr": FixedType(sums + _MORE + _FRACTION, sums + _MORE),
        "norm": FixedType(4 + _FRACTION, 4, False),
    }
    found = {}
    for name, default in defaults.items():
        precision, source = node.model.config.get_precision(node, var=name)
        is_default = str(source).endswith("default_t")
        found[name] = default if is_default else word_type(precision, place(node))
    return found


def counter(node: Any) -> Any:
    """The node that computes a GarNet's number of vertices, behind reshapes."""
    found = node.get_input_node(node.inputs[1])
    while found.class_name in RESHAPES:
        found = found.get_input_node()
    return found


def counted_vertices(node: Any) -> int:
    """The most vertices of the GarNet layers that have their number from a node; 0 if none has."""
    layers = [each for each in node.model.get_layers() if each.class_name == "GarNet"]
    return max((integer(each, "n_vertices") for each in layers if counter(each) is node), default=0)
