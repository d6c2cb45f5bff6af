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
from gatewright.kernels.batchnorm import BatchNorm, Thresholds
from gatewright.kernels.dense import Dense
from gatewright.kernels.merge import OPERATIONS, Dot, Merge
from gatewright.kernels.shape import Concatenate, Reshape, Transpose
from gatewright.kernels.softmax import Argmax, Softmax, SoftmaxLegacy
from gatewright.kernels.table import Elu, Lookup, Selu, UnaryLut

__all__ = [
    "OPERATIONS",
    "Argmax",
    "BatchNorm",
    "BinaryTanh",
    "Choice",
    "ClippedRelu",
    "Concatenate",
    "Dense",
    "Dot",
    "Elu",
    "HardSigmoid",
    "HardTanh",
    "Kernel",
    "LeakyRelu",
    "Linear",
    "Lookup",
    "Merge",
    "Relu",
    "Reshape",
    "Selu",
    "Softmax",
    "SoftmaxLegacy",
    "Tensor",
    "TernaryTanh",
    "ThresholdedRelu",
    "Thresholds",
    "Transpose",
    "UnaryLut",
    "Work",
]
