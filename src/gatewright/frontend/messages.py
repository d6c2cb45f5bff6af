"""Parts of error messages about a model."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

_LONGEST = 80


def near(name: object, names: Sequence[str]) -> str:
    """A hint for a message: the names similar to `name`, or all names if there are at most 20."""
    matches = difflib.get_close_matches(str(name)[:_LONGEST], names, n=3)
    if matches:
        return f"; did you mean {' or '.join(repr(match) for match in matches)}?"
    return f"; choose from {', '.join(names)}" if len(names) <= 20 else ""


def shown(text: object, longest: int = _LONGEST) -> str:
    """Untrusted text made safe for a message: short, printable, on one line."""
    full = str(text)
    short = full if len(full) <= longest else f"{full[:longest]}..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)


def first_line(error: BaseException) -> str:
    """The first line of an error's message that isn't blank; else the error's `repr`."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))
