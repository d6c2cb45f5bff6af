"""Resources of synthesized projects, with their counted quantities: a JSON file per cost model.

    python -m benchmarks.estimate.observations TARGET FOLDER...

adds every project MODEL/CONFIG of the directories, converted and synthesized for the target, and
replaces those with the same name.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gatewright.emit.assembly import assemble
from gatewright.estimate import load_cost_model
from gatewright.estimate.design_estimate import glue_counts
from gatewright.estimate.layer_counts import layer_counts
from gatewright.flow.convert import load_design, load_rtl
from gatewright.flow.steps import read_stamp
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
    """The observations of a project: one per module of a layer, and one for the rest."""
    target = load_target(target_name)
    stamp = read_stamp(directory, f"synth-{target_name}")
    if stamp is None:
        return []
    found: Any = stamp.results
    project = load_rtl(directory)
    depths = {m.instance: m.depth for m in project.modules if m.depth is not None}
    design = load_design(directory)
    made = assemble(design, target, project.clock_ns, depths, project.handshake)
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


def main(target: str, folders: list[str]) -> None:
    """Update the observations of a target's cost model."""
    name = load_target(target).family.cost_model
    assert name is not None
    kept = {(each.model, each.config, each.layer): each for each in load(name)}
    for folder in map(Path, folders):
        for stamp in sorted(folder.glob(f"*/**/steps/synth-{target}.json")):
            directory = stamp.parent.parent
            model, *config = directory.relative_to(folder).parts
            new = observe(directory, model, "/".join(config), target)
            kept |= {(each.model, each.config, each.layer): each for each in new}
    lines = [json.dumps(asdict(kept[key])) for key in sorted(kept)]
    path_of(name).write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    sys.stdout.write(f"{path_of(name)}: {len(lines)} modules\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
