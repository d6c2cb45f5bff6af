"""The origins of the figures in a project's report, by group."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from gatewright import __version__
from gatewright.report.schema import Origin
from gatewright.results.imported import TOOLS

if TYPE_CHECKING:
    from gatewright.flow.finished import Finished
    from gatewright.flow.results import (
        FidelityResults,
        FifosResults,
        PlaceResults,
        PowerResults,
        SiliconResults,
        SoftwareResults,
        SynthResults,
        VerifyResults,
    )
    from gatewright.results.imported import Imported


def origins_of(finished: Finished, target: str) -> dict[str, Origin]:
    """The origin of each group of figures, from the finished steps and from the design itself.

    Args:
        finished: The results of the steps.
        target: The name of the target whose delay model and costs were used for the design.
    """
    origins = {
        "timing.predicted": _estimated(f"schedule by the delay model of target {target}"),
        "compute": Origin(
            method="counted",
            tool="Gatewright",
            version=__version__,
            details="on the quantized model",
        ),
    }
    origins["ranges.weights"] = origins["compute"]
    if finished.fifos is not None and finished.fifos.levels:
        origins["fifos"] = _of_fifos(finished.fifos)
    if finished.verify is not None:
        simulated = _of_verification(finished.verify)
        origins |= {"verification": simulated, "timing.simulated": simulated}
        origins["ranges.activations"] = _of_golden(finished.verify)
    for name, results in finished.synth.items():
        origins[f"resources.{name}"] = origins[f"layers.{name}"] = _of_synthesis(results)
    for name, placed in finished.place.items():
        origins[f"routed.{name}"] = _of_placement(placed)
    for name, analyzed in finished.silicon.items():
        origins[f"analyzed.{name}"] = _analyzed(analyzed)
    for name, power in finished.power.items():
        origins[f"power.{name}"] = _analyzed(power)
    if finished.software is not None:
        origins["software"] = _of_software(finished.software)
    for name, imported in finished.vendor.items():
        origins[f"vendor.{name}"] = _of_import(imported)
    return origins


def of_bottleneck(target: str) -> Origin:
    """The origin of the figures about the slowest layer, from the costs of a target."""
    return _estimated(f"schedule, and circuit costs on target {target}")


def of_fidelity(found: FidelityResults) -> Origin:
    """The origin of the comparison with the model itself."""
    details = f"its predictions against the RTL's outputs, {found.vectors} vectors: {found.source}"
    tool = found.method or "the model's own framework"
    return Origin(method="simulated", tool=tool, details=details)


def _estimated(details: str) -> Origin:
    return Origin(method="estimated", tool="Gatewright", version=__version__, details=details)


def _of_verification(found: VerifyResults) -> Origin:
    vectors = f"{found.verification.vectors} vectors: {found.source}"
    return Origin(
        method="simulated",
        tool="Verilator",
        version=found.simulator,
        details=f"cocotb {metadata.version('cocotb')}, {vectors}",
    )


def _of_golden(found: VerifyResults) -> Origin:
    details = f"golden outputs, {found.verification.vectors} vectors: {found.source}"
    return Origin(method="simulated", tool="Gatewright", version=__version__, details=details)


def _of_fifos(found: FifosResults) -> Origin:
    details = (
        "deep FIFOs, inputs paced at the design's own interval; stalls: "
        + ", ".join(("none", *found.stalls))
        + f"; interval {found.interval:.10g} with deep FIFOs"
    )
    if found.interval_after is not None:
        details += f", {found.interval_after:.10g} with those built"
    return Origin(method="simulated", tool="Verilator", version=found.simulator, details=details)


def _of_synthesis(found: SynthResults) -> Origin:
    return Origin(
        method="synthesized", tool=found.tool, version=found.version, details=found.details
    )


def _of_placement(found: PlaceResults) -> Origin:
    seeds = ", ".join(str(run.seed) for run in found.routed.runs)
    return Origin(
        method="placed-and-routed",
        tool=found.tool,
        version=found.version,
        details=f"{found.details}; worst of seeds {seeds}"
        if len(found.routed.runs) > 1
        else f"{found.details}; seed {seeds}",
    )


def _analyzed(found: SiliconResults | PowerResults) -> Origin:
    return Origin(method="analyzed", tool=found.tool, version=found.version, details=found.details)


def _of_software(found: SoftwareResults) -> Origin:
    runs = found.software.runs
    tools = dict.fromkeys(run.runtime for run in runs)
    where = dict.fromkeys(run.gpu or run.cpu or "" for run in runs)
    return Origin(
        method="measured",
        tool=", ".join(tools) or "Gatewright",
        details=f"median of repeated calls on {', '.join(where)}" if runs else None,
    )


_STAGES = {
    "estimated": "estimated by C synthesis",
    "synthesized": "after synthesis",
    "placed": "after placement",
    "routed": "after routing",
}


def _of_import(found: Imported) -> Origin:
    files = ", ".join(report.name for report in found.reports)
    part = f", on {found.part}" if found.part else ""
    return Origin(
        method="vendor",
        tool=TOOLS[found.tool],
        version=found.version,
        details=f"{_STAGES[found.stage]}{part}: {files}",
    )
