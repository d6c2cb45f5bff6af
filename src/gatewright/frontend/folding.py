"""Layers that hls4ml folds into the one before them keep their result's type.

hls4ml multiplies weights by the scale of a batch normalization, drops a linear activation, and
forgets what type the result was to have. Here the layer before has it then, and says whose it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from gatewright.hlsgraph.marks import mark, marked
from gatewright.hlsgraph.node import quantizer

#: Mark on a node: names of the layers folded into it, with spaces between.
_FOLDED = "folded"
_NORMALIZATIONS, _LINEAR = "fuse_batch_normalization", "merge_linear_activation"


def owner(node: Any) -> str:
    """The layer whose result a node has: its own, or that of the last one folded into it."""
    return (str(node.name), *folded(node))[-1]


def folded(node: Any) -> tuple[str, ...]:
    """The layers that were folded into a node, in order."""
    return tuple(str(marked(node, _FOLDED, "")).split())


@contextlib.contextmanager
def types_kept() -> Iterator[None]:
    """Convert graphs within this, and folded layers keep their types."""
    from hls4ml.model.optimizer.optimizer import optimizer_map
    from hls4ml.model.optimizer.passes.bn_fuse import FuseBatchNormalization
    from hls4ml.model.optimizer.passes.linear import MergeLinearActivation
    from hls4ml.model.types import UnspecifiedPrecisionType

    class KeepingNormalizations(FuseBatchNormalization):  # type: ignore[misc]  # hls4ml has no types
        def transform(self, model: Any, node: Any) -> bool:
            before = node.get_input_node()
            to = node.get_output_variable().type.precision
            done = bool(super().transform(model, node))
            if done:
                _note(before, node)
                if not isinstance(to, UnspecifiedPrecisionType):
                    before.get_output_variable().type.precision = to
            return done

    class KeepingLinear(MergeLinearActivation):  # type: ignore[misc]  # hls4ml has no types
        def transform(self, model: Any, node: Any) -> bool:
            before = node.get_input_node()
            done = bool(super().transform(model, node))
            if done and quantizer(node) is not None:  # whose type it has now
                _note(before, node)
            return done

    former = {name: optimizer_map[name] for name in (_NORMALIZATIONS, _LINEAR)}
    optimizer_map[_NORMALIZATIONS] = KeepingNormalizations()
    optimizer_map[_LINEAR] = KeepingLinear()
    try:
        yield
    finally:
        optimizer_map.update(former)


def _note(host: Any, node: Any) -> None:
    mark(host, _FOLDED, " ".join((*folded(host), node.name, *folded(node))))
