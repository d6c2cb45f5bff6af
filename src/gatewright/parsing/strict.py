"""The base of what users write: settings of which nothing is guessed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

#: The greatest reuse factor and interval, in clock cycles; hls4ml's C++ has 32 bits for the former.
MOST_CYCLES = (1 << 31) - 1

_LONGEST = 80  # characters of a value in a message


class Strict(BaseModel):
    """Fields of exactly their types, no others, and none that changes afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def first_problem(error: ValidationError) -> str:
    """The first problem of a validation: 'key.key: what is wrong, not what was given'."""
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    prefix = f"{key}: " if key else ""
    if problem["type"] == "missing":
        return f"{prefix}is missing"
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{prefix}is not a known key"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    # The whole of a mapping says nothing of which of its keys is wrong.
    whole = isinstance(problem["input"], dict | list | tuple) or problem["type"] == "json_invalid"
    given = "" if whole else f", not {_shown(problem['input'])}"
    return f"{prefix}{message}{given}"


def _shown(value: Any) -> str:
    """A value as a message shows it: not all of what may be very long."""
    try:
        text = repr(value)
    except ValueError:  # Python does not print integers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
