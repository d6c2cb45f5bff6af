"""Reads calls of layers and operations in files of Keras 2 and Keras 3."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.arguments import real
from gatewright.frontend.messages import shown
from gatewright.frontend.network import MAX_NAME
from gatewright.frontend.readers.outline import Call, Given, Ref, Slice

_MAX_DEPTH = 8
_MAX_VALUES = 1 << 16  # of a call
#: What Keras 2 writes in place of a layer's name if the first argument is a constant.
_CONSTANT = "_CONSTANT_VALUE"
_CONSTANTS = ("__numpy__", "__tensor__", "__tuple__")


def label_of(where: str, name: Any) -> str:
    """Check and return the name of a layer in a file.

    Raises:
        InputError: if it isn't printable text of at most `MAX_NAME` characters.
    """
    if not isinstance(name, str) or not name or len(name) > MAX_NAME or not name.isprintable():
        raise InputError(
            f"{where} layer name '{shown(name)}' must be printable text of at most {MAX_NAME} "
            "characters"
        )
    return name


def read_calls(where: str, nodes: Any) -> tuple[Call, ...]:
    """The calls of a layer, from its inbound nodes.

    Args:
        where: The file and the layer, to begin messages.
        nodes: The value of `inbound_nodes`.

    Raises:
        InputError: if a node isn't a call.
        UnsupportedError: if a call has arguments that can't be read.
    """
    if not isinstance(nodes, list):
        raise InputError(f"{where}: inbound_nodes must be a list")
    return tuple(_call(where, node) for node in nodes)


def read_settings(where: str, config: Mapping[str, Any]) -> Mapping[str, Given]:
    """The settings of an operation of Keras 3 other than its name and the call's arguments.

    Args:
        where: The file and the operation, to begin messages.
        config: Its configuration.

    Raises:
        InputError: if a value is wrong.
        UnsupportedError: if a value can't be read.
    """
    reader = _Reader(where)
    return MappingProxyType(
        {
            key: reader.value(each)
            for key, each in config.items()
            if isinstance(key, str) and key not in ("name", "trainable", "function")
            # A dtype with a class is Keras' policy for numbers, which doesn't matter here.
            if not (key == "dtype" and isinstance(each, dict))
        }
    )


def _call(where: str, node: Any) -> Call:
    reader = _Reader(where)
    if isinstance(node, dict) and "args" in node:
        given, named = node["args"], node.get("kwargs") or {}
        if not isinstance(given, list):
            raise InputError(f"{where}: the arguments of its call must be a list")
        arguments = tuple(reader.value(each) for each in given)
    elif isinstance(node, list):
        # A single tensor may be written without a list around it.
        tensors = [node] if node and isinstance(node[0], str) else node
        pairs = [_keras2_tensor(where, reader, each) for each in tensors]
        arguments = tuple(value for value, _ in pairs)
        named = pairs[0][1] if pairs else {}
        if any(more != named for _, more in pairs):
            raise InputError(f"{where}: the tensors of its call are given different arguments")
    else:
        raise InputError(f"{where}: inbound_nodes must be lists or calls")
    if not isinstance(named, dict) or not all(isinstance(key, str) for key in named):
        raise InputError(f"{where}: the named arguments of its call must be an object")
    return Call(
        arguments,
        MappingProxyType({key: reader.value(each) for key, each in named.items()}),
    )


def _keras2_tensor(where: str, reader: _Reader, tensor: Any) -> tuple[Given, Any]:
    """Read a tensor as [layer, call, result], and the named arguments that follow it."""
    if not isinstance(tensor, list) or not 3 <= len(tensor) <= 4:
        raise InputError(f"{where}: a tensor that it reads must be [layer, 0, 0]")
    named = (tensor[3] if len(tensor) == 4 else None) or {}
    if tensor[0] == _CONSTANT:
        return reader.value(tensor[2]), named
    return reference(where, tensor[:3]), named


def reference(where: str, history: Any) -> Ref:
    """Read a reference to a tensor: [layer, call, result], or an object of Keras 3 with these.

    Raises:
        InputError: if it is neither.
    """
    if isinstance(history, dict) and history.get("class_name") == "__keras_tensor__":
        config = history.get("config")
        history = config.get("keras_history") if isinstance(config, dict) else None
    fits = isinstance(history, list) and len(history) == 3 and isinstance(history[0], str)
    if not fits or not all(_is_index(each) for each in history[1:]):
        raise InputError(f"{where}: a tensor that it reads must be [layer, 0, 0]")
    return Ref(label_of(f"{where}: reads a", history[0]), history[1], history[2])


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 16


class _Reader:
    """Reads the arguments of a call, at most `_MAX_VALUES` values."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._left = _MAX_VALUES

    def value(self, value: Any, depth: int = _MAX_DEPTH) -> Given:
        """Read a value: a tensor, a number, text, or a list of these."""
        self._left -= 1
        if self._left < 0 or depth < 0:
            raise UnsupportedError(f"{self._where}: is called with too many values")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            try:
                real()(value)
            except ValueError as error:
                raise InputError(
                    f"{self._where}: is called with a value that must be {error}"
                ) from None
            return value
        if isinstance(value, str):
            if len(value) > MAX_NAME or not value.isprintable():
                raise InputError(f"{self._where}: is called with text that is not a name")
            return value
        if isinstance(value, list):
            if len(value) == 3 and isinstance(value[0], str) and all(map(_is_index, value[1:])):
                return reference(self._where, value)
            return tuple(self.value(each, depth - 1) for each in value)
        if isinstance(value, dict):
            return self._object(value, depth)
        raise UnsupportedError(
            f"{self._where}: is called with something other than a number, text or tensor"
        )

    def _object(self, value: dict[str, Any], depth: int) -> Given:
        kind, config = value.get("class_name"), value.get("config", {})
        if kind == "__keras_tensor__":
            return reference(self._where, value)
        if kind == "__ellipsis__":
            return ...
        if set(value) == {"start", "stop", "step"}:
            config, kind = value, "__slice__"
        if kind == "__slice__" and isinstance(config, dict):
            ends = [config.get(key) for key in ("start", "stop", "step")]
            if all(e is None or (isinstance(e, int) and abs(e) < 1 << 31) for e in ends):
                return Slice(*ends)
        elif kind in _CONSTANTS and isinstance(config, dict):
            return self.value(config.get("value"), depth - 1)
        raise UnsupportedError(
            f"{self._where}: is called with {shown(kind or value)}; only numbers, slices and "
            "tensors are read"
        )
