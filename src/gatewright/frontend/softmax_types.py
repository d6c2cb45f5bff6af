"""Types between the tables of a softmax."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from gatewright.fixed import FixedType, Overflow, Rounding
from gatewright.frontend.precision import Choices
from gatewright.hlsgraph import activation
from gatewright.hlsgraph.node import read_type, words_or_none


def refine_softmax(node: Any, choices: Choices) -> bool:
    """Choose the types of a softmax; whether that changes anything.

    hls4ml gives `max - x` half the range it needs, so that it wraps, and divides the range of
    whatever type comes in evenly among the table's entries, so that a wide input leaves a table of
    zeros. Here the difference ends where the exponential does, the sum's type where the sum does.
    """
    if activation.implementation(node) != "stable":
        return False
    name, current = node.name, read_type(node)
    exp_table, accum = (words_or_none(node, what) for what in ("exp_table", "accum"))
    if current is None or exp_table is None or accum is None:
        return False
    table_bits = 10
    changed = False
    if (name, "inp_norm") not in choices.user:
        # Beyond this integer width exp(-x) is below half the table's last place.
        vanishing = max(math.ceil(math.log2((exp_table.frac + 1) * math.log(2))), 0)
        integer = min(current.integer, vanishing)
        frac = min(current.frac, table_bits - integer)
        width = integer + frac
        if width < 1:
            integer, frac, width = 1 - frac, frac, 1
        to = FixedType(width, integer, False, Rounding.RND, Overflow.SAT)
        changed |= choices.set_precision(name, "inp_norm", to)
        changed |= choices.set_key(name, "ExpTableSize", 1 << width)
        changed |= choices.set_key(name, "InvTableSize", 1 << table_bits)
    integer = activation.softmax_terms(node).bit_length()  # each term is at most one
    inv_inp = FixedType(18, integer, False, Rounding.RND, Overflow.SAT)
    changed |= choices.set_precision(name, "inv_inp", inv_inp)
    if accum.integer <= integer:
        grow = integer + 1 - accum.integer
        to = replace(accum, width=accum.width + grow, integer=integer + 1)
        changed |= choices.set_precision(name, "accum", to)
    return changed
