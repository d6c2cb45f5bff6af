"""A model of the zoo through every configuration of its sweep."""

from __future__ import annotations

import os
import shutil
import signal
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gatewright import processes
from gatewright.errors import GatewrightError, InputError, system_message
from gatewright.files import replaced_file
from gatewright.fixed import to_float
from gatewright.flow.convert import convert, load_design
from gatewright.flow.fifos import size_fifos
from gatewright.flow.summary import Labels, summarize
from gatewright.flow.synthesize import synthesize
from gatewright.flow.verify import verify
from gatewright.report import schema
from gatewright.report.html import write_html
from gatewright.report.markdown import write_markdown
from gatewright.report.store import write_json, write_report
from gatewright.zoo import load_sweep, obtain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gatewright.zoo import Config, Sweep, TrainedModel


@dataclass(frozen=True)
class SweepResult:
    """What a sweep gave: its reports, the page, and the configurations that failed."""

    reports: schema.SweepReport
    page: Path
    failures: tuple[str, ...]


def run_sweep(
    model: Path,
    names: Sequence[str],
    output: Path,
    *,
    jobs: int = 2,
    force: bool = False,
    publish: Path | None = None,
    say: Callable[[str], None],
) -> SweepResult:
    """Train, convert, verify and synthesize configurations of a model, and report on them.

    Args:
        model: a model folder of the zoo, or a sweep file.
        names: configurations to run; all if empty.
        output: build directory; `<output>/<model>/<config>` is a project directory each.
        jobs: configurations at a time, each in a process of its own.
        force: forget what was done before.
        publish: folder for `report.json` (without wall times) and `README.md`.
        say: takes lines of progress.

    Returns:
        The reports of the configurations that came through.

    Raises:
        InputError: if the sweep or a name is wrong.
        GatewrightError: if no configuration came through.
    """
    sweep = load_sweep(model)
    configs = [sweep.config(name) for name in names] if names else list(sweep.configs)
    folder = output / sweep.name
    start = time.monotonic()
    reports: dict[str, schema.Report] = {}
    failures: list[GatewrightError] = []
    # Workers start afresh: a fork of a process with threads may hang.
    pool = ProcessPoolExecutor(min(jobs, len(configs)), get_context("spawn"), _become_worker)
    try:
        running = {
            pool.submit(_run_config, sweep, config, folder, force): config.name
            for config in configs
        }
        for done, future in enumerate(as_completed(running), 1):
            name = running[future]
            elapsed = time.monotonic() - start
            prefix = f"[{done}/{len(configs)}] {elapsed:4.0f} s  {sweep.name} {name}: "
            try:
                reports[name] = future.result()
                say(prefix + _headline(reports[name]))
            except GatewrightError as error:
                failures.append(error)
                say(f"{prefix}failed: {error}")
    except BrokenProcessPool:
        raise InputError(
            f"{folder}: a worker was killed, out of memory perhaps; try --jobs 1"
        ) from None
    except BaseException:
        for worker in active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    if not reports:
        raise failures[0]
    found = schema.SweepReport(
        reports=tuple(reports[config.name] for config in configs if config.name in reports)
    )
    page = folder / "report" / "index.html"
    write_html(found, page)
    if publish is not None:
        write_json(found, publish / "report.json", wall_times=False)
        write_markdown(found, publish / "README.md")
    return SweepResult(found, page, tuple(str(error) for error in failures))


def _become_worker() -> None:
    """Leave interrupts from the keyboard to the process that started us, and do as it says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_worker)


def _end_worker(*_: object) -> None:
    global _working
    processes.stop()
    if _working:
        _working = False
        raise KeyboardInterrupt  # undoes what is half done; the pool takes it from there
    os._exit(1)


_working = False


def _run_config(sweep: Sweep, config: Config, folder: Path, force: bool) -> schema.Report:
    global _working
    if processes.stopping():
        raise KeyboardInterrupt
    _working = True
    try:
        return _take_through(sweep, config, folder, force)
    except OSError as error:
        raise InputError(f"{config.name}: {system_message(error)}") from error
    finally:
        _working = False


def _take_through(sweep: Sweep, config: Config, folder: Path, force: bool) -> schema.Report:
    directory = folder / config.name
    if force:
        shutil.rmtree(directory, ignore_errors=True)
    trained = obtain(sweep, config)
    options = config.options
    convert(trained.path, None, options, directory, name=sweep.name)
    samples = directory / "test_set.npy"
    with replaced_file(samples) as temporary:
        np.save(temporary, trained.x, allow_pickle=False)
    size_fifos(directory, inputs=samples)
    verify(directory, inputs=samples)
    synthesize(directory, options.target, jobs=1)
    report = summarize(
        directory,
        labels=Labels(
            sweep.name,
            config.name,
            task=sweep.description,
            source=f"{sweep.name}/model.py",
        ),
        accuracy=_accuracy(directory, trained),
        keras=_against_keras(directory, trained),
        accuracy_origins=_accuracy_origins(trained),
    )
    write_report(report, directory)
    return report


def _rtl_outputs(directory: Path) -> NDArray[np.float64]:
    """What the simulated RTL gave for the test set, (samples, elements)."""
    design = load_design(directory)
    with np.load(directory / "sim" / "outputs.npz", allow_pickle=False) as outputs:
        return to_float(outputs["output0"], design.outputs[0].type.frac)


def _against_keras(directory: Path, trained: TrainedModel) -> schema.Comparison:
    outputs = _rtl_outputs(directory)
    keras = trained.outputs.astype(np.float64).reshape(outputs.shape)
    differing = int((outputs != keras).any(axis=1).sum())
    return schema.Comparison(vectors=len(outputs), mismatches=differing)


def _accuracy(directory: Path, trained: TrainedModel) -> schema.Accuracy:
    rtl = float(np.mean(_rtl_outputs(directory).argmax(axis=1) == trained.y))
    return schema.Accuracy(
        metric="top-1 accuracy",
        samples=len(trained.y),
        float_model=trained.float_accuracy,
        quantized=trained.quantized_accuracy,
        rtl=rtl,
    )


def _accuracy_origins(trained: TrainedModel) -> dict[str, schema.Origin]:
    keras = schema.Origin(
        method="simulated",
        tool="Keras",
        version=trained.versions.get("tf-keras"),
        details="predictions on the test set",
    )
    verilator = schema.Origin(
        method="simulated", tool="Verilator", details="the RTL's outputs on the test set"
    )
    return {
        "accuracy.float_model": keras,
        "accuracy.quantized": keras,
        "accuracy.rtl": verilator,
    }


def _headline(report: schema.Report) -> str:
    parts = [str(report.verification)] if report.verification else []
    if report.accuracy and report.accuracy.rtl is not None:
        parts.append(f"accuracy {report.accuracy.rtl:.3f}")
    for target, used in report.resources.items():
        parts.append(f"{used.lut:,} LUT on {target}")
    return ", ".join(parts)
