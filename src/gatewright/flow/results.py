"""The results of each step, as its stamp holds them, and their JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from gatewright.parsing.typed import Count, Finite, Text, decode
from gatewright.results.against_model import Cause, LayerFidelity, OutputFidelity
from gatewright.results.analyzed import Analyzed, Power
from gatewright.results.imported import Imported
from gatewright.results.part import Part
from gatewright.results.ranges import TypeRange
from gatewright.results.routed import Routed
from gatewright.results.software import Software
from gatewright.results.timing import Timing
from gatewright.results.utilization import Resources
from gatewright.results.verification import Verification, reference_of


class ConvertResults(Part):
    """Results of a conversion."""

    layers: Count
    latency: Count
    notes: tuple[Text, ...] = ()
    """Lines for the user, such as about layers that were replaced by others."""


class MeasuredOutput(OutputFidelity):
    """How much an output differs from the model's, with the scale to judge it by."""

    type: Text
    """Fixed-point type of an element."""
    scale: Finite
    """Greatest magnitude of the model's predictions, in the unit of the output."""
    close: bool
    """Whether it differs in its last bits only."""


class MeasuredLayer(LayerFidelity):
    """How much a layer differs from the model's."""

    type: Text
    """Fixed-point type of its result."""


class Beyond(Part):
    """An input whose type doesn't hold the given values."""

    input: Text
    type: Text
    samples: Count
    """Number of samples with values beyond the type."""
    of: Count
    """Number of all samples."""
    largest: Finite
    """The value with the greatest magnitude."""
    wider: Text | None
    """A type that holds them all; None if it would be too wide."""
    alone: bool
    """Whether it is the only input."""


class FidelityResults(Part):
    """Results of the comparison with the model itself, in its own framework."""

    method: Text | None = None
    """The framework, with its version."""
    vectors: Count = 0
    source: Text
    reason: Text | None = None
    """Why there is no comparison."""
    outputs: tuple[MeasuredOutput, ...] = ()
    layers: tuple[MeasuredLayer, ...] = ()
    """Layers on the hardware's own inputs, so that each shows only the difference that it makes."""
    inexact: Text | None = None
    """Why outputs can't be expected to be equal; None if they must be."""
    equal: bool | None = None
    """Whether the outputs are equal on the hardware's inputs."""
    first: Cause | None = None
    """The first layer that differs by more than rounding to its types' steps explains."""
    blame: Cause | None = None
    """The cause with the greatest effect, if there is a warning."""
    beyond: tuple[Beyond, ...] = ()
    warning: Text | None = None


class VerifyResults(Part):
    """Results of a verification."""

    verification: Verification
    timing: Timing
    """Simulated timing without stalls."""
    fidelity: FidelityResults | None = None
    ranges: tuple[TypeRange, ...] = ()
    """Ranges of inputs and of layers' results in the golden outputs."""
    source: Text
    """The origin of the vectors, in words."""
    seed: int | None
    """Seed of random vectors; None for vectors from a file."""
    emulation_mismatches: Count | None
    """Vectors whose golden outputs differ from hls4ml's C++; None if that wasn't run."""
    interval: Finite | None
    """Mean number of cycles between two tensors at full rate; None with a single tensor."""
    cycles: Count
    """Number of simulated clock cycles."""
    cycles_per_second: Count
    simulator: Text
    changed: tuple[Text, ...]
    """Files that differ from those that the conversion made, each with what is wrong with it."""

    @property
    def mismatches(self) -> int:
        """Number of vectors whose outputs differ, in the comparison with more of them."""
        return max(self.verification.mismatches, self.emulation_mismatches or 0)


class FifosResults(Part):
    """Results of sizing FIFOs; without FIFOs, nothing is simulated."""

    depths: dict[Text, Count]
    """Depth of each FIFO in beats, as built."""
    levels: dict[Text, Count]
    """High-water mark of each FIFO in beats."""
    interval: Finite
    """Cycles between two tensors with deep FIFOs."""
    interval_after: Finite | None = None
    """Cycles between two tensors with the built FIFOs."""
    simulator: Text | None = None
    stalls: tuple[Text, ...] = ()


class SynthResults(Part):
    """Results of a synthesis."""

    total: Resources
    modules: dict[Text, Resources]
    tool: Text
    version: Text
    details: Text
    changed: tuple[Text, ...]
    """RTL files that differ from those that were made, each with what is wrong with it."""


