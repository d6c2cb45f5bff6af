"""The models of the zoo: their data, the networks they build, and what these cost."""

import inspect
import urllib.error
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from gatewright.compress.cost import Cost, compute_cost
from gatewright.compress.dataset import load_data, load_model_module, on_grid
from gatewright.compress.quantize import quantize
from gatewright.compress.recipe import trains_bits
from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend import convert
from gatewright.frontend.quiet import import_keras, quiet
from gatewright.kernels import OperationCounts
from gatewright.lower import lower
from gatewright.zoo import load_sweep
from gatewright.zoo.data import digits

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module", autouse=True)
def keras():
    with quiet():
        return import_keras("tf_keras")


def some_jets(*_, **__):
    """As OpenML gives the jets, but few of them: features, and names of classes."""
    rng = np.random.default_rng(0)
    return rng.normal(3, 5, (400, 16)), rng.permutation(np.array(list("gqtwz") * 80, object))


@pytest.fixture(
    scope="module", params=sorted(path.parent.name for path in MODELS.glob("*/sweep.yaml"))
)
def model(request):
    sweep = load_sweep(MODELS / request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn.datasets.fetch_openml", some_jets)
        yield sweep, load_model_module(sweep.model_dir / "model.py")


def test_jets_that_cannot_be_fetched_are_one_line(monkeypatch, tmp_path):
    def no_network(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setattr("sklearn.datasets._openml.urlopen", no_network)
    module = load_model_module(MODELS / "jet_tagger" / "model.py")
    with pytest.raises(
        InputError, match=r"jet data .* can't be fetched: no network; connect to"
    ) as e:
        module.load_data()
    assert "\n" not in str(e.value)


def test_data_is_what_the_network_takes(model):
    _, module = model
    x_train, y_train, x_test, y_test = module.load_data()
    network = module.build()
    for x, y in (x_train, y_train), (x_test, y_test):
        assert x.dtype == np.float32
        assert x.shape == (len(y), *network.input_shape[1:])
        if hasattr(module, "metric"):
            assert y.shape == (len(x), *network.output_shape[1:])
        else:
            assert y.dtype == np.int64
            assert set(y) == set(range(network.output_shape[-1]))
    seen = {sample.tobytes() for sample in x_train}
    assert not any(sample.tobytes() in seen for sample in x_test)


def test_every_layer_with_weights_has_bits_in_every_config(model):
    sweep, module = model
    for config in sweep.configs:
        network = module.build(**config.architecture)
        weighted = {layer.name for layer in network.layers if layer.weights}
        assert weighted == set(sweep.layers)


def test_arguments_of_build_are_sizes(model):
    """One more of each makes a network with more weights, and the default is the zoo's."""
    _, module = model
    usual = module.build().count_params()
    for name, parameter in inspect.signature(module.build).parameters.items():
        assert module.build(**{name: parameter.default + 1}).count_params() > usual, name


def test_what_a_model_costs_is_what_its_kernels_count(model):
    sweep, module = model
    config = sweep.configs[-1]
    if trains_bits(config.recipe):
        return  # what HGQ2 makes of it costs is counted on the design alone
    network = quantize(module.build(), config.bits, relu_integer=config.relu_integer)
    design = lower(convert(network, options=config.options))
    total = asdict(OperationCounts())
    for kernel in design.kernels:
        for key, value in asdict(kernel.operation_counts()).items():
            total[key] += value
    assert compute_cost(network, FixedType.parse(config.input_precision)) == Cost(**total)


@pytest.mark.parametrize("name", [path.name for path in MODELS.glob("digits_*")])
def test_digits_lose_nothing_in_five_bits(name):
    sweep = load_sweep(MODELS / name)
    pixels = load_model_module(sweep.model_dir / "model.py").load_data()[0]
    exact = [c for c in sweep.configs if FixedType.parse(c.input_precision).frac == 4]
    assert exact
    np.testing.assert_array_equal(on_grid(pixels, exact[0].input_precision), pixels)


def test_some_digits_are_numbered_by_their_places():
    whole, some = digits(), digits([7, 0, 3])
    for start in (0, 2):
        x, y = whole[start : start + 2]
        chosen_x, chosen_y = some[start : start + 2]
        assert len(chosen_x) == np.isin(y, [7, 0, 3]).sum()
        for place, digit in enumerate([7, 0, 3]):
            np.testing.assert_array_equal(chosen_x[chosen_y == place], x[y == digit])


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


def test_inputs_are_rounded_to_the_grid_and_saturate():
    x = np.array([-9.0, -0.19, -0.06, 0.0, 0.06, 0.19, 0.93, 0.95, 9.0], np.float32)
    assert on_grid(x, "fixed<4,1>").tolist() == [-1, -0.25, 0, 0, 0, 0.25, 0.875, 0.875, 0.875]
    assert on_grid(x, "ufixed<2,0>").tolist() == [0, 0, 0, 0, 0, 0.25, 0.75, 0.75, 0.75]


def test_validation_data_are_the_training_datas_own(model):
    sweep, module = model
    whole = load_data(module, {}, sweep.configs[0].input_precision, 0.0)
    split = load_data(module, {}, sweep.configs[0].input_precision, 0.25)
    assert len(whole.validation) == 0
    assert len(split.validation) == round(len(whole.train) / 4)
    np.testing.assert_array_equal(split.test.x, whole.test.x)

    def sorted_rows(*parts):
        rows = np.concatenate([part.x.reshape(len(part), -1) for part in parts])
        return rows[np.lexsort(rows.T)]

    np.testing.assert_array_equal(
        sorted_rows(split.train, split.validation), sorted_rows(whole.train)
    )
    if split.train.y.ndim == 1:  # labels of classes
        train, validation = (
            np.bincount(part.y) / len(part) for part in (split.train, split.validation)
        )
        np.testing.assert_allclose(validation, train, atol=0.015)
    again = load_data(module, {}, sweep.configs[0].input_precision, 0.25)
    np.testing.assert_array_equal(again.validation.x, split.validation.x)


def test_too_little_to_set_apart_is_said(model):
    if hasattr(model[1], "metric"):
        return  # without classes, one sample is enough
    with pytest.raises(InputError, match=r"validation: 0\.001 of the data: "):
        load_data(model[1], {}, None, 0.001)
