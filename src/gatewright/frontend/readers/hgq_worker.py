"""Runs a model of HGQ2 with HGQ2 itself, in the environment that has it.

Arguments: the descriptor of the `.keras` file; that of an `.npz` file of samples by the number of
the input; that of a file to write arrays to, and the most bytes that these may have. Prints one
line of JSON: `attributes` with the versions, and `arrays`: for each output by its number, its
offset and length in bytes in the written file; or `unfit` or `error` with a reason. Imports nothing
of Gatewright.
"""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
import zipfile
from typing import IO, Any

import numpy as np

#: Modules of which Keras may make objects, besides the classes that HGQ2 registers. Keras imports
#: whatever module a file names.
_MODULES = {
    *("keras", "keras.constraints", "keras.initializers", "keras.layers", "keras.regularizers"),
    *("keras.src.models.functional", "keras.src.models.sequential"),
}
_CONFIG = "config.json"
_BATCH = 256


class _Unfit(Exception):
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
                raise _Unfit(f"names the class {kind} of the module {module}")
        for each in described.values():
            _check(each)


def _run(content: bytes, samples: IO[bytes], out: IO[bytes]) -> dict[str, Any]:
    from importlib.metadata import version

    import hgq.layers
    import hgq.quantizer
    import hgq.regularizers  # noqa: F401 - importing a module registers its classes
    import jax
    import keras

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        _check(json.loads(archive.read(_CONFIG)))
    # Keras reads models from files with this suffix only.
    with open("model.keras", "wb") as file:  # noqa: PTH123 - in a directory of this run's own
        file.write(content)
    model = keras.saving.load_model("model.keras", compile=False, safe_mode=True)
    with np.load(samples, allow_pickle=False) as loaded:
        given = [loaded[str(index)] for index in range(len(model.inputs))]
    shapes = [each.shape[1:] for each in model.inputs]
    given = [each.reshape(-1, *shape) for each, shape in zip(given, shapes, strict=True)]
    found = model.predict(given if len(given) > 1 else given[0], batch_size=_BATCH, verbose=0)
    outputs = found if isinstance(found, list) else [found]
    arrays = {}
    for number, array in enumerate(outputs):
        begin = out.tell()
        np.save(out, np.asarray(array, np.float32).reshape(len(array), -1), allow_pickle=False)
        arrays[str(number)] = [begin, out.tell() - begin]
    name = f"HGQ2 {version('hgq2')} (Keras {keras.__version__}, JAX {jax.__version__})"
    return {"attributes": {"framework": name}, "arrays": arrays}


def main() -> None:
    """Run the file given on the command line."""
    source, samples, target, _ = map(int, sys.argv[1:])
    warnings.simplefilter("ignore")
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print to standard output
    os.chdir(os.environ["HOME"])
    os.environ |= {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    try:
        with (
            os.fdopen(source, "rb", closefd=False) as file,
            os.fdopen(samples, "rb", closefd=False) as given,
            os.fdopen(target, "wb") as out,
        ):
            index = _run(file.read(), given, out)
    except _Unfit as error:
        index = {"unfit": str(error)}
    except Exception as error:  # Keras raises any exception for damaged models
        index = {"error": str(error).partition("\n")[0] or type(error).__name__}
    answer.write(json.dumps(index))
    answer.flush()


if __name__ == "__main__":
    main()
