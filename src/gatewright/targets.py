"""Target devices as data: what a synthesis family is called and how fast its fabric is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from gatewright.errors import InputError
from gatewright.resources import data_dir


@dataclass(frozen=True)
class Delays:
    """Delay model of a fabric, in nanoseconds, routing included where a net is crossed."""

    register: float  # clock-to-output plus set-up: what a stage pays once
    lut: float  # one LUT and the net to it
    carry_start: float  # onto the carry chain and off it again, nets included
    carry_bit: float  # per bit of carry chain
    rom: float  # a LUT ROM of up to 64 entries; larger ones add a LUT per factor of 4
    dsp: float  # through a multiplier, from registered operands to a register


@dataclass(frozen=True)
class Target:
    """A synthesis target.

    `dsp_price` is what a DSP multiplier counts in LUTs, against adder graphs.
    """

    name: str
    description: str
    part: str
    synth_family: str  # Yosys: synth_xilinx -family
    clock_ns: float  # clock period where the user names none
    lut_inputs: int
    three_operand_adders: bool  # the carry fabric adds three numbers at a LUT a bit
    dsp_width: tuple[int, int]  # signed operand widths of a multiplier
    dsp_price: float
    delays: Delays


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
        fields = yaml.safe_load(path.read_text())
        fields["delays"] = Delays(**fields["delays"])
        fields["dsp_width"] = tuple(fields["dsp_width"])
        return Target(name=path.stem, **fields)
    except FileNotFoundError:
        raise InputError(
            f"target '{name}' does not exist; there are {', '.join(target_names())}"
        ) from None
    except (KeyError, TypeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not a target description ({error})") from None
