"""Resources of synthesized projects, with their counted quantities: a JSON file per cost model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gatewright.emit.assembly import assemble
from gatewright.estimate import load_cost_model
from gatewright.estimate.design_estimate import glue_counts
from gatewright.estimate.layer_counts import layer_counts
from gatewright.flow.convert import load_design, load_request, load_rtl
from gatewright.flow.steps import read_stamp
from gatewright.flow.synthesize import synthesized_content
from gatewright.targets import load_target

HERE = Path(__file__).resolve().parent
FIGURES = ("lut", "ff", "dsp", "bram")


@dataclass(frozen=True)
class Observation:
    """A synthesized module, or the logic between modules ("")."""

    model: str
    config: str
    layer: str
    counts: dict[str, int]
    measured: dict[str, float]


def path_of(cost_model: str) -> Path:
    """The file of a cost model's observations."""
    return HERE / f"{cost_model}.json"


def load(cost_model: str) -> list[Observation]:
    """Read the observations that a cost model is fitted to."""
    path = path_of(cost_model)
    listed = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return [Observation(**fields) for fields in listed]


def observe(directory: Path, model: str, config: str, target_name: str) -> list[Observation]:
    """The observations of a project: one per module of a layer, and one for the rest.

    None if its synthesis is missing or stale.

    Raises:
        ValueError: if another version of Gatewright wrote the project.
    """
    target = load_target(target_name)
    stamp, project = read_stamp(directory, f"synth-{target_name}"), load_rtl(directory)
    if stamp is None or stamp.subject != synthesized_content(project):
        return []
    found: Any = stamp.results
    depths = {m.instance: m.depth for m in project.modules if m.depth is not None}
    options = load_request(directory).options
    made = assemble(
        load_design(directory),
        target,
        project.clock_ns,
        depths,
        project.handshake,
        register_ports=options.register_ports,
        check_frames=options.check_frames,
        bus_width=options.bus_width,
    )
    if (made.latency, made.interval) != (project.latency, project.interval):
        raise ValueError(f"{directory}: was made by another Gatewright; convert it again")
    rules = load_cost_model(target).rules
    names = {module.instance: module.name for module in project.modules}
    rest = Counter(_measured(found.total))
    listed = []
    for instance, module in made.modules.items():
        measured = _measured(found.modules[names[instance]])
        rest.subtract(measured)
        counts = dict(sorted(layer_counts(module, rules).items()))
        layer = instance.removeprefix("u_")
        listed.append(Observation(model, config, layer, counts, measured))
    between = dict(sorted(glue_counts(made.joined.nodes, rules).items()))
    return [*listed, Observation(model, config, "", between, dict(rest))]


def _measured(resources: Any) -> dict[str, float]:
    return {name: getattr(resources, name) for name in FIGURES}


def update(target: str, folders: Sequence[Path]) -> str:
    """Replace the observations of models by those of their synthesized projects.

    Models without such projects keep their observations.

    Args:
        target: name of a target.
        folders: folders of projects MODEL/CONFIG.

    Returns:
        The name of the target's cost model.
    """
    name = load_target(target).family.cost_model
    assert name is not None
    new = [
        observation
        for folder in folders
        for stamp in sorted(folder.glob(f"*/**/steps/synth-{target}.json"))
        for observation in _of_project(folder, stamp.parent.parent, target)
    ]
    models = {each.model for each in new}
    kept = [each for each in load(name) if each.model not in models]
    ordered = sorted([*kept, *new], key=lambda each: (each.model, each.config, each.layer))
    lines = [json.dumps(asdict(each)) for each in ordered]
    path_of(name).write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    return name


def _of_project(folder: Path, directory: Path, target: str) -> list[Observation]:
    model, *config = directory.relative_to(folder).parts
    return observe(directory, model, "/".join(config), target)
