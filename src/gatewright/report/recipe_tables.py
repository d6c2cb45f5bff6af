"""The steps of recipes as a table: settings, and metric and cost of the model afterwards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gatewright.report.text_tables import filled, numbers, significant, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.report.schema import Report
    from gatewright.report.text_tables import Entry


def step_table(reports: Sequence[Report], *, wall_times: bool = True) -> list[Entry]:
    """A row per step of each report, in order; empty without steps.

    For a single report there is no column of configurations.

    Args:
        reports: the configurations.
        wall_times: whether to show the wall time of each step.
    """
    rows = [(report.config.name, step) for report in reports for step in report.steps]
    if not rows:
        return []
    steps = [step for _, step in rows]
    cost = "steps.compute"
    metrics = {step.metric for step in steps}
    metric = metrics.pop() if len(metrics) == 1 else "metric"
    column = partial(numbers, form=".4f") if steps[0].better == "more" else significant
    entries = [
        *([texts("config", [name for name, _ in rows])] if len(reports) > 1 else []),
        texts("step", [step.name for step in steps]),
        texts("settings", [step.settings for step in steps]),
        column(f"{metric} (validation)", [step.validation for step in steps]),
        column(f"{metric} (test)", [step.test for step in steps]),
        numbers("weights", [step.weights for step in steps], cost),
        numbers("nonzero", [step.weights_nonzero for step in steps], cost),
        numbers("MACs", [step.macs for step in steps], cost),
        numbers("BOPs", [step.bops for step in steps], cost),
        numbers("EBOPs", [step.ebops for step in steps], cost),
        numbers("weight storage (bits)", [step.weight_bits for step in steps], cost),
        texts("device", [step.device for step in steps]),
    ]
    if wall_times:
        entries.append(numbers("time (s)", [step.seconds for step in steps], form=",.1f"))
    return filled(entries)
