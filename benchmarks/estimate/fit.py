"""Fits a cost model's coefficients to observations, and validates it on models left out.

Non-negative least squares of the relative error. A coefficient that observations hardly determine
stays near its value by the structure of the hardware (`PRIOR`). Errors are by cross-validation: all
configurations of a model are left out of the fit that is tested on them.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from scipy.optimize import nnls

from benchmarks.estimate.observations import FIGURES, Observation, load
from gatewright.estimate.cost_model import CostModel, read_cost_model
from gatewright.system.package_data import data_dir

#: LUTs per unit of quantities that cost about as much in every family, by their structure.
_COMMON = {
    "sum1": 1.0,
    "sum2": 1.0,
    "sum1_constant": 1.0,
    "cast_round": 0.6,
    "cast_sticky": 0.2,
    "cast_detect": 0.2,
    "select_constant": 0.3,
    "round_even": 1.0,
    "turning": 1.0,
    "bypass": 1.0,
    "pad": 0.5,
    "modules": 2.0,
    "handshakes": 2.0,
    "fork": 2.0,
    "enables": 1.0,
    "stage_flags": 0.1,
}
#: LUTs per unit of each quantity that a cost model has: a LUT per bit of a sum, for example.
PRIOR = {
    "xcup": _COMMON
    | {
        "sum3": 1.0,
        "sum2_constant": 1.0,
        "cast_bounds": 0.7,
        "compare": 0.6,
        "compare_constant": 0.5,
        "select": 0.7,
        "table": 2.0,
        "product_pairs": 1.1,
        "product_constant": 0.5,
        "rom": 1.0,
        "accumulator": 1.0,
        "bias_select": 0.5,
        "control": 1.3,
        "choice": 0.75,
    },
    # Tables of four inputs, and their multiplexers are tables, too.
    "ecp5": _COMMON
    | {
        "sum_logic": 1.8,
        "cast_bounds": 1.0,
        "compare": 1.0,
        "compare_constant": 0.7,
        "select": 1.0,
        "table": 1.0,
        "product_pairs": 2.6,
        "product_rows": 3.5,
        "product_constant": 1.0,
        "rom": 1.0,
        "accumulator": 2.0,
        "bias_select": 1.0,
        "control": 2.0,
        "choice": 1.0,
        "memory_choice": 1.0,
    },
}
#: What the rules count exactly.
EXACT = {"memory": 1.0, "shift_register": 1.0}
_STIFFNESS = 0.1  # weight of the prior
_ENOUGH = 12  # designs that have a resource, so that its error is stated
_LEAST = 40  # LUTs of a module below which errors are absolute

Errors = dict[tuple[str, str], float]


def fitted(observations: Sequence[Observation], cost_model: str) -> dict[str, float]:
    """LUTs per unit of each quantity."""
    names = list(PRIOR[cost_model])
    prior = np.array([PRIOR[cost_model][name] for name in names])
    counts = np.array([[each.counts.get(name, 0) for name in names] for each in observations])
    known = np.array([_known(each) for each in observations])
    measured = np.array([each.measured["lut"] for each in observations])
    weight = 1 / np.maximum(measured, _LEAST) ** 0.8
    hold = np.sqrt(_STIFFNESS) / np.maximum(prior, 0.1)
    matrix = np.vstack([counts * weight[:, None], np.diag(hold)])
    values = np.concatenate([(measured - known) * weight, hold * prior])
    coefficients, _ = nnls(matrix, values)
    found = dict(zip(names, (round(float(c), 3) for c in coefficients), strict=True))
    return found | EXACT


def _known(observation: Observation) -> float:
    return sum(cost * observation.counts.get(name, 0) for name, cost in EXACT.items())


def held_out(observations: Sequence[Observation], cost_model: str, figure: str = "lut") -> Errors:
    """Relative error per design, with coefficients fitted to all other models."""
    errors: Errors = {}
    for left_out in sorted({each.model for each in observations}):
        others = [each for each in observations if each.model != left_out]
        own = [each for each in observations if each.model == left_out]
        errors |= _errors(_model(fitted(others, cost_model), cost_model), own, figure)
    return errors


def _errors(model: CostModel, observations: Sequence[Observation], figure: str) -> Errors:
    designs: dict[tuple[str, str], list[float]] = {}
    for each in observations:
        sums = designs.setdefault((each.model, each.config), [0, 0])
        sums[0] += getattr(model.cost(each.counts), figure)
        sums[1] += each.measured[figure]
    return {
        key: (estimate - measured) / max(measured, 1)
        for key, (estimate, measured) in designs.items()
    }


def _model(lut: dict[str, float], cost_model: str) -> CostModel:
    return CostModel("", (), read_cost_model(_file(cost_model)).rules, lut=lut)


def _file(cost_model: str) -> Path:
    return data_dir("hls") / "estimates" / f"{cost_model}.yaml"


def stated_errors(observations: Sequence[Observation], cost_model: str) -> dict[str, float]:
    """Greatest relative error on models left out, of each resource that enough designs have."""
    stated = {}
    for figure in FIGURES:
        having = {(each.model, each.config) for each in observations if each.measured[figure]}
        if len(having) >= _ENOUGH:
            errors = held_out(observations, cost_model, figure).values()
            stated[figure] = round(max(map(abs, errors)), 3)
    return stated


def refit(cost_model: str) -> None:
    """Fit, write the coefficients into the cost model's file, print errors on models left out."""
    observations = load(cost_model)
    path = _file(cost_model)
    text = path.read_text(encoding="utf-8")
    head = text[: text.index("\ncalibrated_on:")]
    models = sorted({each.model for each in observations})
    data = {
        "calibrated_on": models,
        "errors": stated_errors(observations, cost_model),
        "lut": fitted(observations, cost_model),
    }
    path.write_text(f"{head}\n{yaml.safe_dump(data, sort_keys=False)}", encoding="utf-8")
    for figure in FIGURES:
        _print(figure, held_out(observations, cost_model, figure))


def _print(figure: str, errors: Errors) -> None:
    for model in sorted({model for model, _ in errors}):
        _line(figure, model, [abs(e) for key, e in errors.items() if key[0] == model])
    _line(figure, "all", [abs(error) for error in errors.values()])


def _line(figure: str, what: str, errors: list[float]) -> None:
    sys.stdout.write(
        f"{figure} {what}: {len(errors)} designs, median {statistics.median(errors):.1%}, "
        f"greatest {max(errors):.1%}\n"
    )
