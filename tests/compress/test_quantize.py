"""Rewriting into QKeras: the same network, names, weights; other numbers; refusals by name."""

import json

import numpy as np
import pytest

from compress.models import bits, golden_outputs, on_grid, spread
from gatewright.compress.quantize import quantize
from gatewright.errors import InputError, UnsupportedError


def structure(model):
    """A model as data, but for the initializers, which trained weights take the place of."""

    def without(value):
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items() if not k.endswith("_initializer")}
        return [without(v) for v in value] if isinstance(value, list) else value

    return without(json.loads(model.to_json()))


def residual(keras, of=None):
    """A network of every kind of layer that has a twin in QKeras; by hand in QKeras, given `of`."""
    import qkeras

    layers = keras.layers

    def weighted(kind, name, *arguments, kernels=("kernel",), **options):
        options |= {f"{what}_regularizer": "l2" for what in kernels}
        if of is None:
            return getattr(layers, kind)(*arguments, name=name, **options)
        for what in (*kernels, "bias"):
            options[f"{what}_quantizer"] = qkeras.quantized_bits(of[name].weights, 0, alpha=1)
        return getattr(qkeras, f"Q{kind}")(*arguments, name=name, **options)

    def activation(function, owner, name):
        if of is None:
            return layers.Activation(function, name=name)
        width = of[owner].activations
        made = {
            "relu": lambda: qkeras.quantized_relu(width, min(2, width - 1)),
            "tanh": lambda: qkeras.quantized_tanh(width),
            "sigmoid": lambda: qkeras.quantized_sigmoid(width),
        }
        return qkeras.QActivation(made[function](), name=name)

    inputs = keras.Input((6, 6, 2), name="image")
    x = weighted("Conv2D", "stem", 4, 3, padding="same")(inputs)
    x = stem = activation("relu", "stem", "stem_relu")(x)
    x = weighted("DepthwiseConv2D", "deep", 3, padding="same", kernels=("depthwise",))(x)
    x = layers.Add(name="join")([stem, x])
    x = activation("relu", "deep", "joined")(x)
    both = ("depthwise", "pointwise")
    x = weighted("SeparableConv2D", "separable", 3, 2, kernels=both)(x)
    x = activation("tanh", "separable", "curve")(layers.MaxPooling2D(2, name="pool")(x))
    x = layers.Flatten(name="flat")(x)
    x = layers.Reshape((6, 2), name="rows")(x)
    x = weighted("Conv1D", "time", 3, 2)(x)
    x = activation("sigmoid", "time", "gate")(x)
    x = weighted("SeparableConv1D", "separable1", 3, 2, kernels=both)(x)
    x = layers.Flatten(name="flat1")(x)
    logits = weighted("Dense", "logits", 3)(x)
    return keras.Model(inputs, [layers.Softmax(name="softmax")(logits), logits], name="net")


MIXED = {
    "stem": bits(5, 6),
    "deep": bits(3, 2),
    "separable": bits(4),
    "time": bits(6, 5),
    "separable1": bits(4),
    "logits": bits(7),
}


def test_a_network_is_quantized_as_by_hand(keras):
    plain = spread(residual(keras))
    ours, theirs = quantize(plain, MIXED), residual(keras, MIXED)
    assert structure(ours) == structure(theirs)
    theirs.set_weights(plain.get_weights())
    x = on_grid((50, 6, 6, 2))
    for mine, yours in zip(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), strict=True):
        np.testing.assert_array_equal(mine, yours)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in plain.layers]


def test_the_result_is_another_model(keras):
    plain = spread(residual(keras))
    before = plain.get_weights()
    ours = quantize(plain, {"default": bits(4)})
    ours.set_weights([weight + 1 for weight in ours.get_weights()])
    for then, now in zip(before, plain.get_weights(), strict=True):
        np.testing.assert_array_equal(then, now)


