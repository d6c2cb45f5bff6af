"""Simulation of an RTL project: lint, Verilator build, cocotb run."""

from gatewright.simulate.run import PhaseResult, SimulationResult, Timing, simulate
from gatewright.simulate.stalls import FULL_RATE, STALLS, StallPattern
from gatewright.simulate.verilator import build, lint, simulator_version

__all__ = [
    "FULL_RATE",
    "STALLS",
    "PhaseResult",
    "SimulationResult",
    "StallPattern",
    "Timing",
    "build",
    "lint",
    "simulate",
    "simulator_version",
]
