"""The schema of a report: every figure of one model under one configuration.

JSON, CSV, Markdown, HTML and the terminal table are views of these classes, and vendor reports are
parsed into them. A figure that is not known is `None` and left out of the JSON; it is never zero.
"""

from __future__ import annotations

import numbers
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    model_validator,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION: Literal[1] = 1
"""Version of the schema; it rises when a field changes its name or its meaning."""

Method = Literal["simulated", "synthesized", "placed-and-routed", "estimated", "vendor", "counted"]
"""How a figure was come by. Simulated: something ran and was watched. Estimated: a model of the
hardware said so. Vendor: parsed from a vendor tool's report. Counted: exact, from the network."""


def _integer(value: object) -> object:
    """NumPy integers are integers; truth values are not."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    return value


def _by_key(value: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(value.items()))


_Integer = Annotated[int, BeforeValidator(_integer), Strict()]
_Count = Annotated[_Integer, Field(ge=0)]
_Positive = Annotated[_Integer, Field(gt=0)]
_Real = Annotated[float, Strict(), Field(allow_inf_nan=False)]
_Amount = Annotated[_Real, Field(ge=0)]
_PositiveReal = Annotated[_Real, Field(gt=0)]
_Fraction = Annotated[_Real, Field(ge=0, le=1)]
_Shape = tuple[_Positive, ...]
_Name = Annotated[str, Field(min_length=1)]
_ByKey = AfterValidator(_by_key)


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )


class Model(_Part):
    """The network that the report is about."""

    name: _Name
    """Name of the model, the same in every configuration of a sweep."""
    source: str | None = None
    """File or Python object that it was read from."""
    task: str | None = None
    """What it does and on which data, in a few words."""
    inputs: dict[str, _Shape] = {}
    """Shape of every input tensor, without the batch, in elements."""
    outputs: dict[str, _Shape] = {}
    """Shape of every output tensor, without the batch, in elements."""


class LayerConfig(_Part):
    """What was configured for one layer, or decided for it."""

    name: _Name
    """Name of the layer in the model."""
    weight_bits: _Positive | None = None
    """Width of a weight, in bits."""
    result_bits: _Positive | None = None
    """Width of an element of the result, in bits."""
    reuse_factor: _Positive | None = None
    """Products of one matrix-vector product that share a multiplier, as built (a number)."""
    reuse_factor_asked: _Positive | None = None
    """Reuse factor asked for, to which `reuse_factor` is the nearest possible (a number)."""
    multipliers: _Positive | None = None
    """Multipliers that are shared over time (a number)."""
    strategy: str | None = None
    """How the layer is built, for example "adder graph" or "dsp"."""
    reason: str | None = None
    """Why that strategy: what was compared, in which unit; or who asked for it."""
    notes: tuple[str, ...] = ()
    """What was asked for and could not be, for example "reuse factor moved from 7 to 8"."""

    @property
    def moved(self) -> bool:
        """Whether the reuse factor asked for was impossible, so that another is built."""
        asked = self.reuse_factor_asked
        return None not in (asked, self.reuse_factor) and asked != self.reuse_factor


class Config(_Part):
    """One configuration of the model: what the figures depend on."""

    name: _Name
    """Name of the configuration, unique within a sweep."""
    description: str | None = None
    """One line for the reader."""
    io: Literal["io_parallel", "io_stream"]
    """Whole tensor per beat, or one pixel per beat."""
    reuse_factor: _Positive | None = None
    """Reuse factor asked for where a layer names none (a number)."""
    target_ii: _Positive | None = None
    """Initiation interval asked for, in cycles: it decides the reuse factors not asked for."""
    target_fps: _PositiveReal | None = None
    """Tensors per second asked for (a number), in place of an interval."""
    target: str | None = None
    """Target whose delay model the pipeline was scheduled for."""
    layers: tuple[LayerConfig, ...] = ()
    """Bits, reuse and strategy per layer, in the order of the network."""

    @model_validator(mode="after")
    def _unique(self) -> Config:
        _refuse_duplicates("layer", (layer.name for layer in self.layers))
        return self


class Port(_Part):
    """An AXI4-Stream port of the design."""

    name: _Name
    """Prefix of its signals, for example "s_axis"."""
    direction: Literal["input", "output"]
    """Whether tensors come in or go out."""
    tensor: _Name
    """Name of the tensor in the model."""
    shape: _Shape
    """Shape of the tensor, without the batch, in elements."""
    type: str
    """Fixed-point type of an element."""
    lanes: _Positive
    """Elements per beat (a number)."""
    beats: _Positive
    """Beats per tensor (a number)."""
    width: _Positive
    """Width of `tdata`, in bits: padded to whole bytes."""

    def __str__(self) -> str:
        """For example "s_axis: image 8x8x1, ufixed<8,0>; 64 beats of 1 element, 8 bits"."""
        beats = f"{self.beats:,} beats" if self.beats > 1 else "a beat"
        elements = f"{self.lanes:,} elements" if self.lanes > 1 else "1 element"
        shape = "x".join(map(str, self.shape))
        return (
            f"{self.name}: {self.tensor} {shape}, {self.type}; "
            f"{beats} of {elements}, {self.width:,} bits"
        )


class Fifo(_Part):
    """A FIFO between two layers."""

    name: _Name
    """Its instance in the top module."""
    depth: _Count
    """Beats that it holds, as built (a number); 0 is a wire."""
    level: _Count | None = None
    """High-water mark: beats that it held at most in simulation, when it was deep and inputs came
    at the design's own interval (a number)."""
    width: _Positive | None = None
    """Width of a beat, in bits."""


