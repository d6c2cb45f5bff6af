"""Sums of products of two tensors against hls4ml's C++, and their circuits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import check_circuit, values
from judge import Array, Call, Judge, cpp

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import Einsum, OperationCounts, Tensor

if TYPE_CHECKING:
    from pathlib import Path

t = FixedType.parse

HEADERS = ("nnet_utils/nnet_einsum.h",)


@dataclass(frozen=True)
class Trial:
    """An equation of hls4ml's Einsum, with shapes and types."""

    equation: str
    first: tuple[int, ...]
    second: tuple[int, ...]
    types: tuple[str, str] = ("fixed<8,3>", "fixed<6,2>")
    accum: str = "fixed<18,9>"
    to: str = "fixed<12,6>"

    def _recipe(self):
        from hls4ml.utils.einsum_utils import parse_einsum

        return parse_einsum(self.equation, self.first, self.second)

    @property
    def result(self) -> tuple[int, ...]:
        ends = [np.zeros(shape) for shape in (self.first, self.second)]
        return np.einsum(self.equation, *ends).shape

    def kernel(self) -> Einsum:
        recipe = self._recipe()
        return Einsum(
            "mix",
            tuple(
                Tensor(name, shape, t(to))
                for name, shape, to in zip("ab", (self.first, self.second), self.types, strict=True)
            ),
            Tensor("y", self.result, t(self.to)),
            accum=t(self.accum),
            orders=tuple(recipe["in_transpose_idxs"]),
            shared=recipe["I"],
            summed=recipe["C"],
            made=tuple(recipe["out_interpert_shape"]),
            order=tuple(recipe["out_transpose_idxs"]),
        )

    def call(self) -> Call:
        from hls4ml.backends.vivado.passes.reshaping_templates import transpose_config_template
        from hls4ml.utils.transpose_utils import transpose_config_gen

        recipe = self._recipe()
        moves = [
            ("First", self.first, recipe["in_transpose_idxs"][0]),
            ("Second", self.second, recipe["in_transpose_idxs"][1]),
            ("Last", recipe["out_interpert_shape"], recipe["out_transpose_idxs"]),
        ]
        moved = [transpose_config_template.format(**transpose_config_gen(*each)) for each in moves]
        config = f"""{chr(10).join(moved)}
struct Config {{
  typedef First tpose_inp0_config;
  typedef Second tpose_inp1_config;
  typedef Last tpose_out_conf;
  typedef {cpp(t(self.accum))} accum_t;
  static const unsigned n_free0 = {recipe["L0"]}, n_free1 = {recipe["L1"]};
  static const unsigned n_contract = {recipe["C"]}, n_inplace = {recipe["I"]};
  static const unsigned reuse_factor = 1, multiplier_limit = 1;
  template <class x_T, class y_T> using product = nnet::product::mult<x_T, y_T>;
}};"""
        sizes = [int(np.prod(shape)) for shape in (self.first, self.second, self.result)]
        return Call(
            "nnet::einsum<X0, X1, Y, Config>(x0, x1, y);",
            tuple(Array(t(to), size) for to, size in zip(self.types, sizes[:2], strict=True)),
            Array(t(self.to), sizes[2]),
            config,
        )


TRIALS = [
    Trial("bc,dc->bd", (3, 4), (2, 4)),
    Trial("bc,cd->bd", (3, 4), (4, 2), ("ufixed<5,0>", "fixed<7,4>"), "fixed<20,10>", "fixed<9,5>"),
    # Heads: an axis that both have. The result in another order.
    Trial("qhd,khd->hqk", (3, 2, 4), (2, 2, 4), to="fixed<10,4,RND,SAT>"),
    Trial("hqk,khd->qhd", (2, 3, 2), (2, 2, 3), to="ufixed<9,4,RND_CONV,SAT_SYM>"),
    # Accumulators that round, and that saturate in mid-sum.
    Trial("ac,bc->ba", (2, 5), (3, 5), accum="fixed<9,6,RND_CONV>"),
    Trial("ac,bc->ab", (2, 5), (2, 5), accum="fixed<14,5,TRN,SAT>"),
    Trial("ac,bc->ab", (2, 5), (2, 5), accum="fixed<10,5,TRN_ZERO,SAT_ZERO>"),
]


@pytest.fixture(scope="module")
def judge(judge_cache: Path) -> Judge:
    return Judge([trial.call() for trial in TRIALS], judge_cache, HEADERS)


@pytest.mark.parametrize("index", range(len(TRIALS)))
def test_golden_is_cpp_and_circuit_is_golden(judge: Judge, index: int) -> None:
    kernel = TRIALS[index].kernel()
    count = 300
    x = [
        np.resize(values(tensor.type, tensor.size, seed=index, samples=count), (count, tensor.size))
        for tensor in kernel.inputs
    ]
    rng = np.random.default_rng(index)
    x = [
        rng.permuted(each, axis=0).reshape(count, *tensor.shape)
        for each, tensor in zip(x, kernel.inputs, strict=True)
    ]
    expected = judge(index, *x)
    np.testing.assert_array_equal(kernel.golden(*x).reshape(count, -1), expected)
    assert len(np.unique(expected)) > 10
    check_circuit(kernel, *x)


def test_products_are_counted() -> None:
    counts = Trial("qhd,khd->hqk", (3, 2, 4), (2, 2, 4)).kernel().operation_counts()
    assert counts == OperationCounts(macs=48, bops=48 * 48, ebops=48 * 48)


def test_too_wide_a_sum_is_refused_by_layer() -> None:
    with pytest.raises(UnsupportedError, match="layer 'mix': its sum of products needs more than"):
        Trial("ac,bc->ab", (2, 5), (2, 5), accum="fixed<70,30>").kernel()
