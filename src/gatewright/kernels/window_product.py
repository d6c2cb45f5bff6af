"""What convolutions have in common: a product with constant weights on each window."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from gatewright.kernels.kernel import Implementation, Kernel, OperationCounts
from gatewright.kernels.time_multiplexing import parallel_notes
from gatewright.kernels.weighted import Weighted
from gatewright.kernels.windowed import Windowed

if TYPE_CHECKING:
    from gatewright.kernels.product import Product
    from gatewright.targets import Target

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
        return reuse if self.reused(reuse).whole else self._slider.interval(self.cycles(reuse))

    @property
    @override
    def repeats(self) -> int:
        return 1 if self.whole else self._count

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
    def notes(self) -> tuple[str, ...]:
        return (*super().notes(), *parallel_notes(self.parallel, self._count, self.repeats))

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
