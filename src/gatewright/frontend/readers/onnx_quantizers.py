"""Quantizers of QONNX: the steps of each, and QKeras' quantizer where one computes the same.

Source of their semantics: the operators' definitions in qonnx/custom_op/general.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gatewright.frontend.messages import shown
from gatewright.frontend.readers.onnx_graph import Constant, Graph, Node, Quantizer, Values

#: Operators that quantize constants as well.
_OF_CONSTANTS = ("Quant", "BipolarQuant")
#: Rounding to whole numbers, by qonnx's names; `ROUND` rounds half to even.
_ROUNDINGS: dict[str, Callable[[Values], Values]] = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "UP": lambda y: np.sign(y) * np.ceil(np.abs(y)),
    "DOWN": np.trunc,
    "HALF_UP": lambda y: np.sign(y) * np.floor(np.abs(y) + 0.5),
    "HALF_DOWN": lambda y: np.sign(y) * np.ceil(np.abs(y) - 0.5),
}


@dataclass(frozen=True)
class Grid:
    """What a quantizer rounds to: (whole number - zero point) * scale.

    Attributes:
        scales: The scale, for each channel or for all, in the shape of the node's constant.
        zero: The zero point.
        bits: Width of the whole numbers.
        signed: Whether they may be negative.
        narrow: Whether the least is the negative of the greatest.
        rounding: Rounding to whole numbers, by qonnx's name.
        dropped: Bits that a truncation drops of values that it rounded to the nearest whole number
            over its input's scale.
        ratio: The scale over that of a truncation's input.
        bipolar: Whether it gives 1 and -1 only, as the sign of what it reads.
        clamps: Whether whole numbers are cut to their width; else they are known to fit.
    """

    scales: Values
    zero: float
    bits: int
    signed: bool
    narrow: bool = False
    rounding: str = "ROUND"
    dropped: int | None = None
    ratio: float = 1.0
    bipolar: bool = False
    clamps: bool = True

    @property
    def finest(self) -> int:
        """Fractional bits of the smallest scale that is a power of two."""
        return int(1 - np.frexp(self.scales)[1].min())

    @property
    def has_type(self) -> bool:
        """Whether a fixed-point type has the same numbers, rounded alike."""
        of_two = bool((np.frexp(self.scales)[0] == 0.5).all())
        rounds = self.rounding in ("ROUND", "HALF_EVEN") and self.dropped is None
        return of_two and rounds and not self.zero

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest whole number."""
        if self.bipolar:
            return 0, 1
        high = (1 << (self.bits - self.signed)) - 1
        return (-high - (not self.narrow) if self.signed else 0), high

    def step(self, values: Values) -> Values:
        """The whole number of each value over the scale, by the operator's definition; float64.

        A bipolar quantizer's are 0 and 1.
        """
        if self.bipolar:
            return np.asarray(values >= 0, np.float64)
        rounding = _ROUNDINGS[self.rounding]
        if self.dropped is None:
            return np.clip(rounding(values + self.zero), *self.limits)
        whole = np.round(values * self.ratio) / 2.0**self.dropped
        return rounding(np.clip(whole, *self.limits) if self.clamps else whole)

    @property
    def gain(self) -> float:
        """How much the whole number grows where the value over the scale does by 1."""
        return self.ratio * 2.0 ** -(self.dropped or 0)

    def fitted(self, values: Values) -> Grid:
        """The same with a width that holds the whole numbers of all values between these."""
        if self.clamps:
            return self
        whole = self.step(values)
        signed = bool((whole < 0).any())
        largest = int(np.maximum(whole, -whole - 1).max())
        bits = max(largest.bit_length() + signed, 1 + signed)
        return replace(self, bits=bits, signed=signed, clamps=True)

    def quantizer(self, *, whole: bool) -> Quantizer:
        """QKeras' quantizer to these numbers.

        Args:
            whole: Whether it is to give whole numbers, not these times the scale.
        """
        if self.bipolar:
            alpha = 1.0 if whole else float(self.scales.reshape(-1)[0])
            return {"class_name": "binary", "config": {"alpha": alpha}}
        frac = 0 if whole else self.finest
        if self.signed:
            return bits_quantizer(self.bits, frac, signed=True, narrow=self.narrow)
        return {
            "class_name": "quantized_relu",
            "config": {"bits": self.bits, "integer": self.bits - frac},
        }


def bits_quantizer(bits: int, frac: int, *, signed: bool, narrow: bool) -> Quantizer:
    """`quantized_bits` with this width, and with this number of fractional bits."""
    config = {
        "bits": bits,
        "integer": bits - signed - frac,
        "symmetric": narrow,
        "keep_negative": signed,
        "alpha": 1.0,
    }
    return {"class_name": "quantized_bits", "config": config}


