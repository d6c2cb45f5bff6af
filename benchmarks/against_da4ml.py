"""Compares the jet network's RTL with the RTL that da4ml writes for the same weights.

Both are synthesized with the same Yosys flow for UltraScale+; inverters count as LUTs. da4ml has no
convergent rounding, so its network rounds ties up (RND) and is not exact, while ours is.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.design.dataflow import Design
from gatewright.emit import emit
from gatewright.kernels import Dense
from gatewright.synth import synthesize, synthesize_files
from gatewright.targets import load_target


def da4ml_rtl(design: Design, directory: Path, stages: int) -> tuple[list[Path], int]:
    """Verilog of a chain of dense layers and quantized relus, by da4ml, and its stages."""
    from da4ml.codegen import RTLModel
    from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace
    from da4ml.trace.pipeline import to_pipeline

    (tensor,) = design.inputs
    inputs = FixedVariableArrayInput(tensor.size, hwconf=HWConfig(1, -1, -1))
    x = inputs.quantize(int(tensor.type.signed), tensor.type.integer - 1, tensor.type.frac)
    for kernel in design.kernels:
        if isinstance(kernel, Dense):
            weights = kernel.weights * 2.0**-kernel.weight_type.frac
            x = x @ weights + kernel.bias * 2.0**-kernel.bias_type.frac
        else:
            to = kernel.output.type
            assert not to.signed, kernel.layer
            x = x.relu().quantize(0, to.integer, to.frac, overflow_mode="SAT", round_mode="RND")
    logic = comb_trace(inputs, x)
    # The shortest stages whose number does not exceed ours.
    whole = max(logic.latency)
    cuts = (whole / parts + 1e-6 for parts in np.arange(stages + 1, 0.9, -0.05))
    pipelines = (to_pipeline(logic, cut, verbose=False) for cut in cuts)
    pipeline = next(p for p in pipelines if len(p.solutions) <= stages)
    RTLModel(pipeline, "da4ml_net", directory).write()
    files = sorted(directory.glob("src/*.v"))
    text = "".join(file.read_text() for file in files)
    used = [file for file in sorted(directory.glob("src/static/*.v")) if file.stem in text]
    return used + files, len(pipeline.solutions)


def run(project: Path, clock_ns: float) -> dict[str, Any]:
    """Resources of both for UltraScale+.

    Args:
        project: the converted jet network.
        clock_ns: clock period that our pipeline is scheduled for, in ns.
    """
    target = load_target("xcup")
    design = Design.load(project / "model" / "design")
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / name for name in ("rtl", "ours", "da4ml", "theirs")}
        for folder in folders.values():
            folder.mkdir()
        rtl = emit(design, target, clock_ns, folders["rtl"])
        ours = synthesize(rtl, target, folders["ours"])
        files, stages = da4ml_rtl(design, folders["da4ml"], rtl.latency)
        theirs = synthesize_files(files, "da4ml_net", target, folders["theirs"])
    return {
        "gatewright": ours.total.model_dump(exclude_none=True) | {"stages": rtl.latency},
        "da4ml": theirs.total.model_dump(exclude_none=True) | {"stages": stages},
        "lut_ratio": round(ours.total.lut / theirs.total.lut, 3),
        "ff_ratio": round(ours.total.ff / theirs.total.ff, 3),
        "yosys": ours.version,
    }
