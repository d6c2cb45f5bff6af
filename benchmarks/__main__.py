"""Runs every benchmark and writes benchmarks/results.json: `make bench`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from benchmarks import against_da4ml, speed, streams
from benchmarks._results import keep
from benchmarks.jet_network import jet_network

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Train the network if necessary, measure, print, and store the results."""
    build = HERE.parent / "build" / "bench"
    network = jet_network(build / "jet.h5")
    results = {
        "cores": len(os.sched_getaffinity(0)),
        "flow": speed.flow(network, build / "jet", build / "cache"),
        "throughput": speed.throughput(build / "jet"),
        "area": against_da4ml.run(build / "jet", clock_ns=5.0),
        "streams": streams.run(cache=build / "cache"),
    }
    sys.stdout.write(json.dumps(results, indent=1) + "\n")
    for name, found in results.items():
        keep(name, found)


if __name__ == "__main__":
    main()
