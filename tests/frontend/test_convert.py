"""From models to graphs: all formats agree, every option is heard, every mistake is named."""

import io
import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from plain_models import dense, write_model

from gatewright.design import golden
from gatewright.emulation import Emulation
from gatewright.errors import GatewrightError, InputError, UnsupportedError
from gatewright.frontend import convert, load, write_hls
from gatewright.frontend.precision import fixed_type
from gatewright.lower import lower
from gatewright.options import ConvertOptions, load_preset, preset_names, resolve


def summary(graph):
    """All that matters of a graph, comparable."""
    return [
        (
            node.name,
            node.class_name,
            {name: str(fixed_type(t.precision)) for name, t in node.types.items()},
            {name: np.asarray(w.data).tolist() for name, w in node.weights.items()},
        )
        for node in graph.get_layers()
    ]


def test_plain_files_need_no_tensorflow(plain):
    path, weights, *_ = plain
    code = (
        "import sys, gatewright.frontend as f; "
        f"f.convert({str(path)!r}, {str(weights)!r}); "
        "assert not {'tensorflow', 'keras', 'qkeras'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def expected(qmodel):
    return summary(convert(qmodel))


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".json"])
def test_formats_agree(qmodel, expected, tmp_path, suffix):
    path, weights = tmp_path / f"q{suffix}", None
    if suffix == ".json":
        weights = tmp_path / "q_weights.h5"
        path.write_text(qmodel.to_json())
        qmodel.save_weights(weights)
    else:
        qmodel.save(path)
    assert summary(convert(path, weights)) == expected


def test_fml_agrees(qmodel, expected, tmp_path):
    path = tmp_path / "q.fml"
    convert(qmodel).save(path)
    assert summary(convert(path)) == expected


def test_quantizers_give_exact_types(qmodel, expected):
    types = {name: types for name, _, types, _ in expected}
    assert types["fc1"]["weight_t"] == "fixed<6,1>"
    assert types["fc1"]["accum_t"] == "fixed<26,11>"
    assert types["act1"]["result_t"] == "ufixed<6,2,RND_CONV,SAT>"
    # The power-of-two scales stand in the weights.
    assert [name for name, *_ in expected] == ["x", "fc1", "act1", "fc2"]
    weights = np.array(expected[3][3]["weight"])
    np.testing.assert_array_equal(
        weights, qmodel.layers[3].kernel_quantizer_internal(qmodel.layers[3].kernel).numpy()
    )


def test_power_of_two_weights(keras):
    from qkeras import QDense, quantized_po2

    keras.utils.set_random_seed(3)
    layer = QDense(4, name="fc", kernel_quantizer=quantized_po2(4), bias_quantizer=quantized_po2(4))
    graph = convert(keras.Sequential([keras.Input((5,), name="x"), layer]))
    weight = graph.graph["fc"].weights["weight"]
    np.testing.assert_array_equal(
        weight.data, layer.kernel_quantizer_internal(layer.kernel).numpy()
    )
    assert fixed_type(weight.type.precision) is not None
    assert fixed_type(graph.graph["fc"].types["accum_t"].precision).overflow == "WRAP"


def test_quantizer_without_negatives_keeps_its_last_bit(keras):
    from qkeras import QDense, quantized_bits

    keras.utils.set_random_seed(4)
    quantizer = quantized_bits(4, 0, keep_negative=False, alpha=1)
    layer = QDense(4, name="fc", kernel_quantizer=quantizer, use_bias=False)
    graph = convert(keras.Sequential([keras.Input((5,), name="x"), layer]))
    np.testing.assert_array_equal(
        graph.graph["fc"].weights["weight"].data, quantizer(layer.kernel).numpy()
    )


