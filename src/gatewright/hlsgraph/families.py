"""Groups of hls4ml's layer classes that a rule applies to."""

from __future__ import annotations

from typing import Final

DENSE: Final = ("Dense",)
CONVOLUTIONS: Final = ("Conv1D", "Conv2D", "Conv2DBatchnorm")
POINTWISE: Final = ("PointwiseConv1D", "PointwiseConv2D")
DEPTHWISE: Final = ("DepthwiseConv1D", "DepthwiseConv2D")
#: Layers with a state.
RECURRENT: Final = ("LSTM", "GRU")
#: Layers whose results are typed by what they can be, as hls4ml's own types may not hold them.
TYPED_BY_RANGE: Final = (*RECURRENT, "LayerNormalization", "GarNet")
#: Layers whose results are sums over all channels.
MATRICES: Final = (*DENSE, *CONVOLUTIONS, *POINTWISE)
WEIGHTED: Final = (*MATRICES, *DEPTHWISE)
#: Layers that add up products in an accumulator type.
SUMS: Final = (*WEIGHTED, "Dot", "Einsum")
NORMALIZATIONS: Final = ("BatchNormalization", "ApplyAlpha")
#: Layers that cast what they compute, so that their results may have any type.
CASTING: Final = (*SUMS, *NORMALIZATIONS, "Merge")

POOLINGS: Final = ("Pooling1D", "Pooling2D")
GLOBAL_POOLINGS: Final = ("GlobalPooling1D", "GlobalPooling2D")
PADDINGS: Final = ("ZeroPadding1D", "ZeroPadding2D")
CROPPINGS: Final = ("Cropping1D", "Cropping2D")
#: Layers with a sliding window.
WINDOWS: Final = (*CONVOLUTIONS, *POINTWISE, *DEPTHWISE, *POOLINGS)
IMAGES: Final = (*WINDOWS, *GLOBAL_POOLINGS, *PADDINGS, *CROPPINGS, "Resize")

RESHAPES: Final = ("Reshape", "Repack")
#: Layers whose results have the type of their input.
PASSING: Final = (
    *(*RESHAPES, "Clone", "Transpose", "Resize", "Concatenate"),
    *(*PADDINGS, *CROPPINGS, *POOLINGS, *GLOBAL_POOLINGS),
)
#: Layers that compute each element separately, and cast it to the type of the result.
ACTIVATIONS: Final = ("Activation", "ParametrizedActivation", "PReLU")
