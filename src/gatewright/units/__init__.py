"""The units that hardware is built from: each takes beats of a stream and produces beats."""

from gatewright.units.accumulate import Accumulate, Maximum
from gatewright.units.circuit_unit import CircuitPart, CircuitUnit, Permute
from gatewright.units.fifo import Fifo
from gatewright.units.gearbox import Gearbox
from gatewright.units.image import Concat, Crop, Pad, Upsample, Window
from gatewright.units.loop import Loop
from gatewright.units.resize import Resize, resized
from gatewright.units.sequencers import BeatSequencer, OperandSequencer, Rom
from gatewright.units.unit import Datapath, Element, Stream, StreamGroup, Unit

__all__ = [
    "Accumulate",
    "BeatSequencer",
    "CircuitPart",
    "CircuitUnit",
    "Concat",
    "Crop",
    "Datapath",
    "Element",
    "Fifo",
    "Gearbox",
    "Loop",
    "Maximum",
    "OperandSequencer",
    "Pad",
    "Permute",
    "Resize",
    "Rom",
    "Stream",
    "StreamGroup",
    "Unit",
    "Upsample",
    "Window",
    "resized",
]
