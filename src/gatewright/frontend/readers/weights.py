"""Assigns arrays of files to the layers of a network as weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.kinds import KINDS, Extent
from gatewright.frontend.messages import near, shown
from gatewright.frontend.network import Layer, Network
from gatewright.frontend.readers.flatten import Flat
from gatewright.frontend.readers.folded_batchnorm import folded
from gatewright.frontend.readers.outline import Outline, Part, Path

#: Arrays by part of an outline, then by name of the weight.
Weights = Mapping[Path, Mapping[str, NDArray[Any]]]

#: Keras 3's name of the kernel of a depthwise convolution.
_KERAS3_NAMES = {"depthwise_kernel": "kernel"}
#: Names of groups in `.keras` archives: a class, and a number from the second layer of it on.
NUMBERED = re.compile(r"(?P<stem>\w+?)(?:_(?P<number>\d{1,6}))?")
_RECURRENT: Final = ("SimpleRNN", "LSTM", "GRU")
#: Groups of a `.keras` archive that hold the layers of a model; version 2.13 writes the second.
_CONTAINERS: Final = ("layers", "_layer_checkpoint_dependencies")


def short_name(name: str) -> str:
    """A weight's name without its group and number: `kernel` for `fc1/kernel:0`."""
    return name.rpartition("/")[2].partition(":")[0]


def with_weights(flat: Flat, weights: Weights, origin: str) -> Network:
    """The network with weights. Arrays that a layer's class doesn't have are left out.

    Args:
        flat: The network without weights.
        weights: Arrays by part of its outline, then by name.
        origin: The name of the file of weights in messages.

    Raises:
        InputError: if weights belong to another network, are missing, don't have the shape that
            the architecture says, or aren't finite numbers.
        UnsupportedError: if it is unclear which weights are pruned.
    """
    labels = [part.label for part in flat.outline.model.layers]
    for path in weights:
        if path and path[0] not in labels:
            raise InputError(
                f"{origin}: weights of a layer '{shown(path[0])}', which {flat.network.origin} "
                f"doesn't have{near(path[0], labels)}"
            )
    pruned = _pruned(flat.outline, weights, origin)
    layers = tuple(
        folded(_with_arrays(origin, each, pruned.get(flat.paths[each.name], {})))
        for each in flat.network.layers
    )
    return replace(flat.network, layers=layers)


def _pruned(outline: Outline, weights: Weights, origin: str) -> Weights:
    """The weights, with those of layers in a pruning wrapper multiplied by the wrapper's masks."""
    found = dict(weights)
    for path, part in outline.model.walk():
        if part.kind != "PruneLowMagnitude":
            continue
        below = (*path, part.within["layer"][0].label)
        arrays = dict(found.get(below, {}))
        for key, mask in _masks(found.get(path, {}), arrays, f"{origin}: layer '{part.label}'"):
            arrays[key] = np.asarray(arrays[key] * mask, arrays[key].dtype)
        found[below] = arrays
    return found


def _masks(
    own: Mapping[str, NDArray[Any]], arrays: Mapping[str, NDArray[Any]], where: str
) -> Iterator[tuple[str, NDArray[Any]]]:
    """The names of pruned arrays, each with its mask.

    HDF5 files have a single array `mask`. In a `.keras` archive the wrapper's own arrays are copies
    of the pruned arrays, followed by their masks.

    Args:
        own: The arrays of the wrapper itself.
        arrays: The arrays of the layer within it.
        where: The file and the wrapper, to begin messages.
    """
    if "mask" in own:
        masks, copies = [own["mask"]], []
    else:
        listed = [own[key] for key in sorted(own, key=_number) if own[key].ndim]
        count = len(listed) // 2
        copies, masks = listed[:count], listed[count:]
    for mask, copy in zip_longest(masks, copies):
        fitting = [
            key
            for key, array in arrays.items()
            if array.shape == mask.shape and (copy is None or np.array_equal(array, copy))
        ]
        if len(fitting) != 1:
            raise UnsupportedError(
                f"{where}: the file doesn't say which of its weights are pruned; save the "
                f"result of tensorflow_model_optimization.sparsity.keras.strip_pruning"
            )
        yield fitting[0], mask


