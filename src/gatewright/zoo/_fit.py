"""Trains one model of the zoo: `python -m gatewright.zoo._fit`, a request on standard input.

The process prints one JSON object a line: `{"epoch": n}` after each epoch, at last
`{"measured": {"accuracy", "losses", "seconds"}}`. It writes `MODEL` and `DATA` into the folder that
the request names.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.fixed import FixedType, Overflow, Rounding, from_float, to_float
from gatewright.zoo.sweep import LayerBits
from gatewright.zoo.training import DATA, MODEL

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray


def load_model_module(file: Path) -> ModuleType:
    """Run a model's model.py and return it as a module."""
    spec = importlib.util.spec_from_file_location(f"gatewright_zoo_{file.parent.name}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def on_grid(x: NDArray[np.floating[Any]], precision: str) -> NDArray[np.float32]:
    """Round x to the nearest value of a fixed-point type, saturating."""
    grid = replace(FixedType.parse(precision), rounding=Rounding.RND, overflow=Overflow.SAT)
    return to_float(from_float(x, grid), grid.frac).astype(np.float32)


def fit(request: dict[str, Any]) -> dict[str, Any]:
    """Train as requested; see the module's text."""
    started = time.monotonic()
    training = request["training"]
    module = load_model_module(Path(request["model_file"]))
    x_train, y_train, x_test, y_test = module.load_data()
    x_train, x_test = (on_grid(x, request["input_precision"]) for x in (x_train, x_test))

    # After the data, so that what is wrong with it is said at once.
    import tensorflow as tf
    import tf_keras

    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    tf_keras.utils.set_random_seed(training["seed"])

    bits = request["bits"]
    model = module.build(
        None if bits is None else {layer: LayerBits(**widths) for layer, widths in bits.items()}
    )
    if request["baseline"] is not None:
        baseline = module.build(None)
        baseline.load_weights(request["baseline"])
        for layer in model.layers:
            if layer.weights:
                layer.set_weights(baseline.get_layer(layer.name).get_weights())

    steps = -(-len(x_train) // training["batch_size"]) * training["epochs"]
    rate = tf_keras.optimizers.schedules.CosineDecay(training["learning_rate"], steps)
    model.compile(tf_keras.optimizers.Adam(rate), module.loss())
    history = model.fit(
        x_train,
        y_train,
        batch_size=training["batch_size"],
        epochs=training["epochs"],
        verbose=0,
        callbacks=[
            tf_keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, _: print(json.dumps({"epoch": epoch + 1}), flush=True)
            )
        ],
    )
    outputs = model.predict(x_test, batch_size=len(x_test), verbose=0)

    directory = Path(request["output_dir"])
    model.save(directory / MODEL, include_optimizer=False, save_format="h5")
    np.savez(directory / DATA, x=x_test, y=np.asarray(y_test, np.int64), outputs=outputs)
    return {
        "accuracy": float(np.mean(outputs.argmax(axis=1) == y_test)),
        "losses": [float(loss) for loss in history.history["loss"]],
        "seconds": round(time.monotonic() - started, 3),
    }


if __name__ == "__main__":
    print(json.dumps({"measured": fit(json.load(sys.stdin))}), flush=True)
