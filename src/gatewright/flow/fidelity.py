"""Compares the hardware's values with those of the model in its own framework.

The framework runs in a child process while the simulation is built. A difference here is a matter
of types, not of wrong RTL, so it doesn't fail a verification. If there is no comparison, the
results say why.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from gatewright.errors import InputError
from gatewright.fixed import to_float
from gatewright.flow import counterparts
from gatewright.flow.blame import beyond, explain, wide_enough
from gatewright.flow.convert import load_read_network
from gatewright.flow.counterparts import Stage, skips, stages
from gatewright.flow.representable import inexact
from gatewright.flow.results import Beyond, FidelityResults, MeasuredLayer, MeasuredOutput
from gatewright.frontend import originals
from gatewright.frontend.network import Layer, Network, Object
from gatewright.frontend.reference import Reference
from gatewright.results.against_model import Cause
from gatewright.system.versions import versions_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gatewright.design.dataflow import Design
    from gatewright.kernels import Tensor

    Values = NDArray[np.int64]
    Floats = NDArray[np.float64]

#: Number of compared vectors; fewer for large networks, and for single layers.
VECTORS: Final = 1000
LARGE: Final = 200
_LARGE_MACS = 10_000_000
_MOST_ELEMENTS = 1 << 28
_LAYER_ELEMENTS = 1 << 22
_LEAST = 16
#: Least agreement of classes without a warning.
AGREEMENT: Final = 0.99
#: Largest difference of an output without a warning: steps of its type, or a fraction of its
#: greatest prediction, whichever is greater.
STEPS: Final = 4
SHARE: Final = 1 / 32
#: Rounding error of float32, as a fraction of a layer's greatest value.
_FLOAT32 = 2.0**-20
_MOST_CLASSES = 1000

#: Packages that the model's own prediction depends on, besides those of every step.
_PACKAGES = ("keras", "tensorflow", "tf-keras")

#: End of a warning about random words.
_RANDOM = ". Random words may reach further than real data; use --inputs to check yours"


def versions(folder: Path | None = None) -> dict[str, str | None]:
    """Versions of the packages that predict, by name; None if one isn't installed.

    Args:
        folder: Where a project keeps its model, whose file may need packages of its own.
    """
    original = None if folder is None else originals.kept(folder)
    own = {} if original is None else {original.name: originals.installed(original)}
    return versions_of(_PACKAGES) | own


@dataclass(frozen=True)
class Departure:
    """The difference between a stage of the hardware and the model's layer on the same inputs.

    Attributes:
        stage: The stage.
        wanted: The model's values, float64 (vectors, *shape).
        got: The hardware's values, of the same shape.
        largest: Greatest absolute difference.
        explained: Greatest difference that rounding to the types' steps explains.
        share: `largest` as a fraction of the model's greatest value.
    """

    stage: Stage
    wanted: Floats
    got: Floats
    largest: float
    explained: float
    share: float

    @property
    def name(self) -> str:
        """The name of the hardware layer that ends the stage."""
        kernels = self.stage.kernels
        return kernels[-1].layer if kernels else self.stage.layer.name

    @property
    def departs(self) -> bool:
        """Whether the difference is larger than rounding to its types' steps explains."""
        return self.largest > self.explained


@dataclass(frozen=True)
class _Ends:
    """The comparison of each output, and whether all are equal on the hardware's inputs."""

    outputs: tuple[MeasuredOutput, ...]
    equal: bool


