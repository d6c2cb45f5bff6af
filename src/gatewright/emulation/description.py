"""The description of an emulation for its caller: `emulation.json` in the HLS project."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from gatewright.errors import InputError
from gatewright.parsing.strict import Strict
from gatewright.system.files import read_bytes

EMULATION = "emulation.json"

#: A name in C++. It comes from an untrusted file, and is used in paths.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]

_MOST_ELEMENTS = 1 << 31
_MOST_BYTES = 64 << 20


class EmulatedTensor(Strict):
    """A tensor of the emulation: name, shape without the batch, fixed-point type."""

    name: Name
    shape: tuple[Annotated[int, Field(gt=0)], ...]
    type: Annotated[str, StringConstraints(pattern=r"^[ -~]+$", max_length=100)]

    @property
    def size(self) -> int:
        """Number of elements per sample."""
        return math.prod(self.shape)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.size > _MOST_ELEMENTS:
            raise ValueError(f"more than {_MOST_ELEMENTS} elements")
        return self


class Description(Strict):
    """The tensors of an emulation, in the order of its C++.

    Attributes:
        project: name of hls4ml's project and of its top function.
        inputs: the inputs.
        outputs: the outputs.
        layers: the layers that can be traced.
    """

    project: Name
    inputs: Annotated[tuple[EmulatedTensor, ...], Field(min_length=1)]
    outputs: Annotated[tuple[EmulatedTensor, ...], Field(min_length=1)]
    layers: tuple[EmulatedTensor, ...]

    @classmethod
    def read(cls, directory: Path) -> Description:
        """Read the description of an HLS project directory.

        Raises:
            InputError: if there is none, or it is not valid.
        """
        try:
            return cls.model_validate_json(read_bytes(directory / EMULATION, _MOST_BYTES))
        except FileNotFoundError:
            reason = f"{EMULATION}: no such file"
        except InputError as error:
            reason = str(error)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            reason = f"{EMULATION}: {place}: {first['msg']}" if place else f"{EMULATION}: no JSON"
        raise InputError(f"{directory}: no C++ emulation here; convert again ({reason})")
