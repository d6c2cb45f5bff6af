"""The model and its training: accuracy, compute cost, steps of the recipe, other seeds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from gatewright.results.figure import Figure, Source
from gatewright.results.part import Part, refuse_excess
from gatewright.results.scalars import Amount, Count, Fraction, Name, Positive
from gatewright.results.utilization import ByTarget
from gatewright.results.verification import Comparison


class Accuracy(Part):
    """The accuracy of the network at each step towards hardware, on the same samples."""

    metric: str = "accuracy"
    """Name of the metric, for example "top-1 accuracy"; it is a fraction, more is better."""
    samples: Positive
    """Samples of the test set that were classified (a number)."""
    float_model: Annotated[
        Fraction | None,
        Figure("float", "more", "accuracy.float_model", name="accuracy_float", digits=4),
    ] = None
    """Accuracy of the floating-point model, as a fraction from 0 to 1."""
    quantized: Annotated[
        Fraction | None,
        Figure(
            "quantized",
            "more",
            "accuracy.quantized",
            name="accuracy_quantized",
            digits=4,
            repeats=("accuracy",),
        ),
    ] = None
    """Accuracy of the quantized model in Keras, as a fraction from 0 to 1."""
    rtl: Annotated[
        Fraction | None, Figure("RTL", "more", "accuracy.rtl", name="accuracy", digits=4)
    ] = None
    """Accuracy of the simulated RTL, as a fraction from 0 to 1."""
    validation: Annotated[
        Fraction | None,
        Figure(
            "validation",
            "more",
            "accuracy.validation",
            name="accuracy_validation",
            digits=4,
            primary=False,
            foretold_by="accuracy_validation",
        ),
    ] = None
    """Accuracy of the quantized model in Keras on validation samples, which a search uses, as a
    fraction from 0 to 1."""
    validation_samples: Positive | None = None
    """Samples that `validation` was measured on (a number)."""


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
    """Name of the metric of `validation` and `test`; it is a fraction, more is better."""
    validation: Annotated[Fraction | None, Source("steps.accuracy")] = None
    """The metric on the validation set, as a fraction from 0 to 1."""
    test: Annotated[Fraction | None, Source("steps.accuracy")] = None
    """The metric on the test set, as a fraction from 0 to 1."""
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
        return self


class Repetition(Part):
    """The same configuration trained from another seed; figures obtained in the same way."""

    seed: Count
    """Seed of the training (a number)."""
    accuracy: Accuracy
    """Accuracy of that network."""
    verification: Comparison
    """Comparison of its RTL with its golden outputs."""
    resources: ByTarget = Field(default_factory=dict)
    """Resources of the whole design, per target."""