def _number(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdecimal() else (0, key)


def _with_arrays(origin: str, layer: Layer, arrays: Mapping[str, NDArray[Any]]) -> Layer:
    found: dict[str, NDArray[Any]] = {}
    common: dict[str, int] = {}
    where = f"{origin}: layer '{layer.name}'"
    for key, shape in KINDS[layer.kind].arrays(layer.arguments).items():
        array = arrays.get(key, arrays.get(_KERAS3_NAMES.get(key, key)))
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
    """Check an array's shape; extents with the same name must agree within a layer."""
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
            f"{where}: weight '{key}' has shape {list(array.shape)}, but the architecture "
            f"says [{want_text}]"
        )


def named_weights(outline: Outline, arrays: Mapping[str, NDArray[Any]], origin: str) -> Weights:
    """Assign the arrays of an HDF5 file of Keras, such as `fc1/.../kernel:0`.

    Returns:
        The arrays by part and name.

    Raises:
        UnsupportedError: if an array may belong to either of two layers.
    """
    weights: dict[Path, dict[str, NDArray[Any]]] = {}
    by_group: dict[str, dict[str, NDArray[Any]]] = {}
    parts = {part.label: part for part in outline.model.layers}
    for path, array in arrays.items():
        # A layer's name may contain a /, which also separates groups.
        heads = [label for label in parts if path.startswith(f"{label}/")]
        head = max(heads, key=len) if heads else path.partition("/")[0]
        by_group.setdefault(head, {})[path[len(head) + 1 :]] = array
    for label, found in by_group.items():
        part = parts.get(label)
        below = [] if part is None else [path for path, _ in part.walk() if path]
        for name, array in found.items():
            places = _places(f"/{name}", below)
            if len(places) > 1:
                raise UnsupportedError(
                    f"{origin}: weight '{shown(label)}/{shown(name)}' may belong to either of "
                    f"two layers of that name; save the model as .keras"
                )
            own = weights.setdefault((label, *places[0]), {})
            short = short_name(name)
            # Arrays of a layer have distinct short names; others keep their long ones.
            own[name if short in own else short] = array
    for place, wrapper in outline.model.walk():
        if place in weights and wrapper.kind == "TimeDistributed":
            # If Keras 2 builds the inner layer late, it names its arrays after the wrapper only.
            inner = weights.setdefault((*place, wrapper.within["layer"][0].label), {})
            inner.update({key: each for key, each in weights[place].items() if key not in inner})
    return weights


def _places(name: str, below: list[Path]) -> list[Path]:
    """The parts to which an array can belong: those with the best match of its name.

    Args:
        name: The array's name within the group of an outermost layer.
        below: The paths of the parts within that layer.

    Returns:
        Paths; [()] if no part matches, for the outermost layer itself.
    """
    best: list[Path] = [()]
    most = 0
    for path in below:
        begin, matched = 0, True
        for label in path:
            begin = name.find(f"/{label}/", begin)
            matched &= begin >= 0
            if begin < 0:
                break
            begin += len(label) + 1
        # The part's own label must occur; those of the models around it are often missing.
        last = name.rfind(f"/{path[-1]}/")
        score = (2 * len(path) if matched else 1) if last >= 0 else 0
        if score > most:
            best, most = [path], score
        elif score and score == most:
            best.append(path)
    return best


