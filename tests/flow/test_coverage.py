"""Every cell of the table of layers: RTL = golden outputs = hls4ml's C++, or a refusal by name."""

from __future__ import annotations

import json
import re
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from frontend.test_layers import forest
from gatewright.cli.coverage import IO_TYPES, LAYERS, MEASURED, MODES, UNREACHED, cells, markdown
from gatewright.errors import InputError
from gatewright.flow.convert import convert, load_design
from gatewright.flow.verify import verify
from gatewright.kernels.multiplexed import Multiplexed
from gatewright.lower.registry import LOWERINGS
from gatewright.options import ConvertOptions

IMAGE, SEQUENCE = (5, 6, 2), (7, 2)
CELLS = list(cells())


@pytest.fixture(scope="module")
def k():
    return layers_of_keras()


def layers_of_keras():
    """Keras' and QKeras' layers, and quantizers, by name."""
    from gatewright.frontend.quiet import import_keras

    qkeras = import_keras("qkeras")
    keras = sys.modules["tf_keras"]
    from hls4ml.contrib.garnet import GarNet

    def bits(bits=4, integer=0, alpha=1):
        return qkeras.quantized_bits(bits, integer, alpha=alpha)

    return SimpleNamespace(
        **{name: getattr(keras.layers, name) for name in dir(keras.layers) if name[0] != "_"},
        **{name: getattr(qkeras, name) for name in dir(qkeras) if name[0] == "Q"},
        GarNet=partial(GarNet, simplified=True, output_activation=None),
        qkeras=qkeras,
        keras=keras,
        bits=bits,
        kernel={"kernel_quantizer": bits(), "bias_quantizer": bits(6, 1)},
        depthwise={"depthwise_quantizer": bits(), "bias_quantizer": bits(6, 1)},
        both={
            "depthwise_quantizer": bits(),
            "pointwise_quantizer": bits(),
            "bias_quantizer": bits(6, 1),
        },
    )


def _two(k, layer):
    """A layer on two quantized views of a tensor."""
    first = k.QActivation(k.bits(6, 2))
    second = k.QActivation(k.qkeras.quantized_relu(6, 2))
    return lambda x: layer([first(x), second(x)])


def _activation(k, name, shape=(3, 4)):
    return shape, k.Activation(name, name=f"the_{name}")


def _quantizer(k, quantizer, name, shape=(3, 4)):
    return shape, k.QActivation(quantizer, name=f"the_{name}")


