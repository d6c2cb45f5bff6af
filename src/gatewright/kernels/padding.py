"""Padding of images with zeros, and its opposite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from gatewright.kernels.gather import Gather
from gatewright.units import Crop, Pad, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ZeroPadding(Gather):
    """The input, cast, surrounded by zeros, as `zeropad2d_cl` of nnet_padding.h.

    Attributes:
        pads: pixels before the first row, after the last row, left and right.
    """

    pads: tuple[int, int, int, int]

    @override
    def mover(self, height: int, width: int) -> Unit:
        return Pad(height, width, self.pads)

    @override
    def gathered(self, image: NDArray[np.int64], zero: int) -> NDArray[np.int64]:
        top, bottom, left, right = self.pads
        return np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=zero)


@dataclass(frozen=True, eq=False)
class Cropping(Gather):
    """The input, cast, without its border, as `cropping2d_cl` of nnet_cropping.h.

    Attributes:
        crop: pixels dropped at the top, at the bottom, left and right.
    """

    crop: tuple[int, int, int, int]

    @override
    def mover(self, height: int, width: int) -> Unit:
        return Crop(height, width, self.crop)

    @override
    def gathered(self, image: NDArray[np.int64], zero: int) -> NDArray[np.int64]:
        del zero
        top, bottom, left, right = self.crop
        _, height, width, _ = image.shape
        return image[:, top : height - bottom, left : width - right]
