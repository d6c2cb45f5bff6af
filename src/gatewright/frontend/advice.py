"""A conversion's advice on types: values without known bounds, and types that are too narrow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gatewright.fixed import FixedType, Overflow
from gatewright.frontend.folding import owner
from gatewright.frontend.precision import Choices, fine_type, holds, is_fine, widened
from gatewright.frontend.ranges import (
    Interval,
    holds_interval,
    ranged_type,
    type_interval,
)
from gatewright.frontend.refine import Request, columns_of, ranges_of
from gatewright.hlsgraph import activation, fixed_type, garnet
from gatewright.hlsgraph.families import ACTIVATIONS, CASTING
from gatewright.hlsgraph.node import quantizer, read_channels, read_type, result_type, words_or_none
from gatewright.hlsgraph.normalization import layer_normalization

#: Widest type that is proposed: hls4ml's C++ can't cast a float to a wider one.
_MOST_BITS = 58
#: Error of a result that rounding its weights may cause, as a fraction of the result: beyond the
#: first the user is told, and the type that is then proposed stays within the second.
_MOST_ERROR, _KEPT_ERROR = 0.5, 2.0**-8


def advise(graph: Any, choices: Choices, request: Request) -> list[str]:
    """Advice on types: for each kind of problem the first layer, and the number of others.

    Args:
        graph: hls4ml's finished ModelGraph.
        choices: The types that were chosen, and who chose them.
        request: The user's request.

    Returns:
        Lines for the user, at most one for each kind of problem.
    """
    kinds = (
        _assumed(graph, choices, request),
        _beyond(graph, choices, request),
        _vanishing(graph, request),
        _coarse(graph, request),
    )
    return [_joined(lines) for lines in map(list, kinds) if lines]


def _joined(lines: list[str]) -> str:
    more = len(lines) - 1
    return lines[0] + (f" (and {more} more)" if more else "")


def _assumed(graph: Any, choices: Choices, request: Request) -> Iterator[str]:
    """Inputs whose range is not known."""
    for node in graph.get_layers():
        if node.class_name != "Input" or (node.name, "result") in request.set_by_user:
            continue
        readers = node.get_output_nodes()
        if request.measured is not None or any(each.class_name == "Embedding" for each in readers):
            continue
        if garnet.counted_vertices(node):
            continue
        to = result_type(node)
        if to is not None:
            yield (
                f"input '{node.name}': its range is not known; {to} is assumed, which holds "
                f"{_span(type_interval(to))}; give samples with --data FILE, or its type with "
                f"--input-precision"
            )


def _beyond(graph: Any, choices: Choices, request: Request) -> Iterator[str]:
    """Types that don't hold their values: the user's, and types that reached the widest width."""
    ranges = ranges_of(graph, choices, request)
    by = "bounds" if request.measured is None else "the samples"
    measured = request.measured or {}
    for node in graph.get_layers():
        name = owner(node)
        for what, variable in node.weights.items():
            if (node.name, what) not in request.set_by_user:
                continue
            to, values = fixed_type(variable.type.precision), np.asarray(variable.data, np.float64)
            if to is not None and values.size and not holds(values, to):
                span = _span(Interval.of(values.min(), values.max()))
                yield _line(node.name, what, span, "its weights", to, widened(values, to))
        free = measured.get(node.name, ranges.free[node.name])
        for what in ("accum", "result"):
            if what == "accum" and (node.name, what) not in request.set_by_user:
                continue
            to = words_or_none(node, "accum") if what == "accum" else result_type(node)
            if to is None or node.class_name == "Softmax" or holds_interval(to, free):
                continue
            if not _is_requested(node, name, what, choices, request):
                continue
            line = _line(
                name, what, _span(free), by, to, ranged_type(free, to, to.width, _MOST_BITS)
            )
            is_ours = (name, what) not in request.set_by_user and not request.to_the_letter
            is_loose = is_ours and request.measured is None
            yield line + (", and --data FILE gives measured ranges" if is_loose else "")


def _vanishing(graph: Any, request: Request) -> Iterator[str]:
    """Weights whose types, set by the user or by hls4ml, round them almost to zero."""
    for node in graph.get_layers():
        for what, variable in node.weights.items():
            to, values = fixed_type(variable.type.precision), np.asarray(variable.data, np.float64)
            columns = values.reshape(1, -1) if what == "scale" else columns_of(node, what, values)
            if to is None or what == "bias" or columns is None or not values.size:
                continue
            if variable.quantizer is not None or not holds(values, to):  # see `_beyond`
                continue
            if not is_fine(columns, to, _MOST_ERROR):
                fine = fine_type(columns, request.default, _KEPT_ERROR)
                yield (
                    f"layer '{node.name}': its {what}, {np.abs(values).max():.3g} at most, is "
                    f"almost lost in {to}; --set {node.name}.precision.{what}='{fine}' keeps it"
                )


def _is_requested(node: Any, name: str, what: str, choices: Choices, request: Request) -> bool:
    """Whether the user or the range inference chose a type, and not a quantizer of the model."""
    if {(name, what), (node.name, what)} & set(request.set_by_user):
        return True
    if quantizer(node) is not None or activation.quantizer(node) is not None:
        return False
    if node.class_name in ACTIVATIONS and request.to_the_letter:
        return True
    return node.class_name in (*ACTIVATIONS, *CASTING) and choices.chose_result(name)


def _line(layer: str, what: str, span: str, by: str, to: FixedType, wide: FixedType) -> str:
    does = "wraps" if to.overflow is Overflow.WRAP else "saturates"
    return (
        f"layer '{layer}': values of {span} by {by}, where its {what} {to} {does}; "
        f"--set {layer}.precision.{what}='{wide}' holds them"
    )


def _span(interval: Interval) -> str:
    low, high = interval.whole
    return f"{low:.5g} to {high:.5g}"


def _coarse(graph: Any, request: Request) -> Iterator[str]:
    """Layer normalizations whose sums leave epsilon no bits, as their input's range is wide."""
    more = "" if request.measured is not None else "; give samples with --data FILE"
    for node in graph.get_layers():
        if node.class_name != "LayerNormalization":
            continue
        given, inputs = layer_normalization(node), read_type(node)
        # The least variance that is not zero: one element is a step away from the others.
        least = 0.0 if inputs is None else math.ldexp(1, -2 * inputs.frac) / read_channels(node)
        if math.ldexp(1, -given.accum.frac) > max(given.epsilon, least):
            yield (
                f"layer '{owner(node)}': its sums have steps of {2.0**-given.accum.frac:.2g}, "
                f"more than its epsilon of {given.epsilon:g}, since their range is wide: results "
                f"of small variances are rough{more}"
            )
