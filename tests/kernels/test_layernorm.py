"""Layer normalization against hls4ml's C++, and its circuits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import check_circuit, values
from judge import Array, Call, Judge, cpp

from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import LayerNorm, Tensor, curves

if TYPE_CHECKING:
    pass

t = FixedType.parse

HEADERS = ("nnet_utils/nnet_layernorm.h",)


@dataclass(frozen=True)
class Trial:
    """A layer normalization; the default types are hls4ml's."""

    shape: tuple[int, int] = (2, 4)
    source: str = "fixed<9,2>"
    to: str = "fixed<16,6>"
    accum: str = "fixed<14,4,RND_CONV,SAT>"
    table: str = "ufixed<8,5,RND_CONV,SAT>"
    scale: str = "fixed<8,2>"
    bias: str = "fixed<8,2>"
    size: int = 1024
    decimals: int = 3
    reach: int = 0

    def kernel(self) -> LayerNorm:
        steps, n = self.shape
        rng = np.random.default_rng(n)
        factors = [values(t(name), n, seed=n, samples=1)[-1] for name in (self.scale, self.bias)]
        factors[0][rng.integers(n)] = t(self.scale).max
        return LayerNorm(
            "layer",
            (Tensor("x", self.shape, t(self.source)),),
            Tensor("y", self.shape, t(self.to)),
            scale=factors[0],
            bias=factors[1],
            scale_type=t(self.scale),
            bias_type=t(self.bias),
            accum=t(self.accum),
            table=curves.inverse_root(self.size, self.reach, t(self.table)),
            table_type=t(self.table),
            reach=self.reach,
            decimals=self.decimals,
            n_outer=steps,
        )

    def call(self) -> Call:
        kernel = self.kernel()
        n_in = int(np.prod(self.shape))
        arrays = []
        for name, raw, to in (
            ("scale", kernel.scale, kernel.scale_type),
            ("bias", kernel.bias, kernel.bias_type),
        ):
            numbers = ", ".join(repr(float(value) * 2.0**-to.frac) for value in raw)
            arrays.append(f"static {cpp(to)} {name}[{len(raw)}] = {{{numbers}}};")
        config = f"""struct Config {{
  static const unsigned n_in = {n_in}, seq_len = {self.shape[0]}, axis = 2;
  static const unsigned epsilon_power_of_10 = {self.decimals};
  static const unsigned table_range_power2 = {-self.reach};
  static const unsigned table_size = {self.size};
  static const unsigned io_type = 0, reuse_factor = 1;
  typedef {cpp(t(self.accum))} accum_t;
  typedef {cpp(t(self.table))} table_t;
  typedef {cpp(t(self.scale))} scale_t;
  typedef {cpp(t(self.bias))} bias_t;
  template <class x_T, class y_T> using product = nnet::product::mult<x_T, y_T>;
}};
{chr(10).join(arrays)}"""
        return Call(
            "nnet::layernormalize<X0, Y, Config>(x0, y, scale, bias);",
            (Array(t(self.source), n_in),),
            Array(t(self.to), n_in),
            config,
        )


FEW = [
    Trial(),
    # An accumulator that wraps, no power of two of elements or of entries, a range of 1/4.
    Trial((3, 5), "fixed<8,1>", "fixed<18,5>", "fixed<20,4>", "ufixed<15,6>", size=1000,
          decimals=2, reach=-2),
    # A range of 16, and an epsilon that is shifted eleven times.
    Trial((2, 4), "fixed<9,4>", accum="fixed<29,10>", table="ufixed<22,10>", reach=4, size=512,
          decimals=6),
    # Sums that wrap to a negative variance.
    Trial((1, 4), "fixed<16,6>", accum="fixed<16,6>"),
    # Unsigned values of more than the table covers, in an accumulator that saturates often.
    Trial((1, 3), "ufixed<7,3>", "fixed<10,4,RND,SAT>", "fixed<10,4,TRN,SAT>", size=64),
]  # fmt: skip
MORE = [
    Trial((1, 1)),
    Trial((4, 2), accum="fixed<16,6,RND,SAT_SYM>", table="fixed<12,6>", decimals=5, size=8192),
    Trial((2, 7), "fixed<6,6>", accum="fixed<24,14>", table="ufixed<10,1,TRN,SAT>", reach=9),
    Trial((2, 6), "ufixed<4,0>", accum="ufixed<12,2,TRN,SAT>", scale="ufixed<6,1>", decimals=1),
    Trial((1, 4), accum="fixed<9,3,TRN,SAT_ZERO>", to="ufixed<8,4>", reach=-4, size=256),
    Trial((2, 3), accum="ufixed<10,1>", decimals=1, reach=-9, size=1),
]  # fmt: skip