class Bottleneck(_Part):
    """The layer that takes longest over a tensor, and the price of making it twice as fast."""

    layer: _Name
    """Name of the layer in the model."""
    interval: _Positive
    """Cycles that it takes per tensor by the schedule."""
    reuse_factor: _Positive | None = None
    """Reuse factor that it has (a number)."""
    faster_reuse_factor: _Positive | None = None
    """Largest reuse factor that at least halves the interval (a number)."""
    multipliers: _Count | None = None
    """Multipliers that it has at `reuse_factor` (a number)."""
    faster_multipliers: _Count | None = None
    """Multipliers that it would have at `faster_reuse_factor` (a number); at 1 they are products
    by constants, which may be built otherwise."""
    extra_lut: _Real | None = None
    """What that would add, as a number of LUTs; a DSP counts what the target says it is worth."""

    def __str__(self) -> str:
        """In a sentence or two what it is, and what twice the speed would cost."""
        reuse = f" (reuse factor {self.reuse_factor})" if self.reuse_factor else ""
        text = f"Bottleneck: {self.layer} takes {self.interval:,} cycles per tensor{reuse}."
        if self.faster_reuse_factor is None:
            return f"{text} No reuse factor makes it twice as fast." if reuse else text
        parts = [f"reuse factor {self.faster_reuse_factor}"]
        if self.faster_reuse_factor == 1:
            parts.append("with nothing shared")
        elif self.faster_multipliers is not None:
            instead = f" instead of {self.multipliers:,}" if self.multipliers is not None else ""
            parts.append(f"{self.faster_multipliers:,} multipliers{instead}")
        if self.extra_lut is not None:
            about = float(f"{abs(self.extra_lut):.2g}")
            parts.append(f"about {about:,.0f} LUT {'more' if self.extra_lut >= 0 else 'less'}")
        return f"{text} Twice as fast: {', '.join(parts)} (estimated)."


class Accuracy(_Part):
    """How well the network does its task, at each step towards hardware, on the same samples."""

    metric: str = "accuracy"
    """Name of the metric, for example "top-1 accuracy"; it is a fraction, more is better."""
    samples: _Positive
    """Samples of the test set that were classified (a number)."""
    float_model: _Fraction | None = None
    """Of the floating-point model, as a fraction from 0 to 1."""
    quantized: _Fraction | None = None
    """Of the quantized model in Keras, as a fraction from 0 to 1."""
    rtl: _Fraction | None = None
    """Of the simulated RTL, as a fraction from 0 to 1."""
    validation: _Fraction | None = None
    """Of the quantized model in Keras on samples held back from training, which a search decides
    by, as a fraction from 0 to 1."""
    validation_samples: _Positive | None = None
    """Samples behind `validation` (a number)."""


class Difference(_Part):
    """The first element, in the order of the network, where two computations differ."""

    layer: _Name
    """The layer whose result differs."""
    vector: _Count
    """Index of the input vector, from 0."""
    element: _Count
    """Index of the element in the flattened result, from 0."""
    expected: _Integer
    """Value of the reference, in units of 2^-fractional bits of the type."""
    got: _Integer
    """Value under test, in units of 2^-fractional bits of the type."""
    type: str | None = None
    """Fixed-point type of the result."""
    reference: str | None = None
    """What computed the expected value."""
    subject: str | None = None
    """What computed the other one."""

    def __str__(self) -> str:
        """For example "layer fc2, vector 17, element 3: golden 12, RTL -4 (fixed<8,3>)"."""
        return (
            f"layer {self.layer}, vector {self.vector}, element {self.element}: "
            f"{self.reference or 'expected'} {self.expected}, {self.subject or 'got'} {self.got}"
            + (f" ({self.type})" if self.type else "")
        )


