"""The tables that the terminal, Markdown and HTML show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gatewright.report.capacity import over_capacity
from gatewright.report.figures import FIGURES, Column, Quantity, columns, find_quantity
from gatewright.report.pareto import tradeoffs
from gatewright.report.sentences import (
    bottleneck_text,
    critical_path_text,
    fidelity_text,
    origin_text,
    port_text,
    timing_text,
    unmet_text,
    verdict,
)
from gatewright.report.text_tables import Entry, filled, numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gatewright.report.diff import Changes
    from gatewright.report.schema import (
        Comparison,
        Config,
        Layer,
        LayerConfig,
        Report,
        SweepReport,
    )


def summary(sweep: SweepReport) -> list[Entry]:
    """A row per configuration: its settings, then the main figures that any report has."""
    entries = [
        *choices(sweep),
        Entry("verification", tuple(verdict(r) for r in sweep.reports), group="verification"),
        *(
            Entry(heading(column, sweep.targets), _cells(column), column.values, column.group)
            for column in main_columns(sweep)
        ),
        *(
            Entry(
                "front" if len(sweep.targets) == 1 else f"{tradeoff.target} front",
                tuple("◆" if row in tradeoff.front else "" for row in range(len(sweep.reports))),
            )
            for tradeoff in tradeoffs(sweep)
        ),
    ]
    return filled(entries)


def choices(sweep: SweepReport) -> list[Entry]:
    """A row per configuration: its name and its settings."""
    configs = [report.config for report in sweep.reports]
    return [
        Entry("config", tuple(config.name for config in configs)),
        Entry("bits", tuple(map(_bits, configs))),
        Entry("io", tuple(config.io for config in configs)),
        Entry("reuse", tuple(str(config.reuse_factor or "") for config in configs)),
        numbers("II asked for", [config.target_ii for config in configs]),
        numbers("FPS asked for", [config.target_fps for config in configs]),
        Entry("target", tuple(config.target or "" for config in configs)),
        Entry("handshake", tuple(config.handshake or "" for config in configs)),
        Entry("metric", tuple(map(_metric, sweep.reports))),
    ]


def split(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Split the columns of `summary` into those to print once above the table, and the others.

    Printed above are values common to all configurations; for a single configuration, its settings.
    """
    several = len(entries[0].cells) > 1
    shared = [
        entry
        for entry in entries
        if entry.group != "verification"
        and (
            len(set(entry.cells)) == 1
            if several
            else entry.heading not in ("config", "front") and not entry.group
        )
    ]
    return shared, [entry for entry in entries if entry not in shared]


def layer_table(report: Report) -> list[Entry]:
    """A row per layer of one report; columns without any value are left out."""
    layers = report.layers
    configs = [report.layer_config(layer.name) for layer in layers]
    targets = sorted({target for layer in layers for target in layer.resources})
    entries = [
        Entry("layer", tuple(layer.name for layer in layers)),
        Entry("kind", tuple(layer.kind for layer in layers)),
        Entry("shape", tuple(map(_shapes, layers))),
        Entry("strategy", tuple(config.strategy or "" if config else "" for config in configs)),
        Entry(
            "reuse",
            tuple(_reuse(config) if config else "" for config in configs),
            tuple(config.reuse_factor if config else None for config in configs),
        ),
        numbers("multipliers", [config.multipliers if config else None for config in configs]),
        numbers("latency", [layer.latency for layer in layers], "timing.predicted"),
        numbers("II", [layer.interval for layer in layers], "timing.predicted"),
        _busy(report),
        numbers("weights", [layer.weights for layer in layers], "compute"),
        numbers("nonzero", [layer.weights_nonzero for layer in layers], "compute"),
        _departures(report),
    ]
    for target in targets:
        for figure in FIGURES.values():
            if figure.part == "resources":
                held = [layer.resources.get(target) for layer in layers]
                column = Column(
                    figure, target, tuple(getattr(part, figure.field, None) for part in held)
                )
                entries.append(
                    Entry(
                        heading(column, targets), _cells(column), column.values, f"layers.{target}"
                    )
                )
    entries += [
        Entry("reason", tuple(config.reason or "" if config else "" for config in configs)),
        Entry("types", tuple(_types(layer) for layer in layers)),
    ]
    return filled(entries)


