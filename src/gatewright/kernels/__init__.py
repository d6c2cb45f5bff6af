"""The kernels: one module per hardware layer."""

from gatewright.kernels.base import Choice, Kernel, Tensor, Work
from gatewright.kernels.dense import Dense

__all__ = ["Choice", "Dense", "Kernel", "Tensor", "Work"]
