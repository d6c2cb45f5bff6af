"""Batch normalization against hls4ml's C++, and its circuits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import TARGET, build, check_circuit, values
from judge import Array, Call, Judge

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import BatchNorm, OperationCounts, Tensor, Thresholds

if TYPE_CHECKING:
    from pathlib import Path

t = FixedType.parse
rng = np.random.default_rng(6)

SHAPE, ENTRIES = (2, 3), 3


def cpp_type(text: str) -> FixedType | str:
    return f"ap_{text}" if "int<" in text else t(text)


def io(source: str, to: str) -> tuple[str, tuple[Tensor, ...], Tensor]:
    return "bn", (Tensor("x", SHAPE, t(source)),), Tensor("y", SHAPE, t(to))


def raw(text: str, entries: int) -> np.ndarray:
    to = t(text)
    return rng.integers(to.min, to.max + 1, entries) >> rng.integers(0, to.width, entries)


CONFIG = (
    f"static const unsigned n_in = 6; static const unsigned n_filt = {ENTRIES}; "
    f"static const unsigned n_scale_bias = {ENTRIES}; static const unsigned multiplier_limit = 1;"
)
#: Types of input, scale, bias and result.
TYPES = [
    ("fixed<16,6>", "fixed<16,6>", "fixed<16,6>", "fixed<33,13>"),
    ("fixed<8,3>", "fixed<9,2>", "fixed<16,6>", "fixed<8,3,RND,SAT>"),
    ("fixed<8,3>", "ufixed<5,1>", "fixed<24,4>", "fixed<10,2,RND_CONV,SAT_SYM>"),
    ("ufixed<6,0>", "fixed<7,9>", "fixed<6,3>", "ufixed<6,4,RND_ZERO>"),
    ("fixed<6,-1>", "fixed<6,-2>", "fixed<5,1>", "fixed<7,0,RND_MIN_INF,SAT_ZERO>"),
    ("int<6>", "fixed<8,3>", "int<6>", "int<8>"),
    ("fixed<8,5>", "int<4>", "uint<1>", "uint<6>"),
]
THRESHOLDS = ["fixed<8,3>", "ufixed<6,2>", "int<7>"]


def normalization(source: str, scale: str, bias: str, to: str) -> tuple[BatchNorm, Call]:
    kernel = BatchNorm(
        *io(source, to),
        scale=raw(scale, ENTRIES),
        bias=raw(bias, ENTRIES),
        scale_type=t(scale),
        bias_type=t(bias),
    )
    call = Call(
        "nnet::normalize<X0, Y, Config>(x0, y, x1, x2);",
        (
            Array(cpp_type(source), 6),
            Array(cpp_type(scale), ENTRIES),
            Array(cpp_type(bias), ENTRIES),
        ),
        Array(cpp_type(to), 6),
        f"struct Config : nnet::batchnorm_config {{ {CONFIG} "
        "typedef X1 scale_t; typedef X2 bias_t; };",
    )
    return kernel, call


def comparison(source: str, levels: int) -> tuple[Thresholds, Call]:
    to, name = ("uint<1>", "binary") if levels == 1 else ("int<2>", "ternary")
    limits = np.sort(np.stack([raw(source, ENTRIES) for _ in range(levels)]), axis=0)[::-1]
    kernel = Thresholds(*io(source, to), thresholds=limits)
    parameters = ", ".join(f"x{i + 1}" for i in range(levels))
    call = Call(
        f"nnet::normalize_{name}_tanh<X0, Config>(x0, y, {parameters});",
        (Array(cpp_type(source), 6), *[Array(cpp_type(source), ENTRIES)] * levels),
        Array(f"ap_{to}", 6),
        f"struct Config : nnet::batchnorm_quantized_tanh_config {{ {CONFIG} }};",
    )
    return kernel, call


TRIALS = [normalization(*types) for types in TYPES]
TRIALS += [comparison(source, levels) for source in THRESHOLDS for levels in (1, 2)]


@pytest.fixture(scope="module")
def judge(judge_cache: Path) -> Judge:
    return Judge([call for _, call in TRIALS], judge_cache, ["nnet_utils/nnet_batchnorm.h"])


@pytest.mark.parametrize("index", range(len(TRIALS)))
def test_golden_is_cpp_and_circuit_is_golden(judge: Judge, index: int) -> None:
    kernel, _ = TRIALS[index]
    x = values(kernel.inputs[0].type, 6).reshape(-1, *SHAPE)
    if isinstance(kernel, BatchNorm):
        constants = [kernel.scale, kernel.bias]
    else:
        constants = list(kernel.thresholds)
    expected = judge(index, x, *(np.broadcast_to(c, (len(x), ENTRIES)) for c in constants))
    np.testing.assert_array_equal(kernel.golden(x).reshape(len(x), -1), expected)
    check_circuit(kernel, x)


def test_a_scale_per_element() -> None:
    kernel, _ = normalization("fixed<8,3>", "fixed<6,2>", "fixed<8,3>", "fixed<16,6>")
    each = replace(kernel, scale=np.arange(6), bias=np.arange(6))
    x = values(t("fixed<8,3>"), 6).reshape(-1, *SHAPE)
    expected = (x << 1) * np.arange(6).reshape(SHAPE) + (np.arange(6).reshape(SHAPE) << 5)
    np.testing.assert_array_equal(each.golden(x), expected[..., :])
    check_circuit(each, x)


def test_powers_of_two_cost_no_multiplier_and_others_do_as_the_strategy_says() -> None:
    types = ("fixed<16,6>", "fixed<16,6>", "fixed<16,6>", "fixed<33,13>")
    kernel, _ = normalization(*types)

    def multiplications(scale: list[int], strategy: str) -> int:
        chosen = replace(kernel, scale=np.array(scale), strategy=strategy)
        return sum(node.op.value == "mul" for node in build(chosen)[0].nodes)

    assert multiplications([4, -8, 0], "resource") == 0
    assert multiplications([4, 5, 7], "resource") == 4
    assert multiplications([21845, 13653, 7], "latency") == 4
    assert multiplications([21845, 13653, 7], "distributed_arithmetic") == 0
    mixed = replace(kernel, scale=np.array([21845, 13653, 7]))
    assert mixed.implementation(TARGET).strategy == "adder graph, multipliers"


def test_products_beyond_int64_are_refused() -> None:
    types = ("fixed<40,20>", "fixed<30,5>", "fixed<16,6>", "fixed<33,13>")
    with pytest.raises(UnsupportedError, match=r"layer 'bn': .*more than 62 bits"):
        replace(normalization(*types)[0], scale=np.full(3, 1 << 28))


def test_work_is_counted_on_the_model() -> None:
    kernel, _ = normalization("fixed<8,3>", "fixed<6,2>", "fixed<7,3>", "fixed<16,6>")
    kernel = replace(kernel, scale=np.array([0, 1, 2]))
    assert kernel.operation_counts() == OperationCounts(
        macs=6,
        bops=2 * 2 * 8 * 6,
        ebops=2 * (1 + 1) * 8,
        weights=3,
        nonzero=2,
        parameters=6,
        weight_bits=3 * (6 + 7),
    )
