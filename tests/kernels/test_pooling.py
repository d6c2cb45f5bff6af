"""Pooling against hls4ml's C++ of both io types, and circuits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import check_circuit, values
from images import Draw, Trial, Trials, ports, random_images, streamed, struct, windows_of
from judge import Call, cpp

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import GlobalPooling, Pooling, Quotient, Tensor
from gatewright.kernels.windowed import image_shape

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

t = FixedType.parse


def types(draw: Draw, operation: str, size: int) -> tuple[FixedType, FixedType, FixedType]:
    """Of input, accumulator and output; one accumulator in two as hls4ml infers it."""
    source = draw.type()
    if draw.rng.integers(2):
        bits = (size - 1).bit_length() if operation == "average" else 0
        width, integer = source.width + 2 * bits, source.integer + bits
        return source, FixedType(width, integer, source.signed), draw.type()
    return source, draw.type(3, 12), draw.type()


def random_pooling(seed: int, *, streams: bool) -> Pooling:
    draw = Draw(seed)
    rank = draw.size(1, 2)
    window = (1 if rank == 1 else draw.size(1, 3)), draw.size(1, 3)
    strides = window
    if rank == 1 or not streams:  # the C++ of streams asks for windows that do not overlap
        strides = (1 if rank == 1 else draw.size(1, 3)), draw.size(1, 3)
    pads = (0, 0, 0, 0)
    if not streams:
        # Less than a window on each side, so that none is all padding.
        pads = tuple(draw.size(0, n - 1) for n in np.repeat(window, 2))  # type: ignore[assignment]
    image = tuple(draw.size(n, n + 4) for n in window)
    rows, columns = (
        (size + sum(p) - n) // stride + 1
        for size, p, n, stride in zip(image, (pads[:2], pads[2:]), window, strides, strict=True)
    )
    if rank == 1:
        image, rows = (1, image[1]), 1
    channels = draw.size(1, 3)
    operation = draw.pick("max", "average")
    source, accum, to = types(draw, operation, window[0] * window[1])
    return Pooling(
        "p",
        (Tensor("x", (*image[2 - rank :], channels), source),),
        Tensor("y", (*(rows, columns)[2 - rank :], channels), to),
        window=window,
        strides=strides,
        pads=pads,
        dilation=(1, 1),
        operation=operation,
        accum=accum,
        count_pads=bool(draw.rng.integers(2)),
        cast_first=streams,
    )


def random_global(seed: int, *, streams: bool) -> GlobalPooling:
    draw = Draw(seed)
    rank = draw.size(1, 2)
    shape = tuple(draw.size(1, 5) for _ in range(rank + 1))
    size = int(np.prod(shape[:-1]))
    operation = draw.pick("max", "average")
    source, accum, to = types(draw, operation, size)
    return GlobalPooling(
        "p",
        (Tensor("x", shape, source),),
        Tensor("y", shape[-1:], to),
        operation=operation,
        accum=accum,
        divisor=size,
        cast_first=streams,
    )


def trial(kernel: Pooling | GlobalPooling, *, streams: bool) -> Trial:
    height, width, channels = image_shape(kernel.inputs[0])
    rank = len(kernel.inputs[0].shape) - 1
    sizes = {"in_height": height, "in_width": width, "n_filt": channels, "n_chan": channels}
    sizes |= {"n_in": width, "reuse_factor": 1}
    name = f"global_pooling{rank}d_cl"
    if isinstance(kernel, Pooling):
        name = f"pooling{rank}d_cl"
        sizes |= windows_of(kernel)[1]
        sizes |= {"pool_height": kernel.window[0], "pool_width": kernel.window[1]}
        sizes |= {"n_out": sizes["out_width"], "count_pad": int(kernel.count_pads)}
    operation = {"max": "Max", "average": "Average"}[kernel.operation]
    config = struct(
        "Config",
        f"nnet::pooling{rank}d_config",
        f"typedef {cpp(kernel.accum)} accum_t;",
        f"static const nnet::Pool_Op pool_op = nnet::{operation};",
        "static const nnet::conv_implementation implementation = "
        "nnet::conv_implementation::linebuffer;",
        **sizes,
    )
    body = f"nnet::{name}<X0, Y, Config>(x0, y);"
    if streams:
        body = streamed(f"{name}<In, Out, Config>", kernel)
    return Trial(kernel, Call(body, *ports(kernel), config))


def trials(seeds: Iterable[int]) -> list[Trial]:
    return [
        trial(make(seed, streams=streams), streams=streams)
        for seed in seeds
        for make in (random_pooling, random_global)
        for streams in (False, True)
    ]


# These few draw all rounding modes, all overflow modes, pads on every side, and both operations.
FEW, MANY = (0, 4, 5, 11, 16, 21), range(100, 220)


@pytest.fixture(scope="module")
def few(judge_cache: Path) -> Trials:
    return Trials(trials(FEW), judge_cache)


@pytest.mark.parametrize("index", range(4 * len(FEW)))
def test_golden_is_cpp_and_circuit_is_golden(few: Trials, index: int) -> None:
    few.check(index)


@pytest.mark.full
def test_golden_is_cpp_for_many(judge_cache: Path) -> None:
    many = Trials(trials(MANY), judge_cache)
    for index in range(len(many.trials)):
        many.check(index)


@pytest.mark.parametrize("divisor", [1, 2, 3, 7, 9, 12, 16, 49, 255])
def test_quotients_are_truncated_towards_zero(divisor: int) -> None:
    for source in (t("fixed<12,5>"), t("ufixed<11,9>"), t("fixed<9,12>")):
        tensor = Tensor("x", (1,), source)
        kernel = Quotient("q", (tensor,), Tensor("y", (1,), source), divisor)
        x = np.arange(source.min, source.max + 1)[:, None]
        expected = [[int(value / divisor)] for (value,) in x.tolist()]
        np.testing.assert_array_equal(kernel.golden(x), expected)
        check_circuit(kernel, x)


def test_a_wide_sum_is_divided_exactly() -> None:
    source = t("fixed<30,12>")
    tensor = Tensor("x", (1,), source)
    kernel = Quotient("q", (tensor,), Tensor("y", (1,), source), 49)
    check_circuit(kernel, values(source, 1, samples=20_000))


def test_what_is_too_wide_to_divide_is_refused() -> None:
    source = t("fixed<50,12>")
    tensor = Tensor("x", (1,), source)
    with pytest.raises(UnsupportedError, match="layer 'q': fixed<50,12> is too wide to be divided"):
        Quotient("q", (tensor,), Tensor("y", (1,), source), 49)


def average(*, pads: tuple[int, int, int, int], count_pads: bool) -> Pooling:
    return Pooling(
        "p",
        (Tensor("x", (4, 4, 2), t("ufixed<6,2>")),),
        Tensor("y", (3, 3, 2), t("fixed<8,3>")),
        window=(2, 2),
        strides=(2, 2),
        pads=pads,
        dilation=(1, 1),
        operation="average",
        accum=t("fixed<12,5>"),
        count_pads=count_pads,
        cast_first=False,
    )


def test_averages_at_the_border_have_their_own_functions() -> None:
    kernel = average(pads=(1, 1, 1, 1), count_pads=False)
    assert {f.divisor: len(places) for f, places in kernel.functions} == {1: 4, 2: 4, 4: 1}  # type: ignore[attr-defined]
    with pytest.raises(UnsupportedError, match="layer 'p': windows at the border"):
        _ = kernel.per_window
    function = average(pads=(1, 1, 1, 1), count_pads=True).per_window
    assert isinstance(function, GlobalPooling)
    assert function.divisor == 4
    x = random_images(kernel, 20, 0)
    corner = function.golden(np.pad(x[:, :1, :1], ((0, 0), (1, 0), (1, 0), (0, 0))).reshape(20, 8))
    assert corner.shape == (20, 2)


def test_windows_of_padding_alone_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="layer 'p': some of its windows are all padding"):
        average(pads=(2, 0, 2, 0), count_pads=False)


def test_an_output_of_another_size_is_refused() -> None:
    with pytest.raises(
        UnsupportedError, match=r"layer 'p': its output of \(3, 3\) pixels doesn't match"
    ):
        average(pads=(0, 0, 0, 0), count_pads=False)
