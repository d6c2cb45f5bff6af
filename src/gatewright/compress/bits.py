"""The bits of a model's layers, as sweep files, recipes and the command line write them."""

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

#: The key for the bits of all layers that aren't named.
DEFAULT = "default"

_PO2 = re.compile(r"po2<([0-9]{1,3})>")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
# With more bits the exponents go below -24: QKeras treats such weights as zero's neighbours, and
# no type of 24 bits holds them.
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
    """Widths of one layer in bits, including the sign.

    Attributes:
        weights: Bits of a weight; `binary` (-1 and 1) or `ternary` (-1, 0 and 1), times a power of
            two for each output; or `po2<N>`: powers of two with N bits for sign and exponent.
        activations: Bits of the result of the activation after the layer.
        biases: Bits of a bias; None for those of the weights, or of the activations if the
            weights' bits aren't a number.
    """

    weights: Annotated[int | str, AfterValidator(_check_weights)]
    activations: Annotated[_Width, BeforeValidator(_refuse_dynamic)]
    biases: _Width | None = None

    @property
    def po2(self) -> int | None:
        """Bits of sign and exponent of power-of-two weights; None for other weights."""
        match = _PO2.fullmatch(str(self.weights))
        return int(match[1]) if match else None

    @property
    def bias_bits(self) -> int:
        """Bits of a bias."""
        if self.biases is not None:
            return self.biases
        return self.weights if isinstance(self.weights, int) else self.activations


def _same_bits(value: Any) -> Any:
    """Expand a number to the same bits for weights and activations."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"weights": value, "activations": value}
    return value


#: A field of a pydantic model: bits by layer name; a number stands for weights and activations.
BitsByLayer = dict[str, Annotated[LayerBits, BeforeValidator(_same_bits)]]

_BITS = TypeAdapter[BitsByLayer](BitsByLayer)


def parse_bits(texts: Sequence[str]) -> dict[str, LayerBits]:
    """Read options of the command line: `6`, `4,6`, `ternary,6`, `conv1=4` or `conv1=4,6,8`.

    The first number is the bits of weights, the second those of activations, the third those of
    biases; a single one counts for weights and activations. Without a layer's name they are the
    default.

    Returns:
        Bits by layer's name, or `DEFAULT`.

    Raises:
        InputError: if a text can't be read, or a layer is named twice.
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
                f"--bits {text}: write BITS or LAYER=BITS, where BITS is one width for weights and "
                "activations, one for each, or a third for biases: 6, 4,6, ternary,6 or 4,6,8"
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
