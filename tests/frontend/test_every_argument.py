"""Every argument of every layer and quantizer is honoured, refused, or does not matter.

The arguments are those of the classes' own signatures, in tf-keras, Keras 3 and QKeras, and the
judge is the layer's own prediction. An argument that a new version adds fails here until there are
values for it, and values that change nothing fail, too, as no test of it.
"""

import inspect
import re
import zlib

import numpy as np
import pytest

from gatewright.design import golden
from gatewright.errors import InputError
from gatewright.fixed import from_float, to_float
from gatewright.frontend import convert
from gatewright.frontend.kinds import IDENTITY, KINDS, MADE_BY_READERS, RECURRENT, is_training
from gatewright.frontend.quantizers import FUNCTIONS, QUANTIZERS
from gatewright.lower import lower
from gatewright.options import ConvertOptions

ROW, IMAGE, WORDS = (8, 4), (6, 8, 4), (5,)
MERGES = ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract", "Concatenate")

#: By class, the arguments that a layer can't be without.
NEEDED = {
    **{kind: {"units": 3} for kind in ("Dense", "QDense", "SimpleRNN", "LSTM", "GRU")},
    "EinsumDense": {"equation": "abc,cd->abd", "output_shape": (None, 4)},
    "QLSTM": {"units": 3, "activation": "tanh", "recurrent_activation": "sigmoid"},
    **{
        f"{prefix}{kind}{axes}D{suffix}": {
            "kernel_size": 3,
            **({} if kind == "DepthwiseConv" else {"filters": 4}),
            **({"strides": 2} if suffix == "Transpose" else {}),
        }
        for prefix in ("", "Q")
        for kind in ("Conv", "DepthwiseConv", "SeparableConv")
        for axes in (1, 2)
        for suffix in ("", "Batchnorm", "Transpose")
    },
    **{f"{kind}Pooling{axes}D": {"pool_size": 3} for kind in ("Average", "Max") for axes in (1, 2)},
    "Activation": {"activation": "linear"},
    "QActivation": {"activation": "quantized_bits(5, 1, alpha=1)"},
    "Embedding": {"input_dim": 6, "output_dim": 3},
    "Reshape": {"target_shape": (4, 8)},
    "RepeatVector": {"n": 2},
    "Permute": {"dims": (2, 1)},
    "Dot": {"axes": 1},
    "Rescaling": {"scale": 1.0},
    **{kind: {"rate": 0.5} for kind in IDENTITY if "Dropout" in kind},
    "GaussianNoise": {"stddev": 1.0},
    "Cropping2D": {"cropping": ((1, 1), (2, 1))},
}

