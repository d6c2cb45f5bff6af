"""Runs a model in its own framework, as the child process of `Reference`.

Called as `python -m gatewright.frontend.reference.framework_worker FD FD`, with the descriptors of
two files: one for arrays of requests, one for arrays of answers. Requests are lines of JSON on
standard input: first the network, then calls. Each answer is a line of JSON on standard output; its
field `refused` says why a request failed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import GatewrightError, InputError
from gatewright.frontend.messages import first_line
from gatewright.frontend.network import Network
from gatewright.frontend.record import MAX_WEIGHTS, Record, of_record
from gatewright.frontend.reference.exchange import MAX_SAMPLES, Exchange
from gatewright.frontend.reference.rebuild import Built, Framework
from gatewright.parsing.typed import decode
from gatewright.system.stopwatch import time_calls

Values = NDArray[np.float32]

#: Most elements of all tensors of a batch, to bound memory.
_ELEMENTS = 1 << 23
_MOST_BATCH = 1024
_FIRST = 8  # samples in the first batch, which shows the sizes of tensors


class Model:
    """A network that Keras computes layer by layer.

    Attributes:
        network: The network.
        framework: The framework that computes it.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.framework = Framework(network)
        self._built = {
            layer.name: self.framework.build(layer)
            for layer in network.layers
            if layer.kind != "InputLayer"
        }

    def batches(
        self, inputs: list[NDArray[Any]]
    ) -> Iterator[tuple[slice, dict[str, Values], dict[str, Values]]]:
        """Run the network in batches that bound memory.

        Yields:
            The slice of the samples; the results of all layers by name; for layers with an
            activation of their own, the results before it by name.
        """
        total, begin, size = len(inputs[0]), 0, _FIRST
        while begin < total:
            chosen = slice(begin, min(total, begin + size))
            results, linear = self.run([array[chosen] for array in inputs])
            yield chosen, results, linear
            elements = sum(v.size for v in (*results.values(), *linear.values()))
            each = max(1, elements // (chosen.stop - chosen.start))
            begin, size = chosen.stop, max(1, min(_MOST_BATCH, _ELEMENTS // each))

    def run(
        self,
        inputs: list[NDArray[Any]],
        instead: Mapping[str, Values] = MappingProxyType({}),
        before: Mapping[str, Values] = MappingProxyType({}),
    ) -> tuple[dict[str, Values], dict[str, Values]]:
        """Run the network once.

        Args:
            inputs: An array (samples, *shape) for each input of the network.
            instead: Values that replace results of layers, by name.
            before: Values that replace results of layers before their activations, by name.

        Returns:
            The results of all layers by name; for layers with an activation of their own, the
            results before it by name.
        """
        network = self.network
        results: dict[str, Values] = {}
        linear: dict[str, Values] = {}
        for name, array in zip(network.inputs, inputs, strict=True):
            arguments: Any = network.layer(name).arguments
            shape, kind = arguments["shape"], np.dtype(arguments["dtype"])
            values = array.reshape(len(array), *shape)
            results[name] = values.astype(kind if kind.kind in "iub" else np.float32)
        for name, built in self._built.items():
            if name in instead:
                results[name] = instead[name]
            elif name in before:
                results[name] = self.activation(name, before[name])
            else:
                given = [results[each] for each in built.layer.inputs]
                found, results[name] = self.apply(built, given)
                if found is not None:
                    linear[name] = found
            if not np.isfinite(results[name]).all():
                raise InputError(f"layer '{name}' gives infinities or NaN")
        return results, linear

    def apply(self, built: Built, inputs: list[NDArray[Any]]) -> tuple[Values | None, Values]:
        """Apply a layer to inputs.

        Returns:
            The result before the layer's own activation, None if it has none; and the result.
        """
        found = built.linear([self.framework.tensor(each) for each in inputs])
        before = np.asarray(found, np.float32)
        if built.activation is None:
            return None, before
        result = np.asarray(built.activation(found), np.float32)
        return (None, result) if built.layer.kind == "Activation" else (before, result)

    def compiled(self, inputs: list[NDArray[Any]], device: str) -> Callable[[], list[NDArray[Any]]]:
        """A function that computes the outputs as one graph of TensorFlow, and fetches them.

        Args:
            inputs: An array (samples, *shape) for each input of the network.
            device: TensorFlow's device, for example "/CPU:0".
        """
        first, _ = self.run([array[:1] for array in inputs])  # gives the layers their weights
        network = self.network
        shaped = [
            array.reshape(len(array), *first[name].shape[1:]).astype(first[name].dtype)
            for name, array in zip(network.inputs, inputs, strict=True)
        ]

        def compute(*tensors: Any) -> list[Any]:
            results = dict(zip(network.inputs, tensors, strict=True))
            for name, built in self._built.items():
                found = built.linear([results[each] for each in built.layer.inputs])
                results[name] = found if built.activation is None else built.activation(found)
            return [results[name] for name in network.outputs]

        return self.framework.graph(compute, shaped, device)

    def alone(self, name: str, inputs: list[NDArray[Any]]) -> tuple[Values | None, Values]:
        """Apply a layer, given by name, to inputs; as `apply`."""
        return self.apply(self._built[name], inputs)

    def activation(self, name: str, values: NDArray[Any]) -> Values:
        """Apply a layer's own activation to values; returns them unchanged if it has none."""
        function = self._built[name].activation
        if function is None:
            return values
        return np.asarray(function(self.framework.tensor(values)), np.float32)


def _network(request: dict[str, Any], given: Exchange) -> Network:
    record = decode(Record, given.text(request["network"]))
    arrays = {key: given.array(place, MAX_WEIGHTS) for key, place in request["arrays"].items()}
    return of_record(record, arrays, record["origin"])


class _Answer:
    """An answer: fields, and arrays by group and name."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.arrays: dict[str, Values] = {}

    def add(self, group: str, name: str, array: Values) -> None:
        self.arrays[f"{group}/{name}"] = array


def _predict(model: Model, request: dict[str, Any], inputs: list[NDArray[Any]]) -> _Answer:
    """The outputs of the network, and the results of its layers if requested."""
    parts: dict[tuple[str, str], list[Values]] = {}
    for _, results, linear in model.batches(inputs):
        for index, name in enumerate(model.network.outputs):
            parts.setdefault(("outputs", str(index)), []).append(results[name])
        if request["layers"]:
            for group, values in (("layers", results), ("linear", linear)):
                for name, array in values.items():
                    parts.setdefault((group, name), []).append(array)
    answer = _Answer()
    for (group, name), arrays in parts.items():
        answer.add(group, name, np.concatenate(arrays).astype(np.float32))
    return answer


def _ranges(model: Model, request: dict[str, Any], inputs: list[NDArray[Any]]) -> _Answer:
    """Least and greatest value of each layer."""
    found: dict[str, dict[str, list[float]]] = {"layers": {}, "linear": {}}
    for _, results, linear in model.batches(inputs):
        for group, values in (("layers", results), ("linear", linear)):
            for name, array in values.items():
                low, high = found[group].get(name, (np.inf, -np.inf))
                found[group][name] = [min(low, float(array.min())), max(high, float(array.max()))]
    answer = _Answer()
    answer.fields = found
    return answer


def _alone(model: Model, request: dict[str, Any], inputs: list[NDArray[Any]]) -> _Answer:
    """The result of one layer, or of its activation, on given inputs."""
    answer, name = _Answer(), request["layer"]
    inputs = [each.astype(np.float32) for each in inputs]
    if request["activation"]:
        answer.add("layers", name, model.activation(name, inputs[0]))
        return answer
    before, result = model.alone(name, inputs)
    answer.add("layers", name, result)
    if before is not None:
        answer.add("linear", name, before)
    return answer


def _effects(model: Model, request: dict[str, Any], inputs: list[NDArray[Any]]) -> _Answer:
    """The changes of the outputs as given values replace results of layers, one after another."""
    ends = model.network.outputs
    given, values = inputs[: len(model.network.inputs)], inputs[len(model.network.inputs) :]
    results, linear = model.run(given)
    scales = [float(np.abs(results[name]).max()) or 1.0 for name in ends]
    outputs = [results[name] for name in ends]
    places: dict[str, dict[str, Values]] = {"result": {}, "linear": {}}
    effects = []
    for (name, part), array in zip(request["layers"], values, strict=True):
        shape = (linear if part == "linear" else results)[name].shape
        places[part][name] = array.astype(np.float32).reshape(shape)
        now, _ = model.run(given, places["result"], places["linear"])
        pairs = zip(ends, outputs, scales, strict=True)
        effects.append(max(float(np.abs(now[end] - out).max()) / s for end, out, s in pairs))
        outputs = [now[end] for end in ends]
    answer = _Answer()
    answer.fields = {"effects": effects}
    return answer


def _time(model: Model, request: dict[str, Any], inputs: list[NDArray[Any]]) -> _Answer:
    """Wall times of the whole network on a batch."""
    call = model.compiled(inputs, request["device"])
    low, median, high, count = time_calls(call, request["seconds"])
    answer = _Answer()
    answer.fields = {"low": low, "median": median, "high": high, "count": count}
    return answer


def _gpus(model: Model, request: dict[str, Any], inputs: list[NDArray[Any]]) -> _Answer:
    """The names of the GPUs that the framework finds."""
    answer = _Answer()
    answer.fields = {"gpus": model.framework.gpus()}
    return answer


_REQUESTS = {
    "predict": _predict,
    "ranges": _ranges,
    "alone": _alone,
    "effects": _effects,
    "time": _time,
    "gpus": _gpus,
}


def main(source: int, target: int) -> None:
    """Answer requests until standard input ends.

    Args:
        source: The descriptor of the file with arrays of requests.
        target: The descriptor of the file for arrays of answers.
    """
    # Libraries print to standard output: send that to standard error.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    given, got = Exchange(source), Exchange(target)
    model: Model | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if model is None:
                model = Model(_network(request, given))
                answer: dict[str, Any] = {"framework": model.framework.name}
            else:
                inputs = [given.array(place, MAX_SAMPLES) for place in request["inputs"]]
                found = _REQUESTS[request["do"]](model, request, inputs)
                places, _ = got.put(found.arrays)
                answer = found.fields | {"arrays": dict(zip(found.arrays, places, strict=True))}
        except GatewrightError as error:
            answer = {"refused": str(error)}
        except ImportError as error:
            answer = {"refused": f"{error.name or 'TensorFlow'} can't be imported"}
        except Exception as error:  # Keras' layers may raise any exception
            answer = {"refused": first_line(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
