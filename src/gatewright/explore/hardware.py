"""Runs a trained model of the zoo through the hardware flow to its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from gatewright import __version__
from gatewright.compress.recipe_walk import measure_outputs
from gatewright.errors import MissingToolError, UnsupportedError
from gatewright.fixed import to_float
from gatewright.flow import silicon
from gatewright.flow.closure import close_timing
from gatewright.flow.convert import convert, load_design
from gatewright.flow.estimate import estimate_project
from gatewright.flow.fifos import size_fifos
from gatewright.flow.place import find_router
from gatewright.flow.steps import read_stamp
from gatewright.flow.summary import Labels, Training, summarize
from gatewright.flow.synthesize import synthesize
from gatewright.flow.verify import verify
from gatewright.metrics import ACCURACY, Metric
from gatewright.report import schema
from gatewright.system.files import replaced_file
from gatewright.targets import load_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gatewright.compress.recipe_walk import StepResult, TrainedModel
    from gatewright.estimate import DesignEstimate
    from gatewright.metrics import Goal
    from gatewright.zoo import Config, Sweep

_SAMPLES = "test_set.npz"


@dataclass(frozen=True)
class Physical:
    """The steps of physical design that a run was asked for.

    Attributes:
        rounds: Most runs of placement, see `close_timing`; 0 for none.
        power: Whether to simulate the netlist of standard cells for power.
    """

    rounds: int = 0
    power: bool = False

    def check(self, target: str) -> None:
        """Check that the steps exist for a target.

        Raises:
            InputError: if the target or a tool is missing.
            UnsupportedError: if there is no open router, or the target is no library of cells.
        """
        if self.rounds:
            find_router(target)
        if self.power:
            silicon.require_cells(target)


MAPPED_ONLY = Physical()
"""No physical design: what a configuration is mapped to is all that is known."""


class HardwareFlow:
    """The steps of the flow for a trained model; each runs again only if its inputs change.

    Its tools use one core each, because several projects are made in parallel.

    Args:
        sweep: The model's sweep.
        config: A configuration of the sweep.
        trained: The model that the configuration's recipe made.
        directory: The project directory.
        say: Called with the name of each step.
    """

    def __init__(
        self,
        sweep: Sweep,
        config: Config,
        trained: TrainedModel,
        directory: Path,
        say: Callable[[str], None],
    ) -> None:
        self._sweep, self._config, self._trained = sweep, config, trained
        self._directory, self._say = directory, say

    def convert(self) -> None:
        """Convert the model to RTL, and write the test set for later steps."""
        self._say("conversion")
        convert(
            self._trained.path,
            None,
            self._config.options,
            self._directory,
            name=self._sweep.name,
        )
        x = self._trained.test.x
        arrays = x if isinstance(x, Mapping) else {load_design(self._directory).inputs[0].name: x}
        with replaced_file(self._directory / _SAMPLES) as file:
            np.savez(file, allow_pickle=False, **arrays)

    def size_fifos(self) -> None:
        """Size the FIFOs, on which resources depend."""
        self._say("FIFOs")
        size_fifos(self._directory, inputs=self._directory / _SAMPLES)

    def estimate(self) -> DesignEstimate | None:
        """Estimate the hardware for the conversion's target; None if there is no cost model."""
        self._say("estimate")
        try:
            return estimate_project(self._directory)
        except UnsupportedError:
            return None

    def verify(self) -> None:
        """Verify the RTL on the whole test set, and measure its timing."""
        self._say("verification")
        verify(self._directory, inputs=self._directory / _SAMPLES, jobs=1, fidelity=False)

    def synthesize(self, targets: Iterable[str]) -> None:
        """Synthesize for each of the targets."""
        for target in targets:
            self._say(f"synthesis for {target}")
            synthesize(self._directory, target, jobs=1)

    def place(self, target: str, rounds: int) -> None:
        """Place and route; cut the pipeline again while the clock is missed."""
        self._say(f"placement for {target}")
        close_timing(self._directory, target, rounds=rounds, notice=self._say)

    def analyze(self, target: str, *, power: bool) -> None:
        """Analyze the timing of standard cells, and the power of the test set; not of devices."""
        if load_target(target).family.standard_cells is None:
            return
        self._say(f"timing of {target}")
        try:
            silicon.analyze_timing(self._directory, target, jobs=1)
        except MissingToolError as error:
            if power:
                raise
            self._say(f"no timing: {error}")
        if power:
            self._say(f"power of {target}")
            samples = self._directory / _SAMPLES
            silicon.measure_power(self._directory, target, inputs=samples, jobs=1)

    def report(self) -> schema.Report:
        """The report with the results of the steps so far."""
        verified = read_stamp(self._directory, "verify") is not None
        outputs = self._outputs() if verified else ()
        return summarize(
            self._directory,
            labels=Labels(
                self._sweep.name,
                self._config.name,
                task=self._sweep.description,
                source=f"{self._sweep.name}/model.py",
            ),
            score=self._score(outputs),
            keras=_against_keras(outputs) if verified else None,
            fidelity=self._fidelity(outputs) if verified else None,
            score_origins=self._origins(verified),
            training=Training(
                tuple(_step(step, self._trained.metric) for step in self._trained.steps),
                self._config.training.seed,
            ),
        )

    def _outputs(self) -> tuple[_Output, ...]:
        """The simulated RTL's outputs for the test set, beside the model's own."""
        design = load_design(self._directory)
        with np.load(self._directory / "sim" / "outputs.npz", allow_pickle=False) as arrays:
            words = [arrays[f"output{number}"] for number in range(len(design.outputs))]
        return tuple(
            _Output(
                tensor.name,
                key,
                to_float(found, tensor.type.frac).reshape(keras.shape),
                keras.astype(np.float64),
            )
            for tensor, found, (key, keras) in zip(
                design.outputs, words, self._trained.outputs.items(), strict=True
            )
        )

    def _fidelity(self, outputs: Sequence[_Output]) -> tuple[schema.Fidelity, schema.Origin]:
        """The RTL's outputs compared with Keras' predictions for the test set after training."""
        found = tuple(
            schema.OutputFidelity(
                name=each.name,
                largest=float(each.away.max()),
                mean=float(each.away.mean()),
                equal=float((each.away == 0).all(axis=1).mean()),
                agreement=each.agreement if self._classifies(each.key) else None,
            )
            for each in outputs
        )
        vectors = len(self._trained.test)
        origin = schema.Origin(
            method="simulated",
            tool=self._trained.framework or f"tf-keras {metadata.version('tf-keras')}",
            details=f"its predictions against the RTL's outputs, {vectors} vectors: test set",
        )
        return schema.Fidelity(vectors=vectors, outputs=found), origin

    def _classifies(self, output: str) -> bool:
        """Whether the largest element of an output is what the model's metric goes by."""
        metric = self._trained.metric
        return (
            isinstance(metric, Metric)
            and metric.named == ACCURACY.named
            and metric.output in (None, output)
        )

    def _score(self, outputs: Sequence[_Output]) -> schema.Score:
        trained = self._trained
        rtl = (
            measure_outputs(trained, {each.key: each.rtl for each in outputs}) if outputs else None
        )
        validation = trained.steps[-1].scores.validation
        kind = schema.Accuracy if trained.metric.better == "more" else schema.Error
        return kind(
            metric=trained.metric.name,
            samples=len(trained.test),
            float_model=trained.float_score,
            quantized=trained.quantized_score,
            rtl=rtl,
            validation=validation,
            validation_samples=trained.validation_samples or None,
        )

    def _origins(self, verified: bool) -> dict[str, schema.Origin]:
        kind = self._trained.metric.kind
        on_test_set, after_steps = "predictions on the test set", "predictions after each step"
        if self._trained.framework is not None:
            after_steps += f", of {self._trained.framework} after {self._trained.steps[-1].name}"
        origins = {
            f"{kind}.float_model": _keras(self._trained, on_test_set),
            f"{kind}.quantized": _own(self._trained, on_test_set),
            "steps.accuracy": _keras(self._trained, after_steps),
            "steps.compute": schema.Origin(
                method="counted",
                tool="Gatewright",
                version=__version__,
                details="on the model after each step",
            ),
        }
        if self._trained.steps[-1].scores.validation is not None:
            origins[f"{kind}.validation"] = _own(
                self._trained, "predictions on training data that was held back"
            )
        if verified:
            origins[f"{kind}.rtl"] = schema.Origin(
                method="simulated", tool="Verilator", details="the RTL's outputs on the test set"
            )
        return origins