def heads(k):
    """By row of the table: an input's shape and the layer, whose name begins with `the_`."""
    merges = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
    poolings = {
        f"{kind}Pooling{rank}D": (
            (9, 2) if rank == 1 else (4, 6, 2),
            getattr(k, f"{kind}Pooling{rank}D")(2, name=f"the_{kind}{rank}"),
        )
        for kind in ("Max", "Average")
        for rank in (1, 2)
    }
    wholes = {
        f"Global{kind}Pooling{rank}D": (
            (8, 2) if rank == 1 else (4, 4, 2),
            getattr(k, f"Global{kind}Pooling{rank}D")(name=f"the_whole_{kind}{rank}"),
        )
        for kind in ("Max", "Average")
        for rank in (1, 2)
    }
    return {
        "Dense": ((6,), k.QDense(4, name="the_dense", **k.kernel)),
        "Dense on the last of 2 axes": ((3, 4), k.QDense(3, name="the_dense2", **k.kernel)),
        "Dense on the last of 3 axes": ((2, 3, 4), k.QDense(3, name="the_dense3", **k.kernel)),
        "Conv1D": ((9, 2), k.QConv1D(4, 3, strides=2, name="the_conv1", **k.kernel)),
        "Conv2D": (IMAGE, k.QConv2D(2, 3, padding="same", name="the_conv2", **k.kernel)),
        "Conv2D of 1 x 1, strided": (
            (5, 5, 4),
            k.QConv2D(2, 1, strides=2, name="the_pointwise", **k.kernel),
        ),
        "QConv2DBatchnorm": (
            IMAGE,
            k.QConv2DBatchnorm(2, 2, name="the_folded", kernel_quantizer=k.bits(),
                               bias_quantizer=k.bits(12, 4)),
        ),
        "DepthwiseConv1D": (SEQUENCE, k.DepthwiseConv1D(2, name="the_depthwise1")),
        "DepthwiseConv2D": (
            IMAGE,
            k.QDepthwiseConv2D(2, name="the_depthwise2", **k.depthwise),
        ),
        "SeparableConv1D": (SEQUENCE, k.QSeparableConv1D(2, 2, name="the_sep1", **k.both)),
        "SeparableConv2D": (IMAGE, k.QSeparableConv2D(2, 2, name="the_sep2", **k.both)),
        "BatchNormalization": ((3, 4), k.BatchNormalization(name="the_norm")),
        "scales of quantizers": (
            (6,),
            k.QDense(4, name="the_scaled", kernel_quantizer=k.bits(alpha="auto"),
                     bias_quantizer=k.bits(6, 1)),
        ),
        **poolings,
        **wholes,
        "MaxPooling2D with padding": (
            IMAGE,
            k.MaxPooling2D(2, padding="same", name="the_padded"),
        ),
        "MaxPooling2D, overlapping": (IMAGE, k.MaxPooling2D(3, 1, name="the_overlapping")),
        "AveragePooling2D with padding": (
            IMAGE,
            k.AveragePooling2D(2, padding="same", name="the_mean"),
        ),
        "AveragePooling2D, overlapping": (IMAGE, k.AveragePooling2D(2, 1, name="the_means")),
        "UpSampling2D, bilinear": (
            (3, 2, 2),
            k.UpSampling2D(2, interpolation="bilinear", name="the_smooth"),
        ),
        "dilated convolutions": (
            IMAGE,
            k.QConv2D(2, 2, dilation_rate=2, groups=1, name="the_dilated", **k.kernel),
        ),
        "RepeatVector": ((3,), k.RepeatVector(4, name="the_repeated")),
        "ZeroPadding1D": (SEQUENCE, k.ZeroPadding1D((1, 2), name="the_pad1")),
        "ZeroPadding2D": (IMAGE, k.ZeroPadding2D(((1, 0), (0, 2)), name="the_pad2")),
        "Cropping1D": (SEQUENCE, k.Cropping1D((1, 2), name="the_crop1")),
        "Cropping2D": (IMAGE, k.Cropping2D(((1, 0), (0, 2)), name="the_crop2")),
        "UpSampling1D": (SEQUENCE, k.UpSampling1D(2, name="the_up1")),
        "UpSampling2D": ((3, 3, 2), k.UpSampling2D((2, 3), name="the_up2")),
        "Embedding": ((5,), k.Embedding(11, 3, name="the_words")),
        "Permute": ((4, 3, 2), k.Permute((2, 1, 3), name="the_turned")),
        "Reshape": (
            (4, 6),
            lambda x: k.QActivation(k.bits(5, 2), name="the_shape_end")(
                k.Reshape((8, 3), name="the_shape")(
                    k.QActivation(k.qkeras.quantized_relu(6, 2))(x)
                )
            ),
        ),
        **{
            name: (
                (3, 4),
                partial(_two(k, getattr(k, name)(name=f"the_{name.lower()}"))),
            )
            for name in merges
        },
        "Dot": ((6,), _two(k, k.Dot(1, name="the_dot"))),
        "Dot of tensors": ((2, 3), _two(k, k.Dot((2, 2), name="the_products"))),
        "relu": _quantizer(k, k.qkeras.quantized_relu(6, 2), "relu"),
        "linear": _quantizer(k, k.bits(6, 2), "linear"),
        **{
            name: _activation(k, name)
            for name in ("sigmoid", "tanh", "softplus", "softsign", "selu", "softmax")
        },
        "elu": ((3, 4), k.ELU(0.5, name="the_elu")),
        "LeakyReLU": ((3, 4), k.LeakyReLU(0.25, name="the_leaky")),
        "ThresholdedReLU": ((3, 4), k.ThresholdedReLU(0.5, name="the_threshold")),
        "PReLU": ((3, 4), k.PReLU(name="the_prelu")),
        "hard_sigmoid": _quantizer(k, k.qkeras.quantized_sigmoid(6), "hard_sigmoid"),
        "hard_tanh": _quantizer(k, k.qkeras.quantized_tanh(6), "hard_tanh"),
        "binary": _quantizer(k, k.qkeras.binary(alpha=1), "binary"),
        "ternary": _quantizer(k, k.qkeras.ternary(alpha=1), "ternary", (6,)),
        "ReLU up to 1 or 6": ((3, 4), k.ReLU(6, name="the_clipped")),
        "ReLU with limit, slope, threshold": (
            (3, 4),
            k.ReLU(2, negative_slope=0.5, threshold=0.25, name="the_bent"),
        ),
        "SimpleRNN": (SEQUENCE, k.SimpleRNN(2, name="the_rnn", return_sequences=True)),
        "EinsumDense": (
            (3, 4),
            k.EinsumDense("abc,cd->abd", output_shape=(3, 3), bias_axes="d", name="the_einsum"),
        ),
        "LSTM": (
            (5, 4),
            k.QLSTM(2, name="the_lstm", activation="tanh", recurrent_activation="sigmoid",
                    return_sequences=True, recurrent_quantizer=k.bits(), **k.kernel),
        ),
        "GRU": ((5, 4), k.GRU(2, name="the_gru")),
        "Bidirectional": ((5, 4), k.Bidirectional(k.LSTM(2, name="the_both"), name="the_both")),
        "TimeDistributed of Conv1D": (
            (3, *SEQUENCE),
            k.TimeDistributed(k.Conv1D(2, 2, name="the_times1"), name="the_times1"),
        ),
        "TimeDistributed of Conv2D": (
            (2, *IMAGE),
            k.TimeDistributed(k.Conv2D(2, 2, name="the_times2"), name="the_times2"),
        ),
        "MultiHeadAttention": (
            SEQUENCE,
            lambda x: k.MultiHeadAttention(1, 2, name="the_attention")(x, x),
        ),
        "LayerNormalization": (SEQUENCE, k.LayerNormalization(name="the_layernorm")),
        "GarNet of hls4ml.contrib": ([(4, 3), (1,)], k.GarNet(2, 2, 3, name="the_garnet")),
        "Conv1DTranspose": (
            (3, 2),
            k.Conv1DTranspose(2, 4, strides=2, padding="same", name="the_transposed1"),
        ),
        "Conv2DTranspose": (
            (2, 2, 2),
            k.Conv2DTranspose(2, 2, strides=(2, 1), name="the_transposed2"),
        ),
        "Lambda": (SEQUENCE, k.Lambda(lambda x: x + 1, name="the_lambda")),
    }  # fmt: skip