def is_numbered(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether arrays are named as in `.keras` archives: `layers/dense_1/vars/0`."""
    return any("/vars/" in f"/{path}" for path in arrays)


def numbered_weights(outline: Outline, arrays: Mapping[str, NDArray[Any]], origin: str) -> Weights:
    """Assign the arrays of a `.keras` archive, which numbers the layers of a class by creation.

    The model isn't instantiated. Versions of Keras count differently (2.13 counts a layer with
    weights twice), but always in the same order.

    Returns:
        The arrays by part and name.

    Raises:
        InputError: if the arrays of a layer are missing.
        UnsupportedError: if the arrays of a layer can't be told apart.
    """
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        node = tree
        *groups, last = path.split("/")
        for group in groups:
            node = node.setdefault(group, {})
            if not isinstance(node, dict):
                raise InputError(f"{origin}: '{shown(path)}' lies below an array")
        node[last] = array
    weights: dict[Path, dict[str, NDArray[Any]]] = {}
    _number_model(outline.model, (), tree, weights, origin)
    return weights


def _number_model(
    model: Part, path: Path, group: Mapping[str, Any], weights: dict[Path, Any], origin: str
) -> None:
    """Assign the arrays of a model's layers."""
    groups: dict[str, dict[int, Any]] = {}
    for container in _CONTAINERS:
        for name, each in _group(group, container).items():
            match = NUMBERED.fullmatch(name)
            if match is not None and _has_variables(each):
                groups.setdefault(match["stem"], {})[int(match["number"] or 0)] = each
    of_kind: dict[str, list[Part]] = {}
    for part in model.layers:
        if any(_expected(each) for _, each in part.walk()):
            of_kind.setdefault(snake_case(part.kind), []).append(part)
    for stem, parts in of_kind.items():
        found = [each for _, each in sorted(groups.get(stem, {}).items())]
        # Wrappers around layers without weights may have a group too.
        every = [part for part in model.layers if snake_case(part.kind) == stem]
        owners = every if len(found) == len(every) else parts
        if not found or len(found) != len(owners):
            first = parts[0]
            if not found:
                where = f"{origin}: layer '{first.label}'"
                raise InputError(f"{where} lacks its weight{_first_weight(first)}")
            raise _indistinct(origin, first)
        for part, each in zip(owners, found, strict=True):
            _number_part(part, (*path, part.label), each, weights, origin)


def _number_part(
    part: Part, path: Path, group: Mapping[str, Any], weights: dict[Path, Any], origin: str
) -> None:
    if part.is_model:
        _number_model(part, path, group, weights, origin)
        return
    for attribute, inner in part.within.items():
        for each in inner:
            # Keras 2 writes its own layers' attributes as they are in its code.
            below = _group(group, attribute) or _group(group, f"_{attribute}")
            _number_part(each, (*path, each.label), below, weights, origin)
    if part.kind.removeprefix("Q") in _RECURRENT:
        group = _group(group, "cell")
    own = _variables(group)
    if part.kind.endswith("Batchnorm"):
        # A scalar counts training steps; the normalization's arrays are in a group of their own.
        own = {key: each for key, each in own.items() if each.ndim}
        more = _variables(_group(group, "batchnorm"))
        own |= {str(len(own) + int(key)): each for key, each in more.items() if key.isdecimal()}
    names = _expected(part)
    if part.layer is None:
        weights[path] = own
    elif names:
        if sorted(own) != sorted(str(i) for i in range(len(names))):
            raise _indistinct(origin, part)
        weights[path] = {name: own[str(i)] for i, name in enumerate(names)}


def _indistinct(origin: str, part: Part) -> UnsupportedError:
    return UnsupportedError(
        f"{origin}: layer '{part.label}': its weights can't be told apart in this format; save the "
        "model as .h5"
    )


def _variables(group: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    found = _group(group, "vars")
    return {key: each for key, each in found.items() if not isinstance(each, dict)}


def _group(group: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = group.get(name, {})
    return found if isinstance(found, dict) else {}


def _has_variables(group: Any) -> bool:
    """Whether a group holds arrays other than the state of a seed generator."""
    if not isinstance(group, dict):
        return False
    return bool(_variables(group)) or any(
        _has_variables(each)
        for name, each in group.items()
        if name not in ("vars", "seed_generator")
    )


def _expected(part: Part) -> list[str]:
    """The names of a layer's own arrays, in Keras' order."""
    return list(KINDS[part.kind].arrays(part.layer.arguments)) if part.layer is not None else []


def _first_weight(part: Part) -> str:
    names = next(found for _, each in part.walk() if (found := _expected(each)))
    return f" '{names[0]}'"


def snake_case(name: str) -> str:
    """The name of a class as Keras writes it into `.keras` archives."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
