"""Fits the weights of a Keras model, in TensorFlow."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.dataset import Data, Samples, in_order
from gatewright.compress.recipe import TEMPERATURE, Training
from gatewright.errors import InputError
from gatewright.metrics import Metric, Tensors

#: Lower limit of probabilities, so that their logarithms are finite.
_LEAST = 1e-7
#: Batch size for predictions.
BATCH = 1024


@dataclass(frozen=True)
class Devices:
    """The devices on which weights are fitted.

    Attributes:
        names: TensorFlow's names of the devices, with the product's name if it is known.
        scope: Returns a context in which models must be created and compiled.
    """

    names: tuple[str, ...]
    scope: Callable[[], AbstractContextManager[Any]]


@functools.cache
def use_devices(cpu_devices: int | None) -> Devices:
    """Choose the devices of this process. It must be called before TensorFlow computes anything.

    With several devices, each has the weights and takes a part of each batch
    (`tf.distribute.MirroredStrategy`).

    Args:
        cpu_devices: See `Training`.
    """
    import tensorflow as tf

    physical = [] if cpu_devices else tf.config.list_physical_devices("GPU")
    names = tuple(_gpu_name(device) for device in physical)
    for device in physical:
        tf.config.experimental.set_memory_growth(device, True)  # leave memory to other processes
    if not physical:
        tf.config.set_visible_devices([], "GPU")
        count = cpu_devices or 1
        names = tuple(f"CPU:{number}" for number in range(count))
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * count,
        )
    # One thread for each device, which wait for each other; sums then always have the same order.
    tf.config.threading.set_inter_op_parallelism_threads(max(1, len(names)))
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    if len(names) == 1:
        return Devices(names, tf.distribute.get_strategy().scope)
    places = [name.partition(" ")[0] for name in names]
    return Devices(names, tf.distribute.MirroredStrategy(places).scope)


def _gpu_name(device: Any) -> str:
    import tensorflow as tf

    place = device.name.removeprefix("/physical_device:")
    details = tf.config.experimental.get_device_details(device)
    return f"{place} ({details['device_name']})" if "device_name" in details else place


@dataclass(frozen=True)
class Teaching:
    """What a teacher contributes to the training of a student.

    Attributes:
        outputs: The teacher's outputs for the training data, float32 [n, ...]: for classes logits
            or probabilities.
        temperature: The logits of teacher and student are divided by it; None if outputs aren't
            scores of classes.
        weight: Weight of the loss against the teacher, from 0 to 1; that against the targets has
            the rest.
    """

    outputs: Tensors
    temperature: float | None
    weight: float


@dataclass(frozen=True)
class Fitted:
    """The course of a fit.

    Attributes:
        losses: The loss after each epoch.
        curve: The metric on the validation data after each epoch; empty without such data.
        stopped: Whether it was stopped because the last epoch's metric was worse than the limit.
    """

    losses: tuple[float, ...]
    curve: tuple[float, ...]
    stopped: bool


def fit(
    model: Any,
    data: Data,
    loss: Any,
    metric: Metric,
    training: Training,
    *,
    teaching: Teaching | None = None,
    freeze: Sequence[str] = (),
    callbacks: Sequence[Any] = (),
    floor: Sequence[float] = (),
    report: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Fitted:
    """Fit a model with Adam and a learning rate that falls to zero along half a cosine.

    It must be called within the scope of the devices in which the model was created.

    Args:
        model: A tf-keras model.
        data: The model's data.
        loss: A loss of Keras, of targets and outputs; for several outputs one for all, or a list or
            dictionary of them by output's name.
        metric: The metric of the model.
        training: The settings; the caller handles the seed.
        teaching: If given, the loss is (1 - weight) loss(y, outputs) + weight T^2 KL(softmax(
            teacher / T) || softmax(student / T)) (Hinton, Vinyals and Dean, 2015) for classes, and
            (1 - weight) loss(y, outputs) + weight loss(teacher, outputs) for other targets.
        freeze: Names of layers whose weights stay as they are.
        callbacks: Further callbacks of Keras.
        floor: The limit of the validation metric for each epoch; if it is worse, the fit stops.
        report: Called after each epoch with the epoch, the loss and the validation metric.

    Raises:
        InputError: if a layer of `freeze` doesn't exist, the data doesn't fit the model or the
            metric, the loss isn't finite, or the loss or the teacher's outputs don't allow
            distillation.
    """
    from tf_keras import callbacks as keras_callbacks
    from tf_keras import optimizers

    known = [layer.name for layer in model.layers]
    if unknown := next((name for name in freeze if name not in known), None):
        raise InputError(f"freeze: there is no layer '{unknown}'; layers are {', '.join(known)}")
    x, y = (
        data.train.inputs(model.input_names),
        in_order(data.train.y, model.output_names, "output"),
    )
    if teaching is not None:
        loss, y = _taught(loss, y, teaching, model)
    losses: list[float] = []
    curve: list[float] = []

    def after(epoch: int, logs: dict[str, float]) -> None:
        losses.append(float(logs["loss"]))
        if not np.isfinite(losses[-1]):
            raise InputError(
                f"the loss of epoch {epoch + 1} is {losses[-1]}; take a smaller learning_rate"
            )
        message: dict[str, Any] = {"epoch": epoch + 1, "loss": losses[-1]}
        if len(data.validation):
            curve.append(score(model, data.validation, metric))
            message["validation"] = curve[-1]
            model.stop_training = epoch < len(floor) and metric.worse(curve[-1], floor[epoch])
        report(message)

    trainable = {layer.name: layer.trainable for layer in model.layers}
    for name in freeze:
        model.get_layer(name).trainable = False
    steps = -(-len(data.train) // training.batch_size) * training.epochs
    rate = optimizers.schedules.CosineDecay(training.learning_rate, steps)
    model.compile(optimizers.Adam(rate), loss)
    model.fit(
        x,
        y,
        batch_size=training.batch_size,
        epochs=training.epochs,
        verbose=0,
        callbacks=[*callbacks, keras_callbacks.LambdaCallback(on_epoch_end=after)],
    )
    for layer in model.layers:
        layer.trainable = trainable[layer.name]
    return Fitted(tuple(losses), tuple(curve), bool(model.stop_training))


def predict(model: Any, samples: Samples, batch_size: int = BATCH) -> Tensors:
    """The outputs of a tf-keras model, float32 [n, ...]; by name if there are several.

    Raises:
        InputError: if the samples don't fit the model's inputs.
    """
    import tensorflow as tf

    x = samples.inputs(model.input_names)
    outputs = tf.nest.flatten(model.predict(x, batch_size=batch_size, verbose=0))
    names: list[str] = model.output_names
    found: dict[str, NDArray[np.float32]] = dict(zip(names, outputs, strict=True))
    return found if len(found) > 1 else outputs[0]


def score(model: Any, samples: Samples, metric: Metric) -> float:
    """The metric of a tf-keras model on samples.

    Raises:
        InputError: if the samples don't fit the model or the metric.
    """
    return metric.of(samples.y, predict(model, samples))


def _taught(
    loss: Any, targets: list[NDArray[Any]], teaching: Teaching, model: Any
) -> tuple[Any, list[NDArray[np.float32]]]:
    """The loss of a student, and its targets [n, ...] with the teacher's outputs beside them."""
    from tf_keras.losses import Loss, SparseCategoricalCrossentropy

    if len(targets) > 1 or not isinstance(loss, Loss) or isinstance(teaching.outputs, Mapping):
        raise InputError(
            "distil: needs a model of one output, whose loss() is a loss of Keras, a subclass of "
            f"its Loss, not {getattr(loss, 'name', loss)}"
        )
    shape = model.output_shape[1:]
    if teaching.outputs.shape[1:] != shape:
        raise InputError(
            f"distil: the teacher's outputs are {list(teaching.outputs.shape[1:])}, the model's "
            f"{list(shape)}"
        )
    if isinstance(loss, SparseCategoricalCrossentropy):
        return _taught_classes(loss, targets[0], teaching.outputs, teaching)
    if teaching.temperature is not None:
        raise InputError(
            "distil: temperature is of scores of classes, which need the loss "
            f"SparseCategoricalCrossentropy, not {loss.name}"
        )
    return _taught_values(loss, targets[0], teaching.outputs, teaching.weight)


