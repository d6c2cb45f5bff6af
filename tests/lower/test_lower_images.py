"""Lowering of images and sequences in both io types: every layer against hls4ml's compiled C++."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.design import golden
from gatewright.design.dataflow import Design
from gatewright.emulation import Emulation
from gatewright.errors import UnsupportedError
from gatewright.kernels import Conv, DepthwiseConv, Kernel
from gatewright.lower import lower
from graphs import Branches, check_layers, emulate, random_inputs

IO_TYPES = ("io_parallel", "io_stream")
#: Reshapes of streams to a vector, which stay in beats of a pixel.
FLAT = ("flat", "flat_left", "flat_right")


def convolutions(b: Branches) -> None:
    from hls4ml.model.quantizers import BinaryQuantizer, TernaryQuantizer

    b.types(b.conv("valid", b.source(5, 6, 2), 3, (3, 2)), accum="fixed<14,6,RND>")
    b.types(b.conv("strided", b.source(5, 6, 2), 3, (2, 3), (2, 1)), result="fixed<9,4,RND,SAT>")
    b.conv("same", b.source(5, 6, 2, to="ufixed<7,2>"), 2, (3, 3), (2, 2), "same")
    b.conv("wide", b.source(5, 6, 2), 2, (2, 3), (1, 3), "same")
    b.conv("sequence", b.source(9, 2), 3, (3,), (2,))
    b.conv("same_sequence", b.source(9, 2), 3, (4,), None, "same")
    b.conv("causal", b.source(9, 2), 3, (3,), None, "causal")
    b.conv("point", b.source(3, 4, 2), 3, (1, 1))
    b.conv("strided_point", b.source(5, 4, 2), 3, (1, 1), (2, 3))
    b.conv("sequence_point", b.source(5, 2), 3, (1,))
    b.conv("strided_sequence_point", b.source(5, 2), 3, (1,), (2,))
    b.conv("no_bias", b.source(4, 4, 1), 2, (2, 2), bias_data=None)
    resource = {"Strategy": "Resource", "ReuseFactor": 4}
    b.conv("resource", b.source(4, 4, 2), 4, (2, 2))
    b.conv("sequence_resource", b.source(6, 2), 4, (3,))
    b.conv("parallel", b.source(4, 4, 2), 2, (3, 3))
    b.conv("all_points", b.source(6, 2), 3, (1,))
    b.settings |= dict.fromkeys(("resource", "sequence_resource"), resource)
    b.settings |= {
        "parallel": {"ParallelizationFactor": 4},
        "all_points": {"ParallelizationFactor": 6},
    }
    depthwise = {"class_name": "DepthwiseConv"}
    b.conv("depthwise", b.source(5, 6, 3), 3, (3, 2), (2, 1), **depthwise)
    b.conv("same_depthwise", b.source(5, 6, 2), 2, (3, 3), None, "same", **depthwise)
    b.conv("separable", b.source(5, 6, 2), 3, (3, 3), None, "same", class_name="SeparableConv")
    if not b.parallel:  # where hls4ml's headers of both ranks do not compile together
        b.conv("depthwise_sequence", b.source(7, 3), 3, (3,), (2,), "same", **depthwise)
        b.conv("separable_sequence", b.source(7, 2), 3, (3,), class_name="SeparableConv")
        b.conv("depthwise_resource", b.source(4, 4, 2), 2, (2, 2), **depthwise)
        b.settings["depthwise_resource"] = {"Strategy": "Resource", "ReuseFactor": 2}
    binary, ternary = BinaryQuantizer(1), TernaryQuantizer()
    b.conv("by_signs", b.source(4, 4, 2), 3, (2, 2), weight_quantizer=binary, bias_data=None)
    b.conv("by_thirds", b.source(4, 4, 2), 3, (2, 2), weight_quantizer=ternary, bias_data=None)
    b.batchnorm("bn", b.source(4, 4, 2), 32, 2)
    b.activation("signs", "bn", "binary_tanh")
    b.shapes["signs"] = (4, 4, 2)
    b.conv("of_signs", "signs", 3, (3, 3), weight_quantizer=binary, bias_data=None)


def poolings(b: Branches) -> None:
    b.pool("greatest", b.source(5, 6, 2), "Max", (2, 3))
    b.types(b.pool("greatest_cast", b.source(4, 4, 2), "Max", (2, 2)), accum="fixed<6,2>")
    b.types(b.pool("mean", b.source(5, 6, 2), "Average", (2, 3)), accum="fixed<14,6>")
    b.types(b.pool("mean_wrapping", b.source(4, 4, 2), "Average", (2, 2)), accum="fixed<8,2>")
    rounding = {"accum": "fixed<7,5,RND_CONV,SAT>", "result": "fixed<9,5,RND>"}
    b.types(b.pool("mean_rounded", b.source(6, 6, 2), "Average", (3, 3)), **rounding)
    b.pool("greatest_of_three", b.source(8, 2), "Max", (3,), (2,))
    b.pool("mean_of_three", b.source(8, 2), "Average", (3,), (1,))
    for kind in ("Max", "Average"):
        b.types(b.global_pool(f"global_{kind}", b.source(3, 4, 2), kind), accum="fixed<13,8>")
        b.types(b.global_pool(f"all_{kind}", b.source(7, 3), kind), accum="fixed<7,3,RND_CONV>")
    if b.parallel:
        b.pool("greatest_padded", b.source(5, 5, 2), "Max", (3, 3), (2, 2), "same")
        b.pool("mean_padded", b.source(5, 5, 2), "Average", (3, 3), (2, 2), "same")
        b.pool("mean_counted", b.source(5, 5, 2), "Average", (3, 3), None, "same", count_pad=True)
        b.pool("overlapping", b.source(5, 5, 2), "Average", (2, 2), (1, 1))


def moves(b: Branches) -> None:
    b.border("padded", b.source(3, 4, 2), "ZeroPadding", 1, 0, 2, 1)
    b.border("padded_sequence", b.source(5, 2), "ZeroPadding", 2, 1)
    b.border("cropped", b.source(5, 6, 2), "Cropping", 1, 0, 2, 1)
    b.border("cropped_sequence", b.source(6, 2), "Cropping", 2, 1)
    b.upsample("larger", b.source(2, 3, 2), 2, 3)
    b.upsample("longer", b.source(3, 2), 2)
    for name in ("padded", "padded_sequence", "cropped", "cropped_sequence", "larger", "longer"):
        b.types(name, result="fixed<8,3>")
    indices = b.source(4, to="uint<3>")
    table = {"n_in": 4, "n_out": 3, "vocab_size": 8, "embeddings_data": b.weights(8, 3)}
    b.add("Embedding", "embedded", indices, **table)
    for shape, perm in (((3, 4), (1, 0)), ((2, 3, 4), (2, 0, 1))):
        turned = f"turned{len(shape)}"
        b.image("Transpose", turned, b.source(*shape), perm=list(perm))
    for axis, rank in ((1, 2), (2, 2), (1, 3), (2, 3), (3, 3)):
        shape = (2, 3, 2)[:rank]
        sources = b.source(*shape), b.source(*shape, to="fixed<8,2>")
        b.add("Concatenate", f"joined{rank}{axis}", *sources, op=f"concatenate{rank}d", axis=axis)
    b.add("Concatenate", "joined", b.source(2), b.source(3), op="concatenate1d", axis=-1)
    for operation in ("add", "multiply", "maximum"):
        b.add("Merge", operation, b.source(3, 4, 2), b.source(3, 4, 2), op=operation)
    b.batchnorm("normal", b.source(3, 4, 2), 24, 2)
    b.batchnorm("normal_vector", b.source(5), 5)
    # A flattened image in a Dense; a residual block; a tensor with three readers.
    b.conv("first", b.source(4, 4, 2), 2, (3, 3), None, "same")
    b.activation("act", "first", "relu")
    b.shapes["act"] = b.shapes["first"]
    b.conv("second", "act", 2, (3, 3), None, "same")
    b.add("Merge", "residual", "second", "act", op="add")
    b.shapes["residual"] = b.shapes["act"]
    b.pool("pooled", "residual", "Max", (2, 2))
    b.add("Reshape", "flat", "pooled", target_shape=[8])
    b.dense("fc", "flat", 8, 3)
    b.dense("fc_again", "flat", 8, 2)
    for name in ("left", "right"):
        b.add("Reshape", f"flat_{name}", b.source(2, 3), target_shape=[6])
    b.add("Concatenate", "joined_flat", "flat_left", "flat_right", op="concatenate1d", axis=-1)
    b.add("Reshape", "reshaped", b.source(4, 6), target_shape=[2, 4, 3])
    b.batchnorm("after", "reshaped", 24, 3)
    b.dense("by_pixel", b.source(3, 4), 4, 2)


def activations(b: Branches) -> None:
    for curve in ("sigmoid", "tanh", "softplus", "softsign", "selu", "relu", "binary_tanh"):
        b.activation(curve, b.source(3, 2, to="fixed<9,4>"), curve)
    b.activation("ternary", b.source(3, 2), "ternary_tanh")
    if b.parallel:
        b.activation("clipped", b.source(3, 2, to="fixed<9,5>"), "relu6")
    for name, function, fields in (
        ("hard", "hard_sigmoid", {"class_name": "HardActivation"}),
        ("harder", "hard_tanh", {"class_name": "HardActivation"}),
        ("leaky", "LeakyReLU", {"class_name": "LeakyReLU", "activ_param": 0.3}),
        ("elu", "ELU", {"class_name": "ELU", "activ_param": 0.7}),
        ("cut", "ThresholdedReLU", {"class_name": "ThresholdedReLU", "activ_param": 1.1}),
        ("prelu", "PReLU", {"class_name": "PReLU", "param_data": b.weights(3, 2)}),
        ("linear", "linear", {}),
    ):
        b.activation(name, b.source(3, 2), function, **fields)
    b.types("linear", result="ufixed<6,3,RND_ZERO,SAT>")
    for implementation in ("stable", "latency", "legacy", "argmax"):
        vector = b.source(4, to="fixed<10,4>")
        b.activation(implementation, vector, "softmax", class_name="Softmax", axis=-1)
        b.settings[implementation] = {"Implementation": implementation}
    for kind, name in (("binary_tanh", "bits"), ("ternary_tanh", "trits")):
        b.batchnorm(f"before_{name}", b.source(3, 2), 6, 2)
        b.activation(name, f"before_{name}", kind)


GROUPS = (convolutions, poolings, moves, activations)
CASES = [(group.__name__, io_type) for io_type in IO_TYPES for group in GROUPS]


def everything(io_type: str) -> Any:
    b = Branches(io_type)
    for group in GROUPS:
        group(b)
    return b.finished()


@pytest.fixture(scope="module", params=IO_TYPES)
def compiled(request: pytest.FixtureRequest) -> tuple[Design, Emulation]:
    """The design of all layers, and the C++, which is kept between runs."""
    graph = everything(request.param)
    design = lower(graph)
    assert request.config.cache is not None
    return design, emulate(graph, request.config.cache.mkdir("lower"), Path(__file__))


def test_golden_is_cpp_at_every_layer(compiled: tuple[Design, Emulation]) -> None:
    untraced = check_layers(*compiled, samples=100)
    inserted = {name for name in untraced if name.startswith(("zp1d_", "zp2d_", "repack_"))}
    assert untraced - inserted <= {*FLAT, "reshaped"}, "a reshape has no C++"


def test_a_saved_design_computes_the_same(
    compiled: tuple[Design, Emulation], tmp_path: Path
) -> None:
    design, _ = compiled
    design.save(tmp_path / "design")
    x = random_inputs(design, 5)
    again = golden.run(Design.load(tmp_path / "design"), x)
    for name, value in golden.run(design, x).items():
        np.testing.assert_array_equal(again[name], value, name)


def kernel_of(design: Design, layer: str) -> Kernel:
    return next(kernel for kernel in design.kernels if kernel.layer == layer)


def test_what_is_asked_of_the_hardware_is_lowered() -> None:
    b = Branches("io_parallel")
    b.conv("conv", b.source(4, 4, 2), 4, (3, 3))
    b.conv("depthwise", b.source(4, 4, 2), 2, (3, 3), class_name="DepthwiseConv")
    b.settings["conv"] = {"Strategy": "Resource", "ReuseFactor": 6, "ParallelizationFactor": 2}
    graph = b.finished()
    node = next(n for n in graph.get_layers() if n.name == "depthwise")
    asked = {"strategy": "resource", "reuse_factor": 9, "multiplier": "dsp", "rom_style": "block"}
    for what, value in {**asked, "ram_style": "distributed"}.items():
        node.set_attr(f"gatewright_{what}", value)
    design = lower(graph)
    conv, depthwise = (kernel_of(design, name) for name in ("conv", "depthwise"))
    assert isinstance(conv, Conv)
    assert isinstance(depthwise, DepthwiseConv)
    assert (conv.strategy, conv.reuse_factor, conv.parallel) == ("resource", 6, 2)
    assert (conv.multiplier, conv.rom_style, conv.ram_style) == ("auto", "auto", "auto")
    assert {what: getattr(depthwise, what) for what in asked} == asked
    assert (depthwise.parallel, depthwise.ram_style) == (1, "distributed")
    assert design.io == "parallel"


def test_indices_of_a_fraction_are_refused() -> None:
    b = Branches("io_parallel")
    table = {"n_in": 4, "n_out": 3, "vocab_size": 4, "embeddings_data": b.weights(4, 3)}
    b.add("Embedding", "e", b.source(4), **table)
    with pytest.raises(
        UnsupportedError,
        match=r"layer 'e': its input, fixed<8,3>, is not an "
        "unsigned",
    ):
        lower(b.finished())
