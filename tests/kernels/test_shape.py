"""Reshapes, transposes and concatenations against hls4ml's C++, and their circuits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import build, check_circuit, values
from judge import Array, Call, Judge

from gatewright.fixed import FixedType
from gatewright.kernels import Concatenate, Kernel, Reshape, Tensor, Transpose

if TYPE_CHECKING:
    from pathlib import Path

t = FixedType.parse
SOURCE, OTHER, TO = t("fixed<8,3>"), t("ufixed<7,4>"), t("fixed<6,3,RND,SAT>")


def transpose(shape: tuple[int, ...], perm: tuple[int, ...]) -> tuple[Kernel, Call]:
    to = tuple(shape[axis] for axis in perm)
    kernel = Transpose("t", (Tensor("x", shape, SOURCE),), Tensor("y", to, TO), perm)
    strides = [int(np.prod(shape[axis + 1 :])) for axis in perm]
    arrays = {"from_shape": shape, "to_shape": to, "perm": perm, "perm_strides": strides}
    config = "".join(
        f"unsigned {name}_[] = {{{', '.join(map(str, entries))}}};\n"
        for name, entries in arrays.items()
    )
    config += f"struct Config {{ static const unsigned dims = {len(shape)}; "
    config += f"static const unsigned N = {int(np.prod(shape))}; "
    config += "".join(f"static const unsigned *const {name}; " for name in arrays) + "};\n"
    config += "".join(f"const unsigned *const Config::{name} = {name}_;\n" for name in arrays)
    size = int(np.prod(shape))
    body = "nnet::transpose<X0, Y, Config>(x0, y);"
    return kernel, Call(body, (Array(SOURCE, size),), Array(TO, size), config)


def concatenate(
    first: tuple[int, ...], second: tuple[int, ...], axis: int, keras_axis: int
) -> tuple[Kernel, Call]:
    shape = list(first)
    shape[axis] += second[axis]
    kernel = Concatenate(
        "c",
        (Tensor("a", first, SOURCE), Tensor("b", second, OTHER)),
        Tensor("y", tuple(shape), TO),
        axis,
    )
    numbers = "".join(
        f"static const unsigned n_elem{n}_{i} = {size}; "
        for n, sizes in ((1, first), (2, second))
        for i, size in enumerate(sizes)
    )
    call = Call(
        f"nnet::concatenate{len(first)}d<X0, X1, Y, Config>(x0, x1, y);",
        (Array(SOURCE, int(np.prod(first))), Array(OTHER, int(np.prod(second)))),
        Array(TO, int(np.prod(shape))),
        f"struct Config : nnet::concat_config {{ {numbers}"
        f"static const int axis = {keras_axis}; }};",
    )
    return kernel, call


TRIALS = [
    transpose((2, 3), (1, 0)),
    transpose((2, 3, 4), (2, 0, 1)),
    transpose((2, 3, 4), (0, 2, 1)),
    transpose((2, 1, 3, 2), (3, 1, 0, 2)),
    concatenate((3,), (4,), 0, 1),
    concatenate((2, 3), (4, 3), 0, 1),
    concatenate((2, 3), (2, 4), 1, -1),
    concatenate((2, 3, 2), (1, 3, 2), 0, 1),
    concatenate((2, 3, 2), (2, 4, 2), 1, 2),
    concatenate((2, 3, 2), (2, 3, 1), 2, 3),
]


@pytest.fixture(scope="module")
def judge(judge_cache: Path) -> Judge:
    headers = ["ap_fixed.h", "nnet_utils/nnet_merge.h", "nnet_utils/nnet_transpose.h"]
    return Judge([call for _, call in TRIALS], judge_cache, headers)


@pytest.mark.parametrize("index", range(len(TRIALS)))
def test_golden_is_cpp_and_circuit_is_golden(judge: Judge, index: int) -> None:
    kernel, _ = TRIALS[index]
    x = [
        np.resize(values(tensor.type, tensor.size, seed=n), (256, *tensor.shape))
        for n, tensor in enumerate(kernel.inputs)
    ]
    result = kernel.golden(*x)
    assert result.shape[1:] == kernel.output.shape
    np.testing.assert_array_equal(result.reshape(256, -1), judge(index, *x))
    check_circuit(kernel, *x)


def test_a_reshape_is_wires() -> None:
    kernel = Reshape("r", (Tensor("x", (2, 6), SOURCE),), Tensor("y", (3, 4), SOURCE))
    x = values(SOURCE, 12).reshape(-1, 2, 6)
    np.testing.assert_array_equal(kernel.golden(x), x.reshape(-1, 3, 4))
    circuit, _ = build(kernel)
    assert circuit.outputs == list(range(12))
    check_circuit(kernel, x)