class Comparison(_Part):
    """How many vectors were compared, and how many differ."""

    vectors: _Count
    """Vectors compared (a number)."""
    mismatches: _Count
    """Vectors with at least one element that differs (a number)."""

    @model_validator(mode="after")
    def _bounded(self) -> Comparison:
        if self.mismatches > self.vectors:
            raise ValueError("more mismatches than vectors")
        return self


class LayerCheck(Comparison):
    """The comparison of one layer's result with the reference's."""

    name: _Name
    """Name of the layer in the model."""


class Verification(Comparison):
    """What was compared with what, and whether it is equal bit for bit.

    `vectors` and `mismatches` are those of the RTL's outputs.
    """

    reference: str
    """What the RTL's outputs were held against, in words."""
    first_difference: Difference | None = None
    """The first difference found, where there is one."""
    stalls: tuple[str, ...] = ()
    """Stall patterns that the ports went through."""
    emulation_missing: str | None = None
    """Why hls4ml's C++ was not compared, in words; null where it was."""
    layers: tuple[LayerCheck, ...] = ()
    """Checks of the results between layers, in the order of the network."""
    keras: Comparison | None = None
    """Keras' own predictions held against the RTL's outputs, bit for bit. A difference is no
    failure: Keras computes in floating point what hls4ml looks up in tables, a softmax say."""

    @model_validator(mode="after")
    def _consistent(self) -> Verification:
        _refuse_duplicates("layer", (layer.name for layer in self.layers))
        if self.first_difference is not None and not self.differing:
            raise ValueError("a first difference, but no mismatch")
        return self

    @property
    def differing(self) -> list[Comparison]:
        """The comparisons, of the outputs or of a layer, that found a mismatch."""
        checks: tuple[Comparison, ...] = (self, *self.layers)
        return [check for check in checks if check.mismatches]

    @property
    def passed(self) -> bool:
        """Whether vectors were compared and all of them, at every layer, are equal."""
        return self.vectors > 0 and not self.differing

    def __str__(self) -> str:
        """The state in few words, for example "bit-exact, 10,000 vectors"."""
        if self.passed:
            without = ", without hls4ml's C++" if self.emulation_missing is not None else ""
            return f"bit-exact, {self.vectors:,} vectors{without}"
        if not self.differing:
            return "not verified"
        worst = max(self.differing, key=lambda check: check.mismatches)
        return f"FAILED, {worst.mismatches:,} of {worst.vectors:,} vectors differ"


class OutputFidelity(_Part):
    """How far an output is from what the model itself predicts."""

    name: _Name
    """Name of the output's tensor."""
    largest: _Amount
    """Largest absolute difference (a number, in the unit of the output)."""
    mean: _Amount
    """Mean absolute difference (a number, in the unit of the output)."""
    equal: _Fraction
    """Vectors whose elements are all equal, as a fraction from 0 to 1."""
    agreement: _Fraction | None = None
    """Vectors whose greatest element is the same one, as a fraction from 0 to 1, where the output
    classifies."""


class LayerFidelity(_Part):
    """How far a layer is from the model's, of the very inputs that the hardware's layer has."""

    name: _Name
    """Name of the layer in the model."""
    vectors: _Count
    """Vectors compared (a number)."""
    largest: _Amount
    """Largest absolute difference (a number, in the unit of the result)."""
    explained: _Amount
    """How much of it the steps of its types account for (a number, in the unit of the result)."""


class Blame(_Part):
    """A layer that gives other values than the model's of the same inputs, and why."""

    layer: _Name
    """The layer of hardware."""
    type: str
    """The type to blame."""
    reason: str
    """What it does to values, in words."""
    setting: str | None = None
    """What `gatewright convert --set` mends it with."""

    def __str__(self) -> str:
        """For example "layer fc1 (fixed<8,3>): saturates: ...; convert with --set '...'"."""
        mend = f"; convert with --set '{self.setting}'" if self.setting else ""
        return f"layer {self.layer} ({self.type}): {self.reason}{mend}"


