"""Kernels that slide a window over an image: its geometry, and the functions of a window."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.errors import UnsupportedError
from gatewright.kernels.kernel import Kernel
from gatewright.tensor import Tensor
from gatewright.units import Datapath, Pad, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Circuit, Word
    from gatewright.targets import Target

#: Elements of windows that golden outputs hold at a time.
_CHUNK = 1 << 22


def image_shape(tensor: Tensor) -> tuple[int, int, int]:
    """(height, width, channels) of a tensor, channels last; of rank 2 it has a height of 1."""
    *pixels, channels = tensor.shape
    height, width = (1, *pixels)[-2:]
    return height, width, channels


@dataclass(frozen=True, eq=False)
class Windowed(Kernel):
    """Each pixel of the output is a function of a window of the input's pixels.

    Tensors are (height, width, channels), or (width, channels), which is an image of height 1.
    Windows lie completely within the padded image; last rows and columns that the strides don't
    reach are not read.

    Attributes:
        window: (height, width).
        strides: (height, width), in pixels of the input.
        pads: pixels before the first row, after the last row, left and right.
        dilation: (height, width) between neighbours in the window, in pixels of the input.
        ram_style: where rows of a stream of pixels are kept: "auto", "block" or "distributed".
    """

    window: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilation: tuple[int, int]
    ram_style: str = field(default="auto", kw_only=True)

    def __post_init__(self) -> None:
        if self.positions != image_shape(self.output)[:2]:
            raise UnsupportedError(
                f"layer '{self.layer}': its output of {image_shape(self.output)[:2]} pixels "
                f"doesn't match its {self.positions} windows"
            )

    @property
    def positions(self) -> tuple[int, int]:
        """Rows and columns of windows, as of the output."""
        top, bottom, left, right = self.pads
        height, width, _ = image_shape(self.inputs[0])
        rows, columns = (
            (size - dilation * (window - 1) - 1) // stride + 1
            for size, window, stride, dilation in zip(
                (top + height + bottom, left + width + right),
                self.window,
                self.strides,
                self.dilation,
                strict=True,
            )
        )
        return rows, columns

    @property
    def pad_value(self) -> int:
        """Raw value of every element of the padding."""
        return 0

    @property
    @abstractmethod
    def functions(self) -> tuple[tuple[Kernel, tuple[int, ...]], ...]:
        """Functions of a window, each with the positions, counted in C order, that it is for.

        A function takes a tensor of shape (window height * window width * channels,), in C order
        with channels last, and gives a pixel of the output, of shape (channels,).
        """

    @property
    def per_window(self) -> Kernel:
        """The function of a window.

        Raises:
            UnsupportedError: if not all windows have the same.
        """
        ((function, _), *others) = self.functions
        if others:
            raise UnsupportedError(
                f"layer '{self.layer}': windows at the border have a function of their own"
            )
        return function

    @property
    def window_tensor(self) -> Tensor:
        """Shape and type of one window."""
        (source,) = self.inputs
        return Tensor(
            source.name, (self.window[0] * self.window[1] * source.shape[-1],), source.type
        )

    @property
    def pixel_tensor(self) -> Tensor:
        """Shape and type of one pixel of the output."""
        return Tensor(self.output.name, self.output.shape[-1:], self.output.type)

    def _windows(self, images: NDArray[np.int64], pad: int) -> NDArray[np.int64]:
        """Windows of shape (batch, positions, window size) of images (batch, *image)."""
        top, bottom, left, right = self.pads
        padded = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=pad)
        extent = tuple(d * (n - 1) + 1 for n, d in zip(self.window, self.dilation, strict=True))
        windows = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(1, 2))
        (rows, columns), (down, across) = self.strides, self.dilation
        # To (batch, row, column, window row, window column, channel).
        windows = windows[:, ::rows, ::columns, :, ::down, ::across].transpose(0, 1, 2, 4, 5, 3)
        return windows.reshape(len(images), windows.shape[1] * windows.shape[2], -1)

    def datapath(self, lanes: tuple[int, ...]) -> Datapath:
        """See `Kernel.datapath`: pixel by pixel, unless images come and `whole` says otherwise.

        Where windows at the border have functions of their own, whole images are gathered.
        """
        (source,) = self.inputs
        if (lanes[0] == source.size and self.whole) or len(self.functions) > 1:
            return super().datapath(lanes)
        height, width, channels = image_shape(source)
        pad = (Pad(height, width, self.pads, self.pad_value),) if any(self.pads) else ()
        product = self.per_window.datapath((self.window_tensor.size,))
        units = (*pad, self._slider, *product.units)
        return replace(product, lanes=(channels,), units=units)

    @property
    def _slider(self) -> Window:
        """The unit that makes windows of the padded image."""
        height, width, _ = image_shape(self.inputs[0])
        top, bottom, left, right = self.pads
        height, width = top + height + bottom, left + width + right
        return Window(height, width, self.window, self.strides, self.dilation, self.ram_style)

    @property
    def whole(self) -> bool:
        """Whether all windows of an image that comes in one beat are worked on at once."""
        return True

    @override
    def golden(self, *inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        (x,) = inputs
        x = x.reshape(len(x), *image_shape(self.inputs[0]))
        count = self.positions[0] * self.positions[1]
        result = np.empty((len(x), count, self.output.shape[-1]), np.int64)
        step = max(1, _CHUNK // (count * self.window_tensor.size))
        for start in range(0, len(x), step):
            windows = self._windows(x[start : start + step], self.pad_value)
            for function, places in self.functions:
                chosen = windows[:, list(places)]
                pixels = function.golden(chosen.reshape(-1, chosen.shape[-1]))
                result[start : start + step, list(places)] = pixels.reshape(*chosen.shape[:2], -1)
        return result.reshape(len(x), *self.output.shape)

    @override
    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        (source,) = self.inputs
        words = [*inputs[0], circuit.constant(self.pad_value, source.type.frac)]
        elements = np.arange(source.size).reshape(1, *image_shape(source))
        windows = self._windows(elements, pad=source.size)[0]
        pixels: dict[int, list[Word]] = {}
        for function, places in self.functions:
            for place in places:
                window = [words[element] for element in windows[place].tolist()]
                pixels[place] = function.build(circuit, target, window)
        return [word for place in range(len(windows)) for word in pixels[place]]
