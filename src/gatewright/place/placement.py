"""Places and routes a project for a target, with one or several seeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright import synth
from gatewright.capacity import shortage
from gatewright.errors import DesignFailure, InputError
from gatewright.place import harness
from gatewright.place.critical_path import segments
from gatewright.place.nextpnr import find_nextpnr, run_nextpnr
from gatewright.place.nextpnr_report import read_report
from gatewright.results.routed import Cells, Routed, Run
from gatewright.results.utilization import Resources
from gatewright.rtl.signal_map import read_signal_map
from gatewright.synth.yosys_worker import STATISTICS
from gatewright.system.files import write_text
from gatewright.wall import systemverilog

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.place.nextpnr_report import NextpnrReport
    from gatewright.rtl.manifest import RtlProject
    from gatewright.synth.router import Router
    from gatewright.targets import Target


@dataclass(frozen=True)
class Prediction:
    """The prediction of the delay model for a design.

    Attributes:
        path_ns: the longest path between registers, in ns.
        derate: factor on the times of the delay model, included in `path_ns`.
    """

    path_ns: float
    derate: float


@dataclass(frozen=True)
class Placement:
    """The results of placement and routing.

    Attributes:
        routed: the figures.
        tool: the router.
        version: its version.
        details: how it was run, for reports.
    """

    routed: Routed
    tool: str
    version: str
    details: str


def router_of(target: Target) -> Router:
    """The router for the device of a target.

    Raises:
        InputError: if the target is a family, not a device.
        UnsupportedError: if no open router supports the device.
    """
    if target.device is None or target.device.device is None:
        named = [name for name, part in target.parts.items() if part.device]
        advice = f"; name one of its devices: {', '.join(named)}" if named else ""
        raise InputError(f"target '{target.name}' is not a device that can be routed{advice}")
    return target.family.router(target.device.device)


def place(
    project: RtlProject,
    target: Target,
    directory: Path,
    *,
    seeds: Sequence[int] = (1,),
    predicted: Prediction | None = None,
    progress: Callable[[str], None] | None = None,
) -> Placement:
    """Place and route a whole project in a harness with few pins, at the project's clock.

    Args:
        project: the RTL.
        target: a device.
        directory: existing directory for the netlist, reports and logs.
        seeds: seeds of the placer, one run for each.
        predicted: the prediction of the delay model, if the project was scheduled for the target's
            family.
        progress: called with a message on what is being done.

    Raises:
        DesignFailure: if the RTL does not synthesize, or the design can't be placed and routed.
        InputError: if a tool is not installed or its report can't be read, the target is not a
            device, or a file of the project is missing.
        UnsupportedError: if no open router supports the target.
    """
    tell = progress or (lambda _: None)
    router = router_of(target)
    version = find_nextpnr(router.program, router.oldest).version
    signals = read_signal_map(project.directory, project.modules)
    tell("mapping the whole design")
    netlist, cost = _mapped(project, target, directory, router.pads)
    if router.constraints is not None:
        name, text = router.constraints
        write_text(directory / name, text)
    runs, reports = [], []
    for number, seed in enumerate(seeds, 1):
        tell(f"placing and routing, seed {number} of {len(seeds)}")
        run, report = _routed(router, netlist, project.clock_ns, seed)
        runs.append(run)
        reports.append(report)
    worst = min(reports, key=lambda report: report.fmax_mhz)
    counted = _counted(router, worst, cost)
    routed = Routed(
        device=router.device,
        clock_ns=project.clock_ns,
        runs=tuple(runs),
        cells={
            kind: Cells(used=number["used"], available=number["available"])
            for kind, number in worst.used.items()
            if number["used"]
        },
        harness=cost,
        critical_path=segments(
            worst.path, project.modules, _kinds(directory / STATISTICS), signals
        ),
        predicted_ns=predicted.path_ns if predicted else None,
        derate=predicted.derate if predicted else None,
        lut=counted.lut,
        ff=counted.ff,
        dsp=counted.dsp,
        bram=counted.bram,
    )
    placers = sorted({f"--placer {run.placer} " for run in runs if run.placer})
    details = (
        f"{' '.join(router.options)} {''.join(placers)}--freq {1000 / project.clock_ns:.4g}; "
        f"{target.family.mapper.flow}, flat; ports behind registers, whose cost is subtracted"
    )
    return Placement(routed, router.program, version, details)


def _routed(router: Router, netlist: Path, clock_ns: float, seed: int) -> tuple[Run, NextpnrReport]:
    """The run of the first placer that meets the clock; if none does, of the best."""
    best: tuple[Run, NextpnrReport] | None = None
    seconds = 0.0
    for placer in router.placers:
        if best is not None and _fill(router, best[1]) > placer.fullest:
            continue
        done = run_nextpnr(
            router,
            netlist,
            harness.MODULE,
            clock_ns=clock_ns,
            seed=seed,
            placer=placer.name,
        )
        report = read_report(done.report)
        seconds += done.seconds
        if best is None or report.fmax_mhz > best[1].fmax_mhz:
            fmax = round(report.fmax_mhz, 3)
            best = Run(seed=seed, fmax_mhz=fmax, seconds=0, placer=placer.name), report
        if best[1].fmax_mhz * clock_ns >= 1000:
            break
    assert best is not None
    return best[0].model_copy(update={"seconds": round(seconds, 1)}), best[1]


def _fill(router: Router, report: NextpnrReport) -> float:
    """The share of the device's cells for logic that is used, 0 to 1."""
    kinds = [report.used[kind] for kind in router.counts["lut"] if kind in report.used]
    available = sum(each["available"] for each in kinds)
    return sum(each["used"] for each in kinds) / available if available else 0.0