class Fidelity(_Part):
    """The hardware's outputs against the predictions of the model itself, in its own framework."""

    vectors: _Count
    """Vectors compared (a number)."""
    outputs: tuple[OutputFidelity, ...] = ()
    """Per output of the design."""
    layers: tuple[LayerFidelity, ...] = ()
    """Per layer of hardware that the model has, too, in the order of the network."""
    first: Blame | None = None
    """The first layer that departs by more than the steps of its types explain."""
    not_compared: str | None = None
    """Why nothing was compared, where that is so."""
    inexact: str | None = None
    """The first layer that keeps outputs from being equal bit for bit, and why. Without one they
    ought to be."""
    blame: Blame | None = None
    """What does most harm, where a warning is due."""
    warning: str | None = None
    """What an owner of the model should know, in a sentence."""

    def layer(self, name: str) -> LayerFidelity | None:
        """The comparison of the layer of that name."""
        return next((layer for layer in self.layers if layer.name == name), None)

    @property
    def largest(self) -> float | None:
        """Largest absolute difference of all outputs, in their unit."""
        return max((each.largest for each in self.outputs), default=None)

    @property
    def mean(self) -> float | None:
        """Mean absolute difference of the output where it is largest, in its unit."""
        return max((each.mean for each in self.outputs), default=None)

    @property
    def equal(self) -> float | None:
        """Vectors that are equal, of the output where these are fewest, from 0 to 1."""
        return min((each.equal for each in self.outputs), default=None)

    @property
    def agreement(self) -> float | None:
        """Agreement of classes, of the output where it is least, from 0 to 1."""
        known = [each.agreement for each in self.outputs if each.agreement is not None]
        return min(known, default=None)

    def __str__(self) -> str:
        """In few words, for example "class agrees in 99.80 %, difference at most 0.012"."""
        if self.not_compared is not None or self.largest is None:
            return f"not compared with the model itself: {self.not_compared or 'no outputs'}"
        if self.equal == 1:
            return "equal to the model itself"
        parts = [f"difference at most {self.largest:.3g}, {self.mean:.3g} in the mean"]
        if self.agreement is not None:
            parts.insert(0, f"class agrees in {self.agreement:.2%}".replace("%", " %"))
        return f"against the model itself: {', '.join(parts)}"


class Timing(_Part):
    """Cycles and clock. A cycle is a period of `clock_ns`."""

    clock_ns: _PositiveReal | None = None
    """Clock period asked for, in ns."""
    latency_min: _Count | None = None
    """Least number of cycles from a tensor's first input transfer to its first output transfer."""
    latency_max: _Count | None = None
    """Largest number of cycles from a tensor's first input transfer to its first output transfer,
    without stalls."""
    latency_last_min: _Count | None = None
    """Least number of cycles from a tensor's first input transfer to its last output transfer."""
    latency_last_max: _Count | None = None
    """Largest number of cycles from a tensor's first input transfer to its last output transfer,
    without stalls."""
    latency_predicted: _Count | None = None
    """The latency that the schedule promised, in cycles."""
    ii: _Positive | None = None
    """Initiation interval as simulated: cycles between two tensors at full rate."""
    ii_predicted: _Positive | None = None
    """The initiation interval that the schedule promised, in cycles."""
    fmax_mhz: _PositiveReal | None = None
    """Largest clock frequency that meets timing, in MHz."""
    slack_ns: _Real | None = None
    """Worst slack at `clock_ns`, in ns; negative where timing is not met."""

    @model_validator(mode="after")
    def _ordered(self) -> Timing:
        for least, most in (
            ("latency_min", "latency_max"),
            ("latency_last_min", "latency_last_max"),
            ("latency_max", "latency_last_max"),
        ):
            low, high = getattr(self, least), getattr(self, most)
            if low is not None and high is not None and low > high:
                raise ValueError(f"{least} is larger than {most}")
        return self

    @property
    def latency_ns(self) -> float | None:
        """The largest latency at the clock asked for, in ns."""
        if self.latency_max is None or self.clock_ns is None:
            return None
        return self.latency_max * self.clock_ns

    @property
    def fps(self) -> float | None:
        """Tensors per second at the clock asked for and the initiation interval simulated."""
        if self.ii is None or self.clock_ns is None:
            return None
        return 1e9 / (self.clock_ns * self.ii)


