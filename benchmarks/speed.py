"""Time of the flow on the jet network, and speed of golden model, emulation and simulation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.jet_network import INPUT_PRECISION
from gatewright.design import golden
from gatewright.design.dataflow import Design
from gatewright.emulation import Emulation
from gatewright.fixed import to_float
from gatewright.flow.inputs import random_inputs
from gatewright.flow.steps import read_stamp

VECTORS = 10_000
REPEATS = 5


def flow(network: Path, project: Path, cache: Path) -> dict[str, Any]:
    """Wall time, in s, from file to verified RTL, with an empty cache, then without changes.

    The cache contains adder graphs and the fixed C++ of the simulator; the first run on a machine
    fills it. The last figures are for a first conversion with the simulator's C++ in the cache.
    """
    shutil.rmtree(project, ignore_errors=True)
    shutil.rmtree(cache, ignore_errors=True)
    environment = os.environ | {"GATEWRIGHT_CACHE": str(cache)}
    gatewright = str(Path(sys.executable).with_name("gatewright"))
    convert = [gatewright, "convert", str(network), "--input-precision", INPUT_PRECISION]
    convert += ["-o", str(project)]
    verify = [gatewright, "verify", str(project), "--samples", str(VECTORS)]

    def timed(*commands: list[str]) -> float:
        start = time.monotonic()
        for command in commands:
            subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
        return round(time.monotonic() - start, 1)

    empty_cache = timed(convert, verify)
    unchanged = timed(convert, verify)
    shutil.rmtree(project)
    shutil.rmtree(cache / "results", ignore_errors=True)
    return {
        "file_to_verified_rtl_s": timed(convert, verify),
        "with_empty_cache_s": empty_cache,
        "unchanged_s": unchanged,
    }


def throughput(project: Path) -> dict[str, Any]:
    """Vectors per second of golden and emulation, in turn in one process; the simulator's rate."""
    design = Design.load(project / "model" / "design")
    emulation = Emulation(project / "hls")
    words = random_inputs(design, VECTORS, 0)
    floats = [to_float(w, t.type.frac) for w, t in zip(words, design.inputs, strict=True)]
    pairs = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        golden.run(design, words)
        middle = time.perf_counter()
        emulation.predict(floats)
        pairs.append((middle - start, time.perf_counter() - middle))
    ratios = sorted(slow / fast for fast, slow in pairs)
    verified = read_stamp(project, "verify")
    return {
        "golden_vectors_per_s": round(VECTORS / min(fast for fast, _ in pairs)),
        "emulation_vectors_per_s": round(VECTORS / min(slow for _, slow in pairs)),
        "golden_over_emulation": round(ratios[len(ratios) // 2], 1),
        "simulation_cycles_per_s": verified.results.cycles_per_second if verified else None,
    }
