"""Analysis of a netlist of standard cells: static timing, leakage, power and energy."""

from __future__ import annotations

from typing import Annotated

from gatewright.results.figure import Figure
from gatewright.results.part import Part
from gatewright.results.scalars import Amount, ByKey, Count, Fraction, Positive, PositiveReal, Real
from gatewright.results.signal_origin import SignalOrigin


class CriticalPath(Part):
    """The path that limits the clock."""

    start_layer: str
    """Layer that it starts in; "" for a port or between layers."""
    start: str
    """Signal that it starts at."""
    end_layer: str
    """Layer that it ends in; "" for a port or between layers."""
    end: str
    """Signal that it ends at."""
    start_origin: SignalOrigin | None = None
    """What the signal was made for that it starts at, if known."""
    end_origin: SignalOrigin | None = None
    """What the signal was made for that it ends at, if known."""
    cells: Count
    """Cells on it (a number), without the registers at its ends."""


class Analyzed(Part):
    """Static timing and leakage of a mapped netlist, without wires and with an ideal clock."""

    conditions: str
    """Library, voltage and temperature."""
    clock_ns: PositiveReal
    """Clock period that the slack refers to, in ns."""
    slack_ns: Annotated[
        Real, Figure("slack", "more", name="analyzed_slack", unit="ns", digits=3, primary=False)
    ]
    """Worst setup slack at `clock_ns` by static timing analysis, ports included, in ns; negative if
    timing is not met."""
    fmax_mhz: Annotated[
        PositiveReal, Figure("Fmax", "more", name="analyzed_fmax", unit="MHz", digits=1)
    ]
    """Highest clock frequency by static timing analysis of the mapped netlist, without wire delay,
    in MHz."""
    leakage_uw: Annotated[
        Amount | None, Figure("leakage", "less", name="leakage_power", unit="µW", digits=3)
    ] = None
    """Leakage power of all cells, averaged over their states, in uW."""
    path: CriticalPath
    """The path with the worst slack."""


class Power(Part):
    """Power and energy from the switching activity of the netlist simulated at full rate.

    Wires and clock buffers are not included: before placement there are none.
    """

    vectors: Positive
    """Simulated inferences (a number), all with outputs equal to the golden ones."""
    clock_ns: PositiveReal
    """Clock period, in ns."""
    interval: PositiveReal
    """Cycles per inference (a number)."""
    energy_pj: Annotated[Amount, Figure("energy", "less", name="energy", unit="pJ", digits=1)]
    """Energy per inference, leakage included, in pJ; simulated without gate delays, so without
    glitches."""
    glitch_energy_pj: Annotated[
        Amount | None,
        Figure("energy with glitches", "less", name="energy_glitches", unit="pJ", digits=1),
    ] = None
    """Energy per inference, leakage included, in pJ; simulated with gate delays, so with
    glitches."""
    dynamic_mw: Annotated[
        Amount, Figure("dynamic power", "less", name="dynamic_power", unit="mW", digits=3)
    ]
    """Power at `clock_ns`, without leakage, in mW; with glitches if they were counted."""
    clock_share: Fraction
    """Energy that the clock takes in flip-flops, whether or not they switch, as a fraction of
    `energy_pj`."""
    no_glitches: str | None = None
    """Why glitches were not counted; None if they were."""


AnalyzedByTarget = Annotated[dict[str, Analyzed], ByKey]
"""Static timing and leakage, by the name of the target."""

PowerByTarget = Annotated[dict[str, Power], ByKey]
"""Power and energy, by the name of the target."""
