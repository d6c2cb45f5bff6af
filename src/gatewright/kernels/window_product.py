"""What convolutions have in common: a product with constant weights on each window."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from gatewright.kernels.kernel import Implementation, Kernel, OperationCounts
from gatewright.kernels.time_multiplexing import parallel_notes
from gatewright.kernels.weighted import Weighted
from gatewright.kernels.windowed import Windowed, image_shape

if TYPE_CHECKING:
    from gatewright.kernels.product import Product
    from gatewright.targets import Target
    from gatewright.units import Datapath

# The weights themselves have another shape in the product, and so have its tensors.
_OTHERS = {"weights", *(field.name for field in fields(Kernel))}
_KEPT = [field.name for field in fields(Weighted) if field.name not in _OTHERS]


@dataclass(frozen=True, eq=False)
class Convolution(Weighted, Windowed):
    """A product with weights and a bias on each window; a subclass says which.

    The weights have the height and the width of the window first.

    Attributes:
        parallel: requested number of windows worked on at a time, if a beat is an image.
    """

    parallel: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.product  # refuses what can't be exact

    @property
    @abstractmethod
    def product(self) -> Product:
        """The product on a window."""

    @property
    def product_fields(self) -> dict[str, Any]:
        """Fields of the product that are the convolution's own; the weights have another shape."""
        return {
            "layer": self.layer,
            "inputs": (self.window_tensor,),
            "output": self.pixel_tensor,
            **{name: getattr(self, name) for name in _KEPT},
        }

    @property
    @override
    def reuse_factors(self) -> list[int]:
        return self.product.reuse_factors

    @override
    def cycles(self, reuse: int) -> int:
        return self.product.cycles(reuse)

    @override
    def interval(self, reuse: int) -> int:
        # Between two windows, all pixels between them pass.
        reused = self.reused(reuse)
        if reused.whole:
            return reuse
        spread = reused.spread(reused._built) if reused._built > 1 else None
        slider = self._slider if spread is None else spread.slider
        return slider.interval(self.cycles(reuse))

    @override
    def at_once(self, pixels: int) -> int:
        """See `Windowed.at_once`: as requested, or the next number above that can be, or below."""
        if self.reuse > 1 or self.parallel == 1:
            return 0
        columns, stride = self.positions[1], self.strides[1]
        above, below = range(self.parallel, columns + 1), range(self.parallel - 1, 1, -1)
        possible = (
            count
            for count in (*above, *below)
            if pixels % (count * stride) == 0 and self.spread(count)
        )
        return next(possible, 0)

    @property
    def _built(self) -> int:
        """Windows that are taken at a time, if a beat is an image."""
        height, width, _ = image_shape(self.inputs[0])
        return max(self.at_once(height * width), 1)

    @property
    @override
    def repeats(self) -> int:
        return 1 if self.whole else self._count // self._built

    @property
    @override
    def whole(self) -> bool:
        return self.reuse == 1 and self.parallel >= self._count

    @property
    @override
    def functions(self) -> tuple[tuple[Kernel, tuple[int, ...]], ...]:
        return ((self.product, tuple(range(self._count))),)

    @property
    def _count(self) -> int:
        """Number of windows."""
        return self.positions[0] * self.positions[1]

    @override
    def datapath(self, lanes: tuple[int, ...]) -> Datapath:
        """See `Kernel.datapath`: no more windows at a time than pixels come in a beat."""
        found = super().datapath(lanes)
        windows = max(self.at_once(lanes[0] // self.inputs[0].shape[-1]), 1)
        if self.whole or windows == self._built:
            return found
        note = f"{windows} of {self._built} windows at a time, as a beat has no more pixels"
        return replace(found, notes=(*found.notes, note))

    @override
    def notes(self) -> tuple[str, ...]:
        requested, built = min(self.parallel, self._count), self._count // self.repeats
        return (*super().notes(), *parallel_notes(requested, built, self.reuse))

    @override
    def area(self, reuse: int, target: Target) -> float:
        return self.product.area(reuse, target)

    @override
    def implementation(self, target: Target) -> Implementation | None:
        return self.product.implementation(target)

    def operation_counts(self) -> OperationCounts:
        """The same weights serve every window."""
        once, count = self.product.operation_counts(), self._count
        return replace(
            once, macs=count * once.macs, bops=count * once.bops, ebops=count * once.ebops
        )