def _options(mode, names):
    settings = tuple(
        (f"in{number}.precision.result", "ufixed<4,4>")
        for number, name in enumerate(names)
        if name == "Embedding"
    )
    settings += tuple(
        (f"in{number}_1.precision.result", "ufixed<3,3>")
        for number, name in enumerate(names)
        if name == "GarNet of hls4ml.contrib"
    )
    # hls4ml's inference of types fails for a Dot whose accumulator has none.
    settings += (("the_dot.precision.accum", "fixed<20,10>"),) if "Dot" in names else ()
    return ConvertOptions(
        io=mode.io,
        strategy=mode.strategy,
        reuse_factor=mode.reuse_factor,
        input_precision="fixed<8,3>",
        settings=settings,
    )


#: Tests of every second layer of a mode and a group that `make test` runs; whole tensors are in
#: test_every_layer.py, too.
_FAST = {"stream-latency-reuse4-multiplying-0"}
GROUPS = sorted({(c.mode, c.layer.group) for c in CELLS if not c.refused}, key=str)


@pytest.mark.parametrize(
    ("mode", "group", "half"),
    [
        pytest.param(
            *(mode, group, half),
            id=(name := f"{mode.name}-{group}-{half}"),
            marks=() if name in _FAST else pytest.mark.full,
        )
        for mode, group in GROUPS
        for half in (0, 1)
    ],
)
def test_layers_are_bit_exact(k, mode, group, half, tmp_path, monkeypatch) -> None:
    rows = [
        cell.layer
        for cell in CELLS
        if cell.mode is mode and cell.layer.group == group and not cell.refused
    ][half::2]
    made = heads(k)
    names = [row.name for row in rows]
    model = forest(k.keras, [made[name] for name in names])
    graphs = []
    _note_graphs(monkeypatch, graphs)
    convert(model, None, _options(mode, names), tmp_path, name="forest")
    results = verify(tmp_path, samples=20, fidelity=False).results
    assert results.verification.first_difference is None
    assert results.mismatches == results.emulation_mismatches == 0
    kernels = {kernel.layer: kernel for kernel in load_design(tmp_path).kernels}
    for row, output in zip(rows, model.output_names, strict=True):
        name = output.removesuffix("_end")  # hls4ml drops a reshape that nothing reads
        nodes = [node for node in graphs[-1].get_layers() if _belongs(node.name, name)]
        assert {node.class_name for node in nodes} & set(row.nodes), (row.name, nodes)
        found = [kernels[node.name] for node in nodes if node.name in kernels]
        assert set(row.kernels_in(mode.io)) <= {type(kernel) for kernel in found}, row.name
        if row.multiplies:
            shared = [kernel.reuse > 1 for kernel in found if isinstance(kernel, Multiplexed)]
            assert all(shared) if mode.reuse_factor > 1 else not any(shared), row.name


