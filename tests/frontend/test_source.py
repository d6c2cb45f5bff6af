"""Reading models: what is accepted, and the one line that each refusal says."""

import inspect
import json
import os
import re
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
from plain_models import architecture, dense, write_model

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend import load
from gatewright.frontend.kinds import IDENTITY, KINDS, is_training
from gatewright.frontend.passes import supported
from gatewright.frontend.quantizers import QUANTIZERS, read_quantizer
from gatewright.frontend.readers import archive, hdf5
from gatewright.frontend.readers.architecture import _RENAMED, read_outline
from gatewright.frontend.readers.flatten import flatten

CONV = {"filters": 2, "kernel_size": [3, 3]}


def read(origin, architecture):
    return flatten(read_outline(origin, architecture)).network


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
    network = load(path, weights)
    assert [layer.name for layer in network.layers] == ["x", "fc1", "fc2"]
    assert [layer.inputs for layer in network.layers] == [(), ("x",), ("fc1",)]
    assert (network.inputs, network.outputs) == (("x",), ("fc2",))
    assert network.layer("x").arguments == {"shape": (4,), "dtype": "float32"}
    assert network.layer("fc1").arguments == {"units": 3, "activation": "relu", "use_bias": True}
    kernel = network.layer("fc1").weights["kernel"]
    np.testing.assert_array_equal(kernel, arrays["fc1"]["fc1/kernel:0"])
    assert not network.is_quantized


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
        "layer 'fc1' is of class Dens, .*'Dense'", *write_model(tmp_path, [layer], {"fc1": weights})
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
    refused(r"'kernel' has shape \[4, 3\], but the architecture says \[any, 5\]", path, weights)


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


def layer(tmp_path, class_name, **config):
    return write_model(
        tmp_path, [{"class_name": class_name, "config": {"name": "a", **config}}], {}
    )


@pytest.mark.parametrize(
    ("match", "class_name", "config"),
    [
        ("not 'mish'", "Activation", {"activation": "mish"}),
        (r"layer name 'a\\n' must be printable", "ReLU", {"name": "a\n"}),
        ("layer name 'a+.*' must be printable", "ReLU", {"name": "a" * 129}),
        ("layer 'a': the architecture lists no layers", "Sequential", {"layers": []}),
        ("quantizer of QKeras", "QDense", {"units": 3, "kernel_quantizer": "__import__('os')"}),
        ("whose arguments are", "QActivation", {"activation": "quantized_relu(open('/x'))"}),
        ("without 'nonsense'", "QActivation", {"activation": "quantized_relu(4, nonsense=1)"}),
        ("units must be an integer from 1", "Dense", {"units": "3; system(0)"}),
        ("units must be an integer from 1", "Dense", {"units": 2**63}),
        ("units must be an integer from 1", "Dense", {"units": True}),
        ("its units is missing", "Dense", {}),
        ("padding must be one of valid, same", "Conv2D", CONV | {"padding": "causal"}),
        ("kernel_size must be 2 integers", "Conv2D", CONV | {"kernel_size": [3, 3, 3]}),
        ("axis must be an integer", "Softmax", {"axis": "}; static int x = system(0); {"}),
        ("alpha must be a finite number", "LeakyReLU", {"alpha": float("nan")}),
        ("size must be an integer", "UpSampling1D", {"size": 2**63}),
        ("no argument 'colour'", "Dense", {"units": 3, "colour": "red"}),
    ],
)
def test_an_argument_that_is_none_is_refused_by_name(tmp_path, match, class_name, config):
    refused(match, *layer(tmp_path, class_name, **config))


def test_what_matters_in_training_only_is_no_argument(tmp_path):
    settings = {"trainable": False, "kernel_initializer": {"class_name": "HeNormal", "config": {}}}
    dense_layer, weights = dense("fc1", 3, 4)
    dense_layer["config"] |= settings | {"dtype": "float32", "later_argument": None}
    network = load(*write_model(tmp_path, [dense_layer], {"fc1": weights}))
    assert set(network.layer("fc1").arguments) == {"units", "activation", "use_bias"}
    assert set(network.layer("fc1").training) == {"trainable", "kernel_initializer"}


def test_a_curve_that_hls4ml_would_drop_is_refused(tmp_path):
    quantizer = {"class_name": "quantized_relu", "config": {"use_sigmoid": 1}}
    with pytest.raises(UnsupportedError, match="use_sigmoid") as caught:
        supported(load(*layer(tmp_path, "QActivation", activation=quantizer)))
    assert "\n" not in str(caught.value)


