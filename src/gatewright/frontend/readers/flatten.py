"""Turns an outline into a network: nested models are written out, and each call is a layer."""

from __future__ import annotations

import graphlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.kinds import IDENTITY
from gatewright.frontend.layer_names import identifier_of
from gatewright.frontend.messages import shown
from gatewright.frontend.network import Layer, Network, is_name
from gatewright.frontend.readers.architecture import ATTENTION, MAX_LAYERS, MERGE_MODES, layer_of
from gatewright.frontend.readers.operations import Known, Tensor, known, operate
from gatewright.frontend.readers.outline import Call, Given, Outline, Part, Path, Ref
from gatewright.frontend.shapes import Shape, shape_of

_MERGES: Final = (
    *("Add", "Average", "Concatenate", "Dot", "Einsum", "Maximum", "Minimum", "Multiply"),
    "Subtract",
)
#: Named arguments that a call of a layer may have if they are null or false.
_CALL: Final = ("training", "mask", "initial_state")
#: Layers that behave differently in training.
_TRAINED: Final = (
    *IDENTITY,
    "BatchNormalization",
    "QBatchNormalization",
    "QConv2DBatchnorm",
    "QDenseBatchnorm",
    "QDepthwiseConv2DBatchnorm",
)

#: Results of a part's calls, by number of the call and of the result.
_Results = dict[tuple[int, int], Known]


@dataclass(frozen=True)
class Flat:
    """A network without weights.

    Attributes:
        network: The network.
        outline: The outline from which it was made.
        paths: The path of each layer's part in the outline, by the layer's name.
    """

    network: Network
    outline: Outline
    paths: Mapping[str, Path]


def flatten(outline: Outline) -> Flat:
    """The network that an outline describes.

    Raises:
        InputError: if the calls of layers don't fit together.
        UnsupportedError: if a layer is called in a way that isn't supported.
    """
    return _Flattening(outline).run()


