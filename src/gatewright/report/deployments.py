"""The time, energy and, with prices, the cost of an inference on each device of a report.

Nothing is measured here; all figures are computed from those of the report, and name them. Figures
that can't be computed are absent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from gatewright.report.capacity import listed_target
from gatewright.synth.liberty.family import Liberty

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gatewright.report.prices import Prices
    from gatewright.report.schema import Baseline, Imported, Method, Report

Kind = Literal["CPU", "GPU", "FPGA", "ASIC"]

INFERENCES = 1_000_000
"""Number of inferences that a cost is for."""

_USUAL = ("float32", "fixed point")  # arithmetic that the name of a runtime tells already
_JOULES_PER_KWH = 3.6e6
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Told:
    """A number, and how it was obtained.

    Attributes:
        value: the number.
        method: the method, as in origins of figures.
        details: the figures that it was computed from, in words.
    """

    value: float
    method: Method
    details: str


@dataclass(frozen=True)
class Deployment:
    """A device that runs a model at full rate.

    Attributes:
        kind: kind of device.
        key: its key in files of prices.
        name: its name in tables, without the kind.
        device: its full name.
        latency_us: time from a sample to its result, in us.
        fps: samples per second.
        energy_nj: energy per inference, in nJ.
        area_um2: cell area, in um^2.
        cost: cost of a million inferences, in `currency`.
        currency: currency of the cost.
    """

    kind: Kind
    key: str
    name: str
    device: str
    latency_us: Told | None = None
    fps: Told | None = None
    energy_nj: Told | None = None
    area_um2: Told | None = None
    cost: Told | None = None
    currency: str | None = None


FIGURES = {
    "latency_us": "latency (µs)",
    "fps": "inferences per second",
    "energy_nj": "energy (nJ)",
    "area_um2": "area (µm²)",
    "cost": "cost per million",
}
"""The figures of a deployment, by field, with their headings."""


def deployments(
    report: Report, baselines: Sequence[Baseline] = (), prices: Prices | None = None
) -> list[Deployment]:
    """The devices in a report: processors, GPUs, FPGAs, standard cells.

    Args:
        report: the report of a configuration.
        baselines: the float network in other software, measured on a processor.
        prices: prices for the costs, if any.
    """
    runs = [*(report.software.runs if report.software else ()), *baselines]
    found = [*_software(runs), *_hardware(report)]
    return [_priced(one, prices) for one in found] if prices is not None else found


def _software(runs: Sequence[Baseline]) -> Iterator[Deployment]:
    """A row per runtime, arithmetic and device."""
    ways = dict.fromkeys((run.runtime, run.version, run.model, run.gpu, run.cpu) for run in runs)
    for way in ways:
        held = [r for r in runs if (r.runtime, r.version, r.model, r.gpu, r.cpu) == way]
        known = [run for run in held if run.latency_us is not None]
        if not known:
            continue
        single = [run for run in known if run.batch == 1]
        runtime, version, model, gpu, cpu = way
        full = f"{runtime} {version}" if version else runtime
        name = re.split(r" \d", runtime)[0]
        yield Deployment(
            kind="CPU" if gpu is None else "GPU",
            key="cpu" if gpu is None else "gpu",
            name=name if model in _USUAL else f"{name}, {model}",
            device=f"{gpu or cpu or 'processor'}, {full}, {model}",
            latency_us=_timed(min(single, key=lambda run: run.latency_us or 0.0, default=None)),
            fps=_rated(max(known, key=lambda run: run.throughput or 0.0)),
        )


def _timed(run: Baseline | None) -> Told | None:
    if run is None or run.latency_us is None:
        return None
    return Told(run.latency_us, "measured", _conditions(run))


def _rated(run: Baseline) -> Told | None:
    return None if not run.throughput else Told(run.throughput, "measured", _conditions(run))


def _conditions(run: Baseline) -> str:
    parts = [f"batch {run.batch:,}" if run.batch else ""]
    parts.append(f"{run.threads} thread{'s' * (run.threads > 1)}" if run.threads else "")
    parts.append(f"median of {run.repetitions:,} calls" if run.repetitions else "")
    return ", ".join(filter(None, parts))


def _hardware(report: Report) -> Iterator[Deployment]:
    """A row per target, then one per vendor tool and step with a clock."""
    latency, interval = _cycles(report)
    for target in report.targets or filter(None, [report.config.target]):
        found = report.resources.get(target)
        kind = _kind(report, target)
        if kind is None:
            continue
        row = Deployment(kind, target, target, _device(report, target))
        row = _clocked(row, latency, interval, _clock(report, target))
        area = found.area_um2 if found is not None else None
        yield replace(
            row,
            energy_nj=_energy(report, target),
            area_um2=None if area is None else Told(area, "synthesized", "mapped cells"),
        )
    for imported in report.vendor.values():
        clock = _vendor_clock(imported)
        if clock is not None:
            yield _imported(imported, latency, interval, clock)


def _kind(report: Report, target: str) -> Kind | None:
    """What a target is; None if the report does not tell and its file is gone."""
    found = report.resources.get(target)
    if target in report.analyzed or (found is not None and found.area_um2 is not None):
        return "ASIC"
    if target in report.targets:
        return "FPGA"
    listed = listed_target(target)
    if listed is None:
        return None
    return "ASIC" if isinstance(listed.family, Liberty) else "FPGA"


def _device(report: Report, target: str) -> str:
    routed = report.routed.get(target)
    return f"{target} ({routed.device})" if routed is not None else target


def _cycles(report: Report) -> tuple[Told | None, Told | None]:
    """Latency of a whole result and initiation interval, in cycles."""
    timing = report.timing
    if timing is None:
        return None, None
    single = all(port.beats == 1 for port in report.ports if port.direction == "output")
    simulated = timing.latency_last_max
    if simulated is None and single:
        simulated = timing.latency_max
    latency: Told | None = None
    if simulated is not None:
        latency = Told(simulated, "simulated", f"{simulated:,} cycles simulated")
    elif timing.latency_predicted is not None:
        until = "" if single else " to the first beat of the result"
        count = timing.latency_predicted
        latency = Told(count, "estimated", f"{count:,} cycles predicted{until}")
    interval: Told | None = None
    if timing.ii is not None:
        interval = Told(timing.ii, "simulated", f"a result every {_every(timing.ii)} simulated")
    elif timing.ii_predicted is not None:
        count = timing.ii_predicted
        interval = Told(count, "estimated", f"a result every {_every(count)} predicted")
    return latency, interval


def _every(cycles: int) -> str:
    return "cycle" if cycles == 1 else f"{cycles:,} cycles"


def _clock(report: Report, target: str) -> Told | None:
    """The clock period, in ns, that a target is known to meet, or else the requested one."""
    routed, analyzed = report.routed.get(target), report.analyzed.get(target)
    if routed is not None:
        return _met(routed.clock_ns, routed.slack_ns, "placed-and-routed", "placing and routing")
    if analyzed is not None:
        tool = "static timing without wires"
        return _met(analyzed.clock_ns, analyzed.slack_ns, "analyzed", tool)
    asked = report.timing.clock_ns if report.timing else None
    if asked is None:
        return None
    return Told(asked, "estimated", f"{asked:.4g} ns requested, not timed")


def _met(asked: float, slack: float, method: Method, tool: str) -> Told:
    """The requested clock period if it is met, else the least period that is."""
    if slack >= 0:
        return Told(asked, method, f"{asked:.4g} ns met by {tool}")
    reached = asked - slack
    text = f"{reached:.4g} ns reached by {tool}, {asked:.4g} ns requested"
    return Told(reached, method, text)


def _vendor_clock(imported: Imported) -> Told | None:
    if imported.clock_ns is None:
        return None
    if imported.slack_ns is None:
        text = f"{imported.clock_ns:.4g} ns requested"
        return Told(imported.clock_ns, "vendor", text)
    return _met(imported.clock_ns, imported.slack_ns, "vendor", imported.key)


def _clocked(
    row: Deployment, latency: Told | None, interval: Told | None, clock: Told | None
) -> Deployment:
    """The row with cycles as times; a time is an estimate if the cycles or the clock are."""
    if clock is None:
        return row
    time, period = _product(latency, clock), _product(interval, clock)
    return replace(
        row,
        latency_us=None if time is None else replace(time, value=time.value / 1e3),
        fps=None if period is None else replace(period, value=1e9 / period.value),
    )


def _product(cycles: Told | None, clock: Told) -> Told | None:
    """Cycles as a time, in ns."""
    if cycles is None:
        return None
    method = cycles.method if cycles.method == "estimated" else clock.method
    return Told(cycles.value * clock.value, method, f"{cycles.details}, {clock.details}")


def _imported(
    imported: Imported, latency: Told | None, interval: Told | None, clock: Told
) -> Deployment:
    """A row of a vendor's report; its own cycle counts take precedence."""
    if imported.latency_max is not None:
        cycles = imported.latency_max
        latency = Told(cycles, "vendor", f"{cycles:,} cycles by {imported.key}")
    if imported.ii_max is not None:
        cycles = imported.ii_max
        interval = Told(cycles, "vendor", f"a result every {_every(cycles)} by {imported.key}")
    part = f" ({imported.part})" if imported.part else ""
    row = Deployment("FPGA", imported.key, imported.key, f"{imported.key}{part}")
    row = _clocked(row, latency, interval, clock)
    if not imported.power_w or row.fps is None:
        return row
    text = f"{imported.power_w:.4g} W of the device by {imported.key}, at full rate"
    return replace(row, energy_nj=Told(1e9 * imported.power_w / row.fps.value, "vendor", text))


