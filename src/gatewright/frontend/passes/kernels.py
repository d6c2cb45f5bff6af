"""Replaces dilated, grouped and multiplied kernels by plain ones that contain zeros.

hls4ml has no form for such kernels. The hardware leaves out steps of zeros, so they cost nothing.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from gatewright.errors import UnsupportedError
from gatewright.frontend.network import Layer, Network, Object
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.spread_kernels import dilated, in_blocks, of_channels

_PLAIN = ("Conv1D", "Conv2D", "QConv1D", "QConv2D", "QConv2DBatchnorm")
_DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D", "QDepthwiseConv2D")
_SEPARABLE = tuple(f"{q}SeparableConv{n}D" for q in ("", "Q") for n in (1, 2))
#: Values of alpha with which QKeras measures a scale on the kernel, for each output channel.
_MEASURED = ("auto", "auto_po2")


def expand_kernels(network: Network) -> Network:
    """The network without dilation, groups and depth multipliers.

    Raises:
        UnsupportedError: if a layer's quantizer would change the zeros.
    """

    def rule(parts: Parts) -> None:
        arguments: Any = parts.layer.arguments
        dilation = arguments["dilation_rate"]
        counts = {key: arguments.get(key, 1) for key in ("groups", "depth_multiplier")}
        said = [f"dilation_rate={list(dilation)}"] if max(dilation) > 1 else []
        said += [f"{key}={count}" for key, count in counts.items() if count > 1]
        if not said:
            return
        why = " and ".join(said)
        parts.note(f"{why} as zeros in a larger kernel")
        key = window_of(parts.layer)
        check_zeros(network.origin, parts, why)
        kernel = in_blocks(dilated(parts.layer.weights[key], dilation), counts["groups"])
        if counts["depth_multiplier"] > 1:
            _check_fixed_scale(network.origin, parts)
            _mix_channels(parts, of_channels(kernel))
            return
        changed = {"groups": 1} if key == "kernel" else {}
        parts.keep(
            weights={**parts.layer.weights, key: kernel},
            kernel_size=kernel.shape[: len(dilation)],
            dilation_rate=(1,) * len(dilation),
            **changed,
        )

    return rewritten(network, rule, (*_PLAIN, *_DEPTHWISE, *_SEPARABLE))


def _mix_channels(parts: Parts, kernel: NDArray[Any]) -> None:
    """Add plain convolutions for a depthwise one, or for both halves of a separable one."""
    arguments: Any = parts.layer.arguments
    weights = parts.layer.weights
    bias = {key: array for key, array in weights.items() if key == "bias"}
    if parts.layer.kind in _DEPTHWISE:
        _add_plain(parts, "", parts.source, {"kernel": kernel, **bias}, quantize_bias=True)
        return
    first = _add_plain(parts, "depthwise", parts.source, {"kernel": kernel}, quantize_bias=False)
    quantizers = {
        key: arguments[f"{of}_quantizer"]
        for key, of in (("kernel_quantizer", "pointwise"), ("bias_quantizer", "bias"))
        if f"{of}_quantizer" in arguments
    }
    parts.add(
        parts.layer.kind.replace("Separable", ""),
        "",
        first,
        weights={"kernel": weights["pointwise_kernel"], **bias},
        filters=arguments["filters"],
        kernel_size=(1,) * len(arguments["kernel_size"]),
        data_format=arguments["data_format"],
        activation=arguments["activation"],
        use_bias=arguments["use_bias"],
        **quantizers,
    )


def _add_plain(
    parts: Parts,
    what: str,
    source: str,
    weights: dict[str, NDArray[Any]],
    *,
    quantize_bias: bool,
) -> str:
    """A plain convolution that replaces a depthwise one, or the first half of a separable one."""
    arguments: Any = parts.layer.arguments
    given: dict[str, Any] = {}
    if "depthwise_quantizer" in arguments:
        given["kernel_quantizer"] = arguments["depthwise_quantizer"]
        given["bias_quantizer"] = arguments["bias_quantizer"] if quantize_bias else None
    return parts.add(
        parts.layer.kind.replace("Depthwise", "").replace("Separable", ""),
        what,
        source,
        weights=weights,
        filters=weights["kernel"].shape[-1],
        kernel_size=weights["kernel"].shape[:-2],
        strides=arguments["strides"],
        padding=arguments["padding"],
        data_format=arguments["data_format"],
        activation=arguments["activation"] if quantize_bias else "linear",
        use_bias=arguments["use_bias"] and quantize_bias,
        **given,
    )


def window_of(layer: Layer) -> str:
    """The name of the array of a convolution that slides over the image."""
    return "kernel" if layer.kind in _PLAIN else "depthwise_kernel"


def check_zeros(origin: str, parts: Parts, why: str) -> None:
    """Refuse quantizers that change zeros, or whose scale depends on zeros.

    Args:
        origin: The model's name in messages.
        parts: The parts of the convolution whose window gets zeros.
        why: What the zeros are for, to begin the message.

    Raises:
        UnsupportedError: if the layer's quantizer isn't one that keeps zeros.
    """
    quantizer = _quantizer_of_window(parts.layer)
    if quantizer is None or _keeps_zeros(quantizer):
        return
    raise UnsupportedError(
        f"{origin}: layer '{parts.layer.name}': {why} would need zeros in its kernel, which "
        f"{quantizer.kind} changes; use quantized_bits of 2 bits or more"
    )


def _keeps_zeros(quantizer: Object) -> bool:
    if quantizer.kind != "quantized_bits":
        return False
    arguments: Any = quantizer.arguments
    return bool(arguments["bits"] > arguments["keep_negative"])


def _quantizer_of_window(layer: Layer) -> Any:
    return layer.arguments.get(f"{window_of(layer).removesuffix('_kernel')}_quantizer")


def _check_fixed_scale(origin: str, parts: Parts) -> None:
    """Refuse scales that QKeras measures: it measures a depthwise kernel along other axes."""
    quantizer = _quantizer_of_window(parts.layer)
    if quantizer is None or quantizer.arguments["alpha"] not in _MEASURED:
        return
    raise UnsupportedError(
        f"{origin}: layer '{parts.layer.name}': depth_multiplier with a measured scale "
        f"(alpha={quantizer.arguments['alpha']}); use alpha=1, or a depth_multiplier of 1"
    )
