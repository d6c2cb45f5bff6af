"""Recipes: the sequence of steps that makes a model.

A recipe is a YAML list. A step is its name, or its name with settings:

```yaml
recipe:
  - train
  - prune: {amount: 0.5, epochs: 10}
  - quantize: {bits: 4}
  - finetune: {learning_rate: 0.0005}
```

Each step takes the model and the pruning masks of the step before it, and returns another model.
docs/recipes.md describes the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from gatewright.compress.bits import DEFAULT, BitsByLayer
from gatewright.errors import InputError
from gatewright.parsing.strict import MOST_CYCLES, Strict, first_problem


def _same_everywhere(value: Any) -> Any:
    """Expand a number to the default of all layers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {DEFAULT: value}
    return value


#: Bits by layer; one number is the width of all weights and activations.
Bits = Annotated[BitsByLayer, BeforeValidator(_same_everywhere)]

_RELU_INTEGER = Annotated[int, Field(ge=0, le=15)]

#: Integer bits of relus, which saturate at 2^relu_integer: for all relus, or by layer.
ReluInteger = _RELU_INTEGER | dict[str, _RELU_INTEGER]

_Names = Annotated[tuple[str, ...], BeforeValidator(lambda v: tuple(v) if type(v) is list else v)]
_Loss = Annotated[float, Field(ge=0, lt=1)]
_Epochs = Annotated[int, Field(ge=0, le=1_000_000)]
_SomeEpochs = Annotated[_Epochs, Field(ge=1)]
_Batch = Annotated[int, Field(ge=1, le=1 << 31)]
_Rate = Annotated[float, Field(gt=0, le=1e6)]
#: A seed of random numbers that both NumPy and TensorFlow accept.
Seed = Annotated[int, Field(ge=0, lt=1 << 32)]


class Training(Strict):
    """Settings for fitting weights with Adam and a learning rate along half a cosine.

    Attributes:
        epochs: Passes over the training data.
        batch_size: Samples for each gradient.
        learning_rate: Learning rate at the start; it falls to zero.
        seed: Seed of the initial weights and of the order of the samples.
        validation: Fraction of the training data for validation, stratified by class.
        cpu_devices: Number of devices into which the CPU is split; each takes a part of each batch.
            None uses the GPUs that TensorFlow finds, or else the CPU as one device.
    """

    epochs: _SomeEpochs
    batch_size: _Batch
    learning_rate: _Rate
    seed: Seed
    validation: float = Field(default=0.0, ge=0, le=0.9)
    cpu_devices: int | None = Field(default=None, ge=1, le=64)


class Step(Strict):
    """A step of a recipe.

    Attributes:
        name: Its name in recipes.
        model_file: Name of the file with its model.
        environment: The front end that it is done in, see `gatewright.frontend.environments`; None
            for Gatewright's own environment.
    """

    name: ClassVar[str]
    model_file: ClassVar[str] = "model.h5"
    environment: ClassVar[str | None] = None


class FittingStep(Step):
    """A step that fits weights. Settings that it leaves out are those of `Training`."""

    epochs: _SomeEpochs | None = None
    batch_size: _Batch | None = None
    learning_rate: _Rate | None = None
    seed: Seed | None = None


class Train(FittingStep):
    """Fit the float model of `build` from initial weights."""

    name: ClassVar[str] = "train"


class Teacher(Strict):
    """The teacher of a student: a float model of another architecture, or a model in a file.

    Attributes:
        architecture: Arguments of `build`; the model is trained with the training settings.
        model: An `.h5` file with a model for the same task.
    """

    architecture: dict[str, Any] | None = None
    model: str | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.architecture is None) == (self.model is None):
            raise ValueError("give a teacher either its architecture or its model")
        return self


TEMPERATURE: Final = 4.0
"""The temperature of distillation by scores of classes, unless a step has its own."""


