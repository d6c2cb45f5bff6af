"""Reads models: files and live objects in, an architecture with checked weights out."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.archive import MAX_BYTES, check_fml, check_keras_archive
from gatewright.frontend.check import Weights, check_architecture, check_model, refuse_lambda
from gatewright.frontend.quiet import import_keras, quiet


class KerasSource(dict[str, Any]):
    """A Keras 2 model as data: its architecture, which it is, and its weights by layer.

    Stands in for a live model where hls4ml's Keras v2 parser reads one (`get_layer`), so that files
    need no TensorFlow and a tf-keras model reaches that parser although Keras 3 is installed.
    """

    def __init__(self, origin: str, architecture: dict[str, Any], weights: Weights) -> None:
        super().__init__(architecture)
        self.origin = origin
        self.weights = weights

    @property
    def layers(self) -> list[dict[str, Any]]:
        """The layers of the architecture."""
        config = self["config"]
        return list(config["layers"] if isinstance(config, dict) else config)

    @property
    def needs_qkeras(self) -> bool:
        """Whether hls4ml asks QKeras, and so TensorFlow, for the meaning of a quantizer."""
        text = json.dumps(self)
        return '"class_name": "Q' in text or "_quantizer" in text

    def get_layer(self, name: str) -> _Layer:
        """The layer of that name, with its weights."""
        return _Layer([_Weight(key, value) for key, value in self.weights.get(name, {}).items()])


@dataclass(frozen=True)
class _Layer:
    weights: list[_Weight]


@dataclass(frozen=True)
class _Weight:
    name: str
    value: NDArray[Any]

    def numpy(self) -> NDArray[Any]:
        return self.value


@dataclass(frozen=True)
class Keras3Source:
    """A live Keras 3 model, for hls4ml's own Keras v3 parser."""

    origin: str
    model: Any


@dataclass(frozen=True)
class FmlSource:
    """A ModelGraph that hls4ml saved."""

    origin: str
    path: Path


@dataclass(frozen=True)
class GraphSource:
    """A ModelGraph that hls4ml converted, for its Vitis or our backend."""

    origin: str
    graph: Any


Source = KerasSource | Keras3Source | FmlSource | GraphSource


def load(model: Any, weights: str | Path | None = None) -> Source:
    """Read a model and check that it is one that can be converted.

    Args:
        model: A tf-keras or Keras 3 model, a ModelGraph of hls4ml, or the path of a model: a whole
            `.h5` or `.keras`, an architecture `.json`, or hls4ml's `.fml`.
        weights: The `.h5` file of weights that belongs to a `.json`.

    Raises:
        InputError: if a file is missing or corrupt, a layer is unknown, or weights don't match the
            architecture or aren't finite.
    """
    if not isinstance(model, str | Path):
        return _from_object(model)
    path = Path(model)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix == ".json":
        if weights is None:
            raise InputError(
                f"{path}: an architecture needs its weights; give the .h5 file of weights"
            )
        weights = Path(weights)
        if not weights.is_file():
            raise InputError(f"{weights}: no such file")
        return _source(str(path), _read_json(path), _read_h5(weights)[1], str(weights))
    if weights is not None:
        raise InputError(
            f"{path}: a {suffix} file holds its own weights; leave the weights file out"
        )
    if suffix in (".h5", ".hdf5"):
        architecture, arrays = _read_h5(path)
        if architecture is None:
            raise InputError(
                f"{path}: holds weights but no architecture; give the .json file of the "
                "architecture as the model and this file as its weights"
            )
        return _source(str(path), architecture, arrays, str(path))
    if suffix == ".keras":
        return _read_keras(path)
    if suffix == ".fml":
        check_fml(path)
        return FmlSource(str(path), path)
    raise InputError(
        f"{path}: unknown kind of model; known are .h5, .keras, .json with weights, .fml"
    )


def _from_object(model: Any) -> Source:
    origin = f"model '{getattr(model, 'name', type(model).__name__)}'"
    modules = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    if "tf_keras" in modules:
        if not model.built:
            raise InputError(f"{origin} is not built; call it or give its layers an input shape")
        architecture = json.loads(model.to_json())
        check_architecture(origin, architecture)
        weights = {
            layer.name: {short_name(weight.name): weight.numpy() for weight in layer.weights}
            for layer in model.layers
        }
        return _source(origin, architecture, weights, origin)
    if "keras" in modules:
        return Keras3Source(origin, model)
    if "hls4ml" in modules and hasattr(model, "get_layers"):
        return GraphSource(f"model graph '{model.config.get_project_name()}'", model)
    raise InputError(f"{type(model).__name__} is neither a Keras model nor the path of one")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not a Keras architecture ({error})") from error


def _read_keras(path: Path) -> Source:
    config = check_keras_archive(path)
    metadata = config.pop("metadata")
    refuse_lambda(str(path), config)
    if not str(metadata.get("keras_version", "")).startswith("3"):
        return _source(str(path), config, _read_keras_weights(path, config), str(path))
    keras = import_keras("keras")
    try:
        with quiet():
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise InputError(f"{path}: can't be loaded ({first_line(error)})") from error
    return Keras3Source(str(path), model)


