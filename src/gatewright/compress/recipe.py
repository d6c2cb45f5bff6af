"""Recipes: the steps that make a model, one after the other.

A recipe is a YAML list. A step is its name, or its name with settings:

```yaml
recipe:
  - train
  - prune: {amount: 0.5, epochs: 10}
  - quantize: {bits: 4}
  - finetune: {learning_rate: 0.0005}
```

Every step takes the model of the step before it, with its masks, and gives another. docs/recipes.md
tells what each of them does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

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
    """One number stands for all layers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {DEFAULT: value}
    return value


#: Bits by layer; one number is the width of all weights and activations.
Bits = Annotated[BitsByLayer, BeforeValidator(_same_everywhere)]

_RELU_INTEGER = Annotated[int, Field(ge=0, le=15)]

#: Integer bits of relus, which saturate at 2^relu_integer: of all of them, or by layer.
ReluInteger = _RELU_INTEGER | dict[str, _RELU_INTEGER]

_Names = Annotated[tuple[str, ...], BeforeValidator(lambda v: tuple(v) if type(v) is list else v)]
_Loss = Annotated[float, Field(ge=0, lt=1)]
_Epochs = Annotated[int, Field(ge=0, le=1_000_000)]
_SomeEpochs = Annotated[_Epochs, Field(ge=1)]
_Batch = Annotated[int, Field(ge=1, le=1 << 31)]
_Rate = Annotated[float, Field(gt=0, le=1e6)]
#: What NumPy and TensorFlow both take for the seed of random numbers.
Seed = Annotated[int, Field(ge=0, lt=1 << 32)]


class Training(Strict):
    """How the weights of a model are fitted: Adam, the learning rate falling along a half cosine.

    Attributes:
        epochs: Passes over the training data.
        batch_size: Samples per gradient.
        learning_rate: At the start; it falls to zero.
        seed: Of the first weights and of the order of the samples.
        validation: Fraction of the training data that is not trained on, classes in their shares.
        cpu_devices: Devices that the CPU is split into, each of which takes its part of a batch;
            None takes the GPUs that TensorFlow sees, and otherwise the CPU.
    """

    epochs: _SomeEpochs
    batch_size: _Batch
    learning_rate: _Rate
    seed: Seed
    validation: float = Field(default=0.0, ge=0, le=0.9)
    cpu_devices: int | None = Field(default=None, ge=1, le=64)


class Step(Strict):
    """What all steps have in common."""

    name: ClassVar[str]


class FittingStep(Step):
    """A step that fits weights; what it doesn't say is as in the training settings."""

    epochs: _SomeEpochs | None = None
    batch_size: _Batch | None = None
    learning_rate: _Rate | None = None
    seed: Seed | None = None


class Train(FittingStep):
    """Fit the float model of `build` from new weights."""

    name: ClassVar[str] = "train"


class Teacher(Strict):
    """Whom a student learns from: a float model of another architecture, or a model in a file.

    Attributes:
        architecture: Arguments of `build`; the model is trained by the training settings.
        model: An `.h5` file of the same task.
    """

    architecture: dict[str, Any] | None = None
    model: str | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.architecture is None) == (self.model is None):
            raise ValueError("a teacher is given by architecture or by model, one of the two")
        return self


class Distil(FittingStep):
    """Fit to the outputs of a teacher as well as to the labels (Hinton, Vinyals and Dean, 2015).

    Attributes:
        teacher: By default the model of the recipe's own `train`.
        temperature: By which the outputs of both are softened.
        weight: Of the teacher's part of the loss; the labels have the rest.
    """

    name: ClassVar[str] = "distil"

    teacher: Teacher | None = None
    temperature: float = Field(default=4.0, gt=0, le=1e6)
    weight: float = Field(default=0.5, ge=0, le=1)


class Finetune(FittingStep):
    """Fit on.

    Attributes:
        freeze: Layers whose weights stay as they are.
    """

    name: ClassVar[str] = "finetune"

    freeze: _Names = ()


