"""Timing closure: a pipeline is cut again until the routed design meets the requested clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.errors import InputError
from gatewright.flow.convert import recut
from gatewright.flow.place import place
from gatewright.flow.steps import Progress, Stamp, silent
from gatewright.targets import load_target

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.flow.results import PlaceResults
    from gatewright.results.routed import Routed


def close_timing(
    directory: Path,
    target_name: str,
    *,
    rounds: int,
    seeds: int = 1,
    progress: Progress = silent,
    notice: Progress = silent,
) -> Stamp[PlaceResults]:
    """Place and route a project; if it misses the clock, cut its pipeline again and repeat.

    In the next round the delay model's times are multiplied by the ratio of the routed longest path
    to the predicted one. The RTL of the last round stays.

    Args:
        directory: A converted project, cut for the target's family.
        target_name: A device, see `place`.
        rounds: Most rounds of placement.
        seeds: The number of the placer's seeds, see `place`; the worst one must meet the clock.
        progress: Called with a line before each phase.
        notice: Called with a line after each round that missed the clock.

    Returns:
        The stamp of the last placement, which may have missed the clock.

    Raises:
        DesignFailure, InputError, UnsupportedError: as `place`; also InputError if the project was
            cut for another family.
    """
    for number in range(1, rounds + 1):
        stamp = place(directory, target_name, seeds=seeds, progress=progress)
        found = stamp.results.routed
        derate = next_derate(found)
        if number == rounds or found.slack_ns >= 0:
            break
        if derate is None:
            raise InputError(
                f"{directory}: was not cut for the family of {target_name}; convert it with "
                f"--target {target_name}"
            )
        if (why := _finest(found, derate, target_name)) is not None:
            notice(f"{directory}: {found.fmax_mhz:.1f} MHz; no cut is finer: {why}")
            break
        notice(
            f"{directory}: round {number} of {rounds}: {found.fmax_mhz:.1f} MHz, "
            f"{-found.slack_ns:.2f} ns short; cut again, delays times {derate:.3f}"
        )
        recut(directory, derate, progress=progress)
    return stamp


def _finest(found: Routed, derate: float, target_name: str) -> str | None:
    """Why a routed pipeline can't be cut any finer; None if it can."""
    limit = f"more than {found.clock_ns:.4g} ns"
    if found.predicted_ns is not None and found.predicted_ns > found.clock_ns:
        return f"a path takes {found.predicted_ns:.4g} ns by the delay model, {limit}"
    registers = load_target(target_name).fabric.register_ns * derate
    if registers >= found.clock_ns:
        return f"registers alone would take {registers:.4g} ns, {limit}"
    return None


def next_derate(found: Routed) -> float | None:
    """The factor for the delay model's times with which it would predict the routed path.

    None if the model made no prediction for this design.
    """
    if found.path_ratio is None or found.derate is None:
        return None
    return round(found.derate * found.path_ratio, 4)
