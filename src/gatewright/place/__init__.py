"""Placement and routing by nextpnr: the clock that designs reach, and what limits it."""

from gatewright.place.placement import Placement, place

__all__ = ["Placement", "place"]
