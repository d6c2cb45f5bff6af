"""Families of hls4ml's classes of layers: what those that a rule is about have in common."""

from __future__ import annotations

from typing import Final

DENSE: Final = ("Dense",)
CONVOLUTIONS: Final = ("Conv1D", "Conv2D", "Conv2DBatchnorm")
POINTWISE: Final = ("PointwiseConv1D", "PointwiseConv2D")
DEPTHWISE: Final = ("DepthwiseConv1D", "DepthwiseConv2D")
#: Whose results are sums over all channels.
MATRICES: Final = (*DENSE, *CONVOLUTIONS, *POINTWISE)
WEIGHTED: Final = (*MATRICES, *DEPTHWISE)
#: That add up products in a type of their own, the accumulator's.
SUMS: Final = (*WEIGHTED, "Dot")
NORMALIZATIONS: Final = ("BatchNormalization", "ApplyAlpha")
#: That cast what they computed, so that any type will do for their results.
CASTING: Final = (*SUMS, *NORMALIZATIONS, "Merge")

POOLINGS: Final = ("Pooling1D", "Pooling2D")
GLOBAL_POOLINGS: Final = ("GlobalPooling1D", "GlobalPooling2D")
PADDINGS: Final = ("ZeroPadding1D", "ZeroPadding2D")
CROPPINGS: Final = ("Cropping1D", "Cropping2D")
#: That slide a window.
WINDOWS: Final = (*CONVOLUTIONS, *POINTWISE, *DEPTHWISE, *POOLINGS)
IMAGES: Final = (*WINDOWS, *GLOBAL_POOLINGS, *PADDINGS, *CROPPINGS, "Resize")

RESHAPES: Final = ("Reshape", "Repack")
#: Whose results have the type of what they read.
PASSING: Final = (
    *(*RESHAPES, "Clone", "Transpose", "Resize", "Concatenate"),
    *(*PADDINGS, *CROPPINGS, *POOLINGS, *GLOBAL_POOLINGS),
)
#: That do something to each element, and cast the result to its type.
ACTIVATIONS: Final = ("Activation", "ParametrizedActivation", "PReLU")