def test_quantized_again_it_has_the_new_bits_and_nothing_else(keras):
    once = quantize(spread(residual(keras)), {"default": bits(8)})
    again = quantize(once, MIXED)
    x = on_grid((50, 6, 6, 2))
    direct = quantize(spread(residual(keras)), MIXED)
    assert structure(again) == structure(direct)
    np.testing.assert_array_equal(again.predict(x, verbose=0)[1], direct.predict(x, verbose=0)[1])
    # Trained in QKeras, a model holds wrapped initializers and constraints; nothing piles up.
    assert json.dumps(structure(again)).count('"Clip"') == json.dumps(structure(once)).count(
        '"Clip"'
    )


def small(keras, **options):
    return spread(
        keras.Sequential(
            [
                keras.Input((6,), name="in"),
                keras.layers.Dense(8, activation="relu", name="first", **options),
                keras.layers.BatchNormalization(name="between"),
                keras.layers.Dense(5, use_bias=False, name="second"),
                keras.layers.BatchNormalization(name="norm"),
                keras.layers.ReLU(name="act"),
                keras.layers.Dense(3, activation="softmax", name="third"),
            ]
        )
    )


def test_activations_within_layers_become_layers(keras):
    model = quantize(small(keras), {"default": bits(6, 5)}, relu_integer={"act": 1, "default": 3})
    assert isinstance(model, keras.Sequential)
    assert [layer.name for layer in model.layers] == [
        "first", "first_relu", "between", "second", "act", "third", "third_softmax",
    ]  # fmt: skip
    assert str(model.get_layer("first_relu").quantizer) == "quantized_relu(5,3)"
    assert str(model.get_layer("act").quantizer) == "quantized_relu(5,1)"
    assert type(model.get_layer("third_softmax")) is keras.layers.Activation
    assert all(model.get_layer(n).activation.__name__ == "linear" for n in ("first", "third"))


@pytest.mark.parametrize(
    "kind", ["Dense", "Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D"]
)
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("use_bias", [True, False])
def test_batch_normalizations_are_folded(keras, kind, scale, use_bias):
    shape = {"Dense": (6,), "Conv1D": (7, 3)}.get(kind, (5, 6, 3))
    size = () if kind == "Dense" else (2,)
    filters = () if kind.startswith("Depthwise") else (4,)
    inputs = keras.Input(shape)
    x = getattr(keras.layers, kind)(*filters, *size, use_bias=use_bias, name="a")(inputs)
    x = keras.layers.BatchNormalization(scale=scale, center=not scale, name="n")(x)
    plain = spread(keras.Model(inputs, keras.layers.ReLU(name="r")(x)))
    folded = quantize(plain, {})
    assert [layer.name for layer in folded.layers] == [plain.layers[0].name, "a", "r"]
    x = on_grid((30, *shape))
    np.testing.assert_allclose(folded.predict(x, verbose=0), plain.predict(x, verbose=0), atol=3e-5)


def test_a_batch_normalization_that_others_see_past_stays(keras):
    inputs = keras.Input((4, 3))
    x = keras.layers.Conv1D(3, 1, name="a")(inputs)
    n = keras.layers.BatchNormalization(name="n")(x)
    m = keras.layers.BatchNormalization(name="m", axis=1)(keras.layers.Conv1D(3, 1, name="b")(n))
    plain = spread(keras.Model(inputs, keras.layers.Add(name="sum")([x, m])))
    result = quantize(plain, {})
    assert [layer.name for layer in result.layers] == [layer.name for layer in plain.layers]
    x = on_grid((9, 4, 3))
    np.testing.assert_array_equal(result.predict(x, verbose=0), plain.predict(x, verbose=0))


def test_folded_weights_get_the_integer_bits_that_they_need(keras):
    inputs = keras.Input((4,))
    x = keras.layers.BatchNormalization(name="n")(keras.layers.Dense(3, name="a")(inputs))
    plain = keras.Model(inputs, x)
    kernel = np.full((4, 3), 0.5)
    plain.get_layer("a").set_weights([kernel, np.zeros(3)])
    plain.get_layer("n").set_weights([np.full(3, 9), np.zeros(3), np.zeros(3), np.ones(3)])
    quantizer = quantize(plain, {"a": bits(6)}).get_layer("a").kernel_quantizer_internal
    assert quantizer.integer == 3  # 4.5 is in [-8, 8)