def fifo_table(report: Report) -> list[Entry]:
    """A row per FIFO of one report; may be empty."""
    fifos = report.fifos
    if not fifos:
        return []
    levels = numbers("high-water mark (beats)", [fifo.level for fifo in fifos], "fifos")
    entries = [
        Entry("FIFO", tuple(fifo.name for fifo in fifos)),
        numbers("depth (beats)", [fifo.depth for fifo in fifos]),
        replace(levels, cells=tuple(cell or "not measured" for cell in levels.cells)),
        numbers("width (bits)", [fifo.width for fifo in fifos]),
    ]
    return filled(entries)


def range_table(report: Report) -> list[Entry]:
    """A row per type of weights and activations; empty if no range is known."""
    found = report.ranges
    if found is None or not (found.weights or found.activations):
        return []
    held = (*found.activations, *found.weights)
    shares = [each.at_limits / each.values for each in held]
    percent = tuple(f"{share:.1%}".replace("%", " %") for share in shares)
    entries = [
        Entry("layer", tuple(each.layer for each in held)),
        Entry("values", tuple(each.role for each in held)),
        Entry("type", tuple(each.type for each in held)),
        numbers("least", [each.least for each in held], form=",.6g"),
        numbers("greatest", [each.greatest for each in held], form=",.6g"),
        Entry("at the limits", percent, tuple(shares)),
        numbers("unused high bits", [each.unused_high for each in held]),
        numbers("unused low bits", [each.unused_low for each in held]),
    ]
    return filled(entries)


def vendor_table(reports: Sequence[Report]) -> list[Entry]:
    """A row per tool and step whose reports were imported; may be empty."""
    held = [(report, one) for report in reports for one in report.vendor.values()]
    if not held:
        return []
    rows = [one for _, one in held]
    figures = [figure for figure in FIGURES.values() if figure.part == "vendor"]
    configs = tuple(report.config.name for report, _ in held)
    entries = [
        Entry("vendor tool", tuple(one.key for one in rows)),
        Entry("config", configs if len(reports) > 1 else ("",) * len(rows)),
        Entry("version", tuple(one.version or "" for one in rows)),
        Entry("part", tuple(one.part or "" for one in rows)),
    ]
    for figure in figures:
        values = tuple(getattr(one, figure.field) for one in rows)
        heading = f"{figure.label} ({figure.unit})" if figure.unit else figure.label
        entries.append(Entry(heading, tuple(map(figure.format, values)), values))
    return filled(entries)


def bottlenecks(sweep: SweepReport) -> list[tuple[str, str]]:
    """Pairs of configuration and sentence: the slowest layer, and what limits the clock."""
    return [(report.config.name, text) for report in sweep.reports for text in limits(report)]


def limits(report: Report) -> list[str]:
    """Sentences on what limits the speed: the slowest layer, and on each target the clock."""
    slowest = [bottleneck_text(report.bottleneck)] if report.bottleneck else []
    return [
        *slowest,
        *(critical_path_text(*routed) for routed in report.routed.items()),
        *(timing_text(*analyzed) for analyzed in report.analyzed.items()),
    ]


def fidelities(sweep: SweepReport) -> list[tuple[str, str, bool]]:
    """Sentences on the agreement of each configuration with the model itself.

    Returns:
        Name of the configuration, the sentence, and whether it is a warning.
    """
    found = []
    for report in sweep.reports:
        if (fidelity := report.fidelity) is None:
            continue
        if len(sweep.reports) == 1 or not fidelity.outputs:  # of several it is in the table
            found.append((report.config.name, fidelity_text(fidelity), False))
        if fidelity.warning is not None:
            found.append((report.config.name, f"warning: {fidelity.warning}", True))
    return found


def notes(report: Report) -> list[str]:
    """Notes on a report, in sentences.

    Requests not honoured and their layers, why hls4ml's C++ was not compared, vendor tools that
    found timing not met, and devices that are too small.
    """
    layers: dict[str, list[str]] = {}
    for layer in report.config.layers:
        for note in layer.notes:
            layers.setdefault(note, []).append(layer.name)
    found = [f"{', '.join(names)}: {note}" for note, names in layers.items()]
    if report.verification and (why := report.verification.emulation_missing) is not None:
        found.append(f"not compared with hls4ml's C++: {why}")
    found += filter(None, map(unmet_text, report.vendor.values()))
    return found + over_capacity(report)


