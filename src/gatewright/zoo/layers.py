"""Layers for the models of the zoo: quantized by QKeras to a config's bits, or float."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewright.zoo.sweep import LayerBits


class Layers:
    """Makes layers of one model, quantized to `bits` per layer; float ones where `bits` is None.

    Float and quantized layers have the same names and the same weights, so that a quantized model
    can start from the float one. Weights and biases lie in [-1, 1): all their bits but the sign are
    fraction. Every method returns a tf-keras layer; options are those of Keras.

    Args:
        bits: The bits of every layer with weights, by name.
        relu_integer: Integer bits of relus, which saturate at 2^relu_integer. A relu of as few bits
            has one integer bit less, so that at least one bit is fraction.
        l1: Pull of the weights towards zero: a weight that becomes zero costs no adder.
    """

    def __init__(
        self, bits: Mapping[str, LayerBits] | None, *, relu_integer: int, l1: float
    ) -> None:
        self._bits = bits
        self._relu_integer = relu_integer
        self._l1 = l1

    def dense(self, name: str, units: int) -> Any:
        """A fully connected layer."""
        return self._weighted("Dense", name, "kernel", units=units)

    def conv1d(self, name: str, filters: int, kernel_size: int, **options: Any) -> Any:
        """A convolution over time."""
        return self._weighted(
            "Conv1D", name, "kernel", filters=filters, kernel_size=kernel_size, **options
        )

    def conv2d(self, name: str, filters: int, kernel_size: int, **options: Any) -> Any:
        """A convolution over rows and columns."""
        return self._weighted(
            "Conv2D", name, "kernel", filters=filters, kernel_size=kernel_size, **options
        )

    def depthwise2d(self, name: str, kernel_size: int, **options: Any) -> Any:
        """A convolution over rows and columns of each channel by itself."""
        # QKeras' class alone does not widen a single number.
        return self._weighted(
            "DepthwiseConv2D", name, "depthwise", kernel_size=(kernel_size, kernel_size), **options
        )

    def relu(self, name: str) -> Any:
        """The relu behind the layer `name`, called `<name>_relu`."""
        from qkeras import QActivation, quantized_relu
        from tf_keras import layers

        if self._bits is None:
            return layers.ReLU(name=f"{name}_relu")
        width = self._bits[name].activations
        relu = quantized_relu(width, min(self._relu_integer, width - 1))
        return QActivation(relu, name=f"{name}_relu")

    def tanh(self, name: str) -> Any:
        """The tanh behind the layer `name`, called `<name>_tanh`."""
        from qkeras import QActivation, quantized_tanh
        from tf_keras import layers

        if self._bits is None:
            return layers.Activation("tanh", name=f"{name}_tanh")
        return QActivation(quantized_tanh(self._bits[name].activations), name=f"{name}_tanh")

    def _weighted(self, kind: str, name: str, kernel: str, **options: Any) -> Any:
        import qkeras
        from tf_keras import layers, regularizers

        options |= {"name": name, f"{kernel}_regularizer": regularizers.l1(self._l1)}
        if self._bits is None:
            return getattr(layers, kind)(**options)

        def quantizer() -> Any:
            assert self._bits is not None
            return qkeras.quantized_bits(self._bits[name].weights, 0, alpha=1)

        options |= {f"{kernel}_quantizer": quantizer(), "bias_quantizer": quantizer()}
        return getattr(qkeras, f"Q{kind}")(**options)
