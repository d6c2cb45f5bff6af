"""Prices of devices and of electricity, from a user's file; Gatewright has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from gatewright.errors import InputError
from gatewright.parsing.documents import read_yaml
from gatewright.parsing.strict import Strict, first_problem

if TYPE_CHECKING:
    from pathlib import Path


def _printable(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("must be a line of printable characters")
    return text


_Text = Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable)]
_Currency = Annotated[str, StringConstraints(max_length=20), AfterValidator(_printable)]
_Price = Annotated[float, Field(ge=0, le=1e12)]
_Hours = Annotated[float, Field(gt=0, le=1e7)]
_Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]


class DevicePrice(Strict):
    """The price of a device: per hour, or once for its lifetime."""

    per_hour: _Price | None = None
    """Price per hour, in `currency`."""
    price: _Price | None = None
    """Price of the device, in `currency`."""
    lifetime_hours: _Hours | None = None
    """Hours of use, in h."""
    currency: _Currency
    source: _Text
    """Where the price is from."""

    @model_validator(mode="after")
    def _one_way(self) -> DevicePrice:
        bought = (self.price, self.lifetime_hours)
        if (self.per_hour is None) == (bought == (None, None)) or bought.count(None) == 1:
            raise ValueError("give per_hour alone, or price and lifetime_hours")
        return self

    @property
    def hourly(self) -> float:
        """Price per hour, in `currency`."""
        if self.price is None or self.lifetime_hours is None:
            return self.per_hour or 0.0
        return self.price / self.lifetime_hours

    @property
    def sentence(self) -> str:
        """For example "45 EUR over 40,000 h (a shop, 2026-11)"."""
        if self.price is None or self.lifetime_hours is None:
            return f"{self.per_hour:,.6g} {self.currency} per hour ({self.source})"
        lifetime = f"{self.lifetime_hours:,.6g} h"
        return f"{self.price:,.6g} {self.currency} over {lifetime} ({self.source})"


class Electricity(Strict):
    """The price of electricity."""

    per_kwh: _Price
    """Price of a kWh, in `currency`."""
    currency: _Currency
    source: _Text
    """Where the price is from."""


class Prices(Strict):
    """The content of a file of prices."""

    devices: Annotated[dict[_Key, DevicePrice], Field(max_length=1000)]
    """By `cpu`, `gpu`, or the name of a target or of a vendor's tool and step."""
    electricity: Electricity | None = None

    @model_validator(mode="after")
    def _one_currency(self) -> Prices:
        if self.electricity is not None:
            for name, device in self.devices.items():
                if device.currency != self.electricity.currency:
                    raise ValueError(
                        f"devices.{name} is in {device.currency}, electricity in "
                        f"{self.electricity.currency}; they can't be added"
                    )
        return self


def read_prices(path: Path) -> Prices:
    """Read a file of prices, YAML; docs/cost.md describes it.

    Raises:
        InputError: if it can't be read, or a field is missing, unknown or out of range.
    """
    try:
        return Prices.model_validate(read_yaml(path, "a file of prices"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except ValidationError as error:
        raise InputError(f"{path}: not a file of prices: {first_problem(error)}") from None
