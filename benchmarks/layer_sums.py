"""Per-layer synthesis against the flat result, and what a change to one layer synthesizes again.

`python -m benchmarks.layer_sums [MODEL-CONFIG ...]` measures configurations on UltraScale+;
`--models FOLDER` is a directory of trained ones, named MODEL-CONFIG.h5. Each kernel is synthesized
out of context; `error` is the sum of the kernels and the top, relative to the design synthesized as
one module. A figure that is 0 in the flat result has no error.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from benchmarks._results import keep
from gatewright.flow.convert import convert, load_rtl
from gatewright.synth import synthesize
from gatewright.targets import load_target
from gatewright.zoo import load_sweep, obtain

if TYPE_CHECKING:
    from gatewright.options import ConvertOptions
    from gatewright.rtl.manifest import RtlProject

HERE = Path(__file__).resolve().parent
TARGET = "xcup"
FIGURES = ("lut", "ff", "dsp", "bram")
CASES = (
    "breast_cancer_residual-uniform3",
    "breast_cancer_residual-uniform6",
    "digits_mlp-uniform2",
    "digits_mlp-uniform4",
    "digits_mlp-uniform8",
    "digits_cnn-w4_r1",
    "digits_cnn-w4_r16",
    "digits_separable-w6_r8",
    "digits_residual-w6_r18",
    "vowels_conv1d-w6_r48",
    "vowels_conv1d-mixed_r12",
)

#: Changes of one layer: the case, the layer, and its setting; a weight of the layer if None.
CHANGES: tuple[tuple[str, str, tuple[str, str] | None], ...] = (
    ("digits_cnn-w4_r16", "conv2", ("conv2.reuse_factor", "8")),
    ("digits_cnn-w4_r16", "conv1", None),
    ("digits_mlp-uniform4", "hidden1", None),
)


def _options(case: str, models: Path | None) -> tuple[Path, ConvertOptions]:
    model, _, name = case.partition("-")
    sweep = load_sweep(HERE.parent / "models" / model)
    config = sweep.config(name)
    file = models / f"{case}.h5" if models else obtain(sweep, config).path
    return file, replace(config.options, target=TARGET)


def _project(file: Path, options: ConvertOptions, directory: Path) -> RtlProject:
    convert(file, None, options, directory, name="network")
    return load_rtl(directory)


def _synthesized(project: RtlProject, directory: Path, *, flatten: bool = False) -> dict[str, Any]:
    directory.mkdir()
    result = synthesize(project, load_target(TARGET), directory, flatten=flatten)
    return {name: getattr(result.total, name) for name in FIGURES}


def sums(case: str, models: Path | None) -> dict[str, Any]:
    """Resources of a configuration by kernel, summed, and flat."""
    with tempfile.TemporaryDirectory(prefix="gatewright-bench-") as scratch:
        project = _project(*_options(case, models), Path(scratch, "project"))
        summed = _synthesized(project, Path(scratch, "kernels"))
        flat = _synthesized(project, Path(scratch, "flat"), flatten=True)
    errors = {name: round(summed[name] / flat[name] - 1, 4) for name in FIGURES if flat[name]}
    return {"sum": summed, "flat": flat, "error": errors}


def change(
    case: str, layer: str, setting: tuple[str, str] | None, models: Path | None
) -> dict[str, Any]:
    """The modules that Yosys synthesizes again after a change of one layer."""
    file, options = _options(case, models)
    with tempfile.TemporaryDirectory(prefix="gatewright-bench-") as scratch:
        os.environ["GATEWRIGHT_CACHE"] = str(Path(scratch, "cache"))
        first = _project(file, options, Path(scratch, "first"))
        _synthesized(first, Path(scratch, "before"))
        if setting:
            options = replace(options, settings=(*options.settings, setting))
        else:
            changed = Path(scratch, "changed.h5")
            shutil.copyfile(file, changed)
            _negate_weight(changed, layer)
            file = changed
        second = _project(file, options, Path(scratch, "second"))
        _synthesized(second, Path(scratch, "after"))
        logs = sorted(log.parent.name for log in Path(scratch, "after").glob("*/yosys.log"))
    return {
        "changed": f"{layer}: {'='.join(setting)}" if setting else f"{layer}: one weight",
        "modules": len([module for module in second.modules if module.layer]) + 1,
        "synthesized_again": [name.removeprefix("network_") for name in logs],
    }


def _negate_weight(file: Path, layer: str) -> None:
    """Negate the largest weight of a layer in a file of trained weights."""
    with h5py.File(file, "r+") as opened:
        found: list[h5py.Dataset] = []

        def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
            if isinstance(item, h5py.Dataset) and f"{layer}/" in name and "kernel" in name:
                found.append(item)

        opened.visititems(visit)
        (kernel,) = found
        values = kernel[...]
        largest = abs(values).argmax()
        values.flat[largest] *= -1
        kernel[...] = values


def main() -> None:
    """Measure the named configurations, or all, and the changes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help="MODEL-CONFIG; default: all, and the changes")
    parser.add_argument("--models", type=Path, help="folder of trained models")
    arguments = parser.parse_args()
    for case in arguments.cases or CASES:
        found = sums(case, arguments.models)
        print(case, found["error"], flush=True)
        keep("layer_sums", {case: found})
    if not arguments.cases:
        for case, layer, setting in CHANGES:
            found = change(case, layer, setting, arguments.models)
            print(case, found, flush=True)
            keep("layer_changes", {f"{case} {layer}": found})


if __name__ == "__main__":
    main()
