"""Names that mean something else to hls4ml, to C++ or to SystemVerilog."""

import json
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_models import dense

from gatewright.cli import main
from gatewright.design import golden
from gatewright.design.dataflow import Design
from gatewright.errors import DesignFailure, InputError, in_own_names
from gatewright.frontend import convert, load
from gatewright.frontend.layer_names import identifier_of, is_free
from gatewright.frontend.network import is_name
from gatewright.frontend.passes.renaming import rename
from gatewright.lower import lower
from gatewright.options import ConvertOptions
from gatewright.rtl.reserved import identifier

#: Names of hidden layers that each broke a conversion, or the C++ that was made of it.
HIDDEN = ["activation", "name", "n_in", "weight", "bias", "result_t", "index"]


def write(directory, names, source="w2"):
    """A chain of layers of these names, and an input whose name is one of the C++'s."""
    layers, weights = [], {}
    for name in names:
        layer, arrays = dense(name, 2, 2, "relu")
        layers.append(layer)
        weights[name] = arrays
    config = {"name": source, "batch_input_shape": [None, 2], "dtype": "float32"}
    layers.insert(0, {"class_name": "InputLayer", "config": config})
    architecture = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
    (directory / "net.json").write_text(json.dumps(architecture))
    with h5py.File(directory / "net.h5", "w") as file:
        for name, arrays in weights.items():
            for key, array in arrays.items():
                file[f"{name}/{key}"] = array
    return directory / "net.json", directory / "net.h5"


def outputs(design, words):
    return golden.run(design, [words])[design.outputs[0].name]


def test_layers_of_any_name_convert_and_compute_the_same(tmp_path):
    (tmp_path / "plain").mkdir()
    words = np.random.default_rng(0).integers(-2000, 2000, (50, 2))
    odd = load(*write(tmp_path, HIDDEN))
    design = lower(convert(odd, project_name="net"))
    assert list(design.labels.values())[1:] == HIDDEN
    assert design.labels["layer_w2"] == "w2"
    plain = {layer.name: f"plain{number}" for number, layer in enumerate(odd.layers)}
    renamed = replace(
        odd,
        layers=tuple(
            replace(x, name=plain[x.name], inputs=tuple(plain[n] for n in x.inputs))
            for x in odd.layers
        ),
        inputs=tuple(plain[n] for n in odd.inputs),
        outputs=tuple(plain[n] for n in odd.outputs),
    )
    expected = lower(convert(renamed))
    assert expected.labels == {}
    assert np.array_equal(outputs(design, words), outputs(expected, words))


def test_a_name_that_means_nothing_else_stays(tmp_path):
    network = load(*write(tmp_path, ["fc1", "activation_1", "dense"], "x"))
    assert rename(network, {"net"}) is network


def test_a_setting_knows_a_layer_by_either_name(tmp_path):
    model = write(tmp_path, ["activation"], "x")
    for name in ("activation", "layer_activation"):
        options = ConvertOptions(settings=((f"{name}.precision.result", "fixed<9,4>"),))
        design = lower(convert(*model, options))
        (kernel,) = [k for k in design.kernels if k.layer == "layer_activation"]
        assert kernel.output.type.width == 9


def run(*command):
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in command])
    return ended.value.code


def test_the_model_s_own_name_is_what_people_and_files_of_samples_say(tmp_path, capsys):
    model, weights = write(tmp_path, ["activation", "index"])
    np.savez(tmp_path / "samples.npz", w2=np.array([[0.5, -1.25], [3.0, 2.0]]))
    np.savez(tmp_path / "other.npz", x=np.zeros((1, 2)))
    project = tmp_path / "b1"
    convert_it = ("convert", model, "--weights", weights, "-o", project)
    assert run(*convert_it, "--name", "b1") == 2
    assert run(*convert_it) == 0
    assert run("verify", project, "--no-fidelity", "--inputs", tmp_path / "samples.npz") == 0
    assert run("verify", project, "--inputs", tmp_path / "other.npz") == 2
    assert "no array for input 'w2'" in capsys.readouterr().err
    assert run("report", project, "--json", tmp_path / "r.json") == 0
    assert "activation (layer_activation)" in (tmp_path / "r.json").read_text()
    assert Design.load(project / "model" / "design").labels["layer_index"] == "index"


@pytest.mark.parametrize("stem", ["w2", "b1", "class", "layer3", "gw_x"])
def test_a_file_whose_name_the_c_plus_plus_has_gives_another_name(stem):
    assert identifier(stem) == f"model_{stem}"


@given(st.text(max_size=200), st.frozensets(st.text(max_size=5), max_size=5))
def test_any_text_has_an_identifier(label, taken):
    name = identifier_of(label, taken)
    assert is_name(name)
    assert is_free(name)
    assert name not in taken


def test_every_key_of_hls4ml_s_layers_is_taken():
    site = Path(find_spec("hls4ml").submodule_search_locations[0])
    pattern = re.compile(r"(?:[gs]et_attr\(|layer\[)'(\w+)'")
    written = {key for path in site.rglob("*.py") for key in pattern.findall(path.read_text())}
    assert len(written) > 100
    assert [key for key in sorted(written) if is_free(key)] == []


@pytest.mark.parametrize("name", ["x", "fc1", "conv2d_3", "q_dense", "batch_normalization"])
def test_usual_names_are_free(name):
    assert is_free(name, variable=True)


def test_a_refusal_says_the_model_s_own_name(tmp_path):
    model = write(tmp_path, ["activation"], "x")
    options = ConvertOptions(settings=(("activation.precision.nothing", "fixed<9,4>"),))
    with pytest.raises(InputError, match="layer 'activation' has no precision 'nothing'"):
        convert(*model, options)


def test_errors_inside_say_the_model_s_own_name():
    with (
        pytest.raises(DesignFailure, match=r"^layer 'my layer': no, nor 'b'$"),
        in_own_names({"a": "my layer"}),
    ):
        raise DesignFailure("layer 'a': no, nor 'b'")
