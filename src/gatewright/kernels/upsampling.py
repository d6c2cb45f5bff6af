"""Up-sampling of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.kernels.gather import Gather

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class UpSampling(Gather):
    """Each pixel, cast, repeated downwards and across, as `resize_nearest` of nnet_image.h.

    Attributes:
        factors: (height, width).
    """

    factors: tuple[int, int]

    def gathered(self, image: NDArray[np.int64], zero: int) -> NDArray[np.int64]:
        """See `Gather.gathered`."""
        del zero
        down, across = self.factors
        return image.repeat(down, axis=1).repeat(across, axis=2)
