"""Activations and softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.fixed import FixedType, Overflow, Rounding, from_float
from gatewright.hlsgraph.node import attribute, integer, number, word, words


def function(node: Any) -> str:
    """The name of an activation's function; "" for a node without one."""
    return str(node.get_attr("activation") or "").lower()


def quantizer(node: Any) -> Any:
    """The QKeras quantizer of an activation, as hls4ml's parser passes it on; or None."""
    return node.get_attr("activation_quantizer")


def parametrized(node: Any) -> str:
    """The function of a ParametrizedActivation, whose name hls4ml writes with or without _."""
    return function(node).replace("_", "")


def parameter(node: Any) -> float:
    """The slope, threshold or factor of a ParametrizedActivation."""
    return number(node, "activ_param")


def table_size(node: Any) -> int:
    """Number of entries of the table of a function."""
    return integer(node, "table_size")


def constant(node: Any, name: str) -> tuple[int, FixedType]:
    """The raw value of a constant that is a literal in the C++, and its type.

    Args:
        node: the node of hls4ml.
        name: "parameter", "slope" or "shift".
    """
    attribute_name, what = ("activ_param", "param") if name == "parameter" else (name, name)
    to = words(node, what)
    return int(from_float(np.array(number(node, attribute_name)), to)), to


@dataclass(frozen=True)
class Softmax:
    """A softmax: exponentials from one table, the inverse of their sum from another.

    Attributes:
        implementation: See `implementation`.
        outer, inner: Slices before and after the axis.
        exp_size, inv_size: Entries of the tables.
    """

    node: Any
    implementation: str
    outer: int
    inner: int
    exp_size: int
    inv_size: int

    @property
    def scale(self) -> float:
        """Factor on the exponent."""
        return number(self.node, "exp_scale", 1.0)

    @property
    def inv_input(self) -> FixedType:
        """The type of the sum that indexes the table of inverses."""
        is_default = attribute(self.node, "inv_inp_t").name == "model_default_t"
        return words(self.node, "exp_table" if is_default else "inv_inp")

    @property
    def norm(self) -> FixedType | None:
        """The type of the differences from the maximum; None if not set."""
        return words(self.node, "inp_norm") if "inp_norm_t" in self.node.attributes else None


def ternary_level(node: Any) -> float:
    """The least input for which a ternary activation gives 1."""
    return number(node, "threshold", 0.5)


def implementation(node: Any) -> str:
    """hls4ml's implementation of a softmax: "stable", "latency", "legacy" or "argmax"."""
    return word(node, "implementation")


def softmax_terms(node: Any) -> int:
    """Number of exponentials in a sum of a softmax."""
    return integer(node, "n_in") // (integer(node, "n_outer", 1) * integer(node, "n_inner", 1))


def softmax(node: Any) -> Softmax:
    """The settings of a Softmax node."""
    which = implementation(node)
    outer, inner = (integer(node, name, 1) for name in ("n_outer", "n_inner"))
    if which == "argmax":
        return Softmax(node, which, outer, inner, 0, 0)
    size = table_size(node)
    exp_size, inv_size = (integer(node, f"{name}_table_size", size) for name in ("exp", "inv"))
    return Softmax(node, which, outer, inner, exp_size, inv_size)


def types_of_elements(node: Any) -> tuple[tuple[FixedType, ...], NDArray[np.int64]]:
    """The types of a `FixedPointQuantizer`.

    Returns:
        The types that occur, and for each element of the shortest period after which they repeat
        the index of its type; -1 where it has no bits. C order.
    """
    masks = attribute(node, "mask_kbi")
    shape = tuple(int(size) for size in node.get_input_variable().shape)
    modes = [word(node, key).upper() for key in ("RND", "SAT")]
    rounding, overflow = Rounding(modes[0]), Overflow(modes[1])
    signed, bits, integers = (
        np.broadcast_to(np.asarray(each)[0] if np.size(each) > 1 else np.ravel(each), shape)
        for each in masks
    )
    kinds: dict[FixedType, int] = {}
    which = np.full(bits.size, -1, np.int64)
    for element, (k, b, i) in enumerate(
        zip(signed.ravel(), bits.ravel(), integers.ravel(), strict=True)
    ):
        if b > 0:
            to = FixedType(int(b), int(i), bool(k), rounding, overflow)
            which[element] = kinds.setdefault(to, len(kinds))
    sizes = [int(np.prod(shape[axis:])) for axis in range(len(shape), -1, -1)]
    period = next(size for size in sizes if (which == np.resize(which[:size], which.size)).all())
    return tuple(kinds), which[:period]
