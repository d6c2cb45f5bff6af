"""Quantizes a model file into another, for `gatewright quantize`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.bits import LayerBits
from gatewright.compress.calibrate import Calibration
from gatewright.compress.clipping import Range, find_ranges
from gatewright.compress.model_files import load_model
from gatewright.compress.quantize import RELU_INTEGER, quantize
from gatewright.compress.sensitivity import CHOICES, Sensitivity, find_bits, score, sensitivity
from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.metrics import METRICS, Goal, Metric, Tensors, named_metric, usual_metric
from gatewright.options import DEFAULT_PRECISION
from gatewright.parsing.samples import read_arrays, require_finite
from gatewright.system.files import check_new_file, replaced_file, require_file


@dataclass(frozen=True)
class Request:
    """What to quantize, and how.

    Attributes:
        model: The model's file, see `load_model`.
        weights: The weights of a `.json`.
        bits: Bits by layer; with `max_loss` those to start from. None if not given.
        data: `.npz` with samples `x` and, for a metric, targets `y`; or `.npy` with samples.
        relu_integer: Integer bits of relus if there is no data to measure them.
        sensitivity: Whether to measure what each layer's precision costs.
        max_loss: What may be lost of the metric to search for bits, see `Goal.lost`; None for no
            search.
        output: The `.h5` file to write; None for the sensitivity only.
        metric: A name from `METRICS`, or OUTPUT=NAME for one of several outputs; by default that of
            labels of classes.
    """

    model: Path
    weights: Path | None = None
    bits: Mapping[str, LayerBits] | None = None
    data: Path | None = None
    relu_integer: int = RELU_INTEGER
    sensitivity: bool = False
    max_loss: float | None = None
    output: Path | None = None
    metric: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of quantizing a model.

    Attributes:
        bits: Bits by layer, as requested or found; empty if nothing was quantized.
        ranges: The ranges of its quantizers.
        goal: The metric; None without targets.
        float_score: The metric of the float model on the data; None without targets.
        score: The metric of the quantized model, likewise.
        table: What each layer's precision costs, if it was measured.
    """

    bits: Mapping[str, LayerBits]
    ranges: list[Range]
    goal: Goal | None = None
    float_score: float | None = None
    score: float | None = None
    table: Sensitivity | None = None


def quantize_file(request: Request, progress: Callable[[str], None] = lambda _: None) -> Outcome:
    """Quantize a model: by calibration if there is data, else as for training, see `quantize`.

    Args:
        request: What to quantize, and how.
        progress: Called with a line before each phase.

    Raises:
        InputError: if a file, a layer or an option is wrong. Nothing is written then.
        UnsupportedError: if a layer can't be quantized.
    """
    _check(request)
    with warnings.catch_warnings():
        # tf-keras warns about HDF5, which hls4ml needs, and about unused initial values.
        warnings.simplefilter("ignore", UserWarning)
        return _quantize(request, progress)


def _quantize(request: Request, progress: Callable[[str], None]) -> Outcome:
    progress("loading the model")
    model = load_model(request.model, request.weights)
    if request.data is None:
        assert request.bits is not None and request.output is not None
        result = quantize(model, request.bits, relu_integer=request.relu_integer)
        _save(result, request.output)
        return Outcome(request.bits, find_ranges(result))
    samples, targets = _read_data(request.data, model.input_names, model.output_names)
    measures = request.sensitivity or request.max_loss is not None
    if targets is None and (measures or request.metric is not None):
        raise InputError(f"{request.data}: holds no targets 'y', so there is no metric")
    metric = None if targets is None else _metric(request, targets)
    table = None
    if measures:
        assert targets is not None and metric is not None
        widths = "fewer and fewer" if request.bits else ", ".join(map(str, CHOICES))
        progress(f"measuring each layer at {widths} bits")
        # The default type of inputs in a conversion.
        inputs = FixedType.parse(DEFAULT_PRECISION)
        choices = request.bits or CHOICES
        table = sensitivity(model, samples, targets, choices, metric=metric, input_type=inputs)
    bits = request.bits
    if request.max_loss is not None:
        assert targets is not None and metric is not None
        progress("choosing bits")
        bits = find_bits(
            model, samples, targets, request.max_loss, bits, metric=metric, table=table
        )
    if bits is None or request.output is None:
        return Outcome({}, [], metric, table.score if table else None, None, table)
    progress("calibrating")
    calibration = Calibration(model, samples)
    network = calibration.best(bits)
    result = network.build()
    before = after = None
    if targets is not None and metric is not None:
        before = score(calibration.network, calibration.samples, targets, metric)
        after = score(network, calibration.samples, targets, metric)
    _save(result, request.output)
    return Outcome(bits, find_ranges(result, calibration.samples), metric, before, after, table)