class _Flattening:
    """Emits layers in topological order."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._origin = outline.origin
        self._layers: list[Layer] = []
        self._paths: dict[str, Path] = {}
        self._names = _names(outline.model)
        self._taken = set(self._names.values())
        self._used: set[Path] = set()
        self._calls = 0
        self._shapes: dict[str, Shape] = {}
        self._over = 0  # wrappers around the present layer that apply it to each step

    def run(self) -> Flat:
        model = self._outline.model
        for part in model.layers:
            if (part.kind == "InputLayer") != (part.label in model.inputs):
                raise InputError(
                    f"{self._origin}: layer '{part.label}' and input_layers don't agree on an input"
                )
        for key, labels in (("input_layers", model.inputs), ("output_layers", model.outputs)):
            for index, each in enumerate(labels):
                if each in labels[:index]:
                    name = each.layer if isinstance(each, Ref) else each
                    raise UnsupportedError(
                        f"{self._origin}: {key} names layer '{name}' twice; name it once"
                    )
        given = self._model(model, (), None)
        outputs = tuple(self._name(f"{self._origin}: output_layers", each) for each in given)
        for name in outputs:
            if outputs.count(name) > 1:
                raise UnsupportedError(
                    f"{self._origin}: gives the result of layer '{name}' twice; give it once"
                )
        network = Network(
            self._origin,
            tuple(self._layers),
            tuple(self._names[label,] for label in model.inputs),
            outputs,
            framework=self._outline.framework,
        )
        if is_name(model.label):
            network = replace(network, name=model.label)
        return Flat(network, self._outline, self._paths)

    def _model(self, model: Part, path: Path, given: Sequence[str] | None) -> list[Known]:
        """Emit the layers of a model, and return its results.

        Args:
            model: The model.
            path: Its path in the outline.
            given: Names of the layers that it reads; None for the outermost model.
        """
        where = f"{self._origin}: layer '{path[-1]}'" if path else self._origin
        parts = {part.label: part for part in model.layers}
        if given is not None and len(given) != len(model.inputs):
            raise InputError(
                f"{where} reads {len(given)} tensors; it is a model of {len(model.inputs)} inputs"
            )
        calls = {part.label: _numbered(part, model) for part in model.layers}
        results: dict[str, _Results] = {}
        for label, number in self._order(where, calls, model):
            part, here = parts[label], (*path, label)
            found = results.setdefault(label, {})
            if part.kind == "InputLayer":
                if given is None:
                    found[0, 0] = Tensor(self._emit(part.layer, here, ()))
                elif label in model.inputs:
                    found[0, 0] = Tensor(given[model.inputs.index(label)])
                continue
            call = calls[label][number]
            for index, result in enumerate(self._call(part, here, call, results)):
                found[number, index] = result
        return [self._result(f"{where}: output_layers", ref, results) for ref in model.outputs]

    def _order(
        self, where: str, calls: Mapping[str, Mapping[int, Call]], model: Part
    ) -> Iterable[tuple[str, int]]:
        """The calls of a model in topological order: the file's order if it is one."""
        order: dict[tuple[str, int], list[tuple[str, int]]] = {}
        for part in model.layers:
            if part.kind == "InputLayer":
                order[part.label, 0] = []
            elif not calls[part.label]:
                self._check_count(part, ())
            for number, call in calls[part.label].items():
                order[part.label, number] = [(ref.layer, ref.call) for ref in call.refs()]
        for (label, _), reads in order.items():
            for source, number in reads:
                if source not in calls:
                    raise InputError(
                        f"{self._origin}: layer '{label}' reads a layer '{shown(source)}', which "
                        "isn't there"
                    )
                if (source, number) not in order:
                    raise InputError(
                        f"{self._origin}: layer '{label}' reads call {number} of layer "
                        f"'{source}', which isn't there"
                    )
        for ref in model.outputs:
            if ref.layer not in calls:
                raise InputError(
                    f"{where}: output_layers names a layer '{shown(ref.layer)}', which isn't there"
                )
        for label in model.inputs:
            if label not in calls:
                raise InputError(
                    f"{where}: input_layers names a layer '{shown(label)}', which isn't there"
                )
        seen: set[tuple[str, int]] = set()
        for key, reads in order.items():
            if not seen.issuperset(reads):
                try:
                    return list(graphlib.TopologicalSorter(order).static_order())
                except graphlib.CycleError:
                    raise InputError(
                        f"{self._origin}: layer '{key[0]}' depends on its own result"
                    ) from None
            seen.add(key)
        return order

    def _name(self, where: str, value: Known) -> str:
        """The name of the layer that computes a value."""
        if not isinstance(value, Tensor):
            raise UnsupportedError(f"{where}: reads a value that is no layer's result")
        return value.name

    def _result(self, where: str, ref: Ref, results: Mapping[str, _Results]) -> Known:
        found = results.get(ref.layer, {})
        if (ref.call, ref.result) not in found:
            raise UnsupportedError(
                f"{where} reads result {[ref.call, ref.result]} of layer '{ref.layer}', which "
                "doesn't exist"
            )
        return found[ref.call, ref.result]

    def _call(
        self, part: Part, path: Path, call: Call, results: Mapping[str, _Results]
    ) -> Sequence[Known]:
        """Emit the layers of a call of a part, and return its results."""
        self._calls += 1
        if self._calls > MAX_LAYERS:
            raise InputError(f"{self._origin}: has more than {MAX_LAYERS} layers, written out")
        where = f"{self._origin}: layer '{part.label}'"
        if part.is_operation:
            self._refuse_steps(part)

            def resolve(ref: Ref) -> Known:
                return self._result(where, ref, results)

            arguments = [known(each, resolve) for each in call.arguments]
            named = {key: known(each, resolve) for key, each in call.named.items()}
            emitter = _Emitter(self, where, path)
            settings = {key: known(each, resolve) for key, each in part.settings.items()}
            return operate(where, part.kind, arguments, {**settings, **named}, emitter)
        tensors = [
            self._name(where, self._result(where, ref, results))
            for ref in _tensors(where, part, call)
        ]
        return self._apply(part, path, tensors)

    def _apply(self, part: Part, path: Path, tensors: Sequence[str]) -> Sequence[Known]:
        if part.is_model:
            return self._model(part, path, tensors)
        if "layer" in part.within:
            (inner,) = part.within["layer"]
            deeper = int(part.kind == "TimeDistributed")
            self._over += deeper
            found = self._apply(inner, (*path, inner.label), tensors)
            self._over -= deeper
            return found
        self._refuse_steps(part)
        if "forward_layer" in part.within:
            return self._both_ways(part, path, tensors)
        if part.kind == ATTENTION:
            return self._attention(part, path, tensors)
        self._check_count(part, tensors)
        layer = part.layer
        assert layer is not None
        activation = part.within.get("activation", ())
        if activation and part.kind == "Activation":
            name = tensors[0]
        else:
            name = self._emit(layer, path, tensors)
        for each in activation:
            name = self._emit(each.layer, (*path, each.label), [name])
        return [Tensor(name)]

    def _refuse_steps(self, part: Part) -> None:
        """Refuse what is several layers, or counts axes, in a TimeDistributed."""
        where = f"{self._origin}: layer '{part.label}'"
        if self._over and (part.is_operation or part.kind in (ATTENTION, "Bidirectional")):
            raise UnsupportedError(
                f"{where}: is a {part.kind} in a TimeDistributed, which is not supported; apply it "
                "to each step by a layer of its own"
            )

    def _both_ways(self, part: Part, path: Path, tensors: Sequence[str]) -> Sequence[Known]:
        """Emit two recurrent layers, and what merges their results."""
        (forward,), (backward,) = (part.within[f"{way}_layer"] for way in ("forward", "backward"))
        one, other = (
            self._name(f"{self._origin}: layer '{part.label}'", found)
            for each in (forward, backward)
            for found in self._apply(each, (*path, each.label), tensors)
        )
        assert backward.layer is not None
        if backward.layer.arguments["return_sequences"]:
            # The layer that runs from the end gives the last step's result first.
            name = identifier_of(f"{other}_reversed", self._taken)
            self._taken.add(name)
            self._layers.append(Layer(name, "Reverse", (other,)))
            self._paths[name] = path
            other = name
        mode = part.settings["merge_mode"]
        if mode is None:
            return [Tensor(one), Tensor(other)]
        where = f"{self._origin}: layer '{part.label}'"
        return [Tensor(self.emit_as(where, MERGE_MODES[str(mode)], {}, path, (one, other)))]

    def _attention(self, part: Part, path: Path, tensors: Sequence[str]) -> Sequence[Known]:
        """Emit the products of a MultiHeadAttention (Vaswani et al., 2017), as Keras orders them.

        Raises:
            InputError: if it doesn't read two or three sequences.
        """
        where = f"{self._origin}: layer '{part.label}'"
        if not 2 <= len(tensors) <= 3:
            raise InputError(
                f"{where} reads {len(tensors)} tensors, but a {part.kind} takes two or three"
            )
        for each in tensors:
            if len(self.shape(each)) != 2:
                raise UnsupportedError(
                    f"{where}: attends to a tensor of rank {len(self.shape(each))}; sequences "
                    f"of vectors are supported"
                )
        own = self._own_name(path)  # which the last product has
        (query, value, *rest), made = tensors, {}
        for name, read in (("query", query), ("key", rest[0] if rest else value), ("value", value)):
            (inner,) = part.within[f"{name}_dense"]
            (found,) = self._apply(inner, (*path, inner.label), [read])
            made[name] = self._name(where, found)
        size: Any = part.settings["key_dim"]
        add = _Emitter(self, where, path).add
        scaled = add("Rescaling", [made["query"]], {"scale": 1 / math.sqrt(size), "offset": 0.0})
        scores = add("Einsum", [scaled, made["key"]], {"equation": "qhd,khd->hqk"})
        shares = add("Softmax", [scores], {"axis": [-1]})
        mixed = add("Einsum", [shares, made["value"]], {"equation": "hqk,khd->qhd"})
        (inner,) = part.within["output_dense"]
        assert inner.layer is not None
        arguments = dict(inner.layer.arguments)
        if part.settings["as_query"]:
            arguments["output_shape"] = (None, self.shape(query)[-1])
        last = replace(inner.layer, arguments=MappingProxyType(arguments))
        self._add(last, own, path[-1], [mixed], (*path, inner.label))
        return [Tensor(own)]

    def _check_count(self, part: Part, tensors: Sequence[str]) -> None:
        """Check that a layer reads the number of tensors that its class takes."""
        least, most = (2, MAX_LAYERS) if part.kind in _MERGES else (1, 1)
        if part.kind.startswith("GarNet") and part.layer is not None:
            least = most = len(str(part.layer.arguments["input_format"]))  # "x", "xn" or "xen"
        if not least <= len(tensors) <= most:
            wanted = ("one", "two", "three")[most - 1] if least == most else "two or more"
            raise InputError(
                f"{self._origin}: layer '{part.label}' reads {len(tensors)} tensors, but a "
                f"{part.kind} takes {wanted}"
            )

    def emit_as(
        self, where: str, kind: str, config: Mapping[str, Any], path: Path, inputs: Sequence[str]
    ) -> str:
        """Add a layer that is part of an operation, and return its name."""
        part = layer_of(self._origin, where, path[-1], kind, config)
        self._check_count(part, inputs)
        return self._emit(part.layer, path, inputs)

    def shape(self, name: str) -> Shape:
        """The shape of a layer's result, without the batch."""
        for layer in self._layers[len(self._shapes) :]:
            given = [self._shapes[each] for each in layer.inputs]
            try:
                self._shapes[layer.name] = shape_of(layer, given)
            except (ValueError, IndexError):
                raise InputError(
                    f"{self._origin}: layer '{layer.label or layer.name}': a {layer.kind} can't "
                    f"read tensors of {given}"
                ) from None
        return self._shapes[name]

    def _emit(self, layer: Layer | None, path: Path, inputs: Sequence[str]) -> str:
        """Add a layer, and return its name."""
        assert layer is not None
        name = self._own_name(path)
        self._add(layer, name, path[-1], inputs, path)
        return name

    def _own_name(self, path: Path) -> str:
        """The name for a call of a part: its own, or another one for a further call."""
        name = self._names[path]
        if path in self._used:
            name = identifier_of(path[-1], self._taken)
            self._taken.add(name)
        self._used.add(path)
        return name

    def _add(self, layer: Layer, name: str, label: str, inputs: Sequence[str], path: Path) -> None:
        """Add a layer, whose weights are those of the part at a path."""
        label = "" if label == name else label
        moved = replace(layer, name=name, inputs=tuple(inputs), label=label, over=self._over)
        self._layers.append(moved)
        self._paths[name] = path


