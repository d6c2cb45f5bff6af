"""Results that are worth keeping between runs, by content, in the user's cache directory."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    import joblib


def cache_dir() -> Path:
    """Where cached results live: $GATEWRIGHT_CACHE, or the platform's cache directory."""
    configured = os.environ.get("GATEWRIGHT_CACHE")
    return Path(configured) if configured else Path(platformdirs.user_cache_dir("gatewright"))


@functools.cache
def memory() -> joblib.Memory:
    """Cache of function results, keyed by the function's source and its arguments."""
    import joblib  # takes a fifth of a second

    return joblib.Memory(cache_dir() / "results", verbose=0)
