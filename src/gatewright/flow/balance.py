"""Reuse factors by throughput: what a design is held up by, and what an interval costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gatewright.errors import DesignFailure
from gatewright.kernels.multiplexed import Multiplexed

if TYPE_CHECKING:
    from gatewright.design.dataflow import Design
    from gatewright.rtl.manifest import RtlProject
    from gatewright.targets import Target


@dataclass(frozen=True)
class Bottleneck:
    """The layer that decides a design's initiation interval.

    Attributes:
        layer: its name.
        interval: clock cycles per tensor.
        reuse: its reuse factor, where it multiplies by weights.
        multipliers: what it multiplies with now.
        faster_reuse: the greatest reuse factor at which it takes half the cycles, or less.
        faster_multipliers: what it would multiply with then.
        extra_area: what that would cost more, in the unit of the target's fabric; estimated.
    """

    layer: str
    interval: int
    reuse: int | None = None
    multipliers: int | None = None
    faster_reuse: int | None = None
    faster_multipliers: int | None = None
    extra_area: float | None = None


def bottleneck(design: Design, rtl: RtlProject, target: Target) -> Bottleneck | None:
    """The layer whose module takes the most cycles per tensor; None if none takes more than one.

    Args:
        design: the model.
        rtl: what was emitted for it.
        target: what it is built for.
    """
    slowest = max((m for m in rtl.modules if m.layer), key=lambda m: m.interval, default=None)
    if slowest is None or slowest.interval == 1:
        return None
    kernels = {kernel.layer: kernel for kernel in design.kernels}
    inside = (kernels[layer] for layer in slowest.layers)
    kernel = next((each for each in inside if isinstance(each, Multiplexed)), None)
    found = Bottleneck(slowest.layer, slowest.interval)
    if kernel is None:
        return found
    reuse = kernel.reuse
    found = replace(found, reuse=reuse, multipliers=kernel.products // reuse)
    interval = kernel.interval(reuse)
    faster = [f for f in kernel.reuse_factors if 2 * kernel.interval(f) <= interval]
    if not faster:
        return found
    factor = max(faster)
    return replace(
        found,
        faster_reuse=factor,
        faster_multipliers=kernel.products // factor,
        extra_area=kernel.area(factor, target) - kernel.area(reuse, target),
    )


def balanced(design: Design, interval: int, target: Target) -> dict[str, int]:
    """The cheapest reuse factor of each layer that takes no more than `interval` cycles a tensor.

    Args:
        design: the model, at any reuse factors.
        interval: clock cycles per tensor that the whole design may take.
        target: what it is built for.

    Returns:
        Reuse factor by layer, for those that multiply by weights.

    Raises:
        DesignFailure: if a layer can't be that fast.
    """
    chosen = {}
    for kernel in design.kernels:
        if not isinstance(kernel, Multiplexed):
            continue
        fast = [factor for factor in kernel.reuse_factors if kernel.interval(factor) <= interval]
        if not fast:
            raise DesignFailure(
                f"layer '{kernel.layer}': takes {kernel.interval(1)} cycles per sample at least, "
                f"not {interval}; ask for a longer interval, or for io_parallel with a "
                "parallelization factor"
            )
        chosen[kernel.layer] = min(fast, key=lambda r: (kernel.area(r, target), -r))
    return chosen


def check_interval(rtl: RtlProject, interval: int) -> None:
    """Check that a design is as fast as it should be.

    Raises:
        DesignFailure: if it isn't; names the layer that holds it up.
    """
    if rtl.interval > interval:
        slowest = max((m for m in rtl.modules if m.layer), key=lambda m: m.interval)
        raise DesignFailure(
            f"layer '{slowest.layer}': takes {slowest.interval} cycles per sample, so the design "
            f"takes {rtl.interval}, not {interval}; ask for a longer interval"
        )