class Resources(_Part):
    """What a design or a layer takes up on one target."""

    lut: _Count | None = None
    """Look-up tables (a number): logic, inverters and memory together."""
    ff: _Count | None = None
    """Flip-flops (a number)."""
    dsp: _Count | None = None
    """DSP slices (a number)."""
    bram: _Amount | None = None
    """Block RAM, in units of 36 Kb blocks; half of one counts 0.5."""
    uram: _Count | None = None
    """UltraRAM blocks (a number)."""
    lutram: _Count | None = None
    """Look-up tables used as memory or shift register (a number); part of `lut`."""
    carry: _Count | None = None
    """Carry primitives of the family (a number): CARRY4 of four bits, CARRY8 of eight."""
    area_um2: _Amount | None = None
    """Cell area of an ASIC target, in um^2."""
    energy_pj: _Amount | None = None
    """Energy per inference, in pJ."""


class Layer(_Part):
    """The figures of one layer of the network."""

    name: _Name
    """Name of the layer in the model."""
    kind: _Name
    """Kernel class, for example "Dense"."""
    input_shapes: tuple[_Shape, ...] = ()
    """Shape of each input, without the batch, in elements."""
    output_shapes: tuple[_Shape, ...] = ()
    """Shape of each output, without the batch, in elements."""
    types: Annotated[dict[str, str], _ByKey] = {}
    """Fixed-point type per role: "input", "weight", "bias", "accum", "result"."""
    latency: _Count | None = None
    """Cycles from when the layer's first beat is offered to its first output transfer, by the
    schedule."""
    interval: _Positive | None = None
    """Initiation interval by the schedule: cycles that the layer takes per tensor, by itself."""
    weights: _Count | None = None
    """Weights (a number)."""
    weights_nonzero: _Count | None = None
    """Weights that are not zero after quantization (a number)."""
    resources: Annotated[dict[str, Resources], _ByKey] = {}
    """Resources per target."""

    @model_validator(mode="after")
    def _consistent(self) -> Layer:
        _refuse_excess(self.weights, self.weights_nonzero)
        return self


class Compute(_Part):
    """What the network costs by itself, whatever it is built from."""

    macs: _Count | None = None
    """Multiply-accumulates per inference (a number)."""
    bops: _Count | None = None
    """Bit operations per inference (a number)."""
    ebops: _Count | None = None
    """Effective bit operations per inference (a number): as bit operations, but of a weight only
    the bits from its first to its last that is not zero (Sun et al., HGQ, 2024)."""
    parameters: _Count | None = None
    """Weights and biases (a number)."""
    weight_bits: _Count | None = None
    """Storage of all parameters, in bits."""
    sparsity: _Fraction | None = None
    """Weights that are zero, as a fraction from 0 to 1."""


class Step(_Part):
    """A step of the recipe that made the model, and the model that it left."""

    name: _Name
    """What was done, for example "train", "prune" or "quantize"."""
    settings: str | None = None
    """How, in a few words: equal text for equal settings."""
    metric: str = "accuracy"
    """Name of the metric of `validation` and `test`; it is a fraction, more is better."""
    validation: _Fraction | None = None
    """On samples held back from training, as a fraction from 0 to 1."""
    test: _Fraction | None = None
    """On the test set, as a fraction from 0 to 1."""
    macs: _Count | None = None
    """Multiply-accumulates per inference (a number)."""
    bops: _Count | None = None
    """Bit operations per inference (a number); what is in floating point counts 32 bits."""
    ebops: _Count | None = None
    """Effective bit operations per inference (a number), see `Compute`."""
    weight_bits: _Count | None = None
    """Storage of all parameters, in bits."""
    weights: _Count | None = None
    """Weights that the layers hold (a number)."""
    weights_nonzero: _Count | None = None
    """Weights that are not zero (a number)."""
    seconds: _Amount | None = None
    """Wall time of the step when it was done, in s, even if its result was found in a cache now."""
    device: str | None = None
    """What the arithmetic ran on, for example "CPU"."""

    @model_validator(mode="after")
    def _consistent(self) -> Step:
        _refuse_excess(self.weights, self.weights_nonzero)
        return self


class Repetition(_Part):
    """The same configuration made again from another seed, its figures come by in the same way."""

    seed: _Count
    """Seed of the training (a number)."""
    accuracy: Accuracy
    """How well that network does the task."""
    verification: Comparison
    """Its RTL against its golden outputs."""
    resources: Annotated[dict[str, Resources], _ByKey] = {}
    """Resources of the whole design per target."""


