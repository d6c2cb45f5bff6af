"""The RTL project: module files, the top, the library modules they use, the manifest."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gatewright.emit.layer import layer_texts
from gatewright.emit.modules import LayerModule, build_modules, fully_unrolled, port_lanes
from gatewright.emit.names import identifiers
from gatewright.emit.top import Placement, Top
from gatewright.project import Module, RtlProject
from gatewright.resources import data_dir
from gatewright.units import Element, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gatewright.design import Design
    from gatewright.kernels import Tensor
    from gatewright.targets import Target
    from gatewright.units.base import Times


def emit(
    design: Design,
    target: Target,
    clock_ns: float,
    directory: Path,
    depths: Mapping[str, int] | None = None,
) -> RtlProject:
    """Write the SystemVerilog of a design into an empty directory.

    Args:
        design: the model.
        target: its delay model and prices shape the hardware.
        clock_ns: clock period that the pipeline is cut for.
        directory: exists and is empty.
        depths: beats that FIFOs hold, by instance name, where they are known.

    Returns:
        The project, its manifest saved.
    """
    modules = build_modules(design, target, clock_ns)
    layers = identifiers([module.kernels[0].layer for module in modules])
    files, listed, placements = [], [], []
    for module, layer in zip(modules, layers, strict=True):
        name, instance = f"{design.name}_{layer}", f"u_{layer}"
        texts = layer_texts(module, name)
        for child, text in texts.items():
            (directory / f"{child}.sv").write_text(text, encoding="utf-8")
            files.append(f"{child}.sv")
        listed.append(_manifest_entry(module, texts, instance, target))
        circuit = module.circuit
        placements.append(
            Placement(
                name,
                instance,
                module.inputs,
                module.output,
                module.result,
                module.delays,
                module.waits,
                module.bursts,
                circuit is None or circuit.schedule.latency > 0,
                module.times,
            )
        )
    top = Top(
        design.name,
        tuple((tensor, _entering(tensor, design.io)) for tensor in design.inputs),
        tuple((tensor, port_lanes(tensor, design.io)) for tensor in design.outputs),
        placements,
        None if fully_unrolled(design) else depths or {},
    )
    (directory / f"{design.name}.sv").write_text(top.text(), encoding="utf-8")
    files.append(f"{design.name}.sv")
    library = _copy_library(directory, files)
    project = RtlProject(
        directory=directory,
        top=design.name,
        files=tuple(library + files),
        inputs=top.slaves,
        outputs=top.masters,
        modules=tuple(listed + top.glue),
        target=target.name,
        clock_ns=clock_ns,
        latency=top.latency,
        interval=top.interval,
        path_ns=round(max((module.path for module in modules), default=0.0), 3),
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
    beats = last.output.size // module.out_lanes

    def times(*arrivals: Times) -> Times:
        """Beats at even distances, the first after the module's latency."""
        tensors = len(arrivals[0]) // (first.inputs[0].size // module.lanes[0])
        spread = np.arange(beats) * module.interval // beats
        starts = np.arange(tensors) * module.interval + module.latency
        return (starts[:, None] + spread).ravel()

    placement = Placement(
        name=module.name,
        instance=module.instance,
        inputs=first.inputs,
        output=last.output,
        result=_any(last.output, module.out_lanes),
        delays=(0,) * len(first.inputs),
        waits=module.waits,
        bursts=(0,) * len(first.inputs),
        clocked=module.clocked,
        times=times,
    )
    inputs = {
        tensor: _any(tensor, lanes)
        for tensor, lanes in zip(first.inputs, module.lanes, strict=True)
    }
    top = Top(top_name, tuple(inputs.items()), ((last.output, module.out_lanes),), [placement])
    own = [*module.parts, module.file]
    for file in own:
        shutil.copyfile(project.directory / file, directory / file)
    (directory / f"{top_name}.sv").write_text(top.text(), encoding="utf-8")
    files = [*own, f"{top_name}.sv"]
    library = _used_library(directory, files)
    for file in library:
        # The whole design may have no use for what marks the last beat of an inner tensor.
        held = project.directory / file
        shutil.copyfile(held if held.exists() else data_dir("rtl") / file, directory / file)
    isolated = replace(
        project,
        directory=directory,
        top=top_name,
        files=tuple(library + files),
        inputs=top.slaves,
        outputs=top.masters,
        modules=(module, *top.glue),
        latency=top.latency,
        interval=module.interval,
    )
    isolated.save()
    return isolated


def _entering(tensor: Tensor, io: str) -> Stream:
    return _any(tensor, port_lanes(tensor, io))


def _any(tensor: Tensor, lanes: int) -> Stream:
    """A stream of a tensor of which nothing but the type is known."""
    return Stream(tensor.type, (Element.of(tensor.type),) * lanes, tensor.size // lanes)


def _manifest_entry(
    module: LayerModule, names: Iterable[str], instance: str, target: Target
) -> Module:
    """A layer's entry; of `names`, its modules, the last is the layer's own."""
    *children, name = names
    choice = module.kernels[0].choice(target)
    latency, interval = module.measure()
    return Module(
        name=name,
        file=f"{name}.sv",
        instance=instance,
        layer=module.kernels[0].layer,
        kind=type(module.kernels[0]).__name__,
        latency=latency,
        layers=tuple(kernel.layer for kernel in module.kernels),
        strategy=choice.strategy if choice else "",
        reason=choice.reason if choice else "",
        notes=module.notes,
        parts=tuple(f"{child}.sv" for child in children),
        clocked=module.circuit is None or module.circuit.schedule.latency > 0,
        interval=interval,
        waits=module.waits,
        lanes=tuple(source.lanes for source in module.sources),
        out_lanes=module.result.lanes,
        reuse_factor=module.reuse,
        multipliers=module.multipliers,
    )


def _used_library(directory: Path, files: list[str]) -> list[str]:
    """Library modules that files instantiate, those that these instantiate first."""
    library = {
        path.stem: path.read_text(encoding="utf-8") for path in sorted(data_dir("rtl").glob("*.sv"))
    }
    text = "".join((directory / file).read_text(encoding="utf-8") for file in files)
    used: list[str] = []

    def add(text: str) -> None:
        for name, body in library.items():
            if name not in used and re.search(rf"^\s*{name}\b", text, re.MULTILINE):
                add(body.replace(f"module {name}", ""))
                used.append(name)

    add(text)
    return [f"{name}.sv" for name in used]


def _copy_library(directory: Path, files: list[str]) -> list[str]:
    library = _used_library(directory, files)
    for file in library:
        shutil.copyfile(data_dir("rtl") / file, directory / file)
    return library
