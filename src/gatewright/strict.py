"""The base of what users write: settings of which nothing is guessed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Fields of exactly their types, no others, and none that changes afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
