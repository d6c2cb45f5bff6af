"""The file of results, `results.json`, with one entry per benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results.json"


def keep(name: str, found: Any) -> None:
    """Put figures into the entry of a benchmark; its other figures stay.

    Args:
        name: Name of the benchmark.
        found: A figure, or figures by name.
    """
    kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    kept[name] = kept.get(name, {}) | found if isinstance(found, dict) else found
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
