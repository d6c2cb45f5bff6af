"""Words that an embedding masks, which hls4ml takes no notice of."""

import pytest

from gatewright.errors import UnsupportedError
from gatewright.frontend import convert


def model(keras, *layers, masks=True):
    words = keras.layers.Embedding(6, 3, mask_zero=masks, name="words")
    return keras.Sequential([keras.layers.Input((5,)), words, *layers], name="m")


def test_a_mean_of_some_words_is_refused(keras):
    layers = keras.layers
    average = layers.GlobalAveragePooling1D(name="mean")
    with pytest.raises(UnsupportedError, match=r"layer 'words': .* 'mean' .* use mask_zero=False"):
        convert(model(keras, layers.Dropout(0.5), layers.Dense(2), average))
    assert convert(model(keras, layers.Dense(2), average, masks=False))  # as it says


def test_a_mask_that_nothing_reads_does_not_matter(keras):
    layers = keras.layers
    convert(model(keras, layers.Flatten(), layers.Dense(2)))
    convert(model(keras, layers.Conv1D(2, 3), layers.GlobalAveragePooling1D()))
