"""Bus protocols of a top's ports: how a stream inside becomes a bus outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from gatewright.emit.netlist import (
    CLOCK,
    Assign,
    Comment,
    Concat,
    Connections,
    Expression,
    Instance,
    Item,
    Literal,
    ModulePort,
    Mux,
    Net,
    Select,
    StreamNets,
    Zeros,
)
from gatewright.rtl.identifiers import identifiers
from gatewright.rtl.manifest import Port

if TYPE_CHECKING:
    from gatewright.kernels import Tensor
    from gatewright.options import BusWidth


@dataclass(frozen=True)
class Attached:
    """What connects a port to a stream.

    Attributes:
        ports: of the top.
        items: of the top.
    """

    ports: tuple[ModulePort, ...]
    items: tuple[Item, ...]


class Protocol(ABC):
    """A bus."""

    #: Its name, for headers.
    title: ClassVar[str]
    #: The path from the ready of an output to that of an input, where there is one of each.
    ready_path: ClassVar[str]

    @abstractmethod
    def inputs(self, tensors: Sequence[tuple[Tensor, int]]) -> tuple[Port, ...]:
        """The ports by which tensors enter, each with the elements that a beat carries."""

    @abstractmethod
    def outputs(self, tensors: Sequence[tuple[Tensor, int]]) -> tuple[Port, ...]:
        """The ports by which tensors leave, each with the elements that a beat carries."""

    @abstractmethod
    def enter(self, port: Port, stream: StreamNets) -> Attached:
        """A stream that is what comes in by a port."""

    @abstractmethod
    def leave(self, port: Port, stream: StreamNets) -> Attached:
        """A port by which a stream goes out."""

    @abstractmethod
    def frame(self, port: Port) -> Connections:
        """What a `gw_frame` at a port that is checked has beside its streams: last and error."""

    @abstractmethod
    def ready(self, port: Port) -> str:
        """The net by which the reader of a port's beats stalls the writer."""


@dataclass(frozen=True)
class AxiStream(Protocol):
    """AXI4-Stream (Arm IHI 0051): tvalid, tready, tdata in whole bytes, tlast at a tensor's end.

    Attributes:
        checked: whether tlast is read at inputs, and an output tells of frames that it ends too
            early or too late.
        bus_width: bits of tdata, if all ports have the same: tensors then pass as words, and tkeep
            tells at outputs which bytes of one are data.
    """

    checked: bool = False
    bus_width: BusWidth | None = None

    title = "AXI4-Stream"
    ready_path = "m_axis_tready to s_axis_tready"

    @override
    def inputs(self, tensors: Sequence[tuple[Tensor, int]]) -> tuple[Port, ...]:
        return tuple(replace(port, checked=self.checked) for port in self._ports(tensors, "s_axis"))

    @override
    def outputs(self, tensors: Sequence[tuple[Tensor, int]]) -> tuple[Port, ...]:
        keep = self.bus_width is not None
        return tuple(replace(port, keep=keep) for port in self._ports(tensors, "m_axis"))

    def _ports(self, tensors: Sequence[tuple[Tensor, int]], prefix: str) -> Iterator[Port]:
        for port in _ports(tensors, prefix):
            width = self.bus_width or port.tdata_width
            yield replace(port, bus_width=self.bus_width, tdata_width=width)

    @override
    def enter(self, port: Port, stream: StreamNets) -> Attached:
        valid, ready, last, data = _nets(port)
        unread = "padding" if port.checked else "padding; tlast is redundant here"
        if port.bus_width:
            unread = "redundant here"
        error = Net(f"{port.prefix}_frame_error", comment="a frame was dropped, since reset")
        return Attached(
            (
                ModulePort("input", valid, _carried(port)),
                ModulePort("output", ready),
                ModulePort("input", last if port.checked else replace(last, unread=unread)),
                ModulePort("input", data if port.bus_width else replace(data, unread=unread)),
                *((ModulePort("output", error),) if port.checked else ()),
            ),
            (
                Comment(f"{port.tensor} enters"),
                Assign(stream.valid.ref, valid.ref),
                Assign(ready.ref, stream.ready.ref),
                Assign(stream.data.ref, Select(data.ref, port.data_bits - 1, 0)),
            ),
        )

    @override
    def leave(self, port: Port, stream: StreamNets) -> Attached:
        valid, ready, last, data = _nets(port)
        padding = port.tdata_width - stream.bits
        word = Concat((Zeros(padding), stream.data.ref)) if padding else stream.data.ref
        marker: Item = Assign(last.ref, Literal(1, 1), "a beat is a whole tensor")
        if port.beats > 1:
            marker = Instance(
                "gw_last",
                f"u_{stream.name}_last",
                {
                    **CLOCK,
                    "valid": stream.valid.ref,
                    "ready": stream.ready.ref,
                    "last": last.ref,
                },
                {"Beats": port.beats},
            )
        return Attached(
            (
                ModulePort("output", valid, _carried(port)),
                ModulePort("input", ready),
                ModulePort("output", last),
                *((ModulePort("output", _keep(port)),) if port.keep else ()),
                ModulePort("output", data),
            ),
            (
                Comment(f"{port.tensor} leaves"),
                Assign(valid.ref, stream.valid.ref),
                Assign(stream.ready.ref, ready.ref),
                Assign(data.ref, word),
                marker,
                *((Assign(_keep(port).ref, _kept(port)),) if port.keep else ()),
            ),
        )

    @override
    def frame(self, port: Port) -> Connections:
        last = _nets(port)[2]
        return {"in_last": last.ref, "error": Net(f"{port.prefix}_frame_error").ref}

    @override
    def ready(self, port: Port) -> str:
        return f"{port.prefix}_tready"


def _ports(tensors: Sequence[tuple[Tensor, int]], prefix: str) -> tuple[Port, ...]:
    names = identifiers([tensor.name for tensor, _ in tensors])
    return tuple(
        Port(
            tensor=tensor.name,
            prefix=prefix if len(tensors) == 1 else f"{prefix}_{name}",
            shape=tensor.shape,
            type=str(tensor.type),
            width=tensor.type.width,
            lanes=lanes,
            tdata_width=-(-lanes * tensor.type.width // 8) * 8,
        )
        for (tensor, lanes), name in zip(tensors, names, strict=True)
    )


def _nets(port: Port) -> tuple[Net, Net, Net, Net]:
    """Valid, ready, last, data."""
    return (
        Net(f"{port.prefix}_tvalid"),
        Net(f"{port.prefix}_tready"),
        Net(f"{port.prefix}_tlast"),
        Net(f"{port.prefix}_tdata", port.tdata_width),
    )


def _keep(port: Port) -> Net:
    return Net(f"{port.prefix}_tkeep", port.keep_bits)


def _kept(port: Port) -> Expression:
    """Which bytes of a word are data: all, but in the last one."""
    every = Literal((1 << port.keep_bits) - 1, port.keep_bits)
    last = Literal(port.last_keep, port.keep_bits)
    if port.beats == 1 or last == every:
        return last
    return Mux(_nets(port)[2].ref, last, every)


def _carried(port: Port) -> str:
    return f"{port.tensor}: {'x'.join(map(str, port.shape))} {port.type}"
