"""Reading models: what is accepted, and the one line that each refusal says."""

import json
import re

import h5py
import numpy as np
import pytest
from plain_models import architecture, dense, write_model

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend import load
from gatewright.frontend.archive import check_names_and_size


def rewrite(path, **changes):
    """Change the configuration of layer fc1."""
    content = json.loads(path.read_text())
    content["config"]["layers"][1]["config"].update(changes)
    path.write_text(json.dumps(content))


def refused(match, *arguments, error=InputError):
    with pytest.raises(error, match=match) as caught:
        load(*arguments)
    assert "\n" not in str(caught.value)


def test_plain_model(plain):
    path, weights, _, arrays = plain
    source = load(path, weights)
    assert [layer["config"]["name"] for layer in source["config"]["layers"]] == ["x", "fc1", "fc2"]
    np.testing.assert_array_equal(source.weights["fc1"]["kernel"], arrays["fc1"]["fc1/kernel:0"])
    assert not source.needs_qkeras


def test_missing_files(plain, tmp_path):
    path, weights, *_ = plain
    refused("nowhere.json: no such file", tmp_path / "nowhere.json")
    refused("nowhere.h5: no such file", path, tmp_path / "nowhere.h5")
    refused("an architecture needs its weights", path)
    refused("no architecture", weights)


def test_unknown_kind(tmp_path):
    (tmp_path / "net.txt").write_text("x")
    refused("unknown kind of model", tmp_path / "net.txt")
    refused("neither a Keras model", 3)


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".fml"])
def test_corrupt_file(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(b"nonsense" * 100)
    refused(re.escape(str(path)) + ": not a", path)


def test_corrupt_pair(plain):
    path, weights, *_ = plain
    path.write_text('{"class_name": ')
    refused("net.json: not a Keras architecture", path, weights)
    path.write_text("[]")
    refused("net.json: not the architecture", path, weights)


def test_truncated_weights(plain):
    path, weights, *_ = plain
    weights.write_bytes(weights.read_bytes()[:1000])
    refused("net_weights.h5: not a readable HDF5", path, weights)


def test_unknown_layer_names_a_near_match(tmp_path):
    layer, weights = dense("fc1", 3, 4, class_name="Dens")
    refused(
        "layer 'fc1' is of class Dens.*'Dense'", *write_model(tmp_path, [layer], {"fc1": weights})
    )


def test_weights_of_another_model(plain):
    path, weights, *_ = plain
    with h5py.File(weights, "a") as file:
        file.move("fc1", "fc_1")
    refused("weights of a layer 'fc_1'.*did you mean 'fc1'", path, weights)


def test_missing_weight(plain):
    path, weights, *_ = plain
    with h5py.File(weights, "a") as file:
        del file["fc1/fc1/bias:0"]
    refused("layer 'fc1' lacks its weight 'bias'", path, weights)


def test_wrong_shape(plain):
    path, weights, *_ = plain
    rewrite(path, units=5)
    refused(r"'kernel' has shape \[4, 3\], the architecture says \[any, 5\]", path, weights)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers(plain, value):
    path, weights, *_ = plain
    with h5py.File(weights, "a") as file:
        file["fc2/fc2/kernel:0"][1, 0] = value
    refused(rf"layer 'fc2': weight 'kernel' at \[1, 0\] is {value}", path, weights)


def test_links_to_other_files_are_not_followed(plain, tmp_path):
    path, weights, *_ = plain
    with h5py.File(weights, "a") as file:
        del file["fc1"]
        file["fc1"] = h5py.ExternalLink(tmp_path / "other.h5", "/")
    refused("'fc1' is not a group of weights", path, weights)


@pytest.mark.parametrize("nested", [False, True])
def test_lambda_is_refused(tmp_path, nested):
    layer = {"class_name": "Lambda", "config": {"name": "evil", "function": ["4wEA", None, None]}}
    if nested:
        layer = {"class_name": "TimeDistributed", "config": {"name": "td", "layer": layer}}
    refused("layer 'evil' is a Lambda", *write_model(tmp_path, [layer], {}), error=UnsupportedError)


def test_refusals_of_what_hls4ml_would_misread(tmp_path):
    def layer(class_name, **config):
        return write_model(
            tmp_path, [{"class_name": class_name, "config": {"name": "a", **config}}], {}
        )

    refused("clips a ReLU at 1 or 6 only", *layer("ReLU", max_value=5.0), error=UnsupportedError)
    refused("no activation 'swish'", *layer("Activation", activation="swish"))
    refused("layer name 'a-b'", *layer("Activation", activation="relu", name="a-b"))
    refused("layer 'a' is a Sequential", *layer("Sequential", layers=[]))
    refused("written by Keras 3", *layer("Activation", activation="relu", batch_shape=[None, 4]))
    quantizer = {"class_name": "quantized_relu", "config": {"bits": 4, "relu_upper_bound": 1.5}}
    refused("relu_upper_bound=1.5", *layer("QActivation", activation=quantizer))
    refused("not one of QKeras", *layer("QDense", kernel_quantizer="__import__('os')"))


def test_shared_layer_is_refused(plain):
    path, weights, *_ = plain
    content = json.loads(path.read_text())
    node = [["x", 0, 0, {}]]
    content["config"]["layers"][1]["inbound_nodes"] = [node, node]
    path.write_text(json.dumps(content))
    refused("layer 'fc1' is used 2 times", path, weights, error=UnsupportedError)


def test_layers_that_do_nothing_at_inference_are_skipped(tmp_path):
    layer, weights = dense("fc1", 3, 4)
    noise = {"class_name": "GaussianNoise", "config": {"name": "noise", "stddev": 1.0}}
    source = load(*write_model(tmp_path, [noise, layer], {"fc1": weights}))
    assert source["config"]["layers"][1]["class_name"] == "Dropout"


def test_relu_with_a_slope_becomes_leaky(tmp_path):
    relu = {"class_name": "ReLU", "config": {"name": "a", "negative_slope": 0.25}}
    source = load(*write_model(tmp_path, [relu], {}))
    assert source["config"]["layers"][1]["class_name"] == "LeakyReLU"
    assert source["config"]["layers"][1]["config"]["alpha"] == 0.25


def test_architecture_of_no_layers(tmp_path):
    path, weights = write_model(tmp_path, [], {})
    content = architecture([])
    content["config"]["layers"] = []
    path.write_text(json.dumps(content))
    refused("lists no layers", path, weights)


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../b", "..\\up", "C:/x"])
def test_archive_paths_that_leave_the_directory(tmp_path, name):
    with pytest.raises(InputError, match="unsafe path"):
        check_names_and_size(tmp_path, [(name, 1)])


def test_archive_bomb(tmp_path):
    with pytest.raises(InputError, match="unpacks to"):
        check_names_and_size(tmp_path, [("a", 3 << 30)])
