"""What hls4ml does by itself with each layer of the table: converts, compiles, computes.

`python tests/flow/hls4ml_alone.py` measures it and writes the file that `gatewright layers` shows;
a wide test measures again. Models are those of the table's own tests, types are hls4ml's defaults.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

from flow.test_coverage import heads, layers_of_keras
from frontend.test_layers import forest
from gatewright.cli.coverage import IO_TYPES, LAYERS, MEASURED
from gatewright.frontend.quiet import import_keras, quiet

#: Largest difference from Keras that counts as the layer: hls4ml's tables and 10 fractional bits.
_MOST = 0.1
_SAMPLES = 20
#: Outcomes, the best first.
_OUTCOMES = ("yes", "other values", "no")


def alone(k, name, io):
    """What becomes of a layer of Keras 2, or else of the same one of Keras 3: an outcome."""
    found = []
    for make, parser in ((_of_keras2, _parser_of_keras2), (_of_keras3, contextlib.nullcontext)):
        model = make(k, name)
        if model is not None:
            with parser():
                found.append(_outcome(model, name, io))
        if "yes" in found:
            break
    return min(found, key=_OUTCOMES.index)


def _of_keras2(k, name):
    return forest(k.keras, [heads(k)[name]])


def _of_keras3(k, name):
    """The model in Keras 3; None if it has no such layer, or it is no layer alone."""
    keras = import_keras("keras")
    shape, head = heads(k)[name]
    kind = getattr(keras.layers, type(head).__name__, None)
    if kind is None or kind.__module__.startswith("qkeras"):
        return None
    try:
        return forest(keras, [(shape, kind.from_config(head.get_config()))])
    except (TypeError, ValueError):  # its arguments are others
        return None


@contextlib.contextmanager
def _parser_of_keras2():
    """Within this context hls4ml takes its parser for Keras 2, as it does where 3 is not there."""
    import keras

    former, keras.__version__ = keras.__version__, "2.15.0"
    try:
        yield
    finally:
        keras.__version__ = former


def _outcome(model, name, io):
    import hls4ml

    rng = np.random.default_rng(0)
    inputs = []
    for each in model.inputs:
        shape = (_SAMPLES, *each.shape[1:])
        values = rng.integers(-128, 128, shape) / 32
        if name == "Embedding":
            values = rng.integers(0, 11, shape)
        elif name.startswith("GarNet") and shape[1:] == (1,):
            values = np.full(shape, model.inputs[0].shape[1])  # all its vertices count
        inputs.append(values.astype(np.float32))
    given = inputs if len(inputs) > 1 else inputs[0]
    wanted = model.predict(given, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with quiet():
                config = hls4ml.utils.config_from_keras_model(
                    model, granularity="name", backend="Vitis", default_precision="fixed<16,6>"
                )
                made = hls4ml.converters.convert_from_keras_model(
                    model,
                    hls_config=config,
                    backend="Vitis",
                    io_type=f"io_{io}",
                    output_dir=folder,
                )
                made.compile()
                found = _predicted(made, given, Path(folder, "found.npy"))
        except (Exception, SystemExit):  # hls4ml raises what it likes
            return "no"
    same = found.size == wanted.size
    same = same and np.abs(found.reshape(wanted.shape) - wanted).max() <= _MOST
    return "yes" if same else "other values"


def _predicted(made, given, file):
    """What its C++ computes, in a process of its own: some of its layers end it by assertions."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # streams tell of every empty read
        np.save(file, np.asarray(made.predict(given)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"ended with status {status}")
    return np.load(file)


def main():
    """Measure all, and write the file."""
    k = layers_of_keras()
    rows = [layer.name for layer in LAYERS]
    layers = {name: {io: alone(k, name, io) for io in IO_TYPES} for name in rows}
    text = json.dumps({"hls4ml": version("hls4ml"), "layers": layers}, indent=1)
    MEASURED.write_text(text + "\n")


if __name__ == "__main__":
    main()
