"""MultiHeadAttention of Keras 2 and 3 in hardware, against the models' own predictions."""

import importlib
import json

import numpy as np
import pytest

from gatewright.compress.model_files import load_model
from gatewright.design import golden
from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import to_float
from gatewright.frontend import convert
from gatewright.frontend.readers.architecture import read_outline
from gatewright.frontend.source import load
from gatewright.lower import lower
from gatewright.options import ConvertOptions

#: Of outputs: the tables of the softmax, and constants that are rounded.
TOLERANCE = 0.02


def self_attention(k, x, **options):
    return k.layers.MultiHeadAttention(2, 4, name="attend", **options)(x, x)


def by_name(k, x, **options):
    attend = k.layers.MultiHeadAttention(2, 3, name="attend", **options)
    return attend(key=x, value=k.layers.Dense(5, name="other")(x), query=x)


def crossed(k, x):
    memory = k.layers.AveragePooling1D(2, name="memory")(x)
    return k.layers.MultiHeadAttention(3, 2, value_dim=4, use_bias=False, name="attend")(x, memory)


def twice(k, x):
    attend = k.layers.MultiHeadAttention(1, 4, name="attend")
    return attend(attend(x, x), x)


def two_layers(k, x):
    x = k.layers.MultiHeadAttention(2, 2, name="attend")(x, x)
    return k.layers.MultiHeadAttention(1, 2, name="again")(x, x)


MAKERS = {
    "self": self_attention,
    "by name": lambda k, x: by_name(k, x, output_shape=7),
    "crossed": crossed,
    "twice": twice,
    "two layers": two_layers,
}


@pytest.fixture(scope="module", params=["tf_keras", "keras"])
def k(request):
    return importlib.import_module(request.param)


def model_of(k, make):
    x = k.Input((4, 6), name="x")
    model = k.Model(x, k.layers.Activation("relu")(make(k, x)))
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(-0.6, 0.6, each.shape) for each in model.get_weights()])
    return model


@pytest.mark.parametrize("ending", ["h5", "keras"])
@pytest.mark.parametrize("name", MAKERS)
def test_hardware_is_what_the_model_predicts(k, name, ending, tmp_path):
    model = model_of(k, MAKERS[name])
    path = tmp_path / f"model.{ending}"
    model.save(path)
    design = lower(convert(path, options=ConvertOptions(input_precision="fixed<6,1>")))
    raw = np.random.default_rng(1).integers(-32, 32, (50, 4, 6))
    (output,) = design.outputs
    found = to_float(golden.run(design, [raw])[output.name], output.type.frac)
    samples = to_float(raw, 5).astype(np.float32)
    assert np.abs(found - model.predict(samples, verbose=0)).max() < TOLERANCE


def test_a_live_model_is_read_alike(k, tmp_path):
    model = model_of(k, MAKERS["by name"])
    path = tmp_path / "model.keras"
    model.save(path)
    live, saved = (
        {layer.name: layer.weights for layer in load(each).layers} for each in (model, path)
    )
    assert list(live) == list(saved)
    for name, arrays in saved.items():
        assert all(np.array_equal(live[name][key], array) for key, array in arrays.items())


def test_a_model_with_it_is_not_quantized_by_us(tmp_path):
    k = importlib.import_module("keras")
    path = tmp_path / "model.keras"
    model_of(k, self_attention).save(path)
    with pytest.raises(UnsupportedError, match="a model with attention can't be rewritten"):
        load_model(path)


def test_products_have_names_by_which_they_can_be_set(tmp_path):
    k = importlib.import_module("keras")
    path = tmp_path / "model.keras"
    model_of(k, two_layers).save(path)
    network = load(path)
    kinds = {layer.name: layer.kind for layer in network.layers}
    assert [kinds[name] for name in ("query", "attend", "again_query", "again")] == [
        "EinsumDense"
    ] * 4
    assert list(kinds.values()).count("Einsum") == 4


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda k, x: k.layers.MultiHeadAttention(1, 2, name="attend")(
            x, x, use_causal_mask=True), "is called with use_causal_mask=True"),
        (lambda k, x: k.layers.MultiHeadAttention(1, 2, attention_axes=(1, 2), name="attend")(
            x, x), "attention_axes=.1, 2. is not supported, only its default is"),
        (lambda k, x: k.layers.Reshape((4, 6))(k.layers.MultiHeadAttention(
            1, 2, attention_axes=1, name="attend")(*[k.layers.Reshape((4, 3, 2))(x)] * 2)),
         "attends to a tensor of rank 3"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_by_layer(make, said, tmp_path):
    k = importlib.import_module("keras")
    path = tmp_path / "model.keras"
    model_of(k, make).save(path)
    with pytest.raises(UnsupportedError, match=f"layer 'attend': {said}"):
        load(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_heads": 0}, "num_heads must be an integer from 1"),
        ({"key_dim": "4; drop"}, "key_dim must be an integer from 1"),
        ({"use_gate": True}, "use_gate=True is not supported"),
        ({"output_shape": [[3]]}, "output_shape must be"),
    ],
)
def test_wrong_arguments_are_named(change, said):
    k = importlib.import_module("tf_keras")
    architecture = json.loads(model_of(k, self_attention).to_json())
    (entry,) = (e for e in architecture["config"]["layers"] if e["name"] == "attend")
    entry["config"] |= change
    with pytest.raises(InputError, match=f"layer 'attend': {said}"):
        read_outline("model", architecture)


def test_a_wrong_shape_of_a_weight_is_named(tmp_path):
    """As the widths of the query and the weights of a file may not agree."""
    k = importlib.import_module("keras")
    path, other = tmp_path / "model.keras", tmp_path / "other.weights.h5"
    model_of(k, self_attention).save(path)
    wider = model_of(k, lambda k, x: self_attention(k, k.layers.Dense(8, name="d")(x)))
    wider.save_weights(other)
    with pytest.raises(InputError):
        convert(path, other, ConvertOptions())
