"""Attributes that Gatewright leaves on nodes of hls4ml's graph, for itself."""

from __future__ import annotations

from typing import Any

_PREFIX = "gatewright_"


def mark(node: Any, what: str, value: Any) -> None:
    """Leave a value on a node."""
    node.set_attr(_PREFIX + what, value)


def marked(node: Any, what: str, default: Any = None) -> Any:
    """What was left on a node."""
    return node.get_attr(_PREFIX + what, default)


def labels(graph: Any) -> dict[str, str]:
    """What the model calls layers that had to be named otherwise."""
    found = {node.name: marked(node, "label") for node in graph.get_layers()}
    return {str(name): str(label) for name, label in found.items() if label}
