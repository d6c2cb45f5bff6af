"""Post-training quantization: ranges are measured on calibration data, without training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.batchnorm_folding import fold_batchnorms
from gatewright.compress.bits import LayerBits, bits_of
from gatewright.compress.editable_model import Network, Node, read
from gatewright.compress.equalize import equalize, find_groups
from gatewright.compress.quantize import (
    activation_bits,
    activation_quantizer,
    check_kind,
    check_names,
    fixed,
    kernel_quantizer,
)
from gatewright.errors import InputError

# Ranges are tried down to the largest value's, less this many integer bits: below that, saturation
# costs more than finer steps gain.
_NARROWER = 6
# The exponent of the least upper limit tried for power-of-two weights.
_LOWEST_PO2 = -3
_SAMPLED = 1 << 16
_BATCH = 256
_LARGEST = 2.0**63

Samples = list[NDArray[np.float32]]


def calibrate(model: Any, bits: Mapping[str, LayerBits], x: Any) -> Any:
    """Quantize a float model without training it.

    Batch normalizations are folded, as by `quantize`. The integer bits of each kernel, bias and
    activation minimize the mean squared error, over the weights or over the activations on `x`: a
    range that cuts off a few large values may be better than one that holds all. Two methods of
    Nagel et al. (2019) are used if they bring the outputs on `x` nearer to the float model's:
    cross-layer equalization of the weights, and bias correction, which restores the mean of each
    channel. If no type of an activation's width suits its range, the weights around it are scaled
    by a power of two. Tanh and sigmoid stay exact functions, which hls4ml computes with tables.

    Args:
        model: A tf-keras model, Sequential or Functional, without quantizers.
        bits: As for `quantize`. Layers without bits stay float.
        x: Calibration data, float [n, ...]; a list of such arrays for several inputs.

    Returns:
        A new QKeras model, not compiled.

    Raises:
        InputError: if `bits` names a layer that doesn't exist, or `x` doesn't fit the model's
            inputs.
        UnsupportedError: if a layer can't be quantized.
    """
    return Calibration(model, x).best(bits).build()


class Calibration:
    """A float model to be quantized, with its calibration data.

    Args:
        model: As for `calibrate`.
        x: As for `calibrate`.

    Attributes:
        network: The model with folded batch normalizations.
        samples: The calibration data, an array for each input.

    Raises:
        InputError: if the model has quantizers, or its inputs or outputs don't fit the data or
            aren't finite.
    """

    def __init__(self, model: Any, x: Any) -> None:
        self.network = read(model)
        for node in self.network:
            if node.quantizers:
                raise InputError(
                    f"layer '{node.name}' is already quantized; calibration starts from a "
                    f"float model"
                )
        self.samples = read_samples(model, x)
        fold_batchnorms(self.network)
        self._equalized = self.network.copy()
        equalize(self._equalized)
        self._wanted = outputs(self.network, self.samples)
        if not all(np.isfinite(array).all() for array in self._wanted):
            raise InputError("calibration data: the model's outputs on it are not finite")

    def best(self, bits: Mapping[str, LayerBits]) -> Network:
        """The quantized network whose outputs are nearest to the float model's."""
        candidates = []
        for start in (self.network, self._equalized):
            candidates.append(self.quantized(bits, start))
            candidates.append(_corrected(candidates[-1], self.samples))
        return min(candidates, key=lambda each: _error(outputs(each, self.samples), self._wanted))

    def quantized(self, bits: Mapping[str, LayerBits], start: Network | None = None) -> Network:
        """A network with quantizers. The ranges of activations are chosen before the weights'.

        Args:
            bits: As for `calibrate`.
            start: The network to quantize; None for the model's own.
        """
        network = (start or self.network).copy()
        check_names(network, bits)
        widths = activation_bits(network, bits)
        integers = _fit_relus(network, widths, self.samples)
        _fit_scales(network, widths, integers)
        for node in network:
            if node.name in widths:
                integer = integers.get(node.name, 0)
                quantizer = activation_quantizer(node, widths[node.name], integer, real=True)
                network.put(replace(node, quantizers={"activation": quantizer}))
            elif node.weights and (of_layer := bits_of(bits, node.name)) is not None:
                check_kind(node)
                network.put(replace(node, quantizers=_fit_weights(node, of_layer)))
        return network