@dataclass(frozen=True)
class _Emitter:
    """Adds the layers of one operation."""

    flattening: _Flattening
    where: str
    path: Path

    def add(self, kind: str, inputs: Sequence[str], config: Mapping[str, Any]) -> str:
        return self.flattening.emit_as(self.where, kind, config, self.path, inputs)

    def shape(self, name: str) -> Shape:
        return self.flattening.shape(name)


def _names(model: Part) -> dict[Path, str]:
    """Names of all layers by path: their own names if possible; outer layers come first."""
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path in sorted((path for path, _ in model.walk() if path), key=len):
        wanted = path[-1] if path[-1] not in taken else "_".join(path)
        free = is_name(wanted) and wanted not in taken
        names[path] = wanted if free else identifier_of(wanted, taken)
        taken.add(names[path])
    return names


def _numbered(part: Part, model: Part) -> dict[int, Call]:
    """The calls of a part by the number with which others refer to them.

    In Keras 2 the first call of a model may have number 1: it also counts the call that created
    the model.
    """
    count = len(part.calls)
    first = 0
    if part.is_model:
        refs = [ref for each in model.layers for call in each.calls for ref in call.refs()]
        read = {ref.call for ref in (*refs, *model.outputs) if ref.layer == part.label}
        first = int(count in read and 0 not in read)
    return {first + index: call for index, call in enumerate(part.calls)}


