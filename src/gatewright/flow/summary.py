"""The report of a project directory, gathered from the stamps of its steps."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from gatewright import __version__
from gatewright.errors import InputError
from gatewright.flow.balance import bottleneck
from gatewright.flow.convert import design_files, load_design, load_request, load_rtl
from gatewright.flow.finished import finished_steps
from gatewright.flow.origins import of_bottleneck, of_fidelity, origins_of
from gatewright.flow.ranges import weight_ranges
from gatewright.flow.steps import hash_files
from gatewright.kernels.multiplexed import Multiplexed
from gatewright.parsing.typed import written
from gatewright.report import schema
from gatewright.report.report_files import REPORT, load_reports, write_report
from gatewright.results.part import Part
from gatewright.system.files import make_way
from gatewright.targets import load_target

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.design.dataflow import Design
    from gatewright.flow.convert import Request
    from gatewright.flow.results import FidelityResults, FifosResults, SynthResults, VerifyResults
    from gatewright.kernels import Kernel
    from gatewright.options import ConvertOptions
    from gatewright.rtl.manifest import Module, Port, RtlProject

P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class Labels:
    """Names and descriptions for a report that the project directory doesn't have."""

    model: str | None = None
    config: str | None = None
    description: str | None = None
    task: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Training:
    """How the model was trained, which the project directory doesn't know."""

    steps: tuple[schema.Step, ...] = ()
    seed: int | None = None
    repetitions: tuple[schema.Repetition, ...] = ()


def summarize(
    directory: Path,
    *,
    labels: Labels | None = None,
    score: schema.Score | None = None,
    score_origins: dict[str, schema.Origin] | None = None,
    keras: schema.Comparison | None = None,
    fidelity: tuple[schema.Fidelity, schema.Origin] | None = None,
    training: Training | None = None,
) -> schema.Report:
    """The report of a project directory: the results of its finished steps, and nothing else.

    Args:
        directory: A converted project.
        labels: Names to show; by default those of the conversion.
        score: The metric of the model on its test set, if known.
        score_origins: Origins of the groups of `score` and of the steps of `training`.
        keras: Comparison of Keras' own predictions with the RTL's outputs, if known.
        fidelity: How much the RTL's outputs differ from these, and the origin of that; by default
            the verification's result.
        training: Steps of the recipe that made the model, and results with other seeds.

    Raises:
        InputError: if the directory isn't a converted project.
    """
    labels, training = labels or Labels(), training or Training()
    design, rtl = load_design(directory), load_rtl(directory)
    request, finished = load_request(directory), finished_steps(directory, rtl)
    verified = finished.verify
    if fidelity is None and verified is not None and verified.fidelity is not None:
        fidelity = _fidelity(verified.fidelity), of_fidelity(verified.fidelity)
    slowest = _bottleneck(design, rtl, request.options.target)
    origins = (score_origins or {}) | origins_of(finished, rtl.target)
    if slowest is not None:
        origins["bottleneck"] = of_bottleneck(rtl.target)
    if fidelity is not None:
        origins["fidelity"] = fidelity[1]
    return schema.Report(
        model=_model(design, request, labels),
        config=_config(directory, design, rtl, request.options, labels),
        accuracy=score if isinstance(score, schema.Accuracy) else None,
        error=score if isinstance(score, schema.Error) else None,
        verification=_verification(verified, keras),
        fidelity=None if fidelity is None else fidelity[0],
        timing=_timing(rtl, verified),
        resources={name: found.total for name, found in finished.synth.items()},
        analyzed={name: found.analyzed for name, found in finished.silicon.items()},
        power={name: found.power for name, found in finished.power.items()},
        routed={name: found.routed for name, found in finished.place.items()},
        vendor=finished.vendor,
        software=finished.software.software if finished.software else None,
        layers=_layers(design, rtl, finished.synth),
        ranges=schema.Ranges(
            weights=weight_ranges(design), activations=verified.ranges if verified else ()
        ),
        compute=_compute(design),
        steps=training.steps,
        training_seed=training.seed,
        repetitions=training.repetitions,
        ports=_ports(rtl),
        fifos=_fifos(rtl, finished.fifos),
        bottleneck=slowest,
        provenance=schema.Provenance(
            gatewright=__version__,
            groups=origins,
            inputs=_inputs(directory),
            seed=verified.seed if verified is not None else None,
            seconds=finished.seconds,
        ),
    )