def more_table(sweep: SweepReport) -> list[Entry]:
    """A row per configuration: the known figures that `summary` leaves out.

    Figures of vendor tools are in `vendor_table`.
    """
    main = main_columns(sweep)
    rest = [
        column
        for column in columns(sweep)
        if column.known and column not in main and column.figure.part != "vendor"
    ]
    return [
        Entry("config", tuple(report.config.name for report in sweep.reports)),
        *(
            Entry(heading(column, sweep.targets), _cells(column), column.values, column.group)
            for column in rest
        ),
    ]


def change_table(difference: Changes) -> list[Entry]:
    """A row per changed figure."""
    changes = difference.changes
    formats = [change.format() for change in changes]
    entries = [
        Entry("config", tuple(change.config for change in changes)),
        Entry("figure", tuple(change.quantity.name for change in changes)),
        Entry("old", tuple(cells[0] for cells in formats), tuple(c.old for c in changes)),
        Entry("new", tuple(cells[1] for cells in formats), tuple(c.new for c in changes)),
        Entry("change", tuple(cells[2] for cells in formats), tuple(c.percent for c in changes)),
        Entry("verdict", tuple(_JUDGED[change.better] for change in changes)),
        Entry("origin", tuple(change.note for change in changes)),
    ]
    return filled(entries)


_JUDGED = {None: "", True: "better", False: "worse"}


def facts(report: Report) -> list[tuple[str, str]]:
    """Pairs of name and text: ports, verification, metric, and how the report was made."""
    made, check = report.provenance, report.verification
    found = [(f"Port, {report.config.io}", port_text(port)) for port in report.ports]
    if check is not None:
        found.append(("Compared with", f"{check.reference}: {_differ(check)}"))
        if check.keras is not None:
            found.append(("Keras' predictions", f"{_differ(check.keras)} from the RTL's outputs"))
        if check.stalls:
            found.append(("Stall patterns", "; ".join(check.stalls)))
        if check.layers:
            layers = [
                f"{layer.name} {'✗' if layer.mismatches or not layer.vectors else '✓'} "
                f"{layer.mismatches:,} of {layer.vectors:,}"
                for layer in check.layers
            ]
            found.append(("Layer by layer", f"{', '.join(layers)} differ"))
    for name, score, better in (
        ("Accuracy", report.accuracy, "more"),
        ("Error", report.error, "less"),
    ):
        if score is not None:
            text = f"{score.metric} on {score.samples:,} samples; {better} is better"
            found.append((name, text))
    found += [(f"Input: {name}", digest) for name, digest in made.inputs.items()]
    if made.seed is not None:
        found.append(("Seed", str(made.seed)))
    if made.seconds:
        times = [f"{step} {seconds:.1f} s" for step, seconds in made.seconds.items()]
        found.append(("Wall time", ", ".join(times)))
    return [*found, ("Written by", f"Gatewright {made.gatewright}")]


def _differ(compared: Comparison) -> str:
    return f"{compared.vectors:,} vectors, {compared.mismatches:,} differ"


