"""Reads graphs that hls4ml saved (`.fml`): classes, connections, attributes, types and weights.

The file also holds C++ text that hls4ml generated. It is ignored: the data describes the graph
completely, and hls4ml generates the text again.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend.arguments import MAX_EXTENT, flag, integer, optional, real, word
from gatewright.frontend.messages import shown
from gatewright.frontend.network import Object, is_name
from gatewright.frontend.quantizers import read_quantizer
from gatewright.frontend.readers.archive import MAX_BYTES, tar_members
from gatewright.parsing.arrays import DAMAGED, read_array

_MAX_NODES = 4096
_MAX_DEPTH = 12
_ARRAY = "@ndarray:"
_CLASS = re.compile(r"hls4ml(\.[A-Za-z_][A-Za-z0-9_]*)+")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_UNCERTAINTY = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?%?")
_FLOW = re.compile(r"([a-z0-9_]{1,64}:)?[a-z0-9_]{1,64}")
#: Numbers as text: the rank of a tensor, the axes of a permutation.
_NUMBERS = re.compile(r"[0-9]d|[0-9](,[0-9]){0,7}")
_FLOATS = re.compile(r"(ac_float<\d+,\d+,\d+>|float|double|half)")

#: Attributes with text that hls4ml generated. They are left out, and generated again.
_GENERATED = ("config_cpp", "function_cpp", "include_header")


@dataclass(frozen=True)
class SavedNode:
    """A node of a graph.

    Attributes:
        name: An identifier.
        kind: hls4ml's class, with its module. Untrusted until `saved` finds it in hls4ml.
        inputs: Names of the tensors that it reads, identifiers.
        outputs: Names of the tensors that it writes, identifiers.
        attributes: Typed values, arrays, and objects of these, by name.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class SavedGraph:
    """A graph as data.

    Attributes:
        origin: Its name in messages.
        nodes: The nodes, in hls4ml's order.
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        index: The number of the last node.
        flows: The flows that hls4ml has applied to it.
        settings: hls4ml's configuration of the project.
        state: The other fields of hls4ml's configuration.
    """

    origin: str
    nodes: tuple[SavedNode, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    index: int
    flows: tuple[str, ...]
    settings: Mapping[str, Any]
    state: Mapping[str, Any]


def read_fml(path: Path) -> SavedGraph:
    """Read a saved graph.

    Raises:
        InputError: if it is damaged, unsafe to read, or isn't a graph of hls4ml.
    """
    members = tar_members(path)
    architecture = _json(path, members, "model_arch.json")
    config = _json(path, members, "config.json")
    state = _json(path, members, "graph_state.json")
    reader = _Reader(path, members)
    try:
        if len(architecture) > _MAX_NODES:
            raise ValueError(f"at most {_MAX_NODES} nodes, not {len(architecture)}")
        nodes = tuple(reader.node(name, entry) for name, entry in architecture.items())
        reader.place = "config.json"
        settings = _settings(reader, config.get("config"))
        rest = {
            key: reader.setting(value)
            for key, value in config.items()
            if key.startswith(("model_", "layer_"))
        }
        reader.place = "graph_state.json"
        return SavedGraph(
            origin=str(path),
            nodes=nodes,
            inputs=reader.ends("inputs", state.get("inputs")),
            outputs=reader.ends("outputs", state.get("outputs")),
            index=cast(int, integer(0)(state.get("index"))),
            flows=_flows(state.get("applied_flows")),
            settings=settings,
            state=rest,
        )
    except ValueError as error:
        raise InputError(f"{path}: {reader.place} must be {error}") from None


def _json(path: Path, members: Mapping[str, bytes], name: str) -> dict[str, Any]:
    if name not in members:
        raise InputError(f"{path}: not an .fml model (it holds no {name})")
    try:
        found = json.loads(members[name])
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {name} is not JSON ({shown(error)})") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: {name} is not an object")
    return found