def keras_3_models(layers):
    """Models of Keras 3 whose layers hls4ml's own reader of Keras 3 lacks, or reads otherwise."""
    yield (
        "images",
        (8, 8, 2),
        [
            layers.ZeroPadding2D(1),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.UpSampling2D(2),
            layers.GaussianNoise(0.1),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3),
        ],
    )
    yield (
        "depthwise",
        (8, 8, 2),
        [
            layers.SeparableConv2D(4, 3, padding="same"),
            layers.DepthwiseConv2D(3),
            layers.Dropout(0.5),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ],
    )
    for size in (9, 10, 11):
        yield (
            f"causal_{size}",
            (size, 2),
            [
                layers.Conv1D(3, 4, strides=3, padding="causal"),
                layers.LeakyReLU(negative_slope=0.25),
                layers.PReLU(),
                layers.GlobalMaxPooling1D(),
            ],
        )


@pytest.mark.parametrize(
    "name",
    [
        *("images", "depthwise", "causal_10"),
        *(pytest.param(f"causal_{size}", marks=pytest.mark.full) for size in (9, 11)),
    ],
)
def test_models_of_keras_3(name, tmp_path):
    """Live and from a file they are the same, and compute what Keras does."""
    import keras as keras3

    found = {each: (shape, layers) for each, shape, layers in keras_3_models(keras3.layers)}
    shape, layers = found[name]
    model = keras3.Sequential([keras3.Input(shape, name="x"), *layers])
    rng = np.random.default_rng(1)
    for weight in model.weights:
        low = 0.25 if "variance" in weight.name else -1
        weight.assign(np.round(rng.uniform(low, 1, weight.shape) * 64) / 64)
    model.save(tmp_path / "m.keras")
    x = np.round(rng.uniform(-2, 2, (20, *shape)) * 64) / 64
    wide = ConvertOptions(precision="fixed<40,16>")
    live, filed = convert(model, options=wide), convert(tmp_path / "m.keras", options=wide)
    assert summary(live) == summary(filed)
    write_hls(filed, tmp_path / "hls")
    (outputs,) = Emulation(tmp_path / "hls").predict(x)
    np.testing.assert_allclose(outputs, model.predict(x, verbose=0), atol=2**-12)


@pytest.mark.parametrize("size", [7, 8, 9, 10])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_causal_convolutions_look_at_no_later_sample(keras, tmp_path, size, stride):
    inputs = keras.Input((size, 2), name="x")
    layer = keras.layers.Conv1D(2, 3, strides=stride, padding="causal", name="c")
    model = keras.Model(inputs, layer(inputs))
    rng = np.random.default_rng(size)
    model.set_weights([np.round(rng.uniform(-1, 1, w.shape) * 64) / 64 for w in model.weights])
    graph = convert(model, options=ConvertOptions(precision="fixed<40,16>"))
    words = rng.integers(-128, 128, (20, size, 2))
    found = golden.run(lower(graph), [words << 4])  # fixed<16,6> has ten fraction bits
    tensor = lower(graph).outputs[0]
    got = found[tensor.name] * 2.0**-tensor.type.frac
    np.testing.assert_array_equal(got, model.predict(words / 64, verbose=0))


def test_several_inputs_and_outputs(keras):
    layers = keras.layers
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    total = layers.Add(name="total")([a, b])
    model = keras.Model([a, b], [layers.Dense(2, name="fc")(total), total])
    graph = convert(model)
    assert (graph.inputs, graph.outputs) == (["a", "b"], ["fc", "total"])


