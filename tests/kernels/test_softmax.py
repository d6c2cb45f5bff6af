"""Softmax against hls4ml's C++, and its circuits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checks import build, check_circuit, values
from judge import Array, Call, Judge, cpp

from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import Tensor, curves
from gatewright.kernels.softmax import Argmax, Softmax, SoftmaxLegacy

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.kernels import Kernel

t = FixedType.parse

DEFAULT = "fixed<18,8,RND,SAT>"


@dataclass(frozen=True)
class Trial:
    """A softmax layer as hls4ml configures it; the defaults are hls4ml's."""

    implementation: str
    shape: tuple[int, ...] = (5,)
    source: str = "fixed<16,6>"
    to: str = "fixed<16,6>"
    exp: str = DEFAULT
    inv: str = DEFAULT
    accum: str = DEFAULT
    inv_input: str = DEFAULT
    norm: str = "ufixed<15,5>"
    exp_size: int = 1024
    inv_size: int = 1024
    scale: float = 1.0
    n_outer: int = 1
    n_inner: int = 1

    def kernel(self) -> Kernel:
        source, to = t(self.source), t(self.to)
        where = "layer", (Tensor("x", self.shape, source),), Tensor("y", self.shape, to)
        slices = {"n_outer": self.n_outer, "n_inner": self.n_inner}
        if self.implementation == "argmax":
            return Argmax(*where, **slices)
        exp_type = t(self.exp)
        if self.implementation == "legacy":
            exp = curves.legacy_exp(self.exp_size, exp_type)
            return SoftmaxLegacy(
                *where, exp, curves.legacy_invert(self.inv_size, exp_type), exp_type, **slices
            )
        stable = self.implementation == "stable"
        index = t(self.norm) if stable else source
        return Softmax(
            *where,
            curves.softmax_exp(self.exp_size, index, exp_type, negative=stable, scale=self.scale),
            exp_type,
            curves.softmax_invert(self.inv_size, t(self.inv_input), t(self.inv)),
            t(self.inv),
            t(self.accum),
            t(self.inv_input),
            index if stable else None,
            **slices,
        )

    def call(self) -> Call:
        size = int(np.prod(self.shape))
        config = f"""struct Config {{
  static const unsigned n_in = {size}, n_outer = {self.n_outer}, n_inner = {self.n_inner};
  static const unsigned n_slice = {size // self.n_outer // self.n_inner};
  static const unsigned parallelization_factor = -1;
  static const unsigned exp_table_size = {self.exp_size}, inv_table_size = {self.inv_size};
  static const nnet::softmax_implementation implementation =
      nnet::softmax_implementation::{self.implementation};
  static constexpr float exp_scale = {self.scale};
  typedef {cpp(t(self.exp))} exp_table_t;
  typedef {cpp(t(self.exp))} table_t;
  typedef {cpp(t(self.inv))} inv_table_t;
  typedef {cpp(t(self.accum))} accum_t;
  typedef {cpp(t(self.inv_input))} inv_inp_t;
  typedef {cpp(t(self.norm))} inp_norm_t;
}};"""
        function = "softmax_multidim" if self.n_outer * self.n_inner > 1 else "softmax"
        source: FixedType | str = f"ap_{self.source}" if "int<" in self.source else t(self.source)
        return Call(
            f"nnet::{function}<X0, Y, Config>(x0, y);",
            (Array(source, size),),
            Array(t(self.to), size),
            config,
        )


