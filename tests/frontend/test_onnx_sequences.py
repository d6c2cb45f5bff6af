"""Operators that PyTorch exports, also with steps before the batch, against the ONNX runtime."""

import numpy as np
import pytest

from gatewright.design import golden
from gatewright.errors import UnsupportedError
from gatewright.flow.convert import convert, load_design
from gatewright.frontend.originals import execute
from gatewright.frontend.passes import supported
from gatewright.frontend.readers.onnx_model import read_onnx
from gatewright.options import ConvertOptions
from hostile.onnx_models import Graph
from onnx_judge import INPUT, agree_with_runtime, saved

WIDE = pytest.mark.full
STEPS, READS, UNITS = 5, 3, 2


def recurrent(graph, x, kind, reads=READS, **attributes):
    return graph.recurrent(x, kind, reads, UNITS, **attributes)


def squeezed(graph, x, axis):
    return graph.node("Squeeze", [x, graph.constant([axis], np.int64)])


def last_step(graph, x, axis, at=-1):
    return graph.node("Gather", [x, graph.constant(at, np.int64)], axis=axis)


def as_pytorch(graph, kind, at=-1, **attributes):
    """A layer with batch_first=True, of which one step is read."""
    steps, _ = recurrent(graph, graph.node("Transpose", ["x"], perm=[1, 0, 2]), kind, **attributes)
    steps = graph.node("Transpose", [squeezed(graph, steps, 1)], perm=[1, 0, 2])
    return last_step(graph, steps, 1, at)


def both_ways(graph, kind):
    """Two layers, the first in both directions, joined as PyTorch joins them."""
    x = graph.node("Transpose", ["x"], perm=[1, 0, 2])
    steps, _ = recurrent(graph, x, kind, ways=2)
    steps = graph.node("Transpose", [steps], perm=[0, 2, 1, 3])
    steps = graph.node("Reshape", [steps, graph.constant([STEPS, 1, 2 * UNITS], np.int64)])
    steps, _ = recurrent(graph, steps, "GRU", 2 * UNITS)
    return graph.node("Transpose", [squeezed(graph, steps, 1)], perm=[1, 0, 2])


def last_state(graph, **attributes):
    x = graph.node("Transpose", ["x"], perm=[1, 0, 2])
    _, last = recurrent(graph, x, "LSTM", **attributes)
    return squeezed(graph, last, 0)


def steps_and_last_state(graph):
    x = graph.node("Transpose", ["x"], perm=[1, 0, 2])
    steps, last = recurrent(graph, x, "GRU")
    first = last_step(graph, squeezed(graph, steps, 1), 0, 0)
    return graph.node("Add", [first, squeezed(graph, last, 0)])


def pixels(graph):
    """Of an image of one row, channels first: what a network that shrinks and grows it has."""
    x = graph.node("Conv", ["x", graph.random(4, 2, 3)], pads=[1, 1], kernel_shape=[3])
    x = graph.node("PRelu", [x, graph.random(4, 1)])
    x = graph.node("Clip", [x, graph.constant(0.0), graph.constant(1.5)])
    x = graph.node("ConvTranspose", [x, graph.random(4, 3, 4), graph.random(3)], strides=[2],
                   pads=[1, 0], output_padding=[1], kernel_shape=[4])  # fmt: skip
    x = graph.node("Elu", [x], alpha=0.5)
    x = graph.node("Clip", [x, graph.constant(-1.0), graph.constant(1.0)])
    return graph.node("ReduceMean", [x], axes=[2], keepdims=0)


def image(graph):
    x = graph.node("ConvTranspose", ["x", graph.random(2, 3, 2, 3)], strides=[2, 1],
                   kernel_shape=[2, 3], pads=[0, 1, 1, 0])  # fmt: skip
    x = graph.node("PRelu", [x, graph.constant(0.25)])
    return graph.node("Flatten", [graph.node("Softsign", [x])])


def convolution_before(graph):
    """Channels become the elements of a sequence's steps."""
    x = graph.node("Conv", ["x", graph.random(READS, 2, 3)], kernel_shape=[3])
    steps, _ = recurrent(graph, graph.node("Transpose", [x], perm=[2, 0, 1]), "GRU")
    return last_step(graph, squeezed(graph, steps, 1), 0)


