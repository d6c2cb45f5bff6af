"""A design written as an RTL project: modules, the top, the library under them, the manifest."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from gatewright import __version__
from gatewright.emit.assembly import any_stream, assemble, join_parts, module_name
from gatewright.emit.entries import glue_entries, layer_entry
from gatewright.emit.interconnect import Credit, LockStep, Part, PortLogic
from gatewright.emit.layer_module import layer_modules
from gatewright.emit.printer import text_of
from gatewright.emit.protocol import AxiStream
from gatewright.emit.top_module import top_module
from gatewright.kernels.weighted import Weighted
from gatewright.rtl.library import copy_library, library_files
from gatewright.rtl.manifest import RtlProject
from gatewright.rtl.signal_map import write_signal_map
from gatewright.targets import load_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gatewright.design.dataflow import Design
    from gatewright.emit import netlist
    from gatewright.emit.interconnect import Balance
    from gatewright.emit.layers import LayerModule
    from gatewright.options import BusWidth, Handshake
    from gatewright.rtl.manifest import Module
    from gatewright.rtl.signal_map import Origin
    from gatewright.targets import Target

#: Between what stands alone.
_PROTOCOL = AxiStream()


def emit(
    design: Design,
    target: Target,
    clock_ns: float,
    directory: Path,
    depths: Mapping[str, int] | None = None,
    handshake: Handshake | None = None,
    *,
    register_ports: bool = False,
    check_frames: bool = False,
    bus_width: BusWidth | None = None,
) -> RtlProject:
    """Write the SystemVerilog of a design into an empty directory.

    Args:
        design: the model.
        target: its delay model and prices shape the hardware.
        clock_ns: clock period that the pipeline is cut for.
        directory: exists and is empty.
        depths: beats that FIFOs hold, by instance name, where they are known.
        handshake: how pipelines wait, "stall", "slice" or "credit"; what the clock allows if None.
        register_ports: whether each path from or to a port ends at a register.
        check_frames: whether frames that tlast ends too early or too late are dropped.
        bus_width: bits of tdata at all ports; by default a beat is a transfer.

    Returns:
        The project, its manifest saved.
    """
    made = assemble(
        design,
        target,
        clock_ns,
        depths,
        handshake,
        register_ports=register_ports,
        check_frames=check_frames,
        bus_width=bus_width,
    )
    about = _about(target.name, clock_ns)
    written: list[netlist.Module] = []
    entries = []
    origins: list[tuple[str, str, Origin]] = []
    for instance, module in made.modules.items():
        name = module_name(design, instance)
        netlists = layer_modules(module, name, (*_schedule(module, target), *about))
        written += netlists
        origins += _origins(instance, netlists)
        entries.append(layer_entry(module, netlists, instance, target))
    joined = made.joined
    rate = _rate(made.latency, made.interval)
    top = top_module(joined, made.protocol, design.name, rate, about)
    written.append(top)
    library = library_files(i.module for module in written for i in module.instances())
    copy_library(library, directory)
    write_signal_map(origins, directory)
    project = RtlProject(
        directory=directory,
        top=design.name,
        files=(*library, *_print(written, directory)),
        inputs=tuple(entry.port for entry in joined.entries),
        outputs=tuple(exit_.port for exit_ in joined.exits),
        modules=(*entries, *glue_entries(joined, top)),
        target=target.name,
        clock_ns=clock_ns,
        latency=made.latency,
        interval=made.interval,
        path_ns=round(made.path_ns, 3),
        handshake=made.handshake,
        ready_ns=round(made.ready_ns, 3),
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
    inputs, output = kernels[module.layers[0]].inputs, kernels[module.layers[-1]].output
    part = Part(
        module.name,
        module.instance,
        inputs,
        output,
        any_stream(output, module.out_lanes),
        module.clocked,
        module.free_running,
    )
    sources = {
        tensor: any_stream(tensor, lanes)
        for tensor, lanes in zip(inputs, module.lanes, strict=True)
    }
    alone: Balance = LockStep({})
    if module.free_running:
        alone = Credit({}, {output.name: module.latency}, load_target(project.target).fabric)
    leaving = [(output, module.out_lanes)]
    joined = join_parts(list(sources.items()), leaving, [part], alone, _PROTOCOL, PortLogic())
    name = f"{module.name}_alone"
    latency = module.latency + module.free_running  # the FIFO behind it
    rate = _rate(latency, module.interval)
    top = top_module(joined, _PROTOCOL, name, rate, _about(project.target, project.clock_ns))
    used = [i.module for i in top.instances()]
    library = library_files([*used, *(file.removesuffix(".sv") for file in module.library)])
    own = (*module.parts, module.file)
    for file in (*own, *module.library):
        shutil.copyfile(project.directory / file, directory / file)
    # The whole design may have no use for what marks the last beat of an inner tensor.
    copy_library(set(library) - set(module.library), directory)
    isolated = replace(
        project,
        directory=directory,
        top=name,
        files=(*library, *own, *_print([top], directory)),
        inputs=tuple(entry.port for entry in joined.entries),
        outputs=tuple(exit_.port for exit_ in joined.exits),
        modules=(module, *glue_entries(joined, top)),
        latency=latency,
        interval=module.interval,
    )
    isolated.save()
    return isolated


def _print(modules: Iterable[netlist.Module], directory: Path) -> list[str]:
    """Write a file per module; their names."""
    files = []
    for module in modules:
        (directory / f"{module.name}.sv").write_text(text_of(module), encoding="utf-8")
        files.append(f"{module.name}.sv")
    return files


def _origins(
    instance: str, netlists: Sequence[netlist.Module]
) -> Iterator[tuple[str, str, Origin]]:
    """The rows of a layer in the map of signals.

    Args:
        instance: of the layer in the top.
        netlists: the layer's modules, its own last.
    """
    paths = {i.module: f"{instance}.{i.name}" for i in netlists[-1].instances()}
    paths[netlists[-1].name] = instance
    for module in netlists:
        for signal, origin in module.origins:
            yield paths[module.name], signal, origin


# Headers


def _rate(latency: int, interval: int) -> str:
    rate = "a tensor per clock" if interval == 1 else f"a tensor per {interval}"
    return f"{latency} clock cycles from input to output, {rate}."


def _about(target: str, clock_ns: float) -> tuple[str, ...]:
    return (
        f"Generated by Gatewright {__version__} for {target} at {clock_ns:g} ns; edits are lost.",
    )


def _schedule(module: LayerModule, target: Target) -> tuple[str, ...]:
    """How a layer that multiplies is built: strategy, reuse factor, type of its weights."""
    kernel = module.kernels[0]
    choice = kernel.implementation(target)
    said = [
        f"strategy {choice.strategy}" if choice else "",
        f"reuse factor {module.reuse}" if module.reuse else "",
        f"weights {kernel.weight_type}" if isinstance(kernel, Weighted) else "",
    ]
    text = ", ".join(part for part in said if part)
    return (f"{text[0].upper()}{text[1:]}.",) if text else ()
