"""GarNet against hls4ml's C++, and its circuits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from checks import check_circuit, values
from judge import Array, Call, Judge, cpp
from rows import Builder

from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import GarNet, Tensor, curves
from gatewright.kernels.garnet import DISTANCE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

t = FixedType.parse

HEADERS = ("nnet_utils/nnet_garnet.h",)


@dataclass(frozen=True)
class Trial:
    """A GarNet; the default types are hls4ml's for four vertices and a reuse factor of 1."""

    vertices: int = 4
    features: int = 2
    aggregators: int = 2
    results: int = 3
    passes: int = 1
    mean: bool = True
    by_count: bool = False
    source: str = "fixed<9,3>"
    count: str = "ufixed<3,3>"
    to: str = "fixed<16,6>"
    edge: str = "ufixed<10,0,TRN,SAT>"
    edge_sum: str = "ufixed<12,2,TRN,SAT>"
    accum: str = "fixed<15,5,TRN,SAT>"
    norm: str = "ufixed<14,4,TRN,SAT>"
    factor: str = "fixed<8,2,RND,SAT>"
    bias: str = "fixed<10,1,RND,SAT>"

    def kernel(self, **changed: Any) -> GarNet:
        rng = np.random.default_rng(self.vertices * self.features + self.results)

        def raw(name: str, *shape: int) -> NDArray[np.int64]:
            return rng.integers(t(name).min, t(name).max + 1, shape)

        many, few = (self.aggregators, self.features), (self.results, self.aggregators)
        shape = (self.results,) if self.mean else (self.vertices, self.results)
        fields = {
            "layer": "layer",
            "inputs": (
                Tensor("x", (self.vertices, self.features), t(self.source)),
                Tensor("n", (1,), t(self.count)),
            ),
            "output": Tensor("y", shape, t(self.to)),
            "distances": raw(self.factor, *many),
            "distance_biases": raw(self.bias, self.aggregators),
            "transform": raw(self.factor, *few, self.features),
            "transform_biases": raw(self.bias, *few),
            "biases": raw(self.bias, self.results),
            "distances_type": t(self.factor),
            "distance_biases_type": t(self.bias),
            "transform_type": t(self.factor),
            "transform_biases_type": t(self.bias),
            "biases_type": t(self.bias),
            "edge_type": t(self.edge),
            "edge_sum_type": t(self.edge_sum),
            "accum": t(self.accum),
            "norm_type": t(self.norm),
            "passes": self.passes,
            "by_count": self.by_count,
            "mean": self.mean,
        }
        return GarNet(**fields | changed)

    def call(self, **changed: Any) -> Call:
        kernel = self.kernel(**changed)
        arrays, members = [], []
        for name, key in (
            ("aggregator_distance_weights", "distances"),
            ("aggregator_distance_biases", "distance_biases"),
            ("input_transform_weights", "transform"),
            ("input_transform_biases", "transform_biases"),
            ("output_transform_biases", "biases"),
        ):
            raw, to = getattr(kernel, key).ravel(), getattr(kernel, f"{key}_type")
            numbers = ", ".join(repr(float(value) * 2.0**-to.frac) for value in raw)
            arrays.append(f"static const {cpp(to)} {name}_data[{raw.size}] = {{{numbers}}};")
            members += [
                f"typedef {cpp(to)} {name}_t;",
                f"static constexpr const {name}_t (&{name})[{raw.size}] = {name}_data;",
            ]
        width, passes = self.vertices.bit_length() - 1, self.passes.bit_length() - 1
        config = f"""{chr(10).join(arrays)}
struct Config : nnet::garnet_config {{
  static const unsigned n_vertices = {self.vertices}, n_vertices_width = {width};
  static const unsigned n_in_features = {self.features}, n_aggregators = {self.aggregators};
  static const unsigned n_out_features = {self.results}, distance_width = 12;
  static const unsigned output_collapse = {"collapse_mean" if self.mean else "no_collapse"};
  static const bool mean_by_nvert = {str(self.by_count).lower()};
  static const unsigned reuse_factor = {self.passes}, log2_reuse_factor = {passes};
  typedef {cpp(t(self.norm))} norm_t;
  typedef ap_fixed<12, 4, AP_TRN, AP_SAT> distance_t;
  typedef {cpp(t(self.edge))} edge_weight_t;
  typedef {cpp(t(self.edge_sum))} edge_weight_aggr_t;
  typedef {cpp(t(self.accum))} aggr_t;
  typedef {cpp(t(self.to))} output_t;
  {chr(10).join(members)}
  typedef Config base_t;
}};"""
        return Call(
            "nnet::garnet<X0, X1, Y, Config>(x0, x1, y);",
            (Array(t(self.source), self.vertices * self.features), Array(t(self.count), 1)),
            Array(t(self.to), int(np.prod(kernel.output.shape))),
            config,
        )


