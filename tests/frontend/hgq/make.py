"""Makes the models of HGQ2 in this folder, with what HGQ2 predicts of them: see README.md."""

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np
from hgq.config import QuantizerConfig, QuantizerConfigScope
from hgq.layers import (
    QAdd,
    QAveragePooling2D,
    QBatchNormalization,
    QBatchNormDense,
    QConv1D,
    QConv2D,
    QDense,
    QEinsum,
    QEinsumDense,
    QGlobalAveragePooling1D,
    QGlobalMaxPooling1D,
    QMaximum,
    QMaxPooling2D,
    QMeanPow2,
    QMultiHeadAttention,
    QMultiply,
    QSoftmax,
    QSubtract,
    QSum,
    QUnaryFunctionLUT,
)
from hgq.quantizer import Quantizer
from hgq.utils import trace_minmax

COUNT = 60


def widths(rng, model):
    """Widths that differ from element to element, as training on EBOPs leaves them."""
    for layer in model._flatten_layers():
        if type(layer).__name__.startswith("FixedPointQuantizer"):
            for variable, low, high in (
                (getattr(layer, "_b", None), 0, 7),
                (getattr(layer, "_f", None), -1, 5),
            ):
                if variable is not None:
                    # Tables have one width for all elements, and some bits.
                    least = low if variable.shape[-1] > 1 else high - 3
                    variable.assign(rng.uniform(least, high, variable.shape).astype("float32"))
            if layer.overflow_mode != "WRAP":
                layer._i.assign(rng.uniform(-1, 3, layer._i.shape).astype("float32"))


def dense():
    x = keras.layers.Input((12,))
    y = QBatchNormDense(10, activation="relu", name="d1")(x)
    y = QDense(8, activation="relu", name="d2", enable_oq=True)(y)
    return keras.Model(x, QDense(4, name="d3")(y))


def saturating():
    x = keras.layers.Input((8,))
    y = Quantizer(
        QuantizerConfig("kif", "datalane", overflow_mode="SAT", round_mode="RND_CONV"), name="q"
    )(x)
    y = QDense(
        6,
        activation="relu",
        name="d1",
        use_bias=False,
        iq_conf=QuantizerConfig("kbi", "datalane", overflow_mode="SAT_SYM", round_mode="TRN"),
        kq_conf=QuantizerConfig("kif", "weight", overflow_mode="SAT", round_mode="RND_CONV"),
    )(y)
    return keras.Model(
        x,
        QDense(3, name="d2", iq_conf=QuantizerConfig("kif", "datalane", overflow_mode="SAT_SYM"))(
            y
        ),
    )


def merges():
    x = keras.layers.Input((6,))
    a, b = QDense(5, name="a", activation="relu")(x), QDense(5, name="b")(x)
    y = QAdd(name="add", enable_oq=True)([a, b])
    z = QSubtract(name="sub")([y, a])
    m = QMaximum(name="maxi")([z, b])
    return keras.Model(x, QDense(3, name="out")(QMultiply(name="mul")([m, y])))


def images():
    x = keras.layers.Input((6, 6, 2))
    per_channel = QuantizerConfig("kif", "datalane", homogeneous_axis=(0, 1, 2))
    y = QConv2D(3, 3, activation="relu", name="c1", padding="same", iq_conf=per_channel)(x)
    y = QMaxPooling2D(2, name="pool")(y)
    y = QConv2D(4, 2, name="c2", activation="relu", iq_conf=per_channel)(y)
    return keras.Model(x, QDense(3, name="out")(keras.layers.Flatten()(y)))


def sequence():
    x = keras.layers.Input((10, 3))
    y = QConv1D(4, 3, strides=2, activation="relu", name="c1")(x)
    return keras.Model(x, QDense(2, name="out")(keras.layers.Flatten()(y)))


def einsums():
    x = keras.layers.Input((5, 4))
    y = QEinsumDense("bnc,cf->bnf", (5, 6), bias_axes="f", activation="relu", name="e1")(x)
    y = QEinsumDense("bnc,nm->bmc", (3, 6), name="e2", activation="relu", enable_oq=True)(y)
    return keras.Model(x, QEinsumDense("bnc,ncf->bf", 3, bias_axes="f", name="e3")(y))


