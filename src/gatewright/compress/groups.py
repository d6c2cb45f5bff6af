"""Groups of weights that are pruned together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from gatewright.compress.channels import FIXED, Channels, find_channels
from gatewright.compress.layer_graph import is_depthwise, kernel_of, kernels, matrix_of
from gatewright.errors import InputError
from gatewright.kernels.time_multiplexing import TimeMultiplexing, reuse_factors

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What is pruned as a whole: a weight; a neuron or filter; the weights that share a multiplier; the
#: weights in one word of a layer's weight memory, which are used in one clock cycle. If a layer
#: computes its results in groups, the words of all groups with the same operand count as one.
Structure = Literal["unstructured", "neurons", "dsp", "bram"]

#: For each layer the number of each weight's group, int64 of the kernel's shape; -1 for no group.
Groups = dict[str, "NDArray[np.int64]"]


def find_groups(
    model: Any,
    structure: Structure,
    layers: Sequence[str] | None = None,
    reuse_factor: int | Mapping[str, int] | None = None,
) -> Groups:
    """The groups of weights of a model's layers.

    Args:
        model: A Keras or QKeras model.
        structure: What a group is.
        layers: Names of the layers; by default all that have a kernel.
        reuse_factor: The reuse factor of the hardware for the structures dsp and bram, for all
            layers or by layer. If a layer can't have it, the nearest possible one is used, as in a
            conversion.

    Returns:
        The groups, with numbers that are unique in the model. With `neurons`, channels that can
        only be removed together, such as filters whose results are added, are one group.

    Raises:
        InputError: if a layer doesn't exist, has no kernel, or has nothing that can be pruned with
            this structure.
    """
    if structure not in get_args(Structure):
        raise InputError(
            f"structure '{structure}' is unknown; choose from {', '.join(get_args(Structure))}"
        )
    there = kernels(model)
    names = list(there) if layers is None else list(dict.fromkeys(layers))
    for name in names:
        if name not in there:
            raise InputError(
                f"layer '{name}' can't be pruned; layers that can are {', '.join(there) or 'none'}"
            )
    if structure == "neurons":
        return _neurons(find_channels(model), there, names, named=layers is not None)
    groups: Groups = {}
    start = 0
    for name in names:
        layer = there[name]
        shape = tuple(kernel_of(layer).shape)
        if structure == "unstructured":
            found = np.arange(int(np.prod(shape)))
        else:
            fold = _fold(layer, _reuse_factor(name, reuse_factor))
            if structure == "bram" and fold.reuse == 1:
                raise InputError(
                    f"layer '{name}' has no weight memory at reuse factor 1; "
                    "give a greater one, or leave the layer out"
                )
            words = fold.words(_indices(layer))
            step, multiplier = np.indices(words.shape)
            found = np.empty(words.size, np.int64)
            found[words] = step % fold.steps if structure == "bram" else multiplier
        groups[name] = start + found.reshape(shape)
        start += int(found.max()) + 1
    return groups


def weight_words(layer: Any, reuse_factor: int) -> NDArray[np.int64]:
    """The weight that each multiplier of a layer uses in each clock cycle.

    Args:
        layer: A Keras layer with a kernel.
        reuse_factor: The requested reuse factor; the nearest possible one is used.

    Returns:
        Indices into the kernel in C order, int64 (reuse factor, multipliers). A row is a word of
        the weight memory.
    """
    return _fold(layer, reuse_factor).words(_indices(layer))


def _indices(layer: Any) -> NDArray[np.int64]:
    """Indices into a layer's kernel in C order, int64 in the shape of the kernel's matrix."""
    shape = kernel_of(layer).shape
    return matrix_of(layer, np.arange(int(np.prod(shape))).reshape(shape))


def _fold(layer: Any, reuse_factor: int) -> TimeMultiplexing:
    """The time-multiplexing of a layer at the possible reuse factor nearest to the requested."""
    n_in, n_out = _indices(layer).shape
    there = reuse_factors(n_in, n_out)
    reuse = min(there, key=lambda reuse: (abs(reuse - reuse_factor), reuse))
    return TimeMultiplexing(n_in, n_out, reuse)


def _reuse_factor(name: str, factors: int | Mapping[str, int] | None) -> int:
    found = factors.get(name) if isinstance(factors, Mapping) else factors
    if found is None or found < 1:
        raise InputError(f"layer '{name}': which weights go together depends on its reuse factor; "
                         "give one of at least 1")  # fmt: skip
    return found


def _neurons(
    channels: Channels, there: Mapping[str, Any], names: list[str], *, named: bool
) -> Groups:
    groups: Groups = {}
    for name in names:
        layer = there[name]
        shape = tuple(kernel_of(layer).shape)
        found = channels.gives.get(name, np.zeros(1, np.int64))
        if (found == FIXED).all():
            if named:
                raise InputError(
                    f"layer '{name}': none of its neurons can be pruned: they are outputs of the "
                    "model, tied to its inputs, or read by a layer that needs each of them"
                )
            continue
        columns = shape[-2:] if is_depthwise(layer) else shape[-1:]
        column = np.where(found == FIXED, -1, found).reshape(columns)
        groups[name] = np.broadcast_to(column, shape)
    chosen = {number: name for name, group in groups.items() for number in np.unique(group)}
    for name in (name for name in there if name not in groups and name in channels.gives):
        shared = [number for number in channels.gives[name] if number != FIXED and number in chosen]
        if shared:
            raise InputError(
                f"layer '{name}': its neurons are tied to those of '{chosen[shared[0]]}', so they "
                "can only be pruned together; name both or neither"
            )
    return groups
