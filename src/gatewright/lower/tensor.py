"""Layers that merge tensors or rearrange elements."""

from __future__ import annotations

from gatewright import kernels
from gatewright.hlsgraph import tensor, weights
from gatewright.hlsgraph.layers import Layer
from gatewright.hlsgraph.node import words
from gatewright.hlsgraph.precisions import is_ternary
from gatewright.kernels import Kernel
from gatewright.lower.registry import lowers, place


@lowers("Merge")
def merge(layer: Layer) -> Kernel:
    """Two tensors, element by element."""
    operation = tensor.operation(layer.node)
    if operation not in kernels.OPERATIONS:
        raise layer.refuse(f"operation '{operation}' is not supported yet")
    return kernels.Merge(**place(layer), operation=operation)


@lowers("Dot")
def dot(layer: Layer) -> Kernel:
    """The sum of products of two vectors."""
    first, second = layer.operands
    if first.is_sign or second.is_sign or is_ternary(second.precision):
        raise layer.refuse("a dot product of binary or ternary tensors is not supported")
    return kernels.Dot(**place(layer), accum=words(layer.node, "accum"))


@lowers("Einsum")
def einsum(layer: Layer) -> Kernel:
    """Sums of products of two tensors along some of their axes."""
    given = tensor.einsum(layer.node)
    return kernels.Einsum(**place(layer), **vars(given), accum=words(layer.node, "accum"))


@lowers("Concatenate")
def concatenate(layer: Layer) -> Kernel:
    """Two tensors joined along an axis."""
    axis = tensor.axis(layer.node, len(layer.output.shape))
    return kernels.Concatenate(**place(layer), axis=axis)


@lowers("Reshape", "Repack")
def reshape(layer: Layer) -> Kernel:
    """The same elements in another shape; Repack does this to a stream."""
    return kernels.Reshape(**place(layer))


@lowers("Transpose")
def transpose(layer: Layer) -> Kernel:
    """The same elements in another order of axes."""
    return kernels.Transpose(**place(layer), perm=tensor.permutation(layer.node))


@lowers("Embedding")
def embedding(layer: Layer) -> Kernel:
    """A row of a table for each index."""
    table, to = weights.raw_weights(layer.node, "embeddings")
    rows = table.reshape(-1, layer.output.shape[-1])
    return kernels.Embedding(**place(layer), table=rows, table_type=to)
