"""Runs a model in its own framework: the reference for what the hardware should compute.

A child process with limits of time and memory rebuilds the network from its typed description,
with Keras' own classes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.frontend.messages import shown
from gatewright.frontend.network import Network
from gatewright.frontend.record import as_record
from gatewright.frontend.reference.exchange import MAX_SAMPLES, Exchange
from gatewright.system import processes

Values = NDArray[np.float32]
Progress = Callable[[str], None]
Interval = tuple[float, float]

_WORKER = "gatewright.frontend.reference.framework_worker"
#: Seconds for a call, including the import of TensorFlow on a busy machine.
SECONDS = 300.0
_ENVIRONMENT = {
    "TF_USE_LEGACY_KERAS": "1",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # The same arithmetic on every x86-64 machine, as far as TensorFlow allows,
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # and for any number of processors; this also leaves the others free.
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONHASHSEED": "0",
}
#: Environment for the fastest execution on the processor, without GPUs.
ON_PROCESSOR = {
    "TF_USE_LEGACY_KERAS": "1",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}
#: The same with all GPUs.
ON_ANY_DEVICE = {name: text for name, text in ON_PROCESSOR.items() if not name.startswith("CUDA")}
_CALLS = 8
#: Most characters of a reason in a message.
_LONGEST = 500


@dataclass(frozen=True)
class Predictions:
    """The results of a network on samples, float32.

    Attributes:
        outputs: The outputs of the network, each (samples, *shape).
        layers: The results of all layers by name, including inputs, if requested.
        linear: For layers with an activation, their results before it, if requested.
    """

    outputs: list[Values]
    layers: dict[str, Values] = field(default_factory=dict)
    linear: dict[str, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class Times:
    """Wall times of a call in us.

    Attributes:
        low: The 5th percentile.
        median: The median.
        high: The 95th percentile.
        count: The number of timed calls, after a warm-up.
    """

    low: float
    median: float
    high: float
    count: int


@dataclass(frozen=True)
class Ranges:
    """Least and greatest value of each layer by name, including inputs.

    Attributes:
        layers: Of the layers' results.
        linear: For layers with an activation, of their results before it.
    """

    layers: dict[str, Interval]
    linear: dict[str, Interval]


class Reference:
    """A network in its own framework, in a child process that this object starts.

    Only one thread may call it at a time. A child that exceeds a limit is killed. The child also
    ends with the thread that created this object.

    Args:
        network: The network as a reader returned it, before any pass.
        progress: Called with a line when TensorFlow is being loaded.
        seconds: Limit of time for each call.
        environment: Environment variables of the child; by default those for reproducible results.

    Raises (all methods):
        InputError: if the framework can't be imported, can't build the network, fails, or exceeds a
            limit.
    """

    def __init__(
        self,
        network: Network,
        *,
        progress: Progress | None = None,
        seconds: float = SECONDS,
        environment: Mapping[str, str] = MappingProxyType(_ENVIRONMENT),
    ) -> None:
        self._network = network
        self._limits = processes.Limits(what="the model in its own framework", seconds=seconds)
        self._framework = ""
        self._open = contextlib.ExitStack()
        # Files without names: nothing stays if the process is killed.
        enter = self._open.enter_context
        given = enter(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        got = enter(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        self._errors = enter(tempfile.TemporaryFile("w+", encoding="utf-8"))  # noqa: SIM115 - the stack closes it
        descriptors = [file.fileno() for file in (given, got)]
        self._given, self._got = map(Exchange, descriptors)
        if progress is not None:
            progress("loading TensorFlow")
        command = [sys.executable, "-P", "-m", _WORKER, *map(str, descriptors)]
        # The child's limit is for all calls together; `_answer` limits each call.
        whole = dataclasses.replace(self._limits, seconds=seconds * _CALLS)
        self._process: subprocess.Popen[str] = enter(
            processes.started(
                whole.command(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                pass_fds=descriptors,
                env=os.environ | environment,
            )
        )
        record, arrays = as_record(network)
        places, text = self._given.put(arrays, json.dumps(record))
        self._send({"network": text, "arrays": dict(zip(arrays, places, strict=True))})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child, even if it is busy."""
        self._process.kill()
        self._open.close()

    @property
    def framework(self) -> str:
        """Names and versions of the framework's packages: "tf-keras 2.21.0 + QKeras 0.9.0"."""
        if not self._framework:
            self._framework = str(self._answer()["framework"])
        return self._framework

    def predict(self, inputs: Sequence[NDArray[Any]], *, layers: bool = False) -> Predictions:
        """Run the network on samples.

        Args:
            inputs: An array (samples, *shape) for each input of the network, in order.
            layers: Whether to return the results of all layers too.
        """
        found = self._arrays(self._ask({"do": "predict", "layers": layers}, inputs))
        outputs = [found["outputs"][str(index)] for index in range(len(self._network.outputs))]
        return Predictions(outputs, found["layers"], found["linear"])

    def ranges(self, inputs: Sequence[NDArray[Any]]) -> Ranges:
        """Least and greatest value of each layer. Memory doesn't grow with the number of samples.

        Args:
            inputs: As for `predict`.
        """
        found = self._ask({"do": "ranges"}, inputs)
        layers, linear = (
            {name: (float(low), float(high)) for name, (low, high) in found[group].items()}
            for group in ("layers", "linear")
        )
        return Ranges(layers, linear)

    def gpus(self) -> list[str]:
        """The names of the GPUs that the framework finds."""
        found: list[str] = self._ask({"do": "gpus"}, ())["gpus"]
        return [shown(name, _LONGEST) for name in found]

    def time(self, inputs: Sequence[NDArray[Any]], device: str, seconds: float) -> Times:
        """Time the network as one graph on a batch, including the transfer of its results.

        Args:
            inputs: As for `predict`; all samples are one batch.
            device: TensorFlow's device, for example "/CPU:0" or "/GPU:0".
            seconds: Time of the measurement in seconds, after a warm-up.
        """
        found = self._ask({"do": "time", "device": device, "seconds": seconds}, inputs)
        return Times(found["low"], found["median"], found["high"], found["count"])

    def alone(self, layer: str, inputs: Sequence[NDArray[Any]]) -> tuple[Values | None, Values]:
        """Run one layer on given inputs.

        Args:
            layer: Its name.
            inputs: An array (samples, *shape) for each input of the layer.

        Returns:
            The result before the layer's activation, None if it has none; and the result.
        """
        request = {"do": "alone", "layer": layer, "activation": False}
        found = self._arrays(self._ask(request, inputs))
        return found["linear"].get(layer), found["layers"][layer]

    def activation(self, layer: str, values: NDArray[Any]) -> Values:
        """Apply a layer's own activation to values.

        Args:
            layer: Its name.
            values: Of any shape.

        Returns:
            The results, of the same shape.
        """
        request = {"do": "alone", "layer": layer, "activation": True}
        return self._arrays(self._ask(request, [values]))["layers"][layer]

    def effects(
        self,
        inputs: Sequence[NDArray[Any]],
        layers: Sequence[tuple[str, str]],
        values: Sequence[NDArray[Any]],
    ) -> list[float]:
        """How much the outputs change if given values replace results of layers.

        The replacements accumulate: first the first layer's, then the second's as well, and so on.
        Each layer's effect is the change that its replacement adds.

        Args:
            inputs: As for `predict`.
            layers: Names of layers in the order of the network, each with "result", or with
                "linear" for the result before its activation.
            values: The replacement for each layer, (samples, *shape) or with as many elements.

        Returns:
            For each layer the greatest change of an output, as a fraction of the output's greatest
            magnitude.
        """
        request = {"do": "effects", "layers": [list(each) for each in layers]}
        found: list[float] = self._ask(request, [*inputs, *values])["effects"]
        return found

    def _ask(self, request: dict[str, Any], inputs: Sequence[NDArray[Any]]) -> dict[str, Any]:
        _ = self.framework  # reads the answer to the network, which was sent first
        places, _ = self._given.put({str(index): each for index, each in enumerate(inputs)})
        self._send(request | {"inputs": places})
        return self._answer()

    def _arrays(self, answer: dict[str, Any]) -> dict[str, dict[str, Values]]:
        """The arrays of an answer, by group and name."""
        found: dict[str, dict[str, Values]] = {"outputs": {}, "layers": {}, "linear": {}}
        for key, place in answer["arrays"].items():
            group, _, name = key.partition("/")
            found[group][name] = self._got.array(place, MAX_SAMPLES)
        return found

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        clock = threading.Timer(self._limits.seconds, end)
        clock.start()
        try:
            line = self._process.stdout.readline()
        finally:
            clock.cancel()
        if not line:
            self._fail(late.is_set())
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            raise InputError(shown(answer["refused"], _LONGEST))
        return answer

    def _fail(self, late: bool) -> None:
        what, seconds = self._limits.what, self._limits.seconds
        if late:
            raise InputError(f"{what}: ended after {seconds:.3g} seconds, its time limit")
        status = self._process.wait()
        self._errors.seek(0)
        errors = self._errors.read()
        processes.check_memory(self._limits, errors)
        said = [line.strip() for line in errors.splitlines() if line.strip()]
        reason = said[-1] if said else f"its process ended with status {status}"
        raise InputError(f"{what}: {shown(reason, _LONGEST)}")


def predict(
    network: Network,
    inputs: Sequence[NDArray[Any]],
    *,
    layers: bool = False,
    progress: Progress | None = None,
) -> Predictions:
    """Run a network on samples in its own framework; see `Reference.predict`.

    Raises:
        InputError: as `Reference` does.
    """
    with Reference(network, progress=progress) as reference:
        return reference.predict(inputs, layers=layers)


def ranges(
    network: Network, inputs: Sequence[NDArray[Any]], *, progress: Progress | None = None
) -> Ranges:
    """Least and greatest value of each layer on samples; see `Reference.ranges`.

    Raises:
        InputError: as `Reference` does.
    """
    with Reference(network, progress=progress) as reference:
        return reference.ranges(inputs)
