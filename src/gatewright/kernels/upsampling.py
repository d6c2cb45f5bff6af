"""Up-sampling of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from gatewright.kernels.gather import Gather
from gatewright.units import Unit, Upsample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class UpSampling(Gather):
    """Each pixel, cast, repeated downwards and across, as `resize_nearest` of nnet_image.h.

    Attributes:
        factors: (height, width).
        ram_style: where a row of a stream of pixels stands: "auto", "block" or "distributed".
    """

    factors: tuple[int, int]
    ram_style: str = "auto"

    @override
    def mover(self, height: int, width: int) -> Unit:
        return Upsample(height, width, self.factors, self.ram_style)

    @override
    def gathered(self, image: NDArray[np.int64], zero: int) -> NDArray[np.int64]:
        del zero
        down, across = self.factors
        return image.repeat(down, axis=1).repeat(across, axis=2)