def check(judge: Judge, index: int, trial: Trial) -> None:
    kernel = trial.kernel()
    source = kernel.inputs[0].type
    wide = values(source, kernel.output.size, seed=index, samples=2000)
    close = np.clip(wide[:, :1] + (wide >> 3), source.min, source.max)  # a small variance
    x = np.concatenate([wide, close]).reshape(-1, *trial.shape)
    expected = judge(index, x)
    np.testing.assert_array_equal(kernel.golden(x).reshape(len(x), -1), expected)
    assert len(np.unique(expected)) > 1 or trial.shape[1] == 1
    check_circuit(kernel, x)


@pytest.mark.parametrize("index", range(len(FEW)))
def test_golden_is_cpp_and_circuit_is_golden(few: Judge, index: int) -> None:
    check(few, index, FEW[index])


@pytest.mark.full
@pytest.mark.parametrize("index", range(len(MORE)))
def test_golden_is_cpp_for_more_types(more: Judge, index: int) -> None:
    check(more, index, MORE[index])


@pytest.mark.parametrize("reach", [-3, 0, 2])
def test_table_is_one_over_the_root(reach: int) -> None:
    entries = curves.inverse_root(512, reach, t("ufixed<40,15>"))
    x = (np.arange(512) + 0.5) / 512 * 2.0**reach
    np.testing.assert_allclose(entries * 2.0**-25, x**-0.5, rtol=1e-6, atol=2.0**-25)


@pytest.mark.parametrize("decimals", [2, 3, 4])
@pytest.mark.parametrize("reach", [-3, 0, 3])
def test_results_are_those_of_real_numbers(decimals: int, reach: int) -> None:
    """For variances of all sizes that the table covers: its steps are a 256th at most."""
    trial = Trial((1, 4), "fixed<20,4>", "fixed<24,6>", "fixed<29,8>", "ufixed<26,14,RND>",
                  "fixed<3,2>", "fixed<2,1>", decimals=decimals, reach=reach)  # fmt: skip
    kernel = trial.kernel()
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 4)) * 2.0 ** rng.uniform(-7, reach / 2 - 1, (500, 1))
    raw = np.clip(np.round(x * 2**16), *(kernel.inputs[0].type.min, kernel.inputs[0].type.max))
    x = raw * 2.0**-16
    root = np.sqrt(x.var(axis=1, keepdims=True) + 10.0**-decimals)
    scale, bias = kernel.scale * 2.0**-1, kernel.bias * 2.0**-1
    right = (x - x.mean(axis=1, keepdims=True)) / root * scale + bias
    found = kernel.golden(raw.astype(np.int64)[:, None])[:, 0] * 2.0**-18
    np.testing.assert_allclose(found, right, rtol=2e-3, atol=6e-3)


def test_refusals_name_the_layer() -> None:
    fields = {**vars(Trial().kernel())}
    with pytest.raises(UnsupportedError, match="layer 'layer': its products need more than 62"):
        LayerNorm(**{**fields, "accum": t("fixed<40,20>")})
    with pytest.raises(InputError, match="layer 'layer': its table of variances is empty"):
        LayerNorm(**{**fields, "table": fields["table"][:0]})
