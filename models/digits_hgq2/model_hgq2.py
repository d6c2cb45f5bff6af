"""The network of `model.py` in layers of HGQ2, which train the width of each weight and activation.

It runs in HGQ2's own environment, so it imports nothing of Gatewright.
"""

from __future__ import annotations

from typing import Any

PIXELS = 64


def build(hidden1: int = 32, hidden2: int = 16, classes: int = 10) -> Any:
    """The untrained Keras model; its layers are named as those of `model.py`.

    Args:
        hidden1: Neurons of the first hidden layer.
        hidden2: Neurons of the second.
        classes: How many are told apart.
    """
    import keras
    from hgq.config import LayerConfigScope, QuantizerConfigScope
    from hgq.layers import QDense

    # From 3 bits and a sign most weights lose theirs soon; from 8 many keep bits of little use.
    weights = QuantizerConfigScope(
        default_q_type="kbi", place=("weight", "bias"), overflow_mode="SAT_SYM", b0=3, i0=0
    )
    # HGQ2's usual WRAP takes ranges from the training data. A thousand samples don't show all of
    # them: of other samples, those that wrapped cost up to three points of accuracy.
    activations = QuantizerConfigScope(
        default_q_type="kif", place="datalane", overflow_mode="SAT", i0=2, f0=3
    )
    with weights, activations, LayerConfigScope(enable_ebops=True):
        tensor = inputs = keras.Input((PIXELS,), name="pixels")
        for name, units in ("hidden1", hidden1), ("hidden2", hidden2):
            tensor = QDense(units, activation="relu", name=name)(tensor)
        return keras.Model(inputs, QDense(classes, name="logits")(tensor), name="digits_hgq2")


def loss() -> Any:
    """The loss that `build`'s outputs are trained with, to which HGQ2 adds the EBOPs."""
    from keras.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)
