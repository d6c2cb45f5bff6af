"""Convolutions against hls4ml's C++ of both io types, and their circuits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import TARGET
from images import Draw, Trial, Trials, ports, random_images, streamed, struct, windows_of
from judge import Array, Call, cpp

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, Overflow, cast
from gatewright.kernels import Conv, DepthwiseConv, Tensor, windowed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

t = FixedType.parse


def geometry(draw: Draw, rank: int, *, streams: bool) -> dict[str, tuple[int, ...]]:
    """Window, strides, pads, dilation; what the C++ of streams knows of them."""
    window = draw.size(1 if rank == 1 else 2, 3), draw.size(2, 3)
    strides = draw.size(1, 3), draw.size(1, 3)
    pads, dilation = (0, 0, 0, 0), (1, 1)
    if not streams:
        pads = draw.size(0, 1), draw.size(0, 2), draw.size(0, 2), draw.size(0, 1)
        dilation = draw.size(1, 2), draw.size(1, 2)
    if rank == 1:
        window, strides = (1, window[1]), (1, strides[1])
        pads, dilation = (0, 0, *pads[2:]), (1, dilation[1])
    return {"window": window, "strides": strides, "pads": pads, "dilation": dilation}


def random_kernel(seed: int, *, depthwise: bool, rank: int, streams: bool) -> Conv | DepthwiseConv:
    draw = Draw(seed)
    form = geometry(draw, rank, streams=streams)
    channels = draw.size(1, 3)
    filters = channels if depthwise else draw.size(1, 3)
    spans = [d * (n - 1) + 1 for n, d in zip(form["window"], form["dilation"], strict=True)]
    padding = sum(form["pads"][:2]), sum(form["pads"][2:])
    image = [max(1, n - p) + draw.size(0, 4) for n, p in zip(spans, padding, strict=True)]
    image = [1, image[1]] if rank == 1 else image
    rows, columns = (
        (size + p - n) // stride + 1
        for size, p, n, stride in zip(image, padding, spans, form["strides"], strict=True)
    )
    filter_shape = (channels,) if depthwise else (channels, filters)
    source, weight, bias, to = draw.type(), draw.type(2, 6), draw.type(2, 6), draw.type()
    accum = draw.type(8, 20, Overflow.WRAP)
    if draw.rng.integers(2):
        accum = FixedType(32, 32 - source.frac - weight.frac)
    return (DepthwiseConv if depthwise else Conv)(
        "c",
        (Tensor("x", (*image[2 - rank :], channels), source),),
        Tensor("y", (*(rows, columns)[2 - rank :], filters), to),
        **form,  # type: ignore[arg-type]
        weights=draw.raw(weight, *form["window"], *filter_shape),
        bias=draw.raw(bias, filters),
        weight_type=weight,
        bias_type=bias,
        accum=accum,
    )


def trial(kernel: Conv | DepthwiseConv, *, streams: bool) -> Trial:
    rank = len(kernel.inputs[0].shape) - 1
    fill, sizes = windows_of(kernel)
    depthwise = isinstance(kernel, DepthwiseConv)
    function = f"{'depthwise_' if depthwise else ''}conv_{rank}d_cl"
    inputs, output = ports(
        kernel,
        Array(kernel.weight_type, kernel.weights.size),
        Array(kernel.bias_type, kernel.bias.size),
    )
    types = f"typedef X1 weight_t; typedef X2 bias_t; typedef {cpp(kernel.accum)} accum_t;"
    dense = "DepthwiseDenseLatency" if depthwise else "DenseLatency"
    template = "template <class A, class B, class C> using"
    mult = struct(
        "Mult",
        "nnet::dense_config",
        types,
        f"{template} kernel = nnet::{dense}<A, B, C>;",
        n_in=sizes["kernel_size"] * sizes["n_chan"],
        n_out=sizes["n_filt"],
        multiplier_limit=1,
    )
    config = struct(
        "Config",
        f"nnet::conv{rank}d_config",
        types,
        "static const unsigned strategy = nnet::latency; typedef Mult mult_config;",
        "static const nnet::conv_implementation implementation = "
        "nnet::conv_implementation::linebuffer;",
        "template <class A, class B> using fill_buffer = fill_buffer_0<A, B>;",
        "" if rank == 2 else f"{template} conv_kernel = nnet::Conv1DLatency<A, B, C>;",
        **sizes,
    )
    if streams:
        body = streamed(f"{function}<In, Out, Config>", kernel, ", x1, x2")
    else:
        body = f"nnet::{function}<X0, Y, Config>(x0, y, x1, x2);"
    call = Call(body, inputs, output, "\n".join((fill, mult, config)))
    return Trial(kernel, call, (kernel.weights, kernel.bias))


def trials(seeds: Iterable[int], rank: int) -> list[Trial]:
    """A convolution and a depthwise one in both io types per seed."""
    return [
        trial(random_kernel(seed, depthwise=depthwise, rank=rank, streams=streams), streams=streams)
        for seed in seeds
        for depthwise in (False, True)
        for streams in (False, True)
    ]


# These few draw all rounding modes, all overflow modes, pads on every side, and dilations.
FEW, MANY = (4, 9, 19), range(100, 140)


@pytest.fixture(scope="module")
def few(judge_cache: Path) -> list[Trials]:
    return [Trials(trials(FEW, rank), judge_cache, rank) for rank in (1, 2)]


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("index", range(4 * len(FEW)))
def test_golden_is_cpp_and_circuit_is_golden(few: list[Trials], index: int, rank: int) -> None:
    few[rank - 1].check(index)


@pytest.mark.full
@pytest.mark.parametrize("rank", [1, 2])
def test_golden_is_cpp_for_many(judge_cache: Path, rank: int) -> None:
    many = Trials(trials(MANY, rank), judge_cache, rank)
    for index in range(len(many.trials)):
        many.check(index)


CASE = Conv(
    "c",
    (Tensor("x", (4, 5, 2), t("fixed<6,2>")),),
    Tensor("y", (2, 2, 3), t("fixed<12,6>")),
    window=(3, 2),
    strides=(1, 2),
    pads=(0, 0, 0, 0),
    dilation=(1, 1),
    weights=np.arange(36).reshape(3, 2, 2, 3) - 18,
    bias=np.zeros(3, np.int64),
    weight_type=t("fixed<6,2>"),
    bias_type=t("fixed<6,2>"),
    accum=t("fixed<20,12>"),
)


def test_work_is_that_of_a_window_times_the_windows() -> None:
    window, work = CASE.product.operation_counts(), CASE.operation_counts()
    assert work.macs == 4 * window.macs == 4 * 36
    assert (work.bops, work.ebops) == (4 * window.bops, 4 * window.ebops)
    effective = [len(f"{abs(w):b}".strip("0")) for w in CASE.weights.ravel().tolist()]
    assert window.ebops == sum(effective) * CASE.inputs[0].type.width
    assert (work.weights, work.parameters) == (window.weights, window.parameters)
    assert CASE.implementation(TARGET) == CASE.product.implementation(TARGET)


def test_golden_outputs_of_many_images_are_those_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    x = random_images(CASE, 30, 0)
    expected = CASE.golden(x)
    monkeypatch.setattr(windowed, "_CHUNK", 4 * 12 * 7)
    np.testing.assert_array_equal(CASE.golden(x), expected)
    assert expected.any()


def test_what_a_window_refuses_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"layer 'c': its accumulator .* can saturate"):
        replace(CASE, accum=t("fixed<8,4,TRN,SAT>"))
    depthwise = replace(random_kernel(0, depthwise=True, rank=2, streams=False))
    with pytest.raises(UnsupportedError, match=r"layer 'c': its accumulator .* can saturate"):
        replace(
            depthwise,
            accum=t("fixed<3,3,TRN,SAT>"),
            weights=np.full_like(depthwise.weights, depthwise.weight_type.max),
        )


def test_an_output_of_another_size_is_refused() -> None:
    with pytest.raises(
        UnsupportedError, match=r"layer 'c': its output of \(2, 2\) pixels doesn't match"
    ):
        replace(CASE, pads=(1, 1, 0, 0))


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_results_are_accumulators_cast(seed: int, depthwise: bool) -> None:
    kernel = random_kernel(seed, depthwise=depthwise, rank=2, streams=False)
    images = random_images(kernel, 20, seed)
    held = kernel.accumulated(images)
    assert held.min() >= kernel.accum.min and held.max() <= kernel.accum.max
    results = cast(held, kernel.accum.frac, kernel.output.type)
    np.testing.assert_array_equal(results, kernel.golden(images))