def outputs(network: Network, samples: Samples) -> list[NDArray[np.float32]]:
    """The outputs of a network on samples, an array [n, ...] for each output."""
    batches = zip(*_run(network, network.outputs, samples), strict=True)
    return [np.concatenate(parts) for parts in batches]


def read_samples(model: Any, x: Any) -> Samples:
    """Check data for a model, and return it as a list of float32 arrays, one for each input.

    Args:
        model: A tf-keras model.
        x: An array [n, ...], or a list of such arrays for several inputs.

    Raises:
        InputError: if `x` doesn't fit the model's inputs, or isn't finite.
    """
    with np.errstate(over="ignore"):  # infinities are refused below
        samples = [np.asarray(array, np.float32) for array in (x if isinstance(x, list) else [x])]
    if len(samples) != len(model.inputs):
        raise InputError(
            f"calibration data: {len(samples)} arrays, the model has {len(model.inputs)} inputs"
        )
    for array, tensor in zip(samples, model.inputs, strict=True):
        shape = list(tensor.shape[1:])
        if list(array.shape[1:]) != shape or len(array) == 0 or len(array) != len(samples[0]):
            raise InputError(
                f"calibration data of shape {list(array.shape)}; the model takes [n, "
                f"{', '.join(map(str, shape))}]"
            )
        if not np.isfinite(array).all():
            raise InputError("calibration data: a value is not finite")
        if (np.abs(array) >= _LARGEST).any():
            raise InputError(
                f"calibration data: holds {np.abs(array).max():g}; no type goes beyond 2^63"
            )
    return samples


def _fit_weights(node: Node, bits: LayerBits) -> dict[str, Any]:
    """Quantizers of a layer's kernels and bias."""
    quantizers = {what: _fit_kernel(kernel, bits) for what, kernel in node.kernels.items()}
    if node.bias is not None:
        quantizers["bias"] = fixed(bits.bias_bits, fit_integer(node.bias, bits.bias_bits))
    return quantizers


def _fit_kernel(kernel: NDArray[Any], bits: LayerBits) -> Any:
    if bits.po2 is not None:
        return _fit_po2(kernel, bits)
    integer = fit_integer(kernel, bits.weights) if isinstance(bits.weights, int) else 0
    return kernel_quantizer(bits, integer)


def _fit_po2(kernel: NDArray[Any], bits: LayerBits) -> Any:
    """The power-of-two quantizer whose upper limit gives the least squared error."""
    highest = _exponent(kernel)
    candidates = [
        kernel_quantizer(bits, integer) for integer in range(min(_LOWEST_PO2, highest), highest + 1)
    ]
    values = kernel.astype(np.float32)
    return min(candidates, key=lambda quantizer: _squared(np.asarray(quantizer(values)) - values))


def fit_integer(values: NDArray[Any], width: int, *, signed: bool = True) -> int:
    """The number of integer bits, without sign, with which a type fits values best.

    Best is the least sum of squared errors, with QKeras' rounding to even and saturation; among
    equals the fewest bits.

    Args:
        values: Any shape; negative values saturate to zero if unsigned.
        width: Width of the type in bits, including the sign.
        signed: Whether there is a sign bit.
    """
    highest = _exponent(values)

    def error(integer: int) -> float:
        return _squared(_rounded(values, width, integer, signed=signed) - values)

    return min(range(highest - _NARROWER, highest + 2), key=error)


def _rounded(values: NDArray[Any], width: int, integer: int, *, signed: bool) -> NDArray[Any]:
    step = 2.0 ** (integer + signed - width)
    lowest = -(2 ** (width - 1)) if signed else 0
    rounded: NDArray[Any] = np.clip(np.rint(values / step), lowest, 2 ** (width - signed) - 1)
    return rounded * step


