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


def render(outcome: Outcome, console: Console) -> None:
    """Print tables of the sensitivity, if it was measured, and of the ranges."""
    if outcome.table is not None:
        console.print(_sensitivity(outcome.table))
    if outcome.ranges:
        console.print(_ranges(outcome))
    if outcome.accuracy is not None:
        console.print(
            f"accuracy {_share(outcome.accuracy)}, of the float model "
            f"{_share(outcome.float_accuracy)}"
        )


def as_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data."""
    table = outcome.table
    return {
        "bits": {name: _plain(bits) for name, bits in outcome.bits.items()},
        "ranges": [asdict(each) for each in outcome.ranges],
        "float_accuracy": outcome.float_accuracy,
        "accuracy": outcome.accuracy,
        "sensitivity": table
        and [
            {
                "layer": cell.layer,
                "bits": _plain(cell.bits),
                "accuracy": cell.accuracy,
                "ebops": cell.ebops,
            }
            for cell in table.cells
        ],
    }


def _plain(bits: LayerBits) -> dict[str, Any]:
    return bits.model_dump(exclude_none=True)


def _sensitivity(table: Sensitivity) -> Table:
    """A table of the accuracy lost in percent, with a row per layer and a column per precision."""
    widths = list(dict.fromkeys(_label(cell.bits) for cell in table.cells))
    shown = Table("layer", *widths, title="accuracy lost in %, one layer quantized")
    for layer, cells in table.layers.items():
        lost = {_label(cell.bits): 100 * (table.accuracy - cell.accuracy) for cell in cells}
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


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"