class Baseline(_Part):
    """A software model that does the same task on a processor: one way to run it, measured."""

    runtime: _Name
    """Software that ran it, for example "TensorFlow Lite"."""
    version: str | None = None
    """Version of that software."""
    model: _Name
    """Arithmetic of the model: "float32", "int8" or "dynamic range"."""
    source: str | None = None
    """What was converted for the runtime, and how."""
    kernels: str | None = None
    """What of the runtime computed it, for example "built-in kernels"."""
    cpu: str | None = None
    """Name of the processor, as the system says it."""
    threads: _Positive | None = None
    """Threads that the runtime was given (a number)."""
    batch: _Positive | None = None
    """Samples handed over at once (a number)."""
    latency_us: _PositiveReal | None = None
    """Median time from a batch handed over to its results, in us: a number of microseconds."""
    latency_low_us: _PositiveReal | None = None
    """The time that one of twenty batches stays below, in us: a number of microseconds."""
    latency_high_us: _PositiveReal | None = None
    """The time that one of twenty batches exceeds, in us: a number of microseconds."""
    repetitions: _Positive | None = None
    """Batches that were timed (a number)."""
    metric: str = "accuracy"
    """Name of the metric of `accuracy`; it is a fraction, more is better."""
    accuracy: _Fraction | None = None
    """On the test set, as a fraction from 0 to 1."""
    samples: _Positive | None = None
    """Samples behind `accuracy` (a number)."""
    method: str | None = None
    """How it was measured, in words."""
    problem: str | None = None
    """Why there are no figures, where the model could not be converted or run."""

    @model_validator(mode="after")
    def _consistent(self) -> Baseline:
        times = [self.latency_low_us, self.latency_us, self.latency_high_us]
        known = [time for time in times if time is not None]
        if known != sorted(known):
            raise ValueError("latency_low_us, latency_us and latency_high_us do not rise")
        if self.problem is not None and known:
            raise ValueError("a problem, but figures as well")
        return self

    @property
    def throughput(self) -> float | None:
        """Inferences per second, at the median time of a batch."""
        if self.latency_us is None or self.batch is None:
            return None
        return 1e6 * self.batch / self.latency_us


class SearchTrial(_Part):
    """A trial of a search: what was tried, and what came of it."""

    number: _Count
    """Index of the trial, from 0, in the order they were asked for."""
    config: _Name
    """Name of its configuration."""
    state: Literal["done", "stopped", "failed"]
    """Whether it came to a result, was stopped early as hopeless, or failed."""
    point: dict[str, str] = {}
    """What was varied, in the order of the search's space: per place in a configuration, for
    example "bits.hidden1.weights", the value as a sweep file has it."""
    figures: Annotated[dict[str, _Real], _ByKey] = {}
    """Figures that were found, by the names that budgets use, in the units of the report's own. A
    resource without a target is that on the target of the configuration."""
    reason: _Name | None = None
    """Why it was stopped."""
    error: _Name | None = None
    """Why it failed, in a line."""
    front: bool = False
    """Whether it is on the front of the search: it keeps all constraints, and no other trial that
    does betters it. Of trials with equal objectives the first is on it."""

    @model_validator(mode="after")
    def _consistent(self) -> SearchTrial:
        for field, state in (("reason", "stopped"), ("error", "failed")):
            if (getattr(self, field) is not None) != (self.state == state):
                only = f"a trial has a field '{field}' if it {_STATES[state]}, and only then"
                raise ValueError(f"trial {self.number}: {only}")
        if self.front and self.state != "done":
            raise ValueError(f"trial {self.number}: on the front, but it {_STATES[self.state]}")
        return self


_STATES = {"stopped": "was stopped", "failed": "failed"}


class Search(_Part):
    """How the configurations of a sweep were found, and what they were chosen from."""

    sampler: _Name
    """What chose the trials, for example "TPESampler"."""
    tool: str | None = None
    """Where the sampler is from, for example "Optuna"."""
    version: str | None = None
    """Version of that tool."""
    seed: _Integer | None = None
    """Seed of the sampler (a number)."""
    trials: tuple[SearchTrial, ...]
    """All that were run, those stopped early and those that failed included, by number."""
    objectives: Annotated[tuple[_Name, ...], Field(min_length=1)]
    """Figures that were weighed, by the names that budgets use, for example "accuracy" or
    "xcup.lut"; which way is better follows from the figure. Without a target a resource is weighed
    on each."""
    constraints: tuple[_Name, ...] = ()
    """Limits that a trial had to keep, written as budgets are, for example "latency_ns<=100"."""

    @model_validator(mode="after")
    def _consistent(self) -> Search:
        _refuse_duplicates("trial", (str(trial.number) for trial in self.trials))
        _refuse_duplicates("configuration", (trial.config for trial in self.trials))
        _refuse_duplicates("objective", self.objectives)
        return self

    @property
    def completed(self) -> tuple[SearchTrial, ...]:
        """Trials that came to a result."""
        return tuple(trial for trial in self.trials if trial.state == "done")

    @property
    def stopped(self) -> dict[str, int]:
        """How many trials were stopped early, per reason."""
        reasons = Counter(trial.reason for trial in self.trials if trial.reason is not None)
        return dict(sorted(reasons.items()))

    @property
    def failed(self) -> tuple[SearchTrial, ...]:
        """Trials that failed."""
        return tuple(trial for trial in self.trials if trial.state == "failed")