def _mapped(
    project: RtlProject, target: Target, directory: Path, pads: str
) -> tuple[Path, Resources]:
    """The mapped netlist of a project in its harness, and the resources of the harness alone.

    Raises:
        DesignFailure: if it doesn't synthesize, or the device is too small.
    """
    systemverilog.check(project)
    around = directory / f"{harness.MODULE}.sv"
    write_text(around, harness.harness(project))
    files = [*(project.directory / file for file in project.files), around]
    netlist, used = synth.export_netlist(
        files, harness.MODULE, target, directory, form="json", pads=pads
    )
    # A router may seek places for cells that have none without end.
    if (short := shortage(target, used)) is not None:
        raise DesignFailure(f"{project.top} {short}")
    alone = directory / "harness"
    alone.mkdir()
    top = project.directory / f"{project.top}.sv"
    cost = synth.synthesize_files([around], harness.MODULE, target, alone, boxes=[top]).total
    return netlist, cost


def _kinds(statistics: Path) -> list[str]:
    """The cell types in a netlist, from Yosys' `stat -json`."""
    modules = json.loads(statistics.read_text(encoding="utf-8"))["modules"]
    return list(modules[f"\\{harness.MODULE}"]["num_cells_by_type"])


def _counted(router: Router, report: NextpnrReport, cost: Resources) -> Resources:
    """Resources of the design as the router counted them, minus the harness.

    Raises:
        InputError: if the report doesn't count LUTs.
    """
    found: dict[str, float] = {}
    for figure, kinds in router.counts.items():
        counted = {kind: report.used[kind]["used"] for kind in kinds if kind in report.used}
        if not counted and figure == "lut":
            raise InputError(f"{router.program}: its report does not count {min(kinds)}")
        if not counted:  # a smaller device may have none
            continue
        used = sum(kinds[kind] * number for kind, number in counted.items())
        own = getattr(cost, figure) or 0
        if figure == "lut" and router.joint:
            own = max(own, cost.ff or 0)
        value = max(0, used - own)
        found[figure] = value if figure == "bram" else round(value)
    return Resources.model_validate(found)
