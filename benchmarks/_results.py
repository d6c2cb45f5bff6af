"""The file of figures, `results.json`, one entry per benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results.json"


def keep(name: str, found: Any) -> None:
    """Put figures into the entry of a benchmark; what was measured at other times stays.

    Args:
        name: Of the benchmark.
        found: A figure, or figures by what they are of.
    """
    kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    kept[name] = kept.get(name, {}) | found if isinstance(found, dict) else found
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