def _metric(request: Request, targets: Tensors) -> Metric | None:
    """The metric to measure; None if none was named and the targets have no usual one.

    Raises:
        InputError: if it is needed and unknown.
    """
    if request.metric is None:
        usual = usual_metric(targets)
        if usual is None and (request.sensitivity or request.max_loss is not None):
            raise InputError(
                f"{request.data}: the targets aren't labels of classes; name a metric, --metric "
                f"{' or '.join(repr(key) for key in METRICS)}"
            )
        return usual
    output, _, name = request.metric.rpartition("=")
    return named_metric(name, output or None)


def _check(request: Request) -> None:
    for path in (request.model, request.weights, request.data):
        if path is not None:
            require_file(path)
    if request.output is not None and request.output.suffix.lower() != ".h5":
        raise InputError(f"{request.output}: QKeras models are saved as .h5")
    if request.output is not None:
        check_new_file(request.output)
    if request.max_loss is not None and not 0 <= request.max_loss < 1:
        raise InputError(
            f"--max-loss {request.max_loss:g}: a share of samples, or of the error, e.g. 0.01"
        )
    wants_bits = request.bits is not None or request.max_loss is not None
    if request.data is None and (request.sensitivity or request.max_loss is not None):
        option = "--sensitivity" if request.sensitivity else "--max-loss"
        raise InputError(f"{option} measures a metric; give samples 'x' and targets 'y' as --data")
    if wants_bits and request.output is None:
        raise InputError("give the file to write, as -o OUT.h5")
    if not wants_bits and not (request.sensitivity and request.output is None):
        raise InputError("give bits, e.g. --bits 6, or --max-loss 0.01 to find them")


def _read_data(
    path: Path, inputs: Sequence[str], outputs: Sequence[str]
) -> tuple[list[NDArray[Any]], Tensors | None]:
    """Read samples, a float32 array for each input, and targets if there are any.

    Args:
        path: `.npy` with the samples; or `.npz` with `x` or an array named after each input, and
            `y` or one after each output.
        inputs: Names of the model's inputs.
        outputs: Names of its outputs.

    Raises:
        InputError: if the file can't be read, or holds no samples.
    """
    arrays = read_arrays(path, alone="x")
    names = ["x"] if len(inputs) == 1 and inputs[0] not in arrays else list(inputs)
    if missing := [name for name in names if name not in arrays]:
        raise InputError(
            f"{path}: no samples '{missing[0]}'; it holds {', '.join(arrays) or 'no arrays'}"
        )
    with np.errstate(over="ignore"):
        samples = [arrays[name].astype(np.float32) for name in names]
    for name, array in zip(names, samples, strict=True):
        require_finite(str(path), name, array)  # also finite in float32, in which networks compute
    targets = {name: arrays[name] for name in outputs if name in arrays}
    if len(targets) > 1 and len(targets) == len(outputs):
        return samples, targets
    return samples, arrays.get("y")


def _save(model: Any, path: Path) -> None:
    import h5py

    with replaced_file(path) as file, h5py.File(file, "w") as content:
        model.save(content, include_optimizer=False, save_format="h5")
