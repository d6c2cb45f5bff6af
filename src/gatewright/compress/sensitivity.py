"""Which layer costs how much accuracy per bit, and mixed precision found from that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.bits import LayerBits, bits_of
from gatewright.compress.calibrate import Calibration, Samples, outputs, read_samples
from gatewright.compress.cost import Placed, count_cost
from gatewright.compress.editable_model import Network
from gatewright.compress.quantize import activation_bits, check_names
from gatewright.errors import InputError
from gatewright.fixed import FixedType

#: Widths that are tried where nothing else is asked for.
CHOICES = (8, 6, 5, 4, 3, 2)

#: Shares of samples that are the same may differ by this after a subtraction.
_EQUAL = 1e-9

Choice = int | LayerBits


@dataclass(frozen=True)
class Cell:
    """A layer at one precision.

    Attributes:
        layer: Its name.
        bits: Of its weights, its bias and the activations that are its.
        accuracy: Of the model, from 0 to 1, all other layers float.
        ebops: Effective bit operations of the model, see `Cost`, all other layers at their widest.
    """

    layer: str
    bits: LayerBits
    accuracy: float
    ebops: int


@dataclass(frozen=True)
class Sensitivity:
    """What precision of single layers costs.

    Attributes:
        accuracy: Of the float model, from 0 to 1.
        cells: By layer in the model's order, then from most EBOPs to fewest.
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
    model: Any,
    x: Any,
    y: NDArray[np.integer[Any]],
    choices: Sequence[Choice] | Mapping[str, LayerBits] = CHOICES,
    *,
    ranges: Any = None,
    input_type: FixedType | None = None,
) -> Sensitivity:
    """Measure what it costs to quantize one layer at a time, after training.

    Args:
        model: A float tf-keras model that classifies, as `calibrate` takes it.
        x: Samples, float [n, ...].
        y: Their classes, int [n].
        choices: Precisions to try, a number standing for weights and activations; or bits by
            layer, as `calibrate` takes them, of which those are tried and `narrower` ones.
        ranges: Samples that ranges are measured on, by default `x`.
        input_type: Of an element of the model's inputs; None counts them as float.

    Raises:
        InputError: if there are no choices, or one for a layer that there isn't, or `x`, `y` or
            `ranges` don't fit the model.
        UnsupportedError: naming the layer, if one can't be quantized, or its cost isn't known.
    """
    calibration = Calibration(model, x if ranges is None else ranges)
    samples, network = read_samples(model, x), calibration.network
    if isinstance(choices, Mapping):
        check_names(network, choices)
    tried = {node.name: _precisions(choices, node.name) for node in network if node.kernels}
    tried = {name: bits for name, bits in tried.items() if bits}
    if not tried:
        raise InputError("sensitivity: no precisions to try")
    reference = accuracy(network, samples, y)
    widest = {name: bits[0] for name, bits in tried.items()}
    wide = calibration.quantized(widest)
    cells: list[Cell] = []
    for name, bits in tried.items():
        found = []
        for each in bits:
            quantized = calibration.quantized({name: each})
            whole = _joined(wide, quantized, activation_bits(network, widest | {name: each}))
            ebops = count_cost(_placed(whole), input_type).ebops
            found.append(Cell(name, each, accuracy(quantized, samples, y), ebops))
        cells += sorted(found, key=lambda cell: cell.ebops, reverse=True)
    return Sensitivity(reference, tuple(cells))


def _precisions(choices: Sequence[Choice] | Mapping[str, LayerBits], layer: str) -> list[LayerBits]:
    """The precisions to try of a layer, from wide to narrow."""
    if isinstance(choices, Mapping):
        widest = bits_of(choices, layer)
        return narrower(widest) if widest is not None else []
    bits = [LayerBits(weights=c, activations=c) if isinstance(c, int) else c for c in choices]
    return sorted(bits, key=lambda each: (kernel_bits(each), each.activations), reverse=True)


def _joined(wide: Network, layer: Network, widths: Mapping[str, int]) -> Network:
    """A quantized network with one layer as another has it.

    Args:
        wide: All layers quantized.
        layer: One layer quantized, with its activations.
        widths: Of the activations of both together: one that has bits of two layers has the more.
    """
    joined = wide.copy()
    for node in layer:
        quantizer = node.quantizers.get("activation")
        if node.quantizers and (quantizer is None or quantizer.bits == widths[node.name]):
            joined.put(node)
    return joined


def _placed(network: Network) -> Iterator[Placed]:
    """The layers of a network; to build it would take far longer than to measure it."""
    for node in network:
        read = network[node.inputs[0]] if node.inputs else node
        layer = network.layer_of(node)
        yield Placed(layer, node.name, node.kind, node.inputs, read.shape, node.shape)


def kernel_bits(bits: LayerBits) -> int:
    """Bits of a weight."""
    if isinstance(bits.weights, int):
        return bits.weights
    return bits.po2 or {"binary": 1, "ternary": 2}[bits.weights]


def narrower(bits: LayerBits, widths: Sequence[int] = CHOICES) -> list[LayerBits]:
    """Bits, and what becomes of them where no weight and no activation is wider than a width.

    Weights that are no numbers of bits, and biases that are given, stay as they are.
    """
    found = [bits]
    for width in widths:
        weights = min(bits.weights, width) if isinstance(bits.weights, int) else bits.weights
        activations = min(bits.activations, width)
        each = LayerBits(weights=weights, activations=activations, biases=bits.biases)
        if each not in found:
            found.append(each)
    return found


