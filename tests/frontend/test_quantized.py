"""Quantizers evaluated in NumPy against QKeras' own, bit for bit in float32."""

from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gatewright.frontend.network import Object
from gatewright.frontend.quantized import quantize
from gatewright.frontend.quantizers import QUANTIZERS

FLAG = st.booleans()
BITS, INTEGER = st.integers(1, 12), st.integers(0, 6)
NUMBER = st.sampled_from([0.25, 0.3, 0.5, 1, 1.0, True, 2.7, -0.5])
ALPHA = st.one_of(st.none(), NUMBER, st.sampled_from(["auto", "auto_po2"]))
SLOPE = st.sampled_from([0.0, 0.25, 0.5, 1.0])
PLACES = st.sampled_from([None, 0.7, 1, 1.5, 8.0])

#: By class, the arguments that matter where nothing is learned.
ARGUMENTS = {
    "binary": {"use_01": FLAG, "alpha": ALPHA},
    "quantized_bits": {
        "bits": BITS,
        "integer": INTEGER,
        "symmetric": FLAG,
        "keep_negative": FLAG,
        "alpha": st.one_of(ALPHA, st.just((0.5, 1.0, 0.3))),
        "scale_axis": st.sampled_from([None, 0, 1]),
        "use_stochastic_rounding": FLAG,
        "use_ste": FLAG,
        "use_variables": FLAG,
    },
    "quantized_po2": {
        "bits": st.integers(2, 6),
        "max_value": PLACES,
        "quadratic_approximation": FLAG,
        "log2_rounding": st.sampled_from(["rnd", "floor"]),
        "use_stochastic_rounding": FLAG,
        "use_ste": FLAG,
    },
    "quantized_relu": {
        "bits": st.integers(2, 12),
        "integer": INTEGER,
        "use_sigmoid": FLAG,
        "negative_slope": SLOPE,
        "relu_upper_bound": PLACES,
        "is_quantized_clip": FLAG,
        "use_stochastic_rounding": FLAG,
        "use_ste": FLAG,
    },
    "quantized_relu_po2": {
        "bits": st.integers(1, 5),
        "max_value": PLACES,
        "negative_slope": SLOPE,
        "quadratic_approximation": FLAG,
        "log2_rounding": st.sampled_from(["rnd", "floor"]),
        "use_ste": FLAG,
    },
    "quantized_sigmoid": {"bits": BITS, "symmetric": FLAG, "use_stochastic_rounding": FLAG},
    "quantized_tanh": {"bits": BITS, "symmetric": FLAG, "use_stochastic_rounding": FLAG},
    "stochastic_binary": {"alpha": ALPHA, "temperature": st.sampled_from([2.0, 6.0])},
    "stochastic_ternary": {
        "alpha": ALPHA,
        "threshold": st.sampled_from([None, None, 0.1, 0.8]),
        "number_of_unrolls": st.integers(1, 5),
    },
    "ternary": {
        "alpha": ALPHA,
        "threshold": st.sampled_from([None, None, 0.1, 0.8]),
        "use_stochastic_rounding": FLAG,
        "number_of_unrolls": st.integers(1, 5),
    },
}

#: Multiples of 2^-10, and numbers in between.
SOME = st.one_of(
    st.integers(-4096, 4096).map(lambda n: n / 1024), st.floats(-40, 40, width=32), st.just(0.0)
)
ARRAYS = st.one_of(
    st.lists(SOME, min_size=3, max_size=3),
    st.lists(SOME, min_size=12, max_size=12).map(lambda v: np.reshape(v, (4, 3))),
).map(lambda v: np.asarray(v, np.float32))
CASES = st.sampled_from(sorted(ARGUMENTS)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.fixed_dictionaries(ARGUMENTS[kind]))
)


def made(kind, **given_arguments):
    defaults = {key: each.default for key, each in QUANTIZERS[kind].items()}
    return Object(kind, MappingProxyType({**defaults, **given_arguments}))


def theirs(qkeras, kind, arguments, x):
    import tensorflow as tf

    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in arguments.items()}
    quantizer = getattr(qkeras, kind)(**plain)
    return quantizer, np.asarray(quantizer(tf.constant(x)))


@pytest.fixture(scope="module")
def qkeras(keras):
    import qkeras

    return qkeras


def is_near_a_middle(x):
    """Whether a value is as far from one power of two as from the next, or nearly so."""
    with np.errstate(divide="ignore"):
        exponents = np.log2(np.abs(np.asarray(x, np.float64)))
    exponents = exponents[np.isfinite(exponents)]
    return bool((np.abs(exponents % 1 - 0.5) < 1e-5).any())


@given(CASES, ARRAYS)
@example(("quantized_bits", {"bits": 1, "integer": 1, "alpha": True}), np.float32([0.5, -0.5, 0]))
@example(("quantized_bits", {"bits": 4, "integer": 4, "alpha": 1}), np.float32([20, -16, 0.5]))
@example(("quantized_bits", {"alpha": "auto_po2"}), np.zeros((4, 3), np.float32))
@settings(max_examples=300)
def test_values_are_those_of_qkeras(qkeras, case, x):
    kind, arguments = case
    po2 = "po2" in kind or arguments.get("alpha") == "auto_po2"
    if po2:
        sloped = np.float64(x) * float(arguments.get("negative_slope") or 1)
        scaled = np.sqrt(np.abs(x)) if arguments.get("quadratic_approximation") else sloped
        limit = arguments.get("max_value") or 1
        assume(not any(is_near_a_middle(v) for v in (x, scaled, sloped, limit, np.sqrt(limit))))
    try:
        quantizer, expected = theirs(qkeras, kind, arguments, x)
    except (AssertionError, TypeError):
        with pytest.raises(ValueError, match="QKeras"):
            quantize(made(kind, **arguments), x)
        return
    if not np.isfinite(expected).all():
        with pytest.raises(ValueError, match="no numbers"):
            quantize(made(kind, **arguments), x)
        return
    found = quantize(made(kind, **arguments), x)
    if kind != "quantized_bits" and isinstance(arguments.get("alpha"), str):
        # The order in which a mean is summed is the machine's.
        np.testing.assert_allclose(found.values, expected, rtol=1e-6)
    else:
        np.testing.assert_array_equal(found.values, expected)
    if found.scale is not None:
        np.testing.assert_allclose(found.scale, np.asarray(quantizer.scale, np.float32), rtol=1e-6)
