"""Shows the outcome of quantizing a model as tables and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from gatewright.compress.bits import LayerBits
    from gatewright.compress.quantize_files import Outcome
    from gatewright.compress.sensitivity import Sensitivity
    from gatewright.metrics import Goal


def render(outcome: Outcome, console: Console) -> None:
    """Print tables of the sensitivity, if it was measured, and of the ranges."""
    if outcome.table is not None:
        console.print(_sensitivity(outcome.table))
    if outcome.ranges:
        console.print(_ranges(outcome))
    if outcome.goal is not None and outcome.score is not None:
        console.print(
            f"{outcome.goal.name} {_value(outcome.goal, outcome.score)}, of the float model "
            f"{_value(outcome.goal, outcome.float_score)}"
        )


def as_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data."""
    table = outcome.table
    kind = outcome.goal.kind if outcome.goal is not None else "accuracy"
    return {
        "bits": {name: _plain(bits) for name, bits in outcome.bits.items()},
        "ranges": [asdict(each) for each in outcome.ranges],
        "metric": outcome.goal and outcome.goal.name,
        f"float_{kind}": outcome.float_score,
        kind: outcome.score,
        "sensitivity": table
        and [
            {
                "layer": cell.layer,
                "bits": _plain(cell.bits),
                kind: cell.score,
                "ebops": cell.ebops,
            }
            for cell in table.cells
        ],
    }


def _plain(bits: LayerBits) -> dict[str, Any]:
    return bits.model_dump(exclude_none=True)


def _sensitivity(table: Sensitivity) -> Table:
    """A table of what is lost in percent, with a row per layer and a column per precision."""
    widths = list(dict.fromkeys(_label(cell.bits) for cell in table.cells))
    what = "lost" if table.goal.better == "more" else "risen"
    title = f"{table.goal.name} {what} in %, one layer quantized"
    shown = Table("layer", *widths, title=title)
    for layer, cells in table.layers.items():
        lost = {_label(cell.bits): 100 * table.goal.lost(table.score, cell.score) for cell in cells}
        shown.add_row(layer, *(f"{lost[width]:.2f}" if width in lost else "" for width in widths))
    return shown


def _label(bits: LayerBits) -> str:
    if bits.weights == bits.activations and bits.biases is None:
        return f"{bits.weights} bits"
    widths = (bits.weights, bits.activations, bits.biases)
    return ",".join(str(width) for width in widths if width is not None)


def _ranges(outcome: Outcome) -> Table:
    shown = Table("layer", "of", "quantizer", "bits", "integer", "saturated")
    for each in outcome.ranges:
        integer = "" if each.integer is None else str(each.integer)
        shown.add_row(
            each.layer, each.what, each.quantizer, str(each.bits), integer, _share(each.saturated)
        )
    return shown


def _value(goal: Goal, value: float | None) -> str:
    return _share(value) if goal.better == "more" or value is None else f"{value:.4g}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"
