"""Types of channels in streams, against `ap_fixed` casts of each element."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from gatewright.design import golden
from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, Overflow, Rounding, cast
from gatewright.frontend import convert
from gatewright.frontend.kinds import KINDS
from gatewright.frontend.network import Layer, Network
from gatewright.frontend.passes import supported
from gatewright.lower import lower
from gatewright.options import ConvertOptions

CHANNELS = 5
INPUT = FixedType.parse("fixed<12,5>")


def quantizer(name, source, types, rounding="RND", overflow="WRAP"):
    """A quantizer with a type for each channel; a pair of sign, bits and integer bits of each."""
    keys = ("keep_negative", "bits", "integers")
    masks = {key: np.array([[each[n] for each in types]], np.int16) for n, key in enumerate(keys)}
    arguments = {
        "fusible": False, "RND": rounding.lower(), "SAT": overflow.lower(), "overrides": None,
    }  # fmt: skip
    return Layer(
        name,
        "FixedPointQuantizer",
        (source,),
        MappingProxyType(arguments),
        weights=MappingProxyType(masks),
    )


def network_of(cases, shape=(CHANNELS,)):
    """A network with an input and a quantizer for each case."""
    known = {key: each.default for key, each in KINDS["InputLayer"].arguments.items()}
    inputs = [
        Layer(f"x{n}", "InputLayer", (), MappingProxyType({**known, "shape": shape}))
        for n in range(len(cases))
    ]
    layers = [quantizer(f"q{n}", f"x{n}", *case) for n, case in enumerate(cases)]
    names = tuple(each.name for each in inputs)
    outputs = tuple(each.name for each in layers)
    return Network("net", (*inputs, *layers), names, outputs, framework="keras3")


def random_case(rng):
    """Types of channels; some have no bits. Only wrapping ones have several widths or signs."""
    wraps, mixed = rng.random() < 0.7, rng.random() < 0.5
    signs = rng.integers(0, 2, CHANNELS) if wraps and mixed else [rng.integers(0, 2)] * CHANNELS
    widths = rng.integers(1, 7, CHANNELS) if wraps else [rng.integers(2, 7)] * CHANNELS
    used = rng.random(CHANNELS) < 0.9
    types = [
        (int(k), int(b) if u else 0, int(rng.integers(-2, 6)) if u else 0)
        for k, b, u in zip(signs, widths, used, strict=True)
    ]
    rounding = rng.choice(["TRN", "RND", "RND_CONV"])
    return types, rounding, "WRAP" if wraps else rng.choice(["SAT", "SAT_SYM"])


def quantized(raw, types, rounding, overflow):
    """The values of channels in their types."""
    columns = []
    for channel, (k, b, i) in zip(raw.T, types, strict=True):
        to = FixedType(b, i, bool(k), Rounding(rounding), Overflow(overflow)) if b else None
        found = 0.0 * channel if to is None else cast(channel, INPUT.frac, to) * 2.0**-to.frac
        columns.append(found)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full)])
def test_every_value_of_every_channel(seed):
    rng = np.random.default_rng(seed)
    cases = [random_case(rng) for _ in range(10)]
    options = ConvertOptions(input_precision=str(INPUT), io="stream")
    design = lower(convert(network_of(cases), None, options))
    values = np.arange(INPUT.min, INPUT.max + 1)
    raw = np.stack([rng.permutation(values) for _ in range(CHANNELS)], axis=1)
    found = golden.run(design, [raw] * len(cases))
    for output, case in zip(design.outputs, cases, strict=True):
        given = found[output.name].reshape(raw.shape) * 2.0**-output.type.frac
        np.testing.assert_array_equal(given, quantized(raw, *case), err_msg=str(case))


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_one_type_of_channels_that_need_several_keeps_its_fraction(io):
    """hls4ml would narrow it to 5 bits, 7 of them before the point."""
    apart, together = [(1, 5, 7), (1, 5, 3)], [(1, 12, 8)] * 2
    network = network_of([(apart, "RND", "WRAP")], (2,))
    statistics = {"gamma": 2.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}
    known = {key: each.default for key, each in KINDS["BatchNormalization"].arguments.items()}
    twice = Layer(
        "twice",
        "BatchNormalization",
        ("q0",),
        MappingProxyType({**known, "epsilon": 0.0}),
        weights=MappingProxyType({k: np.full(2, v, np.float32) for k, v in statistics.items()}),
    )
    last = quantizer("last", "twice", together)
    masks = {key: mask[:, :1] for key, mask in last.weights.items()}
    last = replace(last, weights=MappingProxyType(masks))
    network = replace(network, layers=(*network.layers, twice, last), outputs=("last",))
    design = lower(convert(network, None, ConvertOptions(input_precision=str(INPUT), io=io)))
    raw = np.random.default_rng(1).integers(INPUT.min, INPUT.max + 1, (500, 2))
    (output,) = design.outputs
    found = golden.run(design, [raw])[output.name].reshape(raw.shape) * 2.0**-output.type.frac
    np.testing.assert_array_equal(found, 2 * quantized(raw, apart, "RND", "WRAP"))


@pytest.mark.parametrize(
    ("types", "overflow", "shape", "reason"),
    [
        ([(1, 4, 2), (1, 5, 2)], "SAT", (2,), "types of several widths or signs with overflow sat"),
        ([(1, 4, 2), (0, 4, 2)], "SAT", (2,), "types of several widths or signs with overflow sat"),
        ([(1, 4, 2), (1, 5, 2)], "WRAP", (2, 1), "types that differ from pixel to pixel"),
    ],
)
def test_what_streams_do_not_have_is_refused_by_name(types, overflow, shape, reason):
    network = network_of([(types, "RND", overflow)], shape)
    if len(shape) > 1:
        *others, last = network.layers
        masks = {key: mask[..., np.newaxis] for key, mask in last.weights.items()}
        last = replace(last, weights=MappingProxyType(masks))
        network = replace(network, layers=(*others, last))
    with pytest.raises(UnsupportedError, match=f"layer 'q0' has {reason}.* --io parallel, or"):
        supported(network, "stream")
    assert supported(network, "parallel").layers == network.layers
