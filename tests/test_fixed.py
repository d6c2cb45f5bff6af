"""The Python casts, judged by the ap_types headers that ship with hls4ml, compiled with g++."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import (
    FixedType,
    Overflow,
    Rounding,
    cast,
    cast_int,
    cast_range,
    from_float,
    is_lossless,
    to_float,
)
from judges.ap_types import Case, Judge

MODES = list(product(Rounding, Overflow, (True, False)))


def random_cases(rng: random.Random, per_mode: int, widths: tuple[int, int]) -> list[Case]:
    """Random sources and targets for every rounding, overflow and pair of signs."""
    cases = []
    for (rounding, overflow, signed), source_signed in product(MODES, (True, False)):
        for _ in range(per_mode):
            source_width, width = (rng.randint(1, limit) for limit in widths)
            shift = rng.randint(-width - 2, source_width + 2)
            integer = rng.randint(-3, width + 3)
            source = FixedType(source_width, source_width - width + integer - shift, source_signed)
            cases.append(Case(source, FixedType(width, integer, signed, rounding, overflow)))
    return cases


def every_value(t: FixedType) -> np.ndarray:
    return np.arange(t.min, t.max + 1)


def random_values(t: FixedType) -> np.ndarray:
    """Values of all magnitudes, the bounds, and values just beside multiples of powers of two."""
    rng = np.random.default_rng(t.width)
    raw = rng.integers(t.min, t.max, 400, endpoint=True) >> rng.integers(0, t.width, 400)
    low = rng.integers(0, t.width, 400)
    beside = (raw >> low << low) + rng.integers(-1, 2, 400)
    return np.clip(np.concatenate([raw, beside, [t.min, 0, t.max]]), t.min, t.max)


@pytest.fixture(scope="module")
def cache(request):
    return request.config.cache.mkdir("ap_types")


@pytest.fixture(scope="module")
def judge(cache) -> Judge:
    """One library for all that the fast tests ask."""
    rng = random.Random(4)
    return Judge(
        random_cases(rng, 1, (6, 5))
        + random_cases(rng, 1, (40, 30))
        + [
            Case("double", FixedType(width, integer, signed, rounding, overflow))
            for rounding, overflow, signed in MODES
            for width, integer in [(rng.randint(1, 20), rng.randint(-4, 22))]
        ]
        + [Case("float", FixedType(8, 3, True, Rounding.RND_CONV, Overflow.SAT))]
        + [
            Case(source, FixedType.parse(target), to_integer=True)
            for source in (FixedType(6, 3), FixedType(6, 3, False), FixedType(4, 6))
            for target in ("int<2>", "int<5>", "uint<3>", "uint<9>")
        ]
        + [
            Case("double", FixedType.parse("int<5>"), to_integer=True),
            Case(FixedType(5, 0), FixedType.parse("int<5>"), to_integer=True),
        ],
        cache,
    )


def subset(judge: Judge, wanted) -> list[tuple[int, Case]]:
    chosen = [(index, case) for index, case in enumerate(judge.cases) if wanted(case)]
    assert chosen
    return chosen


def is_fixed(case: Case) -> bool:
    return isinstance(case.source, FixedType) and not case.to_integer


def test_cast(judge: Judge) -> None:
    """Every value of small sources, random values of wide ones."""
    for index, case in subset(judge, is_fixed):
        raw = (every_value if case.source.width <= 6 else random_values)(case.source)
        np.testing.assert_array_equal(
            cast(raw, case.source.frac, case.to), judge(index, raw), f"{case.source} to {case.to}"
        )


@given(data=st.data())
def test_cast_of_any_value(judge: Judge, data: st.DataObject) -> None:
    index, case = data.draw(st.sampled_from(subset(judge, is_fixed)))
    raw = data.draw(st.integers(case.source.min, case.source.max))
    expected = int(judge(index, np.array([raw]))[0])
    assert cast_int(raw, case.source.frac, case.to) == expected


@pytest.mark.full
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("overflow", Overflow)
def test_every_small_type(rounding: Rounding, overflow: Overflow, cache) -> None:
    """All sources of 1, 2, 4 and 6 bits to all targets of 1, 2, 3 and 5, all shifts that matter."""
    cases = [
        Case(
            FixedType(source_width, source_width - shift, source_signed),
            FixedType(width, width, signed, rounding, overflow),
        )
        for source_width, width in product((1, 2, 4, 6), (1, 2, 3, 5))
        for source_signed, signed in product((True, False), repeat=2)
        for shift in range(-width - 1, source_width + 2)
    ]
    judge = Judge(cases, cache)
    for index, case in enumerate(cases):
        raw = every_value(case.source)
        np.testing.assert_array_equal(
            cast(raw, case.source.frac, case.to), judge(index, raw), f"{case.source} to {case.to}"
        )


@pytest.mark.full
def test_many_wide_types(cache) -> None:
    judge = Judge(random_cases(random.Random(4), 8, (60, 60)), cache)
    compared = 0
    for index, case in enumerate(judge.cases):
        raw = random_values(case.source)
        try:
            ours = cast(raw, case.source.frac, case.to)
        except UnsupportedError:
            continue  # shifted left beyond int64
        np.testing.assert_array_equal(ours, judge(index, raw), f"{case.source} to {case.to}")
        compared += 1
    assert compared > len(judge.cases) // 2


def test_integer_types_round_towards_zero(judge: Judge) -> None:
    for index, case in subset(
        judge, lambda c: c.to_integer and isinstance(c.source, FixedType) and c.source.integer > 0
    ):
        raw = every_value(case.source)
        np.testing.assert_array_equal(
            cast(raw, case.source.frac, case.to), judge(index, raw), f"{case.source} to {case.to}"
        )


def test_integer_types_depart_from_the_formula_below_one(judge: Judge) -> None:
    """docs/semantics.md says so; if the headers mend it, it should say so no more."""
    [(index, case)] = subset(judge, lambda c: c.to_integer and c.source == FixedType(5, 0))
    assert judge(index, np.array([-16, -1, 0, 15])).tolist() == [-1, -1, 0, 0]
    [(index, case)] = subset(judge, lambda c: c.to_integer and c.source == "double")
    values = np.array([-2.5, -1.0, -0.75, -0.25, -1e-9, 0.0, 0.25, 2.5])
    assert judge(index, values).tolist() == [-2, -1, 0, 1, 1, 0, 0, 2]
    assert from_float(values, case.to).tolist() == [-2, -1, 0, 0, 0, 0, 0, 2]


def floats(t: FixedType) -> np.ndarray:
    """Values on, halfway between and beside the grid of a type, within and far out of its range."""
    steps = np.concatenate([np.arange(-100, 100) / 4, np.ldexp(1.0, np.arange(1, 70))])
    near = np.ldexp(np.concatenate([steps, -steps]), -t.frac)
    near = np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf)])
    return np.concatenate([near, [1e300, -1e300, 5e-324, -5e-324, 0.1, -0.1, -0.0, 2.0**53 + 2]])


def test_from_float(judge: Judge) -> None:
    for index, case in subset(judge, lambda c: c.source == "double" and not c.to_integer):
        x = floats(case.to)
        np.testing.assert_array_equal(from_float(x, case.to), judge(index, x), str(case.to))
    [(index, case)] = subset(judge, lambda c: c.source == "float")
    x = np.clip(floats(case.to), -3e38, 3e38).astype(np.float32)
    np.testing.assert_array_equal(from_float(x, case.to), judge(index, x))


@given(data=st.data(), x=st.floats(allow_nan=False, allow_infinity=False))
def test_from_any_float(judge: Judge, data: st.DataObject, x: float) -> None:
    doubles = subset(judge, lambda c: c.source == "double" and not c.to_integer)
    index, case = data.draw(st.sampled_from(doubles))
    assert from_float(np.array([x]), case.to) == judge(index, np.array([x]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_from_float_refuses_what_is_no_number(value: float) -> None:
    with pytest.raises(InputError, match=r"index \[0, 1\]"):
        from_float(np.array([[0.0, value]]), FixedType(8, 4))


def test_to_float() -> None:
    assert to_float(np.array([[-3, 5]]), 1).tolist() == [[-1.5, 2.5]]
    assert to_float(np.array([3]), -2).tolist() == [12.0]


types = st.builds(
    FixedType,
    st.integers(1, 6),
    st.integers(-4, 10),
    st.booleans(),
    st.sampled_from(Rounding),
    st.sampled_from(Overflow),
)


@given(st.integers(-70, 70), st.integers(0, 40), st.integers(-6, 8), types)
def test_cast_range(lo: int, length: int, frac: int, to: FixedType) -> None:
    results = cast(np.arange(lo, lo + length + 1), frac, to)
    span = cast_range(lo, lo + length, frac, to)
    exact = (int(results.min()), int(results.max()))
    if to.overflow is Overflow.WRAP and span == (to.min, to.max):
        assert span[0] <= exact[0] <= exact[1] <= span[1]
    else:
        assert span == exact


@given(st.integers(-70, 70), st.integers(0, 40), st.integers(-6, 8), types)
def test_is_lossless(lo: int, length: int, frac: int, to: FixedType) -> None:
    raw = np.arange(lo, lo + length + 1)
    kept = bool((to_float(cast(raw, frac, to), to.frac) == to_float(raw, frac)).all())
    assert is_lossless(lo, lo + length, frac, to) == kept


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-3, 140), types)
def test_arrays_and_integers_are_cast_alike(raw: int, frac: int, to: FixedType) -> None:
    try:
        ours = cast(np.array([raw]), frac, to)
    except UnsupportedError:
        assert not -(2**63) <= raw << (to.frac - frac) < 2**63
    else:
        assert ours.tolist() == [cast_int(raw, frac, to)]


def test_cast_refuses_what_int64_cannot_hold() -> None:
    with pytest.raises(UnsupportedError, match="does not fit in int64"):
        cast(np.array([1, 5]), 0, FixedType(20, -42))
    with pytest.raises(UnsupportedError, match="63 bits"):
        cast(np.array([1]), 0, FixedType(64, 64))


@pytest.mark.parametrize("raw", [np.array(5), np.empty((0, 3), int), np.arange(6).reshape(2, 3)])
def test_cast_keeps_the_shape(raw: np.ndarray) -> None:
    assert cast(raw, 2, FixedType(4, 2)).shape == raw.shape
    assert from_float(raw.astype(np.float32), FixedType(4, 2)).dtype == np.int64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fixed<16,6>", FixedType(16, 6)),
        ("ap_fixed<9, -6, AP_RND, AP_SAT, 0>", FixedType(9, -6, True, Rounding.RND, Overflow.SAT)),
        ("ufixed<8,0,RND_CONV,SAT>", FixedType(8, 0, False, Rounding.RND_CONV, Overflow.SAT)),
        ("ap_uint<3>", FixedType(3, 3, False, Rounding.TRN_ZERO)),
    ],
)  # fmt: skip
def test_parse(text: str, expected: FixedType) -> None:
    assert FixedType.parse(text) == expected
    assert FixedType.parse(str(expected)) == expected


@pytest.mark.parametrize("text", ["fixed<16>", "float", "fixed<8,4,UP>", "int<0>", "fixed<8,4,,>"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(InputError, match="precision"):
        FixedType.parse(text)
