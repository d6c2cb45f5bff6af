"""hls4ml graphs made layer by layer, so that tests of what follows need no Keras."""

from __future__ import annotations

import hashlib
import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.design import golden
from gatewright.fixed import to_float

if TYPE_CHECKING:
    from gatewright.design.dataflow import Design
    from gatewright.emulation import Emulation


class GraphBuilder:
    """Layers in the form in which hls4ml's parsers hand them to its ModelGraph."""

    def __init__(self, seed: int = 0) -> None:
        self.layers: list[dict[str, Any]] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.rng = np.random.default_rng(seed)

    def weights(self, *shape: int) -> np.ndarray:
        """Values on no grid, as of a model trained in floats."""
        return np.round(self.rng.normal(0, 0.7, shape), 5)

    def add(self, class_name: str, name: str, *inputs: str, **fields: Any) -> str:
        layer = {"class_name": class_name, "name": name, "inputs": list(inputs)}
        self.layers.append({**layer, **fields})
        return name

    def input(self, name: str, *shape: int) -> str:
        self.shapes[name] = shape
        form = {"input_shape": list(shape), "data_format": "channels_last"}
        return self.add("InputLayer", name, "input", **form)

    def dense(self, name: str, source: str, n_in: int, n_out: int, **fields: Any) -> str:
        class_name = fields.pop("class_name", "Dense")
        defaults = {
            "weight_data": self.weights(n_in, n_out),
            "bias_data": self.weights(n_out),
            "use_bias": True,
        }
        return self.add(class_name, name, source, n_in=n_in, n_out=n_out, **(defaults | fields))

    def batchnorm(self, name: str, source: str, n_in: int, n_filt: int = -1) -> str:
        entries = n_in if n_filt == -1 else n_filt
        return self.add(
            "BatchNormalization",
            name,
            source,
            n_in=n_in,
            n_out=n_in,
            n_filt=n_filt,
            use_gamma=True,
            use_beta=True,
            gamma_data=1 + self.rng.random(entries),
            beta_data=self.weights(entries),
            mean_data=self.weights(entries),
            variance_data=0.5 + self.rng.random(entries),
            epsilon=1e-3,
        )

    def activation(self, name: str, source: str, function: str, **fields: Any) -> str:
        class_name = fields.pop("class_name", "Activation")
        return self.add(class_name, name, source, activation=function, **fields)

    def conv(
        self,
        name: str,
        source: str,
        filters: int,
        window: tuple[int, ...],
        strides: tuple[int, ...] | None = None,
        padding: str = "valid",
        **fields: Any,
    ) -> str:
        """A convolution of an image or a sequence; `class_name` without its rank."""
        *pixels, channels = self.shapes[source]
        kind = fields.pop("class_name", "Conv")
        form, out = _sliding(pixels, window, strides or (1,) * len(window), padding, "filt")
        if kind == "Conv":
            form["weight_data"] = self.weights(*window, channels, filters)
        else:
            depth = fields.get("depth_multiplier", 1)
            form["depth_multiplier"] = depth
            form["depthwise_data"] = self.weights(*window, channels, depth)
            form["depthwise_quantizer"] = None
        if kind == "SeparableConv":
            ones = (1,) * len(window)
            form["pointwise_data"] = self.weights(*ones, channels * depth, filters)
            form["pointwise_quantizer"] = None
        form |= {"n_chan": channels, "n_filt": filters, "bias_data": self.weights(filters)}
        self.shapes[name] = (*out, filters)
        return self.image(f"{kind}{len(out)}D", name, source, **(form | fields))

    def pool(
        self,
        name: str,
        source: str,
        kind: str,
        window: tuple[int, ...],
        strides: tuple[int, ...] | None = None,
        padding: str = "valid",
        **fields: Any,
    ) -> str:
        """Pooling of the kind Max or Average."""
        *pixels, channels = self.shapes[source]
        form, out = _sliding(pixels, window, strides or window, padding, "pool")
        self.shapes[name] = (*out, channels)
        form |= {"n_filt": channels, "n_in": pixels[-1], "n_out": out[-1]}
        return self.image(f"{kind}Pooling{len(out)}D", name, source, **(form | fields))

    def recurrent(self, name: str, source: str, kind: str, units: int, **fields: Any) -> str:
        """An LSTM or a GRU."""
        steps, n_in = self.shapes[source]
        width = {"LSTM": 4, "GRU": 3}[kind] * units
        form = {
            "n_timesteps": steps, "n_in": n_in, "n_out": units,
            "activation": "tanh", "recurrent_activation": "sigmoid", "direction": "forward",
            "return_sequences": False, "return_state": False, "time_major": False,
            "weight_data": self.weights(n_in, width),
            "recurrent_weight_data": self.weights(units, width),
            "bias_data": self.weights(width),
        }  # fmt: skip
        if kind == "GRU":
            form |= {"recurrent_bias_data": self.weights(width), "apply_reset_gate": "after"}
        self.shapes[name] = (steps, units) if fields.get("return_sequences") else (units,)
        return self.add(kind, name, source, **(form | fields))

    def garnet(self, name: str, source: str, count: str, **fields: Any) -> str:
        """A GarNet of three aggregators and two results."""
        vertices, n_in = self.shapes[source]
        shapes = {"FLR": (n_in, 2), "S": (n_in, 3), "Fout": (6, 2)}
        form = {
            "n_vertices": vertices, "n_in_features": n_in,
            "n_aggregators": 3, "n_propagate": 2, "n_out_features": 2,
            "collapse": None, "mean_by_nvert": False, "input_format": "xn",
            **{f"{what}_kernel_data": self.weights(*shape) for what, shape in shapes.items()},
            **{f"{what}_bias_data": self.weights(shape[1]) for what, shape in shapes.items()},
        }  # fmt: skip
        self.shapes[name] = (2,) if fields.get("collapse") else (vertices, 2)
        return self.add("GarNet", name, source, count, **(form | fields))

    def global_pool(self, name: str, source: str, kind: str) -> str:
        """Pooling of all pixels, of the kind Max or Average."""
        *pixels, channels = self.shapes[source]
        self.shapes[name] = (channels,)
        form = dict(zip(("in_width", "in_height"), reversed(pixels), strict=False))
        form |= {"n_filt": channels, "n_in": pixels[-1]}
        return self.image(f"Global{kind}Pooling{len(pixels)}D", name, source, **form)

    def border(self, name: str, source: str, kind: str, *sides: int) -> str:
        """ZeroPadding or Cropping by (left, right) or (top, bottom, left, right)."""
        *pixels, channels = self.shapes[source]
        what, sign = {"ZeroPadding": ("pad", 1), "Cropping": ("crop", -1)}[kind]
        out = [n + sign * sum(sides[2 * i : 2 * i + 2]) for i, n in enumerate(pixels)]
        self.shapes[name] = (*out, channels)
        form = _sizes(pixels, out) | {"n_chan": channels}
        names = ("top", "bottom", "left", "right")[4 - len(sides) :]
        form |= {f"{what}_{side}": n for side, n in zip(names, sides, strict=True)}
        return self.image(f"{kind}{len(out)}D", name, source, **form)

    def upsample(self, name: str, source: str, *factors: int) -> str:
        *pixels, channels = self.shapes[source]
        out = [n * factor for n, factor in zip(pixels, factors, strict=True)]
        self.shapes[name] = (*out, channels)
        form = {"in_height": 1, "out_height": 1, **_sizes(pixels, out), "n_chan": channels}
        return self.image(f"UpSampling{len(out)}D", name, source, algorithm="nearest", **form)

    def image(self, class_name: str, name: str, source: str, **fields: Any) -> str:
        """A layer of images whose fields are given."""
        return self.add(class_name, name, source, data_format="channels_last", **fields)

    def graph(
        self,
        outputs: list[str],
        *,
        settings: dict[str, dict[str, Any]] | None = None,
        io_type: str = "io_parallel",
        precision: str = "fixed<12,5>",
        reuse_factor: int = 1,
    ) -> Any:
        """hls4ml's ModelGraph, the flow of its Vitis backend applied.

        Args:
            outputs: names of the output layers.
            settings: per layer, hls4ml's configuration beside the result's type.
            io_type: hls4ml's.
            precision: the result's type of every layer.
            reuse_factor: the model's.
        """
        from hls4ml.model import ModelGraph
        from hls4ml.utils.config import create_config

        config = create_config(
            output_dir="unused",
            project_name="model",
            backend="Vitis",
            part="xcvu13p-flga2577-2-e",
            clock_period=5,
            io_type=io_type,
        )
        model = {"default": "fixed<16,6>"}
        names: dict[str, Any] = {}
        for layer in self.layers:
            own = dict((settings or {}).get(layer["name"], {}))
            types = {"result": precision, **own.pop("Precision", {})}
            names[layer["name"]] = {"Trace": True, "Precision": types, **own}
        config["TraceOutput"] = True
        config["HLSConfig"] = {
            "Model": {"Precision": model, "ReuseFactor": reuse_factor, "Strategy": "Latency"},
            "LayerName": names,
        }
        inputs = [la["name"] for la in self.layers if la["class_name"] == "InputLayer"]
        return ModelGraph.from_layer_list(config, self.layers, inputs, outputs)


