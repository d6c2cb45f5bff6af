"""Arithmetic activations against hls4ml's C++, and their circuits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import build, check_circuit, values
from judge import Array, Call, Judge

from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import Kernel, Tensor
from gatewright.kernels.activation import (
    BinaryTanh,
    ClippedRelu,
    HardSigmoid,
    HardTanh,
    LeakyRelu,
    Linear,
    Relu,
    TernaryTanh,
    ThresholdedRelu,
)

if TYPE_CHECKING:
    from pathlib import Path

t = FixedType.parse

#: Pairs of types, source and result: those of every run, and more for the full one.
FEW_PAIRS = [
    ("fixed<16,6>", "fixed<16,6>"),
    ("fixed<16,6>", "ufixed<6,0,RND_CONV,SAT>"),
    ("fixed<8,3>", "fixed<6,4,RND,SAT_SYM>"),
    ("fixed<9,4>", "uint<2>"),
]
MORE_PAIRS = [
    ("fixed<8,3>", "ufixed<5,2,RND_ZERO>"),
    ("ufixed<7,3>", "fixed<4,2,TRN_ZERO,SAT>"),
    ("fixed<5,-1>", "fixed<8,1,RND_INF,SAT_ZERO>"),
    ("fixed<6,8>", "fixed<9,9,RND_MIN_INF>"),
    ("fixed<2,1>", "ufixed<3,0,RND,SAT>"),
    ("fixed<18,8,RND,SAT>", "fixed<12,4,RND_CONV>"),
    ("int<6>", "fixed<5,3>"),
    ("fixed<9,4>", "int<4>"),
    ("fixed<2,2>", "fixed<3,2>"),
]

SIZE = 3


@dataclass(frozen=True)
class Trial:
    """One kernel, and the C++ that it must equal."""

    kernel: Kernel
    call: Call
    constants: tuple[np.ndarray, ...] = ()


def cpp_name(text: str) -> FixedType | str:
    return f"ap_{text}" if "int<" in text else t(text)


def trial(
    kind: type[Kernel],
    function: str,
    source: str,
    to: str,
    config: str = "",
    **fields: object,
) -> Trial:
    kernel = kind(
        "layer", (Tensor("x", (SIZE,), t(source)),), Tensor("y", (SIZE,), t(to)), **fields
    )
    call = Call(
        f"nnet::{function}, Config>(x0, y);",
        (Array(cpp_name(source), SIZE),),
        Array(cpp_name(to), SIZE),
        f"struct Config {{ static const unsigned n_in = {SIZE}; "
        f"static const unsigned io_type = nnet::io_parallel; {config} }};",
    )
    return Trial(kernel, call)


def parametric(
    kind: type[Kernel], function: str, pair: tuple[str, str], parameter: np.ndarray, text: str
) -> Trial:
    """A layer function that takes a parameter, or an array of them, between x and y."""
    source, to = pair
    whole = parameter.size > 1
    field = "theta" if kind is ThresholdedRelu else "alpha"
    value = parameter if field == "alpha" else int(parameter[0])
    kernel = kind(
        "layer",
        (Tensor("x", (SIZE,), t(source)),),
        Tensor("y", (SIZE,), t(to)),
        **{field: value, f"{field}_type": t(text)},
    )
    call = Call(
        f"nnet::{function}<X0, X1, Y, Config>(x0, x1{'' if whole else '[0]'}, y);",
        (Array(cpp_name(source), SIZE), Array(cpp_name(text), parameter.size)),
        Array(cpp_name(to), SIZE),
        f"struct Config {{ static const unsigned n_in = {SIZE}; }};",
    )
    return Trial(kernel, call, (parameter,))


def hard(kind: type[Kernel], function: str, pair: tuple[str, str], wide: bool) -> Trial:
    """Keras' slope of 0.2 in 16 bits, or QKeras' of 0.5 in 2."""
    slope_type = t("ufixed<16,0>" if wide else "ufixed<2,0>")
    slope = int((0.2 if wide else 0.5) * 2**slope_type.frac)
    source, to = pair
    made = trial(
        kind,
        f"{function}<X0, Y",
        source,
        to,
        f"static const ap_ufixed<{slope_type.width}, 0> slope; static const ap_ufixed<2, 0> shift;",
        slope=slope,
        slope_type=slope_type,
        shift=2,
        shift_type=t("ufixed<2,0>"),
    )
    definitions = (
        f"\nconst ap_ufixed<{slope_type.width}, 0> Config::slope = {0.2 if wide else 0.5};"
        "\nconst ap_ufixed<2, 0> Config::shift = 0.5;"
    )
    call = Call(made.call.body, made.call.inputs, made.call.output, made.call.config + definitions)
    return Trial(made.kernel, call)


def trials(pairs: list[tuple[str, str]]) -> list[Trial]:
    found = []
    for number, pair in enumerate(pairs):
        found.append(trial(Linear, "linear<X0, Y", *pair))
        found.append(trial(Relu, "relu<X0, Y", *pair))
        limit = (1, 6)[number % 2]
        found.append(trial(ClippedRelu, f"relu_max<X0, Y, {limit}", *pair, limit=limit))
        found.append(trial(BinaryTanh, "binary_tanh<X0, Y", *pair))
        found.append(trial(TernaryTanh, "ternary_tanh<X0, Y", *pair))
        found.append(hard(HardSigmoid, "hard_sigmoid", pair, wide=number % 2 == 0))
        found.append(hard(HardTanh, "hard_tanh", pair, wide=number % 3 == 0))
        one, text = [(np.array([5]), "fixed<6,2>"), (np.array([-77]), "fixed<8,-1>")][number % 2]
        found.append(parametric(LeakyRelu, "leaky_relu", pair, one, text))
        found.append(parametric(ThresholdedRelu, "thresholded_relu", pair, one, text))
        each = np.array([[0, 1, -3], [100, -128, 64], [7, 0, 127]][number % 3])
        found.append(parametric(LeakyRelu, "prelu", pair, each, "fixed<8,2>"))
    return found


FEW = [
    *trials(FEW_PAIRS),
    trial(BinaryTanh, "binary_tanh<X0, Y", "fixed<6,3>", "uint<1>", xnor=True),
    trial(BinaryTanh, "binary_tanh<X0, Y", "fixed<6,3>", "ufixed<1,1>"),
]
MORE = trials(MORE_PAIRS)


def name(each: Trial) -> str:
    source, to = each.kernel.inputs[0].type, each.kernel.output.type
    return f"{each.call.body.split('<')[0][6:]}-{source}-{to}"


def check(judge: Judge, index: int, each: Trial) -> None:
    x = values(each.kernel.inputs[0].type, SIZE, seed=index)
    constants = [np.broadcast_to(c, (len(x), c.size)) for c in each.constants]
    np.testing.assert_array_equal(each.kernel.golden(x), judge(index, x, *constants))
    check_circuit(each.kernel, x)


@pytest.fixture(scope="module")
def few(judge_cache: Path) -> Judge:
    return Judge([each.call for each in FEW], judge_cache)


@pytest.fixture(scope="module")
def more(judge_cache: Path) -> Judge:
    return Judge([each.call for each in MORE], judge_cache)


@pytest.mark.parametrize("index", range(len(FEW)), ids=[name(each) for each in FEW])
def test_golden_is_cpp_and_circuit_is_golden(few: Judge, index: int) -> None:
    check(few, index, FEW[index])


@pytest.mark.full
@pytest.mark.parametrize("index", range(len(MORE)), ids=[name(each) for each in MORE])
def test_golden_is_cpp_for_more_types(more: Judge, index: int) -> None:
    check(more, index, MORE[index])


def io(source: str, to: str, size: int = SIZE) -> tuple[str, tuple[Tensor, ...], Tensor]:
    return "layer", (Tensor("x", (size,), t(source)),), Tensor("y", (size,), t(to))


def test_relu_into_a_saturating_unsigned_type_is_the_cast_alone() -> None:
    circuit, _ = build(Relu(*io("fixed<16,6>", "ufixed<6,0,RND_CONV,SAT>", 1)))
    assert [node.op.value for node in circuit.nodes] == ["input", "cast"]


def test_a_narrow_input_makes_one_table() -> None:
    kernel = HardSigmoid(
        *io("fixed<6,3>", "fixed<8,1>", 1), 13107, t("ufixed<16,0>"), 2, t("ufixed<2,0>")
    )
    circuit, _ = build(kernel)
    assert [node.op.value for node in circuit.nodes if node.op.value != "bits"] == [
        "input",
        "table",
    ]


def test_refusals_name_the_layer() -> None:
    with pytest.raises(InputError, match="layer 'layer': 2 slopes for 3 elements"):
        LeakyRelu(*io("fixed<8,3>", "fixed<8,3>"), np.array([1, 2]), t("fixed<8,3>"))
    with pytest.raises(UnsupportedError, match="wider than 62 bits"):
        LeakyRelu(*io("fixed<40,20>", "fixed<8,3>"), np.array([1]), t("fixed<40,20>"))
    with pytest.raises(UnsupportedError, match="no unit that can hold 1"):
        HardSigmoid(*io("fixed<8,12>", "fixed<8,3>"), 1, t("ufixed<2,0>"), 1, t("fixed<2,4>"))
