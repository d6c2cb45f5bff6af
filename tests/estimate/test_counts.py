"""What counts say of hardware whose cells are known without synthesis."""

from collections import Counter

import pytest

from flow.stream_designs import TARGET, residual
from gatewright.circuit import Circuit
from gatewright.emit.assembly import assemble
from gatewright.emit.layers import CircuitModule, Cut
from gatewright.errors import UnsupportedError
from gatewright.estimate import load_cost_model
from gatewright.estimate.circuit_counts import circuit_counts
from gatewright.estimate.layer_counts import layer_counts
from gatewright.estimate.library_counts import library_counts
from gatewright.estimate.truth_tables import distinct_bits, luts_of_words

RULES = load_cost_model(TARGET).rules


def _module(circuit, words, clock_ns=5.0):
    circuit.outputs = [word.node for word in words]
    cut = Cut(TARGET.fabric, clock_ns, registered=True)
    plan = cut.schedule(circuit, ())
    return CircuitModule((), (), False, 1, circuit, plan, tuple(words), cut)


def test_bits_of_a_sum():
    """The lowest bit of the operand that isn't shifted passes through on a wire."""
    circuit = Circuit()
    a, b = (circuit.input(0, lane, 0, 15, 0) for lane in range(2))
    total = circuit.add_words(((1, a), (1, b.scaled(1))))
    found = circuit_counts(_module(circuit, [total]), RULES)
    assert found["sum2"] == 5
    assert (found["ff"], found["stage_flags"]) == (6, 1)


def test_upper_bits_that_nothing_reads_are_not_counted():
    circuit = Circuit()
    a, b = (circuit.input(0, lane, 0, 255, 0) for lane in range(2))
    low = circuit.bits(circuit.add_words(((1, a), (1, b))), 3, 0)
    assert circuit_counts(_module(circuit, [low]), RULES)["sum2"] == 4


@pytest.mark.parametrize(
    ("bits", "multiplier", "blocks"),
    [((4, 4), "auto", 0), ((5, 4), "auto", 1), ((4, 4), "dsp", 1), ((9, 9), "lut", 0)],
)
def test_products_go_into_blocks_by_width(bits, multiplier, blocks):
    circuit = Circuit()
    a, b = (circuit.input(0, lane, 0, 2**n - 1, 0) for lane, n in enumerate(bits))
    found = circuit_counts(_module(circuit, [circuit.mul(a, b)]), RULES, multiplier)
    assert found["dsp"] == blocks
    assert found["product_pairs"] == (0 if blocks else bits[0] * bits[1])


def test_values_carried_along_are_shift_registers():
    circuit = Circuit()
    early, word = circuit.input(0, 0, 0, 15, 0), circuit.input(0, 1, -128, 127, 0)
    for _ in range(12):
        word = circuit.add_words(((1, word), (1, word.scaled(1))))
    last = circuit.add_words(((1, word), (1, early)))
    module = _module(circuit, [last], clock_ns=1.2)
    assert module.schedule.latency > 3
    assert circuit_counts(module, RULES)["shift_register"] == 4


@pytest.mark.parametrize(
    ("words", "luts", "bits"),
    [
        ([0, 1, 2, 3], 0, 2),  # bits of the address
        ([0, 3, 3, 0], 1, 1),  # two bits alike
        ([5] * 8, 0, 0),  # constant
        ([i % 3 for i in range(64)], 2, 2),
    ],
)
def test_read_only_words(words, luts, bits):
    assert luts_of_words(words, 3, 6) == luts
    assert distinct_bits(words, 3) == bits


@pytest.mark.parametrize(
    ("depth", "width", "expected"),
    [
        (0, 8, {}),
        (1, 8, {"ff": 8}),
        (2, 4, {"ff": 8}),
        (16, 30, {"memory": 24}),
        (64, 14, {"memory": 16}),
        (272, 18, {"half_blocks": 1}),
    ],
)
def test_fifos(depth, width, expected):
    parameters = {"Width": width, "Depth": depth, "RamStyle": '"auto"'}
    found = library_counts("gw_fifo", parameters, RULES)
    control = found["control"]
    assert found["ff"] - control == expected.get("ff", width if depth > 64 else 0)
    assert {name: found[name] for name in ("memory", "half_blocks") if found[name]} == {
        name: amount for name, amount in expected.items() if name != "ff"
    }


def test_a_module_of_which_nothing_is_known_is_refused():
    with pytest.raises(UnsupportedError, match="gw_new: there is no estimate"):
        library_counts("gw_new", {}, RULES)


@pytest.mark.parametrize("reuse_factor", [1, 9])
@pytest.mark.parametrize("handshake", ["stall", "credit"])
def test_all_that_is_built_is_counted(reuse_factor, handshake):
    made = assemble(residual(reuse_factor), TARGET, 5.0, handshake=handshake)
    total = Counter()
    for module in made.modules.values():
        total += layer_counts(module, RULES)
    multipliers = sum(module.multipliers or 0 for module in made.modules.values())
    assert (total["dsp"] > 0) == (reuse_factor > 1)
    assert total["dsp"] <= multipliers or reuse_factor == 1


@pytest.mark.parametrize(
    ("sizes", "mapped_ff", "mapped_lut"),
    [
        ((64, 5, 320, 1), 324, 11),
        ((32, 2, 40, 1), 42, 5),
        ((480, 1, 64, 8), 484, 428),
        ((8, 75, 32, 19), 42, 20),
        ((32, 19, 8, 75), 40, 40),
        ((24, 25, 64, 10), 138, 368),
        ((64, 10, 24, 25), 104, 306),
        ((64, 38, 96, 25), 201, 438),
        ((320, 1, 512, 1), 0, 0),
    ],
)
def test_converters_of_a_bus_are_as_yosys_mapped_them(sizes, mapped_ff, mapped_lut):
    parameters = dict(zip(("InWidth", "InBeats", "OutWidth", "OutBeats"), sizes, strict=True))
    model = load_cost_model(TARGET)
    found = model.cost(library_counts("gw_gearbox", parameters, model.rules))
    assert found.ff == mapped_ff
    assert abs(found.lut - mapped_lut) <= 2 + 0.15 * mapped_lut