class Branches(GraphBuilder):
    """Layers that each have an input of their own, with types as varied as they may be."""

    def __init__(self, io_type: str) -> None:
        super().__init__()
        self.io_type = io_type
        self.settings: dict[str, dict[str, Any]] = {}

    @property
    def parallel(self) -> bool:
        return self.io_type == "io_parallel"

    def source(self, *shape: int, to: str = "fixed<8,3>") -> str:
        name = self.input(f"x{len(self.layers)}", *shape)
        self.settings[name] = {"Precision": {"result": to}}
        return name

    def types(self, name: str, **precision: str) -> str:
        self.settings.setdefault(name, {}).setdefault("Precision", {}).update(precision)
        return name

    def finished(self) -> Any:
        read = {source for layer in self.layers for source in layer["inputs"]}
        outputs = [layer["name"] for layer in self.layers if layer["name"] not in read]
        return self.graph(outputs, settings=self.settings, io_type=self.io_type)


def _sizes(pixels: list[int], out: list[int]) -> dict[str, int]:
    found = {}
    for axis, size, to in zip(("width", "height"), reversed(pixels), reversed(out), strict=False):
        found |= {f"in_{axis}": size, f"out_{axis}": to}
    return found


def _sliding(
    pixels: list[int],
    window: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
    what: str,
) -> tuple[dict[str, Any], list[int]]:
    """The fields of a layer that slides a window, and the pixels that it puts out."""
    from hls4ml.converters.utils import compute_padding_1d

    form: dict[str, Any] = {}
    out: list[int] = []
    sides = (("height", "top", "bottom"), ("width", "left", "right"))[2 - len(pixels) :]
    for (axis, first, last), size, n, stride in zip(sides, pixels, window, strides, strict=True):
        to, before, after = compute_padding_1d(padding, size, stride, n)
        form |= {f"{what}_{axis}": n, f"stride_{axis}": stride}
        form |= {f"pad_{first}": before, f"pad_{last}": after}
        out.append(to)
    return form | _sizes(pixels, out), out