class Origin(_Part):
    """Where the figures of a group come from."""

    method: Method
    """How they were come by."""
    tool: _Name
    """The tool that said so."""
    version: str | None = None
    """Version of the tool."""
    details: str | None = None
    """What a person needs to repeat it: command, family, options."""

    @property
    def short(self) -> str:
        """Method and tool, for example "synthesized · Yosys 0.70"."""
        return f"{self.method} · {self.tool}" + (f" {self.version}" if self.version else "")

    def __str__(self) -> str:
        """All of it, for example "synthesized · Yosys 0.70 (synth_xilinx -family xcup)"."""
        return f"{self.short} ({self.details})" if self.details else self.short


class Provenance(_Part):
    """How the figures came about, and what they were made from."""

    gatewright: str
    """Version of Gatewright that wrote the report."""
    groups: Annotated[dict[str, Origin], _ByKey] = {}
    """Origin per group of figures; `Report.groups` names the groups."""
    inputs: Annotated[dict[str, str], _ByKey] = {}
    """Hash of every input, for example "weights" to "sha256:..."."""
    seed: _Integer | None = None
    """Seed of the random vectors (a number)."""
    seconds: Annotated[dict[str, _Amount], _ByKey] = {}
    """Wall time per step, in s: all that may differ between two runs on the same inputs."""


class Report(_Part):
    """The figures of one model under one configuration.

    Raises:
        pydantic.ValidationError: if a field is unknown or out of range, or if a group of figures
            has no origin in `provenance.groups`.
    """

    version: Literal[1] = VERSION
    """Version of the schema (a number)."""
    model: Model
    config: Config
    accuracy: Accuracy | None = None
    verification: Verification | None = None
    fidelity: Fidelity | None = None
    timing: Timing | None = None
    resources: Annotated[dict[str, Resources], _ByKey] = {}
    """Resources of the whole design per target."""
    layers: tuple[Layer, ...] = ()
    """Figures per layer, in the order of the network."""
    compute: Compute | None = None
    steps: tuple[Step, ...] = ()
    """What the recipe did to the model before it became hardware, in order."""
    training_seed: _Count | None = None
    """Seed that the network was trained from (a number)."""
    repetitions: tuple[Repetition, ...] = ()
    """The same from other seeds, of which the origins are those of this report's own figures."""
    ports: tuple[Port, ...] = ()
    """Ports of the top module, inputs first."""
    fifos: tuple[Fifo, ...] = ()
    """FIFOs between layers, in the order of the network."""
    bottleneck: Bottleneck | None = None
    """The layer that takes longest, where that is longer than the ports take for a tensor."""
    provenance: Provenance

    @property
    def groups(self) -> list[str]:
        """The groups of figures that this report holds; each must have an origin.

        They are accuracy.float_model, accuracy.quantized, accuracy.rtl, accuracy.validation,
        verification, fidelity (its outputs), timing.simulated (latency_min, latency_max, those to
        the last beat, ii),
        timing.predicted (latency_predicted, ii_predicted, latency and interval of layers),
        timing.analyzed (fmax_mhz, slack_ns), resources.<target>, layers.<target> (resources of
        layers), compute (with the weights of layers), steps.accuracy (validation, test),
        steps.compute (macs, bops, ebops and all about weights), fifos (their high-water marks) and
        bottleneck.
        """
        timing = self.timing or Timing()
        accuracy = self.accuracy
        held = {
            "accuracy.float_model": accuracy and accuracy.float_model,
            "accuracy.quantized": accuracy and accuracy.quantized,
            "accuracy.rtl": accuracy and accuracy.rtl,
            "accuracy.validation": accuracy and accuracy.validation,
            "verification": self.verification,
            "fidelity": (self.fidelity and self.fidelity.outputs) or None,
            "timing.simulated": _any(
                timing.latency_min,
                timing.latency_max,
                timing.latency_last_min,
                timing.latency_last_max,
                timing.ii,
            ),
            "timing.predicted": _any(
                timing.latency_predicted,
                timing.ii_predicted,
                *(figure for layer in self.layers for figure in (layer.latency, layer.interval)),
            ),
            "timing.analyzed": _any(timing.fmax_mhz, timing.slack_ns),
            **{f"resources.{target}": True for target in self.resources},
            **{f"layers.{target}": True for layer in self.layers for target in layer.resources},
            "compute": self.compute or _any(*(layer.weights for layer in self.layers)),
            "steps.accuracy": _any(*(f for s in self.steps for f in (s.validation, s.test))),
            "steps.compute": _any(
                *(
                    figure
                    for step in self.steps
                    for figure in (
                        step.macs,
                        step.bops,
                        step.ebops,
                        step.weight_bits,
                        step.weights,
                        step.weights_nonzero,
                    )
                )
            ),
            "fifos": _any(*(fifo.level for fifo in self.fifos)),
            "bottleneck": self.bottleneck,
        }
        return [group for group, figure in held.items() if figure is not None]

    @model_validator(mode="after")
    def _consistent(self) -> Report:
        _refuse_duplicates("layer", (layer.name for layer in self.layers))
        _refuse_duplicates("FIFO", (fifo.name for fifo in self.fifos))
        if self.repetitions:
            seeds = [self.training_seed, *(again.seed for again in self.repetitions)]
            _refuse_duplicates("seed", map(str, seeds))
        missing = [group for group in self.groups if group not in self.provenance.groups]
        if missing:
            raise ValueError(f"provenance.groups has no origin for {', '.join(missing)}")
        return self

    @property
    def verdict(self) -> str:
        """The state of verification in few words, for example "not verified"."""
        return str(self.verification or "not verified")

    @property
    def passed(self) -> bool | None:
        """Whether the RTL was found equal bit for bit; None where nothing was compared."""
        check = self.verification
        if check is None or (not check.vectors and not check.differing):
            return None
        return check.passed

    def layer_config(self, name: str) -> LayerConfig | None:
        """What was configured for the layer of that name."""
        return next((layer for layer in self.config.layers if layer.name == name), None)

    def utilization(self, layer: Layer) -> float | None:
        """Part of the network's predicted initiation interval that a layer works, up to 1."""
        whole = self.timing.ii_predicted if self.timing else None
        if layer.interval is None or whole is None:
            return None
        return min(1.0, layer.interval / whole)

    def to_json(self, *, wall_times: bool = True) -> str:
        """The report as JSON, the same bytes for the same figures.

        Args:
            wall_times: whether to keep `provenance.seconds` and those of `steps`, which differ
                from run to run.
        """
        return _dump(self, None if wall_times else _WALL_TIMES)


