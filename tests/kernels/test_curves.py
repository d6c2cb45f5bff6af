"""Table contents against the tables that hls4ml's C++ builds, entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from judge import Array, Call, Judge, cpp

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import curves

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

t = FixedType.parse

#: Wide enough to hold every float of these tables exactly.
EXACT = "fixed<58,14>"

SIZES_AND_TYPES = [
    (1024, EXACT),
    (1024, "fixed<18,8>"),
    (4096, "fixed<18,8,RND,SAT>"),
    (300, "ufixed<8,0,RND_CONV,SAT>"),
    (32768, EXACT),
]

FUNCTIONS: dict[str, Callable[[int, FixedType], np.ndarray]] = {
    "init_sigmoid_table": curves.sigmoid,
    "init_tanh_table": curves.tanh,
    "init_softplus_table": curves.softplus,
    "init_softsign_table": curves.softsign,
    "init_elu_table": curves.elu,
    "init_selu_table": curves.selu,
    "init_exp_table_legacy": curves.legacy_exp,
    "init_invert_table_legacy": curves.legacy_invert,
}

#: Size, index type, entry type, whether negated, scale.
EXP_TABLES = [
    (1024, "ufixed<15,5>", "fixed<18,8,RND,SAT>", True, 1.0),
    (1024, "fixed<16,6>", "fixed<18,8,RND,SAT>", False, 1.0),
    (1024, "fixed<16,6>", "fixed<18,8>", False, 0.7),
    (4096, "ufixed<12,4>", EXACT, True, 1.3),
    (64, "fixed<10,10>", "ufixed<9,1,RND,SAT>", False, 1.0),
    (256, "fixed<8,9>", "fixed<12,6>", False, 1.0),
    (2, "ufixed<3,0>", "fixed<9,3>", True, 1.0),
]
INVERT_TABLES = [
    (1024, "fixed<18,8,RND,SAT>", "fixed<18,8,RND,SAT>"),
    (1024, "fixed<18,8>", "fixed<18,8>"),
    (4096, "ufixed<18,8>", EXACT),
    (256, "ufixed<8,-2>", "ufixed<10,4,RND_CONV,SAT_SYM>"),
    (16, "fixed<6,3>", "fixed<10,4,TRN,SAT_ZERO>"),
]


def call(body: str, size: int, to: str, config: str = "") -> Call:
    declarations = f"struct Config {{ typedef {cpp(t(to))} table_t; {config} }};"
    return Call(body, (Array("ap_int<1>", 1),), Array(t(to), size), declarations)


CENTRED = [(name, size, to) for name in FUNCTIONS for size, to in SIZES_AND_TYPES]


@pytest.fixture(scope="module")
def judge(judge_cache: Path) -> Judge:
    calls = [call(f"nnet::{name}<Config, {size}>(y);", size, to) for name, size, to in CENTRED]
    for size, index, to, negative, scale in EXP_TABLES:
        config = (
            f"static const unsigned exp_table_size = {size}; typedef table_t exp_table_t; "
            f"static constexpr float exp_scale = {scale};"
        )
        body = f"nnet::init_exp_table<{cpp(t(index))}, Config>(y, {str(negative).lower()});"
        calls.append(call(body, size, to, config))
    for size, index, to in INVERT_TABLES:
        config = (
            f"static const unsigned inv_table_size = {size}; typedef table_t inv_table_t; "
            "static constexpr float exp_scale = 1;"
        )
        body = f"nnet::init_invert_table<{cpp(t(index))}, Config>(y);"
        calls.append(call(body, size, to, config))
    return Judge(calls, judge_cache)


def entries(judge: Judge, index: int) -> np.ndarray:
    return judge(index, np.zeros((1, 1), np.int64))[0]


@pytest.mark.parametrize(("index", "case"), [*enumerate(CENTRED)], ids=map(str, CENTRED))
def test_curve(judge: Judge, index: int, case: tuple[str, int, str]) -> None:
    name, size, to = case
    np.testing.assert_array_equal(FUNCTIONS[name](size, t(to)), entries(judge, index))


@pytest.mark.parametrize(("index", "case"), [*enumerate(EXP_TABLES)], ids=map(str, EXP_TABLES))
def test_softmax_exp(judge: Judge, index: int, case: tuple[int, str, str, bool, float]) -> None:
    size, source, to, negative, scale = case
    made = curves.softmax_exp(size, t(source), t(to), negative=negative, scale=scale)
    np.testing.assert_array_equal(made, entries(judge, len(CENTRED) + index))


@pytest.mark.parametrize(
    ("index", "case"), [*enumerate(INVERT_TABLES)], ids=map(str, INVERT_TABLES)
)
def test_softmax_invert(judge: Judge, index: int, case: tuple[int, str, str]) -> None:
    size, source, to = case
    made = curves.softmax_invert(size, t(source), t(to))
    np.testing.assert_array_equal(made, entries(judge, len(CENTRED) + len(EXP_TABLES) + index))


@pytest.mark.parametrize("size", [1, 3, 512])
def test_a_table_that_top_bits_cannot_index_is_refused(size: int) -> None:
    with pytest.raises(UnsupportedError, match="power of two from 2 to 256"):
        curves.softmax_exp(size, t("fixed<8,3>"), t("fixed<18,8>"), negative=False)
