"""Causal convolutions with strides, and windows of one row with vertical strides."""

from hypothesis import given, settings
from hypothesis import strategies as st

ROWS = ("Conv1D", "SeparableConv1D")
IMAGES = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")
SIZES = st.integers(1, 4)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), SIZES, SIZES, st.integers(1, 3), st.sampled_from(ROWS))
def test_causal_convolutions_are_those_of_keras(
    keras, agrees, size, window, stride, dilation, kind
):
    dilation = dilation if stride == 1 else 1  # Keras has one or the other
    layer = getattr(keras.layers, kind)(
        2, window, strides=stride, dilation_rate=dilation, padding="causal"
    )
    network = agrees(layer, (size, 3))
    left = [each for each in network.layers if each.arguments.get("padding") == "causal"]
    assert bool(left) == (stride == 1)


@settings(max_examples=15, deadline=None)
@given(
    *(st.integers(4, 8),) * 2,
    st.integers(1, 3),
    st.integers(2, 4),
    st.sampled_from(["same", "valid"]),
    st.sampled_from(IMAGES),
)
def test_windows_of_one_row_have_vertical_strides(
    keras, agrees, height, width, window, stride, padding, kind
):
    arguments = {"kernel_size": (1, window), "strides": (stride, stride), "padding": padding}
    filters = {} if kind == "DepthwiseConv2D" else {"filters": 2}
    layer = getattr(keras.layers, kind)(**filters, **arguments)
    network = agrees(layer, (height, width, 2), "stream")
    (made,) = [each for each in network.layers if each.kind == kind]
    assert made.arguments["kernel_size"][0] > 1 or (kind, window) == ("Conv2D", 1)
