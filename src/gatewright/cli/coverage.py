"""Which layers are supported, in which io types and strategies, and which test shows each."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright import kernels
from gatewright.kernels import Kernel
from gatewright.kernels.multiplexed import Multiplexed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.table import Table

IO_TYPES = ("parallel", "stream")

_HEAD = """\
# Layers

Which layers of Keras and QKeras are supported, in which io types and strategies. Each "yes" is a
test that converts a model with the layer through hls4ml and finds the RTL, the golden outputs and
hls4ml's compiled C++ equal, word for word; each "no" is a test that the layer is refused, by name
and with that reason. The tests run through the same table, which `src/gatewright/cli/coverage.py`
holds; `make layers` writes this page, `gatewright layers` shows it. Layers named together become
the same node of hls4ml's graph. Limits that depend on parameters of a layer are in
[limits.md](limits.md).

The last column is what hls4ml 1.3 does with the same models by itself, with its own defaults
(`fixed<16,6>`, Vitis backend): "yes" if its C++ compiles and gives what Keras does, within 0.1;
"other values" if it compiles and does not; "no" if it does not convert or compile. It was measured
by `tests/flow/hls4ml_alone.py`.
"""

#: What hls4ml does with each layer by itself, measured by tests/flow/hls4ml_alone.py.
MEASURED = Path(__file__).with_name("hls4ml.json")

#: The file of the tests.
_TESTS = "tests/flow/test_coverage.py"


@dataclass(frozen=True)
class Layer:
    """A layer of Keras or QKeras.

    Attributes:
        name: name of the layer, or of its kind.
        nodes: hls4ml's class names of the nodes that it becomes.
        kernels: classes of the kernels that these become.
        also: other layers that become the same nodes.
        group: group of test models that it belongs to.
        refused: reason why it is refused, by io type; part of the message.
        streams: classes of the kernels in io_stream, if they are others.
    """

    name: str
    nodes: tuple[str, ...]
    kernels: tuple[type[Kernel], ...]
    also: tuple[str, ...] = ()
    group: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
    streams: tuple[type[Kernel], ...] = ()

    def kernels_in(self, io: str) -> tuple[type[Kernel], ...]:
        """Classes of the kernels that the layer becomes in an io type."""
        return self.streams or self.kernels if io == "stream" else self.kernels

    @property
    def multiplies(self) -> bool:
        """Whether it multiplies by weights, so that strategies and reuse factors apply."""
        return any(issubclass(kernel, Multiplexed) for kernel in self.kernels)

    @property
    def alone(self) -> str:
        """What hls4ml does with it by itself, in words."""
        found = _measured()["layers"][self.name]
        if len(set(found.values())) == 1:
            return str(found[IO_TYPES[0]])
        return ", ".join(f"{found[io]} in io_{io}" for io in IO_TYPES)

    @property
    def node_text(self) -> str:
        """hls4ml's class names in one line."""
        return ", ".join(self.nodes) or "-"

    @property
    def kernel_text(self) -> str:
        """The kernels' names in one line."""
        classes = dict.fromkeys((*self.kernels, *self.streams))
        return ", ".join(kernel.__name__ for kernel in classes) or "-"


@dataclass(frozen=True)
class Mode:
    """A column of the table: how layers are built.

    Attributes:
        io: io type.
        strategy: hls4ml's strategy.
        reuse_factor: requested reuse factor.
    """

    io: str
    strategy: str = "latency"
    reuse_factor: int = 1

    @property
    def name(self) -> str:
        """The identifier of the column."""
        shared = f"-reuse{self.reuse_factor}" if self.reuse_factor > 1 else ""
        return f"{self.io}-{self.strategy}{shared}"

    @property
    def title(self) -> str:
        """The column's heading."""
        shared = ", reuse factor > 1" if self.reuse_factor > 1 else ""
        return f"`io_{self.io}`, {self.strategy.replace('_', ' ')}{shared}"


#: Columns. Layers that do not multiply are the same in all columns of an io type.
MODES = tuple(
    Mode(io, strategy, reuse)
    for io in IO_TYPES
    for strategy, reuse in (
        ("latency", 1),
        ("latency", 4),
        ("resource", 1),
        ("resource", 4),
        ("distributed_arithmetic", 1),
    )
)


