"""The kernels: one module per hardware layer."""

from gatewright.kernels.activation import (
    BinaryTanh,
    ClippedRelu,
    HardSigmoid,
    HardTanh,
    LeakyRelu,
    Linear,
    Relu,
    TernaryTanh,
    ThresholdedRelu,
)
from gatewright.kernels.base import Choice, Kernel, Tensor, Work
from gatewright.kernels.dense import Dense
from gatewright.kernels.softmax import Argmax, Softmax, SoftmaxLegacy
from gatewright.kernels.table import Elu, Lookup, Selu, UnaryLut

__all__ = [
    "Argmax",
    "BinaryTanh",
    "Choice",
    "ClippedRelu",
    "Dense",
    "Elu",
    "HardSigmoid",
    "HardTanh",
    "Kernel",
    "LeakyRelu",
    "Linear",
    "Lookup",
    "Relu",
    "Selu",
    "Softmax",
    "SoftmaxLegacy",
    "Tensor",
    "TernaryTanh",
    "ThresholdedRelu",
    "UnaryLut",
    "Work",
]
