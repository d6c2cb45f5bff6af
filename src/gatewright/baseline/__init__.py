"""What software on this machine's processor makes of a model, to hold hardware against.

The float network runs under TensorFlow Lite as it is, in 8-bit integers, and with weights of 8 bits
and ranges of activations that are measured while it runs, which hardware here refuses to do.
"""

from gatewright.baseline.measurement import RUNTIME, measure, obtain
from gatewright.system.processor import Processor, this_processor

__all__ = ["RUNTIME", "Processor", "measure", "obtain", "this_processor"]
