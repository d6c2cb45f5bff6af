"""Boards as data: the device, the clock, and the three pins that the wrapper needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from gatewright.errors import InputError
from gatewright.parsing.documents import read_yaml
from gatewright.parsing.strict import Strict, first_problem
from gatewright.system.package_data import data_dir

#: Name of a device in vendor tools; it is used as a word in Tcl.
PartName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=64)
]

_Pin = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,3}[0-9]{1,3}$")]
_Standard = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")]


class Pin(Strict):
    """The pin of a port of the wrapper and its I/O standard, as the tool names them."""

    pin: _Pin
    standard: _Standard


class Pins(Strict):
    """The pins of the wrapper's ports."""

    clk: Pin
    reset: Pin
    led: Pin


class Board(Strict):
    """A board.

    Attributes:
        description: a description in one line.
        tool: the vendor tool for its device.
        part: the device.
        clock_ns: period of its oscillator, in ns, which is the clock of the design.
        reset_active: level of the reset pin while the button is pressed.
        pins: pins of the wrapper's ports.
    """

    description: str
    tool: Literal["quartus", "radiant", "vivado"]
    part: PartName
    clock_ns: Annotated[float, Field(gt=0, le=1e6)]
    reset_active: Literal["high", "low"]
    pins: Pins


def board_names() -> list[str]:
    """Names of all boards, sorted."""
    return sorted(path.stem for path in (data_dir("hls") / "boards").glob("*.yaml"))


def load_board(name: str) -> Board:
    """Load a board by name (a file of hls/boards) or by the path of a YAML file.

    Raises:
        InputError: if it doesn't exist, or a field is missing, unknown or not valid.
    """
    is_path = name.endswith(".yaml")
    if not is_path and name not in board_names():
        raise InputError(f"board '{name}' does not exist; choose from {', '.join(board_names())}")
    path = Path(name) if is_path else data_dir("hls") / "boards" / f"{name}.yaml"
    try:
        return Board(**read_yaml(path, "a description of a board"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except ValidationError as error:
        raise InputError(f"{path}: not a description of a board: {first_problem(error)}") from None