BITS = "quantized_bits(3, 0, alpha=1)"
#: By argument, or by class and argument, values other than those of NEEDED and the defaults.
VALUES = {
    "activation": ["relu", "tanh", "softmax", "hard_sigmoid", "gelu", "silu"],
    ("QActivation", "activation"): ["quantized_relu(5, 1)", "binary", "ternary", "relu", "tanh"],
    ("QBatchNormalization", "activation"): ["relu"],
    "recurrent_activation": ["tanh", "hard_sigmoid"],
    ("GRU", "recurrent_activation"): ["hard_sigmoid"],  # whose state grows without bounds else
    "equation": ["abc,dc->abd", "abc,cd->adb", "abc,cbd->abd"],
    "output_shape": [(None, 2)],
    "output_padding": [0, 1],
    "bias_axes": ["d", "bd"],
    "return_sequences": [True],
    "return_state": [False],  # a layer with several results is refused before it is looked at
    "go_backwards": [True],
    "stateful": [True],
    "time_major": [True],
    "reset_after": [False],
    "state_quantizer": ["quantized_bits(3, 0, alpha=1)"],
    "alpha": [0.75],
    "negative_slope": [0.75],
    ("Dot", "axes"): [-1],
    "axis": [1],
    ("Softmax", "axis"): [1, (1, 2)],
    "bias_quantizer": [BITS, "quantized_bits(3, 0)", "ternary(alpha=1)"],
    **{
        f"{what}_quantizer": [BITS, "quantized_bits(3, 0)", "binary(alpha=1)", "quantized_po2(3)"]
        for what in ("kernel", "depthwise", "pointwise", "recurrent")
    },
    **{f"{what}_quantizer": ["quantized_bits(2, 0)"] for what in ("beta", "mean")},
    "gamma_quantizer": ["binary(alpha=1)"],
    "variance_quantizer": ["quantized_bits(3, 1, alpha=1)"],
    "center": [False],
    "scale": [False],
    ("Rescaling", "scale"): [0.5, [1.0, 0.5, 0.25, 2.0]],
    ("Rescaling", "offset"): [0.5, [1.0, 0.5, 0.25, 2.0]],
    ("Cropping1D", "cropping"): [(2, 1)],
    ("Cropping2D", "cropping"): [((2, 1), (0, 3))],
    "data_format": ["channels_first"],
    "depth_multiplier": [2],
    "dilation_rate": [2],
    "dims": [(1, 2)],
    "epsilon": [0.5],
    "filters": [2],
    "groups": [2],
    ("Embedding", "input_dim"): [8],
    ("Embedding", "output_dim"): [2],
    "interpolation": ["bilinear", "bicubic"],
    "keepdims": [True],
    "kernel_size": [2],
    "max_value": [0.75, 6],
    "threshold": [0.5],
    "theta": [0.25],
    "n": [3],
    "normalize": [True],
    "padding": ["same", "causal"],
    ("ZeroPadding1D", "padding"): [(2, 0)],
    ("ZeroPadding2D", "padding"): [((2, 1), (0, 3))],
    "pool_size": [2],
    "shared_axes": [[1]],
    "size": [3],
    "strides": [2, 3],
    "target_shape": [(2, 16), (-1, 2)],
    "units": [2],
    "use_bias": [False],
    "lora_rank": [1],
    "rms_scaling": [True],
    "mask_zero": [True],
}
#: Values of arguments that matter in training only, where any do.
TRAINING = {
    "trainable": False,
    "momentum": 0.5,
    "renorm": True,
    "synchronized": True,
    "folding_mode": "batch_stats_folding",
    "ema_freeze_delay": 3,
    "input_length": 5,
    "seed": 3,
    "rate": 0.25,
    "stddev": 0.5,
    "l1": 0.5,
    "l2": 0.5,
}
#: Arguments no value of which, that the class takes, changes anything.
SILENT = {
    ("Dot", "axes"),  # of two vectors
    ("Embedding", "mask_zero"),  # before a layer that takes no notice
    ("QBatchNormalization", "activation"),
    *((kind, "return_state") for kind in RECURRENT),
    *((kind, "stateful") for kind in RECURRENT),  # which would need to know the batch's size
    ("SpatialDropout2D", "data_format"),
    *((f"Conv{axes}DTranspose", "dilation_rate") for axes in (1, 2)),  # which excludes strides
    ("QConv1D", "data_format"),
    *(
        (f"Q{kind}2DBatchnorm", argument)
        for kind in ("Conv", "DepthwiseConv")
        for argument in ("axis", "center", "data_format")
    ),
}
#: By class (or any), argument and value, what a refusal says; what is not here is built and right.
REFUSED = {
    ("", "activation", "gelu"): "an activation that hls4ml has, not 'gelu'",
    ("", "lora_rank", "1"): "no argument 'lora_rank'",
    ("", "interpolation", "bicubic"): "interpolation='bicubic'; use interpolation='nearest'",
    ("", "normalize", "True"): "normalize=True is not supported",
    ("AveragePooling2D", "strides", "2", "stream"): "needs equal ones",
    **{
        (kind, argument, value): f"functions relu, sigmoid, tanh, not {value}"
        for kind in ("SimpleRNN", "LSTM", "GRU", "QLSTM")
        for argument in ("activation", "recurrent_activation")
        for value in ("softmax", "hard_sigmoid", "silu")
    },
    **{
        (kind, argument, "True"): f"{argument}=True is not supported"
        for kind in ("SimpleRNN", "LSTM", "GRU", "QLSTM")
        for argument in ("time_major",)
    },
    ("LayerNormalization", "axis", "1"): "hls4ml normalizes the last axis only; use axis=-1",
    ("LayerNormalization", "epsilon", "0.5"): "powers of ten below 1 as epsilon, not 0.5",
    ("EinsumDense", "equation", "abc,cd->adb"): "can't read a tensor",
    ("EinsumDense", "equation", "abc,cbd->abd"): "other weights for each position along 'b'",
    ("", "reset_after", "False"): "hls4ml's C[+][+] resets after the product with the state",
    ("QLSTM", "state_quantizer", "quantized_bits(3, 0, alpha=1)"): "one type for the state",
    ("QActivation", "activation", "ternary", "stream"): "on a tensor of rank above 1; use io_par",
}
#: By io type and class, what a refusal of all of its arguments says.
LACKED = {
    ("stream", "Dot"): "hls4ml has no C[+][+] for it in io_stream",
}


