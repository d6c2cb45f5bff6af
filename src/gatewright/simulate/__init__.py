"""Simulation of an RTL project: lint, Verilator build, cocotb run."""

from gatewright.simulate.forecast import LONGEST, bearable, seconds_of
from gatewright.simulate.simulation import Measured, PhaseResult, SimulationResult, plan, simulate
from gatewright.simulate.stalls import FULL_RATE, STALLS, StallPattern
from gatewright.simulate.verilator import build, lint, simulator_version

__all__ = [
    "FULL_RATE",
    "LONGEST",
    "STALLS",
    "Measured",
    "PhaseResult",
    "SimulationResult",
    "StallPattern",
    "bearable",
    "build",
    "lint",
    "plan",
    "seconds_of",
    "simulate",
    "simulator_version",
]
