"""Measures how fast the model of a project directory runs as software on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gatewright.emulation import Emulation
from gatewright.errors import InputError
from gatewright.fixed import to_float
from gatewright.flow import counterparts
from gatewright.flow.convert import NETWORK, design_files, load_design, require_project
from gatewright.flow.fidelity import read_network, versions
from gatewright.flow.inputs import random_inputs
from gatewright.flow.results import SoftwareResults
from gatewright.flow.steps import Progress, Stamp, hash_files, held, key_of, run_step, silent
from gatewright.frontend.reference import ON_ANY_DEVICE, ON_PROCESSOR, Reference
from gatewright.results.software import Baseline, Software
from gatewright.system.processor import Processor, this_processor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gatewright.design.dataflow import Design
    from gatewright.frontend.network import Network

STEP: Final = "software"
BATCH: Final = 256
SECONDS: Final = 1.0
EMULATION: Final = "C++ emulation"

_SEED = 0
_WARM_UP = 20  # samples of the emulation
_FEWEST, _MOST = 50, 10_000
_GRAPH = (
    "the quantized model in floating point, as one graph; a call from Python to fetched results, "
    "inputs in the host's memory; after a warm-up"
)
_COMPILED = (
    "the fixed-point arithmetic of the hardware, bit for bit, in C++ compiled for emulation; the "
    "call of each sample alone, one thread, one sample after another; after a warm-up"
)


def software_content(directory: Path) -> str:
    """A hash of the network and its design, on which a measurement depends."""
    network = sorted((directory / "model").glob(f"{NETWORK}.*"))
    return hash_files([*design_files(directory), *network])


def measure_software(
    directory: Path,
    *,
    batch: int = BATCH,
    seconds: float = SECONDS,
    progress: Progress = silent,
) -> Stamp[SoftwareResults]:
    """Time the model of a project directory on this machine, with one sample and with a batch.

    The model's own framework runs on the processor with all cores, and on each GPU that it finds.
    hls4ml's C++ emulation is timed too if a verification has compiled it. A run that fails has a
    `problem`. Other work on the machine disturbs the figures.

    Args:
        directory: A converted project.
        batch: Number of samples in a batch; single samples are timed as well.
        seconds: Time of each measurement in seconds, after a warm-up.
        progress: Called with a line before each phase.

    Returns:
        The stamp of the step "software".

    Raises:
        InputError: if the directory isn't a converted project.
    """
    require_project(directory)
    processor = this_processor()
    with held(directory, progress):
        design, network = load_design(directory), read_network(directory)
        emulation = _compiled_emulation(directory)

        def action() -> SoftwareResults:
            progress("timing the model as software")
            words = random_inputs(design, batch, _SEED)
            samples = [
                to_float(word, tensor.type.frac)
                for word, tensor in zip(words, design.inputs, strict=True)
            ]
            runs = [*_by_framework(network, design, samples, seconds, processor)]
            if emulation is not None:
                runs.append(_by_emulation(emulation, samples, seconds, processor))
            return SoftwareResults(software=Software(runs=tuple(runs)))

        content = software_content(directory)
        machine = (processor.name, processor.cores, versions())
        return run_step(
            directory,
            STEP,
            key_of(STEP, content, batch, seconds, machine, emulation is not None),
            action,
            subject=content,
        )


def _compiled_emulation(directory: Path) -> Emulation | None:
    """The emulation if this user's verification has compiled it, else None."""
    try:
        found = Emulation(directory / "hls")
    except InputError:
        return None
    return found if found.is_compiled else None


def _by_framework(
    network: Network | str,
    design: Design,
    samples: Sequence[NDArray[np.float64]],
    seconds: float,
    processor: Processor,
) -> Iterator[Baseline]:
    """Runs of the framework on GPUs, if there are any, and on the processor."""
    if isinstance(network, str):
        yield _failed("the model's own framework", network, processor)
        return
    by_tensor = {t.name: values for t, values in zip(design.inputs, samples, strict=True)}
    tensors = counterparts.inputs(network, design).values()
    inputs = [by_tensor[tensor.name].astype(np.float32) for tensor in tensors]
    try:
        with Reference(network, environment=ON_ANY_DEVICE) as reference:
            gpus = reference.gpus()
            for index, name in enumerate(gpus):
                yield from _timed(reference, inputs, f"/GPU:{index}", seconds, processor, name)
            if not gpus:
                yield from _timed(reference, inputs, "/CPU:0", seconds, processor)
        if gpus:  # a separate process, because the first one has its weights in a GPU's memory
            with Reference(network, environment=ON_PROCESSOR) as reference:
                yield from _timed(reference, inputs, "/CPU:0", seconds, processor)
    except InputError as error:
        yield _failed("the model's own framework", str(error), processor)


def _timed(
    reference: Reference,
    inputs: Sequence[NDArray[np.float32]],
    device: str,
    seconds: float,
    processor: Processor,
    gpu: str | None = None,
) -> Iterator[Baseline]:
    for count in sorted({1, len(inputs[0])}):
        times = reference.time([values[:count] for values in inputs], device, seconds)
        yield Baseline(
            runtime=reference.framework,
            model="float32",
            cpu=processor.name,
            gpu=gpu,
            threads=processor.cores if gpu is None else None,
            batch=count,
            latency_low_us=times.low,
            latency_us=times.median,
            latency_high_us=times.high,
            repetitions=times.count,
            method=_GRAPH,
        )


def _by_emulation(
    emulation: Emulation,
    samples: Sequence[NDArray[np.float64]],
    seconds: float,
    processor: Processor,
) -> Baseline:
    try:
        first = emulation.time([_repeated(values, _WARM_UP) for values in samples])
        count = int(np.clip(seconds / np.median(first), _FEWEST, _MOST))
        taken = emulation.time([_repeated(values, _WARM_UP + count) for values in samples])
    except InputError as error:
        return _failed(EMULATION, str(error), processor)
    low, median, high = np.percentile(taken[_WARM_UP:], [5, 50, 95]) * 1e6
    return Baseline(
        runtime=EMULATION,
        model="fixed point",
        cpu=processor.name,
        threads=1,
        batch=1,
        latency_low_us=float(low),
        latency_us=float(median),
        latency_high_us=float(high),
        repetitions=count,
        method=_COMPILED,
    )


def _repeated(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """This number of samples; they are repeated if there are fewer."""
    return np.resize(values, (count, *values.shape[1:]))


def _failed(runtime: str, reason: str, processor: Processor) -> Baseline:
    return Baseline(runtime=runtime, model="float32", cpu=processor.name, problem=reason)