def test_layers_that_do_nothing_at_inference_are_left_out(tmp_path):
    dense_layer, weights = dense("fc1", 3, 4)
    noise = {"class_name": "GaussianNoise", "config": {"name": "noise", "stddev": 1.0}}
    drop = {"class_name": "Dropout", "config": {"name": "drop", "rate": 0.5}}
    network = load(*write_model(tmp_path, [noise, dense_layer, drop], {"fc1": weights}))
    assert network.outputs == ("drop",)
    network = supported(network)
    assert [(each.name, each.inputs) for each in network.layers] == [("x", ()), ("fc1", ("x",))]
    assert network.outputs == ("fc1",)


def test_relu_with_a_slope_becomes_leaky(tmp_path):
    relu = {"class_name": "ReLU", "config": {"name": "a", "negative_slope": 0.25}}
    changed = supported(load(*write_model(tmp_path, [relu], {}))).layer("a")
    assert (changed.kind, changed.arguments) == ("LeakyReLU", {"alpha": 0.25})


def test_architecture_of_no_layers(tmp_path):
    path, weights = write_model(tmp_path, [], {})
    content = architecture([])
    content["config"]["layers"] = []
    path.write_text(json.dumps(content))
    refused("lists no layers", path, weights)


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../b", "..\\up", "C:/x", "a\0b"])
def test_archive_paths_that_leave_the_directory(tmp_path, name):
    with pytest.raises(InputError, match="unsafe path"):
        archive.Members(tmp_path).add(name, 1)


@pytest.mark.parametrize("other", ["./a.json", "a.json", "x/../a.json", "A.json", "./././a.json"])
def test_members_of_one_name_are_refused(tmp_path, other):
    members = archive.Members(tmp_path)
    members.add("a.json", 1)
    with pytest.raises(InputError, match=r"in the archive twice|unsafe path"):
        members.add(other, 1)


def test_archive_bomb(tmp_path):
    with pytest.raises(InputError, match="unpacks to"):
        archive.Members(tmp_path).add("a", 3 << 30)


def test_a_tar_whose_headers_are_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 1 << 20)
    path = tmp_path / "bomb.fml"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as file:
        member = tarfile.TarInfo("config.json")
        member.pax_headers = {"comment": "x" * (2 << 20)}
        file.addfile(member)
    refused("unpacks to more than", path)


