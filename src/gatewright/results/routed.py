"""Results of placement and routing: Fmax on a device, critical path, resources."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gatewright.results.figure import Figure
from gatewright.results.part import Part, refuse_duplicates
from gatewright.results.scalars import Amount, ByKey, Count, Name, PositiveReal, Real
from gatewright.results.signal_origin import SignalOrigin
from gatewright.results.utilization import Resources


class Segment(Part):
    """A part of a path between two registers."""

    kind: Literal["register", "logic", "routing", "setup"]
    """Register: clock to output. Logic: through a cell. Routing: along a net. Setup: setup time
    before the next clock edge."""
    delay_ns: Real
    """Its delay, in ns."""
    layer: str | None = None
    """The layer that it is in or leads to; between layers, the name of the instance; "ports" for
    the registers around the design."""
    signal: str | None = None
    """The RTL signal of its cell or net."""
    origin: SignalOrigin | None = None
    """What that signal was made for, if known."""


class Run(Part):
    """One run of the router."""

    seed: Count
    """Seed of the placer (a number)."""
    fmax_mhz: PositiveReal
    """Highest clock frequency, in MHz."""
    seconds: Amount
    """Wall time of the run, in s."""
    placer: Literal["", "static", "heap"] = ""
    """The router's placement algorithm; empty if it is the default one."""


class Cells(Part):
    """Cells of one kind, as the router counts them."""

    used: Count
    """Cells that the design and its harness use (a number)."""
    available: Count
    """Cells of the device (a number)."""


class Routed(Part):
    """Placement and routing of a design on one device; the cost of the harness is subtracted."""

    device: Name
    """The device, as its vendor calls it."""
    clock_ns: PositiveReal
    """Requested clock period, in ns."""
    runs: Annotated[tuple[Run, ...], Field(min_length=1)]
    """All runs, one per seed; figures are those of the worst."""
    cells: Annotated[dict[str, Cells], ByKey]
    """Cells by kind, as the router calls it, including those of the harness."""
    harness: Resources
    """Resources of the harness (the registers around the ports), mapped alone; not part of the
    figures."""
    critical_path: tuple[Segment, ...]
    """The longest path between registers in the worst run, from clock edge to clock edge."""
    lut: Annotated[Count | None, Figure("routed LUT", "less", name="routed_lut", primary=False)] = (
        None
    )
    """Look-up tables that the router placed (a number)."""
    ff: Annotated[Count | None, Figure("routed FF", "less", name="routed_ff", primary=False)] = None
    """Flip-flops that the router placed (a number)."""
    dsp: Annotated[Count | None, Figure("routed DSP", "less", name="routed_dsp", primary=False)] = (
        None
    )
    """Multiplier blocks that the router placed (a number)."""
    bram: Annotated[
        Amount | None,
        Figure("routed BRAM", "less", name="routed_bram", unit="36 Kb", digits=1, primary=False),
    ] = None
    """Block RAM that the router placed, in units of 36 Kb blocks."""
    predicted_ns: Annotated[
        PositiveReal | None,
        Figure("predicted path", "less", name="path_predicted", unit="ns", digits=2),
    ] = None
    """The longest path between registers by the delay model, in ns."""

    derate: PositiveReal | None = None
    """Factor on the times of the delay model when the pipeline was scheduled (a ratio);
    `predicted_ns` includes it."""

    @model_validator(mode="after")
    def _distinct(self) -> Routed:
        refuse_duplicates("seed", (str(run.seed) for run in self.runs))
        return self

    @property
    @Figure("Fmax", "more", name="fmax", unit="MHz", digits=1)
    def fmax_mhz(self) -> float:
        """Highest clock frequency, in MHz, with the worst seed."""
        return min(run.fmax_mhz for run in self.runs)

    @property
    @Figure("slack", "more", name="slack", unit="ns", digits=3, least=0)
    def slack_ns(self) -> float:
        """Worst slack at the requested clock, in ns; negative if timing is not met."""
        return self.clock_ns - self.path_ns

    @property
    @Figure("routed path", "less", name="path", unit="ns", digits=2, after="path_predicted")
    def path_ns(self) -> float:
        """The longest path between registers, in ns: the clock period at `fmax`."""
        return 1000 / self.fmax_mhz

    @property
    @Figure(
        "routed / predicted path", "less", name="path_ratio", digits=2, after="path", primary=False
    )
    def path_ratio(self) -> float | None:
        """The longest routed path divided by the predicted one (a ratio)."""
        return None if self.predicted_ns is None else self.path_ns / self.predicted_ns

    @property
    def worst(self) -> Run:
        """The run with the lowest frequency."""
        return min(self.runs, key=lambda run: run.fmax_mhz)


RoutedByTarget = Annotated[dict[str, Routed], ByKey]
"""Results of placement and routing, by the name of the target."""