def _energy(report: Report, target: str) -> Told | None:
    power = report.power.get(target)
    if power is None:
        return None
    glitches = power.glitch_energy_pj
    energy = power.energy_pj if glitches is None else glitches
    text = (
        f"transitions of {power.vectors:,} inferences, "
        f"{'without' if glitches is None else 'with'} glitches, without wires"
    )
    return Told(energy / 1e3, "analyzed", text)


def _priced(row: Deployment, prices: Prices) -> Deployment:
    """The row with the cost of a million inferences at full rate, if it has a price."""
    price = prices.devices.get(row.key)
    if price is None or row.fps is None:
        return row
    cost = INFERENCES * price.hourly / _SECONDS_PER_HOUR / row.fps.value
    text = price.sentence
    power = prices.electricity
    if power is not None and row.energy_nj is not None:
        cost += INFERENCES * row.energy_nj.value / 1e9 / _JOULES_PER_KWH * power.per_kwh
        text += (
            f", electricity {power.per_kwh:,.6g} {power.currency} per kWh ({power.source}), "
            f"energy {row.energy_nj.method}"
        )
    elif power is not None:
        text += ", without electricity, because the energy is unknown"
    told = Told(cost, row.fps.method, f"{text}; at full rate")
    return replace(row, cost=told, currency=price.currency)
