"""The estimate of a whole design: per layer, between layers, and in total."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from gatewright.emit.interconnect import FrameCheck, Gate, Glue
from gatewright.errors import UnsupportedError
from gatewright.estimate.cost_model import CostModel, Estimated, Resource, load_cost_model
from gatewright.estimate.layer_counts import gate_counts, layer_counts
from gatewright.estimate.library_counts import library_counts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewright.emit.assembly import Assembly
    from gatewright.emit.interconnect import Node
    from gatewright.estimate.circuit_counts import Counts
    from gatewright.estimate.rules import Rules
    from gatewright.targets import Target


@dataclass(frozen=True)
class LayerEstimate:
    """The estimate of a module.

    Attributes:
        layers: names of the model's layers that it computes.
        resources: its resources.
        latency: latency from its first input beat to its first output beat, in cycles.
        interval: initiation interval, in cycles.
        path_ns: the longest path between its registers, in ns.
    """

    layers: tuple[str, ...]
    resources: Estimated
    latency: int
    interval: int
    path_ns: float


@dataclass(frozen=True)
class DesignEstimate:
    """The estimate of a design.

    Attributes:
        target: name of the target.
        clock_ns: clock period that pipelines are scheduled for, in ns.
        handshake: how pipelines handle backpressure.
        layers: estimates of layers, in topological order.
        between: resources between layers.
        latency: latency from input to output, in cycles.
        interval: initiation interval, in cycles.
        path_ns: the longest path, including ready paths, in ns.
        notes: requests not honoured, and what is done instead.
        errors: greatest relative error of total resources, by name, see `CostModel`.
    """

    target: str
    clock_ns: float
    handshake: str
    layers: tuple[LayerEstimate, ...]
    between: Estimated
    latency: int
    interval: int
    path_ns: float
    notes: tuple[str, ...]
    errors: dict[Resource, float]

    @property
    def total(self) -> Estimated:
        """Resources of the whole design."""
        return reduce(add, (layer.resources for layer in self.layers), self.between)

    @property
    def fmax_mhz(self) -> float:
        """Highest clock frequency by the target's delay model, in MHz."""
        return 1000 / self.path_ns


def estimate_design(made: Assembly, target: Target, clock_ns: float) -> DesignEstimate:
    """Estimate an assembled design.

    Args:
        made: the design, assembled for the target.
        target: a target with a cost model.
        clock_ns: clock period that the design was assembled for, in ns.

    Raises:
        UnsupportedError: if there is no cost model for the target, or none of a part of the design.
    """
    model = load_cost_model(target)
    layers = []
    for module in made.modules.values():
        latency, interval = module.measure()
        layers.append(
            LayerEstimate(
                tuple(kernel.layer for kernel in module.kernels),
                model.cost(layer_counts(module, model.rules)),
                latency,
                interval,
                module.path(target.fabric),
            )
        )
    return DesignEstimate(
        target.name,
        clock_ns,
        made.handshake,
        tuple(layers),
        _between(made.joined.nodes, model),
        made.latency,
        made.interval,
        max(made.path_ns, made.ready_ns),
        tuple(
            f"layer '{module.kernels[0].layer}': {note}"
            for module in made.modules.values()
            for note in module.notes
        ),
        model.errors,
    )


def glue_counts(nodes: Iterable[Node], rules: Rules) -> Counts:
    """Quantities of hardware between modules.

    Raises:
        UnsupportedError: if there is no estimate of one of the nodes.
    """
    found: Counts = Counter()
    for node in nodes:
        if isinstance(node, Gate):
            found += gate_counts(node.stages)
        elif isinstance(node, FrameCheck):
            raise UnsupportedError("--check-frames: there is no estimate of it; synthesize")
        elif isinstance(node, Glue):
            found += library_counts(node.module, node.parameters, rules)
    return found


def _between(nodes: Iterable[Node], model: CostModel) -> Estimated:
    return model.cost(glue_counts(nodes, model.rules))