def functional(entries, inputs=("x",), outputs=("a",)):
    """A functional architecture of layers (name, class, config, what they read)."""
    first = ("x", "InputLayer", {"batch_input_shape": [None, 4], "dtype": "float32"}, [])
    layers = [
        {
            "class_name": kind,
            "name": name,
            "config": {"name": name, **config},
            "inbound_nodes": [[[each, 0, 0, {}] for each in reads]] if reads else [],
        }
        for name, kind, config, reads in (first, *entries)
    ]
    config = {
        "layers": layers,
        "input_layers": [[name, 0, 0] for name in inputs],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return {"class_name": "Functional", "config": config}


RELU = {"activation": "relu"}
ONE = [("a", "Activation", RELU, ["x"])]


def test_layers_are_put_in_an_order_that_data_can_flow_in():
    entries = [("b", "Activation", RELU, ["a"]), ("a", "Activation", RELU, ["x"])]
    network = read("net", functional(entries, outputs=("b",)))
    assert [each.name for each in network.layers] == ["x", "a", "b"]


@pytest.mark.parametrize(
    ("match", "entries", "ends"),
    [
        (
            "layer '.' depends on its own result",
            [("a", "Activation", RELU, ["b"]), ("b", "Activation", RELU, ["a"])],
            {},
        ),
        ("reads a layer 'nowhere'", [("a", "Activation", RELU, ["nowhere"])], {}),
        ("two layers are named 'x'", [("x", "Activation", RELU, ["x"])], {}),
        ("'a' reads 1 tensors, but a Add takes two", [("a", "Add", {}, ["x"])], {}),
        (
            "'a' reads 2 tensors, but a Activation takes one",
            [("a", "Activation", RELU, ["x"] * 2)],
            {},
        ),
        ("'a' reads 0 tensors", [("a", "Activation", RELU, [])], {}),
        ("output_layers names a layer 'b'", [("a", "Activation", RELU, ["x"])], {"outputs": "b"}),
        (
            "input_layers names layer 'x' twice",
            [("a", "Activation", RELU, ["x"])],
            {"inputs": "xx"},
        ),
        (
            "output_layers names layer 'a' twice",
            [("a", "Activation", RELU, ["x"])],
            {"outputs": "aa"},
        ),
        ("don't agree on an input", [("a", "Activation", RELU, ["x"])], {"inputs": "a"}),
    ],
)
def test_graphs_that_are_none(match, entries, ends):
    with pytest.raises(InputError, match=match) as caught:
        read("net", functional(entries, **ends))
    assert "\n" not in str(caught.value)


def test_a_call_with_more_than_tensors_is_refused():
    model = functional([("a", "Activation", RELU, ["x"])])
    model["config"]["layers"][1]["inbound_nodes"][0][0][3] = {"y": 2.0}
    with pytest.raises(UnsupportedError, match=r"is called with y=2\.0"):
        read("net", model)


@pytest.mark.parametrize("shape", [[None, None, 3], [None], None, [None, "4"], [None, 0], "x"])
def test_an_input_has_a_shape(tmp_path, shape):
    dense_layer, weights = dense("fc1", 3, 4)
    path, h5 = write_model(tmp_path, [dense_layer], {"fc1": weights})
    content = json.loads(path.read_text())
    content["config"]["layers"][0]["config"]["batch_input_shape"] = shape
    path.write_text(json.dumps(content))
    refused("layer 'x'", path, h5)


def test_a_sequential_model_without_an_input_layer(tmp_path):
    dense_layer, weights = dense("fc1", 3, 4)
    path, h5 = write_model(tmp_path, [dense_layer], {"fc1": weights})
    content = json.loads(path.read_text())
    content["config"]["layers"].pop(0)
    path.write_text(json.dumps(content))
    refused("first layer 'fc1' has no input shape", path, h5)
    content["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 4]
    path.write_text(json.dumps(content))
    network = load(path, h5)
    assert network.inputs == ("fc1_input",)
    assert network.layer("fc1").inputs == ("fc1_input",)


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("quantized_bits(4, 1)", {"bits": 4, "integer": 1}),
        ("quantized_bits(bits=4, integer=1, alpha=1.0)", {"bits": 4, "integer": 1, "alpha": 1.0}),
        ("quantized_bits", {"bits": 8, "integer": 0}),
        ("quantized_bits(6,-1,alpha='auto_po2')", {"integer": -1, "alpha": "auto_po2"}),
    ],
)
def test_quantizers_as_text_are_parsed(text, bits):
    quantizer = read_quantizer(text)
    assert quantizer.kind == "quantized_bits"
    assert bits.items() <= quantizer.arguments.items()


@pytest.mark.parametrize("name", QUANTIZERS)
def test_quantizers_have_the_arguments_that_qkeras_gives_them(keras, name):
    """In the order of its signature, with its defaults: what a file leaves out is QKeras' own."""
    import qkeras

    parameters = inspect.signature(getattr(qkeras.quantizers, name).__init__).parameters
    expected = {key: p.default for key, p in list(parameters.items())[1:]}
    assert {key: argument.default for key, argument in QUANTIZERS[name].items()} == expected
    assert list(QUANTIZERS[name]) == list(expected)


def signatures(keras):
    import keras as keras3
    import qkeras

    for module in (keras.layers, keras3.layers, qkeras):
        for kind in KINDS:
            cls = getattr(module, kind, None)
            if cls is not None:
                yield module.__name__, kind, list(inspect.signature(cls.__init__).parameters)[1:]


#: How a class takes what its file says otherwise, and the name, which all have.
OTHERWISE = {"name", "kwargs", "input_shape", "input_tensor", "type_spec", "shape", "weights"}
#: Settings of newer versions that change what a layer computes where they are set: refused then.
REFUSED = {"lora_rank", "lora_alpha", "quantization_config", "gptq_unpacked_column_size"}
#: QBatchNormalization takes an activation, and has none.
EXCEPT = {("QBatchNormalization", "activation")}


def test_every_argument_of_every_class_is_listed(keras):
    """A new version of Keras that adds an argument fails here."""
    unlisted = {
        (module, kind, key)
        for module, kind, keys in signatures(keras)
        for key in keys
        if (kind, key) not in {*_RENAMED, *EXCEPT}
        and key not in {*KINDS[kind].arguments, *OTHERWISE, *REFUSED, "batch_shape", "dtype"}
        and not is_training(key)
        and kind not in IDENTITY
    }
    assert not unlisted


