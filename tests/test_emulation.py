"""The compiled C++ emulation: against Keras, layer by layer, moved about, and fed nonsense."""

import os
import shutil

import numpy as np
import pytest

from gatewright.emulation import Emulation
from gatewright.errors import InputError
from gatewright.frontend import convert, write_hls
from gatewright.options import ConvertOptions

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


@pytest.fixture(scope="module")
def keras():
    from gatewright.frontend.quiet import import_keras

    import_keras("qkeras")
    return import_keras("tf_keras")


@pytest.fixture(scope="module")
def model(keras):
    """Two inputs, two outputs, quantized so that Keras' floats are exact."""
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    keras.utils.set_random_seed(11)

    def fc(units, name):
        quantizer = {
            "kernel_quantizer": quantized_bits(5, 0, alpha="auto_po2"),
            "bias_quantizer": quantized_bits(8, 1, alpha=1),
        }
        return QDense(units, name=name, bias_initializer="random_uniform", **quantizer)

    a, b = keras.Input((5,), name="a"), keras.Input((3, 2), name="b")
    left = QActivation(quantized_relu(6, 2), name="act")(fc(4, "left")(a))
    right = fc(4, "right")(keras.layers.Flatten(name="flat")(b))
    total = keras.layers.Subtract(name="total")([left, right])
    return keras.Model([a, b], [fc(2, "narrow")(total), total])


@pytest.fixture(scope="module")
def project(model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("project") / "hls"
    options = ConvertOptions(input_precision="fixed<27,3>")
    write_hls(convert(model, None, options, directory, "tiny"), directory)
    return directory


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(5)
    # Twenty-four fraction bits: more than a float32 holds beside the sign and integer bits.
    shapes = ((200, 5), (200, 3, 2))
    return [rng.integers(-(2**26), 2**26, shape) / 2**24 for shape in shapes]


def test_tensors_are_described_in_order(project):
    emulation = Emulation(project)
    assert [(t.name, t.shape, t.type) for t in emulation.inputs] == [
        ("a", (5,), "fixed<27,3>"),
        ("b", (3, 2), "fixed<27,3>"),
    ]
    assert [(t.name, t.shape) for t in emulation.outputs] == [("narrow", (2,)), ("total", (4,))]


def test_outputs_equal_keras(model, project, samples):
    coarse = [np.floor(x * 64) / 64 for x in samples]  # so that float32 sums are exact
    for ours, theirs in zip(
        Emulation(project).predict(coarse), model.predict(coarse, verbose=0), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_inputs_keep_all_their_bits(project, samples):
    emulation = Emulation(project)
    bumped = [samples[0] + 2.0**-24, samples[1]]
    _, before = emulation.trace(samples)
    _, after = emulation.trace(bumped)
    assert (before["left"] != after["left"]).any(axis=1).all()


def test_trace_agrees_with_predict(project, samples):
    emulation = Emulation(project)
    predicted = emulation.predict(samples)
    outputs, layers = emulation.trace(samples)
    assert {"left", "act", "right", "total", "narrow"} <= set(layers)
    for a, b in zip(predicted, outputs, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(layers["narrow"], predicted[0])
    np.testing.assert_array_equal(layers["total"], predicted[1])
    np.testing.assert_array_equal(layers["total"], layers["act"] - layers["right"])


def test_a_moved_project_still_works(project, samples, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(project, moved)
    np.testing.assert_array_equal(
        Emulation(moved).predict(samples)[0], Emulation(project).predict(samples)[0]
    )


def test_a_replaced_project_is_loaded_anew(project, samples, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(project, again)
    before = Emulation(again).predict(samples)
    shutil.rmtree(again)
    shutil.copytree(project, again)
    biases = sorted((again / "firmware" / "weights").glob("b*.txt"))
    for path in biases:
        path.write_text(",".join("1" for _ in path.read_text().split(",")))
    after = Emulation(again).predict(samples)
    assert biases
    assert (before[1] != after[1]).any()


def test_same_model_same_files(model, project, tmp_path):
    again = tmp_path / "hls"
    options = ConvertOptions(input_precision="fixed<27,3>")
    write_hls(convert(model, None, options, again, "tiny"), again, build=False)
    for path in project.rglob("*"):
        if path.suffix in (".cpp", ".h", ".txt", ".json", ".tcl", ".sh", ".yml"):
            assert (again / path.relative_to(project)).read_bytes() == path.read_bytes(), path


def test_no_samples(project):
    outputs, layers = Emulation(project).trace([np.zeros((0, 5)), np.zeros((0, 3, 2))])
    assert [y.shape for y in outputs] == [(0, 2), (0, 4)]
    assert layers["left"].shape == (0, 4)


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        ([np.zeros((2, 5))], "1 input arrays; the model has 2 inputs"),
        (
            [np.zeros((2, 5)), np.zeros((2, 5))],
            r"input 'b': shape \(2, 5\); wanted \(samples, 3, 2\)",
        ),
        ([np.zeros((2, 5)), np.zeros((3, 3, 2))], "differ in their number of samples"),
        ([np.full((1, 5), np.nan), np.zeros((1, 3, 2))], "input 'a': a value is NaN or infinite"),
    ],
)
def test_wrong_inputs(project, inputs, match):
    with pytest.raises(InputError, match=match):
        Emulation(project).predict(inputs)


def test_nothing_there(tmp_path, project):
    with pytest.raises(InputError, match="no C\\+\\+ emulation here"):
        Emulation(tmp_path)
    spoilt = tmp_path / "spoilt"
    shutil.copytree(project, spoilt)
    shutil.rmtree(spoilt / "firmware" / "weights")
    with pytest.raises(InputError, match="no C\\+\\+ emulation here"):
        Emulation(spoilt)


def test_no_compiler(model, tmp_path, monkeypatch):
    graph = convert(model)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"g\+\+ is not installed"):
        write_hls(graph, tmp_path / "hls")
    assert not (tmp_path / "hls").exists()
