"""From what a network means to what hls4ml can say: passes from network to network.

Each pass is a room of its own: it looks for one kind of thing, and puts in its place layers that
compute the same, or refuses it by name. Their order is the order of the list below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gatewright.frontend.network import Network
from gatewright.frontend.passes.activations import reword_activations
from gatewright.frontend.passes.identities import remove_identities
from gatewright.frontend.passes.refusals import refuse

Pass = Callable[[Network], Network]

PASSES: Final[tuple[Pass, ...]] = (remove_identities, reword_activations, refuse)


def supported(network: Network) -> Network:
    """The network in layers that hls4ml reads as they are meant.

    Raises:
        UnsupportedError: naming the layer and what would be right.
    """
    for apply in PASSES:
        network = apply(network)
    return network
