"""The dataflow of a model: kernels joined by typed tensors, as plain data."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import gatewright.kernels  # noqa: F401  (registers the kernels that a saved design names)
from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.kernels.kernel import Kernel, Tensor
from gatewright.parsing.arrays import load_npz
from gatewright.parsing.typed import LARGEST
from gatewright.system.files import opened
from gatewright.tensor import MOST_ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Limit on the size of all weights of a design, in bytes; each takes 8.
_WEIGHTS_BYTES = 1 << 30

#: Up to this number of elements of all tensors, a design from a file is tried on zeros.
_TRIED_ELEMENTS = 1 << 22

#: Exceptions of kernels whose fields contradict each other.
_UNFIT = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
_UNFIT_TEXT = "its fields contradict each other"

_LONGEST_NAME = 10_000
_LONGEST_LABEL = 256
_LONGEST_REASON = 300  # characters


@dataclass(frozen=True)
class Design:
    """Kernels in topological order; every tensor is an input of the design or of one kernel.

    `io` is what a beat at the ports carries: "parallel", a tensor; "stream", a pixel, i.e. the last
    axis. With `pixels` it carries so many pixels of a tensor that has as many, or as many of them
    as divide it. `labels` has the names in the model of layers and inputs that had to be renamed.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    kernels: tuple[Kernel, ...]
    io: str = "parallel"
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    pixels: int | None = None

    def beat(self, tensor: Tensor) -> int:
        """Elements per beat of a tensor at the ports."""
        channels = tensor.shape[-1]
        if self.pixels is not None:
            return channels * math.gcd(self.pixels, tensor.size // channels)
        return channels if self.io == "stream" else tensor.size

    def called(self, layer: str) -> str:
        """The name of a layer for people, preceded by its name in the model if that differs."""
        return f"{self.labels[layer]} ({layer})" if layer in self.labels else layer

    def readers(self, tensor: Tensor) -> list[Kernel]:
        """Kernels that read a tensor, once for each of their inputs that does."""
        return [k for k in self.kernels for t in k.inputs if t.name == tensor.name]

    def save(self, stem: Path) -> None:
        """Write `stem`.json and `stem`.npz (the weights)."""
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        fields: dict[str, Any] = {
            "name": self.name,
            "io": self.io,
            "inputs": [_encode(t, "", arrays) for t in self.inputs],
            "outputs": [t.name for t in self.outputs],
            "kernels": [
                {"kernel": type(k).__name__, **_encode(k, k.layer, arrays)} for k in self.kernels
            ],
        }
        if self.labels:
            fields["labels"] = dict(self.labels)
        if self.pixels is not None:
            fields["pixels"] = self.pixels
        with stem.with_suffix(".npz").open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        stem.with_suffix(".json").write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, stem: Path) -> Design:
        """Read a saved design.

        Raises:
            InputError: if the files are missing, or a field is not valid.
        """
        path, weights = stem.with_suffix(".json"), stem.with_suffix(".npz")
        try:
            arrays = load_npz(weights, _WEIGHTS_BYTES)
        except InputError as error:
            raise InputError(f"{error}; run 'gatewright convert' again") from None
        try:
            with opened(path, LARGEST) as file:
                fields = json.load(file)
            return cls._decode(fields, arrays)
        except FileNotFoundError:
            raise InputError(
                f"{path}: no converted model here; run 'gatewright convert' first"
            ) from None
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}); run 'gatewright convert' again"
            ) from None
        except (KeyError, TypeError, ValueError, RecursionError, InputError) as error:
            raise InputError(
                f"{path}: not a Gatewright design ({_reason(error)}); "
                "run 'gatewright convert' again"
            ) from None

    @classmethod
    def _decode(cls, fields: Any, arrays: Mapping[str, NDArray[Any]]) -> Design:
        name, io = (_decode(str, fields[key], arrays, key) for key in ("name", "io"))
        if io not in ("parallel", "stream"):
            raise ValueError(f"io: {io!r:.60}")
        inputs = _decode(tuple[Tensor, ...], fields["inputs"], arrays, "inputs")
        known = {tensor.name: tensor for tensor in inputs}
        kernels = []
        for number, entry in enumerate(_list(fields["kernels"], "kernels")):
            kernel = _kernel(entry, arrays, f"kernels.{number}")
            for tensor in kernel.inputs:
                if known.get(tensor.name) != tensor:
                    raise ValueError(f"layer '{kernel.layer}' reads a tensor that no layer writes")
            if kernel.output.name in known:
                raise ValueError(
                    f"layer '{kernel.layer}' writes a tensor that another layer writes"
                )
            known[kernel.output.name] = kernel.output
            kernels.append(kernel)
        names = _decode(tuple[str, ...], fields["outputs"], arrays, "outputs")
        if not names or not inputs:
            raise ValueError("no inputs, or no outputs")
        outputs = tuple(known[name] for name in names)
        pixels = _decode(int, fields["pixels"], arrays, "pixels") if "pixels" in fields else None
        if pixels is not None and pixels < 1:
            raise ValueError(f"pixels: {pixels}")
        labels = _labels(fields.get("labels", {}))
        design = cls(name, inputs, outputs, tuple(kernels), io, labels, pixels)
        if sum(tensor.size for tensor in known.values()) <= _TRIED_ELEMENTS:
            design._try()
        return design

    def _try(self) -> None:
        """Compute the outputs for zeros, to check that the fields of each kernel fit together.

        Raises:
            ValueError: if they don't.
        """
        values = {tensor.name: np.zeros((1, *tensor.shape), np.int64) for tensor in self.inputs}
        for kernel in self.kernels:
            try:
                found = kernel.golden(*(values[tensor.name] for tensor in kernel.inputs))
            except _UNFIT as error:
                raise ValueError(f"layer '{kernel.layer}': {_UNFIT_TEXT} ({error})") from None
            if found.shape != (1, *kernel.output.shape):
                raise ValueError(f"layer '{kernel.layer}': {_UNFIT_TEXT}")
            values[kernel.output.name] = found


