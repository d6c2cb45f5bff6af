"""Batch normalizations that hls4ml folds into the layer before them keep their result's type.

hls4ml multiplies the weights by the scale, and forgets what type the result was to have. Here the
layer before has it then, and says whose it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

#: Attribute of a node: the name of the layer whose result its own is.
_FOLDED = "gatewright_folded"
_NORMALIZATIONS = "fuse_batch_normalization"


def owner(node: Any) -> str:
    """The layer whose result a node has: its own, or that of the last one folded into it."""
    return str(node.get_attr(_FOLDED, node.name))


@contextlib.contextmanager
def types_kept() -> Iterator[None]:
    """Convert graphs within this, and folded layers keep their types."""
    from hls4ml.model.optimizer.optimizer import optimizer_map
    from hls4ml.model.optimizer.passes.bn_fuse import FuseBatchNormalization
    from hls4ml.model.types import UnspecifiedPrecisionType

    class Keeping(FuseBatchNormalization):  # type: ignore[misc]  # hls4ml has no types
        def transform(self, model: Any, node: Any) -> bool:
            before = node.get_input_node()
            to = node.get_output_variable().type.precision
            done = bool(super().transform(model, node))
            if done:
                before.set_attr(_FOLDED, node.name)
                if not isinstance(to, UnspecifiedPrecisionType):
                    before.get_output_variable().type.precision = to
            return done

    former = optimizer_map[_NORMALIZATIONS]
    optimizer_map[_NORMALIZATIONS] = Keeping()
    try:
        yield
    finally:
        optimizer_map[_NORMALIZATIONS] = former
