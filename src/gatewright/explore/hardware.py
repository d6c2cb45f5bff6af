"""Runs a trained model of the zoo through the hardware flow to its report."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from gatewright import __version__
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
from gatewright.report import schema
from gatewright.system.files import replaced_file
from gatewright.targets import load_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from gatewright.compress.recipe_walk import StepResult, TrainedModel
    from gatewright.estimate import DesignEstimate
    from gatewright.zoo import Config, Sweep

_SAMPLES = "test_set.npy"


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
        with replaced_file(self._directory / _SAMPLES) as file:
            np.save(file, self._trained.x, allow_pickle=False)

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
        return summarize(
            self._directory,
            labels=Labels(
                self._sweep.name,
                self._config.name,
                task=self._sweep.description,
                source=f"{self._sweep.name}/model.py",
            ),
            accuracy=self._accuracy(verified),
            keras=self._against_keras() if verified else None,
            fidelity=self._fidelity() if verified else None,
            accuracy_origins=self._origins(verified),
            training=Training(
                tuple(_step(step) for step in self._trained.steps), self._config.training.seed
            ),
        )

    def _rtl_outputs(self) -> NDArray[np.float64]:
        """The simulated RTL's outputs for the test set, float64 (samples, elements)."""
        design = load_design(self._directory)
        with np.load(self._directory / "sim" / "outputs.npz", allow_pickle=False) as outputs:
            return to_float(outputs["output0"], design.outputs[0].type.frac)

    def _against_keras(self) -> schema.Comparison:
        outputs = self._rtl_outputs()
        keras = self._trained.outputs.astype(np.float64).reshape(outputs.shape)
        differing = int((outputs != keras).any(axis=1).sum())
        return schema.Comparison(vectors=len(outputs), mismatches=differing)

    def _fidelity(self) -> tuple[schema.Fidelity, schema.Origin]:
        """The RTL's outputs compared with Keras' predictions for the test set after training."""
        outputs = self._rtl_outputs()
        keras = self._trained.outputs.astype(np.float64).reshape(outputs.shape)
        away = np.abs(outputs - keras)
        found = schema.OutputFidelity(
            name=load_design(self._directory).outputs[0].name,
            largest=float(away.max()),
            mean=float(away.mean()),
            equal=float((away == 0).all(axis=1).mean()),
            agreement=float((outputs.argmax(axis=1) == keras.argmax(axis=1)).mean()),
        )
        origin = schema.Origin(
            method="simulated",
            tool=f"tf-keras {metadata.version('tf-keras')}",
            details=f"its predictions against the RTL's outputs, {len(outputs)} vectors: test set",
        )
        return schema.Fidelity(vectors=len(outputs), outputs=(found,)), origin

    def _accuracy(self, verified: bool) -> schema.Accuracy:
        trained = self._trained
        rtl = None
        if verified:
            rtl = float(np.mean(self._rtl_outputs().argmax(axis=1) == trained.y))
        validation = trained.steps[-1].accuracy.validation
        samples = None
        if validation is not None:
            with np.load(trained.data, allow_pickle=False) as arrays:
                samples = len(arrays["y_validation"])
        return schema.Accuracy(
            metric="top-1 accuracy",
            samples=len(trained.y),
            float_model=trained.float_accuracy,
            quantized=trained.quantized_accuracy,
            rtl=rtl,
            validation=validation,
            validation_samples=samples,
        )

    def _origins(self, verified: bool) -> dict[str, schema.Origin]:
        on_test_set = _keras(self._trained, "predictions on the test set")
        origins = {
            "accuracy.float_model": on_test_set,
            "accuracy.quantized": on_test_set,
            "steps.accuracy": _keras(self._trained, "predictions after each step"),
            "steps.compute": schema.Origin(
                method="counted",
                tool="Gatewright",
                version=__version__,
                details="on the model after each step",
            ),
        }
        if self._trained.steps[-1].accuracy.validation is not None:
            origins["accuracy.validation"] = _keras(
                self._trained, "predictions on training data that was held back"
            )
        if verified:
            origins["accuracy.rtl"] = schema.Origin(
                method="simulated", tool="Verilator", details="the RTL's outputs on the test set"
            )
        return origins


def _keras(trained: TrainedModel, details: str) -> schema.Origin:
    version = trained.versions.get("tf-keras")
    return schema.Origin(method="simulated", tool="Keras", version=version, details=details)


def _step(step: StepResult) -> schema.Step:
    cost = step.cost
    return schema.Step(
        name=step.name,
        settings=_words(step.settings),
        metric="top-1 accuracy",
        validation=step.accuracy.validation,
        test=step.accuracy.test,
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
