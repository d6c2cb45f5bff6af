"""Quantized Keras models in, verified hardware out.

The flow as functions, on one project directory: `convert`, `verify`, `synthesize`, `summarize`.
They are imported at first use: `import gatewright` imports neither TensorFlow nor hls4ml.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewright.design import golden
    from gatewright.flow.convert import convert
    from gatewright.flow.summary import summarize
    from gatewright.flow.synthesize import synthesize
    from gatewright.flow.verify import verify
    from gatewright.options import ConvertOptions

__version__ = "0.1.0"

__all__ = ["ConvertOptions", "convert", "golden", "summarize", "synthesize", "verify"]

_MODULES = {
    "ConvertOptions": "gatewright.options",
    "convert": "gatewright.flow.convert",
    "golden": "gatewright.design",
    "summarize": "gatewright.flow.summary",
    "synthesize": "gatewright.flow.synthesize",
    "verify": "gatewright.flow.verify",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
