"""A report of one configuration, and the reports of a sweep."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from gatewright.report.schema.baselines import Baseline
from gatewright.report.schema.configuration import Config, LayerConfig, Model
from gatewright.report.schema.origins import Provenance
from gatewright.report.schema.structure import Bottleneck, Fifo, Layer, Port
from gatewright.report.schema.training import Accuracy, Compute, Repetition, Step
from gatewright.report.schema.trials import Search
from gatewright.results.against_model import Fidelity
from gatewright.results.analyzed import AnalyzedByTarget, PowerByTarget
from gatewright.results.figure import PerImport, PerTarget, Source, marked, sources
from gatewright.results.imported import ByToolAndStage
from gatewright.results.part import Part, refuse_duplicates
from gatewright.results.ranges import Ranges
from gatewright.results.routed import RoutedByTarget
from gatewright.results.scalars import Count
from gatewright.results.timing import Timing
from gatewright.results.utilization import ByTarget
from gatewright.results.verification import Verification

VERSION: Literal[1] = 1
"""Version of the schema; it rises when a field changes its name or its meaning."""

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
    verification: Verification | None = None
    fidelity: Fidelity | None = None
    timing: Timing | None = None
    resources: Annotated[ByTarget, PerTarget("resources")] = Field(default_factory=dict)
    """Resources of the whole design per target."""
    analyzed: Annotated[AnalyzedByTarget, PerTarget("analyzed")] = Field(default_factory=dict)
    """Static timing and leakage of a netlist of standard cells, per target."""
    power: Annotated[PowerByTarget, PerTarget("power")] = Field(default_factory=dict)
    """Power and energy of a netlist of standard cells, per target."""
    routed: Annotated[RoutedByTarget, PerTarget("routed")] = Field(default_factory=dict)
    """What placing and routing found per target."""
    vendor: Annotated[ByToolAndStage, PerImport("vendor")] = Field(default_factory=dict)
    """What reports of vendor tools say of the whole design, by tool and step."""
    layers: tuple[Layer, ...] = ()
    """Figures per layer, in the order of the network."""
    ranges: Ranges | None = None
    """Ranges of weights and activations against their types."""
    compute: Compute | None = None
    steps: tuple[Step, ...] = ()
    """What the recipe did to the model before it became hardware, in order."""
    training_seed: Count | None = None
    """Seed that the network was trained from (a number)."""
    repetitions: Annotated[tuple[Repetition, ...], Source("")] = ()
    """The same from other seeds, of which the origins are those of this report's own figures."""
    ports: tuple[Port, ...] = ()
    """Ports of the top module, inputs first."""
    fifos: tuple[Fifo, ...] = ()
    """FIFOs between layers, in the order of the network."""
    bottleneck: Annotated[Bottleneck | None, Source("bottleneck")] = None
    """The layer that takes longest, where that is longer than the ports take for a tensor."""
    provenance: Provenance

    @property
    def groups(self) -> list[str]:
        """The groups of figures that this report holds; each must have an origin.

        The fields declare them, see `results.figure`; the first word of each is a field of the
        report, in whose order they come.
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
    def passed(self) -> bool | None:
        """Whether the RTL was found equal bit for bit; None where nothing was compared."""
        check = self.verification
        if check is None or not (check.vectors or check.differing or check.first_difference):
            return None
        return check.passed

    @property
    def targets(self) -> list[str]:
        """Targets that any part of the report is about, sorted."""
        return sorted(set().union(*(getattr(self, name) for name in marked(type(self), PerTarget))))

    @property
    def per_target(self) -> dict[str, list[str]]:
        """What each part with figures per target has them on, by its field.

        That is every target of the report; of what was imported, the tools and steps it is from.
        """
        imported = {name: sorted(getattr(self, name)) for name in marked(type(self), PerImport)}
        return dict.fromkeys(marked(type(self), PerTarget), self.targets) | imported

    def layer_config(self, name: str) -> LayerConfig | None:
        """What was configured for the layer of that name."""
        return next((layer for layer in self.config.layers if layer.name == name), None)

    def utilization(self, layer: Layer) -> float | None:
        """Part of the network's predicted initiation interval that a layer works, up to 1."""
        whole = self.timing.ii_predicted if self.timing else None
        if layer.interval is None or whole is None:
            return None
        return min(1.0, layer.interval / whole)

    def to_json(self, *, wall_times: bool = True) -> str:
        """The report as JSON, the same bytes for the same figures.

        Args:
            wall_times: whether to keep `provenance.seconds`, those of `steps` and those of the
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
    """What software on a processor makes of the same task."""
    search: Search | None = None
    """How the configurations were found, if by a search."""

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
        """Targets that any of the reports is about, sorted."""
        return sorted({target for report in self.reports for target in report.targets})

    @property
    def per_target(self) -> dict[str, list[str]]:
        """What each part with figures per target has them on in any report; see there."""
        held = [report.per_target for report in self.reports]
        return {
            part: sorted({name for targets in held for name in targets[part]}) for part in held[0]
        }

    def to_json(self, *, wall_times: bool = True) -> str:
        """The reports as JSON, the same bytes for the same figures.

        Args:
            wall_times: whether to keep `provenance.seconds` and those of `steps`, which differ
                from run to run. Baselines are times by nature, and are kept.
        """
        return _dump(self, None if wall_times else {"reports": {"__all__": _WALL_TIMES}})


def _dump(part: Part, exclude: Any) -> str:
    return part.model_dump_json(indent=1, exclude_none=True, exclude=exclude) + "\n"
