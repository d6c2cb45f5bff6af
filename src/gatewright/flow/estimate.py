"""Estimates a model, or a converted project, without synthesis."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from gatewright.emit.assembly import assemble
from gatewright.estimate import DesignEstimate, estimate_design, load_cost_model
from gatewright.flow.convert import (
    clock_of,
    load_design,
    load_request,
    load_rtl,
    model_files,
    read_design,
    require_project,
    target_of,
)
from gatewright.flow.steps import Progress, silent
from gatewright.options import ConvertOptions, resolve
from gatewright.rtl.reserved import identifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewright.design.dataflow import Design


def estimate_model(
    model: Path, weights: Path | None, options: ConvertOptions, progress: Progress = silent
) -> DesignEstimate:
    """Estimate the design of a model file, without keeping any files.

    Args:
        model: A model file.
        weights: Weights file if the model file holds the architecture only.
        options: Options of the conversion.
        progress: Called with a line before each phase.

    Raises:
        InputError: if the model, the weights or an option is wrong.
        UnsupportedError: if the model can't be built, or the target's devices have no cost model.
    """
    options = resolve(options)
    target = target_of(options)
    load_cost_model(target)  # refuse a wrong target before the model is read,
    clock_ns = clock_of(options, target)
    model_files(model, *([weights] if weights else []))  # and missing files
    with TemporaryDirectory() as scratch:
        name = identifier(model.stem)
        read = read_design(model, weights, options, Path(scratch), name, target, clock_ns, progress)
    found = _estimate(read.design, read.options, {})
    return replace(found, notes=(*read.notes, *found.notes))


def estimate_project(
    directory: Path, target: str | None = None, clock_ns: float | None = None
) -> DesignEstimate:
    """Estimate a converted project with the depths of its FIFOs.

    Args:
        directory: A converted project.
        target: Another target; None for the project's.
        clock_ns: Another clock period in ns; None for the project's or, with another target, for
            that target's.

    Raises:
        InputError: if the directory isn't a converted project, or the target doesn't exist.
        UnsupportedError: if the target's devices have no cost model.
    """
    require_project(directory)
    options, project = load_request(directory).options, load_rtl(directory)
    depths = {
        module.instance: module.depth for module in project.modules if module.depth is not None
    }
    if target is not None and target != options.target:
        options = replace(options, target=target, clock_ns=None, derate=1.0)
    if clock_ns is not None:
        options = replace(options, clock_ns=clock_ns)
    return _estimate(load_design(directory), options, depths)


def _estimate(design: Design, options: ConvertOptions, depths: Mapping[str, int]) -> DesignEstimate:
    target = target_of(options)
    load_cost_model(target)
    clock_ns = clock_of(options, target)
    made = assemble(
        design,
        target,
        clock_ns,
        depths,
        options.handshake,
        register_ports=options.register_ports,
        check_frames=options.check_frames,
        bus_width=options.bus_width,
    )
    return estimate_design(made, target, clock_ns)
