"""Dense layers against hls4ml's C++, and their circuits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import TARGET, build, check_circuit, values
from judge import Array, Call, Judge

from gatewright.circuit import adders_area
from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType, Overflow
from gatewright.kernels import Dense, OperationCounts, Tensor, cmvm

if TYPE_CHECKING:
    from pathlib import Path

t = FixedType.parse
rng = np.random.default_rng(5)


def raw(to: FixedType, *shape: int, zeros: float = 0.3) -> np.ndarray:
    """Random raw values of a type, of all magnitudes, some of them zero."""
    found = rng.integers(to.min, to.max + 1, shape) >> rng.integers(0, to.width, shape)
    return np.where(rng.random(shape) < zeros, 0, found)


def dense(
    source: str, weight: str, bias: str, accum: str, to: str, n_in: int = 5, n_out: int = 3
) -> Dense:
    return Dense(
        "fc",
        (Tensor("x", (n_in,), t(source)),),
        Tensor("y", (n_out,), t(to)),
        weights=raw(t(weight), n_in, n_out),
        bias=raw(t(bias), n_out),
        weight_type=t(weight),
        bias_type=t(bias),
        accum=t(accum),
    )


def cpp_type(text: str) -> FixedType | str:
    return f"ap_{text}" if "int<" in text else t(text)


def call(case: tuple[str, ...], kernel: Dense) -> Call:
    source, weight, bias, accum, to, *_ = case
    n_in, n_out = kernel.weights.shape
    types = Array(cpp_type(accum), 1).cpp
    return Call(
        "nnet::dense_latency<X0, Y, Config>(x0, y, x1, x2);",
        (
            Array(cpp_type(source), n_in),
            Array(cpp_type(weight), n_in * n_out),
            Array(cpp_type(bias), n_out),
        ),
        Array(cpp_type(to), n_out),
        f"struct Config : nnet::dense_config {{ static const unsigned n_in = {n_in}; "
        f"static const unsigned n_out = {n_out}; static const unsigned multiplier_limit = 1; "
        f"typedef X1 weight_t; typedef X2 bias_t; typedef {types} accum_t; }};",
    )


CASES: dict[str, tuple[str, ...]] = {
    "lossless": ("fixed<16,6>", "fixed<16,6>", "fixed<16,6>", "fixed<36,16>", "fixed<36,16>"),
    "wrapping": ("fixed<8,3>", "fixed<6,1>", "fixed<8,3>", "fixed<11,1>", "fixed<16,6>"),
    "wider grid": ("fixed<8,3>", "fixed<6,1>", "fixed<12,2>", "fixed<24,6>", "ufixed<8,3,RND,SAT>"),
    "bias off grid": (
        "fixed<6,3>",
        "fixed<6,2>",
        "fixed<12,1>",
        "fixed<16,8>",
        "fixed<9,4,RND_CONV>",
    ),
    "lossy TRN": ("fixed<8,3>", "fixed<8,1>", "fixed<8,3>", "fixed<12,7>", "fixed<12,7>"),
    "lossy RND": (
        "fixed<8,3>",
        "fixed<8,1>",
        "fixed<8,3>",
        "fixed<12,7,RND>",
        "fixed<8,5,RND_ZERO>",
    ),
    "lossy RND_CONV": ("fixed<8,3>", "fixed<8,1>", "fixed<8,3>", "fixed<9,4,RND_CONV>", "int<6>"),
    "lossy RND_INF": (
        "ufixed<7,2>",
        "fixed<5,0>",
        "fixed<8,3>",
        "fixed<9,5,RND_INF>",
        "fixed<9,5>",
    ),
    "lossy TRN_ZERO": (
        "fixed<7,2>",
        "fixed<5,0>",
        "fixed<8,3>",
        "int<9>",
        "fixed<6,4,TRN_ZERO,SAT>",
    ),
    "safe SAT": (
        "fixed<6,2>",
        "fixed<5,1>",
        "fixed<5,2>",
        "fixed<20,8,RND,SAT>",
        "fixed<9,3,RND,SAT>",
    ),
    "safe SAT, lossy": (
        "fixed<6,2>",
        "fixed<5,1>",
        "fixed<5,2>",
        "fixed<9,7,RND,SAT_SYM>",
        "fixed<8,6>",
    ),
    "integers": ("int<6>", "int<5>", "int<6>", "int<16>", "uint<7>"),
    "unsigned": (
        "ufixed<6,0>",
        "ufixed<5,2>",
        "ufixed<4,1>",
        "ufixed<18,7>",
        "fixed<9,3,RND,SAT_SYM>",
    ),
    "negative integer bits": (
        "fixed<5,-2>",
        "fixed<4,-1>",
        "fixed<4,0>",
        "fixed<12,1>",
        "fixed<7,-1,RND>",
    ),
    "coarse": (
        "fixed<5,7>",
        "fixed<4,6>",
        "fixed<4,5>",
        "fixed<18,18>",
        "fixed<9,12,RND_CONV,SAT>",
    ),
}
KERNELS = {name: dense(*case) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def judge(judge_cache: Path) -> Judge:
    calls = [call(CASES[name], kernel) for name, kernel in KERNELS.items()]
    return Judge(calls, judge_cache, ["nnet_utils/nnet_dense.h"])


@pytest.mark.parametrize("name", KERNELS)
def test_golden_is_cpp_and_circuit_is_golden(judge: Judge, name: str) -> None:
    kernel = KERNELS[name]
    x = values(kernel.inputs[0].type, kernel.inputs[0].size)
    expected = judge(
        list(KERNELS).index(name),
        x,
        np.broadcast_to(kernel.weights.ravel(), (len(x), kernel.weights.size)),
        np.broadcast_to(kernel.bias, (len(x), kernel.bias.size)),
    )
    np.testing.assert_array_equal(kernel.golden(x), expected)
    for strategy in ("latency", "resource", "distributed_arithmetic"):
        check_circuit(replace(kernel, strategy=strategy), x)


@pytest.mark.parametrize("n_in, n_out", [(1, 1), (1, 4), (6, 1)])
def test_thin_matrices(n_in: int, n_out: int) -> None:
    case = ("fixed<8,3>", "fixed<6,1>", "fixed<8,3>", "fixed<17,7>", "fixed<17,7>")
    kernel = dense(*case, n_in=n_in, n_out=n_out)
    check_circuit(kernel, values(t("fixed<8,3>"), n_in))


def test_columns_of_zeros_give_the_bias() -> None:
    case = ("fixed<8,3>", "fixed<6,1>", "fixed<8,3>", "fixed<17,7>", "fixed<17,7>")
    kernel = dense(*case)
    kernel = replace(kernel, weights=np.zeros_like(kernel.weights))
    x = values(t("fixed<8,3>"), 5)
    expected = np.broadcast_to(kernel.bias << 5, (len(x), 3))
    np.testing.assert_array_equal(kernel.golden(x), expected)
    check_circuit(kernel, x)


def test_the_last_axis_is_multiplied() -> None:
    case = ("fixed<8,3>", "fixed<6,1>", "fixed<8,3>", "fixed<17,7>", "fixed<17,7>")
    kernel = dense(*case)
    rows = replace(
        kernel,
        inputs=(Tensor("x", (2, 5), t("fixed<8,3>")),),
        output=Tensor("y", (2, 3), t(case[4])),
    )
    x = values(t("fixed<8,3>"), 10).reshape(-1, 2, 5)
    np.testing.assert_array_equal(rows.golden(x)[:, 1], kernel.golden(x[:, 1]))
    check_circuit(rows, x)
    assert rows.operation_counts().macs == 2 * kernel.operation_counts().macs


def test_sums_in_blocks_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    case = ("fixed<8,3>", "fixed<6,1>", "fixed<8,3>", "fixed<17,7>", "fixed<17,7>")
    kernel = dense(*case, n_in=11)
    whole, _ = build(kernel)
    monkeypatch.setattr(cmvm, "_BLOCK_WORK", 40)
    blocks, _ = build(kernel)
    assert blocks.nodes != whole.nodes
    check_circuit(kernel, values(t("fixed<8,3>"), 11))


def test_the_adder_graph_is_the_one_that_takes_fewer_luts(monkeypatch: pytest.MonkeyPatch) -> None:
    solve, areas = cmvm._solve_with_da4ml, []

    def luts(kernel: Dense) -> int:
        return adders_area(build(kernel)[0])

    for seed in range(3):
        weights = np.random.default_rng(seed).integers(-15, 16, (16, 32))
        weights[np.random.default_rng(seed).random((16, 32)) < 0.2] = 0
        kernel = dense("fixed<3,2>", "fixed<5,1>", "fixed<4,3>", "fixed<20,9>", "fixed<20,9>")
        kernel = replace(
            kernel,
            inputs=(Tensor("x", (16,), t("fixed<3,2>")),),
            weights=weights,
            bias=np.zeros(32, np.int64),
            output=Tensor("y", (32,), t("fixed<20,9>")),
        )
        found = luts(kernel)
        each = []
        for way in (False, True):
            with monkeypatch.context() as patched:
                patched.setattr(
                    cmvm, "_solve_with_da4ml", lambda m, x, _, way=way: solve(m, x, way)
                )
                patched.setattr(cmvm, "_solver", lambda way=way: (f"one way {way}", b""))
                each.append(luts(kernel))
        assert found == min(each)
        areas.append(each)
    assert any(first != second for first, second in areas)


def test_strategy_decides_between_adders_and_multipliers() -> None:
    kernel = dense("fixed<16,6>", "fixed<16,1>", "fixed<16,6>", "fixed<40,12>", "fixed<40,12>")
    kernel = replace(kernel, weights=rng.integers(0x2AAA, 0x5555, (5, 3)))

    def multiplies(strategy: str) -> bool:
        chosen = replace(kernel, strategy=strategy)
        circuit, _ = build(chosen)
        has = any(node.op.value == "mul" for node in circuit.nodes)
        assert has == (chosen.implementation(TARGET).strategy == cmvm.MULTIPLIERS)
        return has

    assert multiplies("resource")
    assert not multiplies("distributed_arithmetic")
    assert multiplies("latency")
    few_bits = dense("fixed<6,3>", "fixed<3,1>", "fixed<6,3>", "fixed<12,6>", "fixed<12,6>")
    assert few_bits.implementation(TARGET).strategy == cmvm.ADDERS


def test_weights_too_wide_for_the_solver_are_multiplied() -> None:
    kernel = dense("fixed<4,3>", "fixed<30,5>", "fixed<8,3>", "fixed<40,12>", "fixed<40,12>")
    kernel.weights[0, 0] = (1 << 28) + 1
    assert "weights of 29 bits" in kernel.implementation(TARGET).reason
    check_circuit(kernel, values(t("fixed<4,3>"), 5))


@pytest.mark.parametrize(
    "accum, bias",
    [("fixed<10,4,TRN,SAT>", 0), ("fixed<12,5,TRN,SAT>", 2000), ("fixed<7,3,RND,SAT_ZERO>", 0)],
)
def test_a_saturating_accumulator_that_may_saturate_is_refused(accum: str, bias: int) -> None:
    case = ("fixed<6,2>", "fixed<5,1>", "fixed<16,8>", "fixed<30,12>", "fixed<9,3>")
    kernel = replace(dense(*case), weights=np.full((5, 3), 15), bias=np.full(3, bias))
    with pytest.raises(UnsupportedError, match=r"layer 'fc': .*order of summation"):
        replace(kernel, accum=t(accum))
    replace(kernel, accum=replace(t(accum), overflow=Overflow.WRAP))


def test_a_product_may_saturate_though_the_sum_could_not() -> None:
    # 1 * 7 - 7 is 0, but 7 does not fit.
    kernel = dense("ufixed<1,1>", "fixed<4,4>", "fixed<4,4>", "fixed<5,5>", "fixed<5,5>", 1, 1)
    kernel = replace(kernel, weights=np.array([[7]]), bias=np.array([-7]))
    with pytest.raises(UnsupportedError, match="saturate"):
        replace(kernel, accum=t("fixed<3,3,TRN,SAT>"))


def test_sums_beyond_int64_are_refused() -> None:
    case = ("fixed<32,16>", "fixed<32,16>", "fixed<8,3>", "fixed<40,20>", "fixed<40,20>")
    kernel = replace(dense(*case), weights=np.ones((5, 3), np.int64))
    with pytest.raises(UnsupportedError, match=r"layer 'fc': .*more than 62 bits"):
        replace(kernel, weights=np.full((5, 3), 1 << 30))


def test_work_is_counted_on_the_model() -> None:
    case = ("fixed<8,3>", "fixed<6,1>", "fixed<7,3>", "fixed<17,7>", "fixed<17,7>")
    weights = np.array([[1, 0], [2, 3], [0, 0]])
    kernel = replace(dense(*case, n_in=3, n_out=2), weights=weights)
    assert kernel.operation_counts() == OperationCounts(
        macs=6,
        bops=3 * 48,
        ebops=(1 + 1 + 2) * 8,
        weights=6,
        nonzero=3,
        parameters=8,
        weight_bits=6 * 6 + 2 * 7,
    )


@pytest.mark.parametrize("accum", ["fixed<36,16>", "fixed<11,1>", "fixed<12,8,RND>"])
def test_accumulators_are_sums_of_cast_products(accum: str) -> None:
    """With Python's integers: products rounded one by one where the accumulator is coarser."""
    kernel = dense("fixed<8,3>", "fixed<6,1>", "fixed<8,3>", accum, "fixed<5,2>")
    x = raw(t("fixed<8,3>"), 40, 5, zeros=0)
    to, frac = kernel.accum, 5 + 5

    def held(value: int, own: int) -> int:
        if to.frac >= own:
            return value << (to.frac - own)
        half = 1 << (own - to.frac - 1) if accum.endswith("RND>") else 0
        return (value + half) >> (own - to.frac)

    for row, sums in zip(x.tolist(), kernel.accumulated(x).tolist(), strict=True):
        for column, found in enumerate(sums):
            products = [a * int(w) for a, w in zip(row, kernel.weights[:, column], strict=True)]
            total = sum(held(one, frac) for one in products) + held(int(kernel.bias[column]), 5)
            assert found == (total - to.min) % (1 << to.width) + to.min
