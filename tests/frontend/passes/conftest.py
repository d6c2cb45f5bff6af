"""What rewritten networks are held against: Keras' own prediction of the layer as it was."""

import numpy as np
import pytest
from rebuilt import rebuilt

from gatewright.frontend import load
from gatewright.frontend.passes import supported


@pytest.fixture(scope="session")
def agrees(keras):
    """Checks that Keras predicts the same of a layer and of what stands in its place."""

    def check(layer, shape, io="parallel", seed=0):
        """Return the rewritten network."""
        x = keras.Input(shape)
        model = keras.Model(x, layer(x))
        rng = np.random.default_rng(seed)
        for each in model.layers:
            each.set_weights([rng.uniform(0.5, 1.5, v.shape) for v in each.get_weights()])
        network = supported(load(model), io)
        samples = rng.normal(size=(2, *shape)).astype(np.float32)
        found, expected = rebuilt(keras, network)(samples).numpy(), model(samples).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        return network

    return check
