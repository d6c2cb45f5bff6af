"""Checks that the user's settings of layers reached hls4ml's graph.

hls4ml joins, splits and drops layers, and settings with them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend.folding import folded, owner
from gatewright.hlsgraph import fixed_type, garnet
from gatewright.hlsgraph.node import result_type

#: Suffixes of the nodes into which hls4ml splits a layer.
PARTS = ("_depthwise", "_pointwise", "_alpha")


@dataclass(frozen=True)
class Setting:
    """A user's setting of layers.

    Attributes:
        key: The setting as the user wrote it.
        path: Its key within the layer, such as `precision.result`.
        value: Its value.
        layers: The names of the layers that it selects.
    """

    key: str
    path: str
    value: str
    layers: tuple[str, ...]


def check_settings(origin: str, graph: Any, settings: Collection[Setting]) -> None:
    """Refuse settings that no node of the graph has.

    Args:
        origin: The model's name in messages.
        graph: hls4ml's ModelGraph after its flow.
        settings: The user's settings; if several set the same key of a layer, the last one counts.

    Raises:
        InputError: if a setting had no effect on any of its layers.
    """
    last = {(layer, each.path): each for each in settings for layer in each.layers}
    for setting in settings:
        layers = [layer for layer in setting.layers if last[layer, setting.path] is setting]
        if layers and not any(_has(graph, layer, setting) for layer in layers):
            reason = _reason(graph, layers[0], setting)
            raise InputError(f"{origin}: setting '{setting.key}': {reason}")


def _has(graph: Any, layer: str, setting: Setting) -> bool:
    first, _, what = setting.path.partition(".")
    by_result = setting.path == "precision.result"
    nodes = [
        node for node in graph.get_layers() if (owner(node) if by_result else node.name) == layer
    ] or _parts(graph, layer)
    if first != "precision" or setting.value == "auto":
        return bool(nodes)
    to = FixedType.parse(setting.value)
    return any(to in _types(node, what) for node in nodes)


def _parts(graph: Any, layer: str) -> list[Any]:
    """The nodes that a layer was split into."""
    names = {layer + part for part in PARTS}
    return [node for node in graph.get_layers() if node.name in names]


def _types(node: Any, what: str) -> list[FixedType | None]:
    """The types of a node with this name; for a part of a split layer, in the layer's words."""
    for part in PARTS:
        if node.name.endswith(part):
            half = part[1:]
            what = "weight" if what == half else what.removeprefix(f"{half}_")
    if what == "result":
        return [result_type(node)]
    if node.class_name == "GarNet" and what in garnet.TYPES:
        return [garnet.internal_types(node)[what]]
    if node.class_name == "GarNet" and what in garnet.FACTORS:
        return [fixed_type(node.weights[what].type.precision)]
    found = [node.types.get(f"{what}_t"), node.attributes.get(f"{what}_t")]
    return [fixed_type(each.precision) for each in found if each is not None]


def _reason(graph: Any, layer: str, setting: Setting) -> str:
    host = next((node.name for node in graph.get_layers() if layer in folded(node)), None)
    if host is not None:
        return (
            f"layer '{layer}' is folded into '{host}', whose weights are multiplied by its scale; "
            f"set {host}.{_of_host(setting.path)}, or keep the two apart by a type for "
            f"{host}.precision.result"
        )
    if any(node.name == layer for node in graph.get_layers()) or _parts(graph, layer):
        return f"layer '{layer}' has a different type, set by the model's quantizers or hls4ml"
    return f"hls4ml drops '{layer}', which only passes on what it reads; leave the setting out"


def _of_host(path: str) -> str:
    return {"precision.scale": "precision.weight"}.get(path, path)