SEQUENCE, ROW, IMAGE = (STEPS, READS), (2, 8), (2, 3, 4)
CASES = {
    "gru": (SEQUENCE, lambda g: as_pytorch(g, "GRU")),
    "lstm": (SEQUENCE, lambda g: as_pytorch(g, "LSTM")),
    "rnn": (SEQUENCE, lambda g: as_pytorch(g, "RNN")),
    "rnn of relu": (SEQUENCE, lambda g: as_pytorch(g, "RNN", activations=["Relu"])),
    "rnn both ways": (SEQUENCE, lambda g: both_ways(g, "RNN")),
    "another step": (SEQUENCE, lambda g: as_pytorch(g, "LSTM", 1)),
    "backwards": (SEQUENCE, lambda g: as_pytorch(g, "GRU", 0, direction="reverse")),
    "both ways": (SEQUENCE, lambda g: both_ways(g, "LSTM")),
    "last state": (SEQUENCE, last_state),
    "last state backwards": (SEQUENCE, lambda g: last_state(g, direction="reverse")),
    "steps and last state": (SEQUENCE, steps_and_last_state),
    "relu": (SEQUENCE, lambda g: last_state(g, activations=["Sigmoid", "Relu", "Relu"])),
    "pixels": (ROW, pixels),
    "image": (IMAGE, image),
    "convolution before": (ROW, convolution_before),
}
FAST = ("gru", "both ways", "pixels")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else WIDE) for name in CASES]
)
def test_layers_compute_what_the_runtime_does(keras, tmp_path, name):
    shape, make = CASES[name]
    agree_with_runtime(saved(tmp_path / "net.onnx", shape, make), shape)


def test_a_step_of_one_reader_costs_nothing(tmp_path):
    network = read_onnx(saved(tmp_path / "net.onnx", *CASES["gru"]), INPUT)
    assert [layer.kind for layer in network.layers] == ["InputLayer", "GRU"]
    assert not network.layers[-1].arguments["return_sequences"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda g: last_step(g, recurrent(g, "x", "GRU")[0], 0), "with PyTorch, use batch_first"),
        (lambda g: last_state(g, activations=["Sigmoid", "Tanh", "Relu"]), "than for the cell"),
        (lambda g: last_state(g, activations=["Sigmoid", "Elu", "Elu"]), "function Elu has no"),
        (lambda g: last_state(g, clip=2.0), "clip has no layer"),
        (lambda g: g.node("Clip", ["x", g.constant(-2.0), g.constant(1.0)]), "use 0, or -1 to 1"),
        (
            lambda g: g.node("ReduceMean", ["x"], axes=[1, 2]),
            "only over all pixels",
        ),
        (
            lambda g: g.node("Relu", [g.node("Transpose", ["x"], perm=[1, 0, 2])]),
            "whose first axis is not the batch's",
        ),
    ],
)  # fmt: skip
def test_what_has_no_layer_is_refused_by_its_node(tmp_path, make, said):
    with pytest.raises(UnsupportedError, match=f"node '.*{said}"):
        supported(read_onnx(saved(tmp_path / "net.onnx", SEQUENCE, make), INPUT))


@pytest.mark.parametrize("ways", [1, 2])
def test_quantized_weights_keep_their_types(tmp_path, ways):
    def make(graph):
        rows = 3 * UNITS
        shapes = (ways, rows, READS), (ways, rows, UNITS), (ways, 2 * rows)
        given = [graph.node("Transpose", ["x"], perm=[1, 0, 2])]
        given += [graph.weights(*shape) for shape in shapes]
        direction = {"direction": "bidirectional"} if ways == 2 else {}
        return graph.node("GRU", given, hidden_size=UNITS, linear_before_reset=1, **direction)

    path = tmp_path / "net.onnx"
    graph = Graph()
    steps = make(graph)
    steps = graph.node("Transpose", [steps], perm=[2, 0, 1, 3])
    steps = graph.node("Reshape", [steps, graph.constant([1, STEPS, ways * UNITS], np.int64)])
    graph.save(path, SEQUENCE, steps)
    layers = [layer for layer in read_onnx(path, INPUT).layers if layer.kind == "GRU"]
    assert len(layers) == ways
    for layer in layers:
        assert set(layer.types) == {"weight", "recurrent_weight", "bias", "recurrent_bias"}
        assert all(to.width <= 5 for to in layer.types.values())


@pytest.mark.parametrize("bias", [False, True])
def test_quantized_transposed_convolutions_are_what_qonnx_computes(tmp_path, bias):
    graph = Graph()
    given = [graph.quant("x", 6, 2), graph.weights(2, 3, 2, 2)]
    path = tmp_path / "net.onnx"
    output = graph.node("ConvTranspose", given, strides=[2, 1], kernel_shape=[2, 2])
    if bias:
        output = graph.node("Add", [output, graph.weights(1, 3, 1, 1)])
    graph.save(path, IMAGE, output)
    options = ConvertOptions(input_precision="fixed<9,4>")
    convert(path, None, options, tmp_path / "project", name="net")
    design = load_design(tmp_path / "project")
    (x,), (y,) = design.inputs, design.outputs
    raw = np.random.default_rng(1).integers(x.type.min, x.type.max + 1, (20, *x.shape))
    found = golden.run(design, [raw])[y.name] * 2.0**-y.type.frac
    (expected,), _ = execute(path, [(raw * 2.0**-x.type.frac).astype(np.float32)])
    assert np.array_equal(found.reshape(expected.shape), expected)