@pytest.mark.parametrize(
    "groups",
    [
        ("layers/dense", "layers/dense_1"),
        ("layers/dense", "layers/dense_2"),  # as version 2.13 counts
        ("_layer_checkpoint_dependencies/dense", "_layer_checkpoint_dependencies/dense_1"),
        ("layers\\dense", "layers\\dense_1"),  # as written on Windows
    ],
)
def test_archives_number_layers_in_many_ways(tmp_path, groups):
    rng = np.random.default_rng(1)
    arrays = [rng.random((4, 3)), rng.random((3, 3))]
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for group, array in zip(groups, arrays, strict=True):
            file[f"{group}/vars/0"], file[f"{group}/vars/1"] = array, np.zeros(3)
        file["layers/dropout/seed_generator/vars/0"] = np.zeros(2, np.uint32)
    path = tmp_path / "net.keras"
    first, second = dense("fc1", 3, 4)[0], dense("fc2", 3, 3)[0]
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps(architecture([first, second])))
        file.writestr("metadata.json", "{}")
        file.write(tmp_path / "w.h5", "model.weights.h5")
    network = load(path)
    for name, array in zip(("fc1", "fc2"), arrays, strict=True):
        np.testing.assert_array_equal(network.layer(name).weights["kernel"], array)
    weights = tmp_path / "net.weights.h5"  # the same file by itself
    (tmp_path / "w.h5").rename(weights)
    (tmp_path / "net.json").write_text(json.dumps(architecture([first, second])))
    assert load(tmp_path / "net.json", weights).layer("fc2").weights.keys() == {"kernel", "bias"}
    refused("holds weights but no architecture", weights)


def test_files_of_keras_3_say_what_the_live_model_says(tmp_path):
    import keras as keras3

    layers = keras3.layers
    model = keras3.Sequential(
        [
            keras3.Input((8, 8, 2), name="x"),
            layers.DepthwiseConv2D(3),
            layers.SeparableConv2D(3, 2),
            layers.BatchNormalization(),
            layers.Conv2D(2, 2),
            layers.PReLU(),
            layers.Dropout(0.1),
            layers.Flatten(),
            layers.Dense(3),
            layers.Dense(2),
        ]
    )
    model.save(tmp_path / "m.h5")
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    (tmp_path / "m.json").write_text(model.to_json())
    expected = load(model)
    for files in (["m.h5"], ["m.keras"], ["m.json", "m.weights.h5"]):
        network = load(*(tmp_path / file for file in files))
        for ours, theirs in zip(network.layers, expected.layers, strict=True):
            assert (ours.name, ours.arguments) == (theirs.name, theirs.arguments)
            assert ours.weights.keys() == theirs.weights.keys()
            for key, array in theirs.weights.items():
                np.testing.assert_array_equal(ours.weights[key], array)


def test_a_keras_file_that_is_hdf5(plain, tmp_path):
    path, weights, *_ = plain
    whole = tmp_path / "old.keras"
    weights.rename(whole)
    with h5py.File(whole, "a") as file:
        file.attrs["model_config"] = path.read_text()
    assert load(whole).outputs == ("fc2",)


def test_an_archive_with_a_second_architecture_is_refused(tmp_path):
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps(architecture([dense("fc1", 3, 4)[0]])))
        file.writestr("./config.json", "{}")
    refused("'config.json' is in the archive twice", path)


@pytest.mark.parametrize("make", ["directory", "pipe"])
def test_what_is_no_plain_file_is_refused(tmp_path, make):
    path = tmp_path / "net.h5"
    path.mkdir() if make == "directory" else os.mkfifo(path)
    refused("is a directory|is a pipe", path)


def test_arrays_of_a_size_that_no_file_has_are_refused(plain):
    """HDF5 stores no byte of them, and would hand out all."""
    path, weights, *_ = plain
    with h5py.File(weights, "a") as file:
        for number in range(4):
            file["fc1"].create_dataset(f"huge{number}", (1 << 27,), "f8", chunks=(1 << 20,))
    refused("more than .* bytes of weights", path, weights)


def test_a_file_that_kills_the_library_is_refused(plain, monkeypatch):
    path, weights, *_ = plain
    worker = weights.with_name("worker.py")
    worker.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(hdf5, "_SCRIPT", str(worker))
    refused("the HDF5 library fails on it, with status -11", path, weights)
    worker.write_text("while True: pass")
    monkeypatch.setattr(hdf5, "_SECONDS", 0.5)
    refused("its time limit", path, weights)
