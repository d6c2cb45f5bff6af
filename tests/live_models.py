"""Live Keras models, their files, and predictions of the networks read from them."""

import numpy as np

from gatewright.frontend import load
from gatewright.frontend.reference.framework_worker import Model


class Layers:
    """Layers of Keras and QKeras in one namespace."""

    def __init__(self, keras):
        import qkeras

        self._keras, self._qkeras = keras, qkeras

    def __getattr__(self, name):
        return getattr(self._qkeras, name, None) or getattr(self._keras.layers, name)


def shaken(model, seed=1):
    """The model with random weights, so that layers can be distinguished."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.2, 1, each.shape) for each in model.get_weights()])
    return model


def predicted(network, *inputs):
    """Keras' predictions for a network as it was read."""
    parts = [results for _, results, _ in Model(network).batches(list(inputs))]
    return [np.concatenate([part[name] for part in parts]) for name in network.outputs]


def files(model, folder, *formats):
    """Files of the model, as arguments of `load`."""
    legacy = "tf_keras" in type(model).__mro__[-4].__module__ + type(model).__module__
    for suffix in formats or (".h5", ".keras", ".weights.h5", "legacy" if legacy else ".h5"):
        if suffix in (".h5", ".keras"):
            model.save(folder / f"m{suffix}")
            yield (folder / f"m{suffix}",)
        else:
            weights = folder / ("old.h5" if suffix == "legacy" else "m.weights.h5")
            model.save_weights(weights)
            (folder / "m.json").write_text(model.to_json())
            yield folder / "m.json", weights
    yield (model,)


def agree(model, folder, *inputs, formats=()):
    """Compare the networks read from the model and its files with the model's own prediction."""
    expected = model.predict(list(inputs) if len(inputs) > 1 else inputs[0], verbose=0)
    expected = expected if isinstance(expected, list) else [expected]
    networks = [load(*each) for each in files(model, folder, *formats)]
    for network in networks:
        for ours, theirs in zip(predicted(network, *inputs), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    return networks[0]


def samples(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=(7, *shape)).astype(np.float32)
