"""Entries of the manifest: the modules of a top as simulation, synthesis and reports know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.emit.interconnect import Buffer, Glue
from gatewright.rtl.library import library_files
from gatewright.rtl.manifest import Module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.emit import netlist
    from gatewright.emit.interconnect import Interconnect
    from gatewright.emit.layers import LayerModule
    from gatewright.targets import Target


def layer_entry(
    module: LayerModule, netlists: Sequence[netlist.Module], instance: str, target: Target
) -> Module:
    """A layer's entry.

    Args:
        module: the layer.
        netlists: its modules, its own last.
        instance: name of its instance in the top.
        target: what it was built for.
    """
    *parts, own = (one.name for one in netlists)
    choice = module.kernels[0].implementation(target)
    latency, interval = module.measure()
    return Module(
        name=own,
        file=f"{own}.sv",
        instance=instance,
        layer=module.kernels[0].layer,
        kind=type(module.kernels[0]).__name__,
        latency=latency,
        layers=tuple(kernel.layer for kernel in module.kernels),
        strategy=choice.strategy if choice else "",
        reason=choice.reason if choice else "",
        notes=module.notes,
        parts=tuple(f"{part}.sv" for part in parts),
        library=library_files(i.module for one in netlists for i in one.instances()),
        clocked=module.clocked,
        free_running=module.free,
        interval=interval,
        startups=module.startups,
        lanes=tuple(source.lanes for source in module.sources),
        out_lanes=module.result.lanes,
        reuse_factor=module.reuse,
        multipliers=module.multipliers,
    )


def glue_entries(joined: Interconnect, top: netlist.Module) -> list[Module]:
    """Entries of what joins the layers, in order of the top.

    Args:
        joined: the design.
        top: its netlist, which may hold more than that: what the ports' protocol needs.
    """
    nodes = {node.instance: node for node in joined.nodes if isinstance(node, Glue)}
    return [
        _glue_entry(item, nodes.get(item.name))
        for item in top.instances()
        if library_files([item.module])
    ]


def _glue_entry(item: netlist.Instance, node: Glue | None) -> Module:
    """The entry of an instance; of one that stands at a port there is no node."""
    buffer = node if isinstance(node, Buffer) else None
    stream = buffer.sources[0].stream if buffer else None
    return Module(
        name=item.module,
        file=f"{item.module}.sv",
        instance=item.name,
        layer="",
        kind=node.kind if node else item.module.removeprefix("gw_"),
        latency=node.latency if node else 0,
        library=library_files([item.module]),
        depth=buffer.unit.depth if buffer else None,
        width=stream.bits if stream else None,
        beats=stream.beats if stream else None,
        room=buffer.room if buffer else None,
    )
