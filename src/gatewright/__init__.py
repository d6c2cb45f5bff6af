"""Quantized Keras models in, verified hardware out."""

__version__ = "0.1.0"