def refresh(directory: Path) -> Path:
    """Bring `report.json` of a project directory up to date with its finished steps.

    The parts that only a sweep knows (names, metric, training, the comparison with Keras) are
    kept from the existing report if it describes the same design; the comparison only if it also
    describes the same run of the verification.

    Returns:
        The report's path.

    Raises:
        InputError: if the directory isn't a converted project.
    """
    path = directory / REPORT
    make_way(path)
    old = None
    if path.is_file():
        with contextlib.suppress(InputError):
            (old,) = load_reports([path]).reports
    if old is None or old.provenance.inputs != _inputs(directory):
        return write_report(summarize(directory), directory)
    kept = {
        group: origin
        for group, origin in old.provenance.groups.items()
        if group.startswith(("accuracy.", "error.", "steps."))
    }
    labels = Labels(
        old.model.name, old.config.name, old.config.description, old.model.task, old.model.source
    )
    report = summarize(
        directory,
        labels=labels,
        score=old.score,
        score_origins=kept,
        training=Training(old.steps, old.training_seed, old.repetitions),
    )
    if old.verification and report.verification and _same_verification(old, report):
        compared = report.verification.model_copy(update={"keras": old.verification.keras})
        report = report.model_copy(update={"verification": compared})
        if report.fidelity is None and old.fidelity is not None:
            groups = report.provenance.groups | {"fidelity": old.provenance.groups["fidelity"]}
            provenance = report.provenance.model_copy(update={"groups": groups})
            kept_figures = {"fidelity": old.fidelity, "provenance": provenance}
            report = report.model_copy(update=kept_figures)
    return path if report == old else write_report(report, directory)


def _same_verification(old: schema.Report, new: schema.Report) -> bool:
    """Whether two reports have the same run of the verification: same origin, same wall time."""
    runs = [
        (report.provenance.groups.get("verification"), report.provenance.seconds.get("verify"))
        for report in (old, new)
    ]
    return runs[0] == runs[1]


def _inputs(directory: Path) -> dict[str, str]:
    return {"design": f"sha256:{hash_files(design_files(directory))}"}


def _model(design: Design, request: Request, labels: Labels) -> schema.Model:
    return schema.Model(
        name=labels.model or design.name,
        source=labels.source or PurePath(request.model).name,
        task=labels.task,
        inputs={tensor.name: tensor.shape for tensor in design.inputs},
        outputs={tensor.name: tensor.shape for tensor in design.outputs},
    )


def _config(
    directory: Path, design: Design, rtl: RtlProject, options: ConvertOptions, labels: Labels
) -> schema.Config:
    return schema.Config(
        name=labels.config or written(directory.name),
        description=labels.description,
        io="io_stream" if options.io == "stream" else "io_parallel",
        reuse_factor=options.reuse_factor,
        target_ii=options.target_ii,
        target_fps=options.fps,
        target=rtl.target,
        handshake=rtl.handshake,
        layers=_layer_configs(design, rtl),
    )


def _verification(
    verified: VerifyResults | None, keras: schema.Comparison | None
) -> schema.Verification | None:
    if verified is None:
        return None
    return verified.verification.model_copy(update={"keras": keras})


def _fidelity(found: FidelityResults) -> schema.Fidelity:
    """A report's section on the comparison with the model itself."""
    return schema.Fidelity(
        vectors=found.vectors,
        outputs=tuple(_narrow(schema.OutputFidelity, each) for each in found.outputs),
        layers=tuple(_narrow(schema.LayerFidelity, each) for each in found.layers),
        first=found.first,
        not_compared=found.reason,
        inexact=found.inexact,
        blame=found.blame,
        warning=found.warning,
    )


def _narrow(kind: type[P], value: P) -> P:
    """A value reduced to the fields of a base class."""
    return kind(**{name: getattr(value, name) for name in kind.model_fields})


def _timing(rtl: RtlProject, verified: VerifyResults | None) -> schema.Timing:
    simulated = verified.timing if verified is not None else schema.Timing()
    promised = {
        "clock_ns": rtl.clock_ns,
        "latency_predicted": rtl.latency,
        "ii_predicted": rtl.interval,
    }
    return simulated.model_copy(update=promised)