class _Reader:
    """Reads values; `place` is the current place in the file, for messages."""

    def __init__(self, path: Path, members: Mapping[str, bytes]) -> None:
        self._path = path
        self._members = members
        self.place = "model_arch.json"

    def node(self, name: str, entry: Any) -> SavedNode:
        """Read a node with its attributes."""
        self.place = f"layer '{shown(name)}'"
        if not is_name(name):
            raise InputError(
                f"{self._path}: layer name '{shown(name)}' can't name hardware; use letters, "
                "digits and _"
            )
        if not isinstance(entry, dict) or not isinstance(entry.get("state"), dict):
            raise ValueError("an object with a class and a state")
        kind, state = entry.get("class_name"), entry["state"]
        if not isinstance(kind, str) or _CLASS.fullmatch(kind) is None:
            raise InputError(f"{self._path}: class '{shown(kind)}' is not one of hls4ml")
        attributes = {}
        if not isinstance(state.get("attributes"), dict):
            raise ValueError("an object with attributes")
        for key, value in state["attributes"].items():
            self.place = f"layer '{name}': {shown(key)}"
            if key in _GENERATED or _is_source(value):
                continue
            if not is_name(key):
                raise ValueError("an attribute whose name is an identifier")
            attributes[key] = self.value(value)
        self.place = f"layer '{name}'"
        return SavedNode(
            name, kind, self.names(state["inputs"]), self.names(state["outputs"]), attributes
        )

    def names(self, value: Any) -> tuple[str, ...]:
        """Read a list of identifiers."""
        if not isinstance(value, list) or not all(is_name(each) for each in value):
            raise ValueError("a list of names of letters, digits and _")
        return tuple(value)

    def ends(self, key: str, value: Any) -> tuple[str, ...]:
        """Read the names of the graph's inputs or outputs."""
        names = self.names(value)
        if not names or len(set(names)) < len(names):
            raise ValueError(f"an object whose {key} are one or more different names")
        return names

    def value(self, value: Any, depth: int = _MAX_DEPTH) -> Any:
        """Read an attribute: a number, word, type or array, or a list or object of these."""
        if not depth:
            raise ValueError("nested less deeply")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return real(-(2**62), 2**62)(value)
        if isinstance(value, str):
            return self._array(value) if value.startswith(_ARRAY) else _word(value)
        if isinstance(value, list):
            if len(value) > MAX_EXTENT:
                raise ValueError(f"a list of at most {MAX_EXTENT} values")
            return tuple(self.value(each, depth - 1) for each in value)
        if "class_name" in value and "state" in value:
            return self._object(value["class_name"], value["state"], depth)
        return self._fields(value, depth)

    def setting(self, value: Any, depth: int = _MAX_DEPTH) -> Any:
        """Read a setting of hls4ml: like an attribute, but without arrays and classes."""
        if isinstance(value, dict):
            return {
                key: self.setting(each, depth - 1)
                for key, each in value.items()
                if is_name(key) or self._refuse_key(key)
            }
        if isinstance(value, str):
            return _word(value)
        if isinstance(value, list):
            return [self.setting(each, depth - 1) for each in value]
        return self.value(value, depth)

    def _fields(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        """Read a plain object, which may be a quantizer of QKeras."""
        if isinstance(value.get("config"), dict) and "class_name" in value:
            kind = value["class_name"]
            # hls4ml gives some of QKeras' quantizers the name of their activation.
            if kind in ("linear", "binary_tanh", "ternary_tanh"):
                return {"class_name": kind, "config": self._fields(value["config"], depth - 1)}
            return _plain_quantizer(value)
        return {
            key: self.value(each, depth - 1)
            for key, each in value.items()
            if is_name(key) or self._refuse_key(key)
        }

    def _refuse_key(self, key: str) -> bool:
        raise ValueError(f"an object without a key '{shown(key)}', which is no name")

    def _object(self, kind: Any, state: Any, depth: int) -> Object:
        """Read an object of one of hls4ml's classes of types, variables and quantizers."""
        fields = OBJECTS.get(kind) if isinstance(kind, str) else None
        if fields is None or not isinstance(state, dict):
            raise InputError(
                f"{self._path}: {self.place}: class '{shown(kind)}' is not one of hls4ml's types, "
                "variables and quantizers"
            )
        arguments = {}
        for key, read in fields.items():
            if key in state:
                value = state[key]
                arguments[key] = self.value(value, depth - 1) if read is None else read(value)
        if unknown := state.keys() - fields.keys():
            raise ValueError(f"an object without '{shown(min(unknown))}', which is not known here")
        return Object(kind, arguments)

    def _array(self, text: str) -> Any:
        name = text.removeprefix(_ARRAY)
        content = self._members.get(name)
        if content is None:
            raise ValueError(f"an array of the archive, which holds no '{shown(name)}'")
        try:
            array = read_array(io.BytesIO(content), len(content), MAX_BYTES)
        except DAMAGED as error:
            raise ValueError(f"a readable array ('{shown(name)}': {shown(error)})") from None
        if not np.isfinite(array).all():
            raise ValueError(f"an array of finite numbers, which '{shown(name)}' is not")
        return array


def _is_source(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "hls4ml.model.types.Source"


def _word(value: str) -> str:
    """Read a word, or a type in hls4ml's notation."""
    patterns = (_NUMBERS, _FLOATS)
    if value in ("", "auto") or is_name(value) or any(p.fullmatch(value) for p in patterns):
        return value
    try:
        FixedType.parse(value)
    except InputError:
        raise ValueError(f"a number, a name or a type, not '{shown(value)}'") from None
    return value


def _plain_quantizer(value: Any) -> dict[str, Any]:
    quantizer = read_quantizer(value)
    return {"class_name": quantizer.kind, "config": dict(quantizer.arguments)}


def _identifier(value: Any) -> str:
    if not is_name(value):
        raise ValueError(f"a name of letters, digits and _, not '{shown(value)}'")
    return str(value)


_WIDTH, _POINT = integer(1, 1024), integer(-1024, 1024)
_ROUNDING = optional(
    word("trn", "trn_zero", "rnd", "rnd_zero", "rnd_inf", "rnd_min_inf", "rnd_conv")
)
_SATURATION = optional(word("wrap", "sat", "sat_zero", "sat_sym"))


def _upper(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same reader with its result in capitals: hls4ml reads these words in capitals only."""

    def capitals(value: Any) -> Any:
        found = read(value)
        return found.upper() if isinstance(found, str) else found

    return capitals


_TYPES, _QUANTIZERS = "hls4ml.model.types.", "hls4ml.model.quantizers."
_SIGNED = {"width": _WIDTH, "signed": flag}
_NAMED: dict[str, Callable[[Any], Any] | None] = {"name": _identifier, "precision": None}
_VARIABLE: dict[str, Callable[[Any], Any] | None] = {"name": _identifier, "type": None}
#: Readers of the fields of hls4ml's objects; None for a field that is an object, array or list.
OBJECTS: Mapping[str, Mapping[str, Callable[[Any], Any] | None]] = {
    f"{_TYPES}FixedPrecisionType": {
        **_SIGNED,
        "integer": _POINT,
        "rounding_mode": _upper(_ROUNDING),
        "saturation_mode": _upper(_SATURATION),
        "saturation_bits": optional(integer(0, 64)),
    },
    f"{_TYPES}IntegerPrecisionType": _SIGNED,
    f"{_TYPES}XnorPrecisionType": _SIGNED,
    f"{_TYPES}ExponentPrecisionType": _SIGNED,
    f"{_TYPES}UnspecifiedPrecisionType": {},
    f"{_TYPES}NamedType": _NAMED,
    f"{_TYPES}CompressedType": {**_NAMED, "index_precision": None},
    f"{_TYPES}ExponentType": _NAMED,
    f"{_TYPES}PackedType": {**_NAMED, "n_elem": integer(), "n_pack": integer(-MAX_EXTENT)},
    f"{_TYPES}TensorVariable": {**_VARIABLE, "shape": None},
    f"{_TYPES}InplaceTensorVariable": {**_VARIABLE, "shape": None, "input_var": None},
    f"{_TYPES}WeightVariable": {**_VARIABLE, "data": None, "quantizer": None},
    f"{_TYPES}ExponentWeightVariable": {**_VARIABLE, "data": None, "quantizer": None},
    f"{_QUANTIZERS}Quantizer": {"bits": _WIDTH, "hls_type": None},
    f"{_QUANTIZERS}BinaryQuantizer": {"bits": integer(1, 2)},
    f"{_QUANTIZERS}TernaryQuantizer": {},
    f"{_QUANTIZERS}QKerasQuantizer": {"config": _plain_quantizer},
    f"{_QUANTIZERS}QKerasBinaryQuantizer": {"config": _plain_quantizer, "xnor": flag},
    f"{_QUANTIZERS}QKerasPO2Quantizer": {"config": _plain_quantizer},
    f"{_QUANTIZERS}QuantNodeQuantizer": {"precision": None},
}


def _settings(reader: _Reader, config: Any) -> dict[str, Any]:
    """Read the configuration of a project, without its directory and test data."""
    if not isinstance(config, dict):
        raise ValueError("an object with the project's configuration")

    def text(key: str, pattern: re.Pattern[str], default: str) -> str:
        value = config.get(key, default)
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise ValueError(f"an object whose {key} is not '{shown(value)}'")
        return value

    hls = config.get("HLSConfig")
    if not isinstance(hls, dict):
        raise ValueError("an object with an HLSConfig")
    return {
        "Backend": _identifier(config.get("Backend")),
        "IOType": word("io_parallel", "io_stream")(config.get("IOType")),
        "ClockPeriod": real(1e-3, 1e6)(config.get("ClockPeriod")),
        "ClockUncertainty": text("ClockUncertainty", _UNCERTAINTY, "27%"),
        "Part": text("Part", _PART, "xcvu13p-flga2577-2-e"),
        "HLSConfig": reader.setting(hls),
    }


def _flows(value: Any) -> tuple[str, ...]:
    """Read the names of the applied flows."""
    groups = value if isinstance(value, list) else []
    names = [name for group in groups if isinstance(group, dict) for name in group]
    if not all(_FLOW.fullmatch(name) for name in names):
        raise ValueError("an object whose applied_flows are names")
    return tuple(dict.fromkeys(names))