def _belongs(node, layer):
    """Whether hls4ml made a node, of that name, of a layer."""
    starts = ("", "repack_", "bnbt_", "forward_", "backward_")
    ends = ("", "_depthwise", "_pointwise", "_alpha", "_scale", f"_{layer}")
    return node in {f"{start}{layer}{end}" for start in starts for end in ends}


def _note_graphs(monkeypatch, graphs):
    from gatewright import frontend

    made = frontend.convert

    def noted(*arguments, **options):
        graphs.append(made(*arguments, **options))
        return graphs[-1]

    monkeypatch.setattr(frontend, "convert", noted)


@pytest.mark.parametrize(
    "cell",
    [pytest.param(c, id=f"{c.mode.io}-{c.layer.name}") for c in CELLS if c.refused],
)
def test_refused_layers(k, cell, tmp_path) -> None:
    model = forest(k.keras, [heads(k)[cell.layer.name]])
    with pytest.raises(InputError, match=re.escape(cell.refused)) as caught:
        convert(model, None, _options(cell.mode, [cell.layer.name]), tmp_path / "project")
    assert "'the_" in str(caught.value)


def test_every_row_has_its_test(k) -> None:
    assert list(heads(k)) and set(heads(k)) == {layer.name for layer in LAYERS}
    assert {cell.mode for cell in CELLS} == set(MODES)


@pytest.mark.parametrize("io", IO_TYPES)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[] if n == "RepeatVector" else pytest.mark.full)
        for n in (layer.name for layer in LAYERS)
    ],
)
def test_what_hls4ml_does_by_itself(k, name, io) -> None:
    """The column is what was measured; a newer hls4ml may do more."""
    from flow.hls4ml_alone import alone

    measured = json.loads(MEASURED.read_text())
    assert measured["hls4ml"] == version("hls4ml"), "type 'python tests/flow/hls4ml_alone.py'"
    assert set(measured["layers"]) == {layer.name for layer in LAYERS}
    assert alone(k, name, io) == measured["layers"][name][io]


def test_every_lowering_is_in_the_table() -> None:
    known = {node for layer in LAYERS for node in layer.nodes}
    assert known | UNREACHED == set(LOWERINGS)
    assert not known & UNREACHED


def test_the_page_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "layers.md"
    assert page.read_text() == markdown(), "type 'make layers'"
