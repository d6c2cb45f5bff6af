"""ONNX and QONNX models: read, converted, and compared with qonnx's own executor."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from gatewright.design import golden
from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import FixedType
from gatewright.flow.convert import convert, load_design
from gatewright.flow.fidelity import Fidelity, read_network
from gatewright.flow.inputs import random_inputs
from gatewright.frontend.readers.onnx_model import read_onnx
from gatewright.options import ConvertOptions
from hostile import onnx_models

#: Input types that hold each model's inputs exactly, and have more bits than its first quantizer.
INPUTS = dict.fromkeys(onnx_models.ALL, "fixed<9,4>")
COUNT = 40
INPUT = FixedType.parse("fixed<9,4>")


def executed(path, samples):
    """What qonnx computes of the file as it is, sample by sample."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.util.cleanup import cleanup_model

    model = cleanup_model(ModelWrapper(str(path)))
    (name,) = (each.name for each in model.graph.input)
    shape = model.get_tensor_shape(name)
    outputs = [
        next(iter(execute_onnx(model, {name: sample.reshape(shape)}).values())).reshape(-1)
        for sample in samples
    ]
    return np.stack(outputs)


def hardware(path, directory, *, io="parallel", to="fixed<9,4>"):
    """Random samples with the golden outputs of the converted design."""
    options = ConvertOptions(input_precision=to, io=io)
    convert(path, None, options, directory, name="net")
    design = load_design(directory)
    (x,), (y,) = design.inputs, design.outputs
    raw = np.random.default_rng(1).integers(x.type.min, x.type.max + 1, (COUNT, *x.shape))
    found = golden.run(design, [raw])[y.name].reshape(COUNT, -1)
    samples = (raw * 2.0**-x.type.frac).astype(np.float32)
    return samples, found * 2.0**-y.type.frac


@pytest.mark.parametrize(
    ("name", "io"),
    [
        # Of each model, `make test` takes one io type: one after the other.
        pytest.param(name, io, marks=[pytest.mark.full] if (number + other) % 2 else [])
        for number, name in enumerate(onnx_models.ALL)
        for other, io in enumerate(("parallel", "stream"))
    ],
)
def test_hardware_is_what_qonnx_computes(tmp_path, name, io):
    graph = onnx_models.Graph()
    shape, output = onnx_models.ALL[name](graph)
    path = tmp_path / f"{name}.onnx"
    graph.save(path, shape, output)
    samples, found = hardware(path, tmp_path / "project", io=io)
    if samples.ndim > 2:  # the hardware takes images with their channels last
        samples = np.moveaxis(samples, -1, 1)
    assert np.array_equal(found, executed(path, samples))
    assert len(np.unique(found, axis=0)) > 3


def saved(path, make):
    graph = onnx_models.Graph()
    shape, output = make(graph)
    graph.save(path, shape, output)
    return path


def _dense(g, x):
    return (8,), g.dense(x, 8, 4)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda g: _dense(g, g.quant("x", 4.5, 2)), "its bit width 4.5"),
        (lambda g: _dense(g, g.quant("x", 4, 2, signed=0, narrow=1)), "narrow unsigned"),
        (lambda g: ((8,), g.node("Erf", ["x"])), "node 'Erf_0': operator Erf has no layer"),
        (lambda g: ((8,), g.node("Div", [g.constant(3.0), "x"])), "no layer for these inputs"),
        (lambda g: _dense(g, g.scaled("x", 4, 0.1, mode="DOWN")), "folded exactly"),
        (lambda g: _dense(g, g.scaled("x", 4, 0.1, mode="STOCHASTIC")), "STOCHASTIC"),
        (lambda g: _dense(g, g.scaled("x", 1, 0.1, zero=1.0)), "of a signed bit must be 0"),
        (lambda g: _dense(g, g.scaled("x", 4, 0.1, zero=0.5)), "its zero point 0.5"),
        (lambda g: _dense(g, g.scaled("x", 4, np.arange(1, 9) / 9)), "with different scales"),
        (lambda g: ((8,), g.node("Mul", [g.scaled("x", 4, 0.1), "x"])), "is no power of two"),
        (lambda g: ((8,), g.scaled(g.node("Sigmoid", ["x"]), 4, 0.1)), "no known range"),
        (lambda g: ((8,), g.node("Softmax", [g.node("Reshape", ["x", g.constant(
            [1, 2, 4], np.int64)])], axis=1)), "along the last axis"),
    ],
)  # fmt: skip
def test_what_has_no_exact_layer_is_refused_by_its_node(tmp_path, make, said):
    with pytest.raises(UnsupportedError, match=said) as raised:
        read_onnx(saved(tmp_path / "net.onnx", make), INPUT)
    assert str(raised.value).startswith(f"{tmp_path / 'net.onnx'}: node '")


