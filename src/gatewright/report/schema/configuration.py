"""The model and its configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from gatewright.results.part import Part, refuse_duplicates
from gatewright.results.scalars import Name, Positive, PositiveReal, Shape


class Model(Part):
    """The network that the report is about."""

    name: Name
    """Name of the model, the same in every configuration of a sweep."""
    source: str | None = None
    """File or Python object that it was read from."""
    task: str | None = None
    """Its task and data, in a few words."""
    inputs: dict[str, Shape] = Field(default_factory=dict)
    """Shape of every input tensor, without the batch, in elements."""
    outputs: dict[str, Shape] = Field(default_factory=dict)
    """Shape of every output tensor, without the batch, in elements."""


class LayerConfig(Part):
    """The settings of one layer, requested or decided by Gatewright."""

    name: Name
    """Name of the layer in the model."""
    weight_bits: Positive | None = None
    """Width of a weight, in bits."""
    result_bits: Positive | None = None
    """Width of an element of the result, in bits."""
    reuse_factor: Positive | None = None
    """Products of one matrix-vector product that share a multiplier, as built (a number)."""
    reuse_factor_asked: Positive | None = None
    """Requested reuse factor (a number); `reuse_factor` is the nearest possible one."""
    multipliers: Positive | None = None
    """Multipliers that are shared over time (a number)."""
    strategy: str | None = None
    """How the layer is built, for example "adder graph" or "dsp"."""
    reason: str | None = None
    """Why this strategy: the costs compared, with their unit, or that it was requested."""
    notes: tuple[str, ...] = ()
    """Requests not honoured, for example "reuse factor moved from 7 to 8"."""

    @property
    def moved(self) -> bool:
        """Whether the requested reuse factor was impossible, and another was built."""
        asked = self.reuse_factor_asked
        return None not in (asked, self.reuse_factor) and asked != self.reuse_factor


class Config(Part):
    """One configuration of the model: the settings that its figures depend on."""

    name: Name
    """Name of the configuration, unique within a sweep."""
    description: str | None = None
    """A description in one line."""
    io: Literal["io_parallel", "io_stream"]
    """io_parallel: a whole tensor per beat; io_stream: one pixel per beat."""
    reuse_factor: Positive | None = None
    """Requested reuse factor of layers without one of their own (a number)."""
    target_ii: Positive | None = None
    """Requested initiation interval, in cycles; other reuse factors are chosen to reach it."""
    target_fps: PositiveReal | None = None
    """Requested tensors per second (a number), instead of an initiation interval."""
    target: str | None = None
    """Target whose delay model the pipeline was scheduled for."""
    handshake: Literal["stall", "slice", "credit"] | None = None
    """How pipelines handle backpressure."""
    layers: tuple[LayerConfig, ...] = ()
    """Bits, reuse and strategy per layer, in the order of the network."""

    @model_validator(mode="after")
    def _unique(self) -> Config:
        refuse_duplicates("layer", (layer.name for layer in self.layers))
        return self
