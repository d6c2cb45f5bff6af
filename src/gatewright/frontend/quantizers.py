"""Parses quantizers of QKeras into data, without evaluating any text.

In a file, a quantizer is an object with a class and its settings, or text such as
`quantized_bits(4,0)`, which QKeras itself would evaluate.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gatewright.frontend.arguments import Argument, flag, integer, optional, real, word
from gatewright.frontend.network import Object, Value

_BITS = integer(1, 64)
_INTEGER = integer(-64, 64)
_CALL = re.compile(r"(?P<kind>[a-z][a-z0-9_]*)\s*(?:\((?P<arguments>.*)\))?")
_MAX_TEXT = 1024


def _alpha(value: Any) -> Value:
    """Read a scale: a number, a list of numbers, or the way in which QKeras measures it."""
    if isinstance(value, str):
        return word("auto", "auto_po2")(value)
    if isinstance(value, list | tuple):
        return tuple(real()(each) for each in value)
    # QKeras uses true and false as 1 and 0.
    return optional(real())(int(value) if isinstance(value, bool) else value)


def _all_of_it(value: Any) -> Value:
    """Read the degree of quantization, which must be 1.

    QKeras' schedules raise it from 0 to 1 in training.
    """
    if real()(value) != 1:
        raise ValueError("1: below that, values are partly quantized, which hardware can't do")
    return 1.0


#: Arguments that matter in training only.
_NOISE: dict[str, Argument] = {
    "qnoise_factor": Argument(_all_of_it, 1.0),
    "var_name": Argument(lambda value: None, None),
    "use_ste": Argument(flag, True),
    "use_variables": Argument(flag, False),
}
_STOCHASTIC = {"use_stochastic_rounding": Argument(flag, False)}
_POWER = {
    "quadratic_approximation": Argument(flag, False),
    "log2_rounding": Argument(word("rnd", "floor"), "rnd"),
}

#: Arguments by class, in the order of its signature, with QKeras' own defaults.
QUANTIZERS: Mapping[str, Mapping[str, Argument]] = {
    "bernoulli": {
        "alpha": Argument(_alpha, None),
        "temperature": Argument(real(), 6.0),
        "use_real_sigmoid": Argument(flag, True),
    },
    "binary": {
        "use_01": Argument(flag, False),
        "alpha": Argument(_alpha, None),
        **_STOCHASTIC,
    },
    "quantized_bits": {
        "bits": Argument(_BITS, 8),
        "integer": Argument(_INTEGER, 0),
        "symmetric": Argument(flag, False),
        "keep_negative": Argument(flag, True),
        "alpha": Argument(_alpha, None),
        **_STOCHASTIC,
        "scale_axis": Argument(optional(integer(-8, 8)), None),
        **_NOISE,
    },
    "quantized_po2": {
        "bits": Argument(_BITS, 8),
        "max_value": Argument(optional(real()), None),
        **_STOCHASTIC,
        **_POWER,
        **_NOISE,
    },
    "quantized_relu": {
        "bits": Argument(_BITS, 8),
        "integer": Argument(_INTEGER, 0),
        "use_sigmoid": Argument(flag, False),
        "negative_slope": Argument(real(), 0.0),
        **_STOCHASTIC,
        "relu_upper_bound": Argument(optional(real()), None),
        "is_quantized_clip": Argument(flag, True),
        **_NOISE,
    },
    "quantized_relu_po2": {
        "bits": Argument(_BITS, 8),
        "max_value": Argument(optional(real()), None),
        "negative_slope": Argument(real(), 0),
        **_STOCHASTIC,
        **_POWER,
        **_NOISE,
    },
    "quantized_sigmoid": {
        "bits": Argument(_BITS, 8),
        "symmetric": Argument(flag, False),
        "use_real_sigmoid": Argument(flag, False),
        **_STOCHASTIC,
    },
    "quantized_tanh": {
        "bits": Argument(_BITS, 8),
        **_STOCHASTIC,
        "symmetric": Argument(flag, False),
        "use_real_tanh": Argument(flag, False),
    },
    "quantized_ulaw": {
        "bits": Argument(_BITS, 8),
        "integer": Argument(_INTEGER, 0),
        "symmetric": Argument(flag, False),
        "u": Argument(real(), 255.0),
    },
    "stochastic_binary": {
        "alpha": Argument(_alpha, None),
        "temperature": Argument(real(), 6.0),
        "use_real_sigmoid": Argument(flag, True),
    },
    "stochastic_ternary": {
        "alpha": Argument(_alpha, None),
        "threshold": Argument(optional(real()), None),
        "temperature": Argument(real(), 8.0),
        "use_real_sigmoid": Argument(flag, True),
        "number_of_unrolls": Argument(integer(), 5),
    },
    "ternary": {
        "alpha": Argument(_alpha, None),
        "threshold": Argument(optional(real()), None),
        **_STOCHASTIC,
        "number_of_unrolls": Argument(integer(), 5),
    },
}

#: Functions of QKeras that quantize without settings, by name.
FUNCTIONS = ("binary_tanh", "ternary_tanh")


def read_quantizer(value: Any) -> Object:
    """Read a quantizer of QKeras, with all its arguments.

    Args:
        value: The object or the text in the file.

    Raises:
        ValueError: if it isn't one; the text says what would be right and completes "must be ...".
    """
    if isinstance(value, str):
        kind, given = _parse(value)
    elif isinstance(value, dict):
        kind, given = str(value.get("class_name")), value.get("config") or {}
    else:
        kind, given = "", {}
    known = QUANTIZERS.get(kind)
    if known is None and kind in FUNCTIONS:
        known = {}
    if known is None or not isinstance(given, dict):
        raise ValueError(f"a quantizer of QKeras, one of {', '.join((*QUANTIZERS, *FUNCTIONS))}")
    arguments: dict[str, Value] = {key: each.default for key, each in known.items()}
    for key, each in given.items():
        if key not in known:
            # Null means the default, also for an argument of a later version.
            if each is None:
                continue
            raise ValueError(f"a {kind} without '{_shown(key)}', which is not known")
        try:
            arguments[key] = known[key].read(each)
        except ValueError as error:
            raise ValueError(f"a {kind} whose {key} is {error}") from None
    return Object(kind, MappingProxyType(arguments))


def learned(quantizer: Object) -> Object:
    """A quantizer as QKeras' layers use it for learned weights: without alpha, it measures a scale.

    QKeras' layers call `_set_trainable_parameter` of the quantizers of kernels, gamma and variance.
    """
    arguments = quantizer.arguments
    if "alpha" not in arguments or arguments["alpha"] is not None:
        return quantizer
    return Object(quantizer.kind, MappingProxyType({**arguments, "alpha": "auto_po2"}))


def quantizer(value: Any) -> Value:
    """Read a quantizer, or null as None."""
    return None if value is None else read_quantizer(value)


def _shown(key: object) -> str:
    return str(key)[:40].encode("unicode_escape").decode()


def _parse(text: str) -> tuple[str, dict[str, Any]]:
    """The class and the arguments of a text such as `quantized_bits(4, 0, alpha=1)`.

    Arguments must be literals. The class is "" if the text isn't a call of a known quantizer.
    """
    match = _CALL.fullmatch(text.strip()) if len(text) <= _MAX_TEXT else None
    if match is None or match["kind"] not in (*QUANTIZERS, *FUNCTIONS):
        return "", {}
    kind = match["kind"]
    order = list(QUANTIZERS.get(kind, {}))
    try:
        call = ast.parse(f"f({match['arguments'] or ''})", mode="eval").body
        if not isinstance(call, ast.Call) or len(call.args) > len(order):
            raise ValueError
        given = {key: ast.literal_eval(each) for key, each in zip(order, call.args, strict=False)}
        for keyword in call.keywords:
            if keyword.arg is None or keyword.arg in given:
                raise ValueError
            given[keyword.arg] = ast.literal_eval(keyword.value)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise ValueError(f"a {kind} whose arguments are numbers or words") from None
    return kind, given