@dataclass(frozen=True)
class Cell:
    """A layer in a mode: whether it is supported, and the test that shows it.

    Attributes:
        layer: the row.
        mode: the column.
        refused: why it is refused; "" if it is not.
        test: pytest's id of the test.
    """

    layer: Layer
    mode: Mode
    refused: str
    test: str


_K = kernels

#: Node classes of hls4ml with a lowering that no Keras layer of the table becomes.
UNREACHED = frozenset({"Conv2DBatchnorm", "FixedPointQuantizer", "UnaryLUT"})

#: Rows. Limits that depend on a layer's parameters are in docs/limits.md.
LAYERS = (
    *(
        Layer(name, nodes, classes, also, "multiplying")
        for name, nodes, classes, also in (
            ("Dense", ("Dense",), (_K.Dense,), ("QDense",)),
            (
                "Dense on the last of 2 axes",
                ("PointwiseConv1D",),
                (_K.Dense,),
                ("QDense", "TimeDistributed"),
            ),
            ("Dense on the last of 3 axes", ("PointwiseConv2D",), (_K.Dense,), ("QDense",)),
            ("Conv1D", ("Conv1D",), (_K.Conv,), ("QConv1D",)),
            ("Conv2D", ("Conv2D",), (_K.Conv,), ("QConv2D",)),
            ("Conv2D of 1 x 1, strided", ("PointwiseConv2D",), (_K.Conv,), ("QConv2D",)),
            ("QConv2DBatchnorm", ("Conv2D",), (_K.Conv,), ()),
            ("DepthwiseConv1D", ("DepthwiseConv1D",), (_K.DepthwiseConv,), ()),
            ("DepthwiseConv2D", ("DepthwiseConv2D",), (_K.DepthwiseConv,), ("QDepthwiseConv2D",)),
            (
                "SeparableConv1D",
                ("DepthwiseConv1D", "PointwiseConv1D"),
                (_K.DepthwiseConv, _K.Dense),
                ("QSeparableConv1D",),
            ),
            (
                "SeparableConv2D",
                ("DepthwiseConv2D", "PointwiseConv2D"),
                (_K.DepthwiseConv, _K.Dense),
                ("QSeparableConv2D",),
            ),
            (
                "BatchNormalization",
                ("BatchNormalization",),
                (_K.BatchNorm,),
                ("QBatchNormalization",),
            ),
            ("scales of quantizers", ("ApplyAlpha",), (_K.BatchNorm,), ("alpha='auto'",)),
            ("Conv1DTranspose", ("Conv1D",), (_K.Conv,), ()),
            ("Conv2DTranspose", ("Conv2D",), (_K.Conv,), ("QConv2DTranspose",)),
            ("EinsumDense", ("PointwiseConv1D",), (_K.Dense,), ("HGQ2's QEinsumDense",)),
            ("SimpleRNN", ("GRU",), (_K.SimpleRnn,), ("QSimpleRNN",)),
            ("LSTM", ("LSTM",), (_K.Lstm,), ("QLSTM",)),
            ("GRU", ("GRU",), (_K.Gru,), ("QGRU",)),
            ("Bidirectional", ("LSTM", "Concatenate"), (_K.Lstm, _K.Concatenate), ()),
            ("TimeDistributed of Conv1D", ("Conv2D",), (_K.Conv,), ()),
            ("TimeDistributed of Conv2D", ("Conv2D",), (_K.Conv,), ()),
        )
    ),
    *(
        Layer(name, (node,), (kernel,), (), "images")
        for name, node, kernel in (
            ("MaxPooling1D", "Pooling1D", _K.Pooling),
            ("MaxPooling2D", "Pooling2D", _K.Pooling),
            ("AveragePooling1D", "Pooling1D", _K.Pooling),
            ("AveragePooling2D", "Pooling2D", _K.Pooling),
            ("GlobalMaxPooling1D", "GlobalPooling1D", _K.GlobalPooling),
            ("GlobalMaxPooling2D", "GlobalPooling2D", _K.GlobalPooling),
            ("GlobalAveragePooling1D", "GlobalPooling1D", _K.GlobalPooling),
            ("GlobalAveragePooling2D", "GlobalPooling2D", _K.GlobalPooling),
            ("ZeroPadding1D", "ZeroPadding1D", _K.ZeroPadding),
            ("ZeroPadding2D", "ZeroPadding2D", _K.ZeroPadding),
            ("Cropping1D", "Cropping1D", _K.Cropping),
            ("Cropping2D", "Cropping2D", _K.Cropping),
            ("UpSampling1D", "Resize", _K.UpSampling),
            ("UpSampling2D", "Resize", _K.UpSampling),
        )
    ),
    Layer("MaxPooling2D with padding", ("Pooling2D",), (_K.Pooling,), (), "images"),
    Layer(
        "MaxPooling2D, overlapping",
        ("Pooling2D", "Merge"),
        (_K.Pooling,),
        (),
        "images",
        streams=(_K.Merge,),
    ),
    Layer(
        "AveragePooling2D with padding",
        ("Pooling2D", "Concatenate"),
        (_K.Pooling,),
        (),
        "images",
        streams=(_K.Concatenate,),
    ),
    Layer(
        "AveragePooling2D, overlapping",
        ("Pooling2D", "DepthwiseConv2D"),
        (_K.Pooling,),
        (),
        "images",
        streams=(_K.DepthwiseConv,),
    ),
    Layer("UpSampling2D, bilinear", ("DepthwiseConv2D",), (_K.DepthwiseConv,), (), "images"),
    Layer(
        "dilated convolutions", ("Conv2D",), (_K.Conv,), ("groups", "depth_multiplier"), "images"
    ),
    *(
        Layer(name, (node,), (kernel,), (), "tensors")
        for name, node, kernel in (
            ("Embedding", "Embedding", _K.Embedding),
            ("Permute", "Transpose", _K.Transpose),
            ("Concatenate", "Concatenate", _K.Concatenate),
            ("Add", "Merge", _K.Merge),
            ("Subtract", "Merge", _K.Merge),
            ("Multiply", "Merge", _K.Merge),
            ("Average", "Merge", _K.Merge),
            ("Maximum", "Merge", _K.Merge),
            ("Minimum", "Merge", _K.Merge),
        )
    ),
    Layer("Reshape", ("Reshape", "Repack"), (_K.Reshape,), ("Flatten",), "tensors"),
    Layer("RepeatVector", ("Resize",), (_K.UpSampling,), (), "tensors"),
    Layer(
        "Dot",
        ("Dot",),
        (_K.Dot,),
        (),
        "tensors",
        {"stream": "hls4ml has no C++ for it in io_stream"},
    ),
    Layer(
        "MultiHeadAttention",
        ("PointwiseConv1D", "Einsum", "Softmax"),
        (_K.Dense,),
        (),
        "multiplying",
        {"stream": "hls4ml has no C++ for it in io_stream"},
    ),
    Layer(
        "Dot of tensors",
        ("Einsum",),
        (_K.Einsum,),
        (),
        "tensors",
        {"stream": "hls4ml has no C++ for it in io_stream"},
    ),
    Layer(
        "LayerNormalization",
        ("LayerNormalization",),
        (_K.LayerNorm,),
        (),
        "tensors",
    ),
    Layer(
        "GarNet of hls4ml.contrib",
        ("GarNet",),
        (_K.GarNet,),
        ("GarNetStack",),
        "tensors",
        {"stream": "hls4ml has no C++ for it in io_stream"},
    ),
    *(
        Layer(name, (node,), (kernel,), also, "activations")
        for name, node, kernel, also in (
            ("relu", "Activation", _K.Relu, ("ReLU", "quantized_relu")),
            ("linear", "Activation", _K.Linear, ("quantized_bits",)),
            ("sigmoid", "Activation", _K.Lookup, ()),
            ("tanh", "Activation", _K.Lookup, ()),
            ("softplus", "Activation", _K.Lookup, ()),
            ("softsign", "Activation", _K.Lookup, ()),
            ("selu", "Activation", _K.Selu, ()),
            ("softmax", "Softmax", _K.Softmax, ("Softmax",)),
            ("elu", "ParametrizedActivation", _K.Elu, ("ELU",)),
            ("LeakyReLU", "ParametrizedActivation", _K.LeakyRelu, ()),
            ("ThresholdedReLU", "ParametrizedActivation", _K.ThresholdedRelu, ()),
            ("PReLU", "PReLU", _K.LeakyRelu, ()),
            ("hard_sigmoid", "HardActivation", _K.HardSigmoid, ("quantized_sigmoid",)),
            ("hard_tanh", "HardActivation", _K.HardTanh, ("quantized_tanh",)),
            ("binary", "Activation", _K.BinaryTanh, ("binary_tanh",)),
            ("ternary", "BatchNormalizationQuantizedTanh", _K.Thresholds, ()),
        )
    ),
    Layer(
        "ReLU up to 1 or 6",
        ("Activation",),
        (_K.ClippedRelu,),
        ("relu1", "relu6"),
        "activations",
        streams=(_K.Relu,),
    ),
    Layer(
        "ReLU with limit, slope, threshold",
        ("ParametrizedActivation",),
        (_K.ThresholdedRelu,),
        (),
        "activations",
    ),
    *(
        Layer(name, (), (), (), "", dict.fromkeys(IO_TYPES, reason))
        for name, reason in (("Lambda", "carries code"),)
    ),
)


