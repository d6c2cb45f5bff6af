"""The errors that Gatewright raises on purpose, and the exit status each one means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class GatewrightError(Exception):
    """A failure that the user can act on: one line that says what is wrong and what to do.

    The command line prints the message on stderr and exits with `exit_status`; the traceback is
    shown only under `--debug`.
    """

    exit_status = 2


class InputError(GatewrightError):
    """The input or the command is wrong: a file, a layer, an option, a missing tool."""


class LimitError(InputError):
    """A process needed more time or memory than its limits allow."""


class TimeLimitError(LimitError):
    """A process needed more time than its limits allow."""


class MissingToolError(InputError):
    """A tool is not installed."""


class DataError(InputError):
    """The training data of a model is not available."""


class Skipped(GatewrightError):
    """Something was left out, because what it needs is not installed and it wasn't named itself."""

    exit_status = 0


class UnsupportedError(InputError):
    """The model needs something that can't be done exactly; names the layer and the reason."""


class DesignFailure(GatewrightError):
    """A check ran and failed: a mismatch, a missed budget, a deadlock, a lint error."""

    exit_status = 1


@contextmanager
def in_own_names(labels: Mapping[str, str]) -> Iterator[None]:
    """Context in which errors use the model's own names of its layers.

    Args:
        labels: Printable name in the model, by internal name of the layer.
    """
    try:
        yield
    except GatewrightError as error:
        message = in_their_names(str(error), labels)
        if message == str(error):
            raise
        raise type(error)(message) from error


def in_their_names(message: str, labels: Mapping[str, str]) -> str:
    """A message with quoted internal names of layers replaced; see `in_own_names`."""
    for name, label in labels.items():
        message = message.replace(f"'{name}'", f"'{label}'")
    return message


def place_of(error: OSError) -> str | None:
    """The file that an error of the operating system is about; for a copy, its destination."""
    names = (error.filename2, error.filename)
    return next((str(name) for name in names if isinstance(name, str | Path)), None)


def system_message(error: OSError) -> str:
    """One line for an error of the operating system: which file, and what is wrong with it."""
    if error.args and isinstance(error.args[0], list):
        source, target, why = error.args[0][0]  # the first of several files
        reason = re.sub(r"^\[Errno [0-9]+\] ", "", str(why).partition(f": {source!r}")[0])
        return f"{target}: {reason}"
    place = place_of(error)
    where = f"{place}: " if place is not None else ""
    return f"{where}{error.strerror or error}"
