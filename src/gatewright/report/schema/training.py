"""How the model was made: accuracy, compute cost, the steps of its recipe, other seeds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from gatewright.results.figure import Figure, Source
from gatewright.results.part import Part, refuse_excess
from gatewright.results.scalars import Amount, Count, Fraction, Name, Positive
from gatewright.results.utilization import ByTarget
from gatewright.results.verification import Comparison


class Accuracy(Part):
    """How well the network does its task, at each step towards hardware, on the same samples."""

    metric: str = "accuracy"
    """Name of the metric, for example "top-1 accuracy"; it is a fraction, more is better."""
    samples: Positive
    """Samples of the test set that were classified (a number)."""
    float_model: Annotated[
        Fraction | None,
        Figure("float", "more", "accuracy.float_model", name="accuracy_float", digits=4),
    ] = None
    """Of the floating-point model, as a fraction from 0 to 1."""
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
    """Of the quantized model in Keras, as a fraction from 0 to 1."""
    rtl: Annotated[
        Fraction | None, Figure("RTL", "more", "accuracy.rtl", name="accuracy", digits=4)
    ] = None
    """Of the simulated RTL, as a fraction from 0 to 1."""
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
    """Of the quantized model in Keras on samples held back from training, which a search decides
    by, as a fraction from 0 to 1."""
    validation_samples: Positive | None = None
    """Samples behind `validation` (a number)."""


class Compute(Part):
    """What the network costs by itself, whatever it is built from."""

    macs: Annotated[Count | None, Figure("MACs", "less", "compute", primary=False)] = None
    """Multiply-accumulates per inference (a number)."""
    bops: Annotated[
        Count | None, Figure("BOPs", "less", "compute", foretold_by="ebops", primary=False)
    ] = None
    """Bit operations per inference (a number)."""
    ebops: Annotated[
        Count | None, Figure("EBOPs", "less", "compute", foretold_by="ebops", primary=False)
    ] = None
    """Effective bit operations per inference (a number): as bit operations, but of a weight only
    the bits from its first to its last that is not zero (Sun et al., HGQ, 2024)."""
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
    """Weights that are zero, as a fraction from 0 to 1."""


class Step(Part):
    """A step of the recipe that made the model, and the model that it left."""

    name: Name
    """What was done, for example "train", "prune" or "quantize"."""
    settings: str | None = None
    """How, in a few words: equal text for equal settings."""
    metric: str = "accuracy"
    """Name of the metric of `validation` and `test`; it is a fraction, more is better."""
    validation: Annotated[Fraction | None, Source("steps.accuracy")] = None
    """On samples held back from training, as a fraction from 0 to 1."""
    test: Annotated[Fraction | None, Source("steps.accuracy")] = None
    """On the test set, as a fraction from 0 to 1."""
    macs: Annotated[Count | None, Source("steps.compute")] = None
    """Multiply-accumulates per inference (a number)."""
    bops: Annotated[Count | None, Source("steps.compute")] = None
    """Bit operations per inference (a number); what is in floating point counts 32 bits."""
    ebops: Annotated[Count | None, Source("steps.compute")] = None
    """Effective bit operations per inference (a number), see `Compute`."""
    weight_bits: Annotated[Count | None, Source("steps.compute")] = None
    """Storage of all parameters, in bits."""
    weights: Annotated[Count | None, Source("steps.compute")] = None
    """Weights that the layers hold (a number)."""
    weights_nonzero: Annotated[Count | None, Source("steps.compute")] = None
    """Weights that are not zero (a number)."""
    seconds: Amount | None = None
    """Wall time of the step when it was done, in s, even if its result was found in a cache now."""
    device: str | None = None
    """What the arithmetic ran on, for example "CPU"."""

    @model_validator(mode="after")
    def _consistent(self) -> Step:
        refuse_excess(self.weights, self.weights_nonzero)
        return self


class Repetition(Part):
    """The same configuration made again from another seed, its figures obtained in the same way."""

    seed: Count
    """Seed of the training (a number)."""
    accuracy: Accuracy
    """How well that network does the task."""
    verification: Comparison
    """Its RTL against its golden outputs."""
    resources: ByTarget = Field(default_factory=dict)
    """Resources of the whole design per target."""
