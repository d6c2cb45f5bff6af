"""Synthesis with Yosys: resources of a design and of each of its modules."""

from gatewright.synth.run import SynthResult, export_netlist, synthesize, synthesize_files

__all__ = ["SynthResult", "export_netlist", "synthesize", "synthesize_files"]
