"""HGQ2's softmax as layers that compute the same, number by number.

The rows of a tensor are the last of two axes here. Along a row, HGQ2 looks up exp(m - x), where m
is the greatest number, adds these up, looks up the sum's inverse, and multiplies by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from gatewright.frontend.readers.hgq_tables import Table, Values, Widths


@dataclass(frozen=True)
class Step:
    """A layer of Keras or a quantizer among those that a layer of HGQ2 becomes.

    Attributes:
        name: What is added to the layer's name; "" for the one that gives the result.
        kind: Its class; a quantizer if `widths` is given.
        reads: The steps that it reads, by name; None for what the layer itself reads.
        config: Its configuration but for its name.
        weights: Its arrays.
        widths: The widths of a quantizer.
    """

    name: str
    kind: str
    reads: tuple[str | None, ...]
    config: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    weights: Mapping[str, Values] = field(default_factory=lambda: MappingProxyType({}))
    widths: Widths | None = None


def lookup(name: str, table: Table, reads: str | None) -> Step:
    """A table of a function."""
    return Step(name, "HGQ>UnaryLUT", (reads,), {"kif_out": table.kif}, {"table": table.entries})


def softmax_steps(
    shape: list[int], stable: bool, exp: tuple[Widths, Table], inverse: tuple[Widths, Table]
) -> list[Step]:
    """The steps of a softmax along the last axis.

    Args:
        shape: The shape of a sample.
        stable: Whether the greatest number is subtracted first.
        exp: The quantizer before the table of exp(-x), or of exp(x) if it is not stable; the table.
        inverse: The quantizer before the table of 1 / x; the table.
    """
    count = shape[-1]
    rows = math.prod(shape[:-1])
    flat = {"target_shape": [rows, count]}
    steps = [Step("rows", "Reshape", (None,), flat)]
    if stable:
        steps += [
            Step("image", "Reshape", (None,), {"target_shape": [rows, count, 1]}),
            Step(
                "greatest",
                "MaxPooling2D",
                ("image",),
                {"pool_size": [1, count], "strides": [1, count], "padding": "valid"},
            ),
            Step("column", "Reshape", ("greatest",), {"target_shape": [rows, 1]}),
            _constant("spread", "column", np.ones((1, count))),
            Step("below", "Subtract", ("spread", "rows")),
        ]
    last = "below" if stable else "rows"
    steps += [
        Step("exp_iq", "FixedPointQuantizer", (last,), widths=exp[0]),
        lookup("exp", exp[1], "exp_iq"),
        _constant("sum", "exp", np.ones((count, 1))),
        Step("inv_iq", "FixedPointQuantizer", ("sum",), widths=inverse[0]),
        lookup("inv", inverse[1], "inv_iq"),
        _constant("inverse", "inv", np.ones((1, count))),
        Step("product", "Multiply", ("exp", "inverse")),
        Step("", "Reshape", ("product",), {"target_shape": shape}),
    ]
    return steps


def _constant(name: str, reads: str, kernel: Values) -> Step:
    """The product of each row with a constant matrix."""
    config = {"units": kernel.shape[1], "activation": "linear", "use_bias": False}
    return Step(name, "Dense", (reads,), config, {"kernel": kernel.astype(np.float32)})
