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

#: Below the least probability that counts, so that its logarithm is finite.
_LEAST = 1e-7
#: Samples at a time where nothing is fitted.
BATCH = 1024


@dataclass(frozen=True)
class Devices:
    """What weights are fitted on.

    Attributes:
        names: As TensorFlow numbers them, with what they are where it knows that.
        scope: Makes a context for whatever makes and compiles a model.
    """

    names: tuple[str, ...]
    scope: Callable[[], AbstractContextManager[Any]]


@functools.cache
def use_devices(cpu_devices: int | None) -> Devices:
    """Decide what this process computes on, before anything is computed, and once for all.

    Batches are shared out among several devices, each of which has the weights
    (`tf.distribute.MirroredStrategy`).

    Args:
        cpu_devices: See `Training`.
    """
    import tensorflow as tf

    physical = [] if cpu_devices else tf.config.list_physical_devices("GPU")
    names = tuple(_gpu_name(device) for device in physical)
    for device in physical:
        tf.config.experimental.set_memory_growth(device, True)  # others may be at work on it
    if not physical:
        tf.config.set_visible_devices([], "GPU")
        count = cpu_devices or 1
        names = tuple(f"CPU:{number}" for number in range(count))
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * count,
        )
    # The same order of sums whatever else the machine does; devices wait for each other.
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
    """A teacher's part in the fitting of a student.

    Attributes:
        outputs: The teacher's for the training data [n, classes]: logits or probabilities.
        temperature: By which the logits of both are divided.
        weight: Of the soft loss, from 0 to 1; the labels' loss has the rest.
    """

    outputs: NDArray[np.float32]
    temperature: float
    weight: float


@dataclass(frozen=True)
class Fitted:
    """How the fitting went.

    Attributes:
        losses: After each epoch.
        curve: Validation accuracy after each epoch; empty without validation data.
        stopped: The last epoch's accuracy is below the floor.
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
    """Fit a model with Adam, the learning rate falling to zero along half a cosine.

    Call it where the model was made: within the scope of its devices.

    Args:
        model: A tf-keras model.
        data: As `load_arrays` gives it.
        loss: Keras' loss of labels and outputs.
        training: Epochs and the like; the caller handles the seed.
        teaching: With it the loss is (1 - weight) loss(y, outputs) + weight T^2 KL(softmax(teacher
            / T) || softmax(student / T)) (Hinton, Vinyals and Dean, 2015).
        freeze: Names of layers whose weights stay as they are.
        callbacks: Further ones of Keras.
        floor: Least validation accuracy per epoch; fitting ends where it is missed.
        report: Takes epoch, loss and validation accuracy after each epoch.

    Raises:
        InputError: if a layer doesn't exist, or the loss is none that a teacher's can be added to.
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
    """Share of samples whose largest output stands at the label."""
    outputs = model.predict(x, batch_size=BATCH, verbose=0)
    return float(np.mean(outputs.argmax(axis=1) == y))


def _taught(
    loss: Any, labels: NDArray[np.int64], teaching: Teaching, classes: int
) -> tuple[Any, NDArray[np.float32]]:
    """The loss of a student, and its targets: labels with the teacher's soft logits behind them."""
    import tensorflow as tf
    from tf_keras.losses import SparseCategoricalCrossentropy

    if not isinstance(loss, SparseCategoricalCrossentropy):
        raise InputError(
            "distil: a teacher's outputs are scores of classes, so the model's loss() has to be "
            f"SparseCategoricalCrossentropy, not {getattr(loss, 'name', loss)}"
        )
    if teaching.outputs.shape[-1] != classes:
        raise InputError(
            f"distil: the teacher tells {teaching.outputs.shape[-1]} classes apart, "
            f"the model {classes}"
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
    """Logits as they are; probabilities, which add up to one, as logarithms."""
    probabilities = (outputs >= 0).all() and np.allclose(outputs.sum(axis=-1), 1, atol=1e-3)
    return np.log(np.maximum(outputs, _LEAST)) if probabilities else outputs
