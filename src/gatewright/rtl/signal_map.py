"""The map from signals of generated modules to layers, pipeline stages and output elements."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gatewright.errors import InputError
from gatewright.parsing.typed import LARGEST
from gatewright.system.files import read_bytes

if TYPE_CHECKING:
    from gatewright.rtl.manifest import Module

#: The map's file, beside the manifest.
SIGNAL_MAP = "signals.csv"

_COLUMNS = ("instance", "signal", "layer", "stage", "element")
_LARGEST_NUMBER = 2**31

#: A cast's instance has the number of the signal that it drives.
_CAST = re.compile(r"u_cast(\d+)\b.*", re.DOTALL)
_BIT = re.compile(r"(\[\d+\]|_\d+_?)$")


class Origin(NamedTuple):
    """What a signal was made for.

    Attributes:
        layer: name of the layer that computes it.
        stage: pipeline stage of the module that it is in; 0 is combinational from its inputs.
        element: the only element of a beat of the module's result that depends on it; None if
            several do, or if the module's result is no tensor of a layer.
    """

    layer: str
    stage: int
    element: int | None


def write_signal_map(rows: Iterable[tuple[str, str, Origin]], directory: Path) -> None:
    """Write the map.

    Args:
        rows: instance, by its path in the top; signal; origin.
        directory: of the RTL project.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((instance, signal, *origin) for instance, signal, origin in rows)
    (directory / SIGNAL_MAP).write_text(text.getvalue(), encoding="utf-8")


class SignalMap:
    """Finds the origins of signals in the map of a project."""

    def __init__(self, origins: Mapping[tuple[str, str], Origin]) -> None:
        self._origins = origins

    def find(self, instance: str, signal: str) -> Origin | None:
        """The origin of a signal; None if it is not known.

        Args:
            instance: name of a layer's instance in the top.
            signal: its name in that, with the instances below it, and maybe the index of a bit as
                `[3]` or `_3`.
        """
        below, _, name = signal.rpartition(".")
        if cast := _CAST.search(signal):
            below, name = signal[: cast.start()].rstrip("."), f"t{cast[1]}"
        path = f"{instance}.{below}" if below else instance
        for each in (name, _BIT.sub("", name)):
            if (path, each) in self._origins:
                return self._origins[path, each]
        return None


def read_signal_map(directory: Path, modules: Iterable[Module]) -> SignalMap:
    """The map of a project; an empty one if the project is older than that.

    Args:
        directory: of the RTL project.
        modules: of its manifest.

    Raises:
        InputError: if the file is none.
    """
    path = directory / SIGNAL_MAP
    layers = {module.instance: {module.layer, *module.layers} for module in modules}
    try:
        text = read_bytes(path, LARGEST).decode("utf-8")
    except FileNotFoundError:
        return SignalMap({})
    except UnicodeDecodeError:
        raise _wrong(path, 1) from None
    reader = csv.reader(io.StringIO(text, newline=""))
    origins = {}
    try:
        if tuple(next(reader, ())) != _COLUMNS:
            raise _wrong(path, 1)
        for row in reader:
            instance, signal, layer, *numbers = row
            stage, element = (_number(number) if number else None for number in numbers)
            if stage is None or layer not in layers[instance.partition(".")[0]]:
                raise _wrong(path, reader.line_num)
            origins[instance, signal] = Origin(layer, stage, element)
    except (ValueError, KeyError, csv.Error):
        raise _wrong(path, reader.line_num) from None
    return SignalMap(origins)


def _number(text: str) -> int:
    """A number of the map.

    Raises:
        ValueError: if it is none.
    """
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > _LARGEST_NUMBER:
        raise ValueError(text)
    return int(text)


def _wrong(path: Path, line: int) -> InputError:
    return InputError(
        f"{path}, line {line}: not Gatewright's map of signals; run 'gatewright convert' again"
    )
