"""Refuses graphs for which hls4ml has no C++, or C++ that computes something else."""

from __future__ import annotations

from typing import Any

from gatewright.errors import UnsupportedError
from gatewright.hlsgraph import fixed_type

_SIDES = ("pad_left", "pad_right", "pad_top", "pad_bottom")


def check_graph(origin: str, graph: Any) -> None:
    """Check every node of a ModelGraph whose flow has been applied.

    Raises:
        UnsupportedError: naming the layer, the reason and what would be right.
    """
    stream = graph.config.get_config_value("IOType") == "io_stream"
    for node in graph.get_layers():
        reason = _reason(node) or (_stream_reason(node) if stream else None)
        if reason is not None:
            name = node.name.removeprefix("repack_").removeprefix("bnbt_").removesuffix("_scale")
            name = name.removesuffix("_alpha")
            raise UnsupportedError(f"{origin}: layer '{name}': {reason}")
    inputs = {variable.name for variable in graph.get_input_variables()}
    for name, variable in zip(graph.outputs, graph.get_output_variables(), strict=True):
        if variable.name in inputs:
            raise UnsupportedError(
                f"{origin}: output '{name}' is an input as it came; hls4ml has no C++ for that"
            )


def _reason(node: Any) -> str | None:
    """Why a node can't be had in either io type."""
    kind = node.class_name
    if kind == "Input":
        return None
    padded = any(node.get_attr(side, 0) for side in _SIDES)
    signs = [_is_sign(node.get_input_variable(name)) for name in node.inputs]
    if kind == "Embedding":
        inputs = fixed_type(node.get_input_variable().type.precision)
        last = int(node.get_attr("vocab_size")) - 1
        if inputs is not None and inputs.max < last << max(inputs.frac, 0):
            bits = max(last.bit_length(), 1)
            return (
                f"its input's type {inputs} can't hold the index {last}; set "
                f"{node.get_input_node().name}.precision.result=ufixed<{bits},{bits}>"
            )
    if any(
        type(w.type.precision).__name__.endswith("ExponentPrecisionType")
        for w in node.weights.values()
    ):
        return (
            "its weights, or their scale, are powers of two, which hls4ml can't write; leave "
            "--preset hls4ml out, with which they are fixed-point numbers"
        )
    if padded and any(signs):
        return "pads one-bit values, where 0 stands for -1; pad before the activation"
    if kind == "Merge" and any(signs):
        return (
            f"{node.get_attr('op')} of one-bit values, where 0 stands for -1; merge before the "
            "activation"
        )
    if padded and kind.startswith("Pooling") and node.get_attr("pool_op").lower() == "max":
        inputs = fixed_type(node.get_input_variable().type.precision)
        if inputs is not None and not inputs.signed:
            return (
                "max pooling with padding of unsigned values, which hls4ml pads with a large one; "
                "pool with padding 'valid', or before the activation"
            )
    return None


def _is_sign(variable: Any) -> bool:
    return type(variable.type.precision).__name__.removeprefix("AP") == "XnorPrecisionType"


def _stream_reason(node: Any) -> str | None:
    """Why a node can't be had in io_stream."""
    kind = node.class_name
    if kind.startswith("Pooling"):
        if any(node.get_attr(side, 0) for side in _SIDES):
            return "pooling with padding, which hls4ml has in io_parallel only; use io_parallel"
        sizes = [[node.get_attr(f"{w}_{s}", 1) for s in ("height", "width")] for w in _WINDOW]
        if kind == "Pooling2D" and sizes[0] != sizes[1]:
            return (
                f"pool_size {sizes[0]} with strides {sizes[1]}; in io_stream hls4ml has equal "
                "ones only; use io_parallel"
            )
    if kind == "Activation" and node.get_attr("activation") in ("relu1", "relu6"):
        return (
            f"hls4ml has no {node.get_attr('activation')} in io_stream; use a quantized_relu of "
            "the range wanted, or io_parallel"
        )
    shape = [int(n) for n in node.get_output_variable().shape]
    if kind == "Repack":
        lanes = sorted((int(node.get_input_variable().shape[-1]), shape[-1]))
        if lanes[1] % lanes[0]:
            return (
                f"reshapes pixels of {lanes[0]} and {lanes[1]} values into each other; in "
                "io_stream hls4ml needs one to divide the other; use io_parallel"
            )
    per_element = int(node.get_attr("n_filt", -1)) == -1
    if kind == "BatchNormalizationQuantizedTanh" and per_element and len(shape) > 1:
        return "a ternary activation on a tensor of rank above 1; use io_parallel"
    if kind == "Reshape" and shape[-1] != int(node.get_input_variable().shape[-1]):
        readers = [r for rs in node.get_output_use_map().values() for r in rs]
        wrong = [reader.name for reader in readers if reader.class_name != "Dense"]
        if wrong:
            return (
                f"its pixels reach '{wrong[0]}' as they are, which in hls4ml's io_stream only a "
                "Dense can read; use io_parallel"
            )
    return None


_WINDOW = ("pool", "stride")