def _exponent(values: NDArray[Any]) -> int:
    """The least i with |values| <= 2^i; 0 if all values are zero."""
    largest = float(np.abs(values).max(initial=0))
    return math.ceil(math.log2(largest)) if largest else 0


def _squared(errors: NDArray[Any]) -> float:
    return float(np.square(errors, dtype=np.float64).sum())


def _fit_relus(network: Network, widths: Mapping[str, int], x: Samples) -> dict[str, int]:
    """The integer bits that fit the values of each relu without an upper limit."""
    names = [name for name in widths if network[name].function == "relu"]
    names = [name for name in names if network[name].limit is None]
    batches = -(-len(x[0]) // _BATCH)
    seen: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for values in _run(network, names, x):
        for name, found in zip(names, values, strict=True):
            flat = found.ravel()
            seen[name].append(flat[:: max(1, flat.size * batches // _SAMPLED)])
    return {
        name: fit_integer(np.concatenate(found), widths[name], signed=False)
        for name, found in seen.items()
    }


def _fit_scales(network: Network, widths: Mapping[str, int], integers: dict[str, int]) -> None:
    """Scale tensors by powers of two, so that their integer bits lie from 0 to their width - 1.

    QKeras has no negative numbers of integer bits, and hls4ml treats a type without fraction bits
    as an integer. `integers` is changed in place.
    """
    for group in find_groups(network):
        names = sorted(group.tensors & integers.keys())
        if not names:
            continue
        lowest = max(integers[name] - (widths[name] - 1) for name in names)
        highest = min(integers[name] for name in names)
        shift = min(max(0, lowest), highest)
        if shift:
            group.scale(network, np.full(group.channels, 2.0**shift))
            for name in names:
                integers[name] -= shift
    for name in integers:
        integers[name] = min(max(integers[name], 0), widths[name] - 1)


def _corrected(quantized: Network, x: Samples) -> Network:
    """A quantized network with biases that cancel the mean error of each channel.

    Layers are corrected one after another, because each correction changes later means.
    """
    network, plain = quantized.copy(), quantized.copy()
    names = [node.name for node in network if "bias" in node.quantizers]
    for node in network:
        plain.put(replace(node, quantizers={}))
    wanted = dict(zip(names, _means(plain, names, x), strict=True))
    for name in names:
        node = network[name]
        (mean,) = _means(network, [name], x)
        old = node.quantizers["bias"]
        bias = np.asarray(old(np.asarray(node.bias, np.float32))) + wanted[name] - mean
        new = fixed(old.bits, fit_integer(bias, old.bits))
        weights = (*node.weights[:-1], bias)
        network.put(replace(node, weights=weights, quantizers={**node.quantizers, "bias": new}))
    return network


def _means(network: Network, names: list[str], x: Samples) -> list[NDArray[np.float64]]:
    """The means of the channels of each named layer's result, shape [channels]."""
    sums: list[Any] = [0.0] * len(names)
    counts = [0] * len(names)
    for values in _run(network, names, x):
        for place, found in enumerate(values):
            rows = found.reshape(-1, found.shape[-1])
            sums[place] = sums[place] + rows.sum(axis=0, dtype=np.float64)
            counts[place] += len(rows)
    return [total / count for total, count in zip(sums, counts, strict=True)]


def _run(network: Network, names: list[str], x: Samples) -> Iterator[list[NDArray[np.float32]]]:
    """The results of the named layers, batch by batch."""
    for start in range(0, len(x[0]), _BATCH):
        yield network.run([array[start : start + _BATCH] for array in x], names)


def _error(found: list[NDArray[np.float32]], wanted: list[NDArray[np.float32]]) -> float:
    """The sum over outputs of the squared error relative to the squared output."""
    return sum(
        _squared(ours - theirs) / (_squared(theirs) or 1)
        for ours, theirs in zip(found, wanted, strict=True)
    )
