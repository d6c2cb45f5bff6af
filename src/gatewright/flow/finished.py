"""The finished steps of a project directory whose results are still valid for its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewright.flow.results import (
    FifosResults,
    PlaceResults,
    PowerResults,
    SiliconResults,
    SoftwareResults,
    SynthResults,
    VerifyResults,
)
from gatewright.flow.software import STEP, software_content
from gatewright.flow.steps import read_stamp
from gatewright.flow.synthesize import synthesized_content
from gatewright.flow.verify import verified_content

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.results.imported import Imported
    from gatewright.rtl.manifest import RtlProject


@dataclass(frozen=True)
class Finished:
    """Results of finished steps.

    Attributes:
        verify: Of the verification; None without one.
        fifos: Of the sizing of FIFOs; None without one.
        synth: Of syntheses, by target.
        place: Of placement and routing, by target.
        silicon: Of static timing analysis of netlists of standard cells, by target.
        power: Of power measurements of such netlists, by target.
        software: Of the model in software; None if it wasn't measured.
        vendor: From reports of vendor tools, by "tool-stage".
        seconds: Wall time of each step in seconds.
    """

    verify: VerifyResults | None
    fifos: FifosResults | None
    synth: dict[str, SynthResults]
    place: dict[str, PlaceResults]
    silicon: dict[str, SiliconResults]
    power: dict[str, PowerResults]
    software: SoftwareResults | None
    vendor: dict[str, Imported]
    seconds: dict[str, float]


def finished_steps(directory: Path, rtl: RtlProject) -> Finished:
    """The results of the finished steps of a project directory, without those for other RTL.

    Args:
        directory: A converted project.
        rtl: Its RTL project.
    """
    synthesized = synthesized_content(rtl)
    subjects = {
        "convert": "",
        "verify": verified_content(directory, rtl),
        STEP: software_content(directory),
    }
    stamps = {}
    for path in sorted((directory / "steps").glob("*.json")):
        stamp = read_stamp(directory, path.stem)
        if stamp is not None and stamp.subject == subjects.get(path.stem, synthesized):
            stamps[path.stem] = stamp
    results = {name: stamp.results for name, stamp in stamps.items()}
    return Finished(
        verify=results.get("verify"),
        fifos=results.get("fifos"),
        synth=_of_kind("synth", results),
        place=_of_kind("place", results),
        silicon=_of_kind("silicon", results),
        power=_of_kind("power", results),
        software=results.get(STEP),
        vendor=_of_kind("vendor", results),
        seconds={name: round(stamp.seconds, 2) for name, stamp in stamps.items()},
    )


def _of_kind(kind: str, results: dict[str, Any]) -> dict[str, Any]:
    """The results of the steps named "kind-...", by the rest of their names."""
    prefix = f"{kind}-"
    return {
        name.removeprefix(prefix): found
        for name, found in results.items()
        if name.startswith(prefix)
    }
