"""Runs a float model under TensorFlow Lite: `python -m gatewright.baseline.tflite_worker`.

The request comes as JSON on standard input: `model` (.h5 file), `data` (.npz file of `x`,
`calibration` and, where there are labels, `y`), `models` (kinds of arithmetic), `batches`,
`threads`, `seconds`. For each kind a line `{"measured": kind, "baselines": [...]}` is printed, with
fields of `report.schema.Baseline`; or `{"refused": text}` if the request is wrong.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.model_files import load_model
from gatewright.errors import InputError
from gatewright.frontend.messages import first_line
from gatewright.system.stopwatch import time_calls

DELEGATE = "default delegate"
KERNELS = (DELEGATE, "built-in kernels")
SMALL = "layers of fewer than 1,024 weights"

METHOD = (
    "the interpreter, converted for this batch, with its default delegate or its built-in kernels, "
    "whichever is faster; only the call from Python is timed, inputs in place and in the model's "
    "own type; after a warm-up"
)
SOURCES = {
    "float32": "the float network as it is",
    "int8": "the float network in 8-bit integers, inputs and outputs too, ranges from {samples:,} "
    "calibration samples; it stands in for the quantized model, which QKeras itself computes in "
    "floating point",
    "dynamic range": "the float network with 8-bit weights, ranges of activations measured at run "
    "time, which hardware refuses",
}


class Unconverted(Exception):
    """TensorFlow Lite can't, or doesn't, do what was requested."""


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    try:
        model = load_model(Path(request["model"]))
        with np.load(request["data"], allow_pickle=False) as held:
            data = {name: held[name] for name in held.files}
        _check(request["model"], model, data["x"])
    except InputError as error:
        _say({"refused": str(error)})
        return
    for kind in request["models"]:
        try:
            baselines = list(_measure(kind, model, data, request))
        except Exception as error:
            baselines = [{"problem": _reason(error)}]
        _say({"measured": kind, "baselines": baselines})


def _measure(
    kind: str, model: Any, data: dict[str, NDArray[Any]], request: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    for batch in request["batches"]:
        converted = convert(kind, model, batch, data["calibration"])
        source = SOURCES[kind].format(samples=len(data["calibration"]))
        if kind == "dynamic range":
            source += _left_in_float(converted)
        for threads in request["threads"]:
            kernels, running = _faster(converted, threads, _first(data["x"], batch), request)
            correct: dict[str, Any] = {}
            if "y" in data:
                share = float(np.mean(running.classify(data["x"]) == data["y"]))
                correct = {
                    "accuracy": share,
                    "samples": len(data["y"]),
                    "metric": "top-1 accuracy",
                }
            running.fill(_first(data["x"], batch))
            low, median, high, count = time_calls(running.invoke, request["seconds"])
            yield {
                "source": source,
                "kernels": kernels,
                "threads": threads,
                "batch": batch,
                "latency_low_us": low,
                "latency_us": median,
                "latency_high_us": high,
                "repetitions": count,
                "method": METHOD,
                **correct,
            }


def _faster(
    converted: bytes, threads: int, x: NDArray[Any], request: dict[str, Any]
) -> tuple[str, Running]:
    """Whichever of the runtime's two sets of kernels takes less time for a batch, and its name.

    Small convolutions in integers, for example, are slower with the delegate. Of each the time that
    one of twenty calls stays below counts, which other work on the machine hardly disturbs.
    """
    found = []
    for kernels in KERNELS:
        running = Running(converted, threads, delegate=kernels == DELEGATE)
        running.fill(x)
        low, *_ = time_calls(running.invoke, request["seconds"] / 5)
        found.append((low, kernels, running))
    _, kernels, running = min(found, key=lambda one: one[0])
    return kernels, running


def convert(kind: str, model: Any, batch: int, calibration: NDArray[np.float32]) -> bytes:
    """A tf-keras model as a TensorFlow Lite file for one batch size.

    Raises:
        Unconverted: if no weight came out in 8 bits, although that was asked for.
        Exception: whatever the converter raises.
    """
    import tensorflow as tf

    shape = (batch, *model.inputs[0].shape[1:])
    function = tf.function(lambda tensor: model(tensor, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "int8":
        whole = _first(calibration, -(-len(calibration) // batch) * batch)
        converter.representative_dataset = lambda: (
            [whole[start : start + batch].astype(np.float32)]
            for start in range(0, len(whole), batch)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    converted: bytes = converter.convert()
    integer, real = weight_tensors(converted)
    if kind != "float32" and not integer:
        raise Unconverted(
            f"the converter leaves {SMALL} in float32, which are all {real}: the model would be "
            "the float32 one"
        )
    return converted


def weight_tensors(converted: bytes) -> tuple[int, int]:
    """How many of the weight tensors of a TensorFlow Lite file are in 8 bits, and in float."""
    from tensorflow.lite.tools import flatbuffer_utils

    file = flatbuffer_utils.read_model_from_bytearray(bytearray(converted))
    kinds = flatbuffer_utils.schema_fb.TensorType
    types = [
        tensor.type
        for graph in file.subgraphs
        for tensor in graph.tensors
        if file.buffers[tensor.buffer].data is not None and len(tensor.shape) > 1
    ]
    return types.count(kinds.INT8), types.count(kinds.FLOAT32)


class Running:
    """A model in an interpreter, ready to run."""

    def __init__(self, converted: bytes, threads: int, *, delegate: bool = True) -> None:
        import tensorflow as tf

        resolvers = tf.lite.experimental.OpResolverType
        self._interpreter = tf.lite.Interpreter(
            model_content=converted,
            num_threads=threads,
            experimental_op_resolver_type=resolvers.AUTO
            if delegate
            else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()
        self.invoke: Callable[[], None] = self._interpreter.invoke
        self.batch = int(self._input["shape"][0])

    def fill(self, x: NDArray[Any]) -> None:
        """Put a batch of real numbers in place, in the type of the model's input."""
        if self._input["dtype"] is np.float32:
            held = x.astype(np.float32)
        else:
            scale, zero = self._input["quantization"]
            limits = np.iinfo(self._input["dtype"])
            steps = np.round(x / scale) + zero
            held = np.clip(steps, limits.min, limits.max).astype(self._input["dtype"])
        self._interpreter.set_tensor(self._input["index"], held)

    def classify(self, x: NDArray[Any]) -> NDArray[np.intp]:
        """The index of the largest output for each of x [n, *shape]."""
        found = []
        for start in range(0, len(x), self.batch):
            part = x[start : start + self.batch]
            self.fill(_first(part, self.batch))
            self.invoke()
            outputs = self._interpreter.get_tensor(self._output["index"])
            found.append(outputs[: len(part)].reshape(len(part), -1).argmax(axis=1))
        return np.concatenate(found)


def _check(origin: str, model: Any, x: NDArray[Any]) -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(f"{origin}: a baseline needs a model of one input and one output")
    shape = tuple(model.inputs[0].shape[1:])
    if x.shape[1:] != shape:
        raise InputError(f"{origin}: takes inputs of shape {shape}, not {x.shape[1:]}")


def _first(x: NDArray[Any], count: int) -> NDArray[Any]:
    """The first samples, from the start again if there are too few."""
    return np.resize(x, (count, *x.shape[1:]))


def _left_in_float(converted: bytes) -> str:
    integer, real = weight_tensors(converted)
    if not real:
        return ""
    return f"; only {integer} of {integer + real} layers: the converter leaves {SMALL} in float32"


def _reason(error: Exception) -> str:
    """What went wrong, in a line: of the converter's, what follows the place in the source."""
    said = re.search(r"\berror: (.+)", str(error))
    return said[1].strip() if said else first_line(error)


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
