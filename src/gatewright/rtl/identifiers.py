"""Identifiers in generated SystemVerilog."""

from __future__ import annotations

import re


def identifiers(names: list[str]) -> list[str]:
    """A distinct SystemVerilog identifier for each name, in order; case does not distinguish."""
    result: list[str] = []
    for name in names:
        identifier = re.sub(r"\W", "_", name, flags=re.ASCII)
        if not identifier or identifier[0].isdigit():
            identifier = f"l{identifier}"
        candidate, serial = identifier, 2
        while candidate.lower() in (taken.lower() for taken in result):
            candidate, serial = f"{identifier}_{serial}", serial + 1
        result.append(candidate)
    return result
