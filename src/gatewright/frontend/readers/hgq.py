"""Rewrites models of HGQ2 as layers of Keras with quantizers between them.

A layer of HGQ2 quantizes what it reads, its weights, and its result, each element with a width of
its own that training chose. Here it becomes a `FixedPointQuantizer` for each input, Keras' layer
with the quantized weights, and another one for the result. Nothing of HGQ2 is run: its widths are
arrays of the file. Source of the formulas: hgq/quantizer/internal/fixed_point_quantizer.py of HGQ2
0.2, and the package `quantizers` 1.2 below it.
"""

from __future__ import annotations

import copy
import math
import re
import string
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.kinds import MAX_CHANNELS, PACKAGE
from gatewright.frontend.messages import near, shown
from gatewright.frontend.network import is_name
from gatewright.frontend.readers.hgq_attention import MIXED, SCORES, projections, softmax
from gatewright.frontend.readers.hgq_softmax import Step, lookup, softmax_steps
from gatewright.frontend.readers.hgq_tables import FUNCTIONS, Table, Widths, table_of
from gatewright.frontend.readers.weights import NUMBERED, snake_case

Values = NDArray[Any]
Arrays = Mapping[str, Values]

EINSUM = f"{PACKAGE}>Einsum"
#: Keras' class, by HGQ2's.
_LAYERS = {
    "QDense": "Dense",
    "QBatchNormDense": "Dense",
    "QEinsumDense": "EinsumDense",
    "QConv1D": "Conv1D",
    "QConv2D": "Conv2D",
    "QBatchNormalization": "BatchNormalization",
    **{
        f"Q{which}Pooling{axes}D": f"{which}Pooling{axes}D"
        for which in ("Max", "Average", "GlobalMax", "GlobalAverage")
        for axes in (1, 2)
    },
    "QSum": "EinsumDense",
    "QMeanPow2": "EinsumDense",
    "QAdd": "Add",
    "QSubtract": "Subtract",
    "QMultiply": "Multiply",
    "QMaximum": "Maximum",
    "QMinimum": "Minimum",
    "QEinsum": EINSUM,
}
_WEIGHTED = ("QDense", "QBatchNormDense", "QEinsumDense", "QConv1D", "QConv2D")
_SUMS = ("QSum", "QMeanPow2")
_ATTENTION = "QMultiHeadAttention"
_FUNCTIONS = ("QUnaryFunctionLUT", "QSoftmax")
#: Arguments of HGQ2's layers that Keras' have not; none matters at inference, but for the widths.
_OWN = re.compile(
    r"(iq|oq|kq|bq)_confs?|enable_(iq|oq|ebops)|ebops_factor|beta0|parallelization_factor|"
    r"quantization_config"
)
_OF_NORMALIZATION = re.compile(r"scale|momentum|epsilon|synchronized|bn_gamma_.*|moving_.*")
_MOST_AXES = 8
_ROUNDINGS = ("TRN", "RND", "RND_CONV")
_OVERFLOWS = {"WRAP": "WRAP", "SAT": "SAT", "SAT_SYM": "SAT_SYM", "SYM": "SAT_SYM"}


def is_hgq(architecture: Any) -> bool:
    """Whether an architecture has layers of HGQ2."""
    return any(_is_hgq(entry) for entry in _entries(architecture))


