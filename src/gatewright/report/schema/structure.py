"""The structure of a design: ports, FIFOs, layers, and the bottleneck."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gatewright.results.figure import PerTarget, Source
from gatewright.results.part import Part, refuse_excess
from gatewright.results.scalars import ByKey, Count, Name, Positive, Real, Shape
from gatewright.results.utilization import ByTarget


class Port(Part):
    """An AXI4-Stream port of the design."""

    name: Name
    """Prefix of its signals, for example "s_axis"."""
    direction: Literal["input", "output"]
    """Whether it is an input or an output of the design."""
    tensor: Name
    """Name of the tensor in the model."""
    shape: Shape
    """Shape of the tensor, without the batch, in elements."""
    type: str
    """Fixed-point type of an element."""
    lanes: Positive
    """Elements per beat (a number)."""
    beats: Positive
    """Beats per tensor (a number)."""
    width: Positive
    """Width of `tdata`, in bits, padded to whole bytes."""
    words: Positive | None = None
    """Transfers per tensor (a number), if its beats pass as words of a bus."""


class Fifo(Part):
    """A FIFO between two layers."""

    name: Name
    """Name of its instance in the top module."""
    depth: Count
    """Capacity as built, as a number of beats; 0 is a wire."""
    level: Annotated[Count | None, Source("fifos")] = None
    """High-water mark: largest number of beats in it in a simulation with deep FIFOs and inputs at
    the design's initiation interval."""
    width: Positive | None = None
    """Width of a beat, in bits."""


class Layer(Part):
    """The figures of one layer of the network."""

    name: Name
    """Name of the layer in the model."""
    kind: Name
    """Kernel class, for example "Dense"."""
    input_shapes: tuple[Shape, ...] = ()
    """Shape of each input, without the batch, in elements."""
    output_shapes: tuple[Shape, ...] = ()
    """Shape of each output, without the batch, in elements."""
    types: Annotated[dict[str, str], ByKey] = Field(default_factory=dict)
    """Fixed-point type per role: "input", "weight", "bias", "accum", "result"."""
    latency: Annotated[Count | None, Source("timing.predicted")] = None
    """Scheduled latency, in cycles, from when the layer's first beat is offered to its first
    output transfer."""
    interval: Annotated[Positive | None, Source("timing.predicted")] = None
    """Scheduled initiation interval of the layer alone, in cycles."""
    weights: Annotated[Count | None, Source("compute")] = None
    """Weights (a number)."""
    weights_nonzero: Count | None = None
    """Weights that are not zero after quantization (a number)."""
    resources: Annotated[ByTarget, PerTarget("layers")] = Field(default_factory=dict)
    """Resources per target."""

    @model_validator(mode="after")
    def _consistent(self) -> Layer:
        refuse_excess(self.weights, self.weights_nonzero)
        return self


class Bottleneck(Part):
    """The slowest layer, and the cost of making it twice as fast."""

    layer: Name
    """Name of the layer in the model."""
    interval: Positive
    """Scheduled initiation interval, in cycles."""
    reuse_factor: Positive | None = None
    """Its reuse factor (a number)."""
    faster_reuse_factor: Positive | None = None
    """Largest reuse factor that at least halves the interval (a number)."""
    multipliers: Count | None = None
    """Multipliers at `reuse_factor` (a number)."""
    faster_multipliers: Count | None = None
    """Multipliers at `faster_reuse_factor` (a number); at 1 they are products by constants, which
    may be built in another way."""
    extra_lut: Real | None = None
    """Additional cost at `faster_reuse_factor`, as a number of LUTs; the target declares the LUTs
    that a DSP is worth."""
