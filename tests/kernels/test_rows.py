"""Every kernel in hardware, for io types, reuse factors and types of all sorts.

The RTL gives the golden outputs whatever stalls or resets, and takes the cycles that are predicted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rows import Builder, check
from test_random_types import KINDS, SIZE
from test_random_types import Draw as Types

from gatewright import kernels
from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, Overflow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gatewright.design.dataflow import Design
    from gatewright.kernels import Tensor


#: Of which a cast gives no -8.
_SYMMETRIC = FixedType(4, 2, overflow=Overflow.SAT_SYM)


def _branches(b: Builder, operation: str) -> Tensor:
    """A short branch and a long one."""
    x = b.relu(b.input(4, 4, 2))
    long = b.conv(x, 2, (3, 3), pads=(1, 1, 1, 1), reuse=6)
    return b.merge(operation, x, long)


def _plain(b: Builder, reuse: int) -> Tensor:
    x = b.relu(b.conv(b.input(6, 6, 2), 3, (3, 3), pads=(1, 1, 1, 1), reuse=reuse))
    x = b.pool(x, "max", (2, 2))
    x = b.relu(b.depthwise(x, (2, 2), reuse=reuse))
    x = b.dense(x, 4, reuse)
    return b.dense(b.relu(b.reshape(x, x.size)), 5, reuse)


def _residual(b: Builder, reuse: int) -> Tensor:
    x = first = b.relu(b.conv(b.input(4, 4, 2), 4, (3, 3), pads=(1, 1, 1, 1), reuse=reuse))
    for _ in range(2):
        x = b.relu(b.conv(x, 4, (3, 3), pads=(1, 1, 1, 1), reuse=reuse))
    x = b.merge("add", first, x)
    x = b.concatenate(2, x, first)
    return b.dense(b.whole_pool(x, "average"), 3, reuse)


def _sequence(b: Builder, reuse: int) -> Tensor:
    x = b.embedding(b.input(8, to=FixedType(3, 3, False)), 8, 2)
    x = b.relu(b.conv(x, 3, (1, 3), reuse=reuse))
    x = b.batchnorm(x, 3)
    x = b.pool(x, "average", (1, 2))
    return b.dense(b.reshape(x, x.size), 4, reuse)


def _vectors(b: Builder, reuse: int) -> Tensor:
    x = b.input(8)
    left, right = b.dense(x, 6, reuse), b.dense(b.relu(b.dense(x, 4, reuse)), 6, 1)
    return b.dense(b.concatenate(0, b.merge("maximum", left, right), x), 3, reuse)


def _up_again(b: Builder) -> Tensor:
    x = b.input(4, 4, 2)
    low = b.pool(b.conv(x, 3, (1, 1), reuse=2), "max", (2, 2))
    up = b.pad(b.crop(b.upsample(low, (2, 2)), (0, 1, 0, 0)), (1, 0, 0, 0))
    return b.dense(b.concatenate(2, x, up), 2, 5)


def _wide(b: Builder, operation: str, *shape: int) -> Tensor:
    """Pooling whose sums are cast to an accumulator of few bits as they go."""
    x = b.input(*shape)
    return b.whole_pool(x, operation, FixedType(4, 3))


#: Layers that multiply, at every kind of reuse factor.
MULTIPLYING: dict[str, Callable[[Builder], object]] = {
    "dense": lambda b: b.dense(b.input(6), 4),
    "dense_4": lambda b: b.dense(b.input(6), 4, 3),
    "dense_n_in": lambda b: b.dense(b.input(6), 4, 6),
    "dense_groups": lambda b: b.dense(b.input(6), 4, 12),
    "dense_one_multiplier": lambda b: b.dense(b.input(6), 4, 24),
    "dense_moved": lambda b: b.dense(b.input(6), 4, 7),
    "dense_vectors": lambda b: b.dense(b.input(3, 4), 5, 2),
    "dense_vectors_unrolled": lambda b: b.dense(b.input(3, 4), 5),
    "dense_vectors_parallel": lambda b: b.dense(b.input(3, 4), 5, 1, 3),
    "dense_image": lambda b: b.dense(b.input(2, 3, 4), 5, 4),
    "dense_one": lambda b: b.dense(b.input(1), 1, 1),
    "dense_chain": lambda b: b.dense(b.dense(b.input(6), 4, 12), 3, 2),
    "dense_behind_constants": lambda b: b.dense(b.zeros(b.input(6), 4), 3, 4),
    "dense_of_unsigned_sums": lambda b: b.dense(
        b.input(4, to=FixedType(6, 3)), 5, 4, accum=FixedType(9, 8, signed=False)
    ),
    "dense_beyond_the_accumulator": lambda b: b.dense(
        b.input(4, to=FixedType(4, 14)), 5, 4, accum=FixedType(4, 2)
    ),
    "dense_flattened": lambda b: b.dense(b.relu(b.reshape(b.input(2, 3, 4), 24)), 3, 8),
    "dense_flattened_few": lambda b: b.dense(b.reshape(b.input(2, 3, 4), 24), 3, 3),
    "dense_flattened_groups": lambda b: b.dense(b.reshape(b.input(2, 3, 4), 24), 4, 48),
    "conv": lambda b: b.conv(b.input(5, 6, 2), 3, (3, 3)),
    "conv_3": lambda b: b.conv(b.input(5, 6, 2), 3, (3, 3), pads=(1, 1, 1, 1), reuse=3),
    "conv_largest": lambda b: b.conv(b.input(4, 4, 2), 3, (2, 2), reuse=24),
    "conv_groups": lambda b: b.conv(b.input(4, 4, 2), 4, (2, 2), strides=(2, 2), reuse=16),
    "conv_strides": lambda b: b.conv(b.input(5, 6, 2), 3, (3, 2), strides=(2, 3), reuse=6),
    "conv_dilation": lambda b: b.conv(b.input(6, 6, 2), 2, (2, 3), dilation=(2, 2), reuse=4),
    "conv_whole": lambda b: b.conv(b.input(3, 4, 2), 3, (3, 4), reuse=4),
    "conv_parallel": lambda b: b.conv(b.input(4, 3, 2), 2, (2, 2), parallel=99),
    "conv_partly_parallel": lambda b: b.conv(b.input(4, 3, 2), 2, (2, 2), parallel=2),
    "conv_two_at_once": lambda b: b.conv(b.input(8, 2), 3, (1, 3), pads=(0, 0, 1, 1), parallel=2),
    "conv_four_at_once": lambda b: b.pool(
        b.relu(b.conv(b.input(16, 2), 2, (1, 7), pads=(0, 0, 3, 3), parallel=3)), "max", (1, 2)
    ),
    "conv_rows_at_once": lambda b: b.conv(
        b.input(5, 8, 2), 2, (3, 3), pads=(1, 1, 1, 1), parallel=4
    ),
    "conv_strides_at_once": lambda b: b.conv(
        b.input(4, 12, 1), 2, (2, 3), strides=(2, 2), pads=(0, 0, 0, 1), parallel=2
    ),
    "conv_dilated_at_once": lambda b: b.conv(
        b.input(12, 2), 2, (1, 3), pads=(0, 0, 4, 0), dilation=(1, 2), parallel=6
    ),
    "conv_valid_at_once": lambda b: b.conv(b.input(12, 2), 2, (1, 5), parallel=4),
    "conv_far_pads_at_once": lambda b: b.conv(
        b.input(6, 1), 2, (1, 9), pads=(0, 0, 5, 3), parallel=2
    ),
    "conv_at_once_stacked": lambda b: b.conv(
        b.relu(b.conv(b.input(8, 1), 2, (1, 3), pads=(0, 0, 1, 1), parallel=4)),
        2,
        (1, 3),
        pads=(0, 0, 1, 1),
        parallel=2,
    ),
    "depthwise_at_once": lambda b: b.depthwise(
        b.input(4, 4, 2), (2, 2), pads=(0, 1, 0, 1), parallel=2
    ),
    "dense_vectors_at_once": lambda b: b.dense(b.input(6, 4), 5, 1, 2),
    "conv_uneven_pads": lambda b: b.conv(b.input(4, 5, 2), 2, (2, 3), pads=(0, 1, 2, 0), reuse=2),
    "conv_pointwise": lambda b: b.conv(b.input(4, 3, 4), 3, (1, 1), reuse=2),
    "conv_pointwise_strided": lambda b: b.conv(b.input(4, 5, 4), 3, (1, 1), strides=(2, 2)),
    "conv_sequence": lambda b: b.conv(b.input(9, 2), 3, (1, 3), strides=(1, 2), reuse=6),
    "conv_causal": lambda b: b.conv(b.input(6, 2), 3, (1, 3), pads=(0, 0, 2, 0), reuse=1),
    "depthwise": lambda b: b.depthwise(b.input(5, 4, 3), (3, 3), pads=(1, 1, 1, 1)),
    "depthwise_few": lambda b: b.depthwise(b.input(5, 4, 3), (3, 3), reuse=3),
    "depthwise_taps": lambda b: b.depthwise(b.input(5, 4, 4), (2, 2), strides=(2, 2), reuse=4),
    "depthwise_groups": lambda b: b.depthwise(b.input(4, 4, 4), (2, 2), reuse=8),
    "depthwise_largest": lambda b: b.depthwise(b.input(4, 4, 3), (3, 3), reuse=27),
    "depthwise_sequence": lambda b: b.depthwise(b.input(6, 3), (1, 3), reuse=3),
    "depthwise_parallel": lambda b: b.depthwise(b.input(3, 4, 2), (2, 2), parallel=6),
    "batchnorm": lambda b: b.relu(b.batchnorm(b.input(3, 2, 4))),
    "batchnorm_2": lambda b: b.relu(b.batchnorm(b.input(3, 2, 4), 2)),
    "batchnorm_largest": lambda b: b.batchnorm(b.input(2, 6), 6),
    "batchnorm_elements": lambda b: b.batchnorm(b.input(2, 6), 4, entries=12),
    "conv_batchnorm": lambda b: b.batchnorm(b.conv(b.input(4, 4, 2), 4, (2, 2), reuse=2), 4),
}

#: Networks whose ports carry four pixels per beat.
WIDE: dict[str, Callable[[Builder], object]] = {
    "wide_sequence": lambda b: b.dense(
        b.reshape(
            b.pool(
                b.relu(b.conv(b.input(16, 2), 2, (1, 5), pads=(0, 0, 2, 2), parallel=4)),
                "max",
                (1, 2),
            ),
            16,
        ),
        3,
        4,
    ),
    "wide_image": lambda b: b.conv(
        b.pool(
            b.conv(b.input(6, 8, 1), 2, (3, 3), pads=(1, 1, 1, 1), parallel=4), "average", (2, 2)
        ),
        3,
        (2, 3),
        pads=(0, 1, 1, 1),
        parallel=2,
    ),
    "wide_to_narrow": lambda b: b.relu(
        b.conv(b.input(4, 8, 2), 2, (3, 3), pads=(1, 1, 1, 1), reuse=6)
    ),
    "wide_pixels": lambda b: b.relu(b.dense(b.batchnorm(b.input(8, 3)), 3, 1, 4)),
    "wide_state": lambda b: b.recurrent(kernels.Gru, b.input(8, 2), 2, every=True),
}

#: Layers with a state, at every kind of reuse factor of either matrix.
RECURRENT: dict[str, Callable[[Builder], object]] = {
    "lstm": lambda b: b.recurrent(kernels.Lstm, b.input(5, 3), 4),
    "lstm_every": lambda b: b.recurrent(kernels.Lstm, b.input(6, 2), 3, every=True),
    "lstm_few": lambda b: b.recurrent(kernels.Lstm, b.input(4, 4), 4, 2),
    "lstm_groups": lambda b: b.recurrent(kernels.Lstm, b.input(3, 2), 4, 8, every=True),
    "lstm_largest": lambda b: b.recurrent(kernels.Lstm, b.input(3, 2), 3, 36),
    "lstm_one_step": lambda b: b.recurrent(kernels.Lstm, b.input(1, 3), 2),
    "lstm_unbounded": lambda b: b.recurrent(
        kernels.Lstm, b.input(4, 2), 3, functions=("relu", "relu")
    ),
    "rnn": lambda b: b.recurrent(kernels.SimpleRnn, b.input(5, 3), 4, functions=("tanh",)),
    "rnn_every": lambda b: b.relu(
        b.recurrent(kernels.SimpleRnn, b.input(6, 2), 3, every=True, functions=("relu",))
    ),
    "rnn_largest": lambda b: b.recurrent(
        kernels.SimpleRnn, b.input(3, 2), 3, 9, functions=("tanh",)
    ),
    "gru": lambda b: b.recurrent(kernels.Gru, b.input(5, 3), 4),
    "gru_every": lambda b: b.relu(b.recurrent(kernels.Gru, b.input(6, 2), 3, every=True)),
    "gru_few": lambda b: b.recurrent(kernels.Gru, b.input(4, 4), 4, 2, every=True),
    "gru_groups": lambda b: b.recurrent(kernels.Gru, b.input(4, 2), 4, 12),
    "gru_largest": lambda b: b.dense(b.recurrent(kernels.Gru, b.input(3, 6), 4, 72), 3, 2),
    "gru_one": lambda b: b.recurrent(kernels.Gru, b.input(4, 1), 1, every=True),
    "gru_stacked": lambda b: b.recurrent(
        kernels.Gru, b.recurrent(kernels.Lstm, b.input(5, 2), 3, every=True), 2
    ),
}

#: Layers that do not multiply.
OTHERS: dict[str, Callable[[Builder], object]] = {
    "max_pool": lambda b: b.pool(b.input(4, 6, 2), "max", (2, 2)),
    "max_pool_overlapping": lambda b: b.pool(b.input(5, 6, 2), "max", (3, 2), strides=(1, 2)),
    "max_pool_padded": lambda b: b.pool(b.input(5, 5, 2), "max", (2, 2), pads=(0, 1, 0, 1)),
    "max_pool_sequence": lambda b: b.pool(b.input(9, 2), "max", (1, 3), strides=(1, 2)),
    "average_pool": lambda b: b.pool(b.input(4, 6, 2), "average", (2, 3)),
    "average_pool_padded": lambda b: b.pool(b.input(5, 5, 2), "average", (2, 2), pads=(0, 1, 1, 0)),
    "average_pool_sequence": lambda b: b.pool(b.input(8, 2), "average", (1, 4)),
    "global_max": lambda b: b.whole_pool(b.input(3, 4, 2), "max"),
    "global_average": lambda b: b.whole_pool(b.input(3, 4, 2), "average"),
    "global_average_sequence": lambda b: b.whole_pool(b.input(7, 3), "average"),
    "global_average_of_casts": lambda b: _wide(b, "average", 3, 3, 2),
    "global_max_of_casts": lambda b: _wide(b, "max", 3, 3, 2),
    "pad": lambda b: b.pad(b.input(3, 4, 2), (1, 2, 0, 3)),
    "pad_sequence": lambda b: b.pad(b.input(5, 2), (0, 0, 2, 1)),
    "crop": lambda b: b.crop(b.input(5, 6, 2), (1, 2, 0, 3)),
    "crop_sequence": lambda b: b.crop(b.input(6, 3), (0, 0, 1, 2)),
    "crop_padded": lambda b: b.crop(b.pad(b.input(3, 3, 2), (1, 1, 2, 2)), (0, 2, 1, 1)),
    "crop_symmetric": lambda b: b.add(
        kernels.Cropping, [b.input(4, 2, to=_SYMMETRIC)], (2, 2), _SYMMETRIC, crop=(0, 0, 1, 1)
    ),
    "upsample": lambda b: b.upsample(b.input(3, 4, 2), (2, 3)),
    "upsample_sequence": lambda b: b.upsample(b.input(5, 3), (1, 2)),
    "transpose": lambda b: b.transpose(b.input(3, 4, 2), 1, 0, 2),
    "transpose_channels": lambda b: b.transpose(b.input(4, 3), 1, 0),
    "narrower": lambda b: b.relu(b.reshape(b.input(4, 6), 8, 3)),
    "wider": lambda b: b.relu(b.reshape(b.input(8, 3), 2, 2, 6)),
    "neither": lambda b: b.relu(b.reshape(b.input(4, 6), 6, 4)),
    "flatten": lambda b: b.relu(b.reshape(b.input(2, 3, 4), 24)),
    "dot": lambda b: b.add(kernels.Dot, [b.input(5), b.input(5)], (1,), accum=FixedType(20, 12)),
    "einsum": lambda b: b.add(
        kernels.Einsum,
        [b.input(3, 2, 2), b.input(2, 2, 4)],
        (2, 3, 4),
        accum=FixedType(20, 12),
        orders=((1, 0, 2), (0, 2, 1)),
        shared=2,
        summed=2,
        made=(2, 3, 4),
        order=(0, 1, 2),
    ),
    "embedding": lambda b: b.embedding(b.input(5, to=FixedType(4, 4, False)), 11, 3),
    "embedding_parallel": lambda b: b.embedding(b.input(5, to=FixedType(4, 4, False)), 11, 3, 5),
    "garnet": lambda b: b.garnet(b.input(4, 3), 2, 2),
    "garnet_vertices": lambda b: b.relu(b.garnet(b.input(8, 2), 3, mean=False)),
    "garnet_count": lambda b: b.garnet(
        b.relu(b.dense(b.input(4, 2), 2)), 2, by_count=True, mean=False
    ),
    "thresholds": lambda b: b.thresholds(b.input(4, 3), 1),
    "thresholds_2": lambda b: b.thresholds(b.input(2, 2, 3), 2),
    **{
        f"concatenate_{axis}": lambda b, axis=axis: b.concatenate(
            axis, *(b.input(2, 3, 2, to=FixedType(5, 3)) for _ in range(2)), to=FixedType(5, 3)
        )
        for axis in range(3)
    },
    "concatenate_casts": lambda b: b.concatenate(0, b.input(2, 3), b.input(3, 3), b.input(1, 3)),
    "concatenate_pixels": lambda b: b.concatenate(1, b.input(4, 3), b.input(4, 2)),
    "concatenate_vectors": lambda b: b.concatenate(0, b.input(4), b.input(2), b.input(6)),
    **{
        operation: lambda b, operation=operation: b.merge(
            operation, b.input(3, 2, 2), b.input(3, 2, 2)
        )
        for operation in kernels.OPERATIONS
    },
    "merge_repeated": lambda b: b.merge("add", b.input(3, 2, 2), b.input(2)),
    "merge_branches": lambda b: _branches(b, "subtract"),
}

#: Networks: branches of unlike latency, beats of unlike sizes, layers faster and slower.
NETWORKS: dict[str, Callable[[Builder], object]] = {
    "plain": lambda b: _plain(b, 1),
    "plain_3": lambda b: _plain(b, 3),
    "plain_18": lambda b: _plain(b, 18),
    "residual": lambda b: _residual(b, 1),
    "residual_4": lambda b: _residual(b, 4),
    "sequence_6": lambda b: _sequence(b, 6),
    "dense_only": lambda b: _vectors(b, 1),
    "dense_only_24": lambda b: _vectors(b, 24),
    "up_again": _up_again,
}


def _designs(
    makers: dict[str, Callable[[Builder], object]],
    seed: int,
    *,
    some: bool = False,
    without: tuple[str, ...] = (),
) -> list[Design]:
    """Each maker's design in both io types, with the first types drawn that are not refused.

    With `some`, only every third is in the io type parallel, too.
    """
    designs = []
    for number, (name, make) in enumerate(makers.items()):
        if name in without:
            continue
        for io in ("stream",) if some and number % 3 else ("stream", "parallel"):
            for attempt in range(20):
                builder = Builder(seed + 1000 * number + attempt, io)
                try:
                    make(builder)
                except UnsupportedError:
                    continue
                designs.append(builder.design(f"{name}_{io}"))
                break
            else:
                pytest.fail(f"{name}: all draws are refused")
    return designs


def _activations() -> list[Design]:
    """Every activation on pixels and on whole tensors."""
    designs = []
    for kind, make in KINDS.items():
        for seed in range(20):
            try:
                kernel = make(Types(seed))
            except UnsupportedError:
                continue
            for io in ("stream", "parallel"):
                builder = Builder(seed, io)
                builder.like(kernel, builder.input(2, SIZE, to=kernel.inputs[0].type))
                designs.append(builder.design(f"{kind.replace(' ', '_')}_{io}"))
            break
        else:
            pytest.fail(f"{kind}: all draws are refused")
    return designs


def test_layers_that_multiply(tmp_path: Path) -> None:
    check(_designs(MULTIPLYING, 0, some=True), tmp_path)


def test_layers_with_a_state(tmp_path: Path) -> None:
    check(_designs(RECURRENT, 0, some=True), tmp_path)


def test_several_pixels_per_beat_at_the_ports(tmp_path: Path) -> None:
    check([replace(each, pixels=4) for each in _designs(WIDE, 0)], tmp_path)


def test_layers_that_do_not(tmp_path: Path) -> None:
    check([*_designs(OTHERS, 0, some=True), *_activations()], tmp_path)


def test_networks_and_each_of_their_modules(tmp_path: Path) -> None:
    few = _designs(NETWORKS, 0, some=True, without=("plain", "plain_3"))
    check(few, tmp_path, isolated=True)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(7))
@pytest.mark.parametrize("makers", [MULTIPLYING, RECURRENT, OTHERS, NETWORKS])
def test_more_types(
    makers: dict[str, Callable[[Builder], object]], seed: int, tmp_path: Path
) -> None:
    isolated = makers in (NETWORKS, RECURRENT)
    check(_designs(makers, 100_000 * seed), tmp_path, isolated=isolated)
