"""What pruning saves in hardware: pruned configurations against the same ones unpruned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewright.report.figures import FIGURES, Quantity
from gatewright.report.text_tables import filled, numbers, significant, texts

if TYPE_CHECKING:
    from gatewright.report.schema import Report, Step, SweepReport
    from gatewright.report.text_tables import Entry

PRUNE = "prune"
"""Name of the steps that prune."""

NO_TWIN = "Savings by pruning are unknown, because the report has no such recipe without pruning"
"""Text before the configurations that `unmatched` names."""

_RESOURCES = ("lut", "dsp", "bram")


@dataclass(frozen=True)
class Pruning:
    """A pruned configuration and what its pruning saved on one target."""

    pruned: Report
    unpruned: Report | None  # the same without pruning, if the sweep has it
    target: str

    @property
    def how(self) -> str:
        """The settings of the pruning."""
        return "; ".join(step.settings or PRUNE for step in _prunings(self.pruned))

    @property
    def weights(self) -> tuple[int | None, int | None]:
        """Number of nonzero weights, before and after pruning."""
        return _nonzero(self.unpruned), _nonzero(self.pruned)

    def resource(self, name: str) -> tuple[float | None, float | None]:
        """A resource before and after pruning, in the unit of the figure of that name."""
        quantity = Quantity(FIGURES[name], self.target)
        return quantity.of(self.unpruned) if self.unpruned else None, quantity.of(self.pruned)

    def change(self, name: str) -> float | None:
        """The change of a figure of the RTL, "accuracy" or "error"; None if it is unknown."""
        quantity = Quantity(FIGURES[name])
        before = quantity.of(self.unpruned) if self.unpruned else None
        after = quantity.of(self.pruned)
        return None if before is None or after is None else after - before

    @property
    def verdict(self) -> str:
        """Whether hardware saves resources: "saves", "saves nothing", or "" if unknown."""
        saved = [_less(*self.resource(name)) for name in _RESOURCES]
        if all(amount is None for amount in saved):
            return ""
        return "saves" if any(amount and amount > 0 for amount in saved) else "saves nothing"


def prunings(sweep: SweepReport) -> list[Pruning]:
    """Every pruned configuration on every target that it has resources for.

    Two configurations are the same except for pruning if, steps that prune left out, they have the
    same steps with the same settings in the same order; the same weight bits and requested reuse
    factor in every layer; and the same io type, target, clock and requested speed.
    """
    unpruned: dict[str, Report] = {}
    for report in sweep.reports:
        if report.steps and not _prunings(report):
            unpruned.setdefault(repr(_identity(report)), report)
    return [
        Pruning(report, unpruned.get(repr(_identity(report))), target)
        for report in sweep.reports
        if _prunings(report)
        for target in report.resources
    ]


def pruning_table(sweep: SweepReport) -> list[Entry]:
    """A row per pruned configuration whose unpruned one is known: weights and resources saved."""
    found = [pruning for pruning in prunings(sweep) if pruning.unpruned]
    if not found:
        return []
    weights = [pruning.weights for pruning in found]
    entries = [
        texts("config", [pruning.pruned.config.name for pruning in found]),
        texts("unpruned", [p.unpruned.config.name for p in found if p.unpruned]),
        texts("pruning", [pruning.how for pruning in found]),
        *([texts("target", [p.target for p in found])] if len(sweep.targets) > 1 else []),
        texts("verdict", [pruning.verdict for pruning in found]),
        numbers("weights removed", [_less(*pair) for pair in weights]),
        numbers("share removed", [_share(*pair) for pair in weights], form=".1%"),
    ]
    for name in _RESOURCES:
        figure = FIGURES[name]
        pairs = [pruning.resource(name) for pruning in found]
        if any(before or after for before, after in pairs):
            unit = f" ({figure.unit})" if figure.unit else ""
            form = f",.{figure.digits}f"
            entries += [
                numbers(f"{figure.label} before{unit}", [b for b, _ in pairs], form=form),
                numbers(f"{figure.label} after{unit}", [a for _, a in pairs], form=form),
                numbers(f"{figure.label} saved", [_share(*pair) for pair in pairs], form=".1%"),
            ]
    accuracies = [pruning.change("accuracy") for pruning in found]
    entries.append(numbers("accuracy change", accuracies, form="+.4f"))
    entries.append(significant("error change", [pruning.change("error") for pruning in found]))
    return filled(entries)


def unmatched(sweep: SweepReport) -> list[str]:
    """Names of pruned configurations without an unpruned one in the sweep."""
    return list(dict.fromkeys(p.pruned.config.name for p in prunings(sweep) if not p.unpruned))


def _prunings(report: Report) -> list[Step]:
    return [step for step in report.steps if step.name == PRUNE]


def _identity(report: Report) -> Any:
    """A key that is equal for configurations that are the same except for pruning."""
    config = report.config
    return (
        [(step.name, step.settings) for step in report.steps if step.name != PRUNE],
        [(one.name, one.weight_bits, one.reuse_factor_asked) for one in config.layers],
        (config.io, config.target, config.reuse_factor, config.target_ii, config.target_fps),
        report.timing and report.timing.clock_ns,
    )


def _nonzero(report: Report | None) -> int | None:
    """Number of nonzero weights in hardware or, if unknown, after the last step of the recipe."""
    if report is None:
        return None
    known = [layer.weights_nonzero for layer in report.layers if layer.weights_nonzero is not None]
    if known:
        return sum(known)
    return report.steps[-1].weights_nonzero if report.steps else None


def _less(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else before - after


def _share(before: float | None, after: float | None) -> float | None:
    """The saving as a fraction of the value before; None if that is 0 or a value is unknown."""
    return None if not before or after is None else (before - after) / before
