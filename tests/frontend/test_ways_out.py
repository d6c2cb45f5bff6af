"""What a refusal says to do instead, done: then the model is read, and predicts the same."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from gatewright.errors import GatewrightError
from gatewright.frontend import load
from live_models import agree, predicted, samples, shaken


def refused(match, *files):
    with pytest.raises(GatewrightError, match=match) as caught:
        load(*files)
    assert "\n" not in str(caught.value)


def test_weights_without_an_architecture(k, tmp_path):
    model = shaken(k.Sequential([k.Input((4,)), k.layers.Dense(3), k.layers.Dense(2)]))
    weights = tmp_path / "m.weights.h5"
    model.save_weights(weights)
    refused(r"with model\.save, or write model\.to_json.*--weights m\.weights\.h5", weights)
    (tmp_path / "m.json").write_text(model.to_json())
    refused("needs its weights", tmp_path / "m.json")
    expected = model.predict(samples(4), verbose=0)
    found = predicted(load(tmp_path / "m.json", weights), samples(4))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    agree(model, tmp_path, samples(4), formats=[".h5", ".keras"])


def test_a_model_that_was_never_called(keras, tmp_path):
    model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)])
    (tmp_path / "m.json").write_text(model.to_json())
    with h5py.File(tmp_path / "none.h5", "w"):
        pass
    refused(
        "no input shape; .* call the model once before it is saved",
        *(tmp_path / name for name in ("m.json", "none.h5")),
    )
    model(np.zeros((1, 4), np.float32))
    agree(shaken(model), tmp_path, samples(4))


def test_weights_that_can_not_be_told_apart(k, tmp_path):
    model = shaken(k.Sequential([k.Input((4,)), k.layers.Dense(3), k.layers.Dense(2)]))
    model.save(tmp_path / "m.keras")
    with (
        zipfile.ZipFile(tmp_path / "m.keras") as old,
        zipfile.ZipFile(tmp_path / "odd.keras", "w") as new,
    ):
        for name in old.namelist():
            content = io.BytesIO(old.read(name))
            if name.endswith(".h5"):
                with h5py.File(content, "r+") as file:
                    file.copy("layers/dense", "layers/dense_7")
            new.writestr(name, content.getvalue())
    refused(r"can't be told apart in this format; save the model as \.h5", tmp_path / "odd.keras")
    agree(model, tmp_path, samples(4), formats=[".h5"])


def test_an_argument_of_a_later_version(tmp_path):
    import keras as keras3

    def model(**more):
        layer = keras3.layers.Dense(2, **more)
        return shaken(keras3.Sequential([keras3.Input((4,)), layer]))

    model(lora_rank=2).save(tmp_path / "m.keras")
    refused("no argument 'lora_rank'.*save the model without it", tmp_path / "m.keras")
    agree(model(), tmp_path, samples(4), formats=[".keras"])


def test_a_size_that_is_open(k, tmp_path):
    def model(steps):
        layers = [k.Input((steps, 2)), k.layers.Conv1D(3, 2), k.layers.GlobalMaxPooling1D()]
        return shaken(k.Sequential(layers))

    refused("give the input a shape without None", model(None))
    agree(model(6), tmp_path, samples(6, 2))


def test_a_call_in_training(k, tmp_path):
    def model(**call):
        x = k.Input((4,))
        return shaken(k.Model(x, k.layers.BatchNormalization()(x, **call)))

    refused("is called with training=True", model(training=True))
    agree(model(), tmp_path, samples(4), formats=[".h5"])


def test_a_lambda(keras, tmp_path):
    def model(layer):
        return shaken(keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(2)]))

    refused("replace it with a layer", model(keras.layers.Lambda(lambda x: x * 0.5)))
    agree(model(keras.layers.Rescaling(0.5)), tmp_path, samples(4))


@pytest.mark.parametrize(
    ("match", "wrong", "right"),
    [
        (r"keep its axis, as x\[:, 3:4\]", lambda x: x[:, 3], lambda x: x[:, 3:4]),
        ("multiply by 1 / 5", lambda x: x / 5, lambda x: x * (1 / 5)),
        ("take all elements between two ends", lambda x: x[:, ::2], lambda x: x[:, 0:2]),
    ],
)
def test_operations(k, tmp_path, match, wrong, right):
    x = k.Input((4,), name="x")
    refused(match, k.Model(x, [k.layers.Dense(2)(x), wrong(x)]))
    agree(
        shaken(k.Model(x, [k.layers.Dense(2)(x), right(x)])), tmp_path, samples(4), formats=[".h5"]
    )


def test_a_function_that_hls4ml_lacks_is_no_slip_of_the_pen(keras):
    """It used to be asked whether `elu` was meant."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="gelu")])
    refused("an activation that hls4ml has, not 'gelu'; choose from .*relu.*sigmoid", model)
    for name in ("relu", "tanh", "sigmoid"):  # one that it lists
        text = json.loads(model.to_json())
        text["config"]["layers"][1]["config"]["activation"] = name
        load(shaken(keras.models.model_from_json(json.dumps(text))))
