"""Synthesis targets as data: their family, its settings, and their parts."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, InstanceOf, TypeAdapter, ValidationError

from gatewright.circuit.fabric import Fabric
from gatewright.errors import InputError
from gatewright.parsing.documents import read_yaml
from gatewright.parsing.strict import first_problem
from gatewright.synth.family import UNMAPPED, Family, family_names, family_type
from gatewright.system.package_data import data_dir

_Positive = Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, le=1 << 40)]
_FIELDS = ConfigDict(extra="forbid")
_COUNTED = ("lut", "ff", "dsp", "bram", "uram")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Part:
    """Capacity of a device, by its data sheet; block RAM in blocks of the target's `bram_kb`."""

    __pydantic_config__: ClassVar[ConfigDict] = _FIELDS

    lut: Annotated[_Count, Field(gt=0)]
    ff: Annotated[_Count, Field(gt=0)]
    dsp: _Count
    bram: _Count
    uram: _Count | None = None  # None if the family has none
    device: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")] | None = None  # vendor's name


@dataclass(frozen=True)
class Target:
    """A synthesis target.

    Attributes:
        name: name of its file, or of one of its parts if the target is that part.
        description: a description in one line.
        clock_ns: default clock period, in ns.
        family: the family of devices, with the family's own fields of the file.
        parts: devices with this fabric.
        bram_kb: size of a block RAM of `parts`, parity included, in Kb.
        derate: factor on all times of the delay model.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _FIELDS

    name: str
    description: str
    clock_ns: _Positive
    family: InstanceOf[Family]
    parts: dict[str, Part] = field(default_factory=dict)
    bram_kb: _Positive = 36
    derate: _Positive = 1.0

    @cached_property
    def fabric(self) -> Fabric:
        """Area and delay model of the logic, derated."""
        return self.family.fabric.derated(self.derate)

    def derated(self, factor: float) -> Target:
        """The same target with every time of its delay model multiplied by a factor."""
        return replace(self, derate=self.derate * factor)

    @property
    def device(self) -> Part | None:
        """The part that this target is; None if it is a whole family."""
        return self.parts.get(self.name)

    def capacity(self, part: str) -> dict[str, float]:
        """Capacity of a part by resource, in the units of `Resources`; unknown ones are absent."""
        held = asdict(self.parts[part])
        held["bram"] *= self.bram_kb / 36
        return {name: held[name] for name in _COUNTED if held[name] is not None}

    def content(self) -> dict[str, Any]:
        """All fields as JSON values, to key caches of what depends on the target."""
        return {**asdict(self), "of": self.family.mapper.room.name}


def target_names() -> list[str]:
    """Names of all targets, sorted."""
    return sorted(path.stem for path in (data_dir("hls") / "targets").glob("*.yaml"))


def load_target(name: str) -> Target:
    """Load a target by name (a file of hls/targets, or a part in one) or by path of a YAML file.

    Raises:
        InputError: if it doesn't exist, or a field is missing or unknown.
    """
    if name.endswith(".yaml"):
        return _load(Path(name))
    if name in target_names():
        return _shipped(name)
    try:
        return replace(find_part(name), name=name)
    except InputError:
        raise InputError(
            f"target '{name}' does not exist; choose from {', '.join(target_names())} and the "
            "parts that they list, ecp5-85k for example"
        ) from None


@cache
def _shipped(name: str) -> Target:
    """A target of hls/targets; reading all of these takes a fifth of a second."""
    return _load(data_dir("hls") / "targets" / f"{name}.yaml")


def _load(path: Path) -> Target:
    try:
        if not _NAME.fullmatch(path.stem):
            raise InputError(
                f"target '{path.stem[:80]}': a name has up to 64 letters, digits, '_', '-' and "
                "'.', and begins with a letter or digit, because directories are named after it"
            )
        return _target(path, read_yaml(path, "a target description"))
    except FileNotFoundError:
        raise InputError(f"target '{path}': no such file") from None
    except ValidationError as error:
        problem = first_problem(error)
        raise InputError(f"{path}: not a target description: {problem}") from None


def _target(path: Path, given: dict[str, Any]) -> Target:
    if "family" not in given:
        raise InputError(f"{path}: names no family; {_advice(given)}")
    name = given["family"]
    if isinstance(name, str) and name in UNMAPPED:
        raise InputError(f"{path}: family: {name} can't be mapped: {UNMAPPED[name]}")
    if name not in family_names():
        raise InputError(f"{path}: family: must be one of {', '.join(family_names())}")
    kind = family_type(name)
    own = _own_fields(name)
    common = {key: value for key, value in given.items() if key not in own}
    family: Family = _adapter(kind).validate_python({k: given[k] for k in own if k in given})
    target: Target = _adapter(Target).validate_python(
        {**common, "name": path.stem, "family": family}
    )
    return target


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    """The checks of a type's fields, which take longer to make than to run."""
    return TypeAdapter(kind)


def _own_fields(family: str) -> list[str]:
    return [each.name for each in fields(family_type(family))]


def _advice(given: dict[str, Any]) -> str:
    """How to change a target file from the format without families to the current one."""
    name = max(family_names(), key=lambda family: len(given.keys() & _own_fields(family)))
    gone = given.keys() - _own_fields(name) - {each.name for each in fields(Target)}
    also = f" and leave out {', '.join(sorted(gone))}" if gone else ""
    return f"write 'family: {name}'{also}"


def find_part(name: str) -> Target:
    """The target that a part belongs to.

    Raises:
        InputError: if no target lists the part.
    """
    targets = [load_target(target) for target in target_names()]
    known = {part: target for target in targets for part in target.parts}
    if name not in known:
        raise InputError(f"part '{name}' is not known; choose from {', '.join(sorted(known))}")
    return known[name]