@functools.cache
def _measured() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(MEASURED.read_text("utf-8"))
    return found


def cells() -> Iterator[Cell]:
    """Every cell of the table; one per io type for layers that do not multiply."""
    for layer in LAYERS:
        for mode in MODES:
            if not layer.multiplies and mode.name != f"{mode.io}-latency":
                continue
            refused = layer.refused.get(mode.io, "")
            test = (
                f"test_refused_layers[{mode.io}-{layer.name}]"
                if refused
                else f"test_layers_are_bit_exact[{mode.name}-{layer.group}]"
            )
            yield Cell(layer, mode, refused, f"{_TESTS}::{test}")


def markdown() -> str:
    """The table as the page docs/layers.md."""
    lines = [_HEAD]
    for multiplies in (True, False):
        modes = [m for m in MODES if multiplies or m.name == f"{m.io}-latency"]
        heads = [m.title if multiplies else f"`io_{m.io}`" for m in modes]
        lines += [
            "## Layers that multiply by weights\n" if multiplies else "## Other layers\n",
            f"| layer | hls4ml's node | kernel | {' | '.join(heads)} | hls4ml alone |",
            f"|---|---|---|{'---|' * len(modes)}---|",
        ]
        tests: dict[str, None] = {}
        for layer in LAYERS:
            if layer.multiplies != multiplies:
                continue
            row = [cell for cell in cells() if cell.layer is layer]
            marks = [f"no: {cell.refused}" if cell.refused else "yes" for cell in row]
            tests |= dict.fromkeys(cell.test for cell in row)
            names = ", ".join(
                f"`{name}`" if name.isidentifier() else name for name in (layer.name, *layer.also)
            )
            lines.append(
                f"| {names} | {layer.node_text} | {layer.kernel_text} | {' | '.join(marks)} | "
                f"{layer.alone} |"
            )
        lines += ["", "Tests, each in `tests/flow/test_coverage.py`:", ""]
        lines += [f"- `{test.partition('::')[2]}`" for test in tests]
        lines.append("")
    return "\n".join(lines)


