"""The settings of a router for a device, and how its cells count as resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Placer:
    """A placement algorithm of nextpnr.

    Attributes:
        name: its name; empty for the default one.
        fullest: the largest share of the device's cells for logic for which it is tried after
            another.
    """

    name: Literal["", "static", "heap"]
    fullest: float = 1.0


@dataclass(frozen=True)
class Router:
    """How nextpnr places and routes for one device.

    Attributes:
        program: its name, for example "nextpnr-ecp5".
        options: command line options for the device, from the family, never from a user.
        device: the vendor's name of the device, with package and speed grade.
        counts: by figure of `Resources`, the weight of each of the router's types of cells.
        joint: whether a cell that counts as a LUT contains a register as well.
        pads: I/O buffers that the ports of the netlist need, as arguments of Yosys' `iopadmap`.
        constraints: name and text of the file with the pins of the harness' ports; None if the
            router chooses pins itself.
        oldest: the oldest version of the program that knows the options.
        placers: placement algorithms, tried in this order until one meets the clock.
    """

    program: str
    options: tuple[str, ...]
    device: str
    counts: Mapping[str, Mapping[str, float]]
    joint: bool = False
    pads: str = ""
    constraints: tuple[str, str] | None = None
    oldest: tuple[int, ...] = ()
    placers: tuple[Placer, ...] = (Placer(""),)
