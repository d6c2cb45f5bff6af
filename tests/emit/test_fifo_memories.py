"""Where FIFOs between modules keep their beats: in blocks with a register where those are slow."""

import pytest

from flow.stream_designs import residual
from gatewright.emit.assembly import assemble
from gatewright.emit.interconnect import Buffer
from gatewright.targets import load_target


def styles(target, depth):
    """The RamStyle of each FIFO between modules, all of which are as deep."""
    design, fabric = residual(), load_target(target)
    first = assemble(design, fabric, 10.0)
    names = [node.instance for node in first.joined.nodes if isinstance(node, Buffer)]
    made = assemble(design, fabric, 10.0, dict.fromkeys(names, depth))
    fifos = [node for node in made.joined.nodes if isinstance(node, Buffer)]
    assert {node.parameters["Depth"] for node in fifos} == {depth}
    return {node.parameters["RamStyle"] for node in fifos}


@pytest.mark.parametrize("target", ["ecp5", "nexus", "gw2a", "ice40-hx"])
def test_deep_fifos_stand_in_blocks_with_a_register_where_a_blocks_word_is_late(target):
    assert styles(target, 33) == {'"block"'}
    assert styles(target, 32) == {'"auto"'}


@pytest.mark.parametrize("target", ["xcup", "xc7", "osu018"])
def test_elsewhere_the_module_and_the_tools_decide(target):
    assert styles(target, 272) == {'"auto"'}
