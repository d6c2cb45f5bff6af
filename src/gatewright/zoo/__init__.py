"""The model zoo: sweeps of quantization configurations, and their trained models.

Nothing here imports TensorFlow; training runs in a process of its own, and only when the cache has
no model of the same content.
"""

from gatewright.zoo.sweep import Config, Conversion, LayerBits, Sweep, Training, load_sweep
from gatewright.zoo.training import TrainedModel, train

__all__ = [
    "Config",
    "Conversion",
    "LayerBits",
    "Sweep",
    "TrainedModel",
    "Training",
    "load_sweep",
    "train",
]