def as_json() -> list[dict[str, object]]:
    """The cells as plain data."""
    return [
        {
            "layer": cell.layer.name,
            "also": cell.layer.also,
            "hls4ml": cell.layer.nodes,
            "kernels": [kernel.__name__ for kernel in cell.layer.kernels],
            "io": cell.mode.io,
            "strategy": cell.mode.strategy if cell.layer.multiplies else None,
            "reuse_factor": cell.mode.reuse_factor if cell.layer.multiplies else None,
            "refused": cell.refused or None,
            "test": cell.test,
            "hls4ml_alone": _measured()["layers"][cell.layer.name][cell.mode.io],
        }
        for cell in cells()
    ]


def table() -> Table:
    """The table for a terminal: a row per layer, a column per io type."""
    from rich.table import Table

    columns = (*(f"io_{io}" for io in IO_TYPES), "hls4ml alone")
    shown = Table("layer", "hls4ml", "kernel", *columns)
    for layer in LAYERS:
        row = [cell for cell in cells() if cell.layer is layer]
        marks = []
        for io in IO_TYPES:
            there = [cell for cell in row if cell.mode.io == io]
            reasons = {cell.refused for cell in there} - {""}
            built = dict.fromkeys(c.mode.strategy.replace("_", " ") for c in there)
            yes = f"{', '.join(built)}; reuse factors" if layer.multiplies else "yes"
            marks.append(f"no: {reasons.pop()}" if reasons else yes)
        names = ", ".join((layer.name, *layer.also))
        shown.add_row(names, layer.node_text, layer.kernel_text, *marks, layer.alone)
    return shown
