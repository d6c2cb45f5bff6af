"""The manifest of an emitted RTL project: all that simulation and synthesis know of a design."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from gatewright.errors import InputError

MANIFEST = "project.json"

#: Fields of a module that JSON has as lists.
_TUPLES = ("layers", "notes", "parts", "waits", "lanes")


@dataclass(frozen=True)
class Port:
    """An AXI4-Stream port of the top module: one beat carries `lanes` elements of `width` bits.

    Element 0 stands in the least significant bits; `tdata` is padded with zeros to `tdata_width`,
    a multiple of 8. A tensor of n elements takes n / lanes beats; `tlast` marks the last one.
    """

    tensor: str  # name of the tensor in the model
    prefix: str  # "s_axis", "m_axis", or "s_axis_<tensor>" where there are several
    shape: tuple[int, ...]
    type: str  # the element's fixed-point type, as FixedType prints it
    width: int  # bits of an element
    lanes: int  # elements per beat
    tdata_width: int

    @property
    def elements(self) -> int:
        """Elements of the whole tensor."""
        n = 1
        for extent in self.shape:
            n *= extent
        return n

    @property
    def beats(self) -> int:
        """Beats of the whole tensor."""
        return self.elements // self.lanes


@dataclass(frozen=True)
class Module:
    """A module instantiated in the top: a kernel of the design, or glue between kernels."""

    name: str  # SystemVerilog module name
    file: str  # file that defines it, relative to the project directory
    instance: str  # instance name in the top
    layer: str  # layer of the model that it belongs to; "" for glue
    kind: str  # kernel class, "fork", "delay"
    latency: int  # predicted cycles from the first beat offered to the first that leaves
    layers: tuple[str, ...] = ()  # all layers in the module, `layer` first
    strategy: str = ""  # how it is built where there is a choice
    reason: str = ""  # why
    notes: tuple[str, ...] = ()  # what was asked for and could not be
    parts: tuple[str, ...] = ()  # files of modules that only this one instantiates
    clocked: bool = True  # whether it has ports clk and rst
    interval: int = 1  # predicted cycles per tensor, by itself
    waits: tuple[int, ...] = ()  # per input, cycles until the very first beat offered is taken
    lanes: tuple[int, ...] = ()  # elements per beat, per input
    out_lanes: int = 0  # elements per beat of the output
    reuse_factor: int | None = None  # where multipliers are shared or could be
    multipliers: int | None = None  # shared ones
    depth: int | None = None  # of a FIFO, in beats
    width: int | None = None  # of a FIFO, bits per beat
    beats: int | None = None  # through a FIFO, per tensor
    room: int | None = None  # of a FIFO: beats that are more than it can ever need


@dataclass(frozen=True)
class RtlProject:
    """An RTL project directory: its files in compile order, its ports, its kernels."""

    directory: Path
    top: str
    files: tuple[str, ...]  # SystemVerilog files in compile order, relative to `directory`
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    modules: tuple[Module, ...]
    target: str
    clock_ns: float
    latency: int  # predicted cycles from first input transfer to first output transfer
    interval: int  # predicted initiation interval, cycles per tensor
    path_ns: float | None = None  # longest path between registers, by the target's delay model

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
            InputError: if there is no readable manifest.
        """
        path = directory / MANIFEST
        try:
            fields = json.loads(path.read_text())
            for key in ("inputs", "outputs"):
                fields[key] = tuple(
                    Port(**{**port, "shape": tuple(port["shape"])}) for port in fields[key]
                )
            modules = tuple(
                Module(**module | {key: tuple(module[key]) for key in _TUPLES})
                for module in fields.pop("modules")
            )
            files = tuple(fields.pop("files"))
            return cls(directory=directory, files=files, modules=modules, **fields)
        except FileNotFoundError:
            raise InputError(
                f"{path}: no RTL project here; run 'gatewright convert' first"
            ) from None
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: not a Gatewright RTL manifest ({error})") from None
