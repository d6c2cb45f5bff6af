"""Fits the weights of a Keras model, in TensorFlow."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.recipe import Training
from gatewright.errors import InputError

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
        outputs: The teacher's outputs for the training data, float32 [n, classes]: logits or
            probabilities.
        temperature: The logits of teacher and student are divided by it.
        weight: Weight of the soft loss, from 0 to 1; the loss of the labels has the rest.
    """

    outputs: NDArray[np.float32]
    temperature: float
    weight: float


@dataclass(frozen=True)
class Fitted:
    """The course of a fit.

    Attributes:
        losses: The loss after each epoch.
        curve: Validation accuracy after each epoch, from 0 to 1; empty without validation data.
        stopped: Whether it was stopped because the last epoch's accuracy was below the floor.
    """

    losses: tuple[float, ...]
    curve: tuple[float, ...]
    stopped: bool


def fit(
    model: Any,
    data: dict[str, NDArray[Any]],
    loss: Any,
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
        data: The result of `load_arrays`.
        loss: A loss of Keras, of labels and outputs.
        training: The settings; the caller handles the seed.
        teaching: If given, the loss is (1 - weight) loss(y, outputs) + weight T^2 KL(softmax(
            teacher / T) || softmax(student / T)) (Hinton, Vinyals and Dean, 2015).
        freeze: Names of layers whose weights stay as they are.
        callbacks: Further callbacks of Keras.
        floor: Least validation accuracy for each epoch; below it the fit stops.
        report: Called after each epoch with the epoch, the loss and the validation accuracy.

    Raises:
        InputError: if a layer of `freeze` doesn't exist, the loss isn't finite, or the loss or the
            teacher's classes don't allow distillation.
    """
    from tf_keras import callbacks as keras_callbacks
    from tf_keras import optimizers

    known = [layer.name for layer in model.layers]
    if unknown := next((name for name in freeze if name not in known), None):
        raise InputError(f"freeze: there is no layer '{unknown}'; layers are {', '.join(known)}")
    x, y = data["x_train"], data["y_train"]
    if teaching is not None:
        loss, y = _taught(loss, y, teaching, model.output_shape[-1])
    losses: list[float] = []
    curve: list[float] = []

    def after(epoch: int, logs: dict[str, float]) -> None:
        losses.append(float(logs["loss"]))
        if not np.isfinite(losses[-1]):
            raise InputError(
                f"the loss of epoch {epoch + 1} is {losses[-1]}; take a smaller learning_rate"
            )
        message: dict[str, Any] = {"epoch": epoch + 1, "loss": losses[-1]}
        if len(data["x_validation"]):
            curve.append(accuracy(model, data["x_validation"], data["y_validation"]))
            message["validation"] = curve[-1]
            model.stop_training = epoch < len(floor) and curve[-1] < floor[epoch]
        report(message)

    trainable = {layer.name: layer.trainable for layer in model.layers}
    for name in freeze:
        model.get_layer(name).trainable = False
    steps = -(-len(x) // training.batch_size) * training.epochs
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


def accuracy(model: Any, x: NDArray[Any], y: NDArray[np.int64]) -> float:
    """The share of samples whose largest output is at the label's index, from 0 to 1.

    Args:
        model: A tf-keras model with outputs [n, classes].
        x: Samples, float32 [n, *shape].
        y: Labels, int64 [n].
    """
    outputs = model.predict(x, batch_size=BATCH, verbose=0)
    return float(np.mean(outputs.argmax(axis=1) == y))


def _taught(
    loss: Any, labels: NDArray[np.int64], teaching: Teaching, classes: int
) -> tuple[Any, NDArray[np.float32]]:
    """The loss of a student, and its targets [n, 1 + classes]: label, then the teacher's logits."""
    import tensorflow as tf
    from tf_keras.losses import SparseCategoricalCrossentropy

    if not isinstance(loss, SparseCategoricalCrossentropy):
        raise InputError(
            "distil: a teacher's outputs are scores of classes, so the model's loss() must be "
            f"SparseCategoricalCrossentropy, not {getattr(loss, 'name', loss)}"
        )
    if teaching.outputs.shape[-1] != classes:
        raise InputError(
            f"distil: the teacher has {teaching.outputs.shape[-1]} classes, the model {classes}"
        )
    from_logits = loss.get_config()["from_logits"]
    temperature, weight = teaching.temperature, teaching.weight
    soft = _logits(teaching.outputs) / temperature

    def taught(targets: Any, outputs: Any) -> Any:
        logits = outputs if from_logits else tf.math.log(tf.maximum(outputs, _LEAST))
        ours = tf.nn.log_softmax(logits / temperature)
        theirs = tf.nn.log_softmax(targets[:, 1:])
        divergence = tf.reduce_sum(tf.exp(theirs) * (theirs - ours), axis=-1)
        hard = loss.call(targets[:, 0], outputs)
        return (1 - weight) * hard + weight * temperature**2 * divergence

    return taught, np.column_stack([labels, soft]).astype(np.float32)


def _logits(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits unchanged; probabilities, which are outputs that add up to one, as logarithms."""
    probabilities = (outputs >= 0).all() and np.allclose(outputs.sum(axis=-1), 1, atol=1e-3)
    return np.log(np.maximum(outputs, _LEAST)) if probabilities else outputs
