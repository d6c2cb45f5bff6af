"""Trials that take no time, for searches in other processes; run as a script, a whole search."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from gatewright.errors import DesignFailure, GatewrightError, system_message
from gatewright.explore import runs as run
from gatewright.explore.estimate_limits import hopeless
from gatewright.explore.local import LocalEngine
from gatewright.explore.outcome import Limits, Outcome
from gatewright.explore.trial import Task
from gatewright.report import schema
from gatewright.report.report_files import write_report
from gatewright.store import Store

SWEEP = """
description: nothing to learn
layers: [a, b]
defaults:
  input_precision: ufixed<5,1>
  training: {epochs: 3, batch_size: 8, learning_rate: 0.01, seed: 1}
search:
  base: {bits: 8}
  space:
    bits.a.weights: [2, 3, 4, 5, 6, 8]
    bits.b.weights: [2, 3, 4, 5, 6, 8]
    bits.b.activations: [2, 4, 6, 8]
  constraints: ["lut<=20000"]
  trials: 24
  window: 6
"""
COUNTED = "count"  # file beside the store: a line per trial that was really run
FAULT = "fault"  # file beside the store: what goes wrong, and in which trial
SECONDS = 0.02


def model(folder: Path, text: str = SWEEP) -> Path:
    """A model folder of that sweep file."""
    folder.mkdir(parents=True)
    (folder / "model.py").write_text("")
    (folder / "sweep.yaml").write_text(text)
    return folder


def run_trial(task: Task) -> Outcome:
    """As `gatewright.explore.trial.run_trial`, of figures that are made up."""
    beside = task.store.parent

    def attempt(_: Path) -> dict[str, object]:
        with (beside / COUNTED).open("a") as file:
            file.write(f"{task.config.name}\n")
        fault = beside / FAULT
        if fault.exists() and fault.read_text().split()[1] == task.config.name:
            if fault.read_text().startswith("death"):
                os.kill(os.getpid(), signal.SIGKILL)
            if fault.read_text().startswith("full"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        time.sleep(SECONDS)
        return evaluate(task).model_dump(mode="json", exclude_none=True)

    try:
        entry = Store(task.store).obtain("trial", task.limited_content(), attempt)
    except GatewrightError as error:
        return Outcome(state="failed", error=str(error), lasting=False)
    except OSError as error:
        return Outcome(state="failed", error=system_message(error), lasting=False)
    return Outcome.model_validate(entry.record)


def evaluate(task: Task) -> Outcome:
    bits = task.config.bits
    weights = [int(bits[name].weights) for name in ("a", "b")]
    if weights == [5, 5]:
        return Outcome(state="failed", error="it does not like fives")
    ebops = 400.0 * weights[0] * 8 + 300.0 * weights[1] * bits["b"].activations
    accuracy = 1 - 0.5 * 2.0 ** -weights[0] - 0.4 * 2.0 ** -weights[1]
    accuracy -= 0.3 * 2.0 ** -bits["b"].activations
    figures = {"ebops": ebops, "lut": round(0.9 * ebops), "accuracy_validation": accuracy}
    limits = task.limits
    if limits.ebops is not None and ebops > limits.ebops:
        return Outcome(state="stopped", reason="compute cost", expected={"ebops": ebops})
    if any(theirs >= accuracy and cost <= 0.9 * ebops for theirs, cost in limits.rivals):
        return Outcome(state="stopped", reason="dominated", figures=figures)
    about = round((0.86 + 0.07 * ((7 * weights[0] + 3 * weights[1]) % 5)) * figures["lut"])
    early = Outcome(
        state="stopped",
        reason="estimate",
        figures={name: value for name, value in figures.items() if name != "lut"},
        expected={"lut": about},
        errors={"lut": 0.15},
        curve=(0.5, accuracy),
    )
    if limits.estimate is not None and hopeless(limits.estimate, early):
        return early
    return Outcome(state="done", figures=figures, expected=early.expected, curve=(0.5, accuracy))


def finish_trial(task: Task, directory: Path | None) -> schema.Report:
    """As `gatewright.explore.trial.finish_trial`."""
    fault = task.store.parent / FAULT
    kind, *names = fault.read_text().split() if fault.exists() else [""]
    if kind == "inexact" and task.config.name in names:
        raise DesignFailure("vector 3 differs")
    figures = evaluate(replace(task, limits=Limits())).figures
    seed = task.config.training.seed
    lut, ebops = int(figures["lut"]) + seed, int(figures["ebops"])
    counted = schema.Origin(method="counted", tool="made up")
    report = schema.Report(
        model=schema.Model(name=task.sweep.name),
        config=schema.Config(name=task.config.name, io="io_parallel"),
        accuracy=schema.Accuracy(
            samples=9, quantized=1 - seed / 100, validation=figures["accuracy_validation"]
        ),
        verification=schema.Verification(vectors=9, mismatches=0, reference="made up"),
        training_seed=seed,
        resources={"xcup": schema.Resources(lut=lut)},
        compute=schema.Compute(ebops=ebops),
        provenance=schema.Provenance(
            gatewright="0",
            groups=dict.fromkeys(
                [
                    "accuracy.quantized",
                    "accuracy.validation",
                    "verification",
                    "resources.xcup",
                    "compute",
                ],
                counted,
            ),
        ),
    )
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        write_report(report, directory)
    Store(task.store).obtain(
        "trial result",
        task.content(),
        lambda _: {"report": report.model_dump(mode="json", exclude_none=True)},
    )
    return report


def stand_in() -> None:
    """Have searches of this process run trials that are made up."""
    run.run_trial, run.finish_trial = run_trial, finish_trial  # type: ignore[attr-defined]


if __name__ == "__main__":
    from explore import made_up  # by the name that workers know it by

    made_up.stand_in()
    folder, store, output, jobs = sys.argv[1:]
    run.run_search(
        Path(folder),
        Path(output),
        make_engine=lambda: LocalEngine(int(jobs)),
        store=Path(store),
        baselines=False,
    )