class Distil(FittingStep):
    """Fit to the outputs of a teacher as well as to the targets (Hinton, Vinyals and Dean, 2015).

    Attributes:
        teacher: The teacher; by default the model of the recipe's own `train`.
        temperature: The logits of teacher and student are divided by it; by default `TEMPERATURE`
            for classes. Other outputs have none.
        weight: Weight of the teacher's part of the loss; the targets' part has the rest.
    """

    name: ClassVar[str] = "distil"

    teacher: Teacher | None = None
    temperature: float | None = Field(default=None, gt=0, le=1e6)
    weight: float = Field(default=0.5, ge=0, le=1)


class Finetune(FittingStep):
    """Continue to fit the model.

    Attributes:
        freeze: Layers whose weights stay as they are.
    """

    name: ClassVar[str] = "finetune"

    freeze: _Names = ()


class Transfer(FittingStep):
    """Fit the float model of `build` from the weights of another model.

    Layers with the same name and shapes take over the weights; others start from initial weights.

    Attributes:
        model: An `.h5` file; in a sweep also `FOLDER/CONFIG`, a configuration of the zoo.
        freeze: Layers whose weights stay as they are.
    """

    name: ClassVar[str] = "transfer"

    epochs: _Epochs | None = None
    model: str
    freeze: _Names = ()


