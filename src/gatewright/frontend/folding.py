"""Keeps the result type of layers that hls4ml folds into the layer before them.

hls4ml folds batch normalizations into weights and drops linear activations, and then loses the
types of their results. Here the layer before takes over the type, and a mark on it names the folded
layers. It also folds quantizers into the inputs of the network, which then have another type than
was asked for, and lose what the quantizer would round; here inputs keep their type. And it narrows
quantizers to what their inputs need. That takes the least number from a symmetrical one, and from a
table the bits that it is made for; here the C++ of quantizers, and what a table reads, has their
own widths. Of a quantizer with one type for elements that need several it narrows the width and the
integer bits by themselves, which leaves too few fractional bits; here these are kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from gatewright.hlsgraph.marks import mark, marked
from gatewright.hlsgraph.node import quantizer

#: Mark on a node: names of the layers folded into it, with spaces between.
_FOLDED = "folded"
_NORMALIZATIONS, _LINEAR = "fuse_batch_normalization", "merge_linear_activation"
_QUANTIZERS, _CODE = "fuse_fixed_point_quantizer", "vivado:process_fixed_point_quantizer_layer"


def owner(node: Any) -> str:
    """The layer whose result a node computes: the last one folded into it, or the node itself."""
    return (str(node.name), *folded(node))[-1]


def folded(node: Any) -> tuple[str, ...]:
    """The names of the layers that were folded into a node, in order."""
    return tuple(str(marked(node, _FOLDED, "")).split())


@contextlib.contextmanager
def types_kept() -> Iterator[None]:
    """Within this context, hls4ml's conversion keeps the types of folded layers."""
    from hls4ml.backends.fpga.passes.hgq_proxy_model import ProcessFixedPointQuantizerLayer
    from hls4ml.model.optimizer.optimizer import optimizer_map
    from hls4ml.model.optimizer.passes.bit_exact import _produce_kif
    from hls4ml.model.optimizer.passes.bn_fuse import FuseBatchNormalization
    from hls4ml.model.optimizer.passes.hgq_proxy_model import (
        FixedPointQuantizer,
        FuseFixedPointQuantizer,
    )
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

    class KeepingInputs(FuseFixedPointQuantizer):  # type: ignore[misc]  # hls4ml has no types
        def match(self, node: Any) -> bool:
            return bool(super().match(node)) and node.get_input_node().class_name != "Input"

        def transform(self, model: Any, node: Any) -> bool:
            _keep_for_table(node)
            return bool(super().transform(model, node))

    class KeepingWidths(ProcessFixedPointQuantizerLayer):  # type: ignore[misc]  # hls4ml has no types
        def transform(self, model: Any, node: Any) -> None:
            node.mask_kbi = node.get_attr("mask_kbi")
            _keep_for_table(node)
            super().transform(model, node)

    narrowed = _produce_kif.dispatch(FixedPointQuantizer)

    def narrowed_alike(node: Any) -> Any:
        """Narrow a quantizer, and keep the finest fraction of elements that share a type."""
        found = narrowed(node)
        signed, bits, integers = node.mask_kbi
        fractions = found[2]
        for axis, size in enumerate(bits.shape[1:]):
            if size == 1:
                fractions = fractions.max(axis=axis, keepdims=True)
        node.mask_kbi = (signed, integers + fractions[np.newaxis], integers)
        return found

    names = (_NORMALIZATIONS, _LINEAR, _QUANTIZERS, _CODE)
    former = {name: optimizer_map[name] for name in names}
    optimizer_map[_QUANTIZERS], optimizer_map[_CODE] = KeepingInputs(), KeepingWidths()
    optimizer_map[_NORMALIZATIONS] = KeepingNormalizations()
    optimizer_map[_LINEAR] = KeepingLinear()
    _produce_kif.register(FixedPointQuantizer, narrowed_alike)
    try:
        yield
    finally:
        optimizer_map.update(former)
        _produce_kif.register(FixedPointQuantizer, narrowed)


def _keep_for_table(node: Any) -> None:
    """Give a quantizer before a table its own type, which hls4ml narrows to what its input needs.

    The table has an entry for every number of the own type, by its bits.
    """
    from hls4ml.model.optimizer.passes.hgq_proxy_model import FixedPointQuantizer
    from hls4ml.model.types import FixedPrecisionType

    if not isinstance(node, FixedPointQuantizer):
        return
    masks = node.get_attr("mask_kbi")
    one_type = all((mask == mask.flat[0]).all() for mask in masks)
    if not one_type or all(each.class_name != "UnaryLUT" for each in node.get_output_nodes()):
        return
    node.mask_kbi = masks
    signed, width, integer = (int(mask.flat[0]) for mask in masks)
    own = FixedPrecisionType(width, integer, bool(signed))
    node.get_output_variable().type.precision = own
    node.attributes["result_t"].precision = own


def _note(host: Any, node: Any) -> None:
    mark(host, _FOLDED, " ".join((*folded(host), node.name, *folded(node))))
