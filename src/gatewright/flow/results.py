"""What the stamps of the steps say: the results of each step, and their JSON."""

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
    """Of a conversion."""

    layers: Count
    latency: Count
    notes: tuple[Text, ...] = ()
    """Lines about what was replaced by something else."""


class MeasuredOutput(OutputFidelity):
    """How far an output is from the model's, and what that is to be judged by."""

    type: Text
    """Fixed-point type of an element."""
    scale: Finite
    """Greatest magnitude that the model predicts, in the unit of the output."""
    close: bool
    """Whether it is within its last bits."""


class MeasuredLayer(LayerFidelity):
    """How far a layer is from the model's."""

    type: Text
    """Fixed-point type of its result."""


class Beyond(Part):
    """An input that does not hold what it was given."""

    input: Text
    type: Text
    samples: Count
    """Samples that reach beyond the type."""
    of: Count
    """Samples given."""
    largest: Finite
    """The value that reaches furthest."""
    wider: Text | None
    """A type that holds them all; None if no word is so wide."""
    alone: bool
    """Whether it is the only input."""


class FidelityResults(Part):
    """Of the comparison with the model itself, in its own framework."""

    method: Text | None = None
    """The framework, with its version."""
    vectors: Count = 0
    source: Text
    reason: Text | None = None
    """Why there is no comparison."""
    outputs: tuple[MeasuredOutput, ...] = ()
    layers: tuple[MeasuredLayer, ...] = ()
    """On the hardware's own inputs of each, so that a difference is that layer's alone."""
    inexact: Text | None = None
    """Why outputs can't be expected to be equal; None where they must be."""
    equal: bool | None = None
    """Whether they are, on inputs as the hardware has them."""
    first: Cause | None = None
    """The first layer that departs by more than the steps of its types explain."""
    blame: Cause | None = None
    """What does most harm, where a warning is due."""
    beyond: tuple[Beyond, ...] = ()
    warning: Text | None = None


class VerifyResults(Part):
    """Of a verification."""

    verification: Verification
    timing: Timing
    """As simulated, without stalls."""
    fidelity: FidelityResults | None = None
    ranges: tuple[TypeRange, ...] = ()
    """Of inputs and layers' results, in the golden outputs."""
    source: Text
    """Where the vectors are from, in words."""
    seed: int | None
    """Of random vectors."""
    emulation_mismatches: Count | None
    """Vectors whose golden outputs differ from hls4ml's C++; None where that was not run."""
    interval: Finite | None
    """Mean number of cycles between two tensors at full rate; None of a single one."""
    cycles: Count
    """Clock cycles that were simulated."""
    cycles_per_second: Count
    simulator: Text
    changed: tuple[Text, ...]
    """Files that are not what the conversion made, each with what is wrong with it."""

    @property
    def mismatches(self) -> int:
        """Vectors whose outputs differ, of the comparison in which more do."""
        return max(self.verification.mismatches, self.emulation_mismatches or 0)


class FifosResults(Part):
    """Of a measurement of FIFOs; without any, nothing is simulated."""

    depths: dict[Text, Count]
    """Beats that each holds, as built."""
    levels: dict[Text, Count]
    """Beats that each held at most."""
    interval: Finite
    """Cycles between two tensors with deep FIFOs."""
    interval_after: Finite | None = None
    """Cycles between two tensors with those that were built."""
    simulator: Text | None = None
    stalls: tuple[Text, ...] = ()


class SynthResults(Part):
    """Of a synthesis."""

    total: Resources
    modules: dict[Text, Resources]
    tool: Text
    version: Text
    details: Text
    changed: tuple[Text, ...]
    """Files of the RTL that are not what was made, each with what is wrong with it."""


class PlaceResults(Part):
    """Of placing and routing."""

    routed: Routed
    tool: Text
    version: Text
    details: Text
    changed: tuple[Text, ...]
    """Files of the RTL that are not what was made, each with what is wrong with it."""


class FmaxRound(Part):
    """A pipeline that was cut for a clock period, placed and routed."""

    latency: Count
    """Predicted cycles from the first input transfer to the first output transfer."""
    interval: Count
    """Predicted cycles between two tensors."""
    routed: Routed

    @property
    def latency_ns(self) -> float:
        """Latency at the frequency that was reached, in ns."""
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
    """Of a search for the highest clock."""

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
    """Of static timing of a netlist of standard cells."""

    analyzed: Analyzed
    tool: Text
    version: Text
    details: Text


class PowerResults(Part):
    """Of a run of a netlist of standard cells."""

    power: Power
    tool: Text
    version: Text
    details: Text


class SoftwareResults(Part):
    """Of a measurement of the model as software."""

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


#: Results whose JSON leaves out what is not known.
_WITHOUT_UNKNOWN = (PlaceResults, FmaxResults, SiliconResults, PowerResults, SoftwareResults)


def plain(results: Any) -> dict[str, Any]:
    """Results of a step as JSON has them, in the form of Gatewright 0.1.

    In those of a verification the fields of its parts are among the others.
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
    """Results of a step, of their JSON, see `plain`.

    Args:
        step: name of the step; one named a-b has results of the kind a.
        fields: of any type.

    Raises:
        ValueError: in one line, if they are not results of that step.
    """
    kind: Any = _KINDS.get(step.partition("-")[0], dict[str, Any])
    if kind is VerifyResults and isinstance(fields, dict):
        fields = _gathered(fields)
    return decode(kind, json.dumps(fields))


def _gathered(fields: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a verification with the fields of its parts in these."""
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
