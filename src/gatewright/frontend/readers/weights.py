"""Arrays of files, as weights of the layers of a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.kinds import KINDS, Extent
from gatewright.frontend.messages import near, shown
from gatewright.frontend.network import Layer, Network

#: Arrays by layer and name of the weight.
Weights = Mapping[str, Mapping[str, NDArray[Any]]]

#: What Keras 3 calls the kernel of a depthwise convolution.
_OTHERWISE = {"depthwise_kernel": "kernel"}
_NUMBERED = re.compile(r"(?P<stem>\w+?)(?:_(?P<number>\d{1,6}))?")


def short_name(name: str) -> str:
    """`fc1/kernel:0` → `kernel`."""
    return name.rpartition("/")[2].partition(":")[0]


def with_weights(network: Network, weights: Weights, origin: str) -> Network:
    """The network, each layer with the arrays that its class has. Other arrays are left out.

    Args:
        network: Without weights.
        weights: By layer and name.
        origin: What the user calls the file of weights.

    Raises:
        InputError: if weights are of another network, are missing, have another shape than the
            architecture says, or are not finite numbers.
    """
    names = [layer.name for layer in network.layers]
    for name in weights:
        if name not in names:
            raise InputError(
                f"{origin}: weights of a layer '{shown(name)}', which {network.origin} doesn't have"
                f"{near(name, names)}"
            )
    layers = tuple(
        _with_arrays(origin, each, weights.get(each.name, {})) for each in network.layers
    )
    return replace(network, layers=layers)


def _with_arrays(origin: str, layer: Layer, arrays: Mapping[str, NDArray[Any]]) -> Layer:
    found: dict[str, NDArray[Any]] = {}
    common: dict[str, int] = {}
    where = f"{origin}: layer '{layer.name}'"
    for key, shape in KINDS[layer.kind].arrays(layer.arguments).items():
        array = arrays.get(key, arrays.get(_OTHERWISE.get(key, key)))
        if array is None:
            raise InputError(f"{where} lacks its weight '{key}'")
        if array.dtype.kind not in "fiub":
            raise InputError(f"{where}: weight '{key}' is not an array of numbers")
        _check_shape(where, key, array, shape, common)
        if not np.isfinite(array).all():
            place = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
            raise InputError(f"{where}: weight '{key}' at {place} is {array[tuple(place)]}")
        found[key] = array
    return replace(layer, weights=MappingProxyType(found))


def _check_shape(
    where: str,
    key: str,
    array: NDArray[Any],
    shape: tuple[Extent, ...] | None,
    common: dict[str, int],
) -> None:
    """Check an array's shape; extents of one name are the same in all arrays of a layer."""
    if array.size == 0:
        raise InputError(f"{where}: weight '{key}' has shape {list(array.shape)}, which is empty")
    if shape is None:
        return
    fits = array.ndim == len(shape)
    if fits:
        for axis, want in enumerate(shape):
            got = array.shape[axis]
            wanted = common.setdefault(want, got) if isinstance(want, str) else want
            fits &= wanted is None or wanted == got
    if not fits:
        words = (common.get(each, "any") if isinstance(each, str) else each for each in shape)
        want_text = ", ".join("any" if each is None else str(each) for each in words)
        raise InputError(
            f"{where}: weight '{key}' has shape {list(array.shape)}, "
            f"the architecture says [{want_text}]"
        )


def named_weights(arrays: Mapping[str, NDArray[Any]]) -> Weights:
    """Weights as Keras' HDF5 files have them: `fc1/.../kernel:0`, by layer and name."""
    by_layer: dict[str, dict[str, NDArray[Any]]] = {}
    for path, array in arrays.items():
        name, _, rest = path.partition("/")
        by_layer.setdefault(name, {})[rest] = array
    result = {}
    for name, found in by_layer.items():
        short = {short_name(key): array for key, array in found.items()}
        result[name] = short if len(short) == len(found) else found
    return result


def is_numbered(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether arrays are named as in `.keras` archives, `layers/dense_1/vars/0`."""
    return any("/vars/" in f"/{path}" for path in arrays)


def numbered_weights(network: Network, arrays: Mapping[str, NDArray[Any]], origin: str) -> Weights:
    """Weights of a `.keras` archive, which names layers by class and number in order of creation.

    Nothing of the model is instantiated. Versions of Keras count differently (2.13 counts a layer
    with weights twice), but never out of order.

    Raises:
        InputError: if there are none of a layer that has some.
        UnsupportedError: if a layer's can't be told apart.
    """
    groups: dict[str, dict[int, dict[str, NDArray[Any]]]] = {}
    for path, array in arrays.items():
        parts = path.split("/")
        if len(parts) != 4 or parts[2] != "vars":
            continue  # a layer's seed, a metric, an optimizer
        match = _NUMBERED.fullmatch(parts[1])
        if match is not None and parts[0] in ("layers", "_layer_checkpoint_dependencies"):
            number = int(match["number"] or 0)
            groups.setdefault(match["stem"], {}).setdefault(number, {})[parts[3]] = array
    weights: dict[str, dict[str, NDArray[Any]]] = {}
    of_kind: dict[str, list[Layer]] = {}
    for layer in network.layers:
        if KINDS[layer.kind].arrays(layer.arguments):
            of_kind.setdefault(_snake_case(layer.kind), []).append(layer)
    for stem, layers in of_kind.items():
        found = [group for _, group in sorted(groups.get(stem, {}).items())]
        for index, layer in enumerate(layers):
            names = list(KINDS[layer.kind].arrays(layer.arguments))
            if not found:
                raise InputError(f"{origin}: layer '{layer.name}' lacks its weight '{names[0]}'")
            keys = [str(i) for i in range(len(names))]
            if len(found) != len(layers) or sorted(found[index]) != keys:
                raise UnsupportedError(
                    f"{origin}: layer '{layer.name}': its weights can't be told apart in this "
                    "format; save the model as .h5"
                )
            weights[layer.name] = {
                name: found[index][key] for name, key in zip(names, keys, strict=True)
            }
    return weights


def _snake_case(name: str) -> str:
    """The name of a class as Keras writes it into files."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
