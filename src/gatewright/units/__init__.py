"""The units that hardware is built of: each takes beats of a stream and gives beats."""

from gatewright.units.accumulate import Accumulate, Maximum
from gatewright.units.base import Bundle, Element, Row, Stream, Unit
from gatewright.units.feed import Feed, Repeat, Rom
from gatewright.units.fifo import Fifo
from gatewright.units.function import Body, Function, Permute
from gatewright.units.image import Concat, Crop, Pad, Upsample, Window
from gatewright.units.resize import Resize, resized

__all__ = [
    "Accumulate",
    "Body",
    "Bundle",
    "Concat",
    "Crop",
    "Element",
    "Feed",
    "Fifo",
    "Function",
    "Maximum",
    "Pad",
    "Permute",
    "Repeat",
    "Resize",
    "Rom",
    "Row",
    "Stream",
    "Unit",
    "Upsample",
    "Window",
    "resized",
]
