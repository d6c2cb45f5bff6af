"""The models that the `onnx` package ships with their results: read as they are meant, or refused.

They were exported from layers and operators of PyTorch.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from gatewright.errors import GatewrightError
from gatewright.fixed import FixedType
from gatewright.frontend.readers.onnx_model import read_onnx
from live_models import predicted

MODELS = Path(onnx.__file__).parent / "backend" / "test" / "data"
INPUT = FixedType.parse("fixed<16,6>")
#: Those that are read; all others are refused by name.
READ = {
    "pytorch-converted": (
        *("AvgPool1d", "AvgPool1d_stride", "AvgPool2d", "AvgPool2d_stride"),
        *("BatchNorm1d_3d_input_eval", "BatchNorm2d_eval", "BatchNorm2d_momentum_eval"),
        *("Conv1d", "Conv1d_dilated", "Conv1d_groups", "Conv1d_pad1", "Conv1d_pad1size1"),
        *("Conv1d_pad2", "Conv1d_pad2size1", "Conv1d_stride", "Conv2d", "Conv2d_depthwise"),
        *("Conv2d_depthwise_padded", "Conv2d_depthwise_strided"),
        *(
            "Conv2d_depthwise_with_multiplier",
            "Conv2d_dilated",
            "Conv2d_groups",
            "Conv2d_groups_thnn",
        ),
        *("Conv2d_groups_thnn", "Conv2d_no_bias", "Conv2d_padding", "Conv2d_strided"),
        "ConvTranspose2d",
        *("ConvTranspose2d_no_bias", "ELU", "Embedding", "Embedding_sparse", "GLU", "GLU_dim"),
        *("LeakyReLU", "LeakyReLU_with_negval", "Linear", "Linear_no_bias", "MaxPool1d"),
        *("MaxPool1d_stride", "PReLU_1d", "PReLU_2d", "PixelShuffle", "ReLU", "SELU", "Sigmoid"),
        *("Softmax", "Softmin", "Softplus", "Tanh", "ZeroPad2d", "softmax_functional_dim3"),
        "softmax_lastdim",
    ),
    "pytorch-operator": (
        *("operator_concat2", "operator_conv", "operator_convtranspose", "operator_flatten"),
        *("operator_index", "operator_max", "operator_maxpool", "operator_min", "operator_selu"),
    ),
    "simple": ("single_relu_model",),
}
CASES = [
    (group, folder.name.removeprefix("test_"))
    for group in READ
    for folder in sorted((MODELS / group).glob("test_*"))
]
FAST = ("Conv1d_pad1", "GLU", "ZeroPad2d", "Embedding", "Softmin", "Conv3d", "operator_index")


def tensors(folder, which):
    paths = sorted((folder / "test_data_set_0").glob(f"{which}_*.pb"))
    return [numpy_helper.to_array(onnx.load_tensor(path)) for path in paths]


def channels_last(array):
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array


@pytest.mark.parametrize(
    ("group", "name"),
    [pytest.param(*c, marks=[] if c[1] in FAST else pytest.mark.full) for c in CASES],
)
def test_models_are_read_as_they_are_meant_or_refused(keras, group, name):
    folder = MODELS / group / f"test_{name}"
    if name not in READ[group]:
        with pytest.raises(GatewrightError, match=r"model\.onnx: (node '|not a readable)|layer '"):
            network = read_onnx(folder / "model.onnx", INPUT)
            predicted(network, *tensors(folder, "input"))
        return
    network = read_onnx(folder / "model.onnx", INPUT)
    turned = any("channels last" in note for note in network.notes)
    given = tensors(folder, "input")
    found = predicted(network, *(channels_last(each) if turned else each for each in given))
    for ours, theirs in zip(found, tensors(folder, "output"), strict=True):
        expected = channels_last(theirs) if turned and ours.shape != theirs.shape else theirs
        np.testing.assert_allclose(ours.reshape(-1), expected.reshape(-1), rtol=1e-3, atol=1e-4)


def test_the_package_has_these_models():
    for group, names in READ.items():
        assert {name for each, name in CASES if each == group} >= set(names)
