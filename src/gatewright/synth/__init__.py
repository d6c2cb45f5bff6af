"""Synthesis with Yosys: resources of a design and of each of its modules.

Exports are imported at first use, because a worker process needs none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewright.synth.synthesis import SynthResult, export_netlist, synthesize, synthesize_files

__all__ = ["SynthResult", "export_netlist", "synthesize", "synthesize_files"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module("gatewright.synth.synthesis"), name)
