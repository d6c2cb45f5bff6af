"""A design's modules, joined: all that is known of its hardware before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.emit.interconnect import (
    Credit,
    Elastic,
    LockStep,
    Part,
    PortLogic,
    interconnect,
    predict,
)
from gatewright.emit.modules import build_modules
from gatewright.emit.protocol import AxiStream
from gatewright.rtl.identifiers import identifiers
from gatewright.units import Element, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatewright.circuit.fabric import Fabric
    from gatewright.design.dataflow import Design
    from gatewright.emit.interconnect import Balance, Interconnect
    from gatewright.emit.layers import LayerModule
    from gatewright.emit.protocol import Protocol
    from gatewright.kernels import Tensor
    from gatewright.options import BusWidth, Handshake
    from gatewright.targets import Target


@dataclass(frozen=True)
class Assembly:
    """A design's modules and what joins them, before anything is written.

    Attributes:
        modules: by instance, in topological order.
        joined: the top as a graph.
        protocol: of the ports.
        latency: clock cycles from input to output.
        interval: clock cycles per tensor.
        handshake: how the modules wait.
        path_ns: the longest path through operations in ns, by the target's delay model.
        ready_ns: the longest path of a ready in ns, by the target's delay model.
    """

    modules: dict[str, LayerModule]
    joined: Interconnect
    protocol: Protocol
    latency: int
    interval: int
    handshake: Handshake
    path_ns: float
    ready_ns: float


def assemble(
    design: Design,
    target: Target,
    clock_ns: float,
    depths: Mapping[str, int] | None = None,
    handshake: Handshake | None = None,
    *,
    register_ports: bool = False,
    check_frames: bool = False,
    bus_width: BusWidth | None = None,
) -> Assembly:
    """Build the modules of a design and join them; the arguments are those of `emit`."""
    protocol = AxiStream(check_frames, bus_width)
    converters = _converters(design, protocol)
    pipeline = build_modules(
        design, target, clock_ns, handshake, converters, register_ports=register_ports
    )
    layers = identifiers([module.kernels[0].layer for module in pipeline.layers])
    modules = {f"u_{layer}": module for layer, module in zip(layers, pipeline.layers, strict=True)}
    joined = join_parts(
        [(tensor, any_stream(tensor, design.beat(tensor))) for tensor in design.inputs],
        [(tensor, design.beat(tensor)) for tensor in design.outputs],
        [_part(module, module_name(design, name), name) for name, module in modules.items()],
        _balance(design, modules, depths or {}, target.fabric),
        protocol,
        PortLogic(register_ports),
    )
    latency, interval = predict(joined, modules)
    return Assembly(
        modules,
        joined,
        protocol,
        latency,
        interval,
        pipeline.handshake,
        max((module.path(target.fabric) for module in pipeline.layers), default=0.0),
        pipeline.ready_ns,
    )


def module_name(design: Design, instance: str) -> str:
    """Name of the module of an instance of a layer."""
    return f"{design.name}_{instance.removeprefix('u_')}"


def join_parts(
    inputs: Sequence[tuple[Tensor, Stream]],
    outputs: Sequence[tuple[Tensor, int]],
    parts: Sequence[Part],
    balance: Balance,
    protocol: Protocol,
    ports: PortLogic,
) -> Interconnect:
    """Join modules between the ports that a protocol makes of tensors.

    Args:
        inputs: tensors that enter, with how they do.
        outputs: tensors that leave, with elements per beat.
        parts: the modules, in topological order.
        balance: what stands between them.
        protocol: of the ports.
        ports: what stands before and behind the modules.
    """
    entering = protocol.inputs([(tensor, stream.lanes) for tensor, stream in inputs])
    leaving = protocol.outputs(outputs)
    return interconnect(
        [(*each, port) for each, port in zip(inputs, entering, strict=True)],
        [(tensor, port) for (tensor, _), port in zip(outputs, leaving, strict=True)],
        parts,
        balance,
        ports,
    )


def _converters(design: Design, protocol: Protocol) -> dict[str, int]:
    """Flip-flops that wait together in the converter at a port, by tensor; FIFOs cut the others."""
    entering = protocol.inputs([(each, design.beat(each)) for each in design.inputs])
    leaving = protocol.outputs([(each, design.beat(each)) for each in design.outputs])
    found: dict[str, int] = {port.tensor: port.bus_width for port in entering if port.bus_width}
    found |= {port.tensor: port.beat_width for port in leaving if port.bus_width}
    slow = {port.tensor for port in (*entering, *leaving) if port.is_slow}
    return {tensor: bits for tensor, bits in found.items() if tensor not in slow}


def _part(module: LayerModule, name: str, instance: str) -> Part:
    return Part(
        name,
        instance,
        module.inputs,
        module.output,
        module.result,
        module.clocked,
        module.free,
    )


def _balance(
    design: Design,
    modules: Mapping[str, LayerModule],
    depths: Mapping[str, int],
    fabric: Fabric,
) -> Balance:
    if not all(module.in_lock_step for module in modules.values()):
        return Elastic(
            depths,
            {instance: module.bursts for instance, module in modules.items()},
            {instance: module.pauses for instance, module in modules.items()},
            fabric,
        )
    stages = {instance: module.delays for instance, module in modules.items()}
    if not any(module.free for module in modules.values()):
        return LockStep(stages)
    latency = {tensor.name: 0 for tensor in design.inputs}
    latency |= {m.output.name: m.start + m.units[-1].latency for m in modules.values()}
    return Credit(stages, latency, fabric)


def any_stream(tensor: Tensor, lanes: int) -> Stream:
    """A stream of a tensor of which nothing but the type is known."""
    return Stream(tensor.type, (Element.of(tensor.type),) * lanes, tensor.size // lanes)
