"""Runs a float model under TensorFlow Lite: `python -m gatewright.baseline.tflite_worker`.

The request comes as JSON on standard input: `model` (.h5 file), `x` and `calibration` (.npz files
of test inputs and of inputs for ranges, each array as "/" and the name of the model's input, or as
"/" if it has one), `folder` (for outputs), `models` (kinds of arithmetic), `batches`, `threads`,
`seconds`. For each kind a line `{"measured": kind, "baselines": [...]}` is printed, with fields of
`report.schema.Baseline` and `outputs`, the name of an .npz file of the outputs by name; or
`{"refused": text}` if the request is wrong.
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

from gatewright.compress.dataset import in_order
from gatewright.compress.model_files import load_model
from gatewright.errors import InputError
from gatewright.frontend.messages import first_line
from gatewright.system.stopwatch import time_calls

Arrays = list[NDArray[Any]]
"""An array [n, *shape] for each input or output of a model, in its order."""

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
        x = _inputs(request["model"], model, request["x"])
        calibration = _inputs(request["model"], model, request["calibration"])
    except InputError as error:
        _say({"refused": str(error)})
        return
    for kind in request["models"]:
        try:
            baselines = list(_measure(kind, model, x, calibration, request))
        except Exception as error:
            baselines = [{"problem": _reason(error)}]
        _say({"measured": kind, "baselines": baselines})


def _measure(
    kind: str, model: Any, x: Arrays, calibration: Arrays, request: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    for batch in request["batches"]:
        converted = convert(kind, model, batch, calibration)
        source = SOURCES[kind].format(samples=len(calibration[0]))
        if kind == "dynamic range":
            source += _left_in_float(converted)
        for threads in request["threads"]:
            kernels, running = _faster(converted, threads, _first(x, batch), request)
            outputs = f"outputs {kind} {batch} {threads}.npz"
            found = dict(zip(model.output_names, running.outputs(x), strict=True))
            np.savez(Path(request["folder"]) / outputs, allow_pickle=False, **found)
            running.fill(_first(x, batch))
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
                "outputs": outputs,
            }


def _faster(
    converted: bytes, threads: int, x: Arrays, request: dict[str, Any]
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


def convert(kind: str, model: Any, batch: int, calibration: Arrays) -> bytes:
    """A tf-keras model as a TensorFlow Lite file for one batch size.

    Args:
        kind: The kind of arithmetic.
        model: The model.
        batch: Samples at once.
        calibration: An array [m, *shape] for each input, for ranges.

    Raises:
        Unconverted: if no weight came out in 8 bits, although that was asked for.
        Exception: whatever the converter raises.
    """
    import tensorflow as tf

    names = [f"x{number}" for number in range(len(model.inputs))]

    def function(**tensors: Any) -> Any:
        outputs = tf.nest.flatten(model([tensors[name] for name in names], training=False))
        return {f"y{number}": output for number, output in enumerate(outputs)}

    specs = {
        name: tf.TensorSpec((batch, *tensor.shape[1:]), tf.float32, name=name)
        for name, tensor in zip(names, model.inputs, strict=True)
    }
    concrete = tf.function(function).get_concrete_function(**specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "int8":
        count = len(calibration[0])
        whole = _first(calibration, -(-count // batch) * batch)
        converter.representative_dataset = lambda: (
            {
                name: array[start : start + batch].astype(np.float32)
                for name, array in zip(names, whole, strict=True)
            }
            for start in range(0, count, batch)
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
        runner = self._interpreter.get_signature_runner()
        self._inputs = _by_number(runner.get_input_details())
        self._outputs = _by_number(runner.get_output_details())
        self.invoke: Callable[[], None] = self._interpreter.invoke
        self.batch = int(self._inputs[0]["shape"][0])

    def fill(self, x: Arrays) -> None:
        """Put a batch of real numbers in place, in the types of the model's inputs."""
        for place, array in zip(self._inputs, x, strict=True):
            if place["dtype"] is np.float32:
                held = array.astype(np.float32)
            else:
                scale, zero = place["quantization"]
                limits = np.iinfo(place["dtype"])
                steps = np.round(array / scale) + zero
                held = np.clip(steps, limits.min, limits.max).astype(place["dtype"])
            self._interpreter.set_tensor(place["index"], held)

    def outputs(self, x: Arrays) -> Arrays:
        """The outputs for each of x [n, *shape], as real numbers [n, ...]."""
        found: list[Arrays] = []
        count = len(x[0])
        for start in range(0, count, self.batch):
            part = [array[start : start + self.batch] for array in x]
            self.fill(_first(part, self.batch))
            self.invoke()
            kept = len(part[0])
            found.append([self._real(place)[:kept] for place in self._outputs])
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def _real(self, place: dict[str, Any]) -> NDArray[np.float32]:
        """An output as real numbers."""
        words: NDArray[Any] = self._interpreter.get_tensor(place["index"])
        if place["dtype"] is np.float32:
            return words
        scale, zero = place["quantization"]
        real: NDArray[np.float32] = ((words.astype(np.float32) - zero) * scale).astype(np.float32)
        return real


def _by_number(details: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Details of tensors in the order of the model; `convert` gives them names by number."""
    return [details[name] for name in sorted(details, key=lambda name: int(name[1:]))]


def _inputs(origin: str, model: Any, file: str) -> Arrays:
    """The arrays for each input of a model.

    Raises:
        InputError: if they don't fit it.
    """
    with np.load(file, allow_pickle=False) as held:
        given = {name[1:]: array for name, array in held.items()}
    try:
        arrays = in_order(given.get("", given), model.input_names, "input")
    except InputError as error:
        raise InputError(f"{origin}: {error}") from None
    for array, tensor in zip(arrays, model.inputs, strict=True):
        if array.shape[1:] != tuple(tensor.shape[1:]):
            raise InputError(
                f"{origin}: takes inputs of shape {tuple(tensor.shape[1:])}, not {array.shape[1:]}"
            )
    return arrays


def _first(x: Arrays, count: int) -> Arrays:
    """The first samples, from the start again if there are too few."""
    return [np.resize(array, (count, *array.shape[1:])) for array in x]


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