FEW = [
    Trial(),
    Trial(mean=False),
    # Two passes; sums that wrap, and a result that rounds and saturates.
    Trial(8, passes=2, count="ufixed<5,5>", accum="fixed<11,3>", to="fixed<9,2,RND,SAT>",
          edge="ufixed<7,0>", edge_sum="ufixed<6,1>"),
    Trial(8, 3, 1, 2, 4, mean=False, source="ufixed<6,2,RND,SAT>", accum="fixed<12,4,RND,SAT>",
          count="uint<4>", to="fixed<10,3,TRN,SAT>"),
    # Means over the vertices that count.
    Trial(mean=False, by_count=True, accum="fixed<18,6>"),
    Trial(8, 1, 2, 2, 2, mean=False, by_count=True, norm="ufixed<9,2,RND>", count="uint<5>",
          edge="ufixed<12,1,RND>", to="fixed<9,4,RND_CONV,SAT_SYM>"),
]  # fmt: skip
MORE = [
    Trial(1, 1, 1, 1, count="uint<1>", edge_sum="ufixed<10,0>"),
    Trial(4, 2, 3, 2, 4, source="fixed<14,5>", accum="fixed<14,5,TRN_ZERO,SAT>", mean=False),
    Trial(4, 2, 3, 2, 2, accum="fixed<12,4,RND_CONV,SAT_SYM>", bias="fixed<12,1>"),
    Trial(16, 1, 2, 2, 4, source="int<4>", factor="fixed<4,0>", accum="fixed<20,9>"),
    Trial(4, 2, 2, 2, 2, mean=False, factor="ufixed<5,1>", edge="fixed<9,2>",
          edge_sum="fixed<10,3,RND_INF>", accum="fixed<16,7,RND_MIN_INF,SAT_ZERO>"),
    Trial(8, 2, 2, 2, 4, mean=False, by_count=True, count="uint<9>", norm="fixed<20,3>",
          accum="fixed<24,8>", edge_sum="ufixed<16,3>", source="fixed<8,3,RND_ZERO,SAT>"),
]  # fmt: skip


