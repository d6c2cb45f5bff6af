"""Target devices as data: what a synthesis family is called and how fast its fabric is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from gatewright.errors import InputError
from gatewright.resources import data_dir

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_FIELDS = ConfigDict(extra="forbid")


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

    lut: Annotated[int, Field(gt=0)]
    ff: Annotated[int, Field(gt=0)]
    dsp: Annotated[int, Field(ge=0)]
    bram: Annotated[int, Field(ge=0)]
    uram: Annotated[int, Field(ge=0)] = 0


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
    lut_inputs: Annotated[int, Field(ge=4)]
    three_operand_adders: bool  # the carry fabric adds three numbers at a LUT a bit
    dsp_width: tuple[int, int]  # signed operand widths of a multiplier
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
    path = Path(name) if name.endswith(".yaml") else data_dir("hls") / "targets" / f"{name}.yaml"
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(fields, dict):
            raise InputError(f"{path}: not a target description: no mapping of fields")
        return TypeAdapter(Target).validate_python({**fields, "name": path.stem})
    except FileNotFoundError:
        raise InputError(
            f"target '{name}' does not exist; there are {', '.join(target_names())}"
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: not a target description: {where}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a target description ({reason})") from None


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
