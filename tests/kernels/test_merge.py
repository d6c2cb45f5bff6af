"""Merges and dot products against hls4ml's C++, and their circuits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import check_circuit, values
from judge import Array, Call, Judge

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import OPERATIONS, Dot, Kernel, Merge, OperationCounts, Tensor

if TYPE_CHECKING:
    from pathlib import Path

t = FixedType.parse


def cpp_type(text: str) -> FixedType | str:
    return f"ap_{text}" if "int<" in text else t(text)


#: Types of both inputs and of the result, and the sizes of the inputs.
TYPES = [
    ("fixed<16,6>", "fixed<16,6>", "fixed<16,6>", (4, 4)),
    ("fixed<8,3>", "fixed<6,4>", "fixed<7,4,RND,SAT>", (4, 4)),
    ("fixed<6,4>", "ufixed<8,3>", "fixed<9,4,RND_CONV,SAT_SYM>", (6, 2)),
    ("ufixed<6,0>", "fixed<6,3>", "ufixed<6,2,RND_ZERO>", (2, 6)),
    ("ufixed<8,3>", "ufixed<8,3>", "fixed<6,2,TRN_ZERO,SAT_ZERO>", (4, 1)),
    ("fixed<5,-1>", "fixed<4,6>", "fixed<12,6,RND_INF>", (4, 4)),
    ("int<6>", "fixed<8,3>", "int<6>", (4, 4)),
    ("uint<3>", "int<4>", "fixed<8,4>", (4, 4)),
]
DOTS = [
    ("fixed<8,3>", "fixed<8,3>", "fixed<20,10>", "fixed<20,10>"),
    ("fixed<8,3>", "ufixed<6,2>", "fixed<9,5,RND>", "fixed<8,4,RND_ZERO,SAT>"),
    ("fixed<6,3>", "fixed<6,3>", "fixed<24,12,RND_CONV,SAT>", "fixed<9,6,RND,SAT>"),
]


def merge(operation: str, types: tuple[str, str, str, tuple[int, int]]) -> tuple[Kernel, Call]:
    first, second, to, sizes = types
    size = max(sizes)
    kernel = Merge(
        "join",
        (Tensor("a", (sizes[0],), t(first)), Tensor("b", (sizes[1],), t(second))),
        Tensor("y", (size,), t(to)),
        operation,
    )
    call = Call(
        f"nnet::{operation}<X0, X1, Y, Config>(x0, x1, y);",
        (Array(cpp_type(first), sizes[0]), Array(cpp_type(second), sizes[1])),
        Array(cpp_type(to), size),
        f"struct Config : nnet::merge_config {{ static const unsigned n_elem = {size}; "
        f"static const unsigned n_elem1 = {sizes[0]}; "
        f"static const unsigned n_elem2 = {sizes[1]}; }};",
    )
    return kernel, call


def dot(first: str, second: str, accum: str, to: str) -> tuple[Kernel, Call]:
    kernel = Dot(
        "dot",
        (Tensor("a", (5,), t(first)), Tensor("b", (5,), t(second))),
        Tensor("y", (1,), t(to)),
        t(accum),
    )
    call = Call(
        "nnet::dot1d<X0, X1, Y, Config>(x0, x1, y);",
        (Array(cpp_type(first), 5), Array(cpp_type(second), 5)),
        Array(cpp_type(to), 1),
        "struct Config : nnet::dot_config { static const unsigned n_in = 5; "
        f"static const unsigned multiplier_limit = 1; typedef {Array(cpp_type(accum), 1).cpp} "
        "accum_t; };",
    )
    return kernel, call


TRIALS = {f"{op}-{n}": merge(op, types) for op in OPERATIONS for n, types in enumerate(TYPES)}
TRIALS |= {f"dot-{n}": dot(*types) for n, types in enumerate(DOTS)}


@pytest.fixture(scope="module")
def judge(judge_cache: Path) -> Judge:
    calls = [call for _, call in TRIALS.values()]
    return Judge(calls, judge_cache, ["ap_fixed.h", "nnet_utils/nnet_merge.h"])


@pytest.mark.parametrize("name", TRIALS)
def test_golden_is_cpp_and_circuit_is_golden(judge: Judge, name: str) -> None:
    kernel, _ = TRIALS[name]
    # Permutations of every value repeat with their length; unequal lengths pair them all anew.
    first, second = (
        values(tensor.type, tensor.size, seed=seed) for seed, tensor in enumerate(kernel.inputs)
    )
    batch = 1024
    x = np.resize(first, (batch, first.shape[1])), np.resize(second[1:], (batch, second.shape[1]))
    expected = judge(list(TRIALS).index(name), *x)
    np.testing.assert_array_equal(kernel.golden(*x), expected)
    check_circuit(kernel, *x)


def test_shapes_are_kept() -> None:
    a, b = Tensor("a", (2, 3), t("fixed<8,3>")), Tensor("b", (3,), t("fixed<8,3>"))
    kernel = Merge("join", (a, b), Tensor("y", (2, 3), t("fixed<9,4>")), "add")
    x, y = values(a.type, 6).reshape(-1, 2, 3), values(b.type, 3)
    np.testing.assert_array_equal(kernel.golden(x, y), x + y[:, None])
    check_circuit(kernel, x, y)


def test_what_leaves_int64_is_refused() -> None:
    wide = Tensor("a", (2,), t("fixed<40,20>"))
    with pytest.raises(UnsupportedError, match=r"layer 'join': multiply .*more than 62 bits"):
        Merge("join", (wide, wide), wide, "multiply")
    low = Tensor("b", (2,), t("fixed<40,-10>"))
    with pytest.raises(UnsupportedError, match=r"layer 'join': add .*more than 62 bits"):
        Merge("join", (wide, low), wide, "add")
    with pytest.raises(UnsupportedError, match=r"layer 'dot': .*more than 62 bits"):
        Dot("dot", (wide, wide), Tensor("y", (1,), wide.type), wide.type)


def test_a_saturating_accumulator_that_may_saturate_is_refused() -> None:
    a = Tensor("a", (5,), t("fixed<8,3>"))
    with pytest.raises(UnsupportedError, match=r"layer 'dot': .*order of summation"):
        Dot("dot", (a, a), Tensor("y", (1,), t("fixed<8,3>")), t("fixed<16,6,TRN,SAT>"))


def test_work_counts_products_only() -> None:
    a = Tensor("a", (5,), t("fixed<8,3>"))
    assert Merge("join", (a, a), a, "add").operation_counts() == OperationCounts()
    assert Merge("join", (a, a), a, "multiply").operation_counts() == OperationCounts(
        macs=5, bops=320, ebops=320
    )
    out = Tensor("y", (1,), t("fixed<8,3>"))
    assert Dot("dot", (a, a), out, t("fixed<20,9>")).operation_counts() == OperationCounts(
        macs=5, bops=320, ebops=320
    )
