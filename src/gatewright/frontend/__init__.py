"""Loads a model and has hls4ml turn it into its ModelGraph and its HLS project.

The only package that imports TensorFlow, and only for models that can't be read without it.
"""

from __future__ import annotations

from gatewright.frontend.calibration import calibrate
from gatewright.frontend.hls import write_hls
from gatewright.frontend.model_graph import convert
from gatewright.frontend.source import load

__all__ = ["calibrate", "convert", "load", "write_hls"]
