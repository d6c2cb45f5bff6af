"""Resources, timing and Fmax of a design without synthesis."""

from gatewright.estimate.cost_model import CostModel, Estimated, load_cost_model
from gatewright.estimate.design_estimate import DesignEstimate, LayerEstimate, estimate_design

__all__ = [
    "CostModel",
    "DesignEstimate",
    "Estimated",
    "LayerEstimate",
    "estimate_design",
    "load_cost_model",
]