WEIGHTS = [
    *(4, "binary", "ternary", "po2<4>"),
    *(pytest.param(each, marks=pytest.mark.full) for each in ("po2<2>", "po2<5>")),
]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_hardware_computes_what_the_quantized_model_predicts(keras, weights):
    plain = spread(
        keras.Sequential(
            [
                keras.Input((6,), name="in"),
                keras.layers.Dense(7, activation="relu", name="first"),
                keras.layers.Dense(5, activation="tanh", name="second"),
                keras.layers.Dense(3, activation="sigmoid", name="third"),
            ]
        ),
        scale=0.7,
    )
    model = quantize(plain, {"default": bits(weights, 6)})
    x = on_grid((300, 6))
    predicted = model.predict(x, verbose=0)
    assert len(np.unique(predicted)) > 20
    np.testing.assert_array_equal(golden_outputs(model, x), predicted)
    kernel = np.asarray(model.get_layer("first").kernel_quantizer_internal(plain.get_weights()[0]))
    levels = {4: 16, "binary": 2, "ternary": 3, "po2<2>": 6, "po2<4>": 18, "po2<5>": 34}[weights]
    for column in kernel.T:
        assert len(np.unique(column)) <= levels
    if weights != 4:
        exponents = np.log2(np.abs(kernel[kernel != 0]))
        np.testing.assert_array_equal(exponents, np.round(exponents))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_convolutions_of_such_weights_are_exact(keras, weights):
    inputs = keras.Input((5, 5, 2), name="in")
    x = keras.layers.Conv2D(3, 3, activation="relu", name="a")(inputs)
    x = keras.layers.DepthwiseConv2D(2, activation="relu", name="b")(x)
    x = keras.layers.Flatten(name="f")(x)
    plain = spread(keras.Model(inputs, keras.layers.Dense(2, name="c")(x)), scale=0.5)
    model = quantize(plain, {"default": bits(weights, 5)})
    x = on_grid((100, 5, 5, 2))
    np.testing.assert_array_equal(golden_outputs(model, x), model.predict(x, verbose=0))


def test_partial_quantization(keras):
    plain = small(keras)
    some = quantize(plain, {"second": bits(3, 4)})
    assert not hasattr(some.get_layer("first"), "kernel_quantizer")
    assert type(some.get_layer("first_relu")) is keras.layers.Activation
    assert some.get_layer("second").kernel_quantizer_internal.bits == 3
    assert some.get_layer("act").quantizer.bits == 4
    rest = quantize(plain, {"second": bits(3, 4), "first_relu": bits(9), "default": bits(8, 7)})
    assert rest.get_layer("first").kernel_quantizer_internal.bits == 8
    assert rest.get_layer("first_relu").quantizer.bits == 9
    assert rest.get_layer("second").kernel_quantizer_internal.bits == 3


def test_biases_may_have_bits_of_their_own(keras):
    layer = quantize(small(keras), {"default": bits(3, 4, biases=8)}).get_layer("first")
    assert layer.kernel_quantizer_internal.bits == 3
    assert layer.bias_quantizer_internal.bits == 8


def after(keras, *layers, shape=(6,)):
    tensor = inputs = keras.Input(shape, name="in")
    for layer in (keras.layers.Dense(4, name="first"), *layers):
        tensor = layer(tensor)
    return keras.Model(inputs, tensor, name="net")


NO_TWIN = "layer 'x': QKeras has no quantized "
NOT_READ = "layer 'x': hls4ml doesn't read a quantized "
REFUSED = [
    (lambda k: [k.LeakyReLU(name="x")], NOT_READ + "LeakyReLU"),
    (lambda k: [k.ReLU(6, name="x")], "layer 'x': a relu with limit 6"),
    (lambda k: [k.ReLU(threshold=1, name="x")], NOT_READ + "ReLU"),
    (lambda k: [k.ELU(name="x")], NOT_READ + "ELU"),
    (lambda k: [k.PReLU(name="x")], NOT_READ + "PReLU"),
    (lambda k: [k.Activation("selu", name="x")], NOT_READ + "selu"),
    (lambda k: [k.Dense(2, activation=abs, name="x")], "layer 'x': its activation is neither"),
    (lambda k: [k.LSTM(2, name="x")], NO_TWIN + "LSTM"),
    (lambda k: [k.DepthwiseConv1D(2, name="x")], NO_TWIN + "DepthwiseConv1D"),
    (lambda k: [k.TimeDistributed(k.Dense(2), name="x")], "layer 'x' is a TimeDistributed"),
]