class PlaceResults(Part):
    """Results of placement and routing."""

    routed: Routed
    tool: Text
    version: Text
    details: Text
    changed: tuple[Text, ...]
    """RTL files that differ from those that were made, each with what is wrong with it."""


class FmaxRound(Part):
    """A round of the search: a pipeline cut for a clock period, placed and routed."""

    latency: Count
    """Predicted cycles from the first input transfer to the first output transfer."""
    interval: Count
    """Predicted cycles between two tensors."""
    routed: Routed

    @property
    def latency_ns(self) -> float:
        """Latency in ns at the reached frequency."""
        return self.latency * self.routed.path_ns

    @property
    def sentence(self) -> str:
        """For example "cut for 8 ns: 127.4 MHz (7.85 ns), 9 cycles, 70.6 ns"."""
        found = self.routed
        return (
            f"cut for {found.clock_ns:.4g} ns: {found.fmax_mhz:.1f} MHz ({found.path_ns:.2f} ns), "
            f"latency {self.latency} cycles, {self.latency_ns:.1f} ns"
        )


class FmaxResults(Part):
    """Results of a search for the highest clock."""

    rounds: tuple[FmaxRound, ...]
    tool: Text
    version: Text

    @property
    def fastest(self) -> FmaxRound:
        """The round with the highest frequency."""
        return max(self.rounds, key=lambda made: made.routed.fmax_mhz)

    @property
    def least_latency(self) -> FmaxRound:
        """The round with the least latency in ns."""
        return min(self.rounds, key=lambda made: made.latency_ns)


class SiliconResults(Part):
    """Results of static timing analysis of a netlist of standard cells."""

    analyzed: Analyzed
    tool: Text
    version: Text
    details: Text


class PowerResults(Part):
    """Results of a power measurement of a netlist of standard cells."""

    power: Power
    tool: Text
    version: Text
    details: Text


class SoftwareResults(Part):
    """Results of a measurement of the model as software."""

    software: Software


_KINDS: dict[str, type[Part]] = {
    "convert": ConvertResults,
    "verify": VerifyResults,
    "fifos": FifosResults,
    "synth": SynthResults,
    "place": PlaceResults,
    "fmax": FmaxResults,
    "silicon": SiliconResults,
    "power": PowerResults,
    "software": SoftwareResults,
    "vendor": Imported,
}


#: Results whose JSON leaves out unknown figures.
_WITHOUT_UNKNOWN = (PlaceResults, FmaxResults, SiliconResults, PowerResults, SoftwareResults)


def plain(results: Any) -> dict[str, Any]:
    """The JSON of a step's results, in the form of Gatewright 0.1.

    The fields of a verification's parts are merged into its other fields.
    """
    if not isinstance(results, Part):
        return dict(results)
    fields = results.model_dump(mode="json")
    if isinstance(results, VerifyResults):
        check, timing = fields.pop("verification"), _known(fields.pop("timing"))
        check["difference"] = check.pop("first_difference")
        del check["keras"]
        return {**fields, **check, **timing}
    if isinstance(results, SynthResults):
        modules = {name: _known(found) for name, found in fields["modules"].items()}
        return fields | {"total": _known(fields["total"]), "modules": modules}
    if isinstance(results, _WITHOUT_UNKNOWN):
        return results.model_dump(mode="json", exclude_none=True)
    return fields


def parse_results(step: str, fields: Any) -> Any:
    """Read a step's results from their JSON, see `plain`.

    Args:
        step: The name of the step; a step "a-b" has results of kind "a".
        fields: The JSON's value, of any type.

    Raises:
        ValueError: if it isn't the results of that step; the text is one line.
    """
    kind: Any = _KINDS.get(step.partition("-")[0], dict[str, Any])
    if kind is VerifyResults and isinstance(fields, dict):
        fields = _gathered(fields)
    return decode(kind, json.dumps(fields))


def _gathered(fields: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a verification with the fields of its parts moved into these."""
    rest = {"first_difference" if key == "difference" else key: fields[key] for key in fields}
    interval = rest.get("interval")
    if "ii" not in rest and isinstance(interval, int | float) and math.isfinite(interval):
        rest["ii"] = math.ceil(interval)  # Gatewright 0.1 left it out
    rest.setdefault("reference", reference_of(rest.get("emulation_missing")))
    parts = {
        name: {field: rest.pop(field) for field in part.model_fields if field in rest}
        for name, part in (("verification", Verification), ("timing", Timing))
    }
    return rest | parts


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