def _entries(architecture: Any) -> list[Any]:
    config = architecture.get("config") if isinstance(architecture, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else None
    return layers if isinstance(layers, list) else []


def _is_hgq(entry: Any) -> bool:
    return isinstance(entry, dict) and str(entry.get("registered_name")).startswith("hgq>")


def without_hgq(
    origin: str, architecture: dict[str, Any], arrays: Arrays
) -> tuple[dict[str, Any], dict[tuple[str, ...], dict[str, Values]], list[str]]:
    """An architecture of Keras' layers and quantizers, their weights, and notes for the user.

    Args:
        origin: The model's name in messages.
        architecture: The architecture as Keras 3 writes it.
        arrays: The arrays of the archive, such as `layers/q_dense_1/kq/quantizer/vars/0`.

    Raises:
        InputError: if the file is not as HGQ2 writes it.
        UnsupportedError: if a layer or a quantizer of HGQ2 has no equivalent.
    """
    rewriter = _Rewriter(origin, arrays)
    config = dict(architecture["config"])
    try:
        for entry in _entries(architecture):
            rewriter.layer(entry)
        config["layers"] = rewriter.layers
        if "output_layers" in config:
            config["output_layers"] = rewriter.redirected(config["output_layers"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        where = f"{origin}: layer '{shown(rewriter.place)}'"
        raise InputError(f"{where} is not as HGQ2 writes it ({shown(error)})") from None
    return {**architecture, "config": config}, rewriter.weights, rewriter.notes


class _Rewriter:
    """Rewrites layers in order.

    Attributes:
        layers: The layers that were made.
        weights: Their arrays.
        place: The layer that is being read, for messages.
        notes: Lines for the user.
    """

    def __init__(self, origin: str, arrays: Arrays) -> None:
        self.origin = origin
        self.layers: list[dict[str, Any]] = []
        self.weights: dict[tuple[str, ...], dict[str, Values]] = {}
        self.place: object = ""
        self.notes: list[str] = []
        self._ends: dict[str, str] = {}  # the layer that gives a layer's result now
        self._groups = _groups(arrays)

    def layer(self, entry: dict[str, Any]) -> None:
        """Rewrite a layer."""
        config = entry["config"]
        name = self.place = config["name"]
        entry = copy.deepcopy(entry)
        if "inbound_nodes" in entry:
            entry["inbound_nodes"] = self.redirected(entry["inbound_nodes"])
        if not _is_hgq(entry):
            self._keras(entry, name)
            return
        kind = entry["class_name"]
        if not is_name(name):
            raise InputError(f"{self.origin}: '{shown(name)}' can't be the name of a layer")
        group = self._group(kind)
        if kind == "Quantizer":
            widths = self._widths(config["config"], group, "")
            self._quantizer(name, widths, entry.get("inbound_nodes"))
            return
        if kind in (*_FUNCTIONS, _ATTENTION) and "inbound_nodes" not in entry:
            raise UnsupportedError(
                f"{self._where()}: a Sequential model with a {kind} is not supported; make the "
                "model with keras.Model(inputs, outputs)"
            )
        if kind == _ATTENTION:
            self._attention(name, entry, group)
            return
        if kind in _FUNCTIONS:
            self._function(kind, name, entry, group)
            return
        if kind not in _LAYERS:
            known = sorted((*_LAYERS, *_FUNCTIONS, _ATTENTION))
            raise UnsupportedError(
                f"{self._where()} is of HGQ2's class {shown(kind)}, which is not supported"
                f"{near(str(kind), known)}"
            )
        self._hgq(kind, name, entry, group)

    def redirected(self, nodes: Any) -> Any:
        """References to layers, to those that give their results now."""
        if isinstance(nodes, dict):
            return {key: self.redirected(each) for key, each in nodes.items()}
        if not isinstance(nodes, list):
            return nodes
        if len(nodes) == 3 and isinstance(nodes[0], str) and isinstance(nodes[1], int):
            return [self._ends.get(nodes[0], nodes[0]), *nodes[1:]]
        return [self.redirected(each) for each in nodes]

    def _keras(self, entry: dict[str, Any], name: str) -> None:
        group = self._groups.get(snake_case(entry["class_name"]))
        if group and any("vars/" in key for each in group for key in each):
            raise UnsupportedError(
                f"{self._where()}: is not quantized, but has weights; use HGQ2's layer"
            )
        self.layers.append(entry)
        self._ends.setdefault(name, name)

    def _hgq(self, kind: str, name: str, entry: dict[str, Any], group: Arrays) -> None:
        config = entry["config"]
        nodes = entry.pop("inbound_nodes", None)
        if config.get("enable_iq", True):
            nodes = self._inputs(name, config, group, nodes)
        kept, weights = self._translated(kind, entry, group)
        layer = {"class_name": _LAYERS[kind], "config": kept, "module": "keras.layers"}
        if nodes is not None:
            layer["inbound_nodes"] = nodes
        if "build_config" in entry:
            layer["build_config"] = entry["build_config"]
        self.layers.append(layer)
        if weights:
            self.weights[name,] = weights
        self._ends[name] = name
        if config.get("enable_oq", False):
            widths = self._widths(config["oq_conf"], group, "oq/")
            self._quantizer(f"{name}_oq", widths, _reference(nodes, name))
            self._ends[name] = f"{name}_oq"

    def _function(self, kind: str, name: str, entry: dict[str, Any], group: Arrays) -> None:
        """A function of tables."""
        config = entry["config"]
        nodes = entry.get("inbound_nodes")
        source = None
        if config["enable_iq"]:
            source = self._widths(config["iq_conf"], group, "iq/")
            self._quantizer(f"{name}_iq", source, nodes)
            nodes = _reference(nodes, f"{name}_iq")
        try:
            if kind == "QSoftmax":
                steps = self._softmax(config, _input_shape(entry)[1:], source, group)
            else:
                steps = self._lookup(config, source, group)
        except UnsupportedError as error:
            raise UnsupportedError(f"{self._where()}: {error}") from None
        self._written(name, steps, nodes)
        if kind == "QSoftmax" and config["enable_oq"]:
            widths = self._widths(config["oq_conf"], group, "oq/")
            self._quantizer(f"{name}_oq", widths, _reference(nodes, name))
            self._ends[name] = f"{name}_oq"

    def _attention(self, name: str, entry: dict[str, Any], group: Arrays) -> None:
        """An attention: the layers of HGQ2 that it is made of."""
        config = entry["config"]
        read = self._attended(entry["inbound_nodes"])
        shapes = _shapes_attended(entry)
        try:
            parts = projections(config, shapes[0], shapes[1])
        except UnsupportedError as error:
            raise UnsupportedError(f"{self._where()}: {error}") from None
        ends = {}
        for (what, own), tensor in zip(list(parts.items())[:3], read, strict=True):
            ends[what] = self._part(name, what, own, group, tensor)
        heads, size = config["num_heads"], [shapes[0][0], shapes[1][0]]
        scores = Step("scores", EINSUM, (None, None), {"equation": SCORES})
        self._step(name, scores, [ends["query"], ends["key"]])
        of_softmax = softmax(config) | {"name": f"{name}_softmax"}
        call = [{"args": [_tensor(f"{name}_scores")], "kwargs": {}}]
        shape = {"input_shape": [None, heads, *size]}
        entry = {"config": of_softmax, "inbound_nodes": call, "build_config": shape}
        self._function("QSoftmax", f"{name}_softmax", entry, _below(group, "_softmax/"))
        mixed = Step("mixed", EINSUM, (None, None), {"equation": MIXED})
        self._step(name, mixed, [_tensor(self._ends[f"{name}_softmax"]), ends["value"]])
        self._part(name, "output", parts["output"], group, _tensor(f"{name}_mixed"))

    def _attended(self, nodes: Any) -> list[dict[str, Any]]:
        """The tensors of query, key and value in a call of an attention."""
        (call,) = nodes
        given = dict(zip(("query", "value", "key"), call["args"], strict=False))
        named = {key: each for key, each in call["kwargs"].items() if each}
        given |= {key: named.pop(key) for key in ("value", "key") if key in named}
        if named or len(call["args"]) > 3:
            other = next(iter(named), "further arguments")
            raise UnsupportedError(f"{self._where()}: is called with {shown(other)}")
        value = given.get("value", given["query"])
        return [given["query"], given.get("key", value), value]

    def _part(
        self, name: str, what: str, config: dict[str, Any], group: Arrays, tensor: dict[str, Any]
    ) -> dict[str, Any]:
        """Write a projection of an attention; returns the reference to its result."""
        own = name if what == "output" else f"{name}_{what}"
        arrays = _below(group, f"{what}_dense/")
        if not any(key.startswith("iq/") for key in arrays):
            # Fused projections share a quantizer, which the file has with the first of their names.
            arrays |= _below(group, "key_dense/iq/", "iq/")
        entry = {
            "config": config | {"name": own},
            "inbound_nodes": [{"args": [copy.deepcopy(tensor)], "kwargs": {}}],
        }
        self._hgq("QEinsumDense", own, entry, arrays)
        return _tensor(self._ends[own])

    def _lookup(self, config: dict[str, Any], source: Widths | None, group: Arrays) -> list[Step]:
        function = FUNCTIONS.get(str(config["activation"]))
        if function is None:
            raise UnsupportedError(
                f"the function {shown(config['activation'])} is not supported"
                f"{near(str(config['activation']), sorted(FUNCTIONS))}"
            )
        if source is None or not config["enable_oq"]:
            raise UnsupportedError("a table needs quantizers of its input and of its result")
        return self._table("", function, source, self._widths(config["oq_conf"], group, "oq/"))

    def _table(
        self, name: str, function: Callable[[Values], Values], source: Widths, to: Widths
    ) -> list[Step]:
        """A table; behind a quantizer of one width, if that before has several."""
        if not source.is_uniform:
            cover = Step("cover", "FixedPointQuantizer", (None,), widths=source.covering)
            return [cover, lookup(name, self._made(function, source.covering, to), "cover")]
        return [lookup(name, self._made(function, source, to), None)]

    def _made(self, function: Callable[[Values], Values], source: Widths, to: Widths) -> Table:
        table = table_of(function, source, to)
        if table.doubtful:
            self.notes.append(
                f"layer '{shown(self.place)}': {table.doubtful} entries of a table lie on a limit "
                "of rounding, as far as float32 can tell; HGQ2's may be a step away"
            )
        return table

    def _softmax(
        self, config: dict[str, Any], shape: list[int], source: Widths | None, group: Arrays
    ) -> list[Step]:
        if config["allow_heterogeneous_table"]:
            raise UnsupportedError("a table for each element is not supported")
        if list(config["axes"]) not in ([len(shape)], [-1]):
            raise UnsupportedError("only a softmax along the last axis is supported")
        scale, stable = float(config["input_scaler"]), config["stable"] is True
        before = self._widths(config["exp_iq_conf"], group, "exp_table/iq/") if stable else source
        if before is None:
            raise UnsupportedError(
                "a softmax that is not stable needs a quantizer of its input: enable_iq=True"
            )
        sign = -scale if stable else scale
        exp_to, inv_to = (
            self._widths(config[f"{each}_oq_conf"], group, f"{each}_table/oq/")
            for each in ("exp", "inv")
        )
        sums = self._widths(config["inv_iq_conf"], group, "inv_table/iq/")
        # These two round; only what a quantizer before has rounded may have several widths.
        if not (sums.is_uniform and (before is source or before.is_uniform)):
            raise UnsupportedError("quantizers of a width for each element are not supported in it")
        # Of no axes: those of HGQ2's tensor are not those of the rows here.
        before, sums = before.covering, sums.covering
        exp = self._made(lambda x: np.exp(x * sign), before, exp_to)
        # As HGQ2 computes, in float32 and with Keras' epsilon.
        tiny = np.float32(1e-7)
        inverse = self._made(lambda x: 1 / (x.astype(np.float32) + tiny), sums, inv_to)
        return softmax_steps(shape, stable, (before, exp), (sums, inverse))

    def _written(self, name: str, steps: list[Step], nodes: Any) -> None:
        """Write the steps that a layer becomes."""
        for step in steps:
            tensors = [
                copy.deepcopy(next(_tensors(nodes))) if each is None else _tensor(f"{name}_{each}")
                for each in step.reads
            ]
            self._step(name, step, tensors)

    def _step(self, name: str, step: Step, tensors: list[dict[str, Any]]) -> None:
        """Write a step that reads the tensors."""
        own = f"{name}_{step.name}" if step.name else name
        call = [{"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": {}}]
        if step.widths is not None:
            self._quantizer(own, step.widths, call)
            return
        self._check_free(own)
        config = {"name": own, **step.config}
        layer = {"class_name": step.kind, "config": config, "module": "keras.layers"}
        self.layers.append(layer | {"inbound_nodes": call})
        if step.weights:
            self.weights[own,] = dict(step.weights)
        self._ends[own] = own

    def _translated(
        self, kind: str, entry: dict[str, Any], group: Arrays
    ) -> tuple[dict[str, Any], dict[str, Values]]:
        """The configuration of Keras' layer, and its arrays."""
        config = entry["config"]
        kept = {key: each for key, each in config.items() if not _OWN.fullmatch(key)}
        if kind in _SUMS:
            return self._sum(kind, config, entry)
        if kind == "QEinsum":
            return kept | {"equation": self._without_batch(str(config["equation"]))}, {}
        if kind == "QBatchNormalization":
            whole = {"scale": True, "center": True, "epsilon": 0.0}
            return kept | whole, self._normalization(config, group)
        if kind == "QBatchNormDense":
            kept = {key: each for key, each in kept.items() if not _OF_NORMALIZATION.fullmatch(key)}
        if "Average" in kind:
            self._check_mean(config, entry)
        return kept, self._weighted(kind, config, group) if kind in _WEIGHTED else {}

    def _without_batch(self, equation: str) -> str:
        """The equation of a QEinsum for a sample."""
        match = re.fullmatch(r"([a-zA-Z])([a-zA-Z]*),\1([a-zA-Z]*)->\1([a-zA-Z]*)", equation)
        if match is None:
            raise UnsupportedError(
                f"{self._where()}: the equation {shown(equation)} is not supported; the batch must "
                "come first in two tensors and in the result"
            )
        _, first, second, result = match.groups()
        return f"{first},{second}->{result}"

    def _inputs(self, name: str, config: dict[str, Any], group: Arrays, nodes: Any) -> Any:
        """Quantizers of all inputs; and the references to their results."""
        conf = config.get("iq_conf")
        if conf is not None:
            self._quantizer(f"{name}_iq", self._widths(conf, group, "iq/"), nodes)
            return _reference(nodes, f"{name}_iq")
        confs = config["iq_confs"]
        tensors = list(_tensors(nodes))
        confs = confs if isinstance(confs, list) else [confs] * len(tensors)
        quantizers = _numbered(group, "iq/quantizers/")
        found = copy.deepcopy(nodes)
        for index, (conf, widths, tensor) in enumerate(
            zip(confs, quantizers, tensors, strict=True)
        ):
            own = f"{name}_iq{index}"
            call = [{"args": [copy.deepcopy(tensor)], "kwargs": {}}]
            self._quantizer(own, self._widths(conf, widths, ""), call)
            for place, each in enumerate(_tensors(found)):
                if place == index:
                    each["config"]["keras_history"] = [own, 0, 0]
        return found

    def _quantizer(self, name: str, widths: Widths, nodes: Any) -> None:
        self._check_free(name)
        masks = {
            "keep_negative": widths.signed,
            "bits": widths.bits,
            "integers": np.where(widths.bits > 0, widths.signed + widths.integers, 0),
        }
        uniform = all(np.unique(each).size == 1 for each in masks.values())
        config = {
            "name": name,
            "fusible": uniform,
            "RND": widths.rounding,
            "SAT": widths.overflow,
            "overrides": None,
        }
        layer = {
            "class_name": "HGQ>FixedPointQuantizer",
            "config": config,
            "module": "keras.layers",
        }
        if nodes is not None:
            layer["inbound_nodes"] = nodes
        self.layers.append(layer)
        shape = np.broadcast_shapes(*(each.shape for each in masks.values()))
        self.weights[name,] = {
            key: np.broadcast_to(each, shape or (1,)).astype(np.int16)
            for key, each in masks.items()
        }
        self._ends[name] = name

    def _check_free(self, name: str) -> None:
        """Check that a layer that is made here can have a name."""
        taken = {layer["config"]["name"] for layer in self.layers}
        if not is_name(name) or name in taken:
            raise InputError(
                f"{self._where()}: '{shown(name)}' can't be the name of a part of it"
                f"{', as another layer has it' if name in taken else ''}"
            )

    def _weighted(self, kind: str, config: dict[str, Any], group: Arrays) -> dict[str, Values]:
        """The quantized kernel and bias."""
        kernel: Values = group["vars/0"].astype(np.float32)
        to = self._widths(config["kq_conf"], group, "kq/")
        has_bias = config["bias_axes"] if kind == "QEinsumDense" else config.get("use_bias", True)
        if not has_bias:
            return {"kernel": to.quantized(kernel)}
        bias = group["vars/1"].astype(np.float32)
        if kind == "QBatchNormDense":
            own = iter([group[f"vars/{i}"] for i in _numbers(group) if group[f"vars/{i}"].ndim][2:])
            gamma = next(own) if config["scale"] else np.ones(1, np.float32)
            mean, variance = next(own), next(own)
            scale = gamma / np.sqrt(variance + np.float32(config["epsilon"]))
            # In this order HGQ2 computes: the offset is that of the kernel before it is scaled.
            bias, kernel = bias - mean @ kernel, scale[:, np.newaxis] * kernel
        of_bias = self._widths(config["bq_conf"], group, "bq/")
        return {"kernel": to.quantized(kernel), "bias": of_bias.quantized(bias)}

    def _normalization(self, config: dict[str, Any], group: Arrays) -> dict[str, Values]:
        """The quantized scale and offset, as a normalization of statistics that change nothing."""
        own = iter([group[f"vars/{i}"].astype(np.float32) for i in _numbers(group)])
        gamma = next(own) if config["scale"] else np.float32(1)
        beta = next(own) if config["center"] else np.float32(1)  # as HGQ2 has it
        mean, variance = next(own), next(own)
        scale = gamma / np.sqrt(variance + np.float32(config["epsilon"]))
        of_scale, of_offset = (
            self._widths(config[f"{what}_conf"], group, f"{what}/") for what in ("kq", "bq")
        )
        shape = variance.shape
        return {
            "gamma": np.broadcast_to(of_scale.quantized(scale), shape),
            "beta": np.broadcast_to(of_offset.quantized(beta - mean * scale), shape),
            "moving_mean": np.zeros(shape, np.float32),
            "moving_variance": np.ones(shape, np.float32),
        }

    def _sum(
        self, kind: str, config: dict[str, Any], entry: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Values]]:
        """A sum along axes as a product with a constant: its configuration and that constant."""
        shape = _input_shape(entry)
        axes = sorted({axis % len(shape) for axis in config["axes"]})
        if config["keepdims"] or axes[0] == 0 or len(axes) == len(shape) - 1:
            raise UnsupportedError(
                f"{self._where()}: a sum with keepdims, along the batch, or of all elements is not "
                "supported; sum some axes with keepdims=False, and put a Reshape behind it"
            )
        sizes = [shape[axis] for axis in axes]
        if math.prod(sizes) > MAX_CHANNELS:
            raise UnsupportedError(f"{self._where()}: a sum of more than {MAX_CHANNELS} numbers")
        mean = 2.0 ** round(math.log2(1 / math.prod(sizes)))
        scale = mean if kind == "QMeanPow2" else float(config["scale"])
        letters = string.ascii_lowercase[: len(shape)]
        summed = "".join(letters[axis] for axis in axes)
        rest = [axis for axis in range(len(shape)) if axis not in axes]
        kept = {
            "name": config["name"],
            "equation": f"{letters},{summed}->{''.join(letters[axis] for axis in rest)}",
            "output_shape": [shape[axis] for axis in rest[1:]],
            "bias_axes": None,
            "activation": "linear",
        }
        return kept, {"kernel": np.full(sizes, scale, np.float32)}

    def _check_mean(self, config: dict[str, Any], entry: dict[str, Any]) -> None:
        """Refuse means over numbers that are no powers of two, which float32 rounds."""
        window = config.get("pool_size", _input_shape(entry)[1:-1])
        count = math.prod(window if isinstance(window, list | tuple) else [window])
        if count & (count - 1) or config.get("padding", "valid") != "valid":
            raise UnsupportedError(
                f"{self._where()}: a mean of {count} numbers, or with padding, is rounded in "
                "float32, which hardware has not; take a power of two, or QSum with a scale of one"
            )

    def _widths(self, conf: dict[str, Any], group: Arrays, prefix: str) -> Widths:
        """The widths of a quantizer, by its configuration and its arrays."""
        settings = conf["config"]
        if any(settings.get(key) is not None for key in ("scaler", "affine")):
            raise UnsupportedError(f"{self._where()}: a quantizer with a scaler is not supported")
        if settings.get("bw_mapper") is not None:
            raise UnsupportedError(f"{self._where()}: a quantizer has a mapper of its own")
        rounding = str(settings["round_mode"]).removeprefix("S_")
        overflow = _OVERFLOWS.get(str(settings["overflow_mode"]))
        if rounding not in _ROUNDINGS or overflow is None:
            raise UnsupportedError(
                f"{self._where()}: quantizers that round by {shown(rounding)} and overflow by "
                f"{shown(settings['overflow_mode'])} are not supported"
            )
        found = {key: group[f"{prefix}quantizer/vars/{key}"] for key in "012"}
        # Keras stores what is trained first; integer bits are not where numbers wrap.
        wraps = overflow == "WRAP"
        match settings["q_type"]:
            case "kif":
                f, k, i = (found[key] for key in ("012" if wraps else "120"))
                fraction, integers = np.round(f), np.round(i)
            case "kbi":
                b, i, k = (found[key] for key in ("021" if wraps else "012"))
                integers = np.round(i)
                fraction = np.round(b) - integers
            case other:
                raise UnsupportedError(
                    f"{self._where()}: quantizers of type {shown(other)} are not supported; "
                    "kif and kbi are"
                )
        for each in (fraction, integers):
            if not (np.isfinite(each).all() and np.abs(each).max(initial=0) <= 64):
                raise InputError(f"{self._where()}: a width is not a number of up to 64 bits")
        return Widths(
            k.astype(np.int64) != 0,
            integers.astype(np.int64),
            fraction.astype(np.int64),
            rounding,
            overflow,
            is_weight=settings.get("is_weight") is True,
        )

    def _group(self, kind: str) -> Arrays:
        """The arrays of the next layer of a class."""
        waiting = self._groups.get(snake_case(kind), [])
        if not waiting:
            raise InputError(f"{self._where()} lacks its weights")
        return waiting.pop(0)

    def _where(self) -> str:
        return f"{self.origin}: layer '{shown(self.place)}'"


def _groups(arrays: Arrays) -> dict[str, list[dict[str, Values]]]:
    """The arrays of each layer, by the class that Keras numbers it in, in order."""
    found: dict[str, dict[int, dict[str, Values]]] = {}
    for path, array in arrays.items():
        container, _, rest = path.partition("/")
        name, _, key = rest.partition("/")
        match = NUMBERED.fullmatch(name)
        if container == "layers" and match is not None and key:
            number = int(match["number"] or 0)
            found.setdefault(match["stem"], {}).setdefault(number, {})[key] = array
    return {stem: [each for _, each in sorted(of.items())] for stem, of in found.items()}


def _input_shape(entry: dict[str, Any]) -> list[int]:
    """The shape of what a layer reads, the batch's extent being 1."""
    shape = entry["build_config"]["input_shape"]
    if not 2 <= len(shape) <= _MOST_AXES or not all(1 <= each < 1 << 24 for each in shape[1:]):
        raise ValueError(f"input_shape {shape!r:.60}")
    return [1, *(int(each) for each in shape[1:])]


def _shapes_attended(entry: dict[str, Any]) -> list[list[int]]:
    """The shapes of query and value of an attention, without the batch."""
    config = entry["build_config"]
    given = config.get("shapes_dict") or {"query_shape": config["input_shape"]}
    query = given["query_shape"]
    return [
        _input_shape({"build_config": {"input_shape": shape}})[1:]
        for shape in (query, given.get("value_shape") or query)
    ]


def _below(group: Arrays, prefix: str, instead: str = "") -> dict[str, Values]:
    """The arrays of a part of a layer, under the names that they have within it."""
    return {
        instead + key.removeprefix(prefix): each
        for key, each in group.items()
        if key.startswith(prefix)
    }


def _numbered(group: Arrays, prefix: str) -> list[dict[str, Values]]:
    """The arrays of each of several parts, such as `iq/quantizers/quantizer_1`, in order."""
    below = {
        f"layers/{key.removeprefix(prefix)}": each
        for key, each in group.items()
        if key.startswith(prefix)
    }
    return [each for parts in _groups(below).values() for each in parts]


def _numbers(group: Arrays) -> list[int]:
    return sorted(int(key[5:]) for key in group if re.fullmatch(r"vars/\d{1,4}", key))


def _tensors(nodes: Any) -> Iterator[dict[str, Any]]:
    """References to tensors in calls as Keras 3 writes them, in order."""
    if isinstance(nodes, dict):
        if nodes.get("class_name") == "__keras_tensor__":
            yield nodes
        else:
            for each in nodes.values():
                yield from _tensors(each)
    elif isinstance(nodes, list):
        for each in nodes:
            yield from _tensors(each)


def _tensor(name: str) -> dict[str, Any]:
    """A reference to the result of a layer, as Keras 3 writes it."""
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}


def _reference(nodes: Any, name: str) -> Any:
    """A call with the result of a layer; None in a Sequential model, which has no calls."""
    return None if nodes is None else [{"args": [_tensor(name)], "kwargs": {}}]
