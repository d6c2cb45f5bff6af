"""The base class of users' settings, with strict types."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

#: Largest reuse factor and initiation interval; hls4ml's C++ has 32 bits for the former.
MOST_CYCLES = (1 << 31) - 1

_LONGEST = 80  # most characters of a value in a message


class Strict(BaseModel):
    """Immutable fields of exactly their types, and no others."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def first_problem(error: ValidationError) -> str:
    """The first problem of a validation, "key.key: what is wrong, not <the value>"."""
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    prefix = f"{key}: " if key else ""
    if problem["type"] == "missing":
        return f"{prefix}is missing"
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{prefix}is not a known key"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    # A whole mapping would not show which of its keys is wrong.
    whole = isinstance(problem["input"], dict | list | tuple) or problem["type"] == "json_invalid"
    given = "" if whole else f", not {_shown(problem['input'])}"
    return f"{prefix}{message}{given}"


def _shown(value: Any) -> str:
    """A value as text for a message, shortened if it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python does not print integers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