def emulate(graph: Any, cache: Path, *sources: Path) -> Emulation:
    """The compiled C++ of a graph, kept in a directory under the digest of what made it."""
    from gatewright.emulation import Emulation, mended_headers
    from gatewright.frontend import write_hls

    texts = [
        path.read_bytes() for path in (*sources, Path(__file__), Path(mended_headers.__file__))
    ]
    io_type = graph.config.get_config_value("IOType")
    digest = hashlib.sha256(b"".join([*texts, f"{version('hls4ml')} {io_type}".encode()]))
    directory = cache / digest.hexdigest()[:16]
    if not directory.exists():
        scratch = directory.with_suffix(f".{os.getpid()}")
        write_hls(graph, scratch)
        try:
            scratch.rename(directory)
        except OSError:  # another process was faster
            shutil.rmtree(scratch)
    return Emulation(directory)


def random_inputs(design: Design, samples: int = 400) -> list[np.ndarray]:
    """Raw values of all magnitudes for every input of a design."""
    rng = np.random.default_rng(1)
    return [
        rng.integers(x.type.min, x.type.max + 1, (samples, *x.shape))
        >> rng.integers(0, x.type.width, (samples, *x.shape))
        for x in design.inputs
    ]


def check_layers(design: Design, emulation: Emulation, samples: int = 400) -> set[str]:
    """Golden outputs are the C++'s at every layer; the names of those that have no C++."""
    x = random_inputs(design, samples)
    found = golden.run(design, x)
    floats = [to_float(v, t.type.frac) for v, t in zip(x, design.inputs, strict=True)]
    outputs, traced = emulation.trace(floats)
    for kernel in design.kernels:
        if kernel.layer in traced:
            raw = found[kernel.output.name].astype(float)
            expected = np.ldexp(traced[kernel.layer], kernel.output.type.frac)
            np.testing.assert_array_equal(raw, expected.reshape(raw.shape), kernel.layer)
            assert len(np.unique(raw)) > 1, kernel.layer
    for tensor, output in zip(design.outputs, outputs, strict=True):
        value = to_float(found[tensor.name], tensor.type.frac)
        np.testing.assert_array_equal(value, output.reshape(value.shape), tensor.name)
    return {kernel.layer for kernel in design.kernels} - set(traced)
