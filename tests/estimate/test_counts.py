"""What counts say of hardware whose cells are known without synthesis."""

from collections import Counter
from dataclasses import replace

import pytest

from flow.stream_designs import TARGET, conv, residual
from gatewright.circuit import Circuit
from gatewright.design.dataflow import Design
from gatewright.emit.assembly import assemble
from gatewright.emit.layers import CircuitModule, Cut
from gatewright.errors import UnsupportedError
from gatewright.estimate import load_cost_model
from gatewright.estimate.circuit_counts import circuit_counts
from gatewright.estimate.layer_counts import layer_counts
from gatewright.estimate.library_counts import library_counts
from gatewright.estimate.truth_tables import changing_bits, distinct_bits, luts_of_words
from gatewright.fixed import FixedType
from gatewright.kernels import Tensor
from gatewright.targets import load_target

RULES = load_cost_model(TARGET).rules
ECP5 = load_target("ecp5")
ECP5_RULES = load_cost_model(ECP5).rules


def _module(circuit, words, clock_ns=5.0, target=TARGET):
    circuit.outputs = [word.node for word in words]
    cut = Cut(target.fabric, clock_ns, registered=True)
    plan = cut.schedule(circuit, ())
    return CircuitModule((), (), False, 1, circuit, plan, tuple(words), cut)


def test_bits_of_a_sum():
    """The lowest bit passes through on a wire, and the highest one is the carry."""
    circuit = Circuit()
    a, b = (circuit.input(0, lane, 0, 15, 0) for lane in range(2))
    total = circuit.add_words(((1, a), (1, b.scaled(1))))
    found = circuit_counts(_module(circuit, [total]), RULES)
    assert found["sum3"] == 4
    assert (found["ff"], found["stage_flags"]) == (6, 1)


def test_upper_bits_that_nothing_reads_are_not_counted():
    circuit = Circuit()
    a, b = (circuit.input(0, lane, 0, 255, 0) for lane in range(2))
    low = circuit.bits(circuit.add_words(((1, a), (1, b))), 3, 0)
    assert circuit_counts(_module(circuit, [low]), RULES)["sum3"] == 4


@pytest.mark.parametrize(
    ("width", "expected"),
    [(3, {"sum_logic": 4}), (4, {"sum2": 6}), (5, {"sum2": 6})],
)
def test_narrow_sums_have_no_carry_chain_where_chains_are_of_two_bits(width, expected):
    circuit = Circuit()
    a, b = (circuit.input(0, lane, 0, 2**width - 1, 0) for lane in range(2))
    module = _module(circuit, [circuit.add_words(((1, a), (1, b)))], target=ECP5)
    found = circuit_counts(module, ECP5_RULES)
    assert {name: found[name] for name in found if name.startswith("sum")} == expected


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


@pytest.mark.parametrize(
    ("signed", "bits", "multiplier", "expected"),
    [
        ((False, True), (6, 4), "auto", {"product_pairs": 24}),
        (
            (False, True),
            (4, 6),
            "auto",
            {"dsp": 1, "product_register": 10},
        ),  # the unsigned one has five bits with its sign
        ((False, False), (4, 7), "auto", {"product_pairs": 28}),
        ((True, True), (6, 5), "auto", {"dsp": 1, "product_register": 11}),
        ((True, True), (3, 7), "auto", {"product_rows": 14}),
        ((True, True), (3, 3), "dsp", {"dsp": 1, "product_register": 6}),
        ((True, True), (9, 9), "lut", {"product_pairs": 81}),
        ((True, True), (20, 9), "auto", {"dsp": 2}),  # added in logic, so with a register there
    ],
)
def test_products_of_ecp5_go_where_its_mapper_puts_them(signed, bits, multiplier, expected):
    circuit = Circuit()
    a, b = (
        circuit.input(0, lane, -(2 ** (n - 1)) if sign else 0, 2 ** (n - sign) - 1, 0)
        for lane, (n, sign) in enumerate(zip(bits, signed, strict=True))
    )
    module = _module(circuit, [circuit.mul(a, b)], clock_ns=20.0, target=ECP5)
    found = circuit_counts(module, ECP5_RULES, multiplier)
    assert {name: found[name] for name in found if name.startswith(("product", "dsp"))} == expected


