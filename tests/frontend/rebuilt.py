"""Networks that passes have rewritten as models of tf-keras, in this process."""

from gatewright.frontend.keras2 import architecture


def rebuilt(keras, network):
    """A network, which has no quantizers, as a model of tf-keras."""
    model = keras.Model.from_config(architecture(network, training=True)["config"])
    for layer in model.layers:
        if weights := list(network.layer(layer.name).weights.values()):
            layer.set_weights(weights)
    return model
