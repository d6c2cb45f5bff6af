"""Where figures come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gatewright.results.part import Part
from gatewright.results.scalars import Amount, ByKey, Integer, Name

Method = Literal[
    "simulated",
    "synthesized",
    "placed-and-routed",
    "analyzed",
    "estimated",
    "vendor",
    "counted",
]
"""How a figure was obtained. Simulated: something ran and was watched. Analyzed:
computed of a mapped netlist and the tables of its cell library. Estimated: a model of the
hardware said so. Vendor: parsed from a vendor tool's report. Counted: exact, from the network."""


class Origin(Part):
    """Where the figures of a group come from."""

    method: Method
    """How they were obtained."""
    tool: Name
    """The tool that said so."""
    version: str | None = None
    """Version of the tool."""
    details: str | None = None
    """What a person needs to repeat it: command, family, options."""


class Provenance(Part):
    """How the figures came about, and what they were made from."""

    gatewright: str
    """Version of Gatewright that wrote the report."""
    groups: Annotated[dict[str, Origin], ByKey] = Field(default_factory=dict)
    """Origin per group of figures; `Report.groups` names the groups."""
    inputs: Annotated[dict[str, str], ByKey] = Field(default_factory=dict)
    """Hash of every input, for example "weights" to "sha256:..."."""
    seed: Integer | None = None
    """Seed of the random vectors (a number)."""
    seconds: Annotated[dict[str, Amount], ByKey] = Field(default_factory=dict)
    """Wall time per step, in s: all that may differ between two runs on the same inputs."""
