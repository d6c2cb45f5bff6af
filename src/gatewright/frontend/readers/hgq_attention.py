"""The layers of HGQ2 that its multi-head attention is made of, as HGQ2 makes them.

Source: hgq/layers/attn/mha.py of HGQ2 0.2. The scale of the scores is that of the softmax there.
"""

from __future__ import annotations

import math
from typing import Any

from gatewright.errors import UnsupportedError

#: Equations of the products without a batch: scores of query and key, and mixed values.
SCORES = "qhd,khd->hqk"
MIXED = "hqk,khd->qhd"


def projections(
    config: dict[str, Any], query: list[int], value: list[int]
) -> dict[str, dict[str, Any]]:
    """Configurations of the QEinsumDense layers, by what they make; "output" comes last.

    Args:
        config: The attention's own.
        query: The shape of a sample of the query: steps, features.
        value: That of key and value.

    Raises:
        UnsupportedError: if it attends to more than one axis, or in a way that HGQ2 0.2 has not.
    """
    if len(query) != 2 or len(value) != 2:
        raise UnsupportedError("attention to sequences of vectors only is supported")
    for setting in ("use_gate", "sliding_window", "enable_oq"):
        if config.get(setting):
            raise UnsupportedError(f"an attention with {setting} is not supported")
    heads, size = config["num_heads"], config["key_dim"]
    width = config["value_dim"] or size
    shape = config["output_shape"]
    features = [query[-1]] if shape is None else shape if isinstance(shape, list) else [shape]
    if len(features) != 1:
        raise UnsupportedError("an attention whose results are no vectors is not supported")
    bias = config["use_bias"]
    common = {
        "activation": "linear",
        "enable_iq": True,
        "enable_oq": True,
        **{f"{each}_conf": config[f"qkvo_{each}_conf"] for each in ("iq", "kq", "bq", "oq")},
    }
    inward = common | {"equation": "abc,cde->abde", "bias_axes": "de" if bias else None}
    return {
        "query": inward | {"output_shape": [query[0], heads, size]},
        # A bias of the key would change all scores of a row alike.
        "key": inward | {"output_shape": [value[0], heads, size], "bias_axes": None},
        "value": inward | {"output_shape": [value[0], heads, width]},
        "output": common
        | {
            "equation": "abcd,cde->abe",
            "bias_axes": "e" if bias else None,
            "output_shape": [query[0], *features],
            "enable_oq": False,
        },
    }


def softmax(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the QSoftmax of an attention."""
    return {
        "axes": [3],
        "stable": config["stable_softmax"],
        "input_scaler": 1 / math.sqrt(config["key_dim"]),
        "allow_heterogeneous_table": config["softmax_allow_heterogeneous_table"],
        "enable_iq": False,
        "enable_oq": True,
        "iq_conf": None,
        **{
            f"{each}_conf": config[f"softmax_{each}_conf"]
            for each in ("exp_iq", "exp_oq", "inv_iq", "inv_oq", "oq")
        },
    }
