"""Nodes that take tensors apart, surround or repeat them, or multiply two, against the runtime."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest

from gatewright.errors import InputError
from gatewright.flow.convert import convert
from gatewright.flow.verify import verify
from gatewright.frontend.originals import execute
from gatewright.frontend.passes import supported
from gatewright.frontend.readers.onnx_model import read_onnx
from gatewright.options import ConvertOptions
from live_models import predicted
from onnx_judge import INPUT, agree_with_runtime, saved

WIDE = pytest.mark.full
IMAGE, SEQUENCE = (2, 5, 6), (5, 8)
#: A model that the ONNX model zoo published, of an old version of ONNX; qonnx ships it.
DIGITS = Path(str(files("qonnx"))) / "data" / "onnx" / "mnist-conv" / "model.onnx"


def integers(graph, *values):
    return graph.constant(values, np.int64)


def automatic(graph, way, op="Conv", *, quantized=False):
    """A window whose pads are not written."""
    x = graph.quant("x", 14, 8) if quantized else "x"
    given = [x, graph.random(3, 2, 3, 2)] if op == "Conv" else [x]
    return graph.node(op, given, auto_pad=way, kernel_shape=[3, 2], strides=[2, 1])


def pads(graph):
    x = graph.node("Pad", ["x", integers(graph, 0, 0, 1, 0, 0, 0, 2, 3)])
    return graph.node("Pad", [x, integers(graph, 0, 0, 0, 1, 0, 0, 0, 0), graph.constant(0.0)])


def resized(graph, **attributes):
    scales = graph.constant([1.0, 1.0, 2.0, 3.0])
    return graph.node("Resize", ["x", "", scales], mode="nearest", **attributes)


def parts(graph):
    """Slices along the channels and the rows, and parts along the columns."""
    x = graph.node("Slice", ["x", integers(graph, -4), integers(graph, 100), integers(graph, 2)])
    first, second = graph.several("Split", [x, integers(graph, 2, 4)], 2, axis=3)
    second = graph.node("Slice", [second, *(integers(graph, each) for each in (1, 3, 3))])
    return graph.node("Sub", [first, second])


def attention(graph, heads=2):
    """As it is exported where the batch comes first."""
    steps, width = SEQUENCE

    def projected(x):
        x = graph.node("MatMul", [x, graph.random(width, width)])
        return graph.node("Add", [x, graph.random(width)])

    def apart(order):
        shape = integers(graph, 1, steps, heads, width // heads)
        return graph.node("Transpose", [graph.node("Reshape", [projected("x"), shape])], perm=order)

    query, key, value = apart([0, 2, 1, 3]), apart([0, 2, 3, 1]), apart([0, 2, 1, 3])
    scores = graph.node("Mul", [graph.node("MatMul", [query, key]), graph.constant(0.5)])
    mixed = graph.node("MatMul", [graph.node("Softmax", [scores], axis=-1), value])
    mixed = graph.node("Transpose", [mixed], perm=[0, 2, 1, 3])
    return projected(graph.node("Reshape", [mixed, integers(graph, 1, steps, width)]))


CASES = {
    "same, upper": (IMAGE, lambda g: automatic(g, "SAME_UPPER")),
    "same, lower": (IMAGE, lambda g: automatic(g, "SAME_LOWER")),
    "valid": (IMAGE, lambda g: automatic(g, "VALID", "MaxPool")),
    "pads": (IMAGE, pads),
    "resized": (IMAGE, resized),
    "resized, asymmetric": (
        IMAGE,
        lambda g: resized(g, coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    ),
    "parts": (IMAGE, parts),
    "negative": (SEQUENCE, lambda g: g.node("Neg", [g.node("Relu", ["x"])])),
    "no bias": ((4,), lambda g: g.node("Gemm", ["x", g.random(3, 4)], transB=1)),
}


@pytest.mark.parametrize("name", CASES)
def test_layers_compute_what_the_runtime_does(keras, tmp_path, name):
    shape, make = CASES[name]
    agree_with_runtime(saved(tmp_path / "net.onnx", shape, make), shape)


def test_pads_that_are_not_written_are_known_behind_quantizers(tmp_path):
    path = saved(tmp_path / "net.onnx", IMAGE, lambda g: automatic(g, "SAME_UPPER", quantized=True))
    (zeros,) = (each for each in read_onnx(path, INPUT).layers if each.kind == "ZeroPadding2D")
    assert zeros.arguments["padding"] == (1, 1, 0, 1)


def test_attention_of_files_is_exact_in_hardware(keras, tmp_path):
    path = saved(tmp_path / "net.onnx", SEQUENCE, attention)
    agree_with_runtime(path, SEQUENCE, ["parallel"])
    convert(path, None, ConvertOptions(input_precision=str(INPUT)), tmp_path / "project")
    verified = verify(tmp_path / "project", samples=30, fidelity=False).results
    assert verified.verification.passed


def test_a_published_model_of_digits(keras, tmp_path):
    """Its pads are not written, and its version of ONNX is 8."""
    network = read_onnx(DIGITS, INPUT)
    for io in ("parallel", "stream"):
        kinds = [layer.kind for layer in supported(network, io).layers]
        assert kinds.count("Conv2D") == 2 and kinds.count("Dense") == 1
    values = np.random.default_rng(1).random((2, 28, 28, 1), np.float32)
    (expected,), _ = execute(DIGITS, [values])
    np.testing.assert_allclose(predicted(network, values)[0], expected, rtol=1e-4, atol=1e-3)


def test_files_of_larger_batches_are_run_in_these(keras, tmp_path):
    """Of two samples here: the last one of five is not full."""
    folder = Path(onnx.__file__).parent / "backend/test/data/pytorch-converted/test_Conv2d_dilated"
    network = read_onnx(folder / "model.onnx", INPUT)
    values = np.random.default_rng(1).random((5, 8, 8, 3), np.float32)
    (expected,), _ = execute(folder / "model.onnx", [values])
    (found,) = predicted(network, values)
    np.testing.assert_allclose(found.reshape(5, -1), expected, rtol=1e-4, atol=1e-5)


@WIDE
def test_a_published_model_of_digits_is_exact_in_hardware(tmp_path):
    options = ConvertOptions(input_precision="ufixed<8,8>", io="stream", reuse_factor=4)
    convert(DIGITS, None, options, tmp_path / "project")
    results = verify(tmp_path / "project", samples=10).results
    assert results.verification.passed
    assert results.fidelity is not None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda g: g.node("Pad", ["x", integers(g, *[0] * 8)], mode="reflect"),
            "pads with other numbers than zeros, which has no layer",
        ),
        (
            lambda g: g.node("Pad", ["x", integers(g, 0, 1, 0, 1, 0, 0, 0, 0)]),
            "has a layer for rows and columns of images alone",
        ),
        (lambda g: automatic(g, "SAME_UPPER", "MaxPool"), "other pads at one side than at the"),
        (lambda g: resized(g, coordinate_transformation_mode="asymmetric"), "more often than oth"),
        (
            lambda g: g.node("Slice", ["x", *(integers(g, each) for each in (0, 4, 2, 2))]),
            "takes elements apart from each other",
        ),
        (lambda g: g.node("MatMul", ["x", g.node("Flatten", ["x"])]), "multiplies tensors of sh"),
    ],
)  # fmt: skip
def test_what_has_no_layer_is_refused_by_its_node(tmp_path, make, said):
    with pytest.raises(InputError, match=f"node '.*{said}"):
        read_onnx(saved(tmp_path / "net.onnx", IMAGE, make), INPUT)
