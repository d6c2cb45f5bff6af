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
from gatewright.compress.sensitivity import CHOICES, Sensitivity, accuracy, find_bits, sensitivity
from gatewright.errors import InputError
from gatewright.fixed import FixedType
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
        data: `.npz` with samples `x` and, for accuracies, labels `y`; or `.npy` with samples.
        relu_integer: Integer bits of relus if there is no data to measure them.
        sensitivity: Whether to measure the accuracy that each layer's precision costs.
        max_loss: Accuracy that may be lost, from 0 to 1, to search for bits; None for no search.
        output: The `.h5` file to write; None for the sensitivity only.
    """

    model: Path
    weights: Path | None = None
    bits: Mapping[str, LayerBits] | None = None
    data: Path | None = None
    relu_integer: int = RELU_INTEGER
    sensitivity: bool = False
    max_loss: float | None = None
    output: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of quantizing a model.

    Attributes:
        bits: Bits by layer, as requested or found; empty if nothing was quantized.
        ranges: The ranges of its quantizers.
        float_accuracy: Accuracy of the float model on the data, from 0 to 1; None without labels.
        accuracy: Accuracy of the quantized model, likewise.
        table: The accuracy that each layer's precision costs, if it was measured.
    """

    bits: Mapping[str, LayerBits]
    ranges: list[Range]
    float_accuracy: float | None = None
    accuracy: float | None = None
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
    samples, labels = _read_data(request.data, model.input_names)
    if labels is None and (request.sensitivity or request.max_loss is not None):
        raise InputError(f"{request.data}: holds no labels 'y', so there is no accuracy")
    table = None
    if request.sensitivity or request.max_loss is not None:
        assert labels is not None
        widths = "fewer and fewer" if request.bits else ", ".join(map(str, CHOICES))
        progress(f"measuring each layer at {widths} bits")
        # The default type of inputs in a conversion.
        inputs = FixedType.parse(DEFAULT_PRECISION)
        table = sensitivity(model, samples, labels, request.bits or CHOICES, input_type=inputs)
    bits = request.bits
    if request.max_loss is not None:
        assert labels is not None
        progress("choosing bits")
        bits = find_bits(model, samples, labels, request.max_loss, bits, table=table)
    if bits is None or request.output is None:
        return Outcome({}, [], table.accuracy if table else None, None, table)
    progress("calibrating")
    calibration = Calibration(model, samples)
    network = calibration.best(bits)
    result = network.build()
    before = after = None
    if labels is not None:
        before = accuracy(calibration.network, calibration.samples, labels)
        after = accuracy(network, calibration.samples, labels)
    _save(result, request.output)
    return Outcome(bits, find_ranges(result, calibration.samples), before, after, table)


def _check(request: Request) -> None:
    for path in (request.model, request.weights, request.data):
        if path is not None:
            require_file(path)
    if request.output is not None and request.output.suffix.lower() != ".h5":
        raise InputError(f"{request.output}: QKeras models are saved as .h5")
    if request.output is not None:
        check_new_file(request.output)
    if request.max_loss is not None and not 0 <= request.max_loss < 1:
        raise InputError(f"--max-loss {request.max_loss:g}: a share of samples, e.g. 0.01")
    wants_bits = request.bits is not None or request.max_loss is not None
    if request.data is None and (request.sensitivity or request.max_loss is not None):
        option = "--sensitivity" if request.sensitivity else "--max-loss"
        raise InputError(f"{option} measures accuracy; give samples 'x' and labels 'y' as --data")
    if wants_bits and request.output is None:
        raise InputError("give the file to write, as -o OUT.h5")
    if not wants_bits and not (request.sensitivity and request.output is None):
        raise InputError("give bits, e.g. --bits 6, or --max-loss 0.01 to find them")


def _read_data(
    path: Path, inputs: Sequence[str]
) -> tuple[list[NDArray[Any]], NDArray[np.integer[Any]] | None]:
    """Read samples, a float32 array for each input, and labels if there are any.

    Args:
        path: `.npy` with the samples; or `.npz` with `y`, and `x` or an array named after each
            input.
        inputs: Names of the model's inputs.

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
    return samples, arrays.get("y")


def _save(model: Any, path: Path) -> None:
    import h5py

    with replaced_file(path) as file, h5py.File(file, "w") as content:
        model.save(content, include_optimizer=False, save_format="h5")
