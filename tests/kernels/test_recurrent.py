"""Recurrent layers against hls4ml's C++, and their circuits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from checks import check_circuit
from judge import Array, Call, Judge, cpp

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import Gated, Gru, Lstm, Recurrent, SimpleRnn, Tensor, curves

if TYPE_CHECKING:
    from pathlib import Path

t = FixedType.parse


@dataclass(frozen=True)
class Trial:
    """A recurrent layer of random weights."""

    kind: type[Recurrent]
    steps: int = 5
    n_in: int = 3
    units: int = 4
    source: str = "fixed<8,3>"
    weight: str = "fixed<6,1>"
    accum: str = "fixed<18,6>"
    to: str = "fixed<12,4>"
    table: str = "fixed<18,8,RND,SAT>"
    size: int = 1024
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    every: bool = False
    static: bool = True

    def kernel(self) -> Recurrent:
        rng = np.random.default_rng(3)
        weight, width = t(self.weight), self.kind.gates * self.units

        def raw(*shape: int) -> np.ndarray:
            found = rng.integers(weight.min, weight.max + 1, shape)
            return np.where(rng.random(shape) < 0.2, 0, found)

        table = t(self.table)
        gated = issubclass(self.kind, Gated)
        gates: dict[str, Any] = {
            "recurrent_activation": self.recurrent_activation,
            "recurrent_table": _table(self.recurrent_activation, self.size, table),
        }
        shape = (self.steps, self.units) if self.every else (self.units,)
        return self.kind(
            "rnn",
            (Tensor("x", (self.steps, self.n_in), t(self.source)),),
            Tensor("y", shape, t(self.to)),
            weights=raw(self.n_in, width),
            bias=raw(width),
            weight_type=weight,
            bias_type=weight,
            recurrent_weights=raw(self.units, width),
            recurrent_bias=raw(width),
            recurrent_weight_type=weight,
            recurrent_bias_type=weight,
            accum=t(self.accum),
            activation=self.activation,
            table=_table(self.activation, self.size, table),
            table_type=table,
            **(gates if gated else {}),
        )

    def call(self) -> Call:
        """The same as hls4ml's templates write it."""
        kernel = self.kernel()
        # hls4ml has no SimpleRNN; a GRU whose gates are open is one.
        gates = kernel.gates if issubclass(self.kind, Gated) else 3
        name = {4: "lstm", 3: "gru"}[gates]
        of_gates = self.recurrent_activation if issubclass(self.kind, Gated) else "relu"
        width, weight = gates * self.units, cpp(t(self.weight))
        accum = cpp(t(self.accum))

        def dense(number: int, n_in: int) -> str:
            return (
                f"struct Dense{number} : nnet::dense_config {{ static const unsigned n_in = {n_in};"
                f" static const unsigned n_out = {width}; typedef {accum} accum_t;"
                f" typedef {weight} weight_t; typedef {weight} bias_t;"
                " static const unsigned multiplier_limit = 1; template <class x_T, class y_T,"
                " class C> using kernel = nnet::DenseLatency<x_T, y_T, C>; };"
            )

        def function(name: str, size: int) -> str:
            return (
                f"struct {name} : nnet::activ_config {{ static const unsigned n_in = {size};"
                f" static const unsigned table_size = {self.size};"
                f" typedef {cpp(t(self.table))} table_t; }};"
            )

        config = f"""{dense(1, self.n_in)}
{dense(2, self.units)}
{function("Gates", (gates - 1) * self.units)}
{function("Squash", self.units)}
struct Config : nnet::{name}_config {{
  typedef {accum} accum_t;
  typedef {weight} weight_t; typedef {weight} recurrent_weight_t;
  typedef {weight} bias_t; typedef {weight} recurrent_bias_t;
  typedef Dense1 mult_config1; typedef Dense2 mult_config2;
  typedef Gates ACT_CONFIG_{name.upper()}; typedef Squash ACT_CONFIG_T;
  template <class x_T, class y_T, class C>
  using activation_recr = nnet::activation::{of_gates}<x_T, y_T, C>;
  template <class x_T, class y_T, class C>
  using activation = nnet::activation::{self.activation}<x_T, y_T, C>;
  static const unsigned n_in = {self.n_in}, n_out = {self.units}, n_state = {self.units};
  static const unsigned n_sequence = {self.steps};
  static const unsigned n_sequence_out = {self.steps if self.every else 1};
  static const bool use_static = {str(self.static).lower()};
  static const bool pytorch_order = false;
}};"""
        size = self.units * (self.steps if self.every else 1)
        return Call(
            f"nnet::{name}_stack<X0, Y, Config>(x0, y, x1, x2, x3, x4);",
            (
                Array(t(self.source), self.steps * self.n_in),
                *(
                    Array(t(self.weight), each)
                    for each in (self.n_in * width, self.units * width, width, width)
                ),
            ),
            Array(t(self.to), size),
            config,
        )


def _table(name: str, size: int, to: FixedType) -> np.ndarray:
    return getattr(curves, name)(size, to) if name in curves.CENTRED else np.zeros(0, np.int64)


