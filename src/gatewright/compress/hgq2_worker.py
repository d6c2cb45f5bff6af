"""Trains a model of HGQ2, in the environment that has it.

A script of `gatewright.frontend.readers.worker`. Its arguments are the paths of the folder's
`model_hgq2.py`, of an `.npz` file as `dataset.Data.save` writes it, and of an `.npz` file of the
float model's weights, `LAYER/ARRAY`; and the settings as JSON. It gives the framework with its
version, the output's name and the losses as text; and as arrays the bytes of the `.keras` file, and
the outputs for each part of the data.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import traceback
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Put = Callable[[str, Any], None]

_PARTS = ("train", "validation", "test")
#: What of the members of a `.keras` file isn't of the model itself.
_LEFT_OUT = {"metadata.json": "date_saved", "config.json": "compile_config"}
#: The earliest time of a zip archive's members, in place of the time at which it is written.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_BATCH = 1024


class Unfit(Exception):
    """The model can't be trained; the text says why."""


def _loaded(file: str) -> Any:
    spec = importlib.util.spec_from_file_location("gatewright_model_hgq2", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _take_over(model: Any, weights: Mapping[str, NDArray[Any]]) -> None:
    """Assign arrays, by `LAYER/ARRAY`, to the variables of those names."""
    layers = {layer.name: layer for layer in model.layers}
    for key, array in weights.items():
        name, _, short = key.partition("/")
        if name not in layers:
            raise Unfit(f"build() has no layer '{name}', which the float model has")
        # Its own variables; those of its quantizers are in layers within it.
        own = (*layers[name]._trainable_variables, *layers[name]._non_trainable_variables)
        place = next((each for each in own if each.name == short), None)
        if place is None or tuple(place.shape) != array.shape:
            shape = None if place is None else list(place.shape)
            raise Unfit(
                f"layer '{name}': its {short} is {shape} in build(), and {list(array.shape)} in "
                "the float model"
            )
        place.assign(array)


def _fit(model: Any, loss: Any, arrays: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """The losses after each epoch."""
    import keras
    from hgq.utils import trace_minmax
    from hgq.utils.sugar import BetaScheduler

    x, y = arrays["x_train"], arrays["y_train"]
    batch, epochs = settings["batch_size"], settings["epochs"]
    rate = keras.optimizers.schedules.CosineDecay(
        settings["learning_rate"], -(-len(x) // batch) * epochs
    )
    model.compile(keras.optimizers.Adam(rate), loss)
    pressure = BetaScheduler(lambda _: settings["beta"])
    course = model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0, callbacks=[pressure])
    losses = [float(each) for each in course.history["loss"]]
    for epoch, reached in enumerate(losses, 1):
        if not np.isfinite(reached):
            raise Unfit(f"the loss of epoch {epoch} is {reached}; take a smaller learning_rate")
    trace_minmax(model, x)
    return losses


def _content(model: Any) -> bytes:
    """The model's `.keras` file, without when and how it was trained."""
    place = Path(os.environ["HOME"], "model.keras")
    model.save(place)
    written = io.BytesIO()
    with zipfile.ZipFile(place) as source, zipfile.ZipFile(written, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name in _LEFT_OUT:
                fields = json.loads(content)
                fields.pop(_LEFT_OUT[name], None)
                content = json.dumps(fields).encode()
            target.writestr(zipfile.ZipInfo(name, _NO_TIME), content)
    return written.getvalue()


def _train(given: list[str], put: Put) -> dict[str, str]:
    from importlib.metadata import version

    import jax
    import keras

    model_file, data_file, weights_file, text = given
    settings = json.loads(text)
    with np.load(data_file, allow_pickle=False) as held:
        arrays = dict(held)
    with np.load(weights_file, allow_pickle=False) as held:
        weights = dict(held)
    keras.utils.set_random_seed(settings["seed"])
    module = _loaded(model_file)
    built = module.build(**settings["architecture"])
    _take_over(built, weights)
    losses = _fit(built, module.loss(), arrays, settings)
    # The same without its optimizer, whose state is larger than the model.
    model = keras.models.clone_model(built)
    model.set_weights(built.get_weights())
    put("model", np.frombuffer(_content(model), np.uint8))
    for part in _PARTS:
        if len(arrays[f"x_{part}"]):
            found = model.predict(arrays[f"x_{part}"], batch_size=_BATCH, verbose=0)
            put(part, np.asarray(found, np.float32))
    return {
        "framework": f"HGQ2 {version('hgq2')} (Keras {keras.__version__}, JAX {jax.__version__})",
        "output": model.outputs[0]._keras_history.operation.name,
        "losses": json.dumps(losses),
    }


def answer(arguments: list[str], put: Put, most: int) -> dict[str, str]:
    """Train the model of the arguments."""
    del most  # it reads no stranger's file
    os.environ |= {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    # One thread, so that sums always have the same order.
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    try:
        return _train(arguments, put)
    except Unfit:
        raise
    except Exception as error:  # the folder's code may raise anything
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = str(error).partition("\n")[0] or type(error).__name__
        raise Unfit(f"{said} (in {place.filename}, line {place.lineno})") from None
