"""Estimates as a table and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from gatewright.estimate.cost_model import COUNTED

if TYPE_CHECKING:
    from gatewright.estimate import DesignEstimate, Estimated


def estimate_json(found: DesignEstimate) -> dict[str, Any]:
    """An estimate as JSON values; the origin says that nothing was measured."""
    return {
        "origin": "estimated",
        "target": found.target,
        "clock_ns": found.clock_ns,
        "handshake": found.handshake,
        "total": asdict(found.total),
        "latency": found.latency,
        "ii": found.interval,
        "path_ns": round(found.path_ns, 3),
        "fmax_mhz": round(found.fmax_mhz, 1),
        "layers": [
            {
                "layers": list(layer.layers),
                **asdict(layer.resources),
                "latency": layer.latency,
                "ii": layer.interval,
                "path_ns": round(layer.path_ns, 3),
            }
            for layer in found.layers
        ],
        "between": asdict(found.between),
        "by_rules": list(COUNTED),
        "errors": found.errors,
        "notes": list(found.notes),
    }


def estimate_table(found: DesignEstimate) -> Table:
    """An estimate as a table, with a row per layer's module."""
    shown = Table("estimated", title_justify="left")
    for name in ("LUT", "FF", "DSP", "BRAM", "latency", "interval", "path ns"):
        shown.add_column(name, justify="right")
    for layer in found.layers:
        figures = f"{layer.latency}", f"{layer.interval}", f"{layer.path_ns:.2f}"
        shown.add_row(", ".join(layer.layers), *_cells(layer.resources), *figures)
    shown.add_row("between layers", *_cells(found.between), "", "", "", end_section=True)
    figures = f"{found.latency}", f"{found.interval}", f"{found.path_ns:.2f}"
    shown.add_row("design", *_cells(found.total), *figures)
    return shown


def origin_text(found: DesignEstimate) -> str:
    """One line that says how the resources were obtained, and how far off they may be."""
    errors = ", ".join(f"{name.upper()} {error:.1%}" for name, error in found.errors.items())
    return f"{', '.join(map(str.upper, COUNTED))} follow from rules, LUT from coefficients" + (
        f"; greatest errors on models that these were not fitted to: {errors}" if errors else ""
    )


def estimate_text(found: DesignEstimate) -> str:
    """One line with the target, clock, handshake and Fmax of an estimate."""
    return (
        f"estimated for {found.target} at {found.clock_ns:g} ns, handshake {found.handshake}: "
        f"{found.fmax_mhz:.0f} MHz by the delay model, nothing synthesized"
    )


def _cells(resources: Estimated) -> tuple[str, str, str, str]:
    return (
        f"{resources.lut:,}",
        f"{resources.ff:,}",
        f"{resources.dsp:,}",
        f"{resources.bram:g}",
    )
