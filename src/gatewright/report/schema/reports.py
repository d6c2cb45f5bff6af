"""A report of one configuration, and the reports of a sweep."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from gatewright.report.schema.configuration import Config, LayerConfig, Model
from gatewright.report.schema.origins import Provenance
from gatewright.report.schema.structure import Bottleneck, Fifo, Layer, Port
from gatewright.report.schema.training import Accuracy, Compute, Error, Repetition, Score, Step
from gatewright.report.schema.trials import Search
from gatewright.results.against_model import Fidelity
from gatewright.results.analyzed import AnalyzedByTarget, PowerByTarget
from gatewright.results.figure import PerImport, PerTarget, Source, marked, sources
from gatewright.results.imported import ByToolAndStage
from gatewright.results.part import Part, refuse_duplicates
from gatewright.results.ranges import Ranges
from gatewright.results.routed import RoutedByTarget
from gatewright.results.scalars import Count
from gatewright.results.software import Baseline, Software
from gatewright.results.timing import Timing
from gatewright.results.utilization import ByTarget
from gatewright.results.verification import Verification

VERSION: Literal[1] = 1
"""Version of the schema; increased when a field changes its name or meaning."""

_WALL_TIMES = {
    "provenance": {"seconds"},
    "steps": {"__all__": {"seconds"}},
    "routed": {"__all__": {"runs": {"__all__": {"seconds"}}}},
}


class Report(Part):
    """The figures of one model under one configuration.

    Raises:
        pydantic.ValidationError: if a field is unknown or out of range, or if a group of figures
            has no origin in `provenance.groups`.
    """

    version: Literal[1] = VERSION
    """Version of the schema (a number)."""
    model: Model
    config: Config
    accuracy: Accuracy | None = None
    error: Error | None = None
    verification: Verification | None = None
    fidelity: Fidelity | None = None
    timing: Timing | None = None
    resources: Annotated[ByTarget, PerTarget("resources")] = Field(default_factory=dict)
    """Resources of the whole design, per target."""
    analyzed: Annotated[AnalyzedByTarget, PerTarget("analyzed")] = Field(default_factory=dict)
    """Static timing and leakage of a netlist of standard cells, per target."""
    power: Annotated[PowerByTarget, PerTarget("power")] = Field(default_factory=dict)
    """Power and energy of a netlist of standard cells, per target."""
    routed: Annotated[RoutedByTarget, PerTarget("routed")] = Field(default_factory=dict)
    """Results of placement and routing, per target."""
    vendor: Annotated[ByToolAndStage, PerImport("vendor")] = Field(default_factory=dict)
    """Figures of the whole design from reports of vendor tools, by tool and step."""
    software: Software | None = None
    """The quantized model as software on this machine."""
    layers: tuple[Layer, ...] = ()
    """Figures per layer, in the order of the network."""
    ranges: Ranges | None = None
    """Ranges of weights and activations against their types."""
    compute: Compute | None = None
    steps: tuple[Step, ...] = ()
    """Steps of the recipe that made the model, in order."""
    training_seed: Count | None = None
    """Seed of the training of the network (a number)."""
    repetitions: Annotated[tuple[Repetition, ...], Source("")] = ()
    """The same configuration trained from other seeds; the figures have the same origins."""
    ports: tuple[Port, ...] = ()
    """Ports of the top module, inputs first."""
    fifos: tuple[Fifo, ...] = ()
    """FIFOs between layers, in the order of the network."""
    bottleneck: Annotated[Bottleneck | None, Source("bottleneck")] = None
    """The slowest layer, if it takes longer per tensor than the ports do."""
    provenance: Provenance

    @property
    def groups(self) -> list[str]:
        """The groups of figures that this report has; each must have an origin.

        The fields declare them, see `results.figure`. The first word of a group is a field of the
        report; groups are in the order of these fields.
        """
        order = list(type(self).model_fields)
        found = dict.fromkeys(sources(self))
        return sorted(found, key=lambda group: order.index(group.partition(".")[0]))

    @model_validator(mode="after")
    def _consistent(self) -> Report:
        refuse_duplicates("layer", (layer.name for layer in self.layers))
        refuse_duplicates("FIFO", (fifo.name for fifo in self.fifos))
        if self.repetitions:
            seeds = [self.training_seed, *(again.seed for again in self.repetitions)]
            refuse_duplicates("seed", map(str, seeds))
        for key, imported in self.vendor.items():
            if key != imported.key:
                raise ValueError(f"vendor.{key} is {imported.key}")
        missing = [group for group in self.groups if group not in self.provenance.groups]
        if missing:
            raise ValueError(f"provenance.groups has no origin for {', '.join(missing)}")
        return self

    @property
    def score(self) -> Score | None:
        """The metric of the model, whichever way is better; None if it is unknown."""
        return self.accuracy or self.error

    @property
    def passed(self) -> bool | None:
        """Whether the RTL is bit-exact; None if nothing was compared."""
        check = self.verification
        if check is None or not (check.vectors or check.differing or check.first_difference):
            return None
        return check.passed

    @property
    def targets(self) -> list[str]:
        """Targets that any part of the report has figures for, sorted."""
        return sorted(set().union(*(getattr(self, name) for name in marked(type(self), PerTarget))))

    @property
    def per_target(self) -> dict[str, list[str]]:
        """The targets of each part with figures per target, by its field.

        These are all targets of the report; for imported figures, their tools and steps.
        """
        imported = {name: sorted(getattr(self, name)) for name in marked(type(self), PerImport)}
        return dict.fromkeys(marked(type(self), PerTarget), self.targets) | imported

    def layer_config(self, name: str) -> LayerConfig | None:
        """The settings of the layer with this name; None if there are none."""
        return next((layer for layer in self.config.layers if layer.name == name), None)

    def utilization(self, layer: Layer) -> float | None:
        """Fraction of the network's predicted initiation interval that a layer is busy, 0 to 1.

        None if either interval is unknown.
        """
        whole = self.timing.ii_predicted if self.timing else None
        if layer.interval is None or whole is None:
            return None
        return min(1.0, layer.interval / whole)

    def to_json(self, *, wall_times: bool = True) -> str:
        """The report as JSON, the same bytes for the same figures.

        Args:
            wall_times: whether to write the wall times of `provenance`, of `steps` and of the
                router's runs, which differ from run to run.
        """
        return _dump(self, None if wall_times else _WALL_TIMES)


class SweepReport(Part):
    """The reports of one model, one per configuration."""

    version: Literal[1] = VERSION
    """Version of the schema (a number)."""
    reports: Annotated[tuple[Report, ...], Field(min_length=1)]
    """One per configuration, in the order of the sweep."""
    baselines: tuple[Baseline, ...] = ()
    """Software on a processor with the same task."""
    search: Search | None = None
    """The search that found the configurations, if any."""

    @model_validator(mode="after")
    def _one_model(self) -> SweepReport:
        refuse_duplicates("configuration", (report.config.name for report in self.reports))
        models = sorted({report.model.name for report in self.reports})
        if len(models) > 1:
            raise ValueError(f"reports of several models ({', '.join(models)})")
        return self

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.reports[0].model.name

    @property
    def targets(self) -> list[str]:
        """Targets of all reports, sorted."""
        return sorted({target for report in self.reports for target in report.targets})

    @property
    def per_target(self) -> dict[str, list[str]]:
        """The targets of each part with figures per target, of all reports together."""
        held = [report.per_target for report in self.reports]
        return {
            part: sorted({name for targets in held for name in targets[part]}) for part in held[0]
        }

    def to_json(self, *, wall_times: bool = True) -> str:
        """The reports as JSON, the same bytes for the same figures.

        Args:
            wall_times: as in `Report.to_json`. The measured times of baselines are always written.
        """
        return _dump(self, None if wall_times else {"reports": {"__all__": _WALL_TIMES}})


def _dump(part: Part, exclude: Any) -> str:
    return part.model_dump_json(indent=1, exclude_none=True, exclude=exclude) + "\n"
