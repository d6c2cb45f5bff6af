"""What a router is told of a device, and what its names for a device's cells count as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Router:
    """How nextpnr places and routes for one device.

    Attributes:
        program: its name, for example "nextpnr-ecp5".
        options: what it is told of the device; words that a family wrote, none of a user's.
        device: what its vendor calls it, with package and speed grade.
        counts: by figure of `Resources`, what cells count as, by the router's names for them.
        joint: whether a cell that counts as a LUT holds a register as well.
        pads: buffers that ports of the netlist need, as arguments of Yosys' `iopadmap`.
        constraints: name and text of the file that says at which pins the harness' ports are, where
            the router does not choose these itself.
    """

    program: str
    options: tuple[str, ...]
    device: str
    counts: Mapping[str, Mapping[str, float]]
    joint: bool = False
    pads: str = ""
    constraints: tuple[str, str] | None = None
