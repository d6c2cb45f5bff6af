"""Placing and routing of designs by nextpnr: the clock that they reach, and what limits it."""

from gatewright.place.placement import Placement, place

__all__ = ["Placement", "place"]
