"""What analysis of a netlist of standard cells finds: static timing, leakage, power and energy."""

from __future__ import annotations

from typing import Annotated

from gatewright.results.figure import Figure
from gatewright.results.part import Part
from gatewright.results.scalars import Amount, ByKey, Count, Fraction, Positive, PositiveReal, Real


class CriticalPath(Part):
    """The path that limits the clock."""

    start_layer: str
    """Layer that it starts in; "" at a port, or between layers."""
    start: str
    """Signal that it starts at."""
    end_layer: str
    """Layer that it ends in; "" at a port, or between layers."""
    end: str
    """Signal that it ends at."""
    cells: Count
    """Cells on it (a number), registers at its ends apart."""


class Analyzed(Part):
    """Static timing and leakage of a mapped netlist, without wires and with an ideal clock."""

    conditions: str
    """Library, voltage and temperature."""
    clock_ns: PositiveReal
    """Clock period that slack is for, in ns."""
    slack_ns: Annotated[
        Real, Figure("slack", "more", name="analyzed_slack", unit="ns", digits=3, primary=False)
    ]
    """Worst set-up slack at `clock_ns` by static timing, ports included, in ns; negative where
    timing is not met."""
    fmax_mhz: Annotated[
        PositiveReal, Figure("Fmax", "more", name="analyzed_fmax", unit="MHz", digits=1)
    ]
    """Largest clock frequency by static timing of the mapped netlist, in MHz, without wires."""
    leakage_uw: Annotated[
        Amount | None, Figure("leakage", "less", name="leakage_power", unit="µW", digits=3)
    ] = None
    """Leakage of all cells, in uW, the mean over their states."""
    path: CriticalPath
    """The path with the worst slack."""


class Power(Part):
    """Power and energy, from transitions that were counted in a run of the netlist at full rate.

    Wires and the clock's buffers are not in it: before placement there are none.
    """

    vectors: Positive
    """Inferences that ran (a number); their outputs were equal to the golden ones."""
    clock_ns: PositiveReal
    """Clock period, in ns."""
    interval: PositiveReal
    """Cycles per inference (a number)."""
    energy_pj: Annotated[Amount, Figure("energy", "less", name="energy", unit="pJ", digits=1)]
    """Energy per inference, leakage included, in pJ: gates without delays, so without glitches."""
    glitch_energy_pj: Annotated[
        Amount | None,
        Figure("energy with glitches", "less", name="energy_glitches", unit="pJ", digits=1),
    ] = None
    """Energy per inference, leakage included, in pJ, of gates with their delays: with glitches."""
    dynamic_mw: Annotated[
        Amount, Figure("dynamic power", "less", name="dynamic_power", unit="mW", digits=3)
    ]
    """Power without leakage at the clock, in mW; with glitches where these were counted."""
    clock_share: Fraction
    """What flip-flops take of the clock, switching or not, as a fraction of `energy_pj`."""
    no_glitches: str | None = None
    """Why glitches were not counted; None where they were."""


AnalyzedByTarget = Annotated[dict[str, Analyzed], ByKey]
"""Static timing and leakage, by the name of the target."""

PowerByTarget = Annotated[dict[str, Power], ByKey]
"""Power and energy, by the name of the target."""
