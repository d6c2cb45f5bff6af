"""Compares the RTL of an HGQ2 jet tagger with the RTL that alkaid writes for the same file.

    python -m benchmarks.against_alkaid PYTHON

PYTHON has HGQ2, JAX and alkaid, which can't be in Gatewright's environment; without alkaid there,
nothing is measured. Both are synthesized with the same Yosys flow for UltraScale+; inverters count
as LUTs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import alkaid_worker
from benchmarks._results import keep
from gatewright.flow.convert import load_rtl
from gatewright.synth import synthesize, synthesize_files
from gatewright.targets import load_target

if TYPE_CHECKING:
    from gatewright.results.utilization import Resources

BUILD = Path(__file__).resolve().parent.parent / "build" / "bench"
CLOCK_NS = 5.0
VECTORS = 1000


def _worker(python: Path, *arguments: str | Path) -> dict[str, Any]:
    """The figures that `alkaid_worker.py` prints as its last line."""
    script = Path(alkaid_worker.__file__)
    done = subprocess.run(
        [python, "-I", script, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _gatewright(command: str, *arguments: str | Path) -> None:
    program = Path(sys.executable).with_name("gatewright")
    subprocess.run([program, command, *arguments], check=True, stderr=subprocess.DEVNULL)


def _cells(total: Resources, stages: int) -> dict[str, Any]:
    return total.model_dump(exclude_none=True) | {"stages": stages}


def run(python: Path) -> dict[str, Any]:
    """Resources of both for UltraScale+, alkaid's in as many stages as ours.

    Args:
        python: a Python with HGQ2, JAX and alkaid.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    network, project = BUILD / "hgq2_jet.keras", BUILD / "hgq2_jet"
    trained = _worker(python, "train", network)
    options = ("--input-precision", alkaid_worker.INPUT_PRECISION, "--io", "parallel")
    _gatewright(
        "convert", network, *options, "--target", "xcup", "--clock", str(CLOCK_NS), "-o", project
    )
    _gatewright("verify", project, "--samples", str(VECTORS))  # fails unless exact
    target, rtl = load_target("xcup"), load_rtl(project)
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / name for name in ("ours", "alkaid", "theirs")}
        for folder in folders.values():
            folder.mkdir()
        ours = synthesize(rtl, target, folders["ours"])
        checked = _worker(python, "rtl", network, str(rtl.latency), folders["alkaid"])
        files = sorted(folders["alkaid"].glob("src/static/*.v"))
        files += [
            file
            for file in sorted(folders["alkaid"].glob("src/*.v"))
            if not file.stem.endswith("_wrapper")
        ]
        theirs = synthesize_files(files, alkaid_worker.TOP, target, folders["theirs"])
    return {
        "network": trained,
        "gatewright": _cells(ours.total, rtl.latency),
        "alkaid": _cells(theirs.total, checked["stages"]) | {"mismatches": checked["mismatches"]},
        "lut_ratio": round(ours.total.lut / theirs.total.lut, 3),
        "ff_ratio": round(ours.total.ff / theirs.total.ff, 3),
        "layers": {name: each.lut for name, each in ours.modules.items()},
        "versions": checked["versions"] | {"yosys": ours.version},
    }


def main(arguments: list[str]) -> None:
    """Measure, print, and store the results; say so if alkaid is not there."""
    python = Path(arguments[0]) if arguments else Path(sys.executable)
    there = subprocess.run(
        [python, "-I", "-c", "import alkaid, hgq"], capture_output=True, check=False
    )
    if there.returncode:
        sys.stderr.write(
            f"{python} has no HGQ2 or no alkaid: pip install {alkaid_worker.PACKAGES} into an "
            "environment of their own, and give its python\n"
        )
        return
    found = run(python)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    keep("alkaid", found)


if __name__ == "__main__":
    main(sys.argv[1:])