def test_input_width_that_does_not_fit(plain):
    path, weights, *_ = plain
    content = json.loads(path.read_text())
    content["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 5]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="layer 'fc1': its weights take 4 inputs, but it gets 5"):
        convert(path, weights)


@pytest.mark.parametrize(
    ("setting", "layer", "attribute", "expected"),
    [
        ("fc1.precision.result=fixed<8,3,RND,SAT>", "fc1", "result_t", "fixed<8,3,RND,SAT>"),
        ("Dense.precision.accum=fixed<20,9>", "fc2", "accum_t", "fixed<20,9>"),
        (
            "fc2_softmax.precision.inv_table=fixed<12,2>",
            "fc2_softmax",
            "inv_table_t",
            "fixed<12,2>",
        ),
        ("Softmax.precision.inp_norm=ufixed<8,3>", "fc2_softmax", "inp_norm_t", "ufixed<8,3>"),
        ("Softmax.implementation=argmax", "fc2_softmax", "implementation", "argmax"),
        ("fc2_softmax.table_size=512", "fc2_softmax", "table_size", 512),
        ("fc1.reuse_factor=2", "fc1", "reuse_factor", 2),
        (
            "fc1.strategy=distributed_arithmetic",
            "fc1",
            "gatewright_strategy",
            "distributed_arithmetic",
        ),
        ("Dense.multiplier=dsp", "fc2", "gatewright_multiplier", "dsp"),
        ("fc1.rom_style=block", "fc1", "gatewright_rom_style", "block"),
        ("fc1.ram_style=distributed", "fc1", "gatewright_ram_style", "distributed"),
        # hls4ml moves a factor to one that its C++ can do; what was asked for is kept.
        ("fc1.reuse_factor=7", "fc1", "gatewright_reuse_factor", 7),
    ],
)
def test_settings_reach_the_graph(plain, setting, layer, attribute, expected):
    path, weights, *_ = plain
    key, _, value = setting.partition("=")
    node = convert(path, weights, ConvertOptions(settings=((key, value),))).graph[layer]
    found = node.get_attr(attribute)
    assert (str(fixed_type(found.precision)) if attribute.endswith("_t") else found) == expected


def test_what_was_asked_outlives_what_hls4ml_moves(plain):
    path, weights, *_ = plain
    options = ConvertOptions(strategy="resource", reuse_factor=5)
    node = convert(path, weights, options).graph["fc1"]
    assert (node.get_attr("strategy"), node.get_attr("reuse_factor")) == ("resource", 4)
    asked = [node.get_attr(f"gatewright_{key}") for key in ("strategy", "reuse_factor")]
    assert asked == ["resource", 5]
    assert node.get_attr("gatewright_multiplier") == "auto"


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("fc_1.reuse_factor", "2", "no layer.* 'fc_1'; did you mean 'fc1'"),
        ("fc1", "2", "write layer.key=value"),
        ("fc1.colour", "2", "layer 'fc1' has no 'colour'; choose from strategy, multiplier"),
        ("fc1.precision", "fixed<8,3>", "no precision ''; choose from precision."),
        ("fc1.precision.weight", "float", "'fc1.precision.weight': precision 'float'"),
        ("fc1.reuse_factor", "two", "'two' is not an integer"),
        ("fc1.strategy", "fast", "strategy 'fast' does not exist; choose from latency"),
        ("fc1.multiplier", "tpu", "multiplier 'tpu' does not exist; choose from auto, dsp, lut"),
        ("fc1.reuse_factor", "0", "'fc1.reuse_factor': 0: must be at least 1"),
        ("Softmax.implementation", "quick", "'quick' does not exist; choose from latency, stable"),
    ],
)
def test_wrong_settings_are_named(plain, key, value, match):
    path, weights, *_ = plain
    with pytest.raises(InputError, match=match):
        convert(path, weights, ConvertOptions(settings=((key, value),)))


def test_types_of_quantizers_cannot_be_set(qmodel):
    options = ConvertOptions(settings=(("fc1.precision.weight", "fixed<8,3>"),))
    with pytest.raises(InputError, match="own quantizer sets the type of 'weight' of layer 'fc1'"):
        convert(qmodel, None, options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (ConvertOptions(precision="fixed<16>"), "precision 'fixed<16>'"),
        (ConvertOptions(input_precision="half"), "precision 'half'"),
        (ConvertOptions(preset="fastest"), "preset 'fastest' does not exist; choose from"),
        (ConvertOptions(strategy="fast"), "strategy 'fast'"),
        (ConvertOptions(io="serial"), "io 'serial'"),
        (ConvertOptions(reuse_factor=0), "reuse factor 0"),
        (ConvertOptions(target="nosuch"), "target 'nosuch'"),
        (ConvertOptions(target_ii=0), "target II 0: must be from 1 to"),
        (ConvertOptions(fps=-1.0), "-1 samples/s: must be from"),
        (ConvertOptions(target_ii=10, fps=1e3), "target II 10 and 1000 samples/s: give one"),
        (
            ConvertOptions(strategy="distributed_arithmetic", reuse_factor=2),
            "layer 'fc1': strategy distributed_arithmetic .* must be 1, not 2",
        ),
    ],
)
def test_wrong_options_are_named(plain, options, match):
    path, weights, *_ = plain
    with pytest.raises(InputError, match=match):
        convert(path, weights, options)