class Transfer(FittingStep):
    """Fit the float model of `build` from the weights of another model.

    Layers of the same name and shapes take their weights over, the others start anew.

    Attributes:
        model: An `.h5` file; in a sweep also `FOLDER/CONFIG`, a configuration of the zoo.
        freeze: Layers whose weights stay as they are.
    """

    name: ClassVar[str] = "transfer"

    epochs: _Epochs | None = None
    model: str
    freeze: _Names = ()


class Prune(FittingStep):
    """Hold a part of the weights at zero, more and more of them while the others are fitted.

    Attributes:
        amount: Fraction of the weights, or of the groups that `structure` makes of them.
        by: What makes a weight worth keeping: its magnitude, or its importance, the mean absolute
            gradient times weight over the training data.
        structure: Weights by themselves; whole neurons and filters, which are cut out of the model;
            or the groups that share a DSP slice or a word of block RAM at a reuse factor.
        reuse_factor: Of the hardware that `dsp` and `bram` are meant for.
        scope: Whether the amount is a fraction of all layers together, or of each.
        layers: Names of those that are pruned, by default all that have one kernel. One of which
            nothing can be pruned so is refused, but for `neurons` where it isn't named.
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
                "reuse_factor is given for the structures dsp and bram, and for no other"
            )
        return self


class Quantize(FittingStep):
    """Rewrite the model into QKeras and fit on, so that weights get used to their bits.

    Attributes:
        bits: By layer; by default the configuration's.
        relu_integer: Integer bits of relus; by default the configuration's.
        max_loss: Share of validation accuracy that fewer bits may cost before anything is fitted;
            with it bits are found by sensitivity analysis, and `bits` are those to start from.
        freeze: Layers whose weights stay as they are.
    """

    name: ClassVar[str] = "quantize"

    epochs: _Epochs | None = None
    bits: Bits | None = None
    relu_integer: ReluInteger | None = None
    max_loss: _Loss | None = None
    freeze: _Names = ()


class Calibrate(Step):
    """Rewrite the model into QKeras by the ranges that its values have, without fitting.

    Attributes:
        bits: By layer; by default the configuration's.
        samples: Of the training data that ranges are measured on; by default all.
        max_loss: Share of validation accuracy that fewer bits may cost; with it bits are found by
            sensitivity analysis, and `bits` are those to start from.
    """

    name: ClassVar[str] = "calibrate"

    bits: Bits | None = None
    samples: int | None = Field(default=None, ge=1, le=1 << 31)
    max_loss: _Loss | None = None


STEPS: dict[str, type[Step]] = {
    kind.name: kind for kind in (Train, Distil, Finetune, Transfer, Prune, Quantize, Calibrate)
}

_FIRST = (Train, Distil, Transfer)
_QUANTIZING = (Quantize, Calibrate)


def parse_recipe(steps: Any) -> tuple[Step, ...]:
    """Read a recipe, as YAML gives it.

    Args:
        steps: A list of names of steps, or of mappings of one name to settings.

    Raises:
        InputError: if a step or a key is unknown or wrong, or the order makes no sense; names both.
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
    """Whether a step finds bits itself, by what they cost in accuracy."""
    return isinstance(step, Quantize | Calibrate) and step.max_loss is not None


def check_order(recipe: Sequence[Step]) -> None:
    """Whether each step finds what it needs in the steps before it.

    Raises:
        InputError: if not; names the step.
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
                f"{title}: starts from new weights, so it can only be the first step; "
                "finetune goes on from a model"
            )
        if isinstance(step, Distil) and step.teacher is None and not trained:
            raise InputError(
                f"{title}: teacher: is missing; without one the recipe needs 'train' before it"
            )
        if isinstance(step, _QUANTIZING):
            if quantized:
                raise InputError(f"{title}: an earlier step has already quantized the model")
            quantized = True
        trained |= isinstance(step, Train)


def ends_quantized(recipe: Sequence[Step]) -> bool:
    """Whether a recipe's model is quantized, as hardware needs it."""
    return any(isinstance(step, _QUANTIZING) for step in recipe)