def _bottleneck(design: Design, rtl: RtlProject, target: str) -> schema.Bottleneck | None:
    """The slowest layer; None if a port takes as long, or the target doesn't exist any more."""
    try:
        known = load_target(target)
    except InputError:
        return None
    found = bottleneck(design, rtl, known)
    if found is None or found.interval <= max(port.beats for port in (*rtl.inputs, *rtl.outputs)):
        return None
    return schema.Bottleneck(
        layer=design.called(found.layer),
        interval=found.interval,
        reuse_factor=found.reuse,
        multipliers=found.multipliers,
        faster_reuse_factor=found.faster_reuse,
        faster_multipliers=found.faster_multipliers,
        extra_lut=found.extra_area if known.fabric.unit == "LUT" else None,
    )


def _layer_configs(design: Design, rtl: RtlProject) -> tuple[schema.LayerConfig, ...]:
    modules = {module.layer: module for module in rtl.modules if module.layer}
    return tuple(
        _layer_config(design, kernel, modules.get(kernel.layer)) for kernel in design.kernels
    )


def _layer_config(design: Design, kernel: Kernel, module: Module | None) -> schema.LayerConfig:
    types = kernel.types()
    built: dict[str, Any] = {}
    if module is not None:
        built = {
            "reuse_factor": module.reuse_factor,
            "multipliers": module.multipliers,
            "strategy": module.strategy or None,
            "reason": module.reason or None,
            "notes": module.notes,
        }
        if module.reuse_factor is not None:
            built["reuse_factor_asked"] = (
                kernel.reuse_factor if isinstance(kernel, Multiplexed) else None
            )
    return schema.LayerConfig(
        name=design.called(kernel.layer),
        weight_bits=types["weight"].width if "weight" in types else None,
        result_bits=kernel.output.type.width,
        **built,
    )


def _ports(rtl: RtlProject) -> tuple[schema.Port, ...]:
    directions: tuple[tuple[Literal["input", "output"], tuple[Port, ...]], ...] = (
        ("input", rtl.inputs),
        ("output", rtl.outputs),
    )
    return tuple(
        schema.Port(
            name=port.prefix,
            direction=direction,
            tensor=port.tensor,
            shape=port.shape,
            type=port.type,
            lanes=port.lanes,
            beats=port.stream_beats,
            width=port.tdata_width,
            words=port.beats if port.bus_width else None,
        )
        for direction, ports in directions
        for port in ports
    )


def _fifos(rtl: RtlProject, sized: FifosResults | None) -> tuple[schema.Fifo, ...]:
    levels = sized.levels if sized is not None else {}
    return tuple(
        schema.Fifo(
            name=module.instance,
            depth=module.depth,
            level=levels.get(module.instance),
            width=module.width,
        )
        for module in rtl.modules
        if module.kind == "fifo" and module.depth is not None
    )


def _layers(
    design: Design, rtl: RtlProject, synthesized: dict[str, SynthResults]
) -> tuple[schema.Layer, ...]:
    modules = {module.layer: module for module in rtl.modules if module.layer}
    return tuple(
        _layer(design, kernel, modules.get(kernel.layer), synthesized) for kernel in design.kernels
    )


def _layer(
    design: Design, kernel: Kernel, module: Module | None, synthesized: dict[str, SynthResults]
) -> schema.Layer:
    """A report's layer. One that shares the module of the layer before it has no resources."""
    work = kernel.operation_counts()
    resources = {}
    if module is not None:
        for target, results in synthesized.items():
            if module.name in results.modules:
                resources[target] = results.modules[module.name]
    return schema.Layer(
        name=design.called(kernel.layer),
        kind=type(kernel).__name__,
        input_shapes=tuple(tensor.shape for tensor in kernel.inputs),
        output_shapes=(kernel.output.shape,),
        types={role: str(of) for role, of in kernel.types().items()},
        latency=module.latency if module is not None else None,
        interval=module.interval if module is not None else None,
        weights=work.weights or None,
        weights_nonzero=work.nonzero if work.weights else None,
        resources=resources,
    )


def _compute(design: Design) -> schema.Compute:
    work = [kernel.operation_counts() for kernel in design.kernels]
    weights = sum(item.weights for item in work)
    return schema.Compute(
        macs=sum(item.macs for item in work),
        bops=sum(item.bops for item in work),
        ebops=sum(item.ebops for item in work),
        parameters=sum(item.parameters for item in work),
        weight_bits=sum(item.weight_bits for item in work),
        sparsity=1 - sum(item.nonzero for item in work) / weights if weights else None,
    )
