"""Chooses the internal types of a softmax."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from gatewright.fixed import FixedType, Overflow, Rounding
from gatewright.frontend.precision import Choices
from gatewright.hlsgraph import activation
from gatewright.hlsgraph.node import read_type, words_or_none


def refine_softmax(node: Any, choices: Choices) -> bool:
    """Choose the types and table sizes of a softmax, and return whether any changed.

    hls4ml's own type of `max - x` has half of the range that it needs, so that it wraps. And its
    table covers the whole range of the input's type, so that a wide type leaves a table of zeros.
    Here `max - x` saturates where exp(-x) rounds to zero, and the sum gets the range of the sum.
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
        # With more integer bits, exp(-x) is less than half a unit of the table's last place.
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
