"""The named figures of a report: what tables show, budgets limit and comparisons compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatewright.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewright.report.schema import Report, SweepReport


_TIMING = {
    "clock_ns": "timing.clock",
    "latency_predicted": "timing.predicted",
    "ii_predicted": "timing.predicted",
    "fmax_mhz": "timing.analyzed",
    "slack_ns": "timing.analyzed",
}


@dataclass(frozen=True)
class Figure:
    """A number that a report may hold."""

    name: str  # what budgets and CSV columns call it
    field: str  # where it stands: "timing.ii"; for a resource, its field in Resources
    label: str
    unit: str  # "" for plain numbers
    better: Literal["less", "more"]
    digits: int = 0  # after the point, where people read it
    primary: bool = True  # whether the main table for people shows it

    @property
    def per_target(self) -> bool:
        """Whether the figure is one per target."""
        return "." not in self.field

    @property
    def group(self) -> str:
        """The group of `Report.groups`; "resources" stands for "resources.<target>"."""
        if self.per_target:
            return "resources"
        part, field = self.field.split(".")
        if part == "timing":
            return _TIMING.get(field, "timing.simulated")
        return self.field if part == "accuracy" else part

    def format(self, value: float | None) -> str:
        """The value for people, with thousands separated; "" where it is not known."""
        return "" if value is None else f"{value:,.{self.digits}f}"


FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        Figure("accuracy_float", "accuracy.float_model", "float", "", "more", 4),
        Figure("accuracy_quantized", "accuracy.quantized", "quantized", "", "more", 4),
        Figure("accuracy", "accuracy.rtl", "RTL", "", "more", 4),
        Figure("accuracy_validation", "accuracy.validation", "validation", "", "more", 4, False),
        Figure("vectors", "verification.vectors", "vectors", "", "more", 0, False),
        Figure("mismatches", "verification.mismatches", "mismatches", "", "less", 0, False),
        Figure("agreement", "fidelity.agreement", "agreement with the model", "", "more", 4),
        Figure("difference", "fidelity.largest", "difference from the model", "", "less", 6, False),
        Figure("mean_difference", "fidelity.mean", "mean difference from it", "", "less", 6, False),
        Figure("equal", "fidelity.equal", "equal to the model", "", "more", 4, False),
        Figure("clock", "timing.clock_ns", "clock", "ns", "less", 3),
        Figure("latency", "timing.latency_max", "latency", "cycles", "less"),
        Figure("latency_min", "timing.latency_min", "least latency", "cycles", "less"),
        Figure("latency_last", "timing.latency_last_max", "latency to last beat", "cycles", "less"),
        Figure(
            "latency_last_min",
            "timing.latency_last_min",
            "least latency to last beat",
            "cycles",
            "less",
            0,
            False,
        ),
        Figure("latency_ns", "timing.latency_ns", "latency", "ns", "less", 1),
        Figure("ii", "timing.ii", "II", "cycles", "less"),
        Figure("fps", "timing.fps", "FPS", "", "more"),
        Figure(
            "latency_predicted", "timing.latency_predicted", "predicted latency", "cycles", "less"
        ),
        Figure("ii_predicted", "timing.ii_predicted", "predicted II", "cycles", "less"),
        Figure("fmax", "timing.fmax_mhz", "Fmax", "MHz", "more", 1),
        Figure("slack", "timing.slack_ns", "slack", "ns", "more", 3),
        Figure("lut", "lut", "LUT", "", "less"),
        Figure("ff", "ff", "FF", "", "less"),
        Figure("dsp", "dsp", "DSP", "", "less"),
        Figure("bram", "bram", "BRAM", "36 Kb", "less", 1),
        Figure("uram", "uram", "URAM", "", "less"),
        Figure("lutram", "lutram", "LUTRAM", "", "less"),
        Figure("carry", "carry", "carry", "", "less", 0, False),
        Figure("area", "area_um2", "area", "µm²", "less", 1),
        Figure("energy", "energy_pj", "energy", "pJ", "less", 2),
        Figure("macs", "compute.macs", "MACs", "", "less", 0, False),
        Figure("bops", "compute.bops", "BOPs", "", "less", 0, False),
        Figure("ebops", "compute.ebops", "EBOPs", "", "less", 0, False),
        Figure("parameters", "compute.parameters", "parameters", "", "less", 0, False),
        Figure("weight_bits", "compute.weight_bits", "weight storage", "bits", "less", 0, False),
        Figure("sparsity", "compute.sparsity", "sparsity", "", "more", 3, False),
    )
}
"""Every figure by name, in the order of tables."""


@dataclass(frozen=True)
class Quantity:
    """A figure, on one target where it is a resource; without one it is meant on each."""

    figure: Figure
    target: str | None = None

    @property
    def name(self) -> str:
        """How columns and budgets call it, for example "ii" or "xcup.lut"."""
        return f"{self.target}.{self.figure.name}" if self.target else self.figure.name

    @property
    def group(self) -> str:
        """The group of `Report.groups` that it belongs to."""
        return f"{self.figure.group}.{self.target}" if self.target else self.figure.group

    @property
    def anywhere(self) -> bool:
        """Whether it is a resource that is meant on each target."""
        return self.figure.per_target and self.target is None

    @property
    def heading(self) -> str:
        """Label and unit, for example "latency (cycles)"."""
        figure = self.figure
        return f"{figure.label} ({figure.unit})" if figure.unit else figure.label

    def of(self, report: Report) -> float | None:
        """The number that the report holds, or None where it is not known."""
        if self.figure.per_target:
            return getattr(report.resources.get(self.target or ""), self.figure.field, None)
        part, field = self.figure.field.split(".")
        return getattr(getattr(report, part), field, None)


@dataclass(frozen=True)
class Column(Quantity):
    """A quantity of every report of a sweep."""

    values: tuple[float | None, ...] = ()

    @property
    def known(self) -> bool:
        """Whether any report knows it."""
        return any(value is not None for value in self.values)

    @property
    def constant(self) -> bool:
        """Whether all of several reports say the same."""
        return len(self.values) > 1 and self.known and len(set(self.values)) == 1


def find_quantity(name: str) -> Quantity:
    """The quantity that budgets call by a name, for example "ii", "lut" or "xcup.lut".

    Raises:
        InputError: if there is no such figure, or if it has a target that it does not depend on.
    """
    target, point, short = name.rpartition(".")
    figure = FIGURES.get(short)
    if figure is None:
        raise InputError(f"no figure '{short}'; there are {', '.join(FIGURES)}")
    if point and not figure.per_target:
        raise InputError(f"{short} does not depend on a target; write {short}")
    if point and not target:
        raise InputError(f"no target before the point; write xcup.{short}, say")
    return Quantity(figure, target or None)


def quantities(targets: Iterable[str]) -> list[Quantity]:
    """Every quantity there is with these targets, in the order of tables."""
    sections = ("accuracy", "verification", "fidelity", "timing", "resources", "compute")
    table = [
        Quantity(figure, target)
        for figure in FIGURES.values()
        for target in (targets if figure.per_target else [None])
    ]
    return sorted(table, key=lambda q: (sections.index(q.group.split(".")[0]), q.target or ""))


def columns(sweep: SweepReport) -> list[Column]:
    """Every quantity of a sweep, those that no report knows included."""
    return [column(sweep, quantity) for quantity in quantities(sweep.targets)]


def column(sweep: SweepReport, quantity: Quantity) -> Column:
    """A quantity of every report of a sweep."""
    values = tuple(quantity.of(report) for report in sweep.reports)
    return Column(quantity.figure, quantity.target, values)
