"""Reads models from files and live objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend.messages import shown
from gatewright.frontend.network import Network
from gatewright.frontend.readers.fml import SavedGraph, read_fml
from gatewright.frontend.readers.keras import (
    read_archive,
    read_live,
    read_pair,
    read_saved,
    read_whole,
)
from gatewright.frontend.readers.onnx_model import read_onnx
from gatewright.frontend.readers.torch_program import read_program
from gatewright.options import DEFAULT_PRECISION
from gatewright.system.files import require_file

_HDF5 = b"\x89HDF\r\n\x1a\n"
_INPUTS = FixedType.parse(DEFAULT_PRECISION)


@dataclass(frozen=True)
class GraphSource:
    """A live ModelGraph that hls4ml converted for its Vitis backend or for Gatewright's.

    Attributes:
        origin: Its name in messages.
        graph: hls4ml's ModelGraph.
    """

    origin: str
    graph: Any


def load(
    model: Any,
    weights: str | Path | None = None,
    inputs: FixedType = _INPUTS,
) -> Network | SavedGraph | GraphSource:
    """Read a model and check it.

    Args:
        model: A tf-keras or Keras 3 model, a ModelGraph of hls4ml, or the path of a model: a whole
            `.h5` or `.keras`, the folder of a SavedModel, an architecture `.json`, an `.onnx`, a
            program of PyTorch (`.pt2`) or hls4ml's `.fml`.
        weights: The `.h5` file of weights if `model` is a `.json`.
        inputs: Type of the inputs, for which an `.onnx` file's constants may be made.

    Returns:
        The network; for a `.fml` file or a ModelGraph, the graph.

    Raises:
        InputError: if a file is missing or corrupt, a layer is unknown, or weights don't match the
            architecture or aren't finite.
        UnsupportedError: if the model has layers that aren't supported.
    """
    if not isinstance(model, str | Path):
        return _from_object(model)
    path = Path(model)
    if path.is_dir() and weights is None:
        return read_saved(path)
    require_file(path)
    suffix = path.suffix.lower()
    if suffix == ".json":
        if weights is None:
            raise InputError(
                f"{path}: an architecture needs its weights; give the .h5 file of weights"
            )
        weights = Path(weights)
        require_file(weights)
        return read_pair(path, weights)
    if weights is not None:
        raise InputError(
            f"{path}: a {suffix} file holds its own weights; leave the weights file out"
        )
    if suffix in (".h5", ".hdf5", ".keras"):
        # Keras before 2.12, and hls4ml with it, write HDF5 files with this suffix.
        is_archive = suffix == ".keras" and not _begins_with(path, _HDF5)
        return read_archive(path) if is_archive else read_whole(path)
    if suffix == ".fml":
        return read_fml(path)
    if suffix == ".onnx":
        return read_onnx(path, inputs)
    if suffix == ".pt2":
        return read_program(path, inputs)
    if suffix in (".pt", ".pth"):
        raise InputError(
            f"{path}: a checkpoint does not say what is computed; make a program of it, with "
            f"'gatewright frontend program {path} --class FILE.py:CLASS --shape 4x10 -o model.pt2'"
        )
    raise InputError(
        f"{path}: unknown kind of model; known are .h5, .keras, .json with weights, .onnx, .pt2, "
        ".fml, and folders of SavedModels"
    )


def _from_object(model: Any) -> Network | GraphSource:
    origin = f"model '{shown(getattr(model, 'name', type(model).__name__))}'"
    modules = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    if modules & {"tf_keras", "keras"}:
        return read_live(model, origin)
    if "hls4ml" in modules and hasattr(model, "get_layers"):
        return GraphSource(f"model graph '{model.config.get_project_name()}'", model)
    raise InputError(f"{type(model).__name__} is neither a Keras model nor the path of one")


def _begins_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
