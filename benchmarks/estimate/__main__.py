"""Calibrates the estimates of a target's devices.

    python -m benchmarks.estimate TARGET [FOLDER...]

takes all projects MODEL/CONFIG below the folders that are synthesized for the target into the
observations, fits the cost model's coefficients anew, and prints the errors on models left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.estimate.fit import refit
from benchmarks.estimate.observations import update

if __name__ == "__main__":
    target, *folders = sys.argv[1:]
    refit(update(target, [Path(folder) for folder in folders]))
