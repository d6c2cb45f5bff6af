"""Units that move the pixels of images: one pixel a beat, row by row; height 1 is a sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from typing_extensions import override

from gatewright.circuit.fabric import Fabric
from gatewright.fixed import FixedType
from gatewright.units.unit import Element, Parameters, Stream, StreamGroup, Times, Unit, paced


@dataclass(frozen=True, eq=False)
class _Image(Unit):
    """A unit whose every input beat is a pixel.

    Attributes:
        height: of the image that enters.
        width: of the image that enters.
    """

    height: int
    width: int

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        (source,) = sources
        return {"Bits": source.bits, "Height": self.height, "Width": self.width}

    def _frames(self, arrival: Times) -> Times:
        """Arrival by tensor and pixel."""
        return arrival.reshape(-1, self.height * self.width)


@dataclass(frozen=True, eq=False)
class Window(_Image):
    """The pixels of each position of a kernel that slides within the image.

    Attributes:
        kernel: extent of the kernel (height, width).
        strides: (height, width).
        dilation: (height, width).
        style: of the line memory: "auto", "block", "distributed" or "registers".
    """

    name: ClassVar[str] = "window"
    module: ClassVar[str] = "gw_window"

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    style: str = "auto"

    @override
    def fitted(self, fabric: Fabric, *sources: Stream) -> Window:
        (source,) = sources
        width, depth = (self.kernel[0] - 1) * source.bits, self.dilation[0] * self.width
        return replace(self, style=fabric.ram_style(self.style, width, depth))

    def _completing(self) -> Times:
        """The pixels that complete a window, counted in C order."""
        rows, columns = (
            np.arange(dilation * (kernel - 1), extent, stride)
            for extent, kernel, stride, dilation in zip(
                (self.height, self.width), self.kernel, self.strides, self.dilation, strict=True
            )
        )
        return (rows[:, None] * self.width + columns).ravel()

    def interval(self, busy: int) -> int:
        """Clock cycles per image with a reader that takes a window at most every `busy`.

        While a window waits no pixel is taken, so each window costs `busy` or the pixels to the
        next one, whichever is more.
        """
        return int(np.maximum(self._gaps(), busy).sum())

    @override
    def burst(self) -> int:
        return int(self._gaps().max())

    def _gaps(self) -> Times:
        """Numbers of pixels from the end of one window to the end of the next."""
        completing = self._completing()
        return np.diff(completing, append=completing[0] + self.height * self.width)

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        (source,) = sources
        taps = self.kernel[0] * self.kernel[1]
        return (Stream(source.type, source.elements * taps, len(self._completing())).late(),)

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        extents = ("Kernel", self.kernel), ("Stride", self.strides), ("Dilation", self.dilation)
        geometry = {
            f"{what}{side}": value
            for what, pair in extents
            for side, value in zip(("Height", "Width"), pair, strict=True)
        }
        return {**super().parameters(*sources), **geometry, "RamStyle": f'"{self.style}"'}

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        return self.held_times(sources, 1, 0, *arrivals)

    @override
    def held_times(self, sources: StreamGroup, busy: int, room: int, *arrivals: Times) -> Times:
        """See `Unit.held_times`: while a window waits, no pixel is taken.

        Window j, which pixel i[j] completes, is taken at f[j] and is offered at
        w[j] = max(a[i] + i[j] - i + 1 for i <= i[j], f[j-1] + i[j] - i[j-1]), where a[i] is when
        pixel i comes and f[j] = max(w[j], f[j-1] + busy).
        """
        del sources
        size = self.height * self.width
        frames = np.arange(len(arrivals[0]) // size)
        completing = (frames[:, None] * size + self._completing()).ravel()
        unhindered = paced(arrivals[0], 1)[completing] + 1
        gaps = np.diff(completing, prepend=completing[0])
        if room:
            return _behind_fifo(unhindered, gaps, busy, room)
        steady = np.cumsum(np.maximum(gaps, busy))
        taken = np.maximum.accumulate(unhindered - steady) + steady
        offered = np.concatenate([taken[:1], taken[:-1] + gaps[1:]])
        times: Times = np.maximum(unhindered, offered)
        return times


def _behind_fifo(unhindered: Times, gaps: Times, busy: int, room: int) -> Times:
    """When windows are offered to a FIFO of `room` beats, see `Window.held_times`."""
    offered: list[int] = []
    passed: list[int] = []  # when the reader takes them
    taken = 0
    for number, (free, gap) in enumerate(zip(unhindered.tolist(), gaps.tolist(), strict=True)):
        offered.append(max(free, taken + gap))
        taken = max(offered[-1], passed[number - room] + 1 if number >= room else 0)
        passed.append(max(taken + 1, passed[-1] + busy if passed else 0))
    return np.array(offered)


@dataclass(frozen=True, eq=False)
class Pad(_Image):
    """The image with a constant around it.

    Attributes:
        pads: rows and columns around it: (top, bottom, left, right).
        fill: raw value of every element of them.
    """

    name: ClassVar[str] = "pad"
    module: ClassVar[str] = "gw_pad"

    pads: tuple[int, int, int, int]
    fill: int = 0

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        (source,) = sources
        top, bottom, left, right = self.pads
        beats = (self.height + top + bottom) * (self.width + left + right)
        fill = Element(self.fill, self.fill, source.type.frac)
        elements = tuple(Element.union((e, fill)) for e in source.elements)
        return (Stream(source.type, elements, beats).late(),)

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        (source,) = sources
        sides = zip(("Top", "Bottom", "Left", "Right"), self.pads, strict=True)
        value = self.fill & ((1 << source.type.width) - 1)
        fill = {"Fill": f"{{{source.lanes}{{{source.type.width}'d{value}}}}}"} if value else {}
        return {**super().parameters(*sources), **dict(sides), **fill}

    def startup(self) -> int:
        """See `Unit.startup`: the padding above an image leaves first."""
        top, _, left, right = self.pads
        return top * (left + self.width + right) + left

    @override
    def pause(self) -> int:
        top, bottom, left, right = self.pads
        return (top + bottom) * (left + self.width + right) + left + right

    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        """See `Unit.times`; the padding before an image waits for its first pixel."""
        del sources
        top, bottom, left, right = self.pads
        frames = self._frames(arrivals[0])
        images = frames.reshape(-1, self.height, self.width)
        wide = ((0, 0), (top, bottom), (left, right))
        padded = np.pad(images, wide, constant_values=np.iinfo(np.int64).min // 2)
        padded[:, 0, 0] = frames[:, 0]
        return paced(padded.ravel(), 1) + 1


@dataclass(frozen=True, eq=False)
class Crop(_Image):
    """The image without its border.

    Attributes:
        crop: rows and columns to drop: (top, bottom, left, right).
    """

    name: ClassVar[str] = "crop"
    module: ClassVar[str] = "gw_crop"

    crop: tuple[int, int, int, int]

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        (source,) = sources
        top, bottom, left, right = self.crop
        beats = (self.height - top - bottom) * (self.width - left - right)
        return (Stream(source.type, source.elements, beats),)

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        sides = zip(("Top", "Bottom", "Left", "Right"), self.crop, strict=True)
        return {**super().parameters(*sources), **dict(sides)}

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        del sources
        top, bottom, left, right = self.crop
        taken = paced(arrivals[0], 1).reshape(-1, self.height, self.width)
        return taken[:, top : self.height - bottom, left : self.width - right].ravel()


@dataclass(frozen=True, eq=False)
class Upsample(_Image):
    """Each pixel several times in both directions.

    Attributes:
        factors: (height, width).
        style: of the row memory: "auto", "block", "distributed" or "registers".
    """

    name: ClassVar[str] = "upsample"
    module: ClassVar[str] = "gw_upsample"

    factors: tuple[int, int]
    style: str = "auto"

    @override
    def fitted(self, fabric: Fabric, *sources: Stream) -> Upsample:
        (source,) = sources
        return replace(self, style=fabric.ram_style(self.style, source.bits, self.width))

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        (source,) = sources
        beats = source.beats * self.factors[0] * self.factors[1]
        return (Stream(source.type, source.elements, beats).late(),)

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        sides = zip(("FactorHeight", "FactorWidth"), self.factors, strict=True)
        return {**super().parameters(*sources), **dict(sides), "RamStyle": f'"{self.style}"'}

    @override
    def pause(self) -> int:
        rows, columns = self.factors
        return (rows - 1) * self.width * columns + columns

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        del sources
        images = arrivals[0].reshape(-1, self.height, self.width)
        repeated = images.repeat(self.factors[0], axis=1).repeat(self.factors[1], axis=2)
        return paced(repeated.ravel(), 1) + 1


@dataclass(frozen=True, eq=False)
class Concat(Unit):
    """All beats of one stream, then all of the next; each has a handshake.

    Attributes:
        type: of the elements of all streams.
    """

    name: ClassVar[str] = "concat"
    module: ClassVar[str] = "gw_concat"

    type: FixedType

    @override
    def result(self, *sources: Stream) -> StreamGroup:
        elements = tuple(
            Element.union(lanes) for lanes in zip(*(s.elements for s in sources), strict=True)
        )
        return (Stream(self.type, elements, sum(s.beats for s in sources)),)

    @override
    def parameters(self, *sources: Stream) -> Parameters:
        beats = ", ".join(f"32'd{s.beats}" for s in reversed(sources))
        return {"Bits": sources[0].bits, "Inputs": len(sources), "Beats": f"{{{beats}}}"}

    @override
    def times(self, sources: StreamGroup, *arrivals: Times) -> Times:
        parts = [
            arrival.reshape(-1, source.beats)
            for source, arrival in zip(sources, arrivals, strict=True)
        ]
        return paced(np.concatenate(parts, axis=1).ravel(), 1)