@dataclass(frozen=True)
class _Output:
    """An output for the test set.

    Attributes:
        name: Its name in the design.
        key: Its name in the model.
        rtl: What the simulated RTL gives, float64 [n, ...].
        keras: What Keras predicts, likewise.
    """

    name: str
    key: str
    rtl: NDArray[np.float64]
    keras: NDArray[np.float64]

    @property
    def away(self) -> NDArray[np.float64]:
        """The absolute differences, [n, elements]."""
        return np.abs(self.rtl - self.keras).reshape(len(self.rtl), -1)

    @property
    def agreement(self) -> float:
        """The share of samples with the same class."""
        rtl, keras = (array.reshape(len(array), -1) for array in (self.rtl, self.keras))
        return float((rtl.argmax(axis=1) == keras.argmax(axis=1)).mean())


def _against_keras(outputs: Sequence[_Output]) -> schema.Comparison:
    differs = np.any([each.away.any(axis=1) for each in outputs], axis=0)
    return schema.Comparison(vectors=len(differs), mismatches=int(differs.sum()))


def _keras(trained: TrainedModel, details: str) -> schema.Origin:
    version = trained.versions.get("tf-keras")
    return schema.Origin(method="simulated", tool="Keras", version=version, details=details)


def _own(trained: TrainedModel, details: str) -> schema.Origin:
    """The origin of predictions by the trained model's own framework."""
    if trained.framework is None:
        return _keras(trained, details)
    return schema.Origin(method="simulated", tool=trained.framework, details=details)


def _step(step: StepResult, metric: Goal) -> schema.Step:
    cost = step.cost
    return schema.Step(
        name=step.name,
        settings=_words(step.settings),
        metric=metric.name,
        better=metric.better,
        validation=step.scores.validation,
        test=step.scores.test,
        macs=cost.macs if cost else None,
        bops=cost.bops if cost else None,
        ebops=cost.ebops if cost else None,
        weight_bits=cost.weight_bits if cost else None,
        weights=cost.weights if cost else None,
        weights_nonzero=cost.nonzero if cost else None,
        seconds=step.seconds,
        device=", ".join(step.devices) or None,
    )


def _words(settings: object) -> str:
    """Settings in the notation of a recipe, without quotes and outer braces."""
    if isinstance(settings, dict):
        parts = [f"{key}: {_nested(value)}" for key, value in settings.items()]
        return ", ".join(parts)
    return str(settings)


def _nested(value: object) -> str:
    return f"{{{_words(value)}}}" if isinstance(value, dict) else str(value)
