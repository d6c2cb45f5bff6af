"""Designs of the zoo placed and routed on ECP5: predicted and routed paths.

`python -m benchmarks.routed [CASE ...]` converts each case for its clock, places and routes it
once, and writes it to results.json before the next. The `derate` of hls/targets/ecp5.yaml can be
derived from them. Models that are not in the store are trained; `--models FOLDER` is a directory of
trained ones, named MODEL-CONFIG.h5.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks._results import keep
from gatewright.flow.convert import convert, load_rtl
from gatewright.flow.place import place
from gatewright.zoo import load_sweep, obtain

HERE = Path(__file__).resolve().parent
TARGET = "ecp5-85k"

#: Model, configuration and clock period in ns, smaller designs first.
CASES = (
    ("digits_mlp", "uniform2", 8.0),
    ("breast_cancer_residual", "uniform3", 8.0),
    ("breast_cancer_residual", "uniform6", 8.0),
    ("digits_cnn", "w4_r16", 8.333),
    ("vowels_conv1d", "mixed_r12", 8.333),
    ("digits_mlp", "distilled_pruned4", 9.0),
    ("digits_mlp", "uniform4", 9.09),
)


def measure(model: str, config_name: str, clock_ns: float, models: Path | None) -> dict[str, Any]:
    """Convert, place and route one configuration of a model with the delay model alone."""
    sweep = load_sweep(HERE.parent / "models" / model)
    config = sweep.config(config_name)
    file = models / f"{model}-{config_name}.h5" if models else obtain(sweep, config).path
    options = replace(config.options, target=TARGET, clock_ns=clock_ns)
    with tempfile.TemporaryDirectory(prefix="gatewright-bench-") as scratch:
        directory = Path(scratch, "project")
        convert(file, None, options, directory, name=f"{model}_{config_name}")
        project = load_rtl(directory)
        stamp = place(directory, TARGET)
    found = stamp.results.routed
    path = found.critical_path
    return {
        "clock_ns": clock_ns,
        "predicted_ns": found.predicted_ns,
        "operations_ns": project.path_ns,
        "ready_ns": project.ready_ns,
        "routed_ns": round(found.path_ns, 3),
        "ratio": round(found.path_ratio, 3) if found.path_ratio else None,
        "fmax_mhz": found.fmax_mhz,
        "met": found.slack_ns >= 0,
        "latency": project.latency,
        "handshake": project.handshake,
        "lut": found.lut,
        "ff": found.ff,
        "dsp": found.dsp,
        "routing_share": round(
            sum(each.delay_ns for each in path if each.kind == "routing")
            / sum(each.delay_ns for each in path),
            2,
        ),
        "layers": list(dict.fromkeys(each.layer for each in path if each.layer)),
        "router": f"{stamp.results.tool} {stamp.results.version}",
        "seconds": found.runs[0].seconds,
    }


def main() -> None:
    """Measure the named cases, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help="MODEL-CONFIG; default: all")
    parser.add_argument("--models", type=Path, help="folder of trained models")
    given = parser.parse_args()
    for model, config, clock_ns in CASES:
        name = f"{model}-{config}"
        if not given.cases or name in given.cases:
            found = measure(model, config, clock_ns, given.models)
            keep("routed", {name: found})
            sys.stdout.write(f"{name}: {found}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
