"""Models without their pruned neurons against Keras' predictions of the masked ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.models import GRID, golden_outputs, on_grid, spread
from gatewright.compress.layer_graph import kernel_of, kernels
from gatewright.compress.prune import find_masks, hold, magnitude, summarize
from gatewright.compress.remove import remove
from gatewright.errors import InputError, UnsupportedError


class Maker:
    """Random layers one behind the other, float or of QKeras.

    Of QKeras' models every sum is exact, so that its order is of no account.
    """

    def __init__(self, keras, draw, *, quantized):
        import qkeras

        self.keras, self.qkeras, self.draw, self.quantized = keras, qkeras, draw, quantized
        self.layers = keras.layers

    def pick(self, *choices):
        return self.draw(st.sampled_from(choices))

    def product(self, kind, *args, **options):
        if not self.quantized:
            activation = self.pick(None, "relu", "relu", "sigmoid", "tanh")
            return getattr(self.layers, kind)(*args, activation=activation, **options)
        kernel = "depthwise" if kind.startswith("Depthwise") else "kernel"
        made = getattr(self.qkeras, f"Q{kind}")(
            *args,
            **{f"{kernel}_quantizer": self.qkeras.quantized_bits(4, 0, alpha=1)},
            bias_quantizer=self.qkeras.quantized_bits(5, 0, alpha=1),
            **options,
        )
        return self.keras.Sequential([made]).layers[0]

    def activate(self, x):
        if self.quantized:
            kind = self.pick("relu", "relu", "tanh", "sigmoid", "bits")
            return self.qkeras.QActivation(f"quantized_{kind}(4)")(x)
        kind = self.pick("ReLU", "LeakyReLU", "PReLU", "Softmax", "Dropout", "tanh", "norm", "norm")
        if kind == "norm":
            return self.layers.BatchNormalization(
                scale=self.pick(True, True, False), center=self.pick(True, True, False)
            )(x)
        if kind == "tanh":
            return self.layers.Activation("tanh")(x)
        options = {"rate": 0.5} if kind == "Dropout" else {}
        return getattr(self.layers, kind)(**options)(x)

    def bias(self):
        return self.pick(True, True, True, False)

    def join(self, x, other):
        exact = ("Add", "Subtract", "Maximum", "Minimum")
        kind = self.pick(*exact, *(() if self.quantized else ("Multiply", "Average")))
        return getattr(self.layers, kind)()([x, other])

    def image_layer(self, x):
        height, width, channels = x.shape[1:]
        small = min(height, width) < 3
        filters = self.pick(1, 2, 3, 4)
        size = 1 if small else self.pick(1, 2, 3)
        padding = self.pick("valid", "same")
        options = {"padding": padding, "use_bias": self.bias()}
        match self.pick("conv", "conv", "depthwise", "separable", "residual", "concat", "move"):
            case "depthwise":
                multiplier = 1 if self.quantized else self.pick(1, 2)
                return self.product(
                    "DepthwiseConv2D", (size, size), depth_multiplier=multiplier, **options
                )(x)
            case "separable" if not self.quantized:
                return self.layers.SeparableConv2D(
                    filters, size, depth_multiplier=self.pick(1, 2), **options
                )(x)
            case "residual":
                branch = self.activate(
                    self.product("Conv2D", filters, size, padding="same", use_bias=self.bias())(x)
                )
                branch = self.product("Conv2D", channels, 1, use_bias=self.bias())(branch)
                return self.join(x, branch)
            case "concat":
                other = self.product("Conv2D", filters, size, padding="same")(x)
                return self.layers.Concatenate(axis=-1)([x, other])
            case "move":
                moves = [self.layers.ZeroPadding2D(1), self.layers.UpSampling2D(2)]
                if not small:
                    moves += [self.layers.MaxPooling2D(2), self.layers.Cropping2D(1)]
                    # A quarter is exact.
                    moves += [self.layers.AveragePooling2D(2)]
                if height * width <= 16:
                    moves += [self.layers.Permute((2, 1, 3)), self.layers.Permute((3, 1, 2))]
                    moves += [self.layers.Reshape((width, height * channels))]
                moved = self.pick(*moves)(x)
                if len(moved.shape) == 4:
                    return moved
                return self.layers.Reshape((height, width, channels))(self.activate(moved))
        return self.product("Conv2D", filters, size, **options)(x)

    def vector_layer(self, x):
        units = self.pick(1, 2, 4, 6)
        match self.pick("dense", "dense", "residual", "concat", "sequence"):
            case "residual":
                return self.join(x, self.product("Dense", x.shape[-1], use_bias=self.bias())(x))
            case "concat":
                return self.layers.Concatenate()([x, self.product("Dense", units)(x)])
            case "sequence" if x.shape[-1] % 2 == 0:
                sequence = self.layers.Reshape((2, x.shape[-1] // 2))(x)
                if self.pick(True, False):
                    sequence = self.product("Conv1D", units, self.pick(1, 2))(sequence)
                else:
                    sequence = self.product("Dense", units)(sequence)
                return self.layers.Flatten()(sequence)
        return self.product("Dense", units, use_bias=self.bias())(x)

    def model(self):
        image = self.draw(st.booleans())
        shape = self.pick((6, 5, 2), (4, 4, 3)) if image else (self.pick(3, 6),)
        x = inputs = self.keras.Input(shape)
        if image:
            for _ in range(self.pick(1, 2, 3)):
                x = self.image_layer(x)
                if self.draw(st.booleans()):
                    x = self.activate(x)
            pools = [] if self.quantized else ["GlobalAveragePooling2D"]
            x = getattr(self.layers, self.pick("Flatten", "GlobalMaxPooling2D", *pools))()(x)
        for _ in range(self.pick(1, 2, 3)):
            x = self.vector_layer(x)
            if self.draw(st.booleans()):
                x = self.activate(x)
        outputs = [self.product("Dense", 2)(x)]
        if self.pick(False, False, True):
            outputs.append(x)
        return spread(self.keras.Model(inputs, outputs), seed=self.draw(st.integers(0, 99)))


def random_masks(model, draw):
    """Neurons as `find_masks` chooses them; and any, with other weights besides."""
    seed = draw(st.integers(0, 999))
    rng = np.random.default_rng(seed)
    scores = {name: rng.random(score.shape) for name, score in magnitude(model).items()}
    amount = draw(st.sampled_from([0.3, 0.6, 0.9]))
    if draw(st.booleans()):
        return find_masks(model, scores, "neurons", amount)
    return {
        name: (score < 0.8) & (rng.random(score.shape[-1]) > amount)
        if score.shape[-1] > 1
        else (score < 0.8) & (rng.random(score.shape[-2:]) > amount)
        for name, score in scores.items()
        if rng.random() < 0.9
    }


def outputs(model, x):
    found = model(x, training=False)
    return [np.asarray(one) for one in (found if isinstance(found, list) else [found])]


def copy(model):
    import tf_keras

    clone = tf_keras.models.clone_model(
        model, clone_function=lambda layer: type(layer).from_config(layer.get_config())
    )
    clone.set_weights(model.get_weights())
    return clone


def check(model, masks, *, quantized):
    """The smaller model computes what the masked one does; nothing but that happens to either."""
    weights = model.get_weights()
    smaller, left = remove(model, masks)
    for weight, before in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, before)
    masked = copy(model)
    hold(masked, masks)
    shape = (16, *model.input_shape[1:])
    x = on_grid(shape) if quantized else np.random.default_rng(1).normal(size=shape).astype("f")
    for found, expected in zip(outputs(smaller, x), outputs(masked, x), strict=True):
        if quantized:
            np.testing.assert_array_equal(found, expected)
        else:
            scale = max(1.0, float(np.abs(expected).max()))
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * scale)
    # What is left has masks of its shape, and nothing that they prune isn't zero already.
    assert set(left) == set(masks)
    after = [weight.copy() for weight in smaller.get_weights()]
    hold(smaller, left)
    for weight, before in zip(smaller.get_weights(), after, strict=True):
        np.testing.assert_array_equal(weight, before)
    assert sum(w.size for w in smaller.get_weights()) <= sum(w.size for w in weights)
    return smaller, left


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_float_models(keras, data):
    model = Maker(keras, data.draw, quantized=False).model()
    check(model, random_masks(model, data.draw), quantized=False)


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_quantized_models(keras, data):
    model = Maker(keras, data.draw, quantized=True).model()
    check(model, random_masks(model, data.draw), quantized=True)


@pytest.mark.full
@pytest.mark.parametrize("quantized", [False, True])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_many_models(keras, quantized, data):
    model = Maker(keras, data.draw, quantized=quantized).model()
    check(model, random_masks(model, data.draw), quantized=quantized)


def dead(model, layer, *neurons):
    """Masks that leave some neurons of a layer no weight."""
    mask = np.ones(kernel_of(kernels(model)[layer]).shape, bool)
    mask[..., list(neurons)] = False
    return {layer: mask}


def chain(keras, *layers, shape=(4,)):
    return spread(keras.Sequential([keras.layers.Input(shape), *layers]))


def width(model, layer):
    return model.get_layer(layer).output_shape[-1]


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "exponential"])
def test_what_a_neuron_gives_at_zero_becomes_bias(keras, activation):
    layers = keras.layers
    model = chain(
        keras,
        layers.Dense(4, activation, name="hidden"),
        layers.Reshape((2, 2)),
        layers.Conv1D(3, 2, name="conv"),
        layers.Flatten(),
        layers.Dense(2, name="out"),
    )
    smaller, left = check(model, dead(model, "hidden", 1, 3), quantized=False)
    assert width(smaller, "hidden") == 2
    assert smaller.get_layer("conv").kernel.shape == (2, 1, 3)
    assert left["hidden"].shape == (4, 2)
    bias = model.get_layer("conv").bias.numpy()
    moved = smaller.get_layer("conv").bias.numpy() - bias
    constant = {"relu": 0, "sigmoid": 0.5, "exponential": 1}[activation]
    expected = constant * model.get_layer("conv").kernel.numpy()[:, 1].sum(axis=0)
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-6)


def test_neurons_that_come_to_be_one_channel_go_together(keras):
    layers = keras.layers
    model = chain(
        keras,
        layers.Dense(6, "relu", name="hidden"),
        layers.Reshape((3, 2)),
        layers.Conv1D(2, 2, name="conv"),
        layers.Flatten(),
        layers.Dense(2, name="out"),
    )
    # Neurons 0, 2 and 4 are channel 0.
    assert width(check(model, dead(model, "hidden", 0, 2), quantized=False)[0], "hidden") == 6
    assert width(check(model, dead(model, "hidden", 0, 2, 4), quantized=False)[0], "hidden") == 3
    found = find_masks(model, magnitude(model), "neurons", 0.5, layers=["hidden"])
    alive = found["hidden"].any(axis=0)
    assert alive.sum() == 3
    assert alive[0] == alive[2] == alive[4]


@pytest.mark.parametrize(("padding", "filters"), [("valid", 2), ("same", 3)])
def test_what_a_padded_reader_can_not_have_as_bias_stays(keras, padding, filters):
    layers = keras.layers
    model = chain(
        keras,
        layers.Conv2D(3, 1, activation="sigmoid", name="first"),
        layers.Conv2D(2, 3, padding=padding, name="second"),
        layers.Flatten(),
        layers.Dense(2, name="out"),
        shape=(5, 5, 2),
    )
    smaller, left = check(model, dead(model, "first", 1), quantized=False)
    assert width(smaller, "first") == filters
    # What stays is pruned still.
    assert summarize(smaller, left)[0].neurons_pruned == filters - 2


def test_a_border_of_zeros_around_something_else_stays(keras):
    layers = keras.layers
    model = chain(
        keras,
        layers.Conv2D(3, 1, activation="sigmoid", name="first"),
        layers.ZeroPadding2D(1),
        layers.Conv2D(2, 3, name="second"),
        layers.Flatten(),
        layers.Dense(2, name="out"),
        shape=(5, 5, 2),
    )
    assert width(check(model, dead(model, "first", 1), quantized=False)[0], "first") == 3


def test_a_reader_without_bias_takes_no_constant(keras):
    layers = keras.layers
    hidden = layers.Dense(3, "sigmoid", name="hidden")
    model = chain(keras, hidden, layers.Dense(2, use_bias=False, name="out"))
    assert width(check(model, dead(model, "hidden", 1), quantized=False)[0], "hidden") == 3


@pytest.mark.parametrize("inside", [True, False])
def test_a_softmax_needs_every_neuron(keras, inside):
    layers = keras.layers
    softmax = [] if inside else [layers.Softmax()]
    hidden = layers.Dense(3, "softmax" if inside else None, name="hidden")
    model = chain(keras, hidden, *softmax, layers.Dense(2, name="out"))
    assert width(check(model, dead(model, "hidden", 1), quantized=False)[0], "hidden") == 3


@pytest.mark.parametrize(("bits", "left"), [(6, 2), (3, 3)])
def test_a_constant_that_a_bias_quantizer_can_not_hold_stays(keras, bits, left):
    from qkeras import QActivation, QDense, quantized_bits

    def dense(units, name, bias_bits=8):
        return QDense(
            units,
            kernel_quantizer=quantized_bits(4, 0, alpha=1),
            bias_quantizer=quantized_bits(bias_bits, 1, alpha=1),
            name=name,
        )

    model = chain(
        keras,
        dense(3, "hidden"),
        QActivation("quantized_sigmoid(4)"),
        dense(2, "out", bits),
    )
    model.get_layer("out").set_weights([np.full((3, 2), 0.125), np.zeros(2)])
    smaller, _ = check(model, dead(model, "hidden", 1), quantized=True)
    assert width(smaller, "hidden") == left


def test_the_last_neuron_of_a_layer_stays(keras):
    layers = keras.layers
    hidden = layers.Dense(3, "relu", name="hidden")
    model = chain(keras, hidden, layers.Dense(2, name="middle"), layers.Dense(2, name="out"))
    smaller, _ = check(model, dead(model, "hidden", 0, 1, 2), quantized=False)
    # Nothing is left for the neurons behind it to depend on.
    assert width(smaller, "hidden") == width(smaller, "middle") == 1
    assert width(smaller, "out") == 2


def test_a_constant_that_a_pruned_neuron_would_have_as_bias_stays(keras):
    layers = keras.layers
    hidden = layers.Dense(2, "sigmoid", name="hidden")
    model = chain(keras, hidden, layers.Dense(1, name="middle"), layers.Dense(2, name="out"))
    smaller, left = check(model, dead(model, "hidden", 0, 1), quantized=False)
    # The biases of the middle one are held at zero with what is pruned.
    assert width(smaller, "hidden") == 2
    assert not left["hidden"].any()


def test_what_reads_nothing_but_what_is_gone_goes_too(keras):
    layers = keras.layers
    hidden = layers.Dense(3, "relu", name="hidden")
    model = chain(
        keras, hidden, layers.Dense(3, "relu", name="middle"), layers.Dense(2, name="out")
    )
    masks = dead(model, "hidden", 0, 1) | {"middle": np.ones((3, 3), bool)}
    masks["middle"][2, 1] = False
    smaller, left = check(model, masks, quantized=False)
    assert (width(smaller, "hidden"), width(smaller, "middle")) == (1, 2)
    assert left["middle"].all()


def residual(keras):
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    stem = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(inputs)
    branch = layers.Conv2D(5, 3, padding="same", name="branch")(stem)
    branch = layers.BatchNormalization(name="norm")(branch)
    branch = layers.ReLU()(branch)
    branch = layers.Conv2D(4, 1, name="back")(branch)
    x = layers.Add()([stem, branch])
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="depthwise")(x)
    x = layers.MaxPooling2D(2)(x)
    y = layers.SeparableConv2D(3, 2, padding="same", depth_multiplier=2, name="separable")(x)
    x = layers.Concatenate()([x, y])
    return spread(keras.Model(inputs, layers.Dense(3, name="out")(layers.Flatten()(x))))


@pytest.mark.parametrize("amount", [0.3, 0.6])
def test_every_pruned_filter_of_a_residual_network_leaves_it(keras, amount):
    model = residual(keras)
    masks = find_masks(model, magnitude(model), "neurons", amount)
    smaller, left = check(model, masks, quantized=False)
    for entry in summarize(model, masks):
        assert width(smaller, entry.layer) == entry.neurons - entry.neurons_pruned
    assert not any(entry.pruned for entry in summarize(smaller, left))
    assert any(entry.neurons_pruned for entry in summarize(model, masks))
    filters = width(smaller, "stem")
    assert smaller.get_layer("separable").depthwise_kernel.shape == (2, 2, 2 * filters, 2)
    assert smaller.get_layer("out").kernel.shape[0] == 9 * (2 * filters + 3)
    assert smaller.get_layer("norm").gamma.shape == (width(smaller, "branch"),)
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in model.layers]


def test_weights_that_are_pruned_by_themselves_stay_so(keras):
    model = residual(keras)
    masks = find_masks(model, magnitude(model), "unstructured", 0.3)
    masks = find_masks(model, magnitude(model), "neurons", 0.5, previous=masks)
    smaller, left = check(model, masks, quantized=False)
    kept = {name: mask.sum() for name, mask in masks.items()}
    # The rows of what is gone are no more; no weight that stayed is pruned now.
    assert all(left[name].sum() <= kept[name] for name in masks)
    for name, mask in left.items():
        assert not kernel_of(kernels(smaller)[name]).numpy()[~mask].any()
        assert kernel_of(kernels(smaller)[name]).numpy()[mask].all()


def test_scales_that_depend_on_pruned_weights_are_refused(keras):
    from qkeras import QDense, ternary

    layers = keras.layers
    model = chain(
        keras,
        layers.Dense(8, "relu", name="hidden"),
        QDense(2, kernel_quantizer=ternary(alpha="auto"), bias_quantizer=ternary(), name="out"),
        shape=(6,),
    )
    rng = np.random.default_rng(0)
    model.get_layer("out").set_weights([rng.normal(size=(8, 2)), np.zeros(2)])
    with pytest.raises(UnsupportedError, match=r"'out'.*alpha"):
        remove(model, dead(model, "hidden", *range(6)))


def test_masks_of_no_layer_are_refused(keras):
    model = chain(keras, keras.layers.Dense(2, name="out"))
    for masks in ({"in": np.ones((4, 2), bool)}, {"out": np.ones((4, 3), bool)}):
        with pytest.raises(InputError, match=f"'{next(iter(masks))}'"):
            remove(model, masks)


def test_an_axis_of_unknown_length_is_refused(keras):
    layers = keras.layers
    model = chain(
        keras,
        layers.Conv1D(3, 2, name="first"),
        layers.Conv1D(2, 2, name="out"),
        shape=(None, 2),
    )
    with pytest.raises(InputError, match="unknown length"):
        remove(model, dead(model, "first", 1))


def test_hardware_of_the_smaller_model_computes_the_same(keras):
    from qkeras import QActivation, QDense, quantized_bits

    def dense(units, name):
        bits = {f"{what}_quantizer": quantized_bits(5, 0, alpha=1) for what in ("kernel", "bias")}
        return QDense(units, name=name, **bits)

    model = chain(
        keras,
        dense(8, "one"),
        QActivation("quantized_relu(5,1)"),
        dense(6, "two"),
        QActivation("quantized_relu(5,1)"),
        dense(3, "out"),
        shape=(6,),
    )
    masks = find_masks(model, magnitude(model), "neurons", 0.5)
    smaller, _ = check(model, masks, quantized=True)
    hold(model, masks)
    x = on_grid((200, 6), seed=3)
    found = golden_outputs(smaller, x, GRID)
    np.testing.assert_array_equal(found, golden_outputs(model, x, GRID))
    np.testing.assert_array_equal(found, model.predict(x, verbose=0))
    assert width(smaller, "one") + width(smaller, "two") < 14
