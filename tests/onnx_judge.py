"""ONNX models that are made node by node, against the ONNX runtime."""

import numpy as np
import onnxruntime

from gatewright.fixed import FixedType
from gatewright.frontend.passes import supported
from gatewright.frontend.readers.onnx_model import read_onnx
from hostile.onnx_models import Graph
from live_models import predicted

INPUT = FixedType.parse("fixed<9,4>")


def saved(path, shape, make):
    """The file of a model with an input `x` of that shape, whose output `make` adds to a graph."""
    graph = Graph()
    output = make(graph)
    graph.save(path, shape, output)
    return path


def agree_with_runtime(path, shape, ios=("parallel", "stream")):
    """Check that the network read from a file computes what the runtime does."""
    network = read_onnx(path, INPUT)
    values = np.random.default_rng(3).normal(size=(6, *shape)).astype(np.float32)
    judge = onnxruntime.InferenceSession(path)
    expected = np.concatenate([judge.run(None, {"x": each[np.newaxis]})[0] for each in values])
    turned = any("channels last" in note for note in network.notes)
    (found,) = predicted(network, np.moveaxis(values, 1, -1) if turned else values)
    if turned and found.ndim > 2 and found.shape != expected.shape:
        expected = np.moveaxis(expected, 1, -1)
    np.testing.assert_allclose(
        found.reshape(len(values), -1), expected.reshape(len(values), -1), rtol=1e-4, atol=1e-5
    )
    for io in ios:
        supported(network, io)
    return network
