"""Finds a design's bottleneck, and the cheapest reuse factors for an initiation interval."""

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
        layer: Its name.
        interval: Clock cycles per tensor.
        reuse: Its reuse factor; None if it doesn't multiply by weights.
        multipliers: The number of its multipliers, likewise.
        faster_reuse: The greatest reuse factor with at most half the interval; None if there is
            none.
        faster_multipliers: The number of multipliers at that reuse factor.
        extra_area: The estimated additional area at that reuse factor, in the unit of the target's
            fabric.
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
        design: The design.
        rtl: Its RTL project.
        target: Its target.
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
    """The cheapest reuse factor of each layer with at most `interval` cycles per tensor.

    Args:
        design: The design, with any reuse factors.
        interval: Greatest initiation interval of the design in clock cycles.
        target: Its target.

    Returns:
        Reuse factors by layer, for layers that multiply by weights.

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
    """Check that a design has at most a given initiation interval in clock cycles.

    Raises:
        DesignFailure: if it hasn't, naming its slowest port or layer.
    """
    if rtl.interval > interval:
        port = max((*rtl.inputs, *rtl.outputs), key=lambda port: port.beats)
        if port.beats == rtl.interval:
            raise DesignFailure(
                f"port {port.prefix}: takes {port.beats} transfers of {port.tdata_width} bits per "
                f"sample, not {interval}; ask for a longer interval or wider ports"
            )
        slowest = max((m for m in rtl.modules if m.layer), key=lambda m: m.interval)
        raise DesignFailure(
            f"layer '{slowest.layer}': takes {slowest.interval} cycles per sample, so the design "
            f"takes {rtl.interval}, not {interval}; ask for a longer interval"
        )
