"""Has a model trained by HGQ2, in the environment of that front end."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress import hgq2_worker
from gatewright.compress.code import HGQ2_FILE
from gatewright.compress.dataset import Data
from gatewright.compress.recipe import Hgq2, Training
from gatewright.errors import InputError
from gatewright.frontend import load
from gatewright.frontend.environments import interpreter
from gatewright.frontend.network import Network
from gatewright.frontend.readers.archive import MAX_BYTES
from gatewright.frontend.readers.child import ScriptFailure, run_script
from gatewright.system.processes import Limits

#: Seconds after which a training is given up.
_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True)
class TrainedByHgq2:
    """A model that HGQ2 has trained.

    Attributes:
        content: Its `.keras` file; the same training always gives the same bytes.
        output: The name of its output.
        outputs: Its predictions, float32 [n, ...], by `train`, `validation` and `test`; without
            parts that have no samples.
        losses: The training loss after each epoch, with the EBOPs' part.
        framework: What trained it, with versions.
    """

    content: bytes
    output: str
    outputs: Mapping[str, NDArray[np.float32]]
    losses: tuple[float, ...]
    framework: str


def train(
    folder: Path,
    parent: Path,
    data_file: Path,
    step: Hgq2,
    training: Training,
    architecture: Mapping[str, Any],
) -> TrainedByHgq2:
    """Fit the HGQ2 model of a folder from the weights of a float one.

    Args:
        folder: Folder of `model_hgq2.py`, with `build(**architecture)`, which returns an untrained
            model of HGQ2 whose layers are named as the float model's, and `loss()`. It runs as
            code.
        parent: The float model, `.h5`.
        data_file: File of `Data`.
        step: The step.
        training: The settings of the fit.
        architecture: Arguments of `build`.

    Raises:
        MissingToolError: if the front end isn't installed.
        InputError: if the folder's code fails, its model has other weights than the float one, or
            there are several inputs or outputs.
    """
    python = interpreter("hgq2", "to train it")
    data = Data.load(data_file)
    if isinstance(data.train.x, Mapping) or isinstance(data.train.y, Mapping):
        raise InputError("models of HGQ2 are trained with one input and one output")
    network = load(parent)
    assert isinstance(network, Network)
    weights: dict[str, Any] = {
        f"{layer.label or layer.name}/{name}": array
        for layer in network.layers
        for name, array in layer.weights.items()
    }
    settings = training.model_dump() | {"beta": step.beta, "architecture": dict(architecture)}
    with tempfile.TemporaryDirectory(prefix="gatewright-") as home:
        weights_file = Path(home, "weights.npz")
        np.savez(weights_file, allow_pickle=False, **weights)
        files = (folder / HGQ2_FILE, data_file, weights_file)
        try:
            found = run_script(
                hgq2_worker.__file__,
                [*map(str, files), json.dumps(settings)],
                Limits(what="training by HGQ2", seconds=_SECONDS),
                MAX_BYTES,
                home=home,
                python=python,
            )
        except ScriptFailure as failure:
            reason = failure.reason or f"HGQ2's process ended with status {failure.status}"
            raise InputError(reason) from None
    outputs = dict(found.arrays)
    content = outputs.pop("model").tobytes()
    return TrainedByHgq2(
        content,
        found.attributes["output"],
        outputs,
        tuple(json.loads(found.attributes["losses"])),
        found.attributes["framework"],
    )