#: Whose widest words have about as many bits as golden outputs hold.
WIDE = {"accum": "fixed<30,24>", "to": "fixed<33,6>", "activation": "relu"}
TRIALS = [
    Trial(kind, **more)
    for kind in (Lstm, Gru)
    for more in (
        {},
        {"every": True, "to": "fixed<9,3,RND,SAT>", "size": 256},
        {"to": "fixed<7,2>", "accum": "fixed<11,3>", "source": "ufixed<5,2>"},
        {"activation": "relu", "accum": "fixed<14,7>", "to": "fixed<10,5,RND_CONV,SAT>"},
        {"recurrent_activation": "relu", "to": "fixed<8,5>", "accum": "fixed<12,5,RND>"},
        {"table": "fixed<6,1>", "to": "fixed<16,2>", "accum": "fixed<20,7>", "steps": 1},
        WIDE,
        {"table": "fixed<10,3>", "accum": "fixed<9,4>", "every": True, "n_in": 1, "units": 1},
    )
]
TRIALS += [
    Trial(SimpleRnn, weight="fixed<6,2>", **more)
    for more in (
        {},
        {"every": True, "to": "fixed<9,3,RND,SAT>", "size": 256},
        {"to": "fixed<7,2>", "accum": "fixed<11,3>", "source": "ufixed<5,2>"},
        {"activation": "relu", "accum": "fixed<14,7>", "to": "fixed<10,5,RND_CONV,SAT>"},
        {"table": "fixed<6,1>", "to": "fixed<16,2>", "accum": "fixed<20,7>", "steps": 1},
        {"activation": "sigmoid", "accum": "fixed<12,5,RND>", "to": "fixed<4,3>"},
    )
]
TRIALS.append(Trial(Gru, static=False, every=True))
TRIALS.append(Trial(Lstm, static=False, to="fixed<18,6>"))


@pytest.fixture(scope="module")
def judge(judge_cache: Path) -> Judge:
    calls = [trial.call() for trial in TRIALS]
    return Judge(calls, judge_cache, ["nnet_utils/nnet_recurrent.h"])


@pytest.mark.parametrize("number", range(len(TRIALS)))
def test_golden_is_cpp_and_circuit_is_golden(judge: Judge, number: int) -> None:
    trial = TRIALS[number]
    kernel = trial.kernel()
    x = inputs(kernel)
    weights = (
        kernel.weights, kernel.recurrent_weights, kernel.bias, kernel.recurrent_bias,
    )  # fmt: skip
    if isinstance(kernel, SimpleRnn):
        n, one = kernel.units, 1 << kernel.bias_type.frac
        weights = tuple(
            np.concatenate([np.zeros_like(array), np.zeros_like(array), array], axis=-1)
            for array in weights
        )
        weights[2][n : 2 * n] = one
    each = [np.broadcast_to(array.ravel(), (len(x), array.size)) for array in weights]
    expected = judge(number, x, *each)
    np.testing.assert_array_equal(kernel.golden(x).reshape(len(x), -1), expected)
    check_circuit(kernel, x)


def inputs(kernel: Recurrent, count: int = 200) -> np.ndarray:
    """Sequences of all magnitudes, the first of them of extremes."""
    rng = np.random.default_rng(0)
    to, shape = kernel.inputs[0].type, (count, *kernel.inputs[0].shape)
    x = rng.integers(to.min, to.max + 1, shape) >> rng.integers(0, to.width, (count, 1, 1))
    x[0], x[1], x[2] = to.min, to.max, 0
    return x


@pytest.mark.parametrize("number", range(len(TRIALS)))
def test_states_stay_within_their_bounds(number: int) -> None:
    kernel = replace(TRIALS[number], steps=40, every=True).kernel()
    x = inputs(kernel)
    projected = kernel.projection.golden(x)
    state = np.zeros((len(x), kernel.parts * kernel.units), np.int64)
    for step in range(kernel.steps):
        sums = kernel.recurrent.golden(state[:, : kernel.units])
        state = kernel.golden_step(sums, projected[:, step], state)
        for part, (low, high) in enumerate(kernel.bounds):
            mine = state[:, part * kernel.units : (part + 1) * kernel.units]
            assert low <= mine.min() and mine.max() <= high


def test_bounds_are_tighter_than_the_type() -> None:
    lstm, gru = (Trial(kind, to="fixed<16,6>").kernel() for kind in (Lstm, Gru))
    most = 1023  # of the tanh's table, in units of 2**-10
    assert lstm.bounds == ((-most, most), (-5 * most, 5 * most))
    assert gru.bounds == ((-most, most),)


def test_unknown_functions_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="relu, sigmoid, tanh, not 'softsign'"):
        replace(Trial(Gru).kernel(), activation="softsign")


@pytest.mark.parametrize("kind", [Lstm, Gru])
def test_states_too_wide_for_golden_outputs_are_refused(kind: type[Recurrent]) -> None:
    """A sum has the integer bits of one operand and the fractional bits of the other."""
    assert 58 <= Trial(kind, **WIDE).kernel().widest <= 62
    for wide in ({"accum": "fixed<40,40>"}, {"to": "fixed<40,2>"}, {"accum": "fixed<52,8>"}):
        with pytest.raises(UnsupportedError, match=r"narrow rnn\.precision\.accum or rnn\.prec"):
            Trial(kind, **WIDE | wide).kernel()


def test_reuse_factors_are_those_of_either_matrix() -> None:
    kernel = replace(Trial(Gru).kernel(), reuse_factor=2)
    assert kernel.recurrent.reuse == 2
    assert kernel.projection.reuse in (1, 3)
    assert {1, 2, 3, 4} <= set(kernel.reuse_factors)
    assert kernel.cycles(4) <= 4
