"""The model zoo: sweeps of configurations, and their trained models.

Nothing here imports TensorFlow; training runs in processes of its own, and only when the store has
no model of the same content.
"""

from gatewright.compress.bits import LayerBits
from gatewright.compress.recipe import Training
from gatewright.compress.recipe_walk import TrainedModel
from gatewright.zoo.recipes import missing_front_end, obtain
from gatewright.zoo.sweep import Config, Conversion, Sweep, load_sweep

__all__ = [
    "Config",
    "Conversion",
    "LayerBits",
    "Sweep",
    "TrainedModel",
    "Training",
    "load_sweep",
    "missing_front_end",
    "obtain",
]
