"""The origins of figures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gatewright.results.part import Part
from gatewright.results.scalars import Amount, ByKey, Integer, Name

Method = Literal[
    "measured",
    "simulated",
    "synthesized",
    "placed-and-routed",
    "analyzed",
    "estimated",
    "vendor",
    "counted",
]
"""How a figure was obtained. Measured: timed on the device itself. Simulated: observed in a
simulation or in a run of software. Synthesized: cells counted after mapping. Placed-and-routed:
found by the router. Analyzed: computed from a mapped netlist and its cell library. Estimated: by a
model of the hardware. Vendor: parsed from a vendor tool's report. Counted: exact, from the
network."""


class Origin(Part):
    """The origin of a group of figures."""

    method: Method
    """How they were obtained."""
    tool: Name
    """The tool that gave them."""
    version: str | None = None
    """Version of the tool."""
    details: str | None = None
    """Details to reproduce them: command, family, options."""


class Provenance(Part):
    """How the figures were obtained, and from which inputs."""

    gatewright: str
    """Version of Gatewright that wrote the report."""
    groups: Annotated[dict[str, Origin], ByKey] = Field(default_factory=dict)
    """Origin per group of figures; `Report.groups` names the groups."""
    inputs: Annotated[dict[str, str], ByKey] = Field(default_factory=dict)
    """Hash of every input, for example "weights" to "sha256:..."."""
    seed: Integer | None = None
    """Seed of the random vectors (a number)."""
    seconds: Annotated[dict[str, Amount], ByKey] = Field(default_factory=dict)
    """Wall time per step, in s; it differs between runs on the same inputs."""