class Fidelity:
    """Runs the model in its own framework, and compares it with the hardware's values.

    Attributes:
        departures: The difference of each stage, in the order of the network, after `look`.

    Args:
        network: The network as it was read; or why there is none, in words.
        design: Its design.
        words: Raw words for each input of the design, int64 (samples, *shape).
        given: The user's values before rounding, float64, for each input; None without such.
        source: The origin of the samples, in words.
        original: The file that the network was read of, if another program than Keras says what
            it means; see `frontend.originals`. None for models of Keras, whose layers the
            framework makes of the network.
    """

    def __init__(
        self,
        network: Network | str,
        design: Design,
        words: list[Values],
        given: list[Floats] | None,
        source: str,
        original: Path | None = None,
    ) -> None:
        self._design, self._source, self._original = design, source, original
        self._open = contextlib.ExitStack()
        self._reference: Reference | None = None
        self._reason = network if isinstance(network, str) else None
        self._method: str | None = None
        self._inexact: str | None = None
        self._predicted: list[Floats] = []
        self._exact: list[Floats] = []
        self.departures: list[Departure] = []
        self._effects: list[float] = []
        self._ranges: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        count = self._affordable_vectors(len(words[0]))
        self._words = [
            to_float(word[:count], tensor.type.frac)
            for word, tensor in zip(words, design.inputs, strict=True)
        ]
        self._given = None if given is None else [values[:count] for values in given]
        self._beyond = _outside(design, given)
        if isinstance(network, str):
            return
        self._network = network
        ends = len(network.inputs), len(network.outputs)
        if ends != (len(design.inputs), len(design.outputs)):
            self._reason = "its inputs or outputs are others than the hardware's"
        else:
            self._reference = self._open.enter_context(Reference(network))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _affordable_vectors(self, count: int) -> int:
        tensors = (*self._design.inputs, *(kernel.output for kernel in self._design.kernels))
        macs = sum(kernel.operation_counts().macs for kernel in self._design.kernels)
        elements = sum(tensor.size for tensor in tensors)
        most = VECTORS if macs <= _LARGE_MACS else LARGE
        if self._original is not None:
            most = min(most, originals.most_samples(self._original))
        return min(count, most, max(_LEAST, _MOST_ELEMENTS // max(1, elements)))

    def look(self, expected: dict[str, Values]) -> None:
        """Run the model, and compare each layer of the hardware with the model's.

        If the framework fails, the results say why.

        Args:
            expected: The hardware's values by tensor, as `golden.run` returns them.
        """
        if self._reference is None:
            return
        try:
            self._look(self._reference, expected)
        except (InputError, OSError) as error:  # such as a full disk
            self._reason = str(error)
        finally:
            self._open.close()

    def _look(self, reference: Reference, expected: dict[str, Values]) -> None:
        network = self._network
        inputs = self._in_order(network, self._words)
        self._method = reference.framework
        self._exact = self._outputs(reference, inputs)
        self._predicted = self._exact
        if self._given is not None:
            self._predicted = self._outputs(reference, self._in_order(network, self._given))
        there = stages(network, self._design)
        self._inexact = inexact(network, there)
        outer = _Layers(network, reference, expected)
        for stage in there:
            departure = outer.departure(stage)
            if departure is not None:
                self.departures.append(departure)
        ranges = reference.ranges(inputs)
        self._ranges = (ranges.layers, ranges.linear)
        self._effects = self._measured(reference, inputs, expected)

    def _outputs(self, reference: Reference, inputs: list[NDArray[np.float32]]) -> list[Floats]:
        """The model's outputs: by its own file where there is one, else by the framework."""
        if self._original is None:
            found = reference.predict(inputs).outputs
        else:
            found, executor = originals.execute(self._original, inputs)
            self._method = f"{executor}, layers by {reference.framework}"
        return [np.asarray(each, np.float64) for each in found]

    def _measured(
        self, reference: Reference, inputs: list[NDArray[np.float32]], expected: dict[str, Values]
    ) -> list[float]:
        """The effect of each departure on the outputs; empty if there is nothing to warn of."""
        outputs = [expected[tensor.name] for tensor in self._design.outputs]
        if self._trouble(self._of_outputs(outputs)) is None or not self.departures:
            return []
        largest = max(each.stage.result.size for each in self.departures)
        count = max(_LEAST, min(LARGE, _LAYER_ELEMENTS // largest))
        layers = []
        values = []
        for each in self.departures:
            stage, tensor = each.stage, each.stage.result
            layers.append((stage.layer.name, "linear" if stage.part == "linear" else "result"))
            values.append(to_float(expected[tensor.name][:count], tensor.type.frac))
        return reference.effects([each[: len(values[0])] for each in inputs], layers, values)

    def _in_order(self, network: Network, values: list[Floats]) -> list[NDArray[np.float32]]:
        """The inputs in the network's order, from the design's order and names."""
        pairs = zip(self._design.inputs, values, strict=True)
        by_tensor = {tensor.name: array.astype(np.float32) for tensor, array in pairs}
        tensors = counterparts.inputs(network, self._design).values()
        return [by_tensor[tensor.name] for tensor in tensors]

    def results(self, outputs: list[Values]) -> FidelityResults:
        """The results of the comparison.

        Args:
            outputs: Raw words of the hardware's outputs, in the design's order.
        """
        nothing = FidelityResults(
            method=self._method,
            source=self._source,
            reason=self._reason,
            inexact=self._inexact,
            beyond=self._beyond,
        )
        if self._reason is not None:
            return nothing
        ends = self._of_outputs(outputs)
        first = next((each for each in self.departures if each.departs), None)
        trouble = self._trouble(ends)
        blame = warning = None
        if trouble is not None:
            blame = self._of_inputs(outputs) or self._blame(
                exactly=self._inexact is None and not ends.equal
            )
            warning = _warning(trouble, blame)
            if self._given is None and self._inexact is not None:
                warning += _RANDOM
        return nothing.model_copy(
            update={
                "vectors": len(self._words[0]),
                "outputs": ends.outputs,
                "equal": ends.equal,
                "layers": tuple(map(self._of_layer, self.departures)),
                "first": None if first is None else self.cause(first),
                "blame": blame,
                "warning": warning,
            }
        )

    def _of_layer(self, departure: Departure) -> MeasuredLayer:
        return MeasuredLayer(
            name=self._design.called(departure.name),
            type=str(departure.stage.result.type),
            vectors=len(departure.wanted),
            largest=departure.largest,
            explained=departure.explained,
        )

    def _of_outputs(self, outputs: list[Values]) -> _Ends:
        """The comparison of the outputs."""
        pairs = list(zip(self._design.outputs, outputs, self._predicted, strict=True))
        equal = all(
            bool((_floats(values, tensor, len(exact)) == exact.reshape(len(exact), -1)).all())
            for (tensor, values, _), exact in zip(pairs, self._exact, strict=True)
        )
        return _Ends(tuple(self._of_output(*pair) for pair in pairs), equal)

    def _of_output(self, tensor: Tensor, values: Values, predicted: Floats) -> MeasuredOutput:
        """The comparison of one output with the model's prediction."""
        wanted = predicted.reshape(len(predicted), -1)
        got = _floats(values, tensor, len(wanted))
        away = np.abs(got - wanted)
        scale = float(np.abs(wanted).max())
        index = [each.name for each in self._design.outputs].index(tensor.name)
        agreement = None
        if self._classifies(index, wanted.shape[1]):
            agreement = float((got.argmax(axis=1) == wanted.argmax(axis=1)).mean())
        return MeasuredOutput(
            name=tensor.name,
            type=str(tensor.type),
            largest=float(away.max()),
            mean=float(away.mean()),
            equal=float((away == 0).all(axis=1).mean()),
            scale=scale,
            agreement=agreement,
            close=bool(away.max() <= max(STEPS * 2.0**-tensor.type.frac, SHARE * scale)),
        )

    def _classifies(self, output: int, elements: int) -> bool:
        """Whether an output is a classification, so that its greatest element counts.

        It is for a softmax, and for a vector of at most 1,000 elements without an activation. A
        vector with as many elements as an input is taken for a reconstruction instead.
        """
        name = self._network.outputs[output]
        layer = self._network.layer(skips(self._network).get(name, name))
        if elements < 2:
            return False
        if layer.kind == "Softmax" or layer.arguments.get("activation") == "softmax":
            return True
        if len(self._design.outputs[output].shape) != 1 or elements > _MOST_CLASSES:
            return False
        activation = layer.arguments.get("activation")
        plain = activation in ("linear", None) or (
            isinstance(activation, Object) and activation.kind == "quantized_bits"
        )
        return plain and all(tensor.size != elements for tensor in self._design.inputs)

    def _trouble(self, ends: _Ends) -> str | None:
        """The difference that the user must be warned of, in words; None if there is none."""
        where = f"on {len(self._words[0]):,} vectors of {self._source}"
        for each in ends.outputs:
            if each.agreement is not None and each.agreement < AGREEMENT:
                return (
                    f"{where} output '{each.name}' agrees with the model's class in "
                    f"{100 * each.agreement:.1f} %"
                )
        if self._inexact is None and not ends.equal:
            return f"{where} outputs are not equal to the quantized model's"
        for each in ends.outputs:
            if not each.close:
                return (
                    f"{where} output '{each.name}' is up to {each.largest:.3g} from what the "
                    f"model predicts, whose values reach {each.scale:.3g}"
                )
        return None

    def _of_inputs(self, outputs: list[Values]) -> Cause | None:
        """An input as the cause: its type doesn't hold its values, or its rounding matters most."""
        for each in self._beyond:
            reason = (
                f"does not hold its values: {each.samples:,} of {each.of:,} samples "
                f"reach beyond, up to {each.largest:.6g}"
            )
            setting = each.wider and f"{each.input}.precision.result={each.wider}"
            return Cause(layer=each.input, type=each.type, reason=reason, setting=setting)
        if self._given is None:
            return None
        shares = []
        pairs = zip(self._design.outputs, outputs, self._predicted, self._exact, strict=True)
        for tensor, values, meant, exact in pairs:
            count, scale = len(exact), float(np.abs(meant).max()) or 1.0
            own = _floats(values, tensor, count) - exact.reshape(count, -1)
            shares.append((np.abs(meant - exact).max() / scale, np.abs(own).max() / scale))
        rounding, own_share = map(float, np.max(shares, axis=0))
        if rounding <= own_share:
            return None
        inputs = zip(self._design.inputs, self._given, self._words, strict=True)
        tensor, lost = max(
            ((tensor, float(np.abs(given - words).max())) for tensor, given, words in inputs),
            key=lambda each: each[1],
        )
        bits = max(1, math.ceil(math.log2(rounding / SHARE)) + 1)
        finer = replace(tensor.type, width=tensor.type.width + bits)
        label = self._design.labels.get(tensor.name, tensor.name)
        reason = f"rounds its values to steps of {2.0**-tensor.type.frac:.3g}, by {lost:.3g}"
        setting = f"{label}.precision.result={finer}"
        return Cause(layer=label, type=str(tensor.type), reason=reason, setting=setting)

    def _blame(self, *, exactly: bool) -> Cause | None:
        """The cause in the layer with the greatest effect; if `exactly`, in the first unequal."""
        if exactly:
            first = next((each for each in self.departures if each.largest), None)
            return None if first is None else self.cause(first)
        harm = self._effects or [each.share for each in self.departures]
        worst = max(zip(harm, self.departures, strict=True), key=lambda each: each[0], default=None)
        return None if worst is None or not worst[1].largest else self.cause(worst[1])

    def cause(self, departure: Departure) -> Cause:
        """Why a stage departs from the model, and a setting that removes the cause."""
        stage = departure.stage
        layers, linear = self._ranges
        name = stage.layer.name
        reach = (linear if stage.part == "linear" else layers).get(name, (0.0, 0.0))
        found = explain(stage, departure.wanted, departure.got, reach)
        own = self._design.labels.get(found.layer, found.layer)
        setting = found.setting and own + found.setting.removeprefix(found.layer)
        return found.model_copy(
            update={"layer": self._design.called(found.layer), "setting": setting}
        )


def read_network(directory: Path) -> Network | str:
    """The network of a project as it was read; or why there is none, in words."""
    try:
        network = load_read_network(directory)
    except InputError as error:
        return str(error)
    return network or "it came as an hls4ml graph, not as a Keras model"


class _Layers:
    """Runs layers of the model on the hardware's inputs of these layers."""

    def __init__(self, network: Network, reference: Reference, expected: dict[str, Values]) -> None:
        self._network, self._reference, self._expected = network, reference, expected
        self._skips = skips(network)

    def departure(self, stage: Stage) -> Departure | None:
        """The difference of a stage from the model on the hardware's inputs.

        None if the shapes of the two don't fit.
        """
        tensors = (*stage.inputs, stage.result)
        each = max(1, sum(tensor.size for tensor in tensors))
        count = max(_LEAST, min(LARGE, _LAYER_ELEMENTS // each))
        given = {
            name: self._floats(tensor, count)
            for name, tensor in zip(stage.sources or ("",), stage.inputs, strict=True)
        }
        try:
            if stage.part == "activation":
                wanted = self._reference.activation(stage.layer.name, given[""])
            else:
                wanted = self._of_chain(stage, given)
        except InputError:
            return None  # the layer takes tensors of other shapes than the hardware's
        got = self._floats(stage.result, count).astype(np.float64)
        if wanted.size != got.size:
            return None
        values = wanted.astype(np.float64).reshape(got.shape)
        away = float(np.abs(values - got).max())
        scale = float(np.abs(values).max())
        steps = sum(2.0**-kernel.output.type.frac for kernel in stage.kernels)
        explained = steps + _FLOAT32 * scale
        return Departure(stage, values, got, away, explained, away / (scale or 1.0))

    def _of_chain(self, stage: Stage, given: dict[str, NDArray[np.float32]]) -> NDArray[Any]:
        values = dict(given)
        for layer in stage.chain:
            values[layer.name] = self._reference.alone(layer.name, self._inputs(layer, values))[1]
        linear, result = self._reference.alone(stage.layer.name, self._inputs(stage.layer, values))
        return linear if stage.part == "linear" and linear is not None else result

    def _inputs(
        self, layer: Layer, values: dict[str, NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        found = []
        for name in layer.inputs:
            source = self._skips.get(name, name)
            shape: Any = self._network.layer(source).arguments.get("shape")
            array = values[source]
            is_input = self._network.layer(source).kind == "InputLayer"
            found.append(array.reshape(len(array), *shape) if is_input else array)
        return found

    def _floats(self, tensor: Tensor, count: int) -> NDArray[np.float32]:
        return to_float(self._expected[tensor.name][:count], tensor.type.frac).astype(np.float32)


def _floats(values: Values, tensor: Tensor, count: int) -> Floats:
    return to_float(values[:count], tensor.type.frac).reshape(count, -1)


def _outside(design: Design, given: list[Floats] | None) -> tuple[Beyond, ...]:
    """The inputs whose types don't hold the user's values."""
    found = []
    for tensor, values in zip(design.inputs, given or (), strict=False):
        outside = beyond(values, tensor.type).reshape(len(values), -1).any(axis=1)
        if outside.any():
            low, high = float(values.min()), float(values.max())
            wider = wide_enough(tensor.type, low, high)
            found.append(
                Beyond(
                    input=design.labels.get(tensor.name, tensor.name),
                    type=str(tensor.type),
                    samples=int(outside.sum()),
                    of=len(values),
                    largest=high if abs(high) >= abs(low) else low,
                    wider=None if wider is None else str(wider),
                    alone=len(design.inputs) == 1,
                )
            )
    return tuple(found)


def _warning(trouble: str, blame: Cause | None) -> str:
    if blame is None:
        return trouble
    mend = f"; convert with --set '{blame.setting}'" if blame.setting else ""
    return f"{trouble}; layer '{blame.layer}' ({blame.type}): {blame.reason}{mend}"