FEW = [
    Trial("stable"),
    Trial("latency"),
    # Only mixed signs in a saturating accumulator make the order of the additions matter.
    Trial("latency", (7,), exp="fixed<6,3>", accum="fixed<7,4,TRN,SAT>", source="fixed<8,4>",
          exp_size=256, to="fixed<20,10>"),
    Trial("stable", (6, 2), "ufixed<6,3>", "ufixed<8,0,RND_CONV,SAT>", exp="ufixed<10,1>",
          accum="ufixed<13,4>", inv="ufixed<12,1,RND,SAT>", inv_input="ufixed<8,3,RND,SAT>",
          norm="ufixed<5,3>", exp_size=32, inv_size=64, scale=0.5, n_inner=2),
    Trial("argmax", (7,), "fixed<3,2>"),
    Trial("legacy", (3,), "fixed<9,4>", exp="fixed<18,8>"),
]  # fmt: skip
MORE = [
    Trial("stable", (2, 3, 2), "fixed<6,3>", n_outer=2, n_inner=2, norm="ufixed<5,2>", exp_size=32),
    Trial("stable", (9,), accum="fixed<10,3,RND,SAT_ZERO>", exp="fixed<12,2>"),
    Trial("stable", (4,), "int<6>", norm="ufixed<6,6>", exp_size=64),
    Trial("stable", (3,), inv="fixed<18,8>", inv_input="fixed<10,3>", accum="fixed<18,8>"),
    Trial("latency", (4, 2), "ufixed<8,3>", "fixed<9,2,RND,SAT>", exp_size=64, inv_size=128,
          n_outer=4),
    Trial("latency", (2,), "fixed<10,10>", exp="fixed<18,8>", accum="fixed<12,5,TRN,SAT_SYM>"),
    Trial("argmax", (2, 4), "ufixed<4,4>", "ufixed<8,0>", n_outer=2),
    Trial("argmax", (2, 4), "ufixed<4,4>", "ufixed<8,1>", n_inner=4),
    Trial("legacy", (4,), "fixed<16,6>", exp="fixed<10,5,RND,SAT>", exp_size=300, inv_size=100),
]  # fmt: skip


@pytest.fixture(scope="module")
def few(judge_cache: Path) -> Judge:
    return Judge([trial.call() for trial in FEW], judge_cache)


@pytest.fixture(scope="module")
def more(judge_cache: Path) -> Judge:
    return Judge([trial.call() for trial in MORE], judge_cache)


def check(judge: Judge, index: int, trial: Trial) -> None:
    kernel = trial.kernel()
    wide = values(kernel.inputs[0].type, kernel.output.size, seed=index, samples=2000)
    # Inputs close to one another too, as those make sums of several large terms.
    close = np.clip(wide[:, :1] + (wide >> 4), kernel.inputs[0].type.min, kernel.inputs[0].type.max)
    x = np.concatenate([wide, close]).reshape(-1, *trial.shape)
    expected = judge(index, x)
    np.testing.assert_array_equal(kernel.golden(x).reshape(len(x), -1), expected)
    assert len(np.unique(expected)) > 1 or trial.to == "ufixed<8,0>"
    check_circuit(kernel, x)


@pytest.mark.parametrize("index", range(len(FEW)), ids=[trial.implementation for trial in FEW])
def test_golden_is_cpp_and_circuit_is_golden(few: Judge, index: int) -> None:
    check(few, index, FEW[index])


@pytest.mark.full
@pytest.mark.parametrize("index", range(len(MORE)), ids=[trial.implementation for trial in MORE])
def test_golden_is_cpp_for_more_types(more: Judge, index: int) -> None:
    check(more, index, MORE[index])


def test_one_product_per_element() -> None:
    circuit, _ = build(Trial("stable", (5,)).kernel())
    assert sum(node.op.value == "mul" for node in circuit.nodes) == 5


def test_refusals_name_the_layer() -> None:
    kernel = Trial("stable").kernel()
    assert isinstance(kernel, Softmax)
    fields = {**vars(kernel)}
    with pytest.raises(InputError, match="layer 'layer': its inversion table of 1000 entries"):
        Softmax(**{**fields, "inv_table": kernel.inv_table[:1000]})
    with pytest.raises(UnsupportedError, match="wider than 62 bits"):
        Softmax(**{**fields, "accum": t("fixed<50,20>")})