def _taught_classes(
    loss: Any, labels: NDArray[Any], outputs: NDArray[np.float32], teaching: Teaching
) -> tuple[Any, list[NDArray[np.float32]]]:
    """Targets are [n, 1 + classes]: the label, then the teacher's logits."""
    import tensorflow as tf

    from_logits = loss.get_config()["from_logits"]
    temperature = TEMPERATURE if teaching.temperature is None else teaching.temperature
    weight = teaching.weight
    soft = _logits(outputs) / temperature

    def taught(targets: Any, outputs: Any) -> Any:
        logits = outputs if from_logits else tf.math.log(tf.maximum(outputs, _LEAST))
        ours = tf.nn.log_softmax(logits / temperature)
        theirs = tf.nn.log_softmax(targets[:, 1:])
        divergence = tf.reduce_sum(tf.exp(theirs) * (theirs - ours), axis=-1)
        hard = loss.call(targets[:, 0], outputs)
        return (1 - weight) * hard + weight * temperature**2 * divergence

    return taught, [np.column_stack([labels, soft]).astype(np.float32)]


def _taught_values(
    loss: Any, values: NDArray[Any], outputs: NDArray[np.float32], weight: float
) -> tuple[Any, list[NDArray[np.float32]]]:
    """Targets are [n, 2, ...]: the values, then those of the teacher."""
    shaped = values.reshape(outputs.shape) if values.size == outputs.size else values
    if shaped.shape != outputs.shape:
        raise InputError(
            f"distil: targets {list(values.shape)} are not like the outputs, {list(outputs.shape)}"
        )

    def taught(targets: Any, outputs: Any) -> Any:
        hard, soft = (loss.call(targets[:, row], outputs) for row in (0, 1))
        return (1 - weight) * hard + weight * soft

    return taught, [np.stack([shaped, outputs], axis=1).astype(np.float32)]


def _logits(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits unchanged; probabilities, which are outputs that add up to one, as logarithms."""
    probabilities = (outputs >= 0).all() and np.allclose(outputs.sum(axis=-1), 1, atol=1e-3)
    return np.log(np.maximum(outputs, _LEAST)) if probabilities else outputs
