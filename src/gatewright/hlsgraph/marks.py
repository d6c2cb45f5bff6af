"""Attributes that Gatewright sets on nodes of hls4ml's graph for itself."""

from __future__ import annotations

from typing import Any

_PREFIX = "gatewright_"


def mark(node: Any, what: str, value: Any) -> None:
    """Set a value on a node."""
    node.set_attr(_PREFIX + what, value)


def marked(node: Any, what: str, default: Any = None) -> Any:
    """The value that was set on a node."""
    return node.get_attr(_PREFIX + what, default)


def labels(graph: Any) -> dict[str, str]:
    """Names in the model of layers that had to be renamed, by their new names."""
    found = {node.name: marked(node, "label") for node in graph.get_layers()}
    return {str(name): str(label) for name, label in found.items() if label}