def test_presets_are_valid_and_the_user_wins():
    for name in preset_names():
        assert load_preset(name).description
    options = resolve(ConvertOptions(preset="compact", precision="fixed<10,4>"))
    assert (options.precision, options.input_precision) == ("fixed<10,4>", "fixed<8,3,RND,SAT>")
    settings = (("Softmax.implementation", "stable"),)
    assert (
        resolve(ConvertOptions(preset="classifier", settings=settings)).settings[-1] == settings[0]
    )


def test_preset_with_an_unknown_field(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("description: mine\nprecison: fixed<8,3>\n")
    with pytest.raises(InputError, match=r"own.yaml: not a preset: precison"):
        load_preset(str(path))


def test_keras_file_with_a_lambda_is_refused_unread(keras, tmp_path):
    layers = keras.layers
    model = keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x * 2, name="twice")])
    model.save(tmp_path / "evil.keras")
    with pytest.raises(UnsupportedError, match="layer 'twice' is a Lambda"):
        load(tmp_path / "evil.keras")


def test_fml_with_a_foreign_class_or_a_link_is_refused(qmodel, tmp_path):
    good, bad = tmp_path / "q.fml", tmp_path / "bad.fml"
    convert(qmodel).save(good)
    with tarfile.open(good) as archive, tarfile.open(bad, "w:gz") as forged:
        for member in archive.getmembers():
            if not member.isfile():
                continue
            content = archive.extractfile(member).read()
            if member.name == "model_arch.json":
                content = content.replace(b"hls4ml.model.types.", b"subprocess.", 1)
                member.size = len(content)
            forged.addfile(member, io.BytesIO(content))
    with pytest.raises(InputError, match=r"'subprocess.* is not one of hls4ml"):
        load(bad)
    with tarfile.open(bad, "w:gz") as forged:
        link = tarfile.TarInfo("config.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        forged.addfile(link)
    with pytest.raises(InputError, match=r"'config\.json' in the archive is not a plain file"):
        load(bad)


def test_errors_are_ours(plain):
    path, weights, *_ = plain
    content = json.loads(path.read_text())
    del content["config"]["layers"][0]["config"]["batch_input_shape"]
    path.write_text(json.dumps(content))
    with pytest.raises(GatewrightError):
        convert(path, weights)


def test_proxy_models_of_hgq_carry_types_of_other_layers(tmp_path):
    """HGQ writes quantizers as layers, and what they decide for the others into the first."""
    rng = np.random.default_rng(3)

    def quantizer(name, size, **overrides):
        config = {"name": name, "fusible": True, "RND": "RND", "SAT": "SAT", "overrides": overrides}
        weights = {"keep_negative": 1, "bits": 6, "integers": 2}
        arrays = {f"{name}/{key}:0": np.full((1, size), v, "i1") for key, v in weights.items()}
        return {"class_name": "HGQ>FixedPointQuantizer", "config": config}, arrays

    fc, fc_weights = dense("fc", 3, 4)
    types = {"weight_t": "ap_fixed<8,2>", "bias_t": "ap_fixed<9,3>"}
    first, first_weights = quantizer("q1", 4, layers={"fc": types})
    last, last_weights = quantizer("q2", 3)
    lut = {"class_name": "HGQ>UnaryLUT", "config": {"name": "lut", "kif_out": [1, 2, 4]}}
    table = rng.integers(-32, 32, 64) / 16
    weights = {"q1": first_weights, "fc": fc_weights, "q2": last_weights}
    weights["lut"] = {"lut/table:0": table}
    graph = convert(*write_model(tmp_path, [first, fc, last, lut], weights))
    # The first quantizer stays, so that the port has the type that was asked for.
    assert [node.name for node in graph.get_layers()] == ["x", "q1", "fc", "lut"]
    assert str(graph.graph["fc"].types["result_t"].precision).startswith("fixed<6,2,RND,SAT")
    np.testing.assert_array_equal(graph.graph["lut"].weights["table"].data, table)


@pytest.mark.parametrize("value", ["fixed<8,2>; int x", "x", {}, -1, None, [1]])
def test_proxy_models_carry_nothing_but_types(tmp_path, value):
    config = {"name": "q", "fusible": True, "RND": "RND", "SAT": "SAT"}
    config["overrides"] = {"layers": {"fc": {"weight_t": value}}}
    layer = {"class_name": "HGQ>FixedPointQuantizer", "config": config}
    with pytest.raises(InputError, match="layer 'q': overrides must be"):
        load(*write_model(tmp_path, [layer], {}))


@pytest.mark.parametrize(
    ("match", "kind", "config"),
    [
        (r"target_shape \[2, 2, 2\] has 8 elements, but its input has 4", "Reshape", [2, 2, 2]),
        (r"target_shape \[3\] has 3 elements, but its input has 4", "Reshape", [3]),
        ("a Reshape can't read a tensor of 4", "Reshape", [3, -1]),
        (r"dims \[1, 1\] must be the axes 1 to 1", "Permute", [1, 1]),
        (r"gives a tensor of 2097152 x 4", "UpSampling1D", 1 << 20),
    ],
)
def test_shapes_that_are_none_are_refused(tmp_path, match, kind, config):
    """Before anything is computed on them: hls4ml takes the numbers of elements as they are."""
    key = {"Reshape": "target_shape", "Permute": "dims", "UpSampling1D": "size"}[kind]
    layer = {"class_name": kind, "config": {"name": "a", key: config}}
    shape = (2, 4) if kind == "UpSampling1D" else (4,)
    with pytest.raises(InputError, match=f"layer 'a'.*{match}"):
        convert(*write_model(tmp_path, [layer], {}, shape))


@pytest.mark.parametrize(
    ("axes", "io"),
    [
        pytest.param(1, "stream", marks=pytest.mark.full),
        (2, "parallel"),
        pytest.param(1, "parallel", marks=pytest.mark.full),
        pytest.param(2, "stream", marks=pytest.mark.full),
    ],
)
def test_a_normalization_behind_a_depthwise_convolution_is_folded_into_it(
    keras, axes, io, tmp_path
):
    k = keras.layers
    kind, shape = (k.DepthwiseConv1D, (5, 3)) if axes == 1 else (k.DepthwiseConv2D, (5, 4, 3))
    inputs = keras.Input(shape, name="x")
    tensor = k.BatchNormalization(name="bn")(kind(2, name="c", padding="same")(inputs))
    model = keras.Model(inputs, k.ReLU(name="r")(tensor))
    rng = np.random.default_rng(axes)
    model.set_weights([rng.uniform(0.25, 1, weight.shape) for weight in model.weights])
    x = np.round(rng.uniform(-2, 2, (20, *shape)) * 64) / 64
    expected = model.predict(x, verbose=0)
    graph = convert(model, options=ConvertOptions(precision="fixed<40,16>", io=io))
    assert "bn" not in graph.graph
    write_hls(graph, tmp_path)
    (outputs,) = Emulation(tmp_path).predict(x)
    np.testing.assert_allclose(outputs, expected, atol=2**-12)
    design = lower(graph)
    found = golden.run(design, [np.rint(x * 1024).astype(np.int64)])
    tensor = design.outputs[0]
    np.testing.assert_array_equal(found[tensor.name] * 2.0**-tensor.type.frac, outputs)