def assign(
    table: Sensitivity,
    loss: float,
    measure: Callable[[Mapping[str, LayerBits]], float] | None = None,
) -> dict[str, LayerBits]:
    """Choose the bits of each layer: as few bit operations as `loss` of accuracy pays for.

    Greedy: all layers start at their widest; the next step narrows the layer that saves most EBOPs
    per accuracy lost, in its own multiplications and in those that read its activations, while the
    losses of single layers sum to at most `loss`. That sum is a guess about a model of which
    everything is quantized. So, given `measure`, the last steps are taken back, as many as it takes
    until what it says of the whole is within `loss`; bisection finds how many. From there each
    layer is narrowed on, until its next step would cost the whole too much.

    Args:
        table: What `sensitivity` measured.
        loss: Accuracy that may be lost, from 0 to 1.
        measure: Gives the accuracy of the model with these bits.

    Returns:
        Bits by layer.
    """
    layers = table.layers
    loss += _EQUAL
    at: Counter[str] = Counter()
    steps: list[str] = []
    while (name := _best_step(table, at, list(layers), loss)) is not None:
        at[name] += 1
        steps.append(name)

    def bits(places: Mapping[str, int]) -> dict[str, LayerBits]:
        return {name: layers[name][places[name]].bits for name in layers}

    if measure is None:
        return bits(at)

    def good(places: Mapping[str, int]) -> bool:
        return table.accuracy - measure(bits(places)) <= loss

    kept = len(steps)
    if kept and not good(at):
        broken, kept = kept, 0
        while broken - kept > 1:
            middle = (kept + broken) // 2
            if good(Counter(steps[:middle])):
                kept = middle
            else:
                broken = middle
        at = Counter(steps[:kept])
    going = list(layers)
    while (name := _best_step(table, at, going)) is not None:
        if good(at + Counter([name])):
            at[name] += 1
        else:
            going.remove(name)
    return bits(at)


def _best_step(
    table: Sensitivity, at: Counter[str], names: Sequence[str], most: float | None = None
) -> str | None:
    """The layer whose next step saves most EBOPs per accuracy lost; None if there is no step.

    Args:
        table: What single layers lose.
        at: Places of the layers.
        names: Layers that may be narrowed.
        most: What all layers together may lose by the table.
    """
    layers = table.layers

    def spent(name: str, place: int) -> float:
        return table.loss(layers[name][place])

    total = sum(spent(name, at[name]) for name in layers)
    open_to: list[tuple[float, str]] = []
    for name in names:
        place = at[name]
        if place + 1 < len(layers[name]):
            costs = spent(name, place + 1) - spent(name, place)
            saves = layers[name][place].ebops - layers[name][place + 1].ebops
            if most is None or total + costs <= most:
                # Of steps that cost nothing, the one that saves most.
                open_to.append((saves / (costs + 1e-6), name))
    return max(open_to)[1] if open_to else None


def find_bits(
    model: Any,
    x: Any,
    y: NDArray[np.integer[Any]],
    loss: float,
    bits: Mapping[str, LayerBits] | None = None,
    *,
    table: Sensitivity | None = None,
    ranges: Any = None,
    input_type: FixedType | None = None,
) -> dict[str, LayerBits]:
    """Mixed precision for a float model: the bits that `assign` finds, measured as a whole.

    Args:
        model: As `sensitivity` takes it, and so `x`, `y`, `ranges` and `input_type`.
        x: Samples.
        y: Their classes.
        loss: Accuracy on these samples that may be lost, from 0 to 1.
        bits: By layer, as `calibrate` takes it: what to start from, see `narrower`. By default all
            layers have `CHOICES`.
        table: What `sensitivity` found for these bits, if it has been asked.
        ranges: Samples that ranges are measured on, by default `x`.
        input_type: Of an element of the model's inputs.

    Returns:
        `bits`, with those that were found in place of a layer's own or the default's.
    """
    calibration = Calibration(model, x if ranges is None else ranges)
    samples, kept = read_samples(model, x), dict(bits or {})
    if table is None:
        table = sensitivity(model, x, y, kept or CHOICES, ranges=ranges, input_type=input_type)
    return kept | assign(
        table, loss, lambda found: accuracy(calibration.best({**kept, **found}), samples, y)
    )


def accuracy(network: Network, samples: Samples, y: NDArray[np.integer[Any]]) -> float:
    """Share of samples whose largest output stands at the label.

    Args:
        network: Quantized or not.
        samples: An array per input.
        y: Classes of the samples, int [n].

    Raises:
        InputError: if the network gives no scores of classes, or `y` isn't their numbers.
    """
    found = outputs(network, samples)
    labels = np.asarray(y)
    if len(found) != 1 or found[0].ndim != 2 or found[0].shape[1] < 2:
        raise InputError(
            f"model '{network.name}' gives no scores of classes, shape [n, classes], so it "
            f"has no accuracy"
        )
    count, classes = found[0].shape
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise InputError(
            f"labels are {labels.dtype} {list(labels.shape)}; they have to be integers [{count}]"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise InputError(f"labels are from {labels.min()} to {labels.max()}, of {classes} classes")
    return float(np.mean(found[0].argmax(axis=1) == labels))