def sums():
    x = keras.layers.Input((4, 4, 3))
    y = QBatchNormalization(name="norm")(x)
    y = QAveragePooling2D((2, 1), name="mean")(y)
    y = QDense(5, activation="relu", name="d1")(y)
    y = QSum(axes=(1,), scale=0.5, name="sum")(y)
    means = QMeanPow2(axes=(1,), name="means")(y)
    most = QGlobalMaxPooling1D(name="most")(y)
    y = QAdd(name="add")([means, most])
    rows = keras.layers.Reshape((16, 3))(x)
    z = QGlobalAveragePooling1D(name="whole")(QDense(4, name="d2", enable_oq=True)(rows))
    return keras.Model(x, keras.layers.Concatenate()([QDense(3, name="out")(y), z]))


def softmaxes():
    x = keras.layers.Input((3, 5))
    y = QSoftmax(name="rows", input_scaler=0.5, enable_oq=True)(QDense(4, name="d1")(x))
    z = QSoftmax(name="plain", stable=False, enable_iq=True)(QDense(3, name="d2")(x))
    flat = [keras.layers.Flatten()(each) for each in (y, z)]
    w = QSoftmax(name="whole")(QDense(4, name="d3")(flat[1]))
    return keras.Model(x, keras.layers.Concatenate()([*flat, w]))


def tables():
    x = keras.layers.Input((6,))
    own = {"allow_heterogeneous_table": False}
    found = [
        QUnaryFunctionLUT(function, name=f"of_{function}", **own)(
            QDense(3, name=f"d_{function}")(x)
        )
        for function in ("sigmoid", "tanh", "gelu", "silu", "exponential", "softplus", "elu")
    ]
    return keras.Model(x, keras.layers.Concatenate()(found))


def attention():
    x = keras.layers.Input((4, 6))
    y = QMultiHeadAttention(2, 3, name="own")(x)
    rows = keras.layers.Reshape((3, 8))(x)
    z = QMultiHeadAttention(1, 4, value_dim=2, use_bias=False, fuse="kv", name="other")(y, rows)
    w = QEinsum("bij,bkj->bik", name="products")([z, x])
    return keras.Model(x, QDense(3, name="out")(keras.layers.Flatten()(w)))


def channels():
    """Types of channels, as streams have them, and one type of elements that need several."""
    place = "datalane"
    with QuantizerConfigScope(place=place, default_q_type="kif", heterogeneous_axis=(-1,)):
        x = keras.layers.Input((6, 6, 2))
        y = QConv2D(3, 3, activation="relu", name="c1", padding="same")(x)
        y = QMaxPooling2D(2, name="pool")(y)
    with QuantizerConfigScope(place=place, default_q_type="kif", heterogeneous_axis=()):
        one = QConv2D(4, 2, name="c2")
    y = one(y)
    with QuantizerConfigScope(place=place, default_q_type="kif", heterogeneous_axis=(-1,)):
        y = Quantizer(QuantizerConfig("kif", place, heterogeneous_axis=(-1,)), name="q")(y)
        return keras.Model(x, QDense(3, name="out")(keras.layers.Flatten()(y)))


MODELS = (
    *(dense, saturating, merges, images, sequence, einsums, sums, softmaxes, tables),
    *(attention, channels),
)

for number, make in enumerate(MODELS):
    if make.__name__ not in (sys.argv[1:] or [each.__name__ for each in MODELS]):
        continue
    keras.utils.set_random_seed(number)
    rng = np.random.default_rng(number)
    model = make()
    for layer in model.layers:
        for variable in layer.weights:
            if variable.name in ("bias", "moving_mean", "bn_gamma", "beta") and len(variable.shape):
                variable.assign(rng.normal(0.5, 0.5, variable.shape).astype("float32"))
            if variable.name == "moving_variance":
                variable.assign(rng.uniform(0.5, 2, variable.shape).astype("float32"))
    widths(rng, model)
    shape = model.input_shape[1:]
    trace_minmax(model, rng.normal(0, 1, (200, *shape)).astype("float32"))
    inputs = rng.integers(-256, 256, (COUNT, *shape)) / 64  # some are beyond what was traced
    inputs = inputs.astype("float32")
    model.save(f"{make.__name__}.keras")
    np.savez_compressed(
        f"{make.__name__}.npz", inputs=inputs, outputs=np.asarray(model.predict(inputs, verbose=0))
    )
