"""The dataflow of a model: kernels joined by typed tensors, as plain data."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import gatewright.kernels  # noqa: F401  (registers the kernels that a saved design names)
from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.kernels.base import Kernel, Tensor

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Design:
    """Kernels in topological order; every tensor is a design input or one kernel's output.

    `io` says what a beat at the ports carries: "parallel", a tensor; "stream", a pixel, which is
    the last axis.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    kernels: tuple[Kernel, ...]
    io: str = "parallel"

    def readers(self, tensor: Tensor) -> list[Kernel]:
        """Kernels that read a tensor, once per input that does."""
        return [k for k in self.kernels for t in k.inputs if t.name == tensor.name]

    def save(self, stem: Path) -> None:
        """Write `stem`.json and `stem`.npz (the weights)."""
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        fields = {
            "name": self.name,
            "io": self.io,
            "inputs": [_encode(t, "", arrays) for t in self.inputs],
            "outputs": [t.name for t in self.outputs],
            "kernels": [
                {"kernel": type(k).__name__, **_encode(k, k.layer, arrays)} for k in self.kernels
            ],
        }
        with stem.with_suffix(".npz").open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        stem.with_suffix(".json").write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, stem: Path) -> Design:
        """Read a saved design.

        Raises:
            InputError: if the files are missing or are not a design.
        """
        path = stem.with_suffix(".json")
        try:
            fields = json.loads(path.read_text())
            with np.load(stem.with_suffix(".npz"), allow_pickle=False) as arrays:
                inputs = tuple(_tensor(t) for t in fields["inputs"])
                known = {t.name: t for t in inputs}
                kernels = []
                for entry in fields["kernels"]:
                    kernel = _decode_kernel(entry, arrays)
                    known[kernel.output.name] = kernel.output
                    kernels.append(kernel)
            outputs = tuple(known[name] for name in fields["outputs"])
            return cls(fields["name"], inputs, outputs, tuple(kernels), fields["io"])
        except FileNotFoundError:
            raise InputError(
                f"{path.parent}: no converted model here; run 'gatewright convert' first"
            ) from None
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise InputError(f"{path}: not a Gatewright design ({error})") from None


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


def _decode(value: Any, arrays: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"type"}:
            return FixedType.parse(value["type"])
        if value.keys() == {"array"}:
            return arrays[value["array"]]
        return _tensor(value)
    if isinstance(value, list):
        return tuple(_decode(item, arrays) for item in value)
    return value


def _tensor(fields: dict[str, Any]) -> Tensor:
    return Tensor(fields["name"], tuple(fields["shape"]), FixedType.parse(fields["type"]["type"]))


def _decode_kernel(entry: dict[str, Any], arrays: Any) -> Kernel:
    fields = {key: _decode(value, arrays) for key, value in entry.items() if key != "kernel"}
    return Kernel.registry[entry["kernel"]](**fields)
