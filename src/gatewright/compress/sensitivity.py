"""Sensitivity analysis: how much of a metric each layer's precision costs; and mixed precision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatewright.compress.bits import LayerBits, bits_of
from gatewright.compress.calibrate import Calibration, Samples, outputs, read_samples
from gatewright.compress.cost import Placed, count_cost
from gatewright.compress.editable_model import Network
from gatewright.compress.quantize import activation_bits, check_names
from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.metrics import ACCURACY, Goal, Metric, Tensors

#: Widths in bits that are tried by default.
CHOICES = (8, 6, 5, 4, 3, 2)

#: Rounding error of differences between values of a metric.
_EQUAL = 1e-9

Choice = int | LayerBits


@dataclass(frozen=True)
class Cell:
    """A layer at one precision.

    Attributes:
        layer: Its name.
        bits: The bits of its weights, its bias and its activations.
        score: The metric of the model with all other layers float.
        ebops: Effective bit operations of the model, see `Cost`, with all other layers at their
            widest.
    """

    layer: str
    bits: LayerBits
    score: float
    ebops: int


@dataclass(frozen=True)
class Sensitivity:
    """How much of a metric the precision of single layers costs.

    Attributes:
        score: The metric of the float model.
        cells: Layers at different precisions, in the model's order, then by falling EBOPs.
        goal: The metric.
    """

    score: float
    cells: tuple[Cell, ...]
    goal: Goal = ACCURACY

    @property
    def layers(self) -> dict[str, list[Cell]]:
        """The cells of each layer."""
        found: dict[str, list[Cell]] = {}
        for cell in self.cells:
            found.setdefault(cell.layer, []).append(cell)
        return found

    def loss(self, cell: Cell) -> float:
        """What a layer's precision costs, see `Goal.lost`: at least what a wider one does.

        If a narrower type does better than a wider one, that is chance.
        """
        wider = self.layers[cell.layer]
        wider = wider[: wider.index(cell) + 1]
        return max(0.0, *(self.goal.lost(self.score, each.score) for each in wider))


def sensitivity(
    model: Any,
    x: Any,
    y: Tensors,
    choices: Sequence[Choice] | Mapping[str, LayerBits] = CHOICES,
    *,
    metric: Metric = ACCURACY,
    ranges: Any = None,
    input_type: FixedType | None = None,
) -> Sensitivity:
    """Measure what quantizing one layer at a time costs, without training.

    Args:
        model: A float tf-keras model, as for `calibrate`.
        x: Samples, float [n, ...]; a list of them for several inputs.
        y: Their targets [n, ...], for example classes, int [n]; by output's name if there are
            several.
        choices: Precisions to try, where a number counts for weights and activations; or bits by
            layer, as for `calibrate`, which are tried together with `narrower` ones.
        metric: What is measured.
        ranges: Samples on which ranges are measured; by default `x`.
        input_type: The type of the model's inputs; None counts them as float.

    Raises:
        InputError: if there is nothing to try, `choices` names a layer that doesn't exist, or `x`,
            `y` or `ranges` don't fit the model.
        UnsupportedError: if a layer can't be quantized, or its cost isn't known.
    """
    calibration = Calibration(model, x if ranges is None else ranges)
    samples, network = read_samples(model, x), calibration.network
    if isinstance(choices, Mapping):
        check_names(network, choices)
    tried = {node.name: _precisions(choices, node.name) for node in network if node.kernels}
    tried = {name: bits for name, bits in tried.items() if bits}
    if not tried:
        raise InputError("sensitivity: no precisions to try")
    reference = score(network, samples, y, metric)
    widest = {name: bits[0] for name, bits in tried.items()}
    wide = calibration.quantized(widest)
    cells: list[Cell] = []
    for name, bits in tried.items():
        found = []
        for each in bits:
            quantized = calibration.quantized({name: each})
            whole = _joined(wide, quantized, activation_bits(network, widest | {name: each}))
            ebops = count_cost(_placed(whole), input_type).ebops
            found.append(Cell(name, each, score(quantized, samples, y, metric), ebops))
        cells += sorted(found, key=lambda cell: cell.ebops, reverse=True)
    return Sensitivity(reference, tuple(cells), metric)


def _precisions(choices: Sequence[Choice] | Mapping[str, LayerBits], layer: str) -> list[LayerBits]:
    """The precisions to try for a layer, from wide to narrow."""
    if isinstance(choices, Mapping):
        widest = bits_of(choices, layer)
        return narrower(widest) if widest is not None else []
    bits = [LayerBits(weights=c, activations=c) if isinstance(c, int) else c for c in choices]
    return sorted(bits, key=lambda each: (kernel_bits(each), each.activations), reverse=True)


def _joined(wide: Network, layer: Network, widths: Mapping[str, int]) -> Network:
    """A quantized network with one layer taken from another network.

    Args:
        wide: The network with all layers quantized.
        layer: The network with one layer and its activations quantized.
        widths: Bits of the activations for both together: the greater ones if two layers share an
            activation.
    """
    joined = wide.copy()
    for node in layer:
        quantizer = node.quantizers.get("activation")
        if node.quantizers and (quantizer is None or quantizer.bits == widths[node.name]):
            joined.put(node)
    return joined


def _placed(network: Network) -> Iterator[Placed]:
    """The layers of a network, without building it, which would take longer than measuring."""
    for node in network:
        read = network[node.inputs[0]] if node.inputs else node
        layer = network.layer_of(node)
        yield Placed(layer, node.name, node.kind, node.inputs, read.shape, node.shape)


def kernel_bits(bits: LayerBits) -> int:
    """The bits of a weight, including the sign."""
    if isinstance(bits.weights, int):
        return bits.weights
    return bits.po2 or {"binary": 1, "ternary": 2}[bits.weights]


def narrower(bits: LayerBits, widths: Sequence[int] = CHOICES) -> list[LayerBits]:
    """The given bits, and for each width the bits with weights and activations limited to it.

    Weights whose bits aren't a number, and given bits of biases, stay as they are. Each result
    occurs once.
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
    """Choose the bits of each layer, with few bit operations within a loss of the metric.

    A greedy search: all layers start at their widest. Each step narrows the layer that saves most
    EBOPs per loss, as long as the losses of the single layers add up to at most `loss`.
    This sum only estimates the loss of a completely quantized model. So with `measure`, the last
    steps are undone until the measured loss is within `loss`; bisection finds how many. Then each
    layer is narrowed further until its next step would exceed `loss`.

    Args:
        table: The result of `sensitivity`.
        loss: What may be lost, see `Goal.lost`: accuracy from 0 to 1, or the rise of an error.
        measure: Returns the metric of the model with given bits by layer.

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
        return table.goal.lost(table.score, measure(bits(places))) <= loss

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
    """The layer whose next step saves most EBOPs per loss; None if there is no step.

    Args:
        table: The result of `sensitivity`.
        at: For each layer, the index of its current cell.
        names: Layers that may be narrowed.
        most: What all layers together may lose according to the table; None for no limit.
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
                # Among steps that cost nothing, the one that saves most is chosen.
                open_to.append((saves / (costs + 1e-6), name))
    return max(open_to)[1] if open_to else None


