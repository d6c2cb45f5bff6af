"""Table activations against hls4ml's C++, and their circuits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import build, check_circuit, values
from judge import Array, Call, Judge, cpp

from gatewright.errors import InputError
from gatewright.fixed import FixedType, from_float
from gatewright.kernels import Tensor, curves
from gatewright.kernels.table import Elu, Lookup, Selu, UnaryLut

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.kernels import Kernel

t = FixedType.parse

SIZE = 2


@dataclass(frozen=True)
class Types:
    """Source, result and table types, and the number of entries."""

    source: str
    to: str
    table: str = "fixed<18,8>"
    size: int = 1024

    def __str__(self) -> str:
        return f"{self.source}-{self.to}-{self.table}-{self.size}"


FEW = [
    Types("fixed<16,6>", "fixed<16,6>"),
    Types("fixed<8,3>", "ufixed<6,0,RND_CONV,SAT>", "fixed<18,8,RND,SAT>"),
    Types("fixed<12,4>", "fixed<8,1,RND,SAT>", size=256),
    Types("fixed<14,4>", "fixed<12,2>", size=300),
]
MORE = [
    Types("ufixed<12,5>", "fixed<10,2>"),
    Types("fixed<5,8>", "fixed<10,2>", size=8),
    Types("fixed<12,14>", "fixed<10,2>", size=2),
    Types("fixed<4,-2>", "fixed<10,2,RND_ZERO>", size=4096),
    Types("int<7>", "fixed<10,4>"),
    Types("int<16>", "fixed<10,4>", size=64),
    Types("fixed<36,34>", "fixed<10,4>", size=128),
    Types("fixed<18,8>", "int<3>"),
]

LOOKUPS = {
    "sigmoid": (curves.sigmoid, 16),
    "tanh": (curves.tanh, 8),
    "softplus": (curves.softplus, 16),
    "softsign": (curves.softsign, 16),
}


def cpp_name(text: str) -> FixedType | str:
    return f"ap_{text}" if "int<" in text else t(text)


def tensors(types: Types) -> tuple[str, tuple[Tensor, ...], Tensor]:
    return (
        "layer",
        (Tensor("x", (SIZE,), t(types.source)),),
        Tensor("y", (SIZE,), t(types.to)),
    )


def call(function: str, types: Types, parameter: str = "") -> Call:
    argument = f"{parameter}, " if parameter else ""
    between = f"{cpp(ALPHA_TYPE)}, " if parameter else ""
    return Call(
        f"nnet::{function}<X0, {between}Y, Config>(x0, {argument}y);",
        (Array(cpp_name(types.source), SIZE),),
        Array(cpp_name(types.to), SIZE),
        f"struct Config {{ static const unsigned n_in = {SIZE}; "
        f"static const unsigned table_size = {types.size}; typedef {cpp(t(types.table))} table_t; "
        "static const unsigned io_type = nnet::io_parallel; };",
    )


ALPHA_TYPE = t("fixed<9,2>")


def elu(types: Types, alpha: float) -> tuple[Kernel, Call]:
    raw = int(from_float(np.array([alpha]), ALPHA_TYPE)[0])
    table = curves.elu(types.size, t(types.table))
    kernel = Elu(*tensors(types), table, t(types.table), raw, ALPHA_TYPE)
    return kernel, call("elu", types, str(alpha))


def trials(found: list[Types]) -> dict[str, tuple[Kernel, Call]]:
    made: dict[str, tuple[Kernel, Call]] = {}
    for types in found:
        for name, (curve, reach) in LOOKUPS.items():
            kernel = Lookup(
                *tensors(types), curve(types.size, t(types.table)), t(types.table), reach
            )
            made[f"{name}-{types}"] = kernel, call(name, types)
        table = curves.selu(types.size, t(types.table))
        selu = Selu(*tensors(types), table, t(types.table))
        made[f"selu-{types}"] = selu, call("selu", types)
        made[f"elu-{types}"] = elu(types, 1.0 if types.size == 1024 else -0.7)
    return made


def unary(source: str, to: str, table: str) -> tuple[Kernel, Call]:
    types = Types(source, to, table, 1 << t(source).width)
    contents = values(t(table), 1, samples=types.size)[:, 0]
    contents = np.resize(contents, types.size)
    kernel = UnaryLut(*tensors(types), contents, t(table))
    made = call("unary_lut", types)
    # The table is a second argument; its contents arrive as an input.
    return kernel, replace(
        made,
        body="nnet::unary_lut<X0, Y, Config>(x0, y, x1);",
        inputs=(*made.inputs, Array(t(table), types.size)),
    )


FEW_TRIALS = {
    **trials(FEW),
    "unary-1": unary("fixed<6,3>", "fixed<5,2,RND,SAT>", "fixed<9,3>"),
    "unary-2": unary("ufixed<4,0>", "fixed<9,3>", "fixed<9,3>"),
}
MORE_TRIALS = trials(MORE)


@pytest.fixture(scope="module")
def few(judge_cache: Path) -> Judge:
    return Judge([made for _, made in FEW_TRIALS.values()], judge_cache)


@pytest.fixture(scope="module")
def more(judge_cache: Path) -> Judge:
    return Judge([made for _, made in MORE_TRIALS.values()], judge_cache)


def check(judge: Judge, kernel: Kernel, index: int) -> None:
    x = values(kernel.inputs[0].type, SIZE, seed=index)
    inputs = [x]
    if isinstance(kernel, UnaryLut):
        inputs.append(np.broadcast_to(kernel.table, (len(x), kernel.table.size)))
    np.testing.assert_array_equal(kernel.golden(x), judge(index, *inputs))
    check_circuit(kernel, x)


@pytest.mark.parametrize("name", FEW_TRIALS)
def test_golden_is_cpp_and_circuit_is_golden(few: Judge, name: str) -> None:
    check(few, FEW_TRIALS[name][0], [*FEW_TRIALS].index(name))


@pytest.mark.full
@pytest.mark.parametrize("name", MORE_TRIALS)
def test_golden_is_cpp_for_more_types(more: Judge, name: str) -> None:
    check(more, MORE_TRIALS[name][0], [*MORE_TRIALS].index(name))


def test_a_narrow_input_indexes_the_table_directly() -> None:
    kernel, _ = FEW_TRIALS[f"sigmoid-{FEW[1]}"]
    circuit, _ = build(kernel)
    assert {node.op.value for node in circuit.nodes} == {"input", "bits", "table"}


def test_a_table_that_does_not_cover_its_input_is_refused() -> None:
    with pytest.raises(InputError, match="layer 'layer': a table of 8 entries"):
        UnaryLut(*tensors(FEW[0]), np.arange(8), t("fixed<9,3>"))
