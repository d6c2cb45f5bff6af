"""Ranges of weights and activations against their types."""

import numpy as np
import pytest

from gatewright.design import golden
from gatewright.fixed import FixedType
from gatewright.flow.convert import load_design
from gatewright.flow.inputs import random_inputs
from gatewright.flow.ranges import ACCUMULATED, activation_ranges, range_of, weight_ranges
from gatewright.results.ranges import TypeRange

BITS = 6


def needs(kind, raw, high, low):
    """Whether a type without so many high and low bits holds all values."""
    width = kind.width - high - low
    if width < 1:
        return not raw.any()
    shifted = raw >> low
    least, most = (
        (-(1 << (width - 1)), (1 << (width - 1)) - 1) if kind.signed else (0, 2**width - 1)
    )
    return bool((shifted << low == raw).all() and shifted.min() >= least and shifted.max() <= most)


@pytest.mark.parametrize("signed", [True, False])
def test_unused_bits_are_those_that_can_go_and_no_more(signed):
    kind = FixedType(BITS, 2, signed)
    generator = np.random.default_rng(7)
    for count in range(300):
        low, high = sorted(generator.integers(kind.min, kind.max + 1, 2))
        step = 1 << generator.integers(0, 4)
        raw = generator.integers(low, high + 1, 1 + count % 5) // step * step
        found = range_of("fc", "result", kind, raw)
        assert needs(kind, raw, found.unused_high, 0) and needs(kind, raw, 0, found.unused_low)
        if raw.any():
            assert needs(kind, raw, found.unused_high, found.unused_low)
            assert not needs(kind, raw, 0, found.unused_low + 1)
            assert found.unused_high == BITS - 1 or not needs(kind, raw, found.unused_high + 1, 0)
        assert (found.least, found.greatest) == (raw.min() / 16, raw.max() / 16)


@pytest.mark.parametrize(
    ("kind", "raw", "limits", "saturates"),
    [
        ("fixed<4,2,RND,SAT>", [-8, -8, 7, 1], 3, True),
        ("fixed<4,2,RND,SAT_SYM>", [-7, -7, 7, 1], 3, True),
        ("fixed<4,2>", [-8, -8, 7, 1], 3, False),
        ("ufixed<4,2,RND,SAT>", [0, 0, 0, 1], 0, False),
        ("ufixed<4,2,RND,SAT>", [0, 15, 0, 1], 1, True),
        ("ufixed<4,2,RND,SAT>", [15, *[3] * 19], 1, False),
        ("fixed<2,2,RND,SAT>", [1, 1, -2], 3, False),
    ],
)
def test_where_types_saturate(kind, raw, limits, saturates):
    found = range_of("fc", "result", FixedType.parse(kind), np.array(raw))
    assert (found.at_limits, found.saturates) == (limits, saturates)


def test_a_design(converted):
    design = load_design(converted / "project")
    values = golden.run(design, random_inputs(design, 50, 1))
    weights = {(each.layer, each.role): each for each in weight_ranges(design)}
    for kernel in design.kernels:
        if hasattr(kernel, "weights"):
            found = weights[design.called(kernel.layer), "weight"]
            assert found.type == str(kernel.weight_type) and found.values == kernel.weights.size
            assert found.greatest == kernel.weights.max() * 2.0**-kernel.weight_type.frac
    assert len(weights) == 4  # of two layers, with biases
    inputs, *results = activation_ranges(design, values)
    assert (inputs.layer, inputs.role) == (design.inputs[0].name, "input")
    assert (inputs.least, inputs.greatest, inputs.at_limits) == (-2.0, 1.9375, 2 * 3)
    roles = [each.role for each in results]
    assert roles == ["accumulator", "result", "result", "accumulator", "result"]
    assert results[-1].values == values[design.outputs[0].name].size


def test_accumulators_of_a_design(converted):
    """Sums of products by NumPy, wrapped by hand to the accumulator's width."""
    design = load_design(converted / "project")
    values = golden.run(design, random_inputs(design, ACCUMULATED + 50, 1))
    found = {e.layer: e for e in activation_ranges(design, values) if e.role == "accumulator"}
    layers = [kernel for kernel in design.kernels if hasattr(kernel, "weights")]
    assert len(found) == len(layers) == 2
    for kernel in layers:
        x = values[kernel.inputs[0].name][:ACCUMULATED].astype(object)
        frac = kernel.inputs[0].type.frac + kernel.weight_type.frac
        bias = [int(each) << (frac - kernel.bias_type.frac) for each in kernel.bias]
        sums = (x @ kernel.weights.astype(object) + bias).astype(float) * 2.0**-frac
        least, span = kernel.accum.min * 2.0**-kernel.accum.frac, 2.0**kernel.accum.integer
        steps = np.floor(sums * 2.0**kernel.accum.frac) * 2.0**-kernel.accum.frac
        wrapped = (steps - least) % span + least
        own = found[design.called(kernel.layer)]
        assert own.type == str(kernel.accum) and own.values == sums.size
        assert (own.least, own.greatest) == (wrapped.min(), wrapped.max())


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("least", 3.0, "least is larger than greatest"),
        ("at_limits", 5, "more values at the limits than values"),
        ("unused_low", 9, "more unused bits than bits"),
        ("type", "float", "is not a fixed-point type"),
    ],
)
def test_ranges_that_contradict_themselves(field, value, words):
    fields = {"layer": "fc", "role": "result", "type": "fixed<8,2>", "values": 4, "least": -1.0,
              "greatest": 1.0, "at_limits": 0, "unused_high": 0, "unused_low": 0}  # fmt: skip
    assert TypeRange.model_validate(fields)
    with pytest.raises(ValueError, match=words):
        TypeRange.model_validate(fields | {field: value})
