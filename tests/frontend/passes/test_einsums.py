"""EinsumDense as Dense layers between permutations, against predictions of Keras 3."""

import numpy as np
import pytest
from rebuilt import rebuilt

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend import load
from gatewright.frontend.passes import supported

#: An equation, the shape of the input, of the result, and the axes of the bias.
CASES = [
    ("ab,bc->ac", (6,), 4, "c"),
    ("abc,cd->abd", (5, 6), (None, 4), "d"),
    ("abc,cd->abd", (5, 6), (5, 4), None),
    ("abc,bd->adc", (5, 6), (3, 6), "d"),
    ("abc,bd->acd", (5, 6), (6, 3), "d"),
    ("abc,bcd->ad", (5, 6), (4,), "d"),
    ("abc,cbd->ad", (5, 6), (4,), "d"),
    ("abc,cde->abde", (3, 4), (3, 2, 5), "de"),
    ("abc,cde->abde", (3, 4), (3, 2, 5), "e"),
    ("abc,cde->abde", (3, 4), (3, 2, 5), "d"),
    ("abc,cde->adbe", (3, 4), (2, 3, 5), "e"),
    ("abcd,cde->abe", (2, 3, 4), (2, 5), "e"),
    ("abc,cd->abd", (3, 4), (3, 5), "bd"),
    ("abc,cd->abd", (3, 4), (3, 5), "b"),
    ("abc,cd->adb", (3, 4), (5, 3), "d"),
    ("abc,cd->adb", (3, 4), (5, 3), "b"),
    ("...x,xy->...y", (3, 4), (5,), "y"),
    ("ab...,bc->ac...", (3, 4), (5,), None),
]


def model_of(equation, shape, output_shape, bias_axes, **given):
    import keras

    x = keras.Input(shape)
    layer = keras.layers.EinsumDense(
        equation, output_shape=output_shape, bias_axes=bias_axes, name="sums", **given
    )
    model = keras.Model(x, layer(x))
    rng = np.random.default_rng(3)
    layer.set_weights([rng.normal(size=each.shape) for each in layer.get_weights()])
    return model


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
@pytest.mark.parametrize("activation", ["relu", "softmax"])
def test_results_are_those_of_keras(keras, case, activation):
    model = model_of(*case, activation=activation)
    network = supported(load(model))
    assert not any(layer.kind == "EinsumDense" for layer in network.layers)
    samples = np.random.default_rng(1).normal(size=(4, *case[1])).astype(np.float32)
    found, expected = rebuilt(keras, network)(samples).numpy(), np.asarray(model(samples))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (("abc,bcd->abd", (3, 4), (3, 5), None), "other weights for each position along 'b'"),
    ],
)
def test_what_no_dense_layer_is_is_refused(case, reason):
    with pytest.raises(UnsupportedError, match=rf"layer 'sums'.*{reason}"):
        supported(load(model_of(*case)))


@pytest.mark.parametrize("text", ["abc,cd", "aab,bc->ac", "a;b,bc->ac", "abc,cd->abd" * 9, 7])
def test_equations_are_checked(text):
    from gatewright.frontend.kinds import KINDS

    with pytest.raises(ValueError, match="an equation"):
        KINDS["EinsumDense"].arguments["equation"].read(text)


@pytest.mark.parametrize(
    ("name", "shape", "reason"),
    [
        ("kernel", (3, 5), r"'kernel' has shape \[3, 5\], which the equation"),
        ("kernel", (4, 5, 1), r"'kernel' has shape \[4, 5, 1\], which the equation"),
        ("bias", (4,), r"'bias' has shape \[4\], which bias_axes 'd' does not take"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name, shape, reason):
    from dataclasses import replace
    from types import MappingProxyType

    network = load(model_of("abc,cd->abd", (3, 4), (None, 5), "d"))
    *others, last = network.layers
    arrays = MappingProxyType({**last.weights, name: np.ones(shape, np.float32)})
    with pytest.raises(InputError, match=rf"layer 'sums': weight {reason}"):
        supported(replace(network, layers=(*others, replace(last, weights=arrays))))


def test_sizes_must_agree():
    from dataclasses import replace
    from types import MappingProxyType

    network = load(model_of("abc,cd->abd", (3, 4), (None, 5), "d"))
    *others, last = network.layers
    wrong = MappingProxyType({**last.arguments, "equation": "abcd,de->abce"})
    with pytest.raises(
        InputError, match="layer 'sums': a EinsumDense can't read a tensor of 3 x 4"
    ):
        supported(replace(network, layers=(*others, replace(last, arguments=wrong))))
