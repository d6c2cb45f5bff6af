"""Energy of transitions, against sums by hand."""

import pytest

from gatewright.liberty.library import load_library
from gatewright.silicon.energy import TransitionEnergy
from gatewright.silicon.netlist import Instance, Netlist


@pytest.fixture
def energy(tmp_path, target):
    names = ("clk", "d", "q", "y")
    netlist = Netlist(
        tmp_path,
        "top",
        [
            Instance("r", "DFF", {"CK": "clk", "D": "d", "Q": "q"}),
            Instance("g", "INV", {"A": "q", "Y": "y"}),
        ],
        {name: [name] for name in names},
        {"clk": "clk", "d": "d", "y": "y"},
        {},
    )
    library = load_library(target.family.path)
    return TransitionEnergy(netlist=netlist, library=library, load_ff=50.0, slew=0.5)


def test_a_net_charges_the_pins_it_leads_to(energy):
    """Half of C V^2: 10 fF at 2 V are 0.02 pJ; `d` takes nothing in the cell that reads it."""
    assert energy.of({"d": 1}) == pytest.approx(0.02)


def test_a_clock_takes_its_share_of_each_flip_flop(energy):
    """0.02 pJ for the pin, and the mean of 0.025 and 0.045 at a slew of 0.5 ns."""
    assert energy.of({"clk": 2}) == pytest.approx(2 * (0.02 + 0.035))


def test_a_register_and_a_gate_take_what_their_tables_say(energy):
    assert energy.of({"q": 1}) == pytest.approx(0.02 + 0.1)
    # 50 fF at the port: 0.1 pJ. The inverter's slew is that of q at 10 fF: 0.1 + 0.2 * 0.1 = 0.12.
    assert energy.of({"y": 1}) == pytest.approx(0.1 + 0.02 + 0.02 * 0.12)


def test_it_adds_up(energy):
    counts = {"clk": 4, "d": 1, "q": 2, "y": 3}
    parts = (energy.of({net: n}) for net, n in counts.items())
    assert energy.of(counts) == pytest.approx(sum(parts))