def shapes(kind):
    """The shapes that a layer of a class reads."""
    if kind in MERGES:
        return (ROW, ROW)
    if kind == "Dot":
        return ((6,), (6,))
    if kind == "RepeatVector":
        return ((6,),)
    if kind == "Embedding":
        return (WORDS,)
    return (IMAGE,) if "2D" in kind else (ROW,)


class Framework:
    """Layers of one module, in models of the Keras that it is for."""

    def __init__(self, name, keras):
        import keras as keras3
        import qkeras

        self.keras = keras3 if name == "keras" else keras
        self._layers = qkeras if name == "qkeras" else self.keras.layers

    def class_of(self, kind):
        return getattr(self._layers, kind, None)

    def arguments(self, kind):
        """The arguments of a class that decide what it computes, if they are set."""
        names = list(inspect.signature(self.class_of(kind).__init__).parameters)[1:]
        rest = ("kwargs", "name", "dtype", "weights", "lora_alpha", "quantization_config")
        rest += ("gptq_unpacked_column_size",)
        return [name for name in names if name not in rest]

    def built(self, kind, given):
        """A model of one layer, with weights that tell its inputs apart."""
        inputs = [self.keras.Input(shape) for shape in shapes(kind)]
        read = inputs
        if kind != "Embedding":  # hls4ml has no C++ for a network that does nothing
            read = [self.keras.layers.ReLU(negative_slope=0.5)(each) for each in inputs]
        layer = self.class_of(kind)(**given)
        model = self.keras.Model(inputs, layer(read if len(read) > 1 else read[0]))
        for weight in layer.weights:
            # By name, as some arguments add arrays, or change their order.
            name = weight.name.rpartition("/")[2].partition(":")[0]
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            # No power of two, which may lie in the middle between two others.
            value = rng.integers(1, 16, weight.shape) / 16 + 1 / 32
            is_positive = any(part in name for part in ("gamma", "variance", "iteration"))
            weight.assign(value * (1 if is_positive else rng.choice([-1, 1], weight.shape)))
        return model


@pytest.fixture(scope="module")
def frameworks(keras):
    return {name: Framework(name, keras) for name in ("tf_keras", "keras", "qkeras")}


def samples(model, kind):
    rng = np.random.default_rng(2)
    given = [each.shape[1:] for each in model.inputs]
    if kind == "Embedding":
        return [rng.integers(0, 6, (20, *shape)).astype(np.float32) for shape in given]
    return [(rng.integers(-32, 33, (20, *shape)) / 16).astype(np.float32) for shape in given]


