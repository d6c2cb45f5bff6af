"""The steps of QONNX' quantizers, compared with the functions that qonnx computes them with."""

import json

import numpy as np
import pytest
from qonnx.custom_op.general.intquant import int_quant
from qonnx.custom_op.general.trunc import trunc_v1, trunc_v2

from gatewright.frontend.readers.child import Contents
from gatewright.frontend.readers.onnx_graph import Graph
from gatewright.frontend.readers.onnx_quantizers import grid

VALUES = np.concatenate([np.arange(-40, 41) / 4, np.random.default_rng(0).uniform(-20, 20, 300)])
ROUNDINGS = ("ROUND", "half_even", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")


def grid_of(op, constants, **attributes):
    """What the reader makes of a node with these constants."""
    names = [f"c{i}" for i in range(len(constants))]
    node = {
        "op": op,
        "last": False,
        "name": "node",
        "inputs": ["x", *names],
        "outputs": ["y"],
        "attributes": attributes,
    }
    text = {"channels_last": True, "inputs": ["x"], "outputs": ["y"], "nodes": [node], "shapes": {}}
    arrays = {n: np.asarray(c, np.float64) for n, c in zip(names, constants, strict=True)}
    graph = Graph("model", Contents({"graph": json.dumps(text)}, arrays))
    return grid(graph, graph.nodes[0])


def given(to):
    """The values that a quantizer gives, by its steps."""
    whole = to.step(VALUES / to.scales)
    return (2 * whole - 1 if to.bipolar else whole - to.zero) * to.scales


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize(("bits", "signed", "narrow"), [(4, 1, 0), (4, 1, 1), (3, 0, 0), (1, 0, 0)])
@pytest.mark.parametrize(("scale", "zero"), [(0.5, 0.0), (0.731, 0.0), (0.37, 3.0)])
def test_quantizers_have_qonnx_steps(mode, bits, signed, narrow, scale, zero):
    to = grid_of("Quant", (scale, zero, bits), signed=signed, narrow=narrow, rounding_mode=mode)
    wanted = int_quant(VALUES, scale, zero, np.float64(bits), signed, narrow, mode)
    assert np.array_equal(given(to), wanted)


def test_a_signed_bit_is_a_sign():
    to = grid_of("Quant", (0.3, 0.0, 1.0), signed=1, narrow=0, rounding_mode="ROUND")
    assert np.array_equal(given(to), int_quant(VALUES, 0.3, 0.0, np.float64(1), 1, 0, "ROUND"))


@pytest.mark.parametrize("mode", ["FLOOR", "ROUND", "CEIL"])
def test_truncations_have_qonnx_steps(mode):
    to = grid_of("Trunc", (0.25, 0.0, 8.0, 5.0), rounding_mode=mode)
    to = to.fitted(np.array([VALUES.min(), VALUES.max()]) / 0.25)
    assert np.array_equal(given(to), trunc_v1(VALUES, 0.25, 0.0, 8.0, 5.0, mode))


@pytest.mark.parametrize("mode", ["FLOOR", "ROUND"])
@pytest.mark.parametrize("signed", [0, 1])
def test_truncations_of_the_second_version_clamp_and_change_the_scale(mode, signed):
    constants = (0.25, 0.0, 8.0, 1.0, 4.0)
    to = grid_of("Trunc", constants, rounding_mode=mode, signed=signed, narrow=0)
    bits = np.float64(4)
    wanted = trunc_v2(VALUES, 0.25, 0.0, np.float64(8), 0, signed, 1.0, bits, mode)
    assert np.array_equal(given(to), wanted)
