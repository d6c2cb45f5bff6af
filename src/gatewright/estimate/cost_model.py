"""The cost model of a family: mapping rules, and cost per quantity of hardware, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from gatewright.errors import InputError, UnsupportedError
from gatewright.estimate.rules import Rules
from gatewright.parsing.documents import read_yaml
from gatewright.parsing.strict import first_problem
from gatewright.system.package_data import data_dir

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.targets import Target

_Coefficient = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
_Error = Annotated[float, Field(ge=0, allow_inf_nan=False)]

Resource = Literal["lut", "ff", "dsp", "bram"]
"""Names of the fields of `Estimated`."""

#: Coefficients of resources that follow exactly from the counts.
COUNTED: dict[str, dict[str, float]] = {
    "ff": {"ff": 1, "stage_flags": 1, "rom_register": 1, "product_register": -1},
    "dsp": {"dsp": 1},
    "bram": {"half_blocks": 0.5},
}


@dataclass(frozen=True)
class Estimated:
    """Estimated resources.

    Attributes:
        lut: look-up tables, including those used as memory.
        ff: flip-flops.
        dsp: DSP blocks.
        bram: block RAM, in 36 Kb.
    """

    lut: int
    ff: int
    dsp: int
    bram: float

    def __add__(self, other: Estimated) -> Estimated:
        """The sum of both."""
        return Estimated(
            self.lut + other.lut,
            self.ff + other.ff,
            self.dsp + other.dsp,
            self.bram + other.bram,
        )


@dataclass(frozen=True)
class CostModel:
    """The cost model of a family.

    Attributes:
        description: how it was obtained.
        calibrated_on: models whose synthesized modules it was fitted to.
        rules: mapping rules of the family.
        errors: greatest relative error of a design's resources, by name, among models that the
            coefficients were not fitted to; without resources that few of these models have.
        lut: LUTs per unit of each quantity.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    description: str
    calibrated_on: tuple[str, ...]
    rules: Rules
    errors: dict[Resource, _Error] = field(default_factory=dict)
    lut: dict[str, _Coefficient] = field(default_factory=dict)

    def cost(self, counts: Mapping[str, int]) -> Estimated:
        """Estimated resources of counted quantities."""
        whole = {name: round(_weighed(counts, COUNTED[name])) for name in ("ff", "dsp")}
        return Estimated(
            lut=max(0, round(_weighed(counts, self.lut))),
            ff=max(0, whole["ff"]),
            dsp=whole["dsp"],
            bram=_weighed(counts, COUNTED["bram"]),
        )


def load_cost_model(target: Target) -> CostModel:
    """The cost model of a target's family.

    Raises:
        UnsupportedError: if there is none for it.
    """
    folder = data_dir("hls") / "estimates"
    name = target.family.cost_model
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise UnsupportedError(
            f"target '{target.name}': there is no cost model for its devices, only for "
            f"{', '.join(known)}; 'gatewright synth' counts their resources"
        )
    return read_cost_model(folder / f"{name}.yaml")


def read_cost_model(path: Path) -> CostModel:
    """Read a cost model from its file.

    Raises:
        InputError: if a field is missing, unknown or of the wrong kind.
    """
    try:
        return TypeAdapter(CostModel).validate_python(read_yaml(path, "a cost model"))
    except ValidationError as error:
        raise InputError(f"{path}: not a cost model: {first_problem(error)}") from None


def _weighed(counts: Mapping[str, int], weights: Mapping[str, float]) -> float:
    return sum(weight * counts.get(name, 0) for name, weight in weights.items())
