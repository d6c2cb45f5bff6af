"""Which layer costs how much accuracy per bit, and mixed precision found from that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.bits import LayerBits
from gatewright.compress.calibrate import Calibration
from gatewright.compress.network import Network
from gatewright.errors import InputError

#: Widths that are tried where nothing else is asked for.
CHOICES = (8, 6, 5, 4, 3, 2)

Choice = int | LayerBits


@dataclass(frozen=True)
class Cell:
    """A layer at one precision, all others float.

    Attributes:
        layer: Its name.
        bits: Of its weights, its bias and the activations that are its.
        accuracy: Of the model, from 0 to 1.
        weight_bits: Storage of its kernels, in bits.
    """

    layer: str
    bits: LayerBits
    accuracy: float
    weight_bits: int


@dataclass(frozen=True)
class Sensitivity:
    """What precision of single layers costs.

    Attributes:
        accuracy: Of the float model, from 0 to 1.
        cells: By layer in the model's order, then from wide to narrow.
    """

    accuracy: float
    cells: tuple[Cell, ...]

    @property
    def layers(self) -> dict[str, list[Cell]]:
        """The cells of each layer."""
        found: dict[str, list[Cell]] = {}
        for cell in self.cells:
            found.setdefault(cell.layer, []).append(cell)
        return found

    def loss(self, cell: Cell) -> float:
        """Accuracy that a layer's precision costs by itself, and at least what a wider one does.

        A narrower type that does better does so by luck, on which nothing should be built.
        """
        wider = self.layers[cell.layer]
        wider = wider[: wider.index(cell) + 1]
        return max(0.0, *(self.accuracy - each.accuracy for each in wider))


def sensitivity(
    model: Any, x: Any, y: NDArray[np.integer[Any]], choices: Sequence[Choice] = CHOICES
) -> Sensitivity:
    """Measure what it costs to quantize one layer at a time, after training.

    Args:
        model: A float tf-keras model that classifies, as `calibrate` takes it.
        x: Samples, float [n, ...]; ranges are measured on them as well.
        y: Their classes, int [n].
        choices: Precisions to try, a number standing for weights and activations.

    Raises:
        InputError: if there are no choices, or `x` or `y` don't fit the model.
        UnsupportedError: naming the layer, if one can't be quantized.
    """
    bits = [LayerBits(weights=c, activations=c) if isinstance(c, int) else c for c in choices]
    if not bits:
        raise InputError("sensitivity: no precisions to try")
    bits.sort(key=lambda each: (kernel_bits(each), each.activations), reverse=True)
    calibration = Calibration(model, x)
    network = calibration.network
    reference = accuracy(calibration, network, y)
    cells = []
    for node in network:
        if not node.kernels:
            continue
        size = sum(kernel.size for kernel in node.kernels.values())
        for each in bits:
            quantized = calibration.quantized({node.name: each})
            score = accuracy(calibration, quantized, y)
            cells.append(Cell(node.name, each, score, size * kernel_bits(each)))
    return Sensitivity(reference, tuple(cells))


def kernel_bits(bits: LayerBits) -> int:
    """Bits of a weight."""
    if isinstance(bits.weights, int):
        return bits.weights
    return bits.po2 or {"binary": 1, "ternary": 2}[bits.weights]


def assign(
    table: Sensitivity,
    loss: float,
    measure: Callable[[Mapping[str, LayerBits]], float] | None = None,
) -> dict[str, LayerBits]:
    """Choose the bits of each layer: as few weight bits as `loss` of accuracy pays for.

    Greedy: all layers start at their widest; the next step narrows the layer that saves most weight
    bits per accuracy lost, while the losses of single layers sum to at most `loss`. That sum is a
    guess about a model of which everything is quantized. So, given `measure`, the last steps are
    taken back, as many as it takes until what it says of the whole is within `loss`; bisection
    finds how many.

    Args:
        table: What `sensitivity` measured.
        loss: Accuracy that may be lost, from 0 to 1.
        measure: Gives the accuracy of the model with these bits.

    Returns:
        Bits by layer.
    """
    layers = table.layers
    at = dict.fromkeys(layers, 0)
    steps: list[str] = []

    def spent(name: str, place: int) -> float:
        return table.loss(layers[name][place])

    while True:
        total = sum(spent(name, place) for name, place in at.items())
        open_to: list[tuple[float, str]] = []
        for name, place in at.items():
            if place + 1 < len(layers[name]):
                costs = spent(name, place + 1) - spent(name, place)
                saves = layers[name][place].weight_bits - layers[name][place + 1].weight_bits
                if total + costs <= loss:
                    # Of steps that cost nothing, the one that saves most.
                    open_to.append((saves / (costs + 1e-6), name))
        if not open_to:
            break
        name = max(open_to)[1]
        at[name] += 1
        steps.append(name)

    def after(count: int) -> dict[str, LayerBits]:
        places = Counter(steps[:count])
        return {name: layers[name][places[name]].bits for name in layers}

    kept = len(steps)
    if measure is not None and kept and table.accuracy - measure(after(kept)) > loss:
        broken, kept = kept, 0
        while broken - kept > 1:
            middle = (kept + broken) // 2
            if table.accuracy - measure(after(middle)) > loss:
                broken = middle
            else:
                kept = middle
    return after(kept)


def find_bits(
    model: Any,
    x: Any,
    y: NDArray[np.integer[Any]],
    loss: float,
    table: Sensitivity | None = None,
) -> dict[str, LayerBits]:
    """Mixed precision for a float model: the bits that `assign` finds, measured as a whole.

    Args:
        model: As `sensitivity` takes it, and so `x` and `y`.
        x: Samples.
        y: Their classes.
        loss: Accuracy on these samples that may be lost, from 0 to 1.
        table: What `sensitivity` found for them, if it has been asked.
    """
    calibration = Calibration(model, x)
    return assign(
        table or sensitivity(model, x, y),
        loss,
        lambda bits: accuracy(calibration, calibration.best(bits), y),
    )


def accuracy(calibration: Calibration, network: Network, y: NDArray[np.integer[Any]]) -> float:
    """Share of samples whose largest output stands at the label.

    Args:
        calibration: Holds the samples.
        network: Of the same inputs and outputs as its model.
        y: Classes of the samples, int [n].

    Raises:
        InputError: if the network gives no scores of classes, or `y` isn't their numbers.
    """
    outputs = calibration.outputs(network)
    labels = np.asarray(y)
    if len(outputs) != 1 or outputs[0].ndim != 2 or outputs[0].shape[1] < 2:
        raise InputError(
            f"model '{network.name}' gives no scores of classes, shape [n, classes], so that it "
            "has no accuracy"
        )
    count, classes = outputs[0].shape
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise InputError(
            f"labels are {labels.dtype} {list(labels.shape)}; they have to be integers [{count}]"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise InputError(f"labels are from {labels.min()} to {labels.max()}, of {classes} classes")
    return float(np.mean(outputs[0].argmax(axis=1) == labels))
