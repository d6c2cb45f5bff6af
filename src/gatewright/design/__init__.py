"""A design: kernels joined by tensors, and the golden outputs that it computes."""

from gatewright.design import golden
from gatewright.design.dataflow import Design

__all__ = ["Design", "golden"]