def _labels(value: Any) -> Mapping[str, str]:
    """Check the labels of a file and return them."""
    texts = [*value, *value.values()] if isinstance(value, dict) else [None]
    if not all(isinstance(t, str) and t.isprintable() and len(t) <= _LONGEST_LABEL for t in texts):
        raise ValueError("labels: must be printable texts")
    return MappingProxyType(value)


def _encode(value: Any, stem: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, FixedType):
        return {"type": str(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _encode(getattr(value, field.name), f"{stem}.{field.name}", arrays)
            for field in dataclasses.fields(value)
        }
    if isinstance(value, np.ndarray):
        arrays[stem] = value
        return {"array": stem}
    if isinstance(value, tuple):
        return [_encode(item, f"{stem}.{i}", arrays) for i, item in enumerate(value)]
    return value


def _decode(hint: Any, value: Any, arrays: Mapping[str, NDArray[Any]], where: str) -> Any:
    """Decode a value of the type of a type hint.

    Raises:
        ValueError: if it has another type.
        KeyError: if a field is missing.
    """
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (hint,) = (part for part in parts if part is not types.NoneType)
        return None if value is None else _decode(hint, value, arrays, where)
    if origin is np.ndarray:
        return _array(value, arrays, where)
    if origin is tuple:
        items = _list(value, where)
        if parts[-1] is Ellipsis:
            parts = (parts[0],) * len(items)
        return tuple(
            _decode(part, item, arrays, f"{where}.{number}")
            for number, (part, item) in enumerate(zip(parts, items, strict=True))
        )
    if hint is FixedType:
        return FixedType.parse(_decode(str, value["type"], arrays, where))
    if hint is Tensor:
        shape = _decode(tuple[int, ...], value["shape"], arrays, f"{where}.shape")
        if min(shape, default=1) < 1 or math.prod(shape) > MOST_ELEMENTS:
            raise ValueError(f"{where}.shape: {shape!s:.60}")
        name = _decode(str, value["name"], arrays, f"{where}.name")
        return Tensor(name, shape, _decode(FixedType, value["type"], arrays, f"{where}.type"))
    if type(value) is not hint:
        raise ValueError(f"{where}: {value!s:.60} is no {hint.__name__}")
    if (hint is int and value.bit_length() > 63) or (hint is str and len(value) > _LONGEST_NAME):
        raise ValueError(f"{where}: too large")
    return value


def _array(value: Any, arrays: Mapping[str, NDArray[Any]], where: str) -> NDArray[np.int64]:
    found = arrays[value["array"]]
    if found.dtype != np.int64:
        raise ValueError(f"{where}: an array of {found.dtype}, not of int64")
    return found


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where}: {value!s:.60} is no list")
    return value


def _kernel(entry: dict[str, Any], arrays: Mapping[str, NDArray[Any]], where: str) -> Kernel:
    kind = Kernel.registry[entry["kernel"]]
    hints = _hints(kind)
    unknown = sorted(entry.keys() - hints.keys() - {"kernel"})
    if unknown:
        raise ValueError(f"{where}.{unknown[0]:.60}: no field of a {kind.__name__}")
    fields = {
        name: _decode(hint, entry[name], arrays, f"{where}.{name}") for name, hint in hints.items()
    }
    try:
        return kind(**fields)
    except _UNFIT as error:
        raise ValueError(f"{where}: {_UNFIT_TEXT} ({error})") from None


@functools.cache
def _hints(kind: type[Kernel]) -> dict[str, Any]:
    """Types of the fields of a kernel."""
    # Some modules import these for type checking only.
    known = {"NDArray": NDArray, "np": np, "FixedType": FixedType, "Tensor": Tensor}
    hints = typing.get_type_hints(kind, localns=known)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _reason(error: Exception) -> str:
    """The message of an error in one line."""
    text = " ".join(str(error).split())[:_LONGEST_REASON]
    return f"{text} is missing" if isinstance(error, KeyError) else text
