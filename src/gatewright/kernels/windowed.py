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
from gatewright.units import CircuitPart, CircuitUnit, Datapath, Pad, Window

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


@dataclass(frozen=True)
class Spread:
    """How several windows of a row are taken at a time.

    Beats of several pixels are then the pixels of a narrower image with more channels.

    Attributes:
        lanes: elements per beat that arrives.
        pad: the unit that pads, in beats; None if nothing is padded.
        slider: the unit that gives the beats which the windows reach.
        order: for each window of a beat, the positions of its elements among what the slider gives,
            of shape (windows, window size).
    """

    lanes: int
    pad: Pad | None
    slider: Window
    order: NDArray[np.int64]


@dataclass(frozen=True)
class Several:
    """A function of a window, for several windows that overlap.

    Attributes:
        function: of one window.
        inputs: what the windows are taken from.
        output: their results, one after the other.
        order: as of `Spread`.
    """

    function: Kernel
    inputs: tuple[Tensor, ...]
    output: Tensor
    order: tuple[tuple[int, ...], ...]

    @property
    def layer(self) -> str:
        """Name of the layer that it belongs to."""
        return self.function.layer

    def build(self, circuit: Circuit, target: Target, *inputs: Sequence[Word]) -> list[Word]:
        """Add the function to a circuit, as `Kernel.build` does."""
        (words,) = inputs
        found: list[Word] = []
        for window in self.order:
            found += self.function.build(circuit, target, [words[place] for place in window])
        return found


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
        spread = self.spread(self.at_once(lanes[0] // channels))
        if spread is not None:
            part = self.of_several(spread)
            pad = (spread.pad,) if spread.pad is not None else ()
            units = (*pad, spread.slider, CircuitUnit((part,)))
            whole = self.per_window.datapath((self.window_tensor.size,))
            return replace(whole, lanes=(spread.lanes,), units=units, out_lanes=part.output.size)
        pad = (Pad(height, width, self.pads, self.pad_value),) if any(self.pads) else ()
        product = self.per_window.datapath((self.window_tensor.size,))
        units = (*pad, self._slider, *product.units)
        return replace(product, lanes=(channels,), units=units)

    def at_once(self, pixels: int) -> int:
        """Number of windows that are taken at a time; 0 if pixels are, one at a time.

        Args:
            pixels: in a beat that arrives.
        """
        return pixels // self.strides[1] if pixels % self.strides[1] == 0 else 0

    def spread(self, count: int) -> Spread | None:
        """How `count` windows of a row are taken at a time; None if they can't be.

        Rows of the image and of windows must be multiples of what a beat has of them.
        """
        height, width, channels = image_shape(self.inputs[0])
        top, bottom, left, _ = self.pads
        (rows, reach), (stride, step) = self.window, (self.strides[1], self.dilation[1])
        pixels, columns = count * stride, self.positions[1]
        if pixels <= 1 or width % pixels or columns % count:
            return None
        # Beats before and after that of the first window's pixels, which the windows reach.
        before = -(-left // pixels)
        after = ((count - 1) * stride - left + step * (reach - 1)) // pixels
        behind = columns // count + after - width // pixels
        if after < 0 or behind < 0:
            return None
        beats = before + 1 + after
        pads = (top, bottom, before, behind)
        pad = Pad(height, width // pixels, pads, self.pad_value) if any(pads) else None
        slider = Window(
            top + height + bottom,
            before + width // pixels + behind,
            (rows, beats),
            (self.strides[0], 1),
            (self.dilation[0], 1),
            self.ram_style,
        )
        first = before * pixels - left + stride * np.arange(count)
        place = np.arange(rows)[:, None] * beats * pixels + step * np.arange(reach)
        place = first[:, None, None] + place
        order = (place[..., None] * channels + np.arange(channels)).reshape(count, -1)
        return Spread(pixels * channels, pad, slider, order)

    def of_several(self, spread: Spread) -> CircuitPart:
        """The function of the windows that are taken at a time."""
        function = self.per_window
        (source,) = self.inputs
        taps = spread.slider.kernel[0] * spread.slider.kernel[1]
        reads = Tensor(source.name, (taps * spread.lanes,), source.type)
        pixel = self.pixel_tensor
        result = replace(pixel, shape=(len(spread.order) * pixel.size,))
        order = tuple(tuple(row) for row in spread.order.tolist())
        return Several(function, (reads,), result, order)

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