class Prune(FittingStep):
    """Hold a growing part of the weights at zero while the others are fitted.

    Attributes:
        amount: Fraction of the weights that is zero in the end.
        by: The score of a weight: its magnitude; or its importance, the mean over the training data
            of |gradient times weight|.
        structure: What is pruned as a whole: single weights; neurons and filters, which are removed
            from the model; or the weights that share a DSP slice or a word of block RAM at a reuse
            factor.
        reuse_factor: The reuse factor of the hardware, for `dsp` and `bram`.
        scope: Whether the amount refers to all layers together, or to each.
        layers: Names of the layers to prune, by default all that have one kernel. A layer of which
            nothing can be pruned is refused; with `neurons` only if it is named.
    """

    name: ClassVar[str] = "prune"

    epochs: _Epochs | None = None
    amount: float = Field(gt=0, lt=1)
    by: Literal["magnitude", "importance"] = "magnitude"
    structure: Literal["unstructured", "neurons", "dsp", "bram"] = "unstructured"
    reuse_factor: int | None = Field(default=None, ge=1, le=MOST_CYCLES)
    scope: Literal["global", "layer"] = "global"
    layers: Annotated[_Names, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _reuse_factor_where_it_counts(self) -> Self:
        if (self.structure in ("dsp", "bram")) != (self.reuse_factor is not None):
            raise ValueError(
                "the structures dsp and bram need a reuse_factor, and others take none"
            )
        return self


class Quantize(FittingStep):
    """Rewrite the model into QKeras and continue to fit it (quantization-aware training).

    Attributes:
        bits: Bits by layer; by default the configuration's.
        relu_integer: Integer bits of relus; by default the configuration's.
        max_loss: If given, bits are found by sensitivity analysis, starting from `bits`. They may
            cost this much of the metric on the validation data before the fit: of an accuracy from
            0 to 1, or a share of the error by which it may rise.
        freeze: Layers whose weights stay as they are.
    """

    name: ClassVar[str] = "quantize"

    epochs: _Epochs | None = None
    bits: Bits | None = None
    relu_integer: ReluInteger | None = None
    max_loss: _Loss | None = None
    freeze: _Names = ()


class Calibrate(Step):
    """Rewrite the model into QKeras with ranges measured on calibration data, without a fit.

    Attributes:
        bits: Bits by layer; by default the configuration's.
        samples: Number of samples of the training data to measure ranges on; by default all.
        max_loss: If given, bits are found by sensitivity analysis, starting from `bits`. They may
            cost this much of the metric, as in `Quantize`.
    """

    name: ClassVar[str] = "calibrate"

    bits: Bits | None = None
    samples: int | None = Field(default=None, ge=1, le=1 << 31)
    max_loss: _Loss | None = None


class Hgq2(FittingStep):
    """Fit the HGQ2 model of `model_hgq2.py` from the weights of the float one, its widths as well.

    Attributes:
        beta: Weight of the model's EBOPs in the loss: the more, the fewer bits are left.
    """

    name: ClassVar[str] = "hgq2"
    model_file: ClassVar[str] = "model.keras"
    environment: ClassVar[str | None] = "hgq2"

    beta: float = Field(ge=0, le=1)


STEPS: dict[str, type[Step]] = {
    kind.name: kind
    for kind in (Train, Distil, Finetune, Transfer, Prune, Quantize, Calibrate, Hgq2)
}

_FIRST = (Train, Distil, Transfer)
_QUANTIZING = (Quantize, Calibrate, Hgq2)


def parse_recipe(steps: Any) -> tuple[Step, ...]:
    """Read a recipe from parsed YAML.

    Args:
        steps: A list of names of steps, or of mappings of one name to settings.

    Raises:
        InputError: if a step or a key is unknown or wrong, or the order of steps is impossible.
    """
    if not isinstance(steps, list | tuple):
        raise InputError(f"a recipe is a list of steps, which are {', '.join(STEPS)}")
    recipe = tuple(_step(number, step) for number, step in enumerate(steps, 1))
    check_order(recipe)
    return recipe


def _step(number: int, step: Any) -> Step:
    match step:
        case Step():
            return step
        case str(name):
            settings: Any = {}
        case dict() if len(step) == 1:
            ((name, settings),) = step.items()
        case _:
            raise InputError(f"step {number}: write NAME or NAME: {{settings}}, not {step!r}")
    if name not in STEPS:
        raise InputError(f"step {number}: '{name}' is not a step; steps are {', '.join(STEPS)}")
    if not isinstance(settings, dict):
        raise InputError(f"{_title(number, name)}: settings are a mapping, not {settings!r}")
    try:
        return STEPS[name].model_validate(settings)
    except ValidationError as error:
        raise InputError(f"{_title(number, name)}: {first_problem(error)}") from None


def _title(number: int, name: str) -> str:
    return f"step {number} ({name})"


def finds_bits(step: Step) -> bool:
    """Whether a step finds bits by sensitivity analysis."""
    return isinstance(step, Quantize | Calibrate) and step.max_loss is not None


def check_order(recipe: Sequence[Step]) -> None:
    """Check that each step has what it needs from the steps before it.

    Raises:
        InputError: if a step hasn't.
    """
    if not recipe:
        raise InputError("a recipe has at least one step")
    quantized = trained = False
    for number, step in enumerate(recipe, 1):
        title = _title(number, step.name)
        if number == 1 and not isinstance(step, _FIRST):
            first = ", ".join(kind.name for kind in _FIRST)
            raise InputError(f"{title}: there is no model yet; a recipe starts with one of {first}")
        if number > 1 and isinstance(step, Train | Transfer):
            raise InputError(
                f"{title}: starts from initial weights, so it can only be the first step; "
                "use finetune to continue from a model"
            )
        if isinstance(step, Distil) and step.teacher is None and not trained:
            raise InputError(
                f"{title}: teacher: is missing; give one, or put 'train' before this step"
            )
        if isinstance(step, _QUANTIZING):
            if quantized:
                raise InputError(f"{title}: an earlier step has already quantized the model")
            quantized = True
        if isinstance(step, Hgq2):
            if any(isinstance(each, Prune) for each in recipe[:number]):
                raise InputError(
                    f"{title}: HGQ2 would not hold pruned weights at zero; leave out prune, and "
                    "raise beta, which takes all bits from weights"
                )
            if number < len(recipe):
                raise InputError(f"{title}: no step can change a model of HGQ2; put it last")
        trained |= isinstance(step, Train)


def trains_bits(recipe: Sequence[Step]) -> bool:
    """Whether the bits of a recipe's model are found by training, and not given."""
    return any(isinstance(step, Hgq2) for step in recipe)


def ends_quantized(recipe: Sequence[Step]) -> bool:
    """Whether a recipe's model is quantized in the end."""
    return any(isinstance(step, _QUANTIZING) for step in recipe)