def _tensors(where: str, part: Part, call: Call) -> list[Ref]:
    """The tensors in a call of a layer; refuses other arguments that would change its result."""
    arguments, named = _arranged(part, call)
    for key, each in named.items():
        if key == "training" and each is True and not _changes_in_training(part):
            continue
        if _says_something(each):
            allowed = ", ".join(_CALL)
            raise UnsupportedError(
                f"{where}: is called with {shown(key)}={shown(_text(each))}; only tensors are "
                f"supported, and {allowed} if they are null"
            )
    refs: list[Ref] = []
    waiting: list[Any] = list(arguments)[::-1]
    while waiting:
        value = waiting.pop()
        if isinstance(value, tuple):
            waiting += value[::-1]
        elif isinstance(value, Ref):
            refs.append(value)
        elif value is not None:
            raise UnsupportedError(f"{where}: reads a value that is no layer's result")
    return refs


def _arranged(part: Part, call: Call) -> tuple[tuple[Given, ...], Mapping[str, Given]]:
    """The arguments of a call; those of an attention that are given by name in their order."""
    if part.kind != ATTENTION:
        return call.arguments, call.named
    named = dict(call.named)
    names = ("query", "value", "key")[len(call.arguments) :]
    return (*call.arguments, *(named.pop(name, None) for name in names)), named


def _changes_in_training(part: Part) -> bool:
    return any(each.kind in _TRAINED for _, each in part.walk())


def _says_something(value: Given) -> bool:
    return any(map(_says_something, value)) if isinstance(value, tuple) else bool(value)


def _text(value: Given) -> str:
    return f"the result of '{value.layer}'" if isinstance(value, Ref) else str(value)
