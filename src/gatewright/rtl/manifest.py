"""The manifest of an RTL project, from which simulation and synthesis know the design."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, StringConstraints

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.options import BusWidth, Handshake
from gatewright.parsing.typed import LARGEST, Identifier, Text, decode
from gatewright.system.files import opened
from gatewright.tensor import MOST_ELEMENTS

MANIFEST = "project.json"

_FIELDS = ConfigDict(extra="forbid")

#: Name of a file directly in the project directory.
_File = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=250)]

#: Clock cycles, beats, elements, bits.
_Number = Annotated[int, Field(ge=0, le=2**40)]
_Positive = Annotated[int, Field(ge=1, le=2**31)]
_Nanoseconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Port:
    """An AXI4-Stream port of the top module; a beat carries `lanes` elements of `width` bits.

    Element 0 is in the least significant bits; a beat is padded with zeros to whole bytes. A tensor
    of n elements has n / lanes beats. Without a bus width, `tdata` is one beat. With a bus width,
    the bytes of all beats of a tensor are concatenated, and `tdata` is one word of them, the first
    byte in the least significant bits; the last word is padded with zeros. `tlast` marks the last
    transfer of a tensor.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _FIELDS

    tensor: Text  # name of the tensor in the model
    prefix: Identifier  # "s_axis", "m_axis", or "s_axis_<tensor>" if there are several
    shape: tuple[_Positive, ...]
    type: Text  # the element's fixed-point type, as FixedType prints it
    width: _Positive  # bits of an element
    lanes: _Positive  # elements per beat
    tdata_width: _Positive
    checked: bool = False  # whether <prefix>_frame_error reports dropped frames
    bus_width: BusWidth | None = None  # bits per word, if tensors pass as words of a bus
    keep: bool = False  # whether <prefix>_tkeep marks the bytes of a word that are data

    @property
    def elements(self) -> int:
        """Elements of the whole tensor."""
        return math.prod(self.shape)

    @property
    def beats(self) -> int:
        """Transfers of the whole tensor: beats, or words of a bus."""
        return -(-8 * self.octets // self.bus_width) if self.bus_width else self.stream_beats

    @property
    def stream_beats(self) -> int:
        """Beats of `lanes` elements in the whole tensor."""
        return self.elements // self.lanes

    @property
    def is_slow(self) -> bool:
        """Whether a tensor of several beats has even more transfers."""
        return self.beats > self.stream_beats > 1

    @property
    def beat_width(self) -> int:
        """Bits of a beat of `lanes` elements, padded to whole bytes."""
        return -(-self.lanes * self.width // 8) * 8

    @property
    def octets(self) -> int:
        """Bytes of the whole tensor, with each beat padded to whole bytes."""
        return self.stream_beats * self.beat_width // 8

    @property
    def data_bits(self) -> int:
        """Bits of `tdata` that carry data in at least one transfer; higher ones are always zero."""
        return self.bus_width or self.lanes * self.width

    @property
    def keep_bits(self) -> int:
        """Bits of `tkeep`, one per byte of `tdata`; 0 if there is none."""
        return self.tdata_width // 8 if self.keep else 0

    @property
    def last_keep(self) -> int:
        """The value of `tkeep` at the last transfer of a tensor; it is all ones at the others."""
        return (1 << self.octets - (self.beats - 1) * self.tdata_width // 8) - 1


@dataclass(frozen=True)
class Module:
    """A module instantiated in the top: a kernel of the design, or glue between kernels."""

    __pydantic_config__: ClassVar[ConfigDict] = _FIELDS

    name: Identifier  # SystemVerilog module name
    file: _File  # file that defines it, relative to the project directory
    instance: Identifier  # instance name in the top
    layer: Text  # layer of the model that it belongs to; "" for glue
    kind: Text  # kernel class, "fork", "delay"
    latency: _Number  # predicted cycles from the first beat offered to the first output beat
    library: tuple[_File, ...]  # library files that it needs, in compile order
    layers: tuple[Text, ...] = ()  # all layers in the module, `layer` first
    strategy: Text = ""  # how it is built, if there is a choice
    reason: Text = ""  # why it is built so
    notes: tuple[Text, ...] = ()  # requests not honoured, and what is done instead
    parts: tuple[_File, ...] = ()  # files of modules that only this one instantiates
    clocked: bool = True  # whether it has ports clk and rst
    free_running: bool = False  # whether it never stalls, and has neither handshake nor reset
    interval: _Number = 1  # predicted initiation interval of this module alone, in cycles
    startups: tuple[_Number, ...] = ()  # per input, cycles until the very first beat is accepted
    lanes: tuple[_Positive, ...] = ()  # elements per beat, per input
    out_lanes: _Number = 0  # elements per beat of the output
    reuse_factor: _Positive | None = None  # None if multipliers can't be shared
    multipliers: _Number | None = None  # number of shared multipliers
    depth: _Number | None = None  # of a FIFO: depth in beats
    width: _Number | None = None  # of a FIFO: bits per beat
    beats: _Number | None = None  # of a FIFO: beats per tensor
    room: _Number | None = None  # of a FIFO: a depth in beats that is always enough


@dataclass(frozen=True)
class RtlProject:
    """An RTL project directory: its files in compile order, its ports, its kernels."""

    __pydantic_config__: ClassVar[ConfigDict] = _FIELDS

    directory: Path
    top: Identifier
    files: tuple[_File, ...]  # SystemVerilog files in compile order, relative to `directory`
    inputs: Annotated[tuple[Port, ...], Field(min_length=1)]
    outputs: Annotated[tuple[Port, ...], Field(min_length=1)]
    modules: tuple[Module, ...]
    target: Text
    clock_ns: _Nanoseconds
    latency: _Number  # predicted cycles from first input transfer to first output transfer
    interval: _Number  # predicted initiation interval, cycles per tensor
    path_ns: _Nanoseconds | None = None  # longest path between registers, by the delay model
    handshake: Handshake = "stall"  # how pipelines handle backpressure
    ready_ns: _Nanoseconds | None = None  # longest ready path, by the delay model

    @property
    def predicted_ns(self) -> float | None:
        """The longest path by the delay model, ready paths included, in ns; None if unknown."""
        return max((ns for ns in (self.path_ns, self.ready_ns) if ns is not None), default=None)

    def save(self) -> None:
        """Write the manifest into the project directory."""
        fields = asdict(self)
        del fields["directory"]
        (self.directory / MANIFEST).write_text(
            json.dumps(fields, indent=1) + "\n", encoding="utf-8"
        )

    @classmethod
    def load(cls, directory: Path) -> RtlProject:
        """Read the manifest of a project directory.

        Raises:
            InputError: if there is none, a field is not valid, or it names files outside of the
                directory.
        """
        path = directory / MANIFEST
        try:
            with opened(path, LARGEST) as file:
                fields = json.load(file)
            if not isinstance(fields, dict):
                raise ValueError("no object")
            project = replace(
                decode(cls, json.dumps({**fields, "directory": "."})), directory=directory
            )
            for port in (*project.inputs, *project.outputs):
                _check_port(port)
            for name in project.files:
                if (directory / name).resolve().parent != directory.resolve():
                    raise ValueError(f"{name} is a link to elsewhere")
        except FileNotFoundError:
            raise InputError(
                f"{path}: no RTL project here; run 'gatewright convert' first"
            ) from None
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}); run 'gatewright convert' again"
            ) from None
        except (ValueError, RecursionError, InputError) as error:
            raise InputError(
                f"{path}: not a Gatewright RTL manifest ({error}); run 'gatewright convert' again"
            ) from None
        return project


def _check_port(port: Port) -> None:
    """Check that the fields of a port are consistent.

    Raises:
        ValueError: if they are not.
        InputError: if its type is not a fixed-point type.
    """
    if FixedType.parse(port.type).width != port.width:
        raise ValueError(f"port {port.prefix}: {port.width} bits of type {port.type}")
    if port.elements > MOST_ELEMENTS or port.elements % port.lanes:
        raise ValueError(f"port {port.prefix}: {port.elements} elements in beats of {port.lanes}")
    if port.tdata_width != (port.bus_width or port.beat_width) or port.keep > bool(port.bus_width):
        raise ValueError(f"port {port.prefix}: tdata of {port.tdata_width} bits")
