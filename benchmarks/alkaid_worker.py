"""Trains the HGQ2 jet tagger, and has alkaid write its RTL; runs where HGQ2 and alkaid are.

    python alkaid_worker.py train MODEL
    python alkaid_worker.py rtl MODEL STAGES FOLDER

Started by `against_alkaid.py` with another Python than Gatewright's, so it imports nothing of it.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

SHAPE = (16, 64, 32, 32, 5)
SAMPLES, CHECKED = 20_000, 500
TOP = "alkaid_net"
PACKAGES = "hgq2==0.2.0 jax==0.10.2 alkaid==0.8.2"

#: The inputs' type, and the same as alkaid counts: sign, integer bits without it, fractional bits.
INPUT_PRECISION = "fixed<16,6>"
INPUT = (1, 5, 10)

#: Pressure on EBOPs and epochs, one after the other.
SCHEDULE = ((1e-7, 6), (1e-6, 8), (5e-6, 8), (1e-5, 8), (3e-5, 20))


def _print(figures: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")


def _data() -> tuple[Any, Any]:
    """Five classes of Gaussian clusters with 16 features."""
    import numpy as np

    rng = np.random.default_rng(0)
    centers = rng.normal(0, 1, (SHAPE[-1], SHAPE[0]))
    spreads = rng.normal(0, 0.6, (SHAPE[-1], SHAPE[0], SHAPE[0]))
    classes = rng.integers(0, SHAPE[-1], SAMPLES)
    x = [centers[k] + spreads[k] @ rng.normal(0, 1, SHAPE[0]) for k in classes]
    return np.stack(x).astype("float32"), classes


def train(path: Path) -> None:
    """Train the network under growing pressure on EBOPs, and save it."""
    import keras
    import numpy as np
    from hgq.config import LayerConfigScope, QuantizerConfigScope
    from hgq.layers import QDense
    from hgq.utils import trace_minmax

    keras.utils.set_random_seed(1)
    with (
        QuantizerConfigScope(default_q_type="kbi", place="weight", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(
            default_q_type="kif", place="datalane", overflow_mode="WRAP", f0=4, i0=3
        ),
        LayerConfigScope(enable_ebops=True, beta0=1e-6),
    ):
        *hidden, last = SHAPE[1:]
        model = keras.Sequential(
            [
                keras.layers.Input(SHAPE[:1]),
                *(QDense(n, activation="relu", name=f"d{i}") for i, n in enumerate(hidden, 1)),
                QDense(last, name=f"d{len(SHAPE) - 1}"),
            ]
        )
    x, y = _data()
    fitted = SAMPLES * 4 // 5
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    for beta, epochs in SCHEDULE:
        for layer in model.layers:
            layer._beta.assign(beta)
        model.fit(x[:fitted], y[:fitted], batch_size=500, epochs=epochs, verbose=0)
    trace_minmax(model, x)
    right = np.argmax(model.predict(x[fitted:], verbose=0), 1) == y[fitted:]
    ebops = sum(float(layer.ebops) for layer in model.layers)
    model.save(path)
    _print({"accuracy": round(float(right.mean()), 4), "ebops": round(ebops)})


def rtl(path: Path, stages: int, folder: Path) -> None:
    """Alkaid's Verilog of the network in so many stages, whose values are compared with Keras'."""
    import hgq.layers  # noqa: F401 (registers the layers of the file)
    import keras
    import numpy as np
    from alkaid.codegen import RTLModel
    from alkaid.converter import trace_model
    from alkaid.trace import trace

    model = keras.models.load_model(path)
    logic = trace(*trace_model(model, hwconf=(1, -1, -1), inputs_kif=INPUT))
    RTLModel(logic, folder, TOP, n_stages=stages).write()
    x = np.floor(_data()[0][:CHECKED] * 2.0 ** INPUT[2]) / 2.0 ** INPUT[2]
    wrong = np.asarray(logic.predict(x.astype(float))) != model.predict(x, verbose=0)
    _print(
        {
            # A module per stage, and a register behind each.
            "stages": len(list(folder.glob("src/logic*.v"))),
            "mismatches": int(wrong.any(axis=1).sum()),
            "versions": {name: version(name) for name in ("hgq2", "alkaid")},
        }
    )


if __name__ == "__main__":
    what, model_path, *rest = sys.argv[1:]
    if what == "train":
        train(Path(model_path))
    else:
        rtl(Path(model_path), int(rest[0]), Path(rest[1]))
