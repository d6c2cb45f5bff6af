"""SystemVerilog from a design: modules are scheduled, joined, and written as a project."""

from gatewright.emit.write import emit, isolate

__all__ = ["emit", "isolate"]
