"""Pruning: chooses weights of a Keras or QKeras model and holds them at zero.

Masks say which weights stay: for each layer by name, bool of the kernel's shape in Keras' layout,
False for pruned weights. A neuron without any weight left also loses its bias, and its scale and
shift in a batch normalization after it, unless it is an output of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from gatewright.compress.channels import find_channels
from gatewright.compress.groups import Groups, Structure, find_groups
from gatewright.compress.layer_graph import (
    kernel_of,
    kernel_quantizer,
    kernels,
    matrix_of,
    quantized_kernel,
)
from gatewright.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Masks = dict[str, "NDArray[np.bool_]"]

#: The score of each weight, for each layer by name, of its kernel's shape. Low scores go first.
Scores = dict[str, "NDArray[np.float64]"]

#: Whether a fraction refers to the weights of all layers together, or of each layer.
Scope = Literal["global", "layer"]


def magnitude(model: Any) -> Scores:
    """The magnitude of each weight; for QKeras layers of the quantized weight."""
    return {
        name: np.abs(quantized_kernel(layer)).astype(np.float64)
        for name, layer in kernels(model).items()
    }


def importance(model: Any, x: Any, y: Any, loss: Any, *, batch_size: int = 32) -> Scores:
    """The first-order estimate of the change of the loss without each weight.

    It is the mean over samples of |dL/dw w|, where L is a sample's loss (Molchanov et al., 2017 and
    2019). For QKeras layers, w is the quantized weight, and the gradient is the straight-through
    estimate. Layers compute as in inference.

    Args:
        model: A Keras or QKeras model.
        x: Samples [n, *shape]; a list of them if the model has several inputs.
        y: Labels or targets for the loss [n, ...]; a list of them if it has several outputs.
        loss: A Keras loss; for several outputs their sum counts, of one loss or of a list or
            dictionary of them by output's name.
        batch_size: Samples at a time; memory is this many times the weights. The result depends on
            it only by rounding.

    Raises:
        InputError: if there are no samples.
    """
    inputs, targets = (given if isinstance(given, list) else [given] for given in (x, y))
    count = len(inputs[0])
    if not count:
        raise InputError("importance of weights needs samples; there are none")
    layers = kernels(model)
    totals = [np.zeros(kernel_of(layer).shape, np.float64) for layer in layers.values()]
    gradients = _gradients(model, _losses(loss, model.output_names))
    for start in range(0, count, batch_size):
        part = slice(start, start + batch_size)
        found = gradients([array[part] for array in inputs], [array[part] for array in targets])
        for total, gradient in zip(totals, found, strict=True):
            total += gradient.numpy()
    return {
        name: total / count * np.abs(quantized_kernel(layer))
        for (name, layer), total in zip(layers.items(), totals, strict=True)
    }


def _losses(loss: Any, outputs: Sequence[str]) -> tuple[Any, ...]:
    """The loss of each output of a model, from one for all, a list or a dictionary by name."""
    if isinstance(loss, dict):
        return tuple(loss[name] for name in outputs)
    return tuple(loss) if isinstance(loss, list) else (loss,) * len(outputs)


# A fit needs it repeatedly, and TensorFlow takes seconds to compile it.
@lru_cache(maxsize=1)
def _gradients(
    model: Any, losses: tuple[Any, ...]
) -> Callable[[list[NDArray[Any]], list[NDArray[Any]]], list[Any]]:
    """A function that returns for each kernel the sum over samples of |gradient|."""
    import tensorflow as tf

    variables = [kernel_of(layer) for layer in kernels(model).values()]

    def gradients(x: Any, y: Any) -> list[Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            outputs = tf.nest.flatten(model(x, training=False))
            total = 0.0
            for loss, target, output in zip(losses, y, outputs, strict=True):
                found = tf.reshape(loss.call(target, output), [tf.shape(output)[0], -1])
                total += tf.reduce_mean(found, axis=1)
        each = tape.jacobian(total, variables, unconnected_gradients="zero")
        return [tf.reduce_sum(tf.abs(gradient), axis=0) for gradient in each]

    strategy = model.distribute_strategy

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # as TensorFlow is
    def on_first_device(x: Any, y: Any) -> list[Any]:
        found = strategy.run(gradients, args=(x, y))
        return [strategy.experimental_local_results(one)[0] for one in found]

    return lambda x, y: on_first_device(
        tf.nest.map_structure(tf.convert_to_tensor, x),
        tf.nest.map_structure(tf.convert_to_tensor, y),
    )


def find_masks(
    model: Any,
    scores: Scores,
    structure: Structure,
    amount: float,
    *,
    scope: Scope = "global",
    layers: Sequence[str] | None = None,
    reuse_factor: int | Mapping[str, int] | None = None,
    previous: Masks | None = None,
) -> Masks:
    """Choose the weights to prune: those with the lowest scores.

    Groups are pruned in the order of their mean scores, until the fraction of pruned weights is
    nearest to the requested one; with `unstructured` it is exact. The best group of a layer stays.

    Args:
        model: A Keras or QKeras model; it doesn't change.
        scores: The scores of all layers to be pruned.
        structure: What is pruned as a whole.
        amount: Fraction of the weights that are zero afterwards, at least 0 and below 1, among the
            weights that this structure can prune. Weights of `previous` count.
        scope: Whether the amount refers to all layers together, or to each.
        layers: Names of the layers to prune, by default all that have one kernel; see
            `find_groups`.
        reuse_factor: See `find_groups`.
        previous: Existing masks; weights that are pruned stay pruned.

    Returns:
        Masks of the pruned layers, and those of `previous`.

    Raises:
        InputError: if the amount or the scope is wrong, a score is missing or not finite, a layer
            can't be pruned, or its quantizer has no zero.
    """
    if not 0 <= amount < 1:
        raise InputError(f"amount {amount} is not a fraction: it is at least 0 and below 1")
    if scope not in get_args(Scope):
        raise InputError(f"scope '{scope}' is unknown; choose from {', '.join(get_args(Scope))}")
    groups = find_groups(model, structure, layers, reuse_factor)
    masks: Masks = {name: np.array(mask, bool) for name, mask in (previous or {}).items()}
    there = kernels(model)
    for name in groups:
        _check_zero(there[name])
        shape = tuple(kernel_of(there[name]).shape)
        if name not in scores or scores[name].shape != shape:
            raise InputError(f"layer '{name}': its weights need a score each, of shape {shape}")
        if not np.isfinite(scores[name]).all():
            raise InputError(f"layer '{name}': a score of its weights is not a number")
        if masks.setdefault(name, np.ones(shape, bool)).shape != shape:
            raise InputError(f"layer '{name}': its mask has shape {masks[name].shape}, not {shape}")
    for names in _parts(groups, scope):
        _prune({name: groups[name] for name in names}, scores, masks, amount)
    return masks


def _check_zero(layer: Any) -> None:
    quantizer = kernel_quantizer(layer)
    if quantizer is None:
        return
    zeros = np.zeros(kernel_of(layer).shape, np.float32)
    if np.any(quantizer(zeros)):
        raise InputError(
            f"layer '{layer.name}': its weights can't be pruned: {type(quantizer).__name__} has no "
            "zero; leave the layer out, or give it another quantizer"
        )


def _parts(groups: Groups, scope: Scope) -> list[list[str]]:
    """The sets of layers to which a fraction refers: all, or each with those sharing its groups."""
    if scope == "global":
        return [list(groups)]
    parts: list[tuple[list[str], set[int]]] = []
    for name, group in groups.items():
        names, members = [name], set(np.unique(group[group >= 0]).tolist())
        apart = []
        for part in parts:
            if members & part[1]:
                names, members = part[0] + names, members | part[1]
            else:
                apart.append(part)
        parts = [*apart, (names, members)]
    return [names for names, _ in parts]


def _prune(groups: Groups, scores: Scores, masks: Masks, amount: float) -> None:
    """Prune the groups with the lowest scores in some layers, in place."""
    if not groups:
        return
    group = np.concatenate([groups[name].ravel() for name in groups])
    score = np.concatenate([scores[name].ravel() for name in groups])
    stays = np.concatenate([masks[name].ravel() for name in groups])
    candidate = group >= 0
    total = int(candidate.sum())
    pruned = int((candidate & ~stays).sum())
    wanted = total - round(total * (1 - amount))

    left = candidate & stays
    count = int(group.max(initial=-1)) + 1
    sizes = np.bincount(group[left], minlength=count)
    sums = np.bincount(group[left], weights=score[left], minlength=count)
    there = np.flatnonzero(sizes)
    mean = sums[there] / sizes[there]
    # Among equal scores the last group goes first.
    order = there[np.lexsort((-there, mean))]

    rank = np.full(count, -1)
    rank[order] = np.arange(len(order))
    best = []
    for name in groups:
        own = groups[name][masks[name]]
        if own.size and (own >= 0).all():
            best.append(own[np.argmax(rank[own])])
    order = order[~np.isin(order, best)]

    reached = pruned + np.concatenate([[0], np.cumsum(sizes[order])])
    chosen = np.zeros(count + 1, bool)  # the last is for group -1
    chosen[order[: int(np.argmin(np.abs(reached - wanted)))]] = True
    for name in groups:
        masks[name] = masks[name] & ~chosen[groups[name]]


def hold(model: Any, masks: Masks) -> Callable[[], None]:
    """Set pruned weights to zero, now and whenever the result is called.

    Args:
        model: A Keras or QKeras model.
        masks: Masks of some of its layers.

    Returns:
        A function that sets them to zero again, to be called after each batch of a fit.

    Raises:
        InputError: if a mask fits no layer's kernel.
    """
    import tensorflow as tf

    kept: list[tuple[Any, Any]] = []
    for variable, mask in _pruned_variables(model, masks):
        kept.append((variable, tf.constant(mask, variable.dtype)))

    def hold_now() -> None:
        for variable, mask in kept:
            variable.assign(variable * mask)

    hold_now()
    held: Callable[[], None] = tf.function(hold_now)
    return held


def _pruned_variables(model: Any, masks: Masks) -> list[tuple[Any, NDArray[np.bool_]]]:
    """The variables with pruned elements, each with the mask of the elements that stay."""
    there = kernels(model)
    found = []
    for name, mask in masks.items():
        if name not in there or tuple(kernel_of(there[name]).shape) != mask.shape:
            raise InputError(f"mask of layer '{name}': the model has no such layer of this shape")
        found.append((kernel_of(there[name]), mask))
    channels = find_channels(model)
    stays = ~channels.gone(masks)
    for node in channels.nodes:
        layer = node.layer
        if node.name not in channels.gives or stays[channels.gives[node.name]].all():
            continue
        mask = stays[channels.gives[node.name]]
        if node.name in there and layer.use_bias:
            found.append((layer.bias, mask))
        elif node.kind == "BatchNormalization":
            parameters = (layer.gamma, layer.beta, layer.moving_mean)
            found += [(variable, mask) for variable in parameters if variable is not None]
    return found


def ramp(initial: float, final: float, progress: float) -> float:
    """The pruned fraction during gradual pruning, which is fast at first (Zhu and Gupta, 2017).

    Args:
        initial: The fraction at the start.
        final: The fraction at the end.
        progress: Progress from 0 to 1.
    """
    return final + (initial - final) * (1 - progress) ** 3


class Pruning:
    """Prunes a model during a fit, more with each epoch, and holds pruned weights at zero.

    Args:
        model: A Keras or QKeras model.
        amount: Fraction of the weights that are zero in the end, see `find_masks`.
        epochs: The number of epochs at whose start the fraction is raised; at the last one it
            reaches `amount`.
        score: Returns the scores of the model's current weights.
        structure: What is pruned as a whole.
        scope: See `find_masks`.
        layers: See `find_masks`.
        reuse_factor: See `find_groups`.
        previous: Existing masks.

    Attributes:
        masks: The current masks.

    Raises:
        InputError: as `find_masks`.
    """

    def __init__(
        self,
        model: Any,
        amount: float,
        epochs: int,
        score: Callable[[Any], Scores] = magnitude,
        *,
        structure: Structure = "unstructured",
        scope: Scope = "global",
        layers: Sequence[str] | None = None,
        reuse_factor: int | Mapping[str, int] | None = None,
        previous: Masks | None = None,
    ) -> None:
        self._model = model
        self._amount = amount
        self._epochs = max(1, epochs)
        self._score = score
        self._structure: Structure = structure
        self._scope: Scope = scope
        self._layers = layers
        self._reuse_factor = reuse_factor
        self.masks = dict(previous or {})
        groups = find_groups(model, structure, layers, reuse_factor)
        self._initial = _fraction(groups, self.masks)
        self.hold: Callable[[], None] = hold(model, self.masks)

    def raise_amount(self, epoch: int) -> None:
        """Raise the pruned fraction at the start of an epoch; the first is epoch 0."""
        if epoch >= self._epochs:
            return
        amount = ramp(self._initial, self._amount, (epoch + 1) / self._epochs)
        self.masks = find_masks(
            self._model,
            self._score(self._model),
            self._structure,
            amount,
            scope=self._scope,
            layers=self._layers,
            reuse_factor=self._reuse_factor,
            previous=self.masks,
        )
        self.hold = hold(self._model, self.masks)

    def callback(self) -> Any:
        """A callback of Keras that prunes during `fit`."""
        from tf_keras.callbacks import LambdaCallback

        return LambdaCallback(
            on_epoch_begin=lambda epoch, _: self.raise_amount(epoch),
            on_train_batch_end=lambda _batch, _logs: self.hold(),
        )


def _fraction(groups: Groups, masks: Masks) -> float:
    """The fraction of the weights in groups that is pruned."""
    total = sum(int((group >= 0).sum()) for group in groups.values())
    pruned = sum(
        int(((group >= 0) & ~masks[name]).sum()) for name, group in groups.items() if name in masks
    )
    return pruned / total if total else 0.0


@dataclass(frozen=True)
class LayerPruning:
    """How much of a layer is pruned.

    Attributes:
        layer: Its name.
        weights: The number of weights in its kernel.
        pruned: The number of pruned weights.
        neurons: The number of columns of its kernel: neurons, or filters.
        neurons_pruned: The number of columns without any weight left.
    """

    layer: str
    weights: int
    pruned: int
    neurons: int
    neurons_pruned: int


def summarize(model: Any, masks: Masks) -> list[LayerPruning]:
    """How much is pruned of each layer with a kernel, in the model's order."""
    found = []
    for name, layer in kernels(model).items():
        mask = masks.get(name, np.ones(kernel_of(layer).shape, bool))
        columns = matrix_of(layer, mask)
        found.append(
            LayerPruning(
                layer=name,
                weights=mask.size,
                pruned=int((~mask).sum()),
                neurons=columns.shape[1],
                neurons_pruned=int((~columns.any(axis=0)).sum()),
            )
        )
    return found