def inputs(trial: Trial, seed: int, samples: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Features of all magnitudes, and every number of vertices about as often."""
    x = values(t(trial.source), trial.vertices * trial.features, seed=seed, samples=samples)
    x = np.concatenate([x, x >> 2, x >> 4])
    count = np.arange(len(x)) * 5 % (t(trial.count).max + 1)
    return x.reshape(-1, trial.vertices, trial.features), count[:, np.newaxis]


def check(judge: Judge, index: int, trial: Trial) -> None:
    kernel = trial.kernel()
    x, count = inputs(trial, index, 512)
    found = kernel.golden(x, count).reshape(len(x), -1)
    np.testing.assert_array_equal(found, judge(index, x, count))
    assert len(np.unique(found)) > 1
    check_circuit(kernel, x, count)


@pytest.mark.parametrize("index", range(len(FEW)))
def test_golden_is_cpp_and_circuit_is_golden(few: Judge, index: int) -> None:
    check(few, index, FEW[index])


@pytest.mark.full
@pytest.mark.parametrize("index", range(len(MORE)))
def test_golden_is_cpp_for_more_types(more: Judge, index: int) -> None:
    check(more, index, MORE[index])


def test_every_distance_has_the_weight_of_the_cpp(judge_cache: Path) -> None:
    """One vertex whose feature is the distance, and whose mean weight is the result."""
    trials = [
        Trial(1, 1, 1, 1, source=str(DISTANCE), count="uint<1>", accum="fixed<24,4>", edge=edge,
              edge_sum=edge, to="fixed<24,4>", mean=False, factor="fixed<20,4>", bias="fixed<20,4>")
        for edge in ("ufixed<10,0,TRN,SAT>", "ufixed<16,0>", "fixed<12,2,RND>", "ufixed<5,2>")
    ]  # fmt: skip
    changed: Any = {
        key: np.full((1, 1, 1)[: 3 if key == "transform" else ndim], value << 16)
        for key, ndim, value in (
            ("distances", 2, 1),
            ("distance_biases", 1, 0),
            ("transform", 3, 0),
            ("transform_biases", 2, 1),
            ("biases", 1, 0),
        )
    }
    judge = Judge([trial.call(**changed) for trial in trials], judge_cache, HEADERS)
    x = np.arange(DISTANCE.min, DISTANCE.max + 1).reshape(-1, 1, 1)
    count = np.ones((len(x), 1), np.int64)
    for index, trial in enumerate(trials):
        kernel = trial.kernel(**changed)
        found = kernel.golden(x, count).reshape(len(x), -1)
        np.testing.assert_array_equal(found, judge(index, x, count))
        assert (found > 0).sum() > 100
        table = curves.edge_weights(DISTANCE, t(trial.edge))
        weights = np.exp(-((np.arange(len(table)) * 2.0**-DISTANCE.frac) ** 2))
        np.testing.assert_allclose(table * 2.0 ** -t(trial.edge).frac, weights, atol=0.13)


def check_random(seeds: range) -> None:
    tried = 0
    for seed in seeds:
        builder = Builder(seed)
        pick = builder.pick
        try:
            builder.garnet(
                builder.input(4, 2), 2, pick(1, 2, 4), by_count=pick(True, False),
                mean=pick(True, False),
            )  # fmt: skip
        except UnsupportedError:
            continue
        (kernel,) = builder.kernels
        x = values(kernel.inputs[0].type, 8, seed, samples=100).reshape(-1, 4, 2)
        check_circuit(kernel, x, np.resize(np.arange(8), (len(x), 1)))
        tried += 1
    assert tried > len(seeds) // 2


def test_circuit_is_golden_for_random_types() -> None:
    check_random(range(10))


@pytest.mark.full
def test_circuit_is_golden_for_many_types() -> None:
    check_random(range(100, 300))


def test_results_are_those_of_real_numbers() -> None:
    """The layer's own formulas, with types that are as fine as they may be."""
    trial = Trial(8, 3, 2, 2, 2, mean=False, source="fixed<16,3>", count="ufixed<4,4>",
                  to="fixed<30,8>", edge="ufixed<16,0,TRN,SAT>", edge_sum="ufixed<20,3>",
                  accum="fixed<30,8>", bias="fixed<8,1>")  # fmt: skip
    kernel = trial.kernel()
    rng = np.random.default_rng(1)
    raw = rng.integers(-(2**14), 2**14, (300, 8, 3))
    count = rng.integers(0, 9, (300, 1))
    x, mask = raw * 2.0**-13, (np.arange(8) < count)[..., np.newaxis]

    def real(name: str) -> NDArray[np.float64]:
        return getattr(kernel, name) * 2.0 ** -getattr(kernel, f"{name}_type").frac

    weights = mask * np.exp(-((x @ real("distances").T + real("distance_biases")) ** 2))
    means = np.einsum("bva,bvi->bai", weights, x) / 8
    returned = np.einsum("bai,oai->boa", means, real("transform"))
    returned += weights.mean(axis=1)[:, None] * real("transform_biases")
    right = mask * (np.einsum("bva,boa->bvo", weights, returned) + real("biases"))
    found = kernel.golden(raw, count) * 2.0**-22
    np.testing.assert_allclose(found, right, atol=0.03)
    assert np.abs(right).max() > 1


def test_refusals_name_the_layer() -> None:
    with pytest.raises(InputError, match="layer 'layer': its number of vertices, 6, must be a pow"):
        Trial(vertices=6).kernel()
    with pytest.raises(InputError, match="a multiple of its reuse factor, 8"):
        Trial(passes=8).kernel()
    with pytest.raises(UnsupportedError, match=r"fixed<4,4>, is no unsigned integer .* uf"):
        Trial(count="fixed<4,4>").kernel()
    with pytest.raises(UnsupportedError, match="layer 'layer': its sums of products need more tha"):
        Trial(accum="fixed<56,20>").kernel()