@pytest.mark.parametrize(("make", "said"), REFUSED)
def test_what_has_no_exact_twin_is_refused_by_name(keras, make, said):
    with pytest.raises(UnsupportedError) as error:
        quantize(after(keras, *make(keras.layers), shape=(3, 6)), {"default": bits(4)})
    assert str(error.value).startswith(said)


def test_models_within_models_are_refused(keras):
    within = keras.Sequential([keras.layers.Dense(2)], name="x")
    with pytest.raises(UnsupportedError, match="layer 'x' is a Sequential"):
        quantize(after(keras, within), {"default": bits(4)})


def test_what_is_refused_may_stay_as_it_is(keras):
    plain = after(keras, keras.layers.DepthwiseConv1D(2, name="x"), shape=(3, 6))
    model = quantize(plain, {"first": bits(4)})
    assert type(model.get_layer("x")) is keras.layers.DepthwiseConv1D


def test_a_relu_up_to_a_power_of_two_keeps_its_end(keras):
    model = quantize(after(keras, keras.layers.ReLU(4, name="x")), {"default": bits(6)})
    assert str(model.get_layer("x").quantizer) == "quantized_relu(6,2)"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda k: None, "not a tf-keras model"),
        (lambda k: k.Sequential([k.layers.Dense(2)]), "doesn't show its layers"),
        (lambda k: k.Sequential([]), "doesn't show its layers"),
    ],
)
def test_what_is_no_model_is_refused(keras, make, said):
    with pytest.raises(InputError, match=said):
        quantize(make(keras), {"default": bits(4)})


def test_layers_that_are_none_are_refused(keras):
    inputs = keras.Input((6,))
    dense = keras.layers.Dense(6, name="d")
    with pytest.raises(UnsupportedError, match="layer 'd' is called more than once"):
        quantize(keras.Model(inputs, dense(dense(inputs))), {})
    with pytest.raises(UnsupportedError, match="Add instead of"):
        quantize(keras.Model(inputs, dense(inputs) + inputs), {})


@pytest.mark.parametrize(
    "given",
    [{"bits": {"firs": bits(4)}}, {"bits": {}, "relu_integer": {"firs": 1}}],
)
def test_unknown_names_are_refused(keras, given):
    with pytest.raises(InputError, match=r"'firs', which .* layers are first, first_relu, "):
        quantize(small(keras), **given)


def test_bits_go_to_the_layer_an_activation_is_named_after(keras):
    inputs = keras.Input((4,))
    a, b = (keras.layers.Dense(4, name=name)(inputs) for name in "ab")
    joined = keras.layers.Add(name="j")([a, b])
    for name, width in ("a_relu", 3), ("b_relu", 6), ("relu", 6):
        plain = keras.Model(inputs, keras.layers.ReLU(name=name)(joined))
        model = quantize(plain, {"a": bits(4, 3), "b": bits(4, 6)})
        assert model.get_layer(name).quantizer.bits == width


def test_several_inputs_and_outputs_keep_their_order(keras):
    two = [keras.Input((3,), name=name) for name in ("z", "y")]
    a = keras.layers.Dense(2, name="a", activation="relu")(keras.layers.Concatenate(name="c")(two))
    b = keras.layers.Dense(2, name="b")(two[1])
    plain = spread(keras.Model(two, [b, a]))
    model = quantize(plain, {})
    x = [on_grid((5, 3), seed) for seed in (1, 2)]
    for ours, theirs in zip(model.predict(x, verbose=0), plain.predict(x, verbose=0), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert model.input_names == ["z", "y"]
