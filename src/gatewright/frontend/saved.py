"""Restores hls4ml's ModelGraph from a saved graph, and generates its C++ again."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

from gatewright.errors import InputError
from gatewright.frontend.messages import shown
from gatewright.frontend.network import Object
from gatewright.frontend.quantizers import read_quantizer
from gatewright.frontend.readers.fml import SavedGraph, SavedNode

_FLOW = "vitis:ip"
#: Flows that generate text. They are applied again.
_ANEW = ("vivado:specific_types", "vivado:apply_templates", "vitis:apply_templates")
#: hls4ml's default configuration of its writer.
_WRITER = {
    "Namespace": None,
    "WriteWeightsTxt": True,
    "WriteTar": False,
    "TBOutputStream": "both",
    "WriteEmulationConstants": False,
}


def restore(saved: SavedGraph) -> Any:
    """hls4ml's ModelGraph of a saved graph, after its flow.

    Raises:
        InputError: if hls4ml doesn't have the class of a layer, or the class doesn't take the value
            of an attribute.
    """
    from hls4ml.model import ModelGraph
    from hls4ml.model.flow import get_available_flows
    from hls4ml.model.graph import HLSConfig

    config = HLSConfig({**saved.settings, "WriterConfig": dict(_WRITER), "TraceOutput": True})
    for key, value in saved.state.items():
        if hasattr(config, key):
            setattr(config, key, value)
    known = set(get_available_flows()) - {_FLOW, *_ANEW}
    state = {
        "inputs": list(saved.inputs),
        "outputs": list(saved.outputs),
        "index": saved.index,
        "applied_flows": [{flow: set() for flow in saved.flows if flow in known}],
    }
    graph = ModelGraph.from_saved_state(config, state)
    classes = dict(_layer_classes())
    for node in saved.nodes:
        if node.kind not in classes:
            raise InputError(
                f"{saved.origin}: layer '{node.name}': hls4ml has no layer class "
                f"'{shown(node.kind)}'"
            )
        attributes = {key: _built(value) for key, value in node.attributes.items()}
        graph.graph[node.name] = graph.make_node(
            classes[node.kind],
            node.name,
            attributes,
            list(node.inputs),
            list(node.outputs),
            initialize=False,
        )
        _check_declared(saved.origin, node, graph.graph[node.name])
    graph.apply_flow(_FLOW)
    return graph


def _layer_classes() -> Iterator[tuple[str, type]]:
    """hls4ml's classes of layers, with the names under which it saves them."""
    from hls4ml.model.layers import Layer

    waiting: list[type] = [Layer]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls.__module__.startswith("hls4ml."):
            yield f"{cls.__module__}.{cls.__qualname__}", cls


def _built(value: Any) -> Any:
    """The object of hls4ml for a typed value."""
    if isinstance(value, Object):
        from hls4ml.model import quantizers, types

        from gatewright.frontend.qkeras_layers import WeightQuantizer

        module, _, name = value.kind.rpartition(".")
        if name.startswith("QKeras"):
            config: Any = value.arguments["config"]
            signs = name == "QKerasBinaryQuantizer"
            return WeightQuantizer(
                read_quantizer(config), signs=signs, xnor=bool(value.arguments.get("xnor"))
            )
        cls = getattr(types if module.endswith("types") else quantizers, name)
        if cls is types.XnorPrecisionType:  # hls4ml can't deserialize its own state of this class
            return cls()
        return cls.deserialize({key: _built(each) for key, each in value.arguments.items()})
    if isinstance(value, tuple):
        return [_built(each) for each in value]
    if isinstance(value, dict):
        return {key: _built(each) for key, each in value.items()}
    return value


def _check_declared(origin: str, node: SavedNode, made: Any) -> None:
    """Check attributes against the types that hls4ml's class declares; hls4ml doesn't."""
    from hls4ml.model.attributes import ChoiceAttribute

    for attribute in made.expected_attributes:
        value = made.attributes.get(attribute.name)
        if value is None:
            continue
        if isinstance(attribute, ChoiceAttribute):
            fits = str(value).lower() in [str(choice).lower() for choice in attribute.choices]
        elif attribute.value_type is Integral:
            # hls4ml also declares truth values as integers.
            fits = isinstance(value, int) and (
                isinstance(attribute.default, bool) or not isinstance(value, bool)
            )
        else:
            fits = attribute.value_type is None or attribute.validate_value(value)
        if not fits:
            raise InputError(
                f"{origin}: layer '{node.name}': {attribute.name} is '{shown(value)}', which "
                f"hls4ml's {made.class_name} doesn't take"
            )
