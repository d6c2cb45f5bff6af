"""Lowering: every layer of a design against hls4ml's compiled C++, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.design import golden
from gatewright.design.dataflow import Design
from gatewright.emulation import Emulation
from gatewright.errors import GatewrightError, InputError, UnsupportedError
from gatewright.fixed import FixedType
from gatewright.kernels import Dense, Kernel
from gatewright.lower import lower
from gatewright.lower.registry import LOWERINGS
from graphs import GraphBuilder, check_layers, emulate, random_inputs

CURVES = ("sigmoid", "tanh", "softplus", "softsign", "selu")


def everything() -> Any:
    """A graph with every kind of layer that can be lowered."""
    from hls4ml.model.quantizers import BinaryQuantizer, TernaryQuantizer
    from hls4ml.model.types import XnorPrecisionType

    b = GraphBuilder()
    b.input("a", 6)
    b.input("b", 2, 3)
    b.dense("fc1", "a", 6, 4)
    # Just below a multiple of 2**-10: hls4ml prints ten decimals, which round up to it.
    b.layers[-1]["weight_data"][0] = [3 / 1024 - 1e-12, -5 / 1024 - 1e-12, 1.5, -1.25]
    b.activation("relu1", "fc1", "relu")
    b.batchnorm("bn1", "relu1", 4)
    b.dense("fc2", "a", 6, 4)
    for operation in ("add", "subtract", "multiply", "average", "maximum", "minimum"):
        b.add("Merge", operation, "bn1", "fc2", op=operation)
    b.add("Dot", "dot", "fc1", "fc2", op="dot1d", axes=-1)
    b.input("queries", 3, 2)
    b.input("keys", 2, 4)
    shapes = {"inp0_shape": (3, 2), "inp1_shape": (2, 4), "out_shape": (4, 3)}
    b.add("Einsum", "scores", "queries", "keys", equation="qd,dk->kq", **shapes)
    b.add("Concatenate", "joined", "add", "maximum", op="concatenate1d", axis=-1)
    # Of rank two: pointwise convolutions, a normalization per channel, broadcasts.
    b.dense("fc3", "b", 3, 2)
    b.batchnorm("bn2", "fc3", 4, 2)
    b.dense("fc4", "b", 3, 2)
    b.add("Concatenate", "stacked", "bn2", "fc4", op="concatenate2d", axis=1)
    b.add("Transpose", "turned", "stacked", perm=[1, 0], data_format="channels_last")
    b.activation("spread", "turned", "relu6")
    b.add("Reshape", "flat", "spread", target_shape=[8])
    b.add("Merge", "repeated", "flat", "fc2", op="add")
    # Layers with a state.
    b.recurrent("memory", "b", "LSTM", 3, return_sequences=True)
    b.recurrent("gated", "memory", "GRU", 2)
    # Bits that are signs, weights of one and two bits.
    b.batchnorm("bn3", "fc1", 4)
    b.activation("signs", "bn3", "binary_tanh")
    b.dense(
        "agreeing",
        "signs",
        4,
        5,
        class_name="BinaryDense",
        weight_quantizer=BinaryQuantizer(2),
        bias_data=np.zeros(5),
    )
    b.batchnorm("bn4", "agreeing", 5)
    b.activation("more_signs", "bn4", "binary_tanh")
    b.dense("of_signs", "more_signs", 5, 3)
    b.dense("of_signs_rounded", "signs", 4, 3)
    b.activation("bits", "fc1", "binary_tanh", quantizer_precision=XnorPrecisionType())
    biased = {"class_name": "BinaryDense", "bias_data": np.array([1.0, -2, 0])}
    b.dense("biased", "bits", 4, 3, weight_quantizer=BinaryQuantizer(1), **biased)
    b.dense("by_signs", "a", 6, 3, class_name="BinaryDense", weight_quantizer=BinaryQuantizer(1))
    b.batchnorm("bn5", "fc2", 4)
    b.activation("thirds", "bn5", "ternary_tanh", class_name="TernaryTanh", threshold=0.5)
    b.dense(
        "of_thirds", "thirds", 4, 3, class_name="TernaryDense", weight_quantizer=TernaryQuantizer()
    )
    b.dense("by_thirds", "a", 6, 3, class_name="TernaryDense", weight_quantizer=TernaryQuantizer())
    b.dense("resource", "a", 6, 3)
    b.input("rows", 3, 4)
    b.add(
        "LayerNormalization", "normalized", "rows", n_in=12, seq_len=3, axis=2,
        epsilon_power_of_10=3, gamma_data=b.weights(4), beta_data=b.weights(4),
    )  # fmt: skip
    # Vertices, of which some count.
    b.input("points", 4, 3)
    b.input("count", 1)
    b.garnet("to_vertices", "points", "count")
    b.garnet("by_count", "points", "count", mean_by_nvert=True)
    b.garnet("to_one", "points", "count", collapse="mean")
    # Activations and softmax.
    for curve in CURVES:
        b.activation(curve, "fc1", curve)
    b.activation("hard", "fc1", "hard_sigmoid", class_name="HardActivation")
    b.activation("harder", "fc1", "hard_tanh", class_name="HardActivation")
    b.activation("leaky", "fc1", "LeakyReLU", class_name="LeakyReLU", activ_param=0.3)
    b.activation("elu", "fc1", "ELU", class_name="ELU", activ_param=0.7)
    b.activation("cut", "fc1", "ThresholdedReLU", class_name="ThresholdedReLU", activ_param=1.1)
    b.activation("prelu", "fc1", "PReLU", class_name="PReLU", param_data=b.weights(4))
    b.activation("recast", "fc1", "linear")
    b.activation("ternary", "fc1", "ternary_tanh")
    b.activation("binary", "fc1", "binary_tanh")
    soft = ("stable", "latency", "legacy", "argmax")
    for implementation in soft:
        b.activation(implementation, "fc2", "softmax", class_name="Softmax", axis=-1)
    outputs = [
        layer["name"]
        for layer in b.layers
        if not any(layer["name"] in other["inputs"] for other in b.layers)
    ]
    return b.graph(
        outputs,
        settings={
            "fc2": {"Precision": {"accum": "fixed<14,6,RND>", "result": "fixed<10,4,RND,SAT>"}},
            "of_signs_rounded": {"Precision": {"accum": "fixed<12,6,RND_CONV>"}},
            "count": {"Precision": {"result": "ufixed<3,3>"}},
            "to_one": {"ReuseFactor": 2, "Precision": {"aggr": "fixed<20,8,RND,SAT>"}},
            "recast": {"Precision": {"result": "ufixed<6,3,RND_ZERO,SAT>"}},
            "resource": {"Strategy": "Resource"},
            **{name: {"Implementation": name} for name in soft},
        },
    )


@pytest.fixture(scope="module")
def compiled(pytestconfig: pytest.Config) -> tuple[Design, Emulation]:
    """The design of `everything`, and the C++, which is kept between runs."""
    graph = everything()
    design = lower(graph)
    assert pytestconfig.cache is not None
    return design, emulate(graph, pytestconfig.cache.mkdir("lower"), Path(__file__))


def test_golden_is_cpp_at_every_layer(compiled: tuple[Design, Emulation]) -> None:
    assert check_layers(*compiled) == {"flat"}, "a reshape has no C++"


def test_every_layer_is_lowered_under_its_own_name(compiled: tuple[Design, Emulation]) -> None:
    design, _ = compiled
    assert {type(k).__name__ for k in design.kernels} >= {
        *("Argmax", "BatchNorm", "BinaryTanh", "ClippedRelu", "Concatenate", "Dense", "Dot"),
        *("Einsum", "Elu", "GarNet", "HardSigmoid", "HardTanh", "LayerNorm", "LeakyRelu"),
        *("Linear",),
        *("Lookup", "Merge", "Relu", "Reshape", "Selu", "Softmax", "SoftmaxLegacy", "TernaryTanh"),
        *("ThresholdedRelu", "Thresholds", "Transpose"),
    }
    assert all(kernel.layer == kernel.output.name for kernel in design.kernels)


def test_a_saved_design_computes_the_same(
    compiled: tuple[Design, Emulation], tmp_path: Path
) -> None:
    design, _ = compiled
    design.save(tmp_path / "design")
    x = random_inputs(design, 50)
    again = golden.run(Design.load(tmp_path / "design"), x)
    for name, value in golden.run(design, x).items():
        np.testing.assert_array_equal(again[name], value, name)


def kernel_of(design: Design, layer: str) -> Kernel:
    return next(kernel for kernel in design.kernels if kernel.layer == layer)


def test_weights_are_what_hls4ml_prints(compiled: tuple[Design, Emulation]) -> None:
    kernel = kernel_of(compiled[0], "fc1")
    assert isinstance(kernel, Dense)
    assert kernel.weights[0].tolist() == [3, -5, 1536, -1280]


def test_signs_become_numbers(compiled: tuple[Design, Emulation]) -> None:
    by_signs, agreeing = (kernel_of(compiled[0], name) for name in ("by_signs", "agreeing"))
    assert isinstance(by_signs, Dense)
    assert set(by_signs.weights.ravel()) == {-1, 1}
    assert isinstance(agreeing, Dense)
    assert set(agreeing.weights.ravel()) == {-2, 2}
    assert str(agreeing.accum) == "fixed<4,4,TRN_ZERO>"


def one_layer(**settings: Any) -> Any:
    b = GraphBuilder()
    b.input("x", 4)
    b.dense("fc", "x", 4, 2)
    return b.graph(["fc"], settings={"fc": settings})


def refused(graph: Any) -> str:
    with pytest.raises(UnsupportedError) as caught:
        lower(graph)
    return str(caught.value)


def test_a_saturating_accumulator_is_refused_by_layer() -> None:
    graph = one_layer(Precision={"accum": "fixed<12,5,TRN,SAT>"})
    assert refused(graph).startswith("layer 'fc': its accumulator fixed<12,5,TRN,SAT> can saturate")


def test_an_unknown_layer_is_refused_by_name_and_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LOWERINGS, "Transpose")
    b = GraphBuilder()
    b.input("x", 3, 4)
    b.add("Transpose", "turned", "x", perm=[1, 0], data_format="channels_last")
    message = refused(b.graph(["turned"]))
    assert message == "layer 'turned' (Transpose): not supported yet"


def test_an_unknown_activation_is_refused() -> None:
    b = GraphBuilder()
    b.input("x", 4)
    b.activation("act", "x", "swish")
    assert "layer 'act' (Activation): activation 'swish'" in refused(b.graph(["act"]))


def test_exponent_types_are_refused() -> None:
    from hls4ml.model.types import ExponentPrecisionType

    graph = one_layer()
    node = next(n for n in graph.get_layers() if n.name == "fc")
    node.weights["weight"].type.precision = ExponentPrecisionType(4)
    assert "are powers of two, which hls4ml can't write" in refused(graph)


def test_agreements_that_the_accumulator_cannot_count_are_refused() -> None:
    from hls4ml.model.quantizers import BinaryQuantizer
    from hls4ml.model.types import FixedPrecisionType

    b = GraphBuilder()
    b.input("x", 9)
    b.batchnorm("bn", "x", 9)
    b.activation("signs", "bn", "binary_tanh")
    quantizer = BinaryQuantizer(1)
    b.dense("fc", "signs", 9, 2, class_name="BinaryDense", weight_quantizer=quantizer)
    graph = b.graph(["fc"])
    node = next(n for n in graph.get_layers() if n.name == "fc")
    node.get_attr("accum_t").precision = FixedPrecisionType(4, 4)
    assert refused(graph).endswith("can't count 9 agreements; set fc.precision.accum='fixed<5,5>'")


def test_weights_that_are_no_numbers_are_an_input_error() -> None:
    graph = one_layer()
    node = next(n for n in graph.get_layers() if n.name == "fc")
    node.weights["weight"].data[1, 1] = np.nan
    with pytest.raises(InputError, match="layer 'fc': weight holds a value that is not a number"):
        lower(graph)


def test_a_type_that_is_none_of_ours_names_the_layer() -> None:
    graph = one_layer()
    node = next(n for n in graph.get_layers() if n.name == "fc")
    node.get_output_variable().type.precision.saturation_bits = 3
    with pytest.raises(GatewrightError, match=r"layer 'fc' \(Dense\): precision 'fixed<"):
        lower(graph)


def test_the_strategy_asked_for_wins() -> None:
    graph = one_layer()
    node = next(n for n in graph.get_layers() if n.name == "fc")
    node.set_attr("gatewright_strategy", "distributed_arithmetic")
    kernel = lower(graph).kernels[0]
    assert isinstance(kernel, Dense)
    assert kernel.strategy == "distributed_arithmetic"
    assert kernel.weight_type == FixedType(16, 6)


def test_a_graph_without_weights_is_refused() -> None:
    message = refused(one_layer(Strategy="distributed_arithmetic"))
    assert "layer 'fc' (Dense): hls4ml's own distributed arithmetic leaves no weights" in message


def test_lowering_imports_neither_hls4ml_nor_tensorflow() -> None:
    code = (
        "import sys, gatewright.lower; "
        "sys.exit(any(name in sys.modules for name in ('hls4ml', 'tensorflow', 'keras')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
