"""Steps whose weights are zero are left out: the same results, in fewer clock cycles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import TARGET
from hypothesis import given
from hypothesis import strategies as st
from rows import Builder, check

from gatewright.emit.modules import build_modules
from gatewright.fixed import FixedType
from gatewright.flow.balance import balanced
from gatewright.kernels import Dense
from gatewright.kernels.cmvm import without_common_factor
from gatewright.kernels.time_multiplexing import TimeMultiplexing, reuse_factors
from gatewright.kernels.window_product import Convolution
from gatewright.units import BeatSequencer, OperandSequencer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from gatewright.design.dataflow import Design
    from gatewright.emit.layers import LayerModule

#: Layers by the part of their operands that is multiplied by zeros.
LAYERS: dict[str, tuple[float, Callable[[Builder], object]]] = {
    **{
        f"dense_{reuse}": (0.5, lambda b, reuse=reuse: b.dense(b.input(6), 4, reuse))
        for reuse in reuse_factors(6, 4)[1:]
    },
    "dense_zeros": (1.0, lambda b: b.dense(b.input(6), 4, 6)),
    "dense_zeros_in_groups": (1.0, lambda b: b.dense(b.input(6), 4, 12)),
    **{
        f"dense_{reuse}_uneven": (0.5, lambda b, reuse=reuse: b.dense(b.input(6), 4, reuse))
        for reuse in (12, 24)
    },
    "dense_uneven_vectors": (0.4, lambda b: b.dense(b.input(3, 5), 4, 10)),
    "dense_uneven_flattened": (0.6, lambda b: b.dense(b.reshape(b.input(2, 3, 2), 12), 2, 24)),
    "conv_uneven": (0.5, lambda b: b.conv(b.input(4, 5, 2), 4, (2, 2), reuse=16)),
    "depthwise_uneven": (0.5, lambda b: b.depthwise(b.input(4, 3, 4), (2, 2), reuse=8)),
    "depthwise_uneven_largest": (0.4, lambda b: b.depthwise(b.input(4, 4, 3), (2, 2), reuse=12)),
    "dense_one_step": (0.75, lambda b: b.dense(b.input(8), 4, 4)),
    "dense_chain": (0.5, lambda b: b.dense(b.relu(b.dense(b.input(6), 4, 12)), 3, 4)),
    "dense_vectors": (0.5, lambda b: b.dense(b.input(3, 4), 5, 4)),
    "dense_flattened": (0.5, lambda b: b.dense(b.relu(b.reshape(b.input(2, 3, 4), 24)), 3, 8)),
    "dense_flattened_largest": (0.3, lambda b: b.dense(b.reshape(b.input(2, 3, 4), 24), 3, 24)),
    "dense_flattened_few": (0.1, lambda b: b.dense(b.reshape(b.input(2, 3, 4), 24), 3, 24)),
    "dense_flattened_zeros": (1.0, lambda b: b.dense(b.reshape(b.input(2, 3, 4), 24), 3, 24)),
    "dense_flattened_thirds": (0.4, lambda b: b.dense(b.reshape(b.input(2, 2, 6), 24), 3, 12)),
    "dense_vectors_in_parts": (0.5, lambda b: b.dense(b.reshape(b.input(2, 3, 4), 2, 12), 3, 12)),
    "dense_behind_conv": (0.5, lambda b: _flattened(b, b.conv(b.input(4, 4, 2), 3, (2, 2)))),
    **{
        f"conv_{reuse}": (
            0.4,
            lambda b, reuse=reuse: b.conv(b.input(4, 5, 2), 3, (2, 2), reuse=reuse),
        )
        for reuse in reuse_factors(8, 3)[1:]
    },
    "conv_pads": (0.6, lambda b: b.conv(b.input(4, 4, 2), 2, (3, 3), pads=(1, 1, 1, 1), reuse=18)),
    "conv_strides": (0.5, lambda b: b.conv(b.input(5, 6, 2), 3, (3, 2), strides=(2, 3), reuse=6)),
    "conv_sequence": (0.5, lambda b: b.conv(b.input(9, 2), 3, (1, 3), strides=(1, 2), reuse=6)),
    "conv_zeros": (1.0, lambda b: b.conv(b.input(3, 4, 2), 3, (2, 2), reuse=8)),
    **{
        f"depthwise_{reuse}": (
            0.5,
            lambda b, reuse=reuse: b.depthwise(b.input(4, 3, 4), (2, 2), reuse=reuse),
        )
        for reuse in reuse_factors(4, 4)[1:]
    },
    "depthwise_zeros": (1.0, lambda b: b.depthwise(b.input(4, 4, 2), (2, 2), reuse=4)),
}  # fmt: skip


def _flattened(b: Builder, x: object) -> object:
    return b.dense(b.relu(b.reshape(x, x.size)), 5, 9)


def _fold(kernel: Dense | Convolution) -> tuple[TimeMultiplexing, NDArray[np.int64]]:
    """How a kernel is folded, and the matrix of its weights."""
    product = kernel if isinstance(kernel, Dense) else kernel.product
    n_in, n_out = product.weights.shape
    return TimeMultiplexing(n_in, n_out, kernel.reuse), product.weights


def _pruned(builder: Builder, amount: float, name: str) -> Design:
    """A design with zeros for so many of the operands of each of its layers that are folded."""
    rng = np.random.default_rng(len(name))
    for number, kernel in enumerate(builder.kernels):
        if isinstance(kernel, Dense | Convolution) and kernel.reuse > 1:
            fold, matrix = _fold(kernel)
            # Zeros elsewhere would leave out other steps than these.
            matrix = np.where(matrix == 0, kernel.weight_type.min or 1, matrix)
            matrix = matrix.reshape(fold.steps, fold.inputs, fold.groups, -1)
            for group in range(fold.groups) if "uneven" in name else [slice(None)]:
                gone = max(1, round(amount * fold.steps)) - ("uneven" in name and group == 1)
                matrix[rng.permutation(fold.steps)[:gone], :, group] = 0
            builder.kernels[number] = replace(kernel, weights=matrix.reshape(kernel.weights.shape))
    return builder.design(name)


def _designs() -> list[tuple[float, Design]]:
    found = []
    for number, (name, (amount, make)) in enumerate(LAYERS.items()):
        for io in ("stream", "parallel"):
            builder = Builder(7000 + number, io)
            make(builder)
            found.append((amount, _pruned(builder, amount, f"{name}_{io}")))
    return found


def _modules(design: Design) -> list[LayerModule]:
    found = build_modules(design, TARGET, TARGET.clock_ns, "stall").layers
    return [module for module in found if module.reuse is not None and module.reuse > 1]


def test_results_are_the_same_and_cycles_are_predicted(tmp_path: Path) -> None:
    """All layers as streams, and every third in parallel."""
    check([d for n, (_, d) in enumerate(_designs()) if n % 2 == 0 or n % 6 == 1], tmp_path)


@pytest.mark.full
def test_results_and_cycles_in_both_io_types(tmp_path: Path) -> None:
    check([design for _, design in _designs()], tmp_path)


@pytest.mark.parametrize(
    ("amount", "design"), _designs(), ids=lambda value: getattr(value, "name", "")
)
def test_steps_of_zeros_take_neither_a_cycle_nor_a_word(amount: float, design: Design) -> None:
    for module in _modules(design):
        (kernel, *_) = module.kernels
        assert isinstance(kernel, Dense | Convolution)
        fold, matrix = _fold(kernel)
        (placed,) = (
            p for p in module.units if isinstance(p.unit, OperandSequencer | BeatSequencer)
        )
        # Of each part of a vector a step is left, and of each group as many as of any.
        parts = placed.sources[0].beats // kernel.repeats
        words = fold.words(matrix).reshape(fold.groups, parts, fold.steps // parts, -1)
        left = np.maximum(words.any(axis=-1).sum(axis=-1), 1).sum(axis=-1).max() * fold.groups
        values = placed.unit.rom.columns[0][0]
        assert len(values) == left
        # What all weights have in common is not in the memory.
        for ours, group in zip(
            values.reshape(fold.groups, -1, fold.multipliers), words, strict=True
        ):
            there = group.reshape(-1, fold.multipliers)
            expected = there[there.any(axis=-1)] >> without_common_factor(matrix)[1]
            np.testing.assert_array_equal(ours[ours.any(axis=-1)], expected)
        assert module.reuse == fold.reuse
        assert module.multipliers == fold.multipliers
        left_out = fold.reuse - left
        note = f"{left_out} of {fold.reuse} steps are left out: their weights are zero"
        assert module.notes == ((note,) if left_out else ())
        assert left_out or parts == fold.steps
        beats = max(source.beats for source in module.sources)
        cycles = module.measure()[1]
        if isinstance(kernel, Dense):
            assert cycles == max(kernel.repeats * left, beats)
        if parts == 1 or matrix.reshape(parts, -1).any(axis=1).all():
            assert cycles == max(kernel.interval(kernel.reuse), beats)


def test_nothing_changes_without_zeros() -> None:
    for n_in, n_out in ((6, 4), (24, 1), (5, 5)):
        for reuse in reuse_factors(n_in, n_out):
            fold = TimeMultiplexing(n_in, n_out, reuse)
            matrix = np.ones((n_in, n_out), np.int64)
            steps = np.broadcast_to(np.arange(fold.steps), (fold.groups, fold.steps))
            np.testing.assert_array_equal(fold.needed(matrix), steps)
            assert fold.without_zeros(matrix) == fold


@given(st.data())
def test_what_is_left_is_the_same_product(data: st.DataObject) -> None:
    n_in, n_out = data.draw(st.integers(1, 24)), data.draw(st.integers(1, 8))
    fold = TimeMultiplexing(n_in, n_out, data.draw(st.sampled_from(reuse_factors(n_in, n_out))))
    divisors = [n for n in range(1, n_in + 1) if fold.steps % n == 0]
    parts = data.draw(st.sampled_from(divisors)) if fold.groups == 1 else 1
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    matrix = rng.integers(-3, 4, (n_in, n_out)) * rng.choice([0, 1], (n_in, 1))
    matrix *= rng.choice([0, 1], (n_in, n_out), p=[0.3, 0.7])
    steps = fold.needed(matrix, parts)
    assert (np.diff(steps) > 0).all()
    kept = fold.of(steps.shape[1])
    assert (kept.inputs, kept.groups, kept.outputs) == (fold.inputs, fold.groups, fold.outputs)
    assert kept.reuse == steps.size
    # Step by step, as multipliers do it.
    x = rng.integers(-9, 10, n_in).reshape(fold.steps, fold.inputs)
    words = fold.words(matrix).reshape(fold.groups, fold.steps, fold.outputs, fold.inputs)
    sums = [np.einsum("sop,sp->o", w[s], x[s]) for w, s in zip(words, steps, strict=True)]
    np.testing.assert_array_equal(np.concatenate(sums), x.ravel() @ matrix)
    # None is more than what one group needs, or each part of it.
    used = words.any(axis=(2, 3)).reshape(fold.groups, parts, -1).sum(axis=-1)
    assert kept.steps == np.maximum(used, 1).sum(axis=-1).max()
    assert (np.unique(steps // (fold.steps // parts)) == np.arange(parts)).all()


def test_a_target_interval_gives_a_pruned_layer_a_greater_reuse_factor() -> None:
    chosen = []
    for amount in (0.0, 0.5):
        builder = Builder(3, "parallel")
        builder.dense(builder.input(16), 4, 16)
        (kernel,) = builder.kernels
        weights = np.full(kernel.weights.shape, 5)
        weights[: int(16 * amount)] = 0
        builder.kernels[0] = replace(kernel, weights=weights, weight_type=FixedType(6, 6))
        chosen.append(balanced(builder.design("d"), 8, TARGET)["dense0"])
    assert chosen == [8, 16]