def test_a_model_names_no_module_and_no_file(tmp_path):
    """qonnx imports the module that a domain names, and ONNX opens files that a constant names."""
    path = tmp_path / "net.onnx"
    marker = tmp_path / "imported"
    (tmp_path / "stranger.py").write_text(f"open({str(marker)!r}, 'w')")
    graph = onnx_models.Graph()
    graph.save(path, (8,), graph.node("Act", ["x"], domain="stranger"))
    with pytest.raises(InputError, match="operators of domain 'stranger' are not known"):
        read_onnx(path, INPUT)
    assert not marker.exists()
    graph = onnx_models.Graph()
    _, output = _dense(graph, "x")
    tensor = graph.constants[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    graph.save(path, (8,), output)
    with pytest.raises(InputError, match="is in another file"):
        read_onnx(path, INPUT)


def test_a_graph_within_a_node_is_refused(tmp_path):
    inner = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "inner",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])],
    )
    graph = onnx_models.Graph()
    condition = graph.constant(True, bool)
    output = graph.node("If", [condition], then_branch=inner, else_branch=inner)
    graph.save(tmp_path / "net.onnx", (8,), output)
    with pytest.raises(InputError, match="If has a graph of its own"):
        read_onnx(tmp_path / "net.onnx", INPUT)


@pytest.mark.parametrize("content", [b"", b"\x08", b"PK\x03\x04", bytes(range(256)) * 4])
def test_what_is_no_model_is_refused_in_a_line(tmp_path, content):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        read_onnx(path, INPUT)
    assert str(raised.value).startswith(f"{path}: ")
    assert str(raised.value).isprintable()


def test_a_batch_of_any_size_is_one_sample(tmp_path):
    graph = onnx_models.Graph()
    shape, output = onnx_models.mlp(graph)
    graph.save(tmp_path / "net.onnx", shape, output, batch="N")
    network = read_onnx(tmp_path / "net.onnx", INPUT)
    assert network.layer(network.inputs[0]).arguments["shape"] == (16,)


def test_layers_have_the_names_that_qonnx_gives(tmp_path):
    """So settings such as --set MatMul_0.reuse_factor=4 are those of hls4ml's users."""
    network = read_onnx(saved(tmp_path / "net.onnx", onnx_models.mlp), INPUT)
    assert [layer.name for layer in network.layers if layer.kind == "QDense"] == [
        "MatMul_0",
        "MatMul_1",
        "MatMul_2",
    ]


def test_the_judge_of_a_project_is_the_file_itself(tmp_path):
    """Whatever was read of it: against another file's outputs, the hardware's differ."""
    path = saved(tmp_path / "net.onnx", onnx_models.mlp)
    convert(path, None, ConvertOptions(input_precision="fixed<9,4>"), tmp_path / "project")
    kept = tmp_path / "project" / "model" / "network.onnx"
    assert kept.read_bytes() == path.read_bytes()
    graph = onnx_models.Graph(np.random.default_rng(5))
    shape, output = onnx_models.mlp(graph)
    graph.save(tmp_path / "other.onnx", shape, output)
    design = load_design(tmp_path / "project")
    words = random_inputs(design, 20, 1)
    expected = golden.run(design, words)
    outputs = [expected[each.name] for each in design.outputs]
    for original, equal in ((kept, True), (tmp_path / "other.onnx", False)):
        network = read_network(tmp_path / "project")
        with Fidelity(network, design, words, None, "random words", original) as fidelity:
            fidelity.look(expected)
            found = fidelity.results(outputs)
        assert found.reason is None
        assert found.equal is equal
        assert found.method.startswith("qonnx ")


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_a_layer_normalization_is_as_exact_as_its_table(tmp_path, io):
    def make(g):
        g.opset = 17
        gamma, beta = (g.constant(g.rng.uniform(-1, 1, 8)) for _ in range(2))
        found = g.node("LayerNormalization", ["x", gamma, beta], axis=-1, epsilon=1e-5)
        return (6, 8), g.node("Relu", [found])

    path = saved(tmp_path / "normalized.onnx", make)
    samples, found = hardware(path, tmp_path / "project", io=io)
    assert np.abs(found - executed(path, samples)).max() < 0.01


def test_a_layer_normalization_of_several_axes_is_refused(tmp_path):
    def make(g):
        g.opset = 17
        gamma = g.constant(np.ones((6, 8)))
        return (6, 8), g.node("LayerNormalization", ["x", gamma], axis=-2)

    with pytest.raises(UnsupportedError, match="must be over the last axis"):
        read_onnx(saved(tmp_path / "normalized.onnx", make), INPUT)