def judged(model, kind, io):
    """What the model predicts, and what is wrong with the hardware's outputs, or the refusal."""
    inputs = samples(model, kind)
    expected = np.asarray(model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0))
    try:
        design = lower(convert(model, options=ConvertOptions(io=io)))
    except InputError as refusal:
        return expected, "", str(refusal)
    read = zip(inputs, design.inputs, strict=True)
    raw = golden.run(design, [from_float(x, tensor.type) for x, tensor in read])
    (output,) = design.outputs
    found = to_float(raw[output.name], output.type.frac).reshape(expected.shape)
    off = np.abs(found - expected).max()
    return expected, f"{off:g} off" if off > TOLERANCE * (1 + np.abs(expected).max()) else "", ""


#: Of outputs, which tables and rounded factors use up.
TOLERANCE = 0.015


def refusal_of(kind, argument, value, io):
    """What a refusal of a value has to say, if it is to be refused."""
    case = (argument, str(value))
    keys = (where + case + end for where in ((kind,), ("",)) for end in ((), (io,)))
    return next((REFUSED[key] for key in keys if key in REFUSED), LACKED.get((io, kind)))


def complaints(framework, kind, io):
    """What is wrong with each argument and value of a class."""
    needed = NEEDED.get(kind, {})
    plain, *outcome = judged(framework.built(kind, needed), kind, io)
    yield from complaint("alone", outcome, LACKED.get((io, kind)))
    for argument in framework.arguments(kind):
        if is_training(argument):
            continue
        values = VALUES.get((kind, argument), VALUES.get(argument))
        if values is None:
            yield f"{argument}: there are no values to try"
            continue
        matters = False
        for value in values:
            try:
                model = framework.built(kind, {**needed, argument: value})
            except (AssertionError, TypeError, ValueError):
                continue  # the class itself does not take it
            expected, *outcome = judged(model, kind, io)
            matters |= expected.shape != plain.shape or np.abs(expected - plain).max() > 0.05
            reason = refusal_of(kind, argument, value, io)
            yield from complaint(f"{argument}={value}", outcome, reason)
        if matters == ((kind, argument) in SILENT):
            yield f"{argument}: {'a' if matters else 'no'} value changes the result"


def complaint(case, outcome, reason):
    """What is wrong with a case, whose refusal is to match `reason`, if it is to be refused."""
    wrong, refused = outcome
    if wrong:
        yield f"{case}: {wrong}"
    elif bool(refused) != bool(reason) or not re.search(reason or "", refused):
        yield f"{case}: {refused or 'is built'}"


#: Layers of QKeras that this TensorFlow can't run.
DEAD = ("QSimpleRNN", "QGRU", "QConv2DTranspose")
CLASSES = [kind for kind in KINDS if kind not in (*DEAD, *MADE_BY_READERS, "InputLayer")]
#: Each with the modules that may have it.
PLACES = [
    (name, kind)
    for kind in CLASSES
    for name in (("qkeras",) if kind.startswith("Q") else ("tf_keras", "keras"))
]
#: Those that run with the fast tests: one of each sort.
FEW = ("MaxPooling1D", "ReLU", "QDense")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(*each, marks=() if each[1] in FEW and each[0] != "keras" else pytest.mark.full)
        for each in PLACES
    ],
)
def test_every_argument_of_layers(frameworks, name, kind):
    framework = frameworks[name]
    if framework.class_of(kind) is None:
        # We read it of files: Keras 3 dropped some classes, and others are hls4ml's or HGQ's.
        pytest.skip("this version has no such class")
    found = [
        f"{io}: {each}" for io in ("parallel", "stream") for each in complaints(framework, kind, io)
    ]
    assert not found, "\n".join(found)


