"""Measures a model in software on this machine's processor, to compare hardware with.

The float network runs under TensorFlow Lite in float32, in 8-bit integers, and with 8-bit weights
and activation ranges measured at run time ("dynamic range"), which hardware here does not support.
"""

from gatewright.baseline.measurement import RUNTIME, measure, obtain
from gatewright.system.processor import Processor, this_processor

__all__ = ["RUNTIME", "Processor", "measure", "obtain", "this_processor"]
