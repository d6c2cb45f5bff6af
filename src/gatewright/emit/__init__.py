"""SystemVerilog from a design: schedule the kernels, print modules, write the project."""

from gatewright.emit.project import emit, isolate

__all__ = ["emit", "isolate"]
