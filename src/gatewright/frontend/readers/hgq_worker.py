"""Runs a model of HGQ2 with HGQ2 itself, in the environment that has it.

A script of `worker`. Its arguments are the descriptor of the `.keras` file and that of an `.npz`
file of samples by the number of the input. It gives the versions, and the outputs by their numbers.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np

Put = Callable[[str, Any], None]

#: Modules of which Keras may make objects, besides the classes that HGQ2 registers. Keras imports
#: whatever module a file names.
_MODULES = {
    *("keras", "keras.constraints", "keras.initializers", "keras.layers", "keras.regularizers"),
    *("keras.src.models.functional", "keras.src.models.sequential"),
}
_CONFIG = "config.json"
_BATCH = 256


class Unfit(Exception):
    """The file is readable, but can't be run; the text says why."""


def _check(described: Any) -> None:
    """Refuse a description that names anything but layers of Keras and classes of HGQ2."""
    from keras.saving import get_registered_object

    if isinstance(described, list):
        for each in described:
            _check(each)
    elif isinstance(described, dict):
        if "class_name" in described and described["class_name"] != "__keras_tensor__":
            module, kind = described.get("module"), described["class_name"]
            registered = described.get("registered_name")
            known = str(registered).startswith("hgq>") and get_registered_object(registered)
            if not known and (module not in _MODULES or kind in ("Lambda", "function")):
                raise Unfit(f"names the class {kind} of the module {module}")
        for each in described.values():
            _check(each)


def _run(content: bytes, samples: IO[bytes], put: Put) -> dict[str, str]:
    from importlib.metadata import version

    import jax
    import keras

    for module in ("hgq.layers", "hgq.quantizer", "hgq.regularizers"):
        import_module(module)  # which registers its classes

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        described = json.loads(archive.read(_CONFIG))
    if isinstance(described, dict):
        described.pop("compile_config", None)  # how it was trained, which Keras leaves out below
    _check(described)
    # Keras reads models from files with this suffix only; the home is of this run alone.
    copied = Path(os.environ["HOME"], "model.keras")
    copied.write_bytes(content)
    model = keras.saving.load_model(copied, compile=False, safe_mode=True)
    with np.load(samples, allow_pickle=False) as loaded:
        given = [loaded[str(index)] for index in range(len(model.inputs))]
    shapes = [each.shape[1:] for each in model.inputs]
    given = [each.reshape(-1, *shape) for each, shape in zip(given, shapes, strict=True)]
    found = model.predict(given if len(given) > 1 else given[0], batch_size=_BATCH, verbose=0)
    outputs = found if isinstance(found, list) else [found]
    for number, array in enumerate(outputs):
        put(str(number), np.asarray(array, np.float32).reshape(len(array), -1))
    name = f"HGQ2 {version('hgq2')} (Keras {keras.__version__}, JAX {jax.__version__})"
    return {"framework": name}


def answer(arguments: list[str], put: Put, most: int) -> dict[str, str]:
    """Run the model of a descriptor on the samples of another."""
    del most  # outputs are as many as the samples
    os.environ |= {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    source, samples = (os.fdopen(int(each), "rb", closefd=False) for each in arguments)
    return _run(source.read(), samples, put)
