"""Padding, cropping, up-sampling and embedding against hls4ml's C++ of both io types."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import build, check_circuit
from images import Draw, Trial, Trials, ports, streamed, struct
from judge import Array, Call

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import Cropping, Embedding, Kernel, Tensor, UpSampling, ZeroPadding
from gatewright.kernels.windowed import image_shape

if TYPE_CHECKING:
    from pathlib import Path

t = FixedType.parse
SIDES = ("top", "bottom", "left", "right")


def call(function: str, kernel: Kernel, config: str, *, streams: bool, types: str) -> Trial:
    body = f"nnet::{function}<{types}, Config>(x0, y);".replace("In", "X0").replace("Out", "Y")
    if streams:
        body = streamed(f"{function}<{types}, Config>", kernel)
    return Trial(kernel, Call(body, *ports(kernel), config))


def moved(seed: int, kind: type[ZeroPadding | Cropping], *, streams: bool) -> Trial:
    draw = Draw(seed)
    rank, channels = draw.size(1, 2), draw.size(1, 3)
    sides = tuple(draw.size(0, 2) for _ in SIDES)
    if rank == 1:
        sides = (0, 0, *sides[2:])
    inner = (draw.size(1, 4) if rank == 2 else 1), draw.size(1, 4)
    outer = inner[0] + sum(sides[:2]), inner[1] + sum(sides[2:])
    source = draw.type()
    # The C++ of io_parallel has one type for both.
    to = draw.type() if streams or kind is Cropping else source
    small, large = ((*size[2 - rank :], channels) for size in (inner, outer))
    if kind is ZeroPadding:
        tensors = (Tensor("x", small, source),), Tensor("y", large, to)
        kernel: Kernel = ZeroPadding("z", *tensors, sides)  # type: ignore[arg-type]
        function, what = f"zeropad{rank}d_cl", "pad"
    else:
        tensors = (Tensor("x", large, source),), Tensor("y", small, to)
        kernel = Cropping("z", *tensors, sides)  # type: ignore[arg-type]
        function, what = f"cropping{rank}d_cl", "crop"
    (height, width, _), (rows, columns, _) = (
        image_shape(tensor) for tensor in (*kernel.inputs, kernel.output)
    )
    sizes = {"in_height": height, "in_width": width, "n_chan": channels}
    sizes |= {"out_height": rows, "out_width": columns}
    sizes |= {f"{what}_{side}": n for side, n in zip(SIDES, sides, strict=True)}
    base = "padding" if what == "pad" else "cropping"
    config = struct("Config", f"nnet::{base}{rank}d_config", **sizes)
    return call(function, kernel, config, streams=streams, types="In, Out")


def upsampled(seed: int, *, streams: bool) -> Trial:
    draw = Draw(seed)
    rank, channels = draw.size(1, 2), draw.size(1, 3)
    height, width = (draw.size(1, 5) if rank == 2 else 1), draw.size(1, 5)
    down, across = (draw.size(1, 3) if rank == 2 else 1), draw.size(1, 3)
    source = draw.type()
    small, large = (height, width), (down * height, across * width)
    kernel = UpSampling(
        "u",
        (Tensor("x", (*small[2 - rank :], channels), source),),
        Tensor("y", (*large[2 - rank :], channels), source),
        (down, across),
    )
    sizes = {"height": height, "width": width, "n_chan": channels}
    sizes |= {"new_height": large[0], "new_width": large[1]}
    config = struct("Config", "nnet::resize_config", **sizes)
    return call("resize_nearest", kernel, config, streams=streams, types="In")


def embedded(seed: int, *, streams: bool) -> Trial:
    draw = Draw(seed)
    bits, length, depth = draw.size(1, 5), draw.size(1, 4), draw.size(1, 4)
    entries, to = draw.type(), draw.type()
    table = draw.raw(entries, 1 << bits, depth)
    kernel = Embedding(
        "e",
        (Tensor("x", (length,), t(f"uint<{bits}>")),),
        Tensor("y", (length, depth), to),
        table=table,
        table_type=entries,
    )
    config = struct(
        "Config",
        "nnet::embed_config",
        "typedef X1 embeddings_t;",
        n_in=length,
        n_out=depth,
        vocab_size=1 << bits,
    )
    _, output = ports(kernel)
    inputs = (Array(f"ap_uint<{bits}>", length), Array(entries, table.size))
    body = "nnet::embedding<X0, Y, Config>(x0, y, x1);"
    if streams:
        body = streamed("embedding<In, Out, Config>", kernel, ", x1")
    return Trial(kernel, Call(body, inputs, output, config), (table,))


def trials(seeds: range) -> list[Trial]:
    return [
        trial
        for seed in seeds
        for streams in (False, True)
        for trial in (
            moved(seed, ZeroPadding, streams=streams),
            moved(seed, Cropping, streams=streams),
            upsampled(seed, streams=streams),
            embedded(seed, streams=streams),
        )
    ]


FEW, MANY = range(4), range(100, 140)


@pytest.fixture(scope="module")
def few(judge_cache: Path) -> Trials:
    return Trials(trials(FEW), judge_cache)


@pytest.mark.parametrize("index", range(8 * len(FEW)))
def test_golden_is_cpp_and_circuit_is_golden(few: Trials, index: int) -> None:
    few.check(index)


@pytest.mark.full
def test_golden_is_cpp_for_many(judge_cache: Path) -> None:
    many = Trials(trials(MANY), judge_cache)
    for index in range(len(many.trials)):
        many.check(index)


def embedding(source: str = "uint<3>", vocabulary: int = 5) -> Embedding:
    return Embedding(
        "e",
        (Tensor("x", (4,), t(source)),),
        Tensor("y", (4, 2), t("fixed<8,4>")),
        table=np.arange(2 * vocabulary).reshape(vocabulary, 2),
        table_type=t("fixed<8,4>"),
    )


def test_an_index_beyond_the_vocabulary_reads_the_last_entry() -> None:
    kernel = embedding()
    x = np.array([[0, 4, 5, 7], [3, 2, 6, 1]])
    assert kernel.golden(x)[0].tolist() == [[0, 1], [8, 9], [8, 9], [8, 9]]
    check_circuit(kernel, x)
    assert kernel.per_index.output.shape == (2,)
    np.testing.assert_array_equal(kernel.per_index.golden(x[:, :1]), kernel.golden(x)[:, 0])


@pytest.mark.parametrize("source", ["int<3>", "ufixed<4,3>"])
def test_indices_that_are_no_unsigned_integers_are_refused(source: str) -> None:
    with pytest.raises(
        UnsupportedError,
        match=r"layer 'e': .* not an unsigned integer; .* "
        "uint<3>",
    ):
        embedding(source)


def test_without_casts_they_are_wires() -> None:
    source = Tensor("x", (2, 3, 2), t("fixed<8,3>"))
    kernel = ZeroPadding("z", (source,), replace(source, shape=(3, 3, 2)), (1, 0, 0, 0))
    circuit, _ = build(kernel)
    assert circuit.outputs[6:] == list(range(12))
    assert len(set(circuit.outputs[:6])) == 1
    assert kernel.per_pixel.output.shape == (2,)
