"""The models of the zoo: their data, and what they build from a sweep's bits."""

from pathlib import Path

import numpy as np
import pytest

from gatewright.fixed import FixedType
from gatewright.frontend.quiet import import_keras, quiet
from gatewright.zoo import load_sweep
from gatewright.zoo._fit import load_model_module, on_grid

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module", autouse=True)
def keras():
    with quiet():
        return import_keras("tf_keras")


@pytest.fixture(
    scope="module", params=sorted(path.parent.name for path in MODELS.glob("*/sweep.yaml"))
)
def model(request):
    sweep = load_sweep(MODELS / request.param)
    return sweep, load_model_module(sweep.model_dir / "model.py")


def test_data_is_what_the_network_takes(model):
    _, module = model
    x_train, y_train, x_test, y_test = module.load_data()
    network = module.build(None)
    for x, y in (x_train, y_train), (x_test, y_test):
        assert x.dtype == np.float32 and y.dtype == np.int64
        assert x.shape == (len(y), *network.input_shape[1:])
        assert set(y) == set(range(network.output_shape[-1]))
    seen = {sample.tobytes() for sample in x_train}
    assert not any(sample.tobytes() in seen for sample in x_test)


def test_every_layer_with_weights_has_bits_and_a_float_twin(model):
    sweep, module = model
    twin = module.build(None)
    for config in sweep.configs:
        network = module.build(config.bits)
        weighted = [layer for layer in network.layers if layer.weights]
        assert {layer.name for layer in weighted} == set(sweep.layers)
        for layer in weighted:
            shapes = [weight.shape for weight in twin.get_layer(layer.name).get_weights()]
            assert [weight.shape for weight in layer.get_weights()] == shapes
            assert {quantizer.bits for quantizer in layer.get_quantizers()} == {
                config.bits[layer.name].weights
            }


@pytest.mark.parametrize("name", [path.name for path in MODELS.glob("digits_*")])
def test_digits_lose_nothing_in_five_bits(name):
    sweep = load_sweep(MODELS / name)
    pixels = load_model_module(sweep.model_dir / "model.py").load_data()[0]
    exact = [c for c in sweep.configs if FixedType.parse(c.input_precision).frac == 4]
    assert exact
    np.testing.assert_array_equal(on_grid(pixels, exact[0].input_precision), pixels)


def test_vowels_are_followed_by_zeros_and_fit_their_type():
    sweep = load_sweep(MODELS / "vowels_conv1d")
    module = load_model_module(sweep.model_dir / "model.py")
    x_train, y_train, x_test, _ = module.load_data()
    assert (len(x_train), len(x_test)) == (270, 370)
    assert np.bincount(y_train).tolist() == [30] * 9
    x = np.concatenate([x_train, x_test])
    lengths = module.STEPS - (x != 0).any(axis=2)[:, ::-1].argmax(axis=1)
    assert (lengths.min(), lengths.max()) == (7, 29)
    for config in sweep.configs:
        grid = FixedType.parse(config.input_precision)
        assert np.abs(on_grid(x, config.input_precision) - x).max() <= 2.0**-grid.frac / 2