def find_bits(
    model: Any,
    x: Any,
    y: Tensors,
    loss: float,
    bits: Mapping[str, LayerBits] | None = None,
    *,
    metric: Metric = ACCURACY,
    table: Sensitivity | None = None,
    ranges: Any = None,
    input_type: FixedType | None = None,
) -> dict[str, LayerBits]:
    """Find mixed precision for a float model: `assign` with measurements of the whole model.

    Args:
        model: As for `sensitivity`.
        x: As for `sensitivity`.
        y: As for `sensitivity`.
        loss: What may be lost on these samples, as for `assign`.
        bits: Bits by layer to start from, as for `calibrate`; see `narrower`. By default `CHOICES`
            are tried for all layers.
        metric: As for `sensitivity`.
        table: The result of `sensitivity` for these bits, if it is known already.
        ranges: Samples on which ranges are measured; by default `x`.
        input_type: The type of the model's inputs; None counts them as float.

    Returns:
        `bits`, with the found bits of each layer.

    Raises:
        InputError, UnsupportedError: as `sensitivity`.
    """
    calibration = Calibration(model, x if ranges is None else ranges)
    samples, kept = read_samples(model, x), dict(bits or {})
    if table is None:
        table = sensitivity(
            model, x, y, kept or CHOICES, metric=metric, ranges=ranges, input_type=input_type
        )
    return kept | assign(
        table, loss, lambda found: score(calibration.best({**kept, **found}), samples, y, metric)
    )


def score(network: Network, samples: Samples, y: Tensors, metric: Metric) -> float:
    """The metric of a network on samples.

    Args:
        network: A network, quantized or not.
        samples: An array [n, ...] for each input.
        y: Targets of the samples [n, ...]; by output's name if there are several.
        metric: The metric.

    Raises:
        InputError: if the targets don't fit the network's outputs or the metric.
    """
    found = outputs(network, samples)
    several = dict(zip(network.outputs, found, strict=True))
    return metric.of(y, several if len(found) > 1 else found[0])