def test_values_carried_along_are_shift_registers():
    circuit = Circuit()
    early, word = circuit.input(0, 0, 0, 15, 0), circuit.input(0, 1, -128, 127, 0)
    for _ in range(12):
        word = circuit.add_words(((1, word), (1, word.scaled(1))))
    last = circuit.add_words(((1, word), (1, early)))
    module = _module(circuit, [last], clock_ns=1.2)
    assert module.schedule.latency > 3
    found, other = circuit_counts(module, RULES), circuit_counts(module, ECP5_RULES)
    assert found["shift_register"] == 4
    assert other["shift_register"] == 0  # LUTs of ECP5 are no shift registers
    assert other["ff"] == found["ff"] + 4 * module.schedule.latency - 4


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
    assert luts_of_words(words, 3, RULES.tables) == luts
    assert distinct_bits(words, 3) == bits


def test_blocks_hold_bits_that_are_not_constant():
    assert changing_bits([0b0110, 0b1110, 0b0101], 4) == 3
    assert changing_bits([-1, -2], 4) == 1


def test_tables_that_choose_between_tables_count_where_nothing_else_does():
    """Of 64 words of a bit: four tables of four inputs, and three of three inputs."""
    words = [0x9E3779B97F4A7C15 >> at & 1 for at in range(64)]
    assert luts_of_words(words, 1, RULES.tables) == 1
    assert luts_of_words(words, 1, ECP5_RULES.tables) == 4 + 3


@pytest.mark.parametrize(
    ("depth", "width", "expected"),
    [
        (0, 8, {}),
        (1, 8, {"ff": 8}),
        (2, 4, {"ff": 8}),
        (16, 30, {"memory": 24}),
        (64, 14, {"memory": 16}),
        (272, 18, {"half_blocks": 1}),
        (272, 36, {"half_blocks": 1, "ff": 72}),
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


@pytest.mark.parametrize(
    ("width", "depth", "style", "mapped"),
    [
        (8, 2, "auto", (20, 21, 0)),
        (30, 3, "auto", (61, 8, 0)),
        (72, 8, "auto", (131, 13, 0)),
        (30, 16, "auto", (84, 17, 0)),
        (30, 32, "auto", (172, 21, 0)),
        (8, 64, "auto", (126, 25, 0)),
        (4, 128, "auto", (136, 29, 0)),
        (30, 128, "auto", (97, 53, 0.5)),
        (72, 64, "auto", (137, 92, 1.0)),
        (18, 272, "block", (136, 64, 0.5)),
        (30, 128, "block", (130, 83, 0.5)),
        (8, 64, "block", (79, 36, 0.5)),
        (72, 64, "block", (207, 164, 1.0)),
        (48, 272, "auto", (192, 124, 1.0)),
    ],
)
def test_fifos_of_ecp5_are_as_yosys_mapped_them(width, depth, style, mapped):
    parameters = {"Width": width, "Depth": depth, "RamStyle": f'"{style}"'}
    model = load_cost_model(ECP5)
    found = model.cost(library_counts("gw_fifo", parameters, model.rules))
    lut, ff, bram = mapped
    assert found.bram == bram
    assert abs(found.ff - ff) <= 1
    assert abs(found.lut - lut) <= 0.26 * lut


def test_memories_hold_only_lanes_that_something_reads():
    """Without the weights of a channel nothing reads its lanes of the FIFO before the products."""

    def memory(channels):
        stem = conv("stem", Tensor("x", (6, 6, 4), FixedType(6, 2)), 2, 9, seed=1)
        weights = stem.weights.copy()
        weights[:, :, channels:] = 0
        design = Design(
            "one", stem.inputs, (stem.output,), (replace(stem, weights=weights),), "stream"
        )
        (module,) = assemble(design, ECP5, 10.0).modules.values()
        return layer_counts(module, ECP5_RULES)["memory"]

    assert memory(2) < 0.8 * memory(4)


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
    ("sizes", "ff", "xcup", "ecp5"),
    [
        ((64, 5, 320, 1), 324, 11, 11),
        ((32, 2, 40, 1), 42, 5, 6),
        ((480, 1, 64, 8), 484, 428, 430),
        ((8, 75, 32, 19), 42, 20, 24),
        ((32, 19, 8, 75), 40, 40, 46),
        ((24, 25, 64, 10), 138, 368, 415),
        ((64, 10, 24, 25), 104, 306, 504),
        ((64, 38, 96, 25), 201, 438, 477),
        ((320, 1, 512, 1), 0, 0, 0),
    ],
)
def test_converters_of_a_bus_are_as_yosys_mapped_them(sizes, ff, xcup, ecp5):
    parameters = dict(zip(("InWidth", "InBeats", "OutWidth", "OutBeats"), sizes, strict=True))
    for target, lut in ((TARGET, xcup), (ECP5, ecp5)):
        model = load_cost_model(target)
        found = model.cost(library_counts("gw_gearbox", parameters, model.rules))
        assert found.ff == ff
        assert abs(found.lut - lut) <= 2 + 0.2 * lut
