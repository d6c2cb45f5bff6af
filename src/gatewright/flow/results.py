"""What the stamps of the steps say: the fields of their results, by step."""

from __future__ import annotations

from typing import Any, NotRequired

# pydantic wants these where Python is older than 3.12.
from typing_extensions import TypedDict

from gatewright.typed import Count, Finite, Text


class ConvertResults(TypedDict):
    """Of a conversion."""

    layers: Count
    latency: Count
    notes: NotRequired[list[Text]]  # what stands in the place of something else


class _Difference(TypedDict):
    layer: Text
    tensor: Text
    vector: Count
    element: Count
    expected: int
    got: int
    type: Text
    reference: Text
    subject: Text


class _Layer(TypedDict):
    name: Text
    vectors: Count
    mismatches: Count


class _FidelityOutput(TypedDict):
    name: Text
    type: Text
    largest: Finite
    mean: Finite
    equal: Finite
    scale: Finite
    agreement: Finite | None
    close: bool


class _FidelityLayer(TypedDict):
    name: Text
    type: Text
    vectors: Count
    largest: Finite
    explained: Finite


class _Cause(TypedDict):
    layer: Text
    type: Text
    reason: Text
    setting: Text


class _Beyond(TypedDict):
    input: Text
    type: Text
    samples: Count
    of: Count
    largest: Finite
    wider: Text | None
    alone: bool


class FidelityResults(TypedDict):
    """Of the comparison with the model itself, in its own framework.

    `reason` says why there is none. Per output: `largest` and `mean` absolute difference, in the
    output's own unit; share of vectors that are `equal`; greatest magnitude predicted (`scale`);
    share of vectors whose class agrees; whether it is within its last bits (`close`). `layers` are
    on the hardware's own inputs of each, so that a difference is that layer's alone; `explained`
    is what the steps of its types account for. `inexact` says why outputs can't be expected to be
    equal; None where they must be.
    """

    method: Text | None
    vectors: Count
    source: Text
    reason: Text | None
    outputs: list[_FidelityOutput]
    layers: list[_FidelityLayer]
    inexact: Text | None
    equal: bool | None
    first: _Cause | None
    blame: _Cause | None
    beyond: list[_Beyond]
    warning: Text | None


class VerifyResults(TypedDict):
    """Of a verification."""

    vectors: Count
    source: Text
    seed: int | None
    mismatches: Count
    emulation_mismatches: Count | None
    emulation_missing: Text | None
    difference: _Difference | None
    layers: list[_Layer]
    fidelity: NotRequired[FidelityResults | None]
    stalls: list[Text]
    latency_min: Count
    latency_max: Count
    latency_last_min: Count
    latency_last_max: Count
    interval: Finite | None
    cycles: Count
    cycles_per_second: Count
    simulator: Text
    changed: list[Text]


class FifosResults(TypedDict):
    """Of a measurement of FIFOs; without any, nothing is simulated."""

    depths: dict[Text, Count]
    levels: dict[Text, Count]
    interval: Finite
    interval_after: NotRequired[Finite | None]
    simulator: NotRequired[Text]
    stalls: NotRequired[list[Text]]


class _Resources(TypedDict):
    lut: Count | None
    ff: Count | None
    dsp: Count | None
    bram: Finite | None
    uram: Count | None
    lutram: Count | None
    carry: Count | None


class SynthResults(TypedDict):
    """Of a synthesis."""

    total: _Resources
    modules: dict[Text, _Resources]
    tool: Text
    version: Text
    details: Text
    changed: list[Text]


_KINDS: dict[str, Any] = {
    "convert": ConvertResults,
    "verify": VerifyResults,
    "fifos": FifosResults,
    "synth": SynthResults,
}


def results_of(step: str) -> Any:
    """The type of a step's results; one named a-b is of the kind a."""
    return _KINDS.get(step.partition("-")[0], dict[str, Any])
