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
from gatewright.kernels.batchnorm import BatchNorm, Thresholds
from gatewright.kernels.conv import Conv
from gatewright.kernels.dense import Dense
from gatewright.kernels.depthwise import DepthwiseConv, DepthwiseProduct
from gatewright.kernels.einsum import Einsum
from gatewright.kernels.embedding import Embedding
from gatewright.kernels.garnet import GarNet
from gatewright.kernels.kernel import Implementation, Kernel, OperationCounts, Tensor
from gatewright.kernels.layernorm import LayerNorm
from gatewright.kernels.merge import OPERATIONS, Dot, Merge
from gatewright.kernels.padding import Cropping, ZeroPadding
from gatewright.kernels.pooling import POOLINGS, GlobalPooling, Pooling, Quotient
from gatewright.kernels.recurrent import Gated, Gru, Lstm, Recurrent, SimpleRnn
from gatewright.kernels.requantize import Requantize
from gatewright.kernels.shape import Concatenate, Reshape, Transpose
from gatewright.kernels.softmax import Argmax, Softmax, SoftmaxLegacy
from gatewright.kernels.table import Elu, Lookup, Selu, UnaryLut
from gatewright.kernels.upsampling import UpSampling
from gatewright.kernels.windowed import image_shape

__all__ = [
    "OPERATIONS",
    "POOLINGS",
    "Argmax",
    "BatchNorm",
    "BinaryTanh",
    "ClippedRelu",
    "Concatenate",
    "Conv",
    "Cropping",
    "Dense",
    "DepthwiseConv",
    "DepthwiseProduct",
    "Dot",
    "Einsum",
    "Elu",
    "Embedding",
    "GarNet",
    "Gated",
    "GlobalPooling",
    "Gru",
    "HardSigmoid",
    "HardTanh",
    "Implementation",
    "Kernel",
    "LayerNorm",
    "LeakyRelu",
    "Linear",
    "Lookup",
    "Lstm",
    "Merge",
    "OperationCounts",
    "Pooling",
    "Quotient",
    "Recurrent",
    "Relu",
    "Requantize",
    "Reshape",
    "Selu",
    "SimpleRnn",
    "Softmax",
    "SoftmaxLegacy",
    "Tensor",
    "TernaryTanh",
    "ThresholdedRelu",
    "Thresholds",
    "Transpose",
    "UnaryLut",
    "UpSampling",
    "ZeroPadding",
    "image_shape",
]