def methods(sweep: SweepReport, groups: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names of figures and how they were obtained.

    Where configurations differ, each origin names those that it applies to.
    """
    lines: dict[str, list[str]] = {}
    held = [(report, frozenset(report.groups)) for report in sweep.reports]
    for group in dict.fromkeys(groups):
        if origin := _origins([report for report, known in held if group in known], group):
            lines.setdefault(origin, []).append(_called(group))
    return [(", ".join(names), origin) for origin, names in lines.items()]


def heading(quantity: Quantity, targets: Sequence[str]) -> str:
    """The heading of a column; it names the target unless that is the only one of `targets`."""
    text = quantity.heading
    if quantity.figure.part in ("accuracy", "error"):
        text = f"{quantity.figure.part} {text}"
    elsewhere = len(targets) > 1 or quantity.target not in targets
    return f"{quantity.target} {text}" if quantity.target and elsewhere else text


def figure_lines() -> list[str]:
    """A line per figure: name, heading, whether more or less is better, and description."""
    return [
        f"{figure.name}: {heading(Quantity(figure), ())}, {figure.better} is better"
        f"{', on each target' if figure.per_target else ''}. {figure.description}"
        for figure in FIGURES.values()
    ]


def _origins(reports: Sequence[Report], group: str) -> str:
    """The origin of the figures of one group that these reports have; "" without reports.

    Where configurations differ, the commonest origin comes first, and each of the others names its
    configurations.
    """
    holders: dict[str, list[str]] = {}
    for report in reports:
        text = origin_text(report.provenance.groups[group])
        holders.setdefault(text, []).append(report.config.name)
    commonest, *others = sorted(holders, key=lambda text: -len(holders[text])) or [""]
    named = [f"{origin} [{', '.join(holders[origin])}]" for origin in others]
    return "; but ".join([commonest, *named])


def all_groups(sweep: SweepReport) -> list[str]:
    """The groups of figures that at least one report has."""
    return list(dict.fromkeys(group for report in sweep.reports for group in report.groups))


def _called(group: str) -> str:
    """The name of a group of figures: from `_GROUPS`, its tool, its figures, or its target."""
    if group.startswith("vendor."):
        return group.removeprefix("vendor.")
    labels = [figure.label for figure in FIGURES.values() if figure.group == group]
    return _GROUPS.get(group) or ", ".join(labels) or group.replace(".", " on ", 1)


_GROUPS = {
    "accuracy.float_model": "float accuracy",
    "accuracy.quantized": "quantized accuracy",
    "accuracy.rtl": "RTL accuracy",
    "accuracy.validation": "validation accuracy",
    "error.float_model": "float error",
    "error.quantized": "quantized error",
    "error.rtl": "RTL error",
    "error.validation": "validation error",
    "verification": "verification",
    "fidelity": "agreement with the model itself",
    "timing.simulated": "latency, II, FPS",
    "timing.predicted": "predicted latency, II",
    "compute": "compute",
    "steps.accuracy": "metric after each step",
    "steps.compute": "cost after each step",
    "fifos": "high-water marks of FIFOs",
    "bottleneck": "bottleneck",
    "software": "model as software",
    "ranges.weights": "ranges of weights",
    "ranges.activations": "ranges of activations",
}


def main_columns(sweep: SweepReport) -> list[Column]:
    """The columns of the main table, including the objectives of a search.

    A column is left out if all its values equal those of a figure that it `repeats`.
    """
    known = {column.name: column for column in columns(sweep) if column.known}
    sought = (
        {find_quantity(name).figure for name in sweep.search.objectives} if sweep.search else ()
    )
    return [
        column
        for column in known.values()
        if (column.figure.primary or column.figure in sought)
        and not any(
            known[other].values == column.values
            for other in column.figure.repeats
            if other in known
        )
    ]


def _cells(column: Column) -> tuple[str, ...]:
    return tuple(map(column.figure.format, column.values))


def _busy(report: Report) -> Entry:
    """The utilization of each layer over time; empty if the network's interval is 1 cycle."""
    idle = report.timing and report.timing.ii_predicted != 1
    values = tuple(report.utilization(layer) if idle else None for layer in report.layers)
    cells = tuple("" if value is None else f"{value:.0%}" for value in values)
    return Entry("busy", cells, values, "timing.predicted")


def _departures(report: Report) -> Entry:
    """The difference of each layer from the model's layer when both have the hardware's inputs."""
    found = [report.fidelity and report.fidelity.layer(layer.name) for layer in report.layers]
    values = [each.largest if each else None for each in found]
    return numbers("difference from the model", values, "fidelity", ".3g")


def _metric(report: Report) -> str:
    """The metric and which way is better; "" where the name of its figure, accuracy, says it."""
    if report.error is not None:
        return f"{report.error.metric}, less is better"
    if report.accuracy is None or report.accuracy.metric in ("accuracy", "top-1 accuracy"):
        return ""
    return f"{report.accuracy.metric}, more is better"


def _reuse(config: LayerConfig) -> str:
    """The reuse factor, for example "8", or "7 → 8" if 7 was requested and 8 was built."""
    used = "" if config.reuse_factor is None else str(config.reuse_factor)
    return f"{config.reuse_factor_asked} → {used}" if config.moved else used


def _bits(config: Config) -> str:
    """Weight bits per layer: "6", or "8-6-4" if they differ; "" if unknown."""
    widths = [str(layer.weight_bits) for layer in config.layers if layer.weight_bits is not None]
    return widths[0] if len(set(widths)) == 1 else "-".join(widths)


def _shapes(layer: Layer) -> str:
    """For example "64 → 32"; several inputs or outputs are separated by commas."""
    sides = [
        ", ".join("x".join(map(str, shape)) for shape in shapes)
        for shapes in (layer.input_shapes, layer.output_shapes)
    ]
    return " → ".join(sides) if any(sides) else ""


def _types(layer: Layer) -> str:
    return ", ".join(f"{role} {kind}" for role, kind in layer.types.items())
