"""Circuits: the unrolled hardware of a kernel, one word-level operation at a time."""

from gatewright.circuit.graph import Cast, Circuit, Node, Op, Word
from gatewright.circuit.optimize import adders_area, optimize
from gatewright.circuit.products import split_products
from gatewright.circuit.schedule import Schedule, schedule

__all__ = [
    "Cast",
    "Circuit",
    "Node",
    "Op",
    "Schedule",
    "Word",
    "adders_area",
    "optimize",
    "schedule",
    "split_products",
]
