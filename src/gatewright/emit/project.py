"""The RTL project: module files, the top, the library modules they use, the manifest."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from gatewright.emit.modules import HardwareModule, build_modules
from gatewright.emit.names import identifiers, ports
from gatewright.emit.top import Placement, Top
from gatewright.emit.verilog import module_text
from gatewright.project import Module, RtlProject
from gatewright.resources import data_dir

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.design import Design
    from gatewright.targets import Target

#: Library modules that generated files may instantiate.
_LIBRARY = ("gw_cast", "gw_fork", "gw_delay")


def emit(design: Design, target: Target, clock_ns: float, directory: Path) -> RtlProject:
    """Write the SystemVerilog of a design into an empty directory.

    Args:
        design: the model.
        target: its delay model and prices shape the hardware.
        clock_ns: clock period that the pipeline is cut for.
        directory: exists and is empty.

    Returns:
        The project, its manifest saved.
    """
    modules = build_modules(design, target, clock_ns)
    layers = identifiers([module.kernels[0].layer for module in modules])
    files, listed, placements = [], [], []
    for module, layer in zip(modules, layers, strict=True):
        name, instance = f"{design.name}_{layer}", f"u_{layer}"
        (directory / f"{name}.sv").write_text(module_text(module, name))
        files.append(f"{name}.sv")
        listed.append(_manifest_entry(module, name, instance, target))
        placements.append(
            Placement(
                name,
                instance,
                module.inputs,
                module.output,
                module.delays,
                module.start,
                module.schedule.latency,
            )
        )
    top = Top(design.name, design.inputs, design.outputs, placements)
    (directory / f"{design.name}.sv").write_text(top.text())
    files.append(f"{design.name}.sv")
    library = _copy_library(directory, files)
    project = RtlProject(
        directory=directory,
        top=design.name,
        files=tuple(library + files),
        inputs=ports(design.inputs, "s_axis"),
        outputs=ports(design.outputs, "m_axis"),
        modules=tuple(listed + top.glue),
        target=target.name,
        clock_ns=clock_ns,
        latency=top.latency,
        interval=1,
        path_ns=round(max((module.schedule.path for module in modules), default=0.0), 3),
    )
    project.save()
    return project


def isolate(project: RtlProject, module: Module, design: Design, directory: Path) -> RtlProject:
    """A project whose top is one module of another, unchanged, between AXI4-Stream ports.

    Args:
        project: the whole design's project.
        module: one of its kernels' modules.
        design: the model that the project was made from.
        directory: exists and is empty.
    """
    kernels = {kernel.layer: kernel for kernel in design.kernels}
    first, last = kernels[module.layers[0]], kernels[module.layers[-1]]
    top_name = f"{module.name}_alone"
    placement = Placement(
        name=module.name,
        instance=module.instance,
        inputs=first.inputs,
        output=last.output,
        delays=(0,) * len(first.inputs),
        start=0,
        latency=module.latency,
    )
    inputs = tuple(dict.fromkeys(first.inputs))
    top = Top(top_name, inputs, (last.output,), [placement])
    shutil.copyfile(project.directory / module.file, directory / module.file)
    (directory / f"{top_name}.sv").write_text(top.text())
    files = [module.file, f"{top_name}.sv"]
    library = _used_library(directory, files)
    for file in library:
        shutil.copyfile(project.directory / file, directory / file)
    isolated = replace(
        project,
        directory=directory,
        top=top_name,
        files=tuple(library + files),
        inputs=ports(inputs, "s_axis"),
        outputs=ports((last.output,), "m_axis"),
        modules=(module, *top.glue),
        latency=module.latency,
    )
    isolated.save()
    return isolated


def _used_library(directory: Path, files: list[str]) -> list[str]:
    text = "".join((directory / file).read_text() for file in files)
    return [f"{name}.sv" for name in _LIBRARY if re.search(rf"\b{name}\b", text)]


def _copy_library(directory: Path, files: list[str]) -> list[str]:
    library = _used_library(directory, files)
    for file in library:
        shutil.copyfile(data_dir("rtl") / file, directory / file)
    return library


def _manifest_entry(module: HardwareModule, name: str, instance: str, target: Target) -> Module:
    choice = module.kernels[0].choice(target)
    return Module(
        name=name,
        file=f"{name}.sv",
        instance=instance,
        layer=module.kernels[0].layer,
        kind=type(module.kernels[0]).__name__,
        latency=module.schedule.latency,
        layers=tuple(kernel.layer for kernel in module.kernels),
        strategy=choice.strategy if choice else "",
        reason=choice.reason if choice else "",
    )
