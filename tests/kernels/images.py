"""Layers that work on images, and the calls of their C++ in both io types."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from checks import check_circuit
from judge import Array, Call, Judge

from gatewright.fixed import FixedType, Overflow, Rounding
from gatewright.kernels.windowed import Windowed, image_shape

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.kernels import Kernel

_COMMON = ("dense", "dense_stream", "pooling", "pooling_stream", "padding", "padding_stream")
_MORE = ("cropping", "cropping_stream", "image", "image_stream", "embed", "embed_stream")
_CONV = ("conv{}", "conv{}_stream", "sepconv{}", "sepconv{}_stream")


def headers(rank: int) -> list[str]:
    """The headers of all functions of a rank; depthwise ones of both ranks can't be joined."""
    names = (*_COMMON, *(name.format(f"{rank}d") for name in _CONV), *_MORE)
    return [f"nnet_utils/nnet_{name}.h" for name in names]


@dataclass(frozen=True)
class Trial:
    """A kernel and the C++ call that it is held against; `constants` are the call's x1, x2, ..."""

    kernel: Kernel
    call: Call
    constants: tuple[np.ndarray, ...] = ()


class Trials:
    """Trials compiled into one judge."""

    def __init__(self, trials: list[Trial], cache_directory: Path, rank: int = 2) -> None:
        self.trials = trials
        calls = [trial.call for trial in trials]
        self.judge = Judge(calls, cache_directory, headers(rank))

    def check(self, index: int, samples: int = 60) -> None:
        """Golden outputs are the C++'s, and the circuit's are golden."""
        trial = self.trials[index]
        kernel = trial.kernel
        x = random_images(kernel, samples, index)
        constants = (np.broadcast_to(c.ravel(), (len(x), c.size)) for c in trial.constants)
        expected = self.judge(index, x, *constants)
        golden = kernel.golden(x)
        assert golden.shape == (len(x), *kernel.output.shape)
        np.testing.assert_array_equal(golden.reshape(expected.shape), expected, repr(kernel))
        check_circuit(kernel, x)


class Draw:
    """Random types, shapes and values."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, *options: Any) -> Any:
        return options[self.rng.integers(len(options))]

    def size(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def type(self, low: int = 2, high: int = 8, overflow: Overflow | None = None) -> FixedType:
        width = self.size(low, high)
        rounding, overflows = list(Rounding), list(Overflow)
        return FixedType(
            width,
            self.size(-1, width + 1),
            bool(self.rng.integers(2)),
            rounding[self.rng.integers(len(rounding))],
            overflow or overflows[self.rng.integers(len(overflows))],
        )

    def raw(self, to: FixedType, *shape: int) -> np.ndarray:
        """Of all magnitudes, some of them zero."""
        found = self.rng.integers(to.lowest, to.max + 1, shape)
        found >>= self.rng.integers(0, to.width, shape)
        return np.where(self.rng.random(shape) < 0.3, 0, found)


def random_images(kernel: Kernel, samples: int, seed: int) -> np.ndarray:
    """Raw values of all magnitudes that a cast can give, among them the least and the greatest."""
    rng = np.random.default_rng(seed)
    (source,) = kernel.inputs
    shape, to = (samples, *source.shape), source.type
    found = rng.integers(to.min, to.max + 1, shape) >> rng.integers(0, to.width, shape)
    found = np.where(rng.random(shape) < 0.1, to.max, found)
    return np.maximum(np.where(rng.random(shape) < 0.1, to.min, found), to.lowest)


def ports(kernel: Kernel, *constants: Array) -> tuple[tuple[Array, ...], Array]:
    """Inputs and output of a call."""
    (source,) = kernel.inputs
    return (
        (Array(source.type, source.size), *constants),
        Array(kernel.output.type, kernel.output.size),
    )


def struct(name: str, base: str, *declarations: str, **constants: int) -> str:
    """A C++ configuration."""
    numbers = [f"static const unsigned {key} = {value};" for key, value in constants.items()]
    return f"struct {name} : {base} {{ {' '.join([*numbers, *declarations])} }};"


def streamed(function: str, kernel: Kernel, arguments: str = "") -> str:
    """Statements that take x0, a pixel a beat, through a function of streams into y."""
    (source,), to = kernel.inputs, kernel.output
    n_in, n_out = source.shape[-1], to.shape[-1]
    return (
        f"typedef nnet::array<X0, {n_in}> In; typedef nnet::array<Y, {n_out}> Out; "
        f"hls::stream<In> from; hls::stream<Out> to; "
        f"for (int i = 0; i < {source.size // n_in}; i++) {{ In p; "
        f"for (int j = 0; j < {n_in}; j++) p[j] = x0[i * {n_in} + j]; from.write(p); }} "
        f"nnet::{function}(from, to{arguments}); "
        f"for (int i = 0; i < {to.size // n_out}; i++) {{ Out p = to.read(); "
        f"for (int j = 0; j < {n_out}; j++) y[i * {n_out} + j] = p[j]; }} "
        "if (!to.empty()) abort();"
    )


@cache
def _backend() -> Any:
    from hls4ml.backends import get_backend

    return get_backend("Vitis")


def windows_of(kernel: Windowed) -> tuple[str, dict[str, int]]:
    """hls4ml's generated function that fills windows, for images of any height, and the sizes."""
    height, width, channels = image_shape(kernel.inputs[0])
    out_height, out_width, filters = image_shape(kernel.output)
    top, bottom, left, right = kernel.pads
    sizes = {
        "in_height": height,
        "in_width": width,
        "n_chan": channels,
        "n_filt": filters,
        "out_height": out_height,
        "out_width": out_width,
        "filt_height": kernel.window[0],
        "filt_width": kernel.window[1],
        "stride_height": kernel.strides[0],
        "stride_width": kernel.strides[1],
        "pad_top": top,
        "pad_bottom": bottom,
        "pad_left": left,
        "pad_right": right,
        "kernel_size": kernel.window[0] * kernel.window[1],
    }
    count = out_height * out_width
    partitions = next(n for n in (2, 3, count) if count % n == 0)
    sizes |= {"n_partitions": partitions, "n_pixels": count // partitions}
    text = _backend().generate_conv2d_line_buffer_fn(
        0,
        partitions,
        height,
        width,
        channels,
        kernel=kernel.window,
        stride=kernel.strides,
        pad=kernel.pads,
        dilation=kernel.dilation,
    )
    if len(kernel.output.shape) == 2:
        text = text.replace("CONFIG_T::in_height * ", "").replace("CONFIG_T::filt_height * ", "")
        text = text.replace("FillConv2DBuffer", "FillConv1DBuffer")
    return str(text), sizes
