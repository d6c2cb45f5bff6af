"""The model, and what was configured for it."""

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
    """What it does and on which data, in a few words."""
    inputs: dict[str, Shape] = Field(default_factory=dict)
    """Shape of every input tensor, without the batch, in elements."""
    outputs: dict[str, Shape] = Field(default_factory=dict)
    """Shape of every output tensor, without the batch, in elements."""


class LayerConfig(Part):
    """What was configured for one layer, or decided for it."""

    name: Name
    """Name of the layer in the model."""
    weight_bits: Positive | None = None
    """Width of a weight, in bits."""
    result_bits: Positive | None = None
    """Width of an element of the result, in bits."""
    reuse_factor: Positive | None = None
    """Products of one matrix-vector product that share a multiplier, as built (a number)."""
    reuse_factor_asked: Positive | None = None
    """Reuse factor asked for, to which `reuse_factor` is the nearest possible (a number)."""
    multipliers: Positive | None = None
    """Multipliers that are shared over time (a number)."""
    strategy: str | None = None
    """How the layer is built, for example "adder graph" or "dsp"."""
    reason: str | None = None
    """Why that strategy: what was compared, in which unit; or who asked for it."""
    notes: tuple[str, ...] = ()
    """Requests not honoured, for example "reuse factor moved from 7 to 8"."""

    @property
    def moved(self) -> bool:
        """Whether the reuse factor asked for was impossible, so that another is built."""
        asked = self.reuse_factor_asked
        return None not in (asked, self.reuse_factor) and asked != self.reuse_factor


class Config(Part):
    """One configuration of the model: what the figures depend on."""

    name: Name
    """Name of the configuration, unique within a sweep."""
    description: str | None = None
    """One line for the reader."""
    io: Literal["io_parallel", "io_stream"]
    """Whole tensor per beat, or one pixel per beat."""
    reuse_factor: Positive | None = None
    """Reuse factor asked for where a layer names none (a number)."""
    target_ii: Positive | None = None
    """Initiation interval asked for, in cycles: it decides the reuse factors not asked for."""
    target_fps: PositiveReal | None = None
    """Tensors per second asked for (a number), in place of an interval."""
    target: str | None = None
    """Target whose delay model the pipeline was scheduled for."""
    handshake: Literal["stall", "slice", "credit"] | None = None
    """How pipelines wait for their readers."""
    layers: tuple[LayerConfig, ...] = ()
    """Bits, reuse and strategy per layer, in the order of the network."""

    @model_validator(mode="after")
    def _unique(self) -> Config:
        refuse_duplicates("layer", (layer.name for layer in self.layers))
        return self
