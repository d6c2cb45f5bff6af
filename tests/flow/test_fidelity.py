"""What verification says of the model itself; its own framework is the judge."""

import json

import numpy as np

from gatewright.flow.convert import changed_files, load_read_network
from gatewright.frontend import load


def test_the_network_is_kept_as_it_was_read(converted, project):
    read = load(converted / "net.json", converted / "net_weights.h5")
    kept = load_read_network(project)
    assert [layer.name for layer in kept.layers] == ["x", "fc1", "fc2"]
    for want, got in zip(read.layers, kept.layers, strict=True):
        assert (want.kind, want.inputs, want.arguments) == (got.kind, got.inputs, got.arguments)
        for name, array in want.weights.items():
            np.testing.assert_array_equal(array, got.weights[name])
    path = project / "model" / "network.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"framework": "keras3"}))
    assert changed_files(project) == ["model/network.json has changed since it was made"]
