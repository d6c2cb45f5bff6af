"""The model and its training: its metric, compute cost, steps of the recipe, other seeds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from gatewright.metrics import Better
from gatewright.results.figure import Figure, Source
from gatewright.results.part import Part, refuse_excess
from gatewright.results.scalars import Amount, Count, Fraction, Name, Positive
from gatewright.results.utilization import ByTarget
from gatewright.results.verification import Comparison


class Score(Part):
    """A metric of the network at each step towards hardware, on the same samples."""

    metric: str
    """Name of the metric, for example "top-1 accuracy"."""
    samples: Positive
    """Samples of the test set that it was measured on (a number)."""
    float_model: Amount | None = None
    """The metric of the floating-point model."""
    quantized: Amount | None = None
    """The metric of the quantized model in Keras."""
    rtl: Amount | None = None
    """The metric of the simulated RTL."""
    validation: Amount | None = None
    """The metric of the quantized model in Keras on validation samples, which a search uses."""
    validation_samples: Positive | None = None
    """Samples that `validation` was measured on (a number)."""


def _share(field: str, label: str, name: str, **more: Any) -> Figure:
    return Figure(label, "more", f"accuracy.{field}", digits=4, name=name, **more)


def _error(field: str, label: str, name: str, **more: Any) -> Figure:
    return Figure(label, "less", f"error.{field}", significant=4, name=name, **more)


class Accuracy(Score):
    """A metric of which more is better, as a fraction from 0 to 1."""

    metric: str = "accuracy"
    """Name of the metric, for example "top-1 accuracy"; it is a fraction, more is better."""
    float_model: Annotated[Fraction | None, _share("float_model", "float", "accuracy_float")] = None
    """Accuracy of the floating-point model, as a fraction from 0 to 1."""
    quantized: Annotated[
        Fraction | None,
        _share("quantized", "quantized", "accuracy_quantized", repeats=("accuracy",)),
    ] = None
    """Accuracy of the quantized model in Keras, as a fraction from 0 to 1."""
    rtl: Annotated[Fraction | None, _share("rtl", "RTL", "accuracy")] = None
    """Accuracy of the simulated RTL, as a fraction from 0 to 1."""
    validation: Annotated[
        Fraction | None,
        _share(
            "validation",
            "validation",
            "accuracy_validation",
            primary=False,
            foretold_by="accuracy_validation",
        ),
    ] = None
    """Accuracy of the quantized model in Keras on validation samples, which a search uses, as a
    fraction from 0 to 1."""


class Error(Score):
    """A metric of which less is better, 0 at best."""

    metric: str = "error"
    """Name of the metric, for example "mean squared error"; less is better."""
    float_model: Annotated[Amount | None, _error("float_model", "float", "error_float")] = None
    """Error of the floating-point model, in the metric's own unit."""
    quantized: Annotated[
        Amount | None, _error("quantized", "quantized", "error_quantized", repeats=("error",))
    ] = None
    """Error of the quantized model in Keras, in the metric's own unit."""
    rtl: Annotated[Amount | None, _error("rtl", "RTL", "error")] = None
    """Error of the simulated RTL, in the metric's own unit."""
    validation: Annotated[
        Amount | None,
        _error(
            "validation",
            "validation",
            "error_validation",
            primary=False,
            foretold_by="error_validation",
        ),
    ] = None
    """Error of the quantized model in Keras on validation samples, which a search uses, in the
    metric's own unit."""


class Compute(Part):
    """The compute cost of the network, independent of its implementation."""

    macs: Annotated[Count | None, Figure("MACs", "less", "compute", primary=False)] = None
    """Multiply-accumulates per inference (a number)."""
    bops: Annotated[
        Count | None, Figure("BOPs", "less", "compute", foretold_by="ebops", primary=False)
    ] = None
    """Bit operations per inference (a number)."""
    ebops: Annotated[
        Count | None, Figure("EBOPs", "less", "compute", foretold_by="ebops", primary=False)
    ] = None
    """Effective bit operations per inference (a number): bit operations, but a weight counts only
    the bits from its first to its last nonzero one (Sun et al., HGQ, 2024)."""
    parameters: Annotated[Count | None, Figure("parameters", "less", "compute", primary=False)] = (
        None
    )
    """Weights and biases (a number)."""
    weight_bits: Annotated[
        Count | None, Figure("weight storage", "less", "compute", unit="bits", primary=False)
    ] = None
    """Storage of all parameters, in bits."""
    sparsity: Annotated[
        Fraction | None, Figure("sparsity", "more", "compute", digits=3, primary=False)
    ] = None
    """Fraction of the weights that are zero, from 0 to 1."""


class Step(Part):
    """A step of the recipe that made the model, and the model after it."""

    name: Name
    """Name of the step, for example "train", "prune" or "quantize"."""
    settings: str | None = None
    """Its settings in a few words; equal settings give equal text."""
    metric: str = "accuracy"
    """Name of the metric of `validation` and `test`."""
    better: Better = "more"
    """Which values of it are better; where more is, it is a fraction."""
    validation: Annotated[Amount | None, Source("steps.accuracy")] = None
    """The metric on the validation set: a fraction from 0 to 1, or an error."""
    test: Annotated[Amount | None, Source("steps.accuracy")] = None
    """The metric on the test set, likewise."""
    macs: Annotated[Count | None, Source("steps.compute")] = None
    """Multiply-accumulates per inference (a number)."""
    bops: Annotated[Count | None, Source("steps.compute")] = None
    """Bit operations per inference (a number); floating-point operands count as 32 bits."""
    ebops: Annotated[Count | None, Source("steps.compute")] = None
    """Effective bit operations per inference (a number), see `Compute`."""
    weight_bits: Annotated[Count | None, Source("steps.compute")] = None
    """Storage of all parameters, in bits."""
    weights: Annotated[Count | None, Source("steps.compute")] = None
    """Weights of all layers (a number)."""
    weights_nonzero: Annotated[Count | None, Source("steps.compute")] = None
    """Weights that are not zero (a number)."""
    seconds: Amount | None = None
    """Wall time of the step, in s; if its result came from a cache, the time it took originally."""
    device: str | None = None
    """Device that computed it, for example "CPU"."""

    @model_validator(mode="after")
    def _consistent(self) -> Step:
        refuse_excess(self.weights, self.weights_nonzero)
        if self.better == "more" and max(self.validation or 0, self.test or 0) > 1:
            raise ValueError("a metric of which more is better is a fraction from 0 to 1")
        return self


class Repetition(Part):
    """The same configuration trained from another seed; figures obtained in the same way."""

    seed: Count
    """Seed of the training (a number)."""
    accuracy: Accuracy | None = None
    """Accuracy of that network, if its metric is one."""
    error: Error | None = None
    """Error of that network, if its metric is one."""
    verification: Comparison
    """Comparison of its RTL with its golden outputs."""
    resources: ByTarget = Field(default_factory=dict)
    """Resources of the whole design, per target."""
