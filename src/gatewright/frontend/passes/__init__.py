"""Passes from network to network, which replace layers that hls4ml can't express.

Each pass looks for one pattern. It replaces the layer by others that compute the same, or refuses
it by name. The passes run in the order of the list below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gatewright.errors import in_own_names
from gatewright.frontend.network import Network
from gatewright.frontend.passes import (
    channel_types,
    distributed,
    einsums,
    garnets,
    kernels,
    layernorms,
    layouts,
    merges,
    paddings,
    poolings,
    quantized_activations,
    recurrent,
    reshapes,
    reversals,
    transposed,
)
from gatewright.frontend.passes import weight_quantizers as quantizers
from gatewright.frontend.passes.activations import reword_activations, split_activations
from gatewright.frontend.passes.averages import average_in_streams
from gatewright.frontend.passes.bilinear import interpolate
from gatewright.frontend.passes.identities import remove_identities
from gatewright.frontend.passes.refusals import refuse, refuse_masks
from gatewright.frontend.passes.rescaling import rescale
from gatewright.frontend.passes.selections import select_before_pooling
from gatewright.frontend.passes.sizes import check_sizes
from gatewright.frontend.passes.softmax_activation import reword_softmax

#: Takes the network and the io type, "parallel" or "stream": hls4ml has different C++ for them.
Pass = Callable[[Network, str], Network]


def _for_any_io(apply: Callable[[Network], Network]) -> Pass:
    return lambda network, io: apply(network)


PASSES: Final[tuple[Pass, ...]] = (
    check_sizes,
    remove_identities,
    _for_any_io(refuse_masks),
    _for_any_io(distributed.reword),
    channel_types.quantize_in_streams,
    _for_any_io(rescale),
    _for_any_io(quantizers.settle_learned),
    _for_any_io(recurrent.reword),
    _for_any_io(reversals.reword),
    _for_any_io(einsums.reword),
    _for_any_io(quantized_activations.reword_activations),
    _for_any_io(reshapes.write_out_sizes),
    _for_any_io(layouts.channels_last),
    _for_any_io(transposed.reword),
    _for_any_io(layouts.normalize_last),
    _for_any_io(layernorms.reword),
    _for_any_io(garnets.unstack),
    _for_any_io(layouts.keep_dimensions),
    _for_any_io(layouts.rows_of_dense),
    _for_any_io(layouts.repeat_vectors),
    _for_any_io(layouts.share_slopes),
    _for_any_io(merges.merge_by_two),
    merges.repeat_before_merging,
    _for_any_io(reword_softmax),
    _for_any_io(paddings.pad_causally),
    _for_any_io(kernels.expand_kernels),
    poolings.pad_before_pooling,
    average_in_streams,
    select_before_pooling,
    poolings.stride_as_windows,
    _for_any_io(interpolate),
    paddings.heighten_windows,
    split_activations,
    reword_activations,
    reshapes.reshape_by_whole_pixels,
    reshapes.pack_before_flattening,
    _for_any_io(quantizers.check_quantizers),
    check_sizes,
    refuse,
    _for_any_io(quantized_activations.split_activations),
)


def supported(network: Network, io: str = "parallel") -> Network:
    """The network in layers that hls4ml converts correctly.

    Args:
        network: The network as a reader returned it.
        io: "parallel" or "stream".

    Raises:
        InputError: if a layer is wrong.
        UnsupportedError: if a layer can't be expressed in hls4ml's layers.
    """
    with in_own_names({layer.name: layer.label for layer in network.layers if layer.label}):
        for apply in PASSES:
            network = apply(network, io)
    return network
