"""Who is speaking: nine men told apart by two vowels, with convolutions over time.

The data is JapaneseVowels of the UCI and UEA archives, which ships with sktime: utterances of the
vowels a and e, each a series of 12 cepstrum coefficients of linear prediction (Kudo, Toyama and
Shimbo, 1999). TensorFlow is imported only where a model is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gatewright.zoo.data import Split

STEPS = 29  # the longest utterance; shorter ones are followed by zeros
COEFFICIENTS = 12
SPEAKERS = 9


def load_data() -> Split:
    """Training and test set as the archive splits them, 270 and 370 utterances.

    Returns:
        x_train, y_train, x_test, y_test: x is float32 [n, STEPS, COEFFICIENTS]; y is int64 [n], the
        speaker from 0.
    """
    return (*_part("train"), *_part("test"))


def _part(split: str) -> tuple[np.ndarray, np.ndarray]:
    from sktime.datasets import load_japanese_vowels

    series, speakers = load_japanese_vowels(split=split, return_type="df-list")
    x = np.zeros((len(series), STEPS, COEFFICIENTS), np.float32)
    for padded, frame in zip(x, series, strict=True):
        padded[: len(frame)] = frame
    return x, np.asarray(speakers).astype(np.int64) - 1


def build(conv1: int = 16, conv2: int = 16) -> Any:
    """The untrained tf-keras model.

    Args:
        conv1: Filters of the first convolution.
        conv2: Filters of the second.
    """
    from tf_keras import Input, Model, layers, regularizers

    # A weight that becomes zero costs no adder.
    sparse = regularizers.l1(1e-4)
    tensor = inputs = Input((STEPS, COEFFICIENTS), name="cepstrum")
    tensor = layers.Conv1D(conv1, 3, padding="same", kernel_regularizer=sparse, name="conv1")(
        tensor
    )
    tensor = layers.ReLU(name="conv1_relu")(tensor)
    tensor = layers.MaxPooling1D(2, name="pool1")(tensor)
    tensor = layers.Conv1D(conv2, 3, kernel_regularizer=sparse, name="conv2")(tensor)
    tensor = layers.ReLU(name="conv2_relu")(tensor)
    tensor = layers.GlobalMaxPooling1D(name="peak")(tensor)
    outputs = layers.Dense(SPEAKERS, kernel_regularizer=sparse, name="logits")(tensor)
    return Model(inputs, outputs, name="vowels_conv1d")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with."""
    from tf_keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
