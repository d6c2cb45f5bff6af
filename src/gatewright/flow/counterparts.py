"""Finds the tensors of a design that are results of the model's layers.

Passes and hls4ml rename, split, merge and drop layers. So the result of a layer is found by its
reader: it is the input of the first kernel of the next layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.frontend.kinds import IDENTITY
from gatewright.frontend.network import Layer, Network, Object

if TYPE_CHECKING:
    from gatewright.design.dataflow import Design
    from gatewright.kernels import Kernel, Tensor

#: Prefixes and suffixes of the nodes that hls4ml and the passes make of a layer.
_STARTS = ("", "repack_", "bnbt_", "zp1d_", "zp2d_")
_ENDS = ("", "_depthwise", "_pointwise", "_alpha", "_scale")


@dataclass(frozen=True)
class Stage:
    """A part of the network between tensors that the design has as well.

    Attributes:
        layer: The layer whose result, or whose result before its activation, ends the stage.
        part: "whole" for the whole layer, "linear" for it without its activation, "activation" for
            its activation only.
        chain: Layers before it whose results the design doesn't have, in order.
        sources: Names of the layers whose results are the inputs, in the network's order. Empty for
            an activation.
        inputs: The tensors of these; for an activation the layer's result before it.
        kernels: The kernels that compute the stage in hardware, in order.
        result: The tensor of the result.
    """

    layer: Layer
    part: str
    chain: tuple[Layer, ...]
    sources: tuple[str, ...]
    inputs: tuple[Tensor, ...]
    kernels: tuple[Kernel, ...]
    result: Tensor


def stages(network: Network, design: Design) -> list[Stage]:
    """The stages of a network, in its order.

    Layers whose results the design doesn't have are parts of chains, or are left out.
    """
    return _Search(network, design).run()


class _Search:
    def __init__(self, network: Network, design: Design) -> None:
        self._network, self._design = network, design
        self._layers = {layer.name: layer for layer in network.layers}
        self._order = {kernel.layer: index for index, kernel in enumerate(design.kernels)}
        self._kernels = {kernel.layer: kernel for kernel in design.kernels}
        self._writers = {kernel.output.name: kernel for kernel in design.kernels}
        self._named = hardware_names(network, design)
        self._found: dict[str, Tensor] = dict(inputs(network, design))

    def run(self) -> list[Stage]:
        ends = {
            self._seen(name): tensor
            for name, tensor in zip(self._network.outputs, self._design.outputs, strict=True)
        }
        found: list[Stage] = []
        for layer in self._network.layers:
            if layer.kind == "InputLayer" or layer.kind in IDENTITY:
                continue
            result = ends.get(layer.name) or self._read_as(layer.name)
            if result is None:
                continue
            chain, sources = self._upstream(layer)
            read = tuple(self._found[name] for name in sources)
            kernels = self._between(read, result)
            if kernels is None:
                continue
            names = {name for each in (*chain, layer) for name in self._own(each)}
            if layer.name not in ends and any(kernel.layer not in names for kernel in kernels):
                continue  # a kernel in between belongs to none of these layers
            self._found[layer.name] = result
            found += self._split(Stage(layer, "whole", chain, sources, read, kernels, result))
        return found

    def _seen(self, name: str) -> str:
        """The layer whose result this layer passes on; the layer itself if it computes anything."""
        while (layer := self._layers[name]).kind in IDENTITY:
            name = layer.inputs[0]
        return name

    def _own(self, layer: Layer) -> list[str]:
        """The names that kernels of a layer can have."""
        activation = layer.arguments.get("activation")
        word = activation.kind if isinstance(activation, Object) else activation
        name = self._named[layer.name]
        own = [f"{start}{name}{end}" for start in _STARTS for end in _ENDS]
        return [*own, f"{name}_{word}"] if isinstance(word, str) else own

    def _read_as(self, name: str) -> Tensor | None:
        """The tensor from which the kernels of a layer's readers read its result; or None."""
        for reader in self._network.layers:
            read = [self._seen(each) for each in reader.inputs]
            if name not in read or reader.kind in IDENTITY:
                continue
            kernels = [self._kernels[each] for each in self._own(reader) if each in self._kernels]
            first = min(kernels, key=lambda kernel: self._order[kernel.layer], default=None)
            if first is not None and len(first.inputs) == len(read):
                return first.inputs[read.index(name)]
        return None

    def _upstream(self, layer: Layer) -> tuple[tuple[Layer, ...], tuple[str, ...]]:
        """The layers to compute before a layer, and the names of those that they start from."""
        chain: set[str] = set()
        sources: set[str] = set()
        waiting = [self._seen(name) for name in layer.inputs]
        while waiting:
            name = waiting.pop()
            if name in self._found:
                sources.add(name)
            elif name not in chain:
                chain.add(name)
                waiting += [self._seen(each) for each in self._layers[name].inputs]
        ordered = [each for each in self._network.layers if each.name in chain]
        return tuple(ordered), tuple(n for n in self._layers if n in sources)

    def _between(self, read: tuple[Tensor, ...], result: Tensor) -> tuple[Kernel, ...] | None:
        """The kernels that compute a tensor from others; None if they need further tensors."""
        known = {tensor.name for tensor in read}
        found: dict[str, Kernel] = {}
        waiting = [result.name]
        while waiting:
            name = waiting.pop()
            if name in known or name in found:
                continue
            if name not in self._writers:
                return None
            found[name] = self._writers[name]
            waiting += [tensor.name for tensor in found[name].inputs]
        return tuple(sorted(found.values(), key=lambda kernel: self._order[kernel.layer]))

    def _split(self, stage: Stage) -> list[Stage]:
        """The stage, split in two if its layer's activation has a separate kernel."""
        layer = stage.layer
        activation = layer.arguments.get("activation")
        word = activation.kind if isinstance(activation, Object) else activation
        last = stage.kernels[-1] if stage.kernels else None
        if layer.kind in ("Activation", "QActivation") or last is None or len(stage.kernels) < 2:
            return [stage]
        if last.layer != f"{self._named[layer.name]}_{word}" or len(last.inputs) != 1:
            return [stage]
        (between,) = last.inputs
        before = Stage(
            layer, "linear", stage.chain, stage.sources, stage.inputs, stage.kernels[:-1], between
        )
        after = Stage(layer, "activation", (), (), (between,), (last,), stage.result)
        return [before, after]


def hardware_names(network: Network, design: Design) -> dict[str, str]:
    """The name of each layer in hardware; some layers had to be renamed."""
    instead = {label: name for name, label in design.labels.items()}
    return {
        layer.name: instead.get(layer.label or layer.name, layer.name) for layer in network.layers
    }


def inputs(network: Network, design: Design) -> dict[str, Tensor]:
    """The tensor of each input of a network, in the network's order."""
    named = hardware_names(network, design)
    tensors = {tensor.name: tensor for tensor in design.inputs}
    pairs = zip(network.inputs, design.inputs, strict=True)
    return {name: tensors.get(named[name], tensor) for name, tensor in pairs}


def skips(network: Network) -> dict[str, str]:
    """For each layer that does nothing, the layer whose result it passes on."""
    found: dict[str, str] = {}
    for layer in network.layers:
        if layer.kind in IDENTITY:
            found[layer.name] = found.get(layer.inputs[0], layer.inputs[0])
    return found