@pytest.mark.full
@pytest.mark.parametrize(("name", "kind"), PLACES)
def test_arguments_of_training_change_nothing(frameworks, name, kind):
    framework = frameworks[name]
    if framework.class_of(kind) is None:
        # We read it of files: Keras 3 dropped some classes, and others are hls4ml's or HGQ's.
        pytest.skip("this version has no such class")
    needed = NEEDED.get(kind, {})
    given = {key: TRAINING[key] for key in framework.arguments(kind) if key in TRAINING}
    expected, *outcome = judged(framework.built(kind, needed), kind, "parallel")
    assert not list(complaint("alone", outcome, LACKED.get(("parallel", kind))))
    found, *outcome = judged(framework.built(kind, {**needed, **given}), kind, "parallel")
    assert not list(complaint("in training", outcome, LACKED.get(("parallel", kind))))
    np.testing.assert_array_equal(found, expected)


#: By argument, values other than the defaults of quantizers.
QUANTIZED = {
    "bits": [3],
    "integer": [1],
    "symmetric": [True],
    "keep_negative": [False],
    "alpha": [1, 0.75, "auto", "auto_po2"],
    "use_stochastic_rounding": [True],
    "scale_axis": [0],
    "qnoise_factor": [0.5],
    "var_name": ["v"],
    "use_ste": [False],
    "use_variables": [True],
    "use_01": [True],
    "max_value": [0.5],
    "quadratic_approximation": [True],
    "log2_rounding": ["floor"],
    "use_sigmoid": [1],
    "negative_slope": [0.25],
    "relu_upper_bound": [0.5],
    "is_quantized_clip": [False],
    "threshold": [0.2],
    "number_of_unrolls": [2],
    "temperature": [2.0],
    "use_real_sigmoid": [False, True],
    "use_real_tanh": [True],
    "u": [100.0],
}
ROLES = ("activation", "kernel")
#: By role, quantizer (or any), argument (or any) and value, what a refusal says.
REFUSED_QUANTIZERS = {
    **{(role, "bernoulli", "", ""): "draws at random" for role in ROLES},
    **{(role, "", "qnoise_factor", "0.5"): "whose qnoise_factor is 1" for role in ROLES},
    **{
        ("activation", kind, "", ""): f"hls4ml has no activation '{kind}'"
        for kind in ("quantized_po2", "quantized_relu_po2", "quantized_ulaw")
    },
    **{("activation", "", "alpha", how): "measured at run time" for how in ("auto", "auto_po2")},
    ("activation", "quantized_relu", "use_sigmoid", "1"): "drops use_sigmoid",
    ("activation", "quantized_relu", "negative_slope", "0.25"): "its slope ends at an input of -1",
}


def quantizer_complaints(framework, kind, role):
    """What is wrong with each argument and value of a quantizer of weights or of an activation."""
    import qkeras

    cls = getattr(qkeras, kind)
    for argument in list(inspect.signature(cls.__init__).parameters)[1:]:
        for value in QUANTIZED[argument]:
            layer, given = "QActivation", {"activation": cls(**{argument: value})}
            if role == "kernel":
                layer, given = "QDense", {"units": 3, "kernel_quantizer": cls(**{argument: value})}
            try:
                model = framework.built(layer, given)
            except (AssertionError, ValueError):
                continue  # QKeras itself fails
            keys = ((kind, argument, str(value)), (kind, "", ""), ("", argument, str(value)))
            reasons = [REFUSED_QUANTIZERS.get((role, *key), "") for key in keys]
            _, *outcome = judged(model, kind, "parallel")
            yield from complaint(f"{argument}={value}", outcome, "|".join(filter(None, reasons)))


#: Quantizers that differ from others only in what training does, or are two others in one.
_LIKE_OTHERS = ("bernoulli", "stochastic_binary", "stochastic_ternary", "quantized_relu_po2")


@pytest.mark.parametrize("role", ["activation", pytest.param("kernel", marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[pytest.mark.full] if kind in _LIKE_OTHERS else [])
        for kind in QUANTIZERS
        if kind not in FUNCTIONS
    ],
)
def test_every_argument_of_quantizers(frameworks, kind, role):
    found = list(quantizer_complaints(frameworks["qkeras"], kind, role))
    assert not found, "\n".join(found)