class SweepReport(_Part):
    """The reports of one model, one per configuration."""

    version: Literal[1] = VERSION
    """Version of the schema (a number)."""
    reports: Annotated[tuple[Report, ...], Field(min_length=1)]
    """One per configuration, in the order of the sweep."""
    baselines: tuple[Baseline, ...] = ()
    """What software on a processor makes of the same task."""
    search: Search | None = None
    """How the configurations were found, if by a search."""

    @model_validator(mode="after")
    def _one_model(self) -> SweepReport:
        _refuse_duplicates("configuration", (report.config.name for report in self.reports))
        models = sorted({report.model.name for report in self.reports})
        if len(models) > 1:
            raise ValueError(f"reports of several models ({', '.join(models)})")
        return self

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.reports[0].model.name

    @property
    def targets(self) -> list[str]:
        """Targets that any of the reports has resources for, sorted."""
        return sorted({target for report in self.reports for target in report.resources})

    def to_json(self, *, wall_times: bool = True) -> str:
        """The reports as JSON, the same bytes for the same figures.

        Args:
            wall_times: whether to keep `provenance.seconds` and those of `steps`, which differ
                from run to run. Baselines are times by nature, and are kept.
        """
        return _dump(self, None if wall_times else {"reports": {"__all__": _WALL_TIMES}})


_WALL_TIMES = {"provenance": {"seconds"}, "steps": {"__all__": {"seconds"}}}


def _dump(part: BaseModel, exclude: Any) -> str:
    return part.model_dump_json(indent=1, exclude_none=True, exclude=exclude) + "\n"


def _any(*figures: object) -> bool | None:
    """True if any of the figures is known, else None."""
    return True if any(figure is not None for figure in figures) else None


def _refuse_duplicates(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} '{name}' stands twice")
        seen.add(name)


def _refuse_excess(weights: int | None, nonzero: int | None) -> None:
    if weights is not None and nonzero is not None and nonzero > weights:
        raise ValueError("more weights that are not zero than weights")