def grid(graph: Graph, node: Node) -> Grid:
    """What a `Quant`, a `BipolarQuant` or a `Trunc` rounds to.

    Raises:
        UnsupportedError: if its parameters are not those of the operator.
    """
    scales = graph.constant(node, 1, "scale").real
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        graph.refuse(node, "its scale must be more than 0")
    if node["op"] == "BipolarQuant":
        return Grid(scales, 0.0, bits=1, signed=True, narrow=True, bipolar=True)
    zero = graph.number(node, 2, "zero point")
    if zero != round(zero):
        graph.refuse(node, f"its zero point {zero:g} must be a whole number")
    bits = graph.number(node, 3, "bit width")
    signed, narrow = (bool(node["attributes"].get(key)) for key in ("signed", "narrow"))
    if node["op"] == "Trunc":
        return _truncation(
            graph, node, Grid(scales, zero, _bits(graph, node, bits), signed, narrow)
        )
    found = Grid(scales, zero, _bits(graph, node, bits), signed, narrow)
    if narrow and not signed:
        graph.refuse(node, "a narrow unsigned range has no quantizer")
    if signed and found.bits == 1:  # a sign, whatever the rounding
        if zero:
            graph.refuse(node, "the zero point of a signed bit must be 0")
        return replace(found, narrow=True, bipolar=True)
    return replace(found, rounding=_rounding(graph, node, "ROUND"))


def _bits(graph: Graph, node: Node, bits: float) -> int:
    if bits != round(bits) or not 1 <= bits <= 64:
        graph.refuse(node, f"its bit width {bits:g} must be a whole number up to 64")
    return int(bits)


def _rounding(graph: Graph, node: Node, default: str) -> str:
    found = str(node["attributes"].get("rounding_mode", default)).upper()
    if found not in _ROUNDINGS:
        graph.refuse(node, f"its rounding mode is {shown(found)}, which is not known")
    return found


def _truncation(graph: Graph, node: Node, source: Grid) -> Grid:
    """A `Trunc` of either version; `source` has the grid of what it reads."""
    rounding = _rounding(graph, node, "FLOOR")
    if source.zero:
        graph.refuse(node, "the zero point of a truncation must be 0")
    newer = len(node["inputs"]) > 5
    kept = _bits(graph, node, graph.number(node, 5 if newer else 4, "output bit width"))
    if newer:
        scales = graph.constant(node, 4, "output scale").real
        ratios = np.unique(scales / source.scales)
        if ratios.size != 1:
            graph.refuse(node, "a truncation drops as many bits of all channels")
        ratio, bits = float(ratios[0]), round(float(np.log2(ratios[0])))
        signed, narrow = source.signed, source.narrow
    else:  # the first version keeps the scale, and doesn't clamp
        scales, ratio, bits = source.scales, 1.0, source.bits - kept
        signed, narrow = source.signed, False
    if not 0 <= bits <= 64:
        graph.refuse(node, "a truncation drops 0 to 64 bits")
    found = Grid(scales, 0.0, kept, signed, narrow, rounding, dropped=bits, ratio=ratio)
    return replace(found, clamps=newer)


def settle(graph: Graph) -> None:
    """Add the constants that quantizers give to those of a graph.

    Raises:
        UnsupportedError: if a quantizer's parameters are not those of its operator.
    """
    waiting = [node for node in graph.nodes if node["op"] in _OF_CONSTANTS and node["inputs"]]
    while ready := [node for node in waiting if node["inputs"][0] in graph.constants]:
        for node in ready:
            with graph.read(node):
                graph.constants[node["outputs"][0]] = _quantized(graph, node)
        waiting = [node for node in waiting if node not in ready]


def _quantized(graph: Graph, node: Node) -> Constant:
    """A constant after its quantizer."""
    to = grid(graph, node)
    values = graph.constants[node["inputs"][0]].real
    whole = to.step(values / to.scales)
    steps = 2 * whole - 1 if to.bipolar else whole - to.zero
    if steps.shape != values.shape:
        graph.refuse(node, "its scale has another shape than the constant")
    if (np.frexp(to.scales)[0] != 0.5).any():
        return Constant(steps.astype(np.float32), _holding(steps, 0, to), to.scales)
    found = steps * to.scales
    if to.scales.size == 1 and to.has_type:
        quantizer = to.quantizer(whole=False)
        if not (to.signed or to.bipolar):
            quantizer = bits_quantizer(to.bits, to.finest, signed=False, narrow=False)
    else:  # the type that holds the values of all channels, which rounds none of them
        quantizer = _holding(found, to.finest, to)
    return Constant(found.astype(np.float32), quantizer)


def _holding(values: Values, frac: int, to: Grid) -> Quantizer:
    """A quantizer that rounds none of the values."""
    if to.bipolar and not frac:
        return to.quantizer(whole=True)
    signed = bool((values < 0).any()) or to.signed
    largest = int(np.abs(np.ldexp(values, frac)).max())
    bits = max(largest.bit_length() + signed, 1 + signed)
    return bits_quantizer(bits, frac, signed=signed, narrow=False)


def keeps_zeros(quantizer: Quantizer) -> bool:
    """Whether zeros stay zeros among the weights of a quantizer: bits of a sign have none."""
    config = quantizer["config"]
    bits: int = config["bits"] if quantizer["class_name"] != "binary" else 0
    signs: int = config.get("keep_negative", 0)
    return bits > signs
