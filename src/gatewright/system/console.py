"""Output to a terminal; text from files, names or libraries can't act as control codes."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


def plain(text: str) -> str:
    r"""Text on one line without control characters.

    Control characters, and those that change the direction of writing, become visible escapes
    (`\x1b`); so do lone surrogates, which names of files may contain.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def duration(seconds: float) -> str:
    """A time in s as text, for example "12 s", "3 min" or "1 h 40 min"."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def say(text: str) -> None:
    """Write a line to stderr, for progress and errors."""
    sys.stderr.write(f"{plain(text)}\n")
    sys.stderr.flush()


def show(text: str) -> None:
    """Write a line to stdout, for results."""
    sys.stdout.write(f"{plain(text)}\n")


def show_json(text: str) -> None:
    """Write a JSON document to stdout in ASCII, independent of the terminal's encoding."""
    sys.stdout.write(_NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text))
    sys.stdout.write("" if text.endswith("\n") else "\n")


def survive_any_text() -> None:
    """Make stdout and stderr write escapes for characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        # A stream that replaced them may not have this method.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def console(*, stderr: bool = False) -> Console:
    """A rich console that prints text through `plain`, and never as markup.

    Args:
        stderr: Whether it writes to stderr instead of stdout.
    """
    from rich.console import Console
    from rich.segment import Segment

    class PlainConsole(Console):
        """All output passes through `render`, also parts of tables and live displays."""

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                text, style, control = segment
                if control is None and not text.isprintable():
                    text = "\n".join(map(plain, text.split("\n")))
                    yield Segment(text, style)
                else:
                    yield segment

    options: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}
    return PlainConsole(stderr=stderr, **options)
