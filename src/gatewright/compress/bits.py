"""How many bits the layers of a model have, as sweep files, recipes and the command line say it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
)

from gatewright.errors import InputError
from gatewright.parsing.strict import Strict

#: The key of the bits of layers that are not named.
DEFAULT = "default"

_PO2 = re.compile(r"po2<([0-9]{1,3})>")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
# Smaller than 2^-24 QKeras takes a weight for zero's neighbour, and no type of 24 bits holds it.
_PO2_BITS = range(2, 6)


def _check_weights(value: int | str) -> int | str:
    if isinstance(value, int):
        if not 2 <= value <= 16:
            raise ValueError("weights have 2 to 16 bits; those of one bit are called binary")
        return value
    match = _PO2.fullmatch(value)
    if value in ("binary", "ternary") or (match and int(match[1]) in _PO2_BITS):
        return value
    raise ValueError(
        "weights are a number of bits, binary, ternary, or po2<N>: a sign and N - 1 bits of "
        f"exponent, N from {_PO2_BITS[0]} to {_PO2_BITS[-1]}"
    )


def _refuse_dynamic(value: Any) -> Any:
    if value == "dynamic":
        raise ValueError(
            "dynamic ranges are measured while a model runs, but hardware has fixed types; "
            "measure them beforehand, by calibration"
        )
    return value


_Width = Annotated[int, Field(ge=2, le=16)]


class LayerBits(Strict):
    """Widths of one layer in bits, sign included.

    Attributes:
        weights: Bits of a weight; `binary` (-1 and 1) or `ternary` (-1, 0 and 1), times a power of
            two per output; or `po2<N>`: powers of two, N bits for sign and exponent.
        activations: Bits of what the activation behind the layer gives.
        biases: Bits of a bias; by default those of the weights, or of the activations where the
            weights have no width of their own.
    """

    weights: Annotated[int | str, AfterValidator(_check_weights)]
    activations: Annotated[_Width, BeforeValidator(_refuse_dynamic)]
    biases: _Width | None = None

    @property
    def po2(self) -> int | None:
        """Bits of sign and exponent of weights that are powers of two, None for other weights."""
        match = _PO2.fullmatch(str(self.weights))
        return int(match[1]) if match else None

    @property
    def bias_bits(self) -> int:
        """Bits of a bias."""
        if self.biases is not None:
            return self.biases
        return self.weights if isinstance(self.weights, int) else self.activations


def _same_bits(value: Any) -> Any:
    """One number stands for the weights and the activations of a layer."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"weights": value, "activations": value}
    return value


#: A field of a pydantic model: bits by layer name; a number stands for weights and activations.
BitsByLayer = dict[str, Annotated[LayerBits, BeforeValidator(_same_bits)]]

_BITS = TypeAdapter[BitsByLayer](BitsByLayer)


def parse_bits(texts: Sequence[str]) -> dict[str, LayerBits]:
    """Read bits as the command line has them: `6`, `4,6`, `ternary,6`, `conv1=4` or `conv1=4,6,8`.

    The first number is the weights' bits, the second the activations'; one stands for both. A third
    is the biases'. Without a layer's name it is the default.

    Raises:
        InputError: if one can't be read, or a layer is named twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        name = name.strip() if equals else DEFAULT
        fields = [_number(field.strip()) for field in value.split(",")]
        if name in found:
            raise InputError(f"--bits {text}: {_whom(name)} given before")
        if not name or len(fields) > 3 or (len(fields) == 1 and isinstance(fields[0], str)):
            raise InputError(
                f"--bits {text}: write BITS or LAYER=BITS, where BITS is the width of weights and "
                "activations, or of each, or of biases, too: 6, 4,6, ternary,6 or 4,6,8"
            )
        widths = fields * 2 if len(fields) == 1 else fields
        of_each = dict(zip(("weights", "activations", "biases"), widths, strict=False))
        try:
            found |= _BITS.validate_python({name: of_each})
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            what = str(problem["loc"][1])
            message = problem["msg"].removeprefix("Value error, ")
            raise InputError(f"--bits {text}: {what}: {message}") from None
    return found


def _number(text: str) -> int | str:
    return int(text) if _NUMBER.fullmatch(text) else text


def _whom(name: str) -> str:
    return "the default is" if name == DEFAULT else f"layer '{name}' is"


def bits_of(bits: Mapping[str, LayerBits], layer: str) -> LayerBits | None:
    """The bits of a layer: its own, else the default's, else None."""
    return bits.get(layer, bits.get(DEFAULT))
