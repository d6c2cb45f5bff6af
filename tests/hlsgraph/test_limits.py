"""What hls4ml's C++ can't do: each limit refuses, in the front end and in the lowering."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gatewright.errors import UnsupportedError
from gatewright.frontend import convert
from gatewright.hlsgraph.layers import read
from gatewright.hlsgraph.limits import LIMITS, Limit
from gatewright.lower import lower
from graphs import Branches

DEPTHWISE = {"class_name": "DepthwiseConv"}
#: The io type; what makes the layers, and may return a function that spoils the graph; the refusal.
Case = tuple[str, Callable[[Branches], Any], str]


def node(graph: Any, name: str) -> Any:
    return next(each for each in graph.get_layers() if each.name == name)


def signs(b: Branches, *shape: int) -> str:
    """A tensor of bits that stand for -1 and +1."""
    b.batchnorm("bn", b.source(*shape), int(np.prod(shape)), shape[-1])
    b.activation("signs", "bn", "binary_tanh")
    b.shapes["signs"] = shape
    return "signs"


def binary(b: Branches, window: tuple[int, ...], **fields: Any) -> None:
    from hls4ml.model.quantizers import BinaryQuantizer

    shape = (6, 2) if len(window) == 1 else (4, 4, 2)
    quantized = {"weight_quantizer": BinaryQuantizer(1), "bias_data": None}
    b.conv("c", signs(b, *shape), 2, window, **quantized, **fields)


def depthwise_of_signs(b: Branches) -> Callable[[Any], None]:
    b.conv("c", signs(b, 4, 4, 2), 2, (2, 2), **DEPTHWISE)

    def spoil(graph: Any) -> None:
        from hls4ml.model.types import XnorPrecisionType

        weight = node(graph, "c").weights["weight"]
        weight.type.precision, weight.data = XnorPrecisionType(), np.ones_like(weight.data)

    return spoil


def pointwise_of_signs(b: Branches) -> None:
    binary(b, (1,))
    b.settings["c"] = {"ParallelizationFactor": 6}


def powers_of_two(b: Branches) -> Callable[[Any], None]:
    b.dense("d", b.source(3), 3, 2)

    def spoil(graph: Any) -> None:
        from hls4ml.model.types import ExponentPrecisionType

        node(graph, "d").weights["weight"].type.precision = ExponentPrecisionType(4)

    return spoil


def copies(b: Branches) -> Callable[[Any], None]:
    for name in ("a", "b"):
        b.activation(name, b.layers[0]["name"] if b.layers else b.source(4), "relu")

    def spoil(graph: Any) -> None:
        from hls4ml.model.types import FixedPrecisionType

        (clone,) = (each for each in graph.get_layers() if each.class_name == "Clone")
        next(iter(clone.variables.values())).type.precision = FixedPrecisionType(5, 2)

    return spoil


def joined_depthwise(b: Branches) -> None:
    b.conv("c", b.source(4, 4, 2), 2, (2, 2), **DEPTHWISE)
    b.types("c", result="auto")
    b.batchnorm("bn", "c", 18, 2)


def with_setting(layer: str, **settings: Any) -> Callable[[Branches], None]:
    def build(b: Branches) -> None:
        if layer == "c":
            b.conv("c", b.source(4, 4, 2), 2, (2, 2), **DEPTHWISE)
        else:
            b.dense("d", b.source(3), 3, 2)
        b.settings[layer] = settings

    return build


def pool(
    strides: tuple[int, int],
    padding: str = "valid",
    to: str = "fixed<8,3>",
    **attributes: Any,
) -> Callable[[Branches], Any]:
    def build(b: Branches) -> Callable[[Any], None]:
        b.pool("p", b.source(5, 5, 2, to=to), "Max", (2, 2), strides, padding)

        def spoil(graph: Any) -> None:
            for name, value in attributes.items():
                node(graph, "p").set_attr(name, value)

        return spoil

    return build


def upsample(**fields: Any) -> Callable[[Branches], None]:
    def build(b: Branches) -> None:
        b.upsample("u", b.source(2, 3, 2), 2, 3)
        b.layers[-1] |= fields

    return build


def embedding(rows: int, *shape: int, to: str) -> Callable[[Branches], None]:
    def build(b: Branches) -> None:
        table = {"n_in": shape[0], "n_out": 3, "vocab_size": rows}
        b.add(
            "Embedding", "e", b.source(*shape, to=to), embeddings_data=b.weights(rows, 3), **table
        )

    return build


def few_scales(b: Branches) -> Callable[[Any], None]:
    b.batchnorm("n", b.source(4), 4)

    def spoil(graph: Any) -> None:
        scale = node(graph, "n").weights["scale"]
        scale.data = scale.data[:2]

    return spoil


def pair(class_name: str, shape: tuple[int, ...], **fields: Any) -> Callable[[Branches], None]:
    def build(b: Branches) -> None:
        b.add(class_name, "m", b.source(*shape), b.source(*shape), **fields)

    return build


def after(
    class_name: str,
    shape: tuple[int, ...],
    spoil: Callable[[Any], None] | None = None,
    **fields: Any,
) -> Callable[[Branches], Any]:
    """A layer of a class on an input."""

    def build(b: Branches) -> Callable[[Any], None] | None:
        b.add(class_name, "x", b.source(*shape), **fields)
        return spoil

    return build


def flattened(b: Branches) -> None:
    b.add("Reshape", "flat", b.source(3, 4, 2), target_shape=[24])
    b.activation("a", "flat", "relu")


def repacked(b: Branches) -> None:
    b.add("Reshape", "r", b.source(4, 3), target_shape=[6, 2])
    b.activation("a", "r", "relu")


def garnet(vertices: int = 4, to: str = "ufixed<3,3>", **fields: Any) -> Callable[[Branches], None]:
    def build(b: Branches) -> None:
        b.types(b.input("n", 1), result=to)
        b.garnet("g", b.source(vertices, 3), "n", **fields)

    return build


def quantized_garnet(b: Branches) -> None:
    from hls4ml.model.quantizers import TernaryQuantizer

    garnet(quantizer=TernaryQuantizer())(b)


def garnet_of_signs(b: Branches) -> None:
    b.types(b.input("n", 1), result="ufixed<3,3>")
    b.garnet("g", signs(b, 4, 3), "n")


def einsum_of_signs(b: Branches) -> None:
    fields = {"equation": "ac,bc->ab", "inp0_shape": (2, 3), "inp1_shape": (2, 3)}
    b.add("Einsum", "m", signs(b, 2, 3), b.source(2, 3), **fields, out_shape=(2, 2))


def dot_of_matrices(b: Branches) -> Callable[[Any], None]:
    pair("Dot", (4,), op="dot1d", axes=-1)(b)

    def spoil(graph: Any) -> None:
        for each in graph.get_input_variables():
            each.shape = [2, 2]

    return spoil


def concatenated(b: Branches) -> Callable[[Any], None]:
    pair("Concatenate", (1, 2, 2), op="concatenate3d", axis=3)(b)
    return lambda graph: setattr(node(graph, "m").get_output_variable(), "shape", [1, 1, 2, 4])


def ternary_of_pixels(b: Branches) -> None:
    b.batchnorm("t", b.source(3, 2), 6)
    b.activation("a", "t", "ternary_tanh", class_name="TernaryTanh", threshold=0.5)


P, S = "io_parallel", "io_stream"
CASES: dict[str, Case] = {
    "powers of two": (P, powers_of_two, "'d' (Dense): its weights, or their scale, are powers of"),
    "copies": (S, copies, "hls4ml copies a stream of fixed<8,3> as one of fixed<5,2>"),
    "dot in streams": (
        S,
        pair("Dot", (4,), op="dot1d", axes=-1),
        "'m' (Dot): hls4ml has no C++ for it in io_stream; use io_parallel",
    ),
    "ternary alone": (
        P,
        after("TernaryTanh", (3,), activation="ternary_tanh", threshold=0.5),
        "'x' (TernaryTanh): hls4ml writes no C++ for it unless a batch normalization comes before",
    ),
    "flattened": (S, flattened, "reads 'flat', which was flattened, in beats of the wrong size"),
    "dilation": (
        P,
        lambda b: b.conv("c", b.source(6, 2), 2, (2,), dilation_width=2),
        "'c' (Conv1D): hls4ml's C++ ignores its dilation_width of 2",
    ),
    "channels first": (P, pool((2, 2), data_format="channels_first"), "only channels_last is"),
    "padding in streams": (S, pool((2, 2), "same"), "C++ for io_stream does not pad; use io_par"),
    "padded signs": (
        P,
        lambda b: binary(b, (3, 3), padding="same"),
        "'c' (Conv2D): pads one-bit values, where 0 stands for -1; pad before the activation",
    ),
    "vertical stride": (
        S,
        lambda b: b.conv("c", b.source(5, 5, 2), 2, (1, 3), (2, 1)),
        "io_stream ignores the vertical stride of a window of height 1",
    ),
    "no weights": (
        P,
        with_setting("d", Strategy="distributed_arithmetic"),
        "'d' (Dense): hls4ml's own distributed arithmetic leaves no weights",
    ),
    "depth multiplier": (
        P,
        lambda b: b.conv("c", b.source(4, 2), 4, (2,), depth_multiplier=2, **DEPTHWISE),
        "'c' (DepthwiseConv1D): hls4ml's C++ has a depth multiplier of 1 only, not 4 filters of 2",
    ),
    "depthwise resource": (
        P,
        with_setting("c", Strategy="Resource"),
        "io_parallel has no strategy Resource for it",
    ),
    "depthwise signs": (P, depthwise_of_signs, "subtracts the wrong number from its count"),
    "pointwise signs": (P, pointwise_of_signs, "agreements; use a ParallelizationFactor of 1"),
    "joined depthwise": (
        P,
        joined_depthwise,
        "'c' (DepthwiseConv2D): hls4ml left it 16 weights, but its C++ reads 8",
    ),
    "scales": (P, few_scales, "'n' (BatchNormalization): 2 scales and 4 biases; its C++ reads 4"),
    "pooling strides": (S, pool((1, 1)), "strides of (1, 1); hls4ml's C++ for io_stream needs eq"),
    "pooling buffer": (S, pool((2, 2), implementation="encoded"), "implementation LineBuffer only"),
    "padded maximum": (
        P,
        pool((2, 2), "same", "ufixed<7,2>"),
        "max pooling with padding of unsigned values, which hls4ml pads with a large one",
    ),
    "averaged signs": (
        P,
        lambda b: b.pool("p", signs(b, 4, 4, 2), "Average", (2, 2)),
        "averages bits that are signs as if they were 0 and 1",
    ),
    "interpolation": (
        P,
        upsample(algorithm="bilinear"),
        "hls4ml has no C++ for interpolation='bilinear'; use interpolation='nearest'",
    ),
    "uneven": (P, upsample(out_width=7), "repeats 3 pixels unevenly to make 7"),
    "merged signs": (
        P,
        lambda b: b.add("Merge", "m", signs(b, 4), b.source(4), op="add"),
        "'m' (Merge): add of one-bit values, where 0 stands for -1; merge before the activation",
    ),
    "einsum of signs": (P, einsum_of_signs, "'m' (Einsum): a product of binary or ternary"),
    "dot of matrices": (P, dot_of_matrices, "'m' (Dot): hls4ml has a Dot of vectors only"),
    "concatenation": (P, concatenated, "hls4ml concatenates tensors of rank up to 3, not 4"),
    "repacking": (
        S,
        repacked,
        "'r' (Repack): reshapes pixels of 2 and 3 values into each other",
    ),
    "transposition": (
        S,
        after("Transpose", (3, 4), lambda g: node(g, "x").set_attr("perm", [0, 1]),
              perm=[1, 0], data_format="channels_last"),
        "hls4ml's C++ for io_stream always swaps the two axes",
    ),
    "index": (
        P,
        embedding(9, 4, to="uint<3>"),
        "can't hold the index 8; set x0.precision.result=ufixed<4,4>",
    ),
    "sequences": (P, embedding(4, 4, 2, to="uint<2>"), "takes one sequence of indices, not"),
    "reset before": (
        P,
        lambda b: b.recurrent("r", b.source(4, 2), "GRU", 3, apply_reset_gate="before"),
        "'r' (GRU): hls4ml's C++ does not have reset_after=False",
    ),
    "functions of gates": (
        S,
        lambda b: b.recurrent(
            "r", b.source(4, 2), "LSTM", 3, recurrent_activation="hard_sigmoid"
        ),
        "has the functions relu, sigmoid, tanh, not hard_sigmoid",
    ),
    "clipped": (
        S,
        after("Activation", (4,), activation="relu6"),
        "hls4ml has no C++ for 'relu6' in io_stream; use a quantized_relu with that range, or",
    ),
    "ternary of pixels": (S, ternary_of_pixels, "'t' (BatchNormalizationQuantizedTanh): a ternary"),
    "softmax": (
        S,
        after("Softmax", (3, 4), lambda g: node(g, "x").set_attr("n_inner", 2),
              activation="softmax", axis=-1),
        "hls4ml's C++ for io_stream has a softmax along the last axis only",
    ),
    "normalized signs": (
        P,
        lambda b: b.add("LayerNormalization", "n", signs(b, 3, 4), n_in=12, seq_len=3,
                        epsilon_power_of_10=3, gamma_data=np.ones(4), beta_data=np.zeros(4)),
        "its input or its scale is one bit, where 0 stands for -1; use wider ones",
    ),
    "vertices in streams": (S, garnet(), "'g' (GarNet): hls4ml has no C++ for it in io_stream"),
    "odd vertices": (P, garnet(6), "divides by a power of two, not by its 6 vertices"),
    "greatest vertex": (P, garnet(collapse="max"), "no C++ for collapse='max'; use 'mean'"),
    "sum of means": (
        P,
        garnet(collapse="mean", mean_by_nvert=True),
        "its Keras layer with mean_by_nvert=True adds them up; use mean_by_nvert=False",
    ),
    "vertex count": (
        P,
        garnet(to="ufixed<2,2>"),
        "its number of vertices, ufixed<2,2>, is no unsigned integer that holds 4; set "
        "n.precision.result=ufixed<3,3>",
    ),
    "quantized transforms": (P, quantized_garnet, "use quantize_transforms=False"),
    "signs of vertices": (P, garnet_of_signs, "its features are one bit, where 0 stands for -1"),
    "unchanged": (
        P,
        lambda b: b.add("Reshape", "r", b.source(4, 2), target_shape=[8]),
        "output 'x0' is an unchanged input; hls4ml has no C++ for it",
    ),
}  # fmt: skip


def graph_of(name: str) -> Any:
    io_type, build, _ = CASES[name]
    b = Branches(io_type)
    spoil = build(b)
    graph = b.finished()
    if callable(spoil):
        spoil(graph)
    return graph


@pytest.mark.parametrize("name", CASES)
def test_the_lowering_refuses(name: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        lower(graph_of(name))
    assert CASES[name][2] in str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_a_graph_made_elsewhere_is_refused_alike(name: str) -> None:
    with pytest.raises(UnsupportedError) as lowered:
        lower(graph_of(name))
    with pytest.raises(UnsupportedError) as converted:
        convert(graph_of(name))
    assert str(converted.value).endswith(f": {lowered.value}")


def first_limit(name: str) -> Limit | None:
    for layer in read(graph_of(name)).layers:
        for limit in LIMITS:
            if limit.concerns(layer) and limit.reason(layer) is not None:
                return limit
    return None


def test_every_limit_has_a_case() -> None:
    found = {limit for name in CASES if (limit := first_limit(name)) is not None}
    untested = [limit.kinds for limit in LIMITS if limit not in found]
    assert untested == [("Broadcast",)]  # which hls4ml makes for other backends only