def _read_keras_weights(path: Path, config: dict[str, Any]) -> Weights:
    """The weights of a `.keras` file of tf-keras, which numbers them in the order of creation.

    Nothing of the model is instantiated; tf-keras itself can't load QKeras layers from this format.
    """
    import h5py

    layers = config.get("config", {}).get("layers")
    if not isinstance(layers, list):
        raise InputError(f"{path}: the architecture lists no layers")
    weights: Weights = {}
    used: dict[str, int] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content, "r") as file:
            root = file.get("layers", file.get("_layer_checkpoint_dependencies"))
            for layer in layers:
                kind = str(layer["class_name"]).rpartition(">")[2]
                if kind == "InputLayer":  # a Sequential model writes none
                    continue
                stem = _snake_case(kind)
                count = used[stem] = used.get(stem, -1) + 1
                arrays = _arrays(path, root[f"{stem}_{count}" if count else stem])
                if not arrays:
                    continue
                names = _variables(kind, layer["config"])
                if names is None or sorted(arrays) != [f"vars/{i}" for i in range(len(names))]:
                    raise UnsupportedError(
                        f"{path}: layer '{layer['config']['name']}': its weights can't be told "
                        "apart in this format; save the model as .h5"
                    )
                weights[layer["config"]["name"]] = {
                    name: arrays[f"vars/{i}"] for i, name in enumerate(names)
                }
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a readable .keras model ({first_line(error)})") from error
    return weights


def _snake_case(name: str) -> str:
    """The name of a class as tf-keras writes it into files."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _variables(kind: str, config: dict[str, Any]) -> list[str] | None:
    """Names of the variables of a layer in the order of creation, None where that isn't known."""
    kind = kind.removeprefix("Q").removeprefix("Binary").removeprefix("Ternary")
    bias = ["bias"] if config.get("use_bias", True) else []
    if kind in ("Dense", "Conv1D", "Conv2D"):
        return ["kernel", *bias]
    if kind in ("DepthwiseConv1D", "DepthwiseConv2D"):
        return ["depthwise_kernel", *bias]
    if kind in ("SeparableConv1D", "SeparableConv2D"):
        return ["depthwise_kernel", "pointwise_kernel", *bias]
    if kind == "BatchNormalization":
        learned = [("gamma", config.get("scale", True)), ("beta", config.get("center", True))]
        return [name for name, used in learned if used] + ["moving_mean", "moving_variance"]
    return {"PReLU": ["alpha"], "Embedding": ["embeddings"]}.get(kind)


def first_line(error: BaseException) -> str:
    """The first line of an error's message that says anything."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))


def short_name(name: str) -> str:
    """`fc1/kernel:0` → `kernel`."""
    return name.rpartition("/")[2].partition(":")[0]


def _read_h5(path: Path) -> tuple[Any, Weights]:
    """The architecture (None where the file has none) and the weights of an HDF5 file."""
    import h5py  # comes with hls4ml; imported here because it takes 0.1 s

    try:
        with h5py.File(path, "r") as file:
            config = file.attrs.get("model_config")
            if isinstance(config, bytes):
                config = config.decode()
            architecture = json.loads(config) if config is not None else None
            groups = file.get("model_weights", file)
            if not isinstance(groups, h5py.Group):
                raise InputError(f"{path}: 'model_weights' is not a group of layers")
            weights: Weights = {}
            for name in groups:
                # Soft and external links could name other files.
                link = groups.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink) or not isinstance(groups[name], h5py.Group):
                    raise InputError(f"{path}: '{name}' is not a group of weights")
                arrays = _arrays(path, groups[name])
                short = {short_name(key): array for key, array in arrays.items()}
                if arrays:
                    weights[name] = short if len(short) == len(arrays) else arrays
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"{path}: not a readable HDF5 model ({first_line(error)})") from error
    return architecture, weights


def _arrays(path: Path, group: Any) -> dict[str, NDArray[Any]]:
    """The arrays below a group of an HDF5 file, by path; follows no links."""
    import h5py

    found: dict[str, Any] = {}
    group.visititems(lambda key, item: found.update({key: item}))
    datasets = {key: item for key, item in found.items() if isinstance(item, h5py.Dataset)}
    for key, dataset in datasets.items():
        if dataset.external or dataset.is_virtual or dataset.dtype.kind not in "fiub":
            raise InputError(f"{path}: weight '{group.name}/{key}' is not an array of numbers")
    if sum(dataset.nbytes for dataset in datasets.values()) > MAX_BYTES:
        raise InputError(f"{path}: more than {MAX_BYTES} bytes of weights in '{group.name}'")
    return {key: dataset[()] for key, dataset in datasets.items()}


def _source(origin: str, architecture: Any, weights: Weights, weights_origin: str) -> KerasSource:
    check_model(origin, architecture, weights, weights_origin)
    return KerasSource(origin, architecture, weights)
