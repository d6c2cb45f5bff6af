"""Target devices as data: what a synthesis family is called and how fast its fabric is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from gatewright.documents import read_yaml
from gatewright.errors import InputError
from gatewright.resources import data_dir
from gatewright.strict import first_problem

_Positive = Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, le=1 << 40)]
_Width = Annotated[int, Field(ge=2, le=1024)]
_FIELDS = ConfigDict(extra="forbid")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Delays:
    """Delay model of a fabric, in nanoseconds, routing included where a net is crossed."""

    __pydantic_config__: ClassVar[ConfigDict] = _FIELDS

    register: _Positive  # clock-to-output plus set-up: what a stage pays once
    lut: _Positive  # one LUT and the net to it
    carry_start: _Positive  # onto the carry chain and off it again, nets included
    carry_bit: _Positive  # per bit of carry chain
    rom: _Positive  # a LUT ROM of up to 64 entries; larger ones add a LUT per factor of 4
    dsp: _Positive  # through a multiplier, from registered operands to a register


@dataclass(frozen=True)
class Part:
    """What a device holds, by its data sheet; block RAM in blocks of 36 Kb."""

    __pydantic_config__: ClassVar[ConfigDict] = _FIELDS

    lut: Annotated[_Count, Field(gt=0)]
    ff: Annotated[_Count, Field(gt=0)]
    dsp: _Count
    bram: _Count
    uram: _Count = 0


@dataclass(frozen=True)
class Target:
    """A synthesis target.

    `dsp_price` is what a DSP multiplier counts in LUTs, against adder graphs.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _FIELDS

    name: str
    description: str
    part: str
    synth_family: Literal["xc7", "xcu", "xcup"]  # Yosys: synth_xilinx -family
    clock_ns: _Positive  # clock period where the user names none
    lut_inputs: Annotated[int, Field(ge=4, le=16)]
    three_operand_adders: bool  # the carry fabric adds three numbers at a LUT a bit
    dsp_width: tuple[_Width, _Width]  # signed operand widths of a multiplier
    dsp_price: _Positive
    delays: Delays
    parts: dict[str, Part] = field(default_factory=dict)  # devices of this fabric


def target_names() -> list[str]:
    """The targets there are, sorted."""
    return sorted(path.stem for path in (data_dir("hls") / "targets").glob("*.yaml"))


def load_target(name: str) -> Target:
    """Load a target by name (a file of hls/targets) or by the path of a YAML file.

    Raises:
        InputError: if it doesn't exist, or a field is missing or unknown.
    """
    is_path = name.endswith(".yaml")
    path = Path(name) if is_path else data_dir("hls") / "targets" / f"{name}.yaml"
    try:
        if not is_path and name not in target_names():
            raise FileNotFoundError
        if not _NAME.fullmatch(path.stem):
            raise InputError(
                f"target '{path.stem[:80]}': a name is up to 64 letters, digits, '_', '-' and '.', "
                "a letter or digit first: folders are named by it"
            )
        fields = read_yaml(path, "a target description")
        return TypeAdapter(Target).validate_python({**fields, "name": path.stem})
    except FileNotFoundError:
        raise InputError(
            f"target '{name}' does not exist; there are {', '.join(target_names())}"
        ) from None
    except ValidationError as error:
        problem = first_problem(error)
        raise InputError(f"{path}: not a target description: {problem}") from None


def find_part(name: str) -> tuple[str, Part]:
    """The target that a part belongs to, and what the part holds.

    Raises:
        InputError: if no target knows the part.
    """
    known = {
        part: (target, held)
        for target in target_names()
        for part, held in load_target(target).parts.items()
    }
    if name not in known:
        raise InputError(f"part '{name}' is not known; there are {', '.join(sorted(known))}")
    return known[name]
