"""The passes over circuits keep their values, and the schedule keeps its promises."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuit.circuits import random_circuit, random_inputs
from gatewright.circuit import Circuit, Op, adders_area, optimize, schedule, split_products
from gatewright.circuit.fabric import adder_bits, sum_terms
from gatewright.fixed import FixedType, width_of
from gatewright.targets import load_target

FABRIC = load_target("xcup").fabric
seeds = st.integers(0, 2**32)


@pytest.mark.parametrize("optimized", [False, True])
@given(seeds)
@settings(max_examples=150, deadline=None)
def test_values_stay_within_the_stated_ranges(optimized, seed):
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, 30)
    inputs = random_inputs(rng, circuit, 50)
    circuit = optimize(circuit) if optimized else circuit
    circuit.outputs = list(range(len(circuit.nodes)))
    values = circuit.evaluate(inputs)
    for column, node in zip(values.T, circuit.nodes, strict=True):
        assert node.lo <= column.min() and column.max() <= node.hi, node


@given(seeds, st.sampled_from([2, 3]))
@settings(max_examples=300, deadline=None)
def test_optimize_keeps_every_output(seed, operands):
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, 30)
    inputs = random_inputs(rng, circuit, 50)
    optimized = optimize(circuit, operands=operands)
    assert np.array_equal(circuit.evaluate(inputs), optimized.evaluate(inputs))


@given(seeds)
@settings(max_examples=100, deadline=None)
def test_optimize_leaves_two_operands_where_two_are_added(seed):
    circuit = optimize(random_circuit(np.random.default_rng(seed), 30), operands=2)
    for node in circuit.nodes:
        assert node.op is not Op.SUM or len(node.args) <= 2


@given(seeds)
@settings(max_examples=100, deadline=None)
def test_optimize_leaves_three_bits_in_a_column_where_three_are_added(seed):
    circuit = optimize(random_circuit(np.random.default_rng(seed), 30))
    for node in circuit.nodes:
        if node.op is Op.SUM:
            bits = Counter(
                column
                for (_, shift), arg in zip(node.attr, node.args, strict=True)
                if circuit.nodes[arg].op is not Op.CONST
                for column in range(shift, shift + circuit.nodes[arg].width)
                if column < node.width
            )
            assert max(bits.values()) <= 3


def test_a_constant_is_an_operand_where_two_are_added():
    circuit = Circuit()
    a, b = (circuit.input(0, i, 0, 255, 0) for i in range(2))
    bias = circuit.constant(37, 0)
    circuit.outputs = [circuit.sum(((-1, a), (-1, b), (1, bias))).node]
    sums = [n for n in optimize(circuit, operands=2).nodes if n.op is Op.SUM]
    # 37 - a - b, and no negation before it.
    assert [sorted(sign for sign, _ in node.attr) for node in sums] == [[-1, 1], [-1, 1]]
    assert [len(n.args) for n in optimize(circuit).nodes if n.op is Op.SUM] == [3]


@given(seeds, st.floats(0.8, 20.0), st.booleans())
@settings(max_examples=100, deadline=None)
def test_schedule_reads_values_that_are_there(seed, clock_ns, registered):
    circuit = optimize(random_circuit(np.random.default_rng(seed), 30))
    plan = schedule(circuit, FABRIC, clock_ns, registered=registered)
    for index, node in enumerate(circuit.nodes):
        for arg in node.args:
            assert plan.stage[arg] <= plan.stage[index]
            if circuit.nodes[arg].op is not Op.CONST:
                assert plan.last_use[arg] >= plan.stage[index]
            if circuit.nodes[arg].op is Op.MUL:
                assert plan.stage[arg] < plan.stage[index]
    for index in circuit.outputs:
        assert plan.stage[index] <= plan.latency
    if registered:
        assert set(plan.arrival) <= {0.0}


@given(seeds, st.floats(2.0, 20.0))
@settings(max_examples=100, deadline=None)
def test_schedule_fits_every_chain_of_operations_into_the_clock(seed, clock_ns):
    circuit = optimize(random_circuit(np.random.default_rng(seed), 30))
    plan = schedule(circuit, FABRIC, clock_ns)
    budget = clock_ns - FABRIC.register_ns
    settled = []
    for index, node in enumerate(circuit.nodes):
        delay = FABRIC.delay(node, circuit.nodes)
        start = max(
            (settled[arg] for arg in node.args if plan.stage[arg] == plan.stage[index]), default=0.0
        )
        settled.append(0.0 if node.op is Op.MUL else start + delay)
        assert settled[index] <= budget + 1e-9 or start == 0.0


def test_a_shorter_clock_makes_a_deeper_pipeline():
    circuit = Circuit()
    words = [circuit.input(0, i, -128, 127, 0) for i in range(32)]
    circuit.outputs = [circuit.sum((1, word) for word in words).node]
    latencies = [schedule(circuit, FABRIC, clock).latency for clock in (1.2, 2.5, 5.0, 50.0)]
    assert latencies == sorted(latencies, reverse=True)
    assert latencies[0] > latencies[-1] == 0


def test_sums_of_two_operands_vanish_into_three_operands():
    circuit = Circuit()
    a, b, c, d = (circuit.input(0, i, 0, 255, 0) for i in range(4))
    inner = circuit.add_words(((1, a), (-1, b)))
    outer = circuit.add_words(((-1, inner), (1, c)))
    circuit.outputs = [outer.node]
    assert [len(n.args) for n in optimize(circuit).nodes if n.op is Op.SUM] == [3]
    # With two readers it is written out twice; where something else reads it, it stays.
    other = circuit.add_words(((1, inner), (1, d)))
    circuit.outputs = [outer.node, other.node]
    assert [len(n.args) for n in optimize(circuit).nodes if n.op is Op.SUM] == [3, 3]
    circuit.outputs = [outer.node, inner.node]
    assert [len(n.args) for n in optimize(circuit).nodes if n.op is Op.SUM] == [2, 2]


def test_words_beside_each_other_are_added_in_one_row():
    circuit = Circuit()
    words = [circuit.input(0, i, 0, 3, 0) for i in range(9)]
    terms = [(1, word.scaled(2 * (i % 3))) for i, word in enumerate(words)]
    circuit.outputs = [circuit.sum(terms).node]
    optimized = optimize(circuit)
    assert [len(n.args) for n in optimized.nodes if n.op is Op.SUM] == [9]
    assert adders_area(circuit) == 6


def test_terms_that_cancel_are_not_added():
    circuit = Circuit()
    a, b, c = (circuit.input(0, i, -8, 7, 0) for i in range(3))
    difference = circuit.add_words(((1, a), (-1, b)))
    total = circuit.add_words(((1, difference), (1, b)))
    circuit.outputs = [circuit.add_words(((1, total), (1, c))).node]
    (one,) = (node for node in optimize(circuit).nodes if node.op is Op.SUM)
    assert one.attr == ((1, 0), (1, 0)) and (one.lo, one.hi) == (-16, 14)
    circuit.outputs = [circuit.add_words(((1, total), (-1, a))).node]
    assert np.array_equal(optimize(circuit).evaluate(np.array([[3, 5, 0]])), [[0]])


def test_a_sum_is_negated_where_its_low_bits_then_are_wires():
    circuit = Circuit()
    a, b, c = (circuit.input(0, i, 0, 255, 0) for i in range(3))
    inner = circuit.add_words(((1, b.scaled(4)), (-1, a)))
    outer = circuit.add_words(((1, inner.scaled(5)), (1, c)))
    circuit.outputs = [outer.node, circuit.add_words(((1, inner.scaled(3)), (1, c))).node]
    optimized = optimize(circuit, operands=2)
    assert next(n.attr for n in optimized.nodes if n.op is Op.SUM) == ((1, 0), (-1, 4))


def test_a_chain_of_four_sums_is_two_rows():
    circuit = Circuit()
    word = circuit.input(0, 0, 0, 1023, 0)
    for element in range(1, 5):
        word = circuit.add_words(((1, word), (1, circuit.input(0, element, 0, 1023, 0))))
    circuit.outputs = [word.node]
    assert sum(n.op is Op.SUM for n in optimize(circuit).nodes) == 2


def test_convergent_rounding_after_a_sum_costs_no_adder():
    circuit = Circuit()
    a, b = (circuit.input(0, i, -128, 127, 4) for i in range(2))
    to = FixedType.parse("fixed<8,6,RND_CONV>")
    total = circuit.sum(((1, a), (1, b), (1, circuit.constant(3, 4))))
    circuit.outputs = [circuit.cast(total, to).node]
    ops = [node.op for node in optimize(circuit).nodes]
    assert ops.count(Op.SUM) == 1 and Op.ROUND_EVEN in ops and Op.CAST not in ops


def test_a_cast_that_loses_nothing_is_a_wire():
    circuit = Circuit()
    word = circuit.input(0, 0, 0, 12, 2)
    assert circuit.cast(word, FixedType.parse("ufixed<4,2>")) == word
    assert circuit.cast(word, FixedType.parse("fixed<9,5,RND,SAT>")) == word
    assert circuit.cast(word, FixedType.parse("fixed<4,2,RND,SAT>")) != word


@pytest.mark.parametrize(("lo", "hi", "width"), [(0, 0, 1), (0, 1, 1), (0, 8, 4), (-1, 0, 1)])
def test_width_is_the_narrowest(lo, hi, width):
    assert width_of(lo, hi) == width


def test_a_table_index_must_stay_inside():
    circuit = Circuit()
    with pytest.raises(ValueError, match=r"0\.\.15 leaves a table of 8 entries"):
        circuit.table(circuit.input(0, 0, 0, 15, 0), range(8), 0)


def test_wires_cost_nothing():
    circuit = Circuit()
    a = circuit.input(0, 0, 0, 255, 0)
    shifted = circuit.add_words(((1, a.scaled(8)), (1, circuit.input(0, 1, 0, 255, 0))))
    node = circuit.nodes[shifted.node]
    assert adder_bits(sum_terms(node, circuit.nodes), node.width) == node.width - 8


def test_a_clock_that_an_operation_cannot_meet_shows_in_the_path():
    circuit = Circuit()
    words = [circuit.input(0, i, -128, 127, 0) for i in range(2)]
    circuit.outputs = [circuit.sum((1, word) for word in words).node]
    assert schedule(circuit, FABRIC, 5.0).path < 5.0
    assert schedule(circuit, FABRIC, 0.5).path > 0.5


def test_a_late_input_shows_in_the_path_and_reaches_a_product_through_a_register():
    fabric = load_target("ecp5-85k").fabric
    circuit = Circuit()
    a, b = (circuit.input(0, i, -128, 127, 0) for i in range(2))
    circuit.outputs = [circuit.mul(a, b).node]
    at_once = schedule(circuit, fabric, 10.0)
    late = schedule(circuit, fabric, 10.0, [[0.0, 5.0]])
    assert (at_once.latency, late.latency) == (2, 3)
    # With time to spare it needs none.
    assert schedule(circuit, fabric, 16.0, [[0.0, 5.0]]).latency == 1
    assert schedule(circuit, fabric, 4.0, [[0.0, 20.0]]).path == pytest.approx(
        20.0 + fabric.register_ns
    )


@pytest.mark.parametrize(
    ("target", "stages"), [("xcup", 2), ("ecp5-85k", 2), ("gw2a-18", 1), ("osu018", 1)]
)
def test_registers_after_a_product_count_where_tools_move_them_into_it(target, stages):
    """Elsewhere a product that is slower than the clock is said to be."""
    fabric = load_target(target).fabric
    circuit = Circuit()
    a, b = (circuit.input(0, i, -(2**15), 2**15 - 1, 0) for i in range(2))
    product = circuit.mul(a, b)
    circuit.outputs = [product.node]
    delay = fabric.delay(circuit.nodes[product.node], circuit.nodes)
    clock = fabric.register_ns + delay / 1.5
    plan = schedule(circuit, fabric, clock)
    assert plan.latency == stages
    assert (plan.path <= clock) == (stages == 2)


def test_what_reads_a_product_waits_for_its_net():
    """On ECP5, a sum of products takes the net from their multipliers, an output does not."""
    fabric = load_target("ecp5-85k").fabric
    circuit = Circuit()
    x = [circuit.input(0, i, -128, 127, 0) for i in range(8)]
    products = [circuit.mul(x[i], x[i + 1]) for i in range(0, 8, 2)]
    pairs = [circuit.sum(((1, products[i]), (1, products[i + 1]))) for i in (0, 2)]
    circuit.outputs = [circuit.sum((1, pair) for pair in pairs).node]
    plan = schedule(circuit, fabric, 10.0, registered=True)
    assert [plan.stage[word.node] for word in pairs] == [2, 2]
    assert plan.stage[circuit.outputs[0]] == 3
    circuit.outputs = [products[0].node]
    assert schedule(circuit, fabric, 10.0, registered=True).latency == 2


def test_a_product_of_constants_is_a_constant():
    circuit = Circuit()
    product = circuit.mul(circuit.constant(0), circuit.constant(-4, 1))
    assert circuit.value_of(product) == 0
    assert circuit.mul(circuit.constant(3), circuit.constant(-4)) == circuit.constant(-12)


@given(seeds, st.sampled_from([1.5, 2.0, 3.0, 5.0]), st.sampled_from(["osu018", "ice40-up5k"]))
@settings(max_examples=150, deadline=None)
def test_products_in_parts_keep_every_output(seed, clock_ns, target):
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, 30)
    inputs = random_inputs(rng, circuit, 50)
    fabric = load_target(target).fabric.without_blocks()
    parts = split_products(circuit, fabric, clock_ns)
    assert np.array_equal(circuit.evaluate(inputs), parts.evaluate(inputs))


@pytest.mark.parametrize("signed", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("clock_ns", [2.5, 3.5, 5.0])
def test_a_wide_product_of_logic_meets_the_clock_in_parts(signed, clock_ns):
    fabric = load_target("osu018").fabric
    whole = Circuit()
    ranges = [(-(1 << 17), (1 << 17) - 1) if sign else (0, (1 << 18) - 1) for sign in signed]
    a, b = (whole.input(0, i, *limits, 3) for i, limits in enumerate(ranges))
    whole.outputs = [whole.mul(a, b).node]
    before = schedule(whole, fabric, clock_ns)
    parts = split_products(whole, fabric, clock_ns)
    after = schedule(parts, fabric, clock_ns)
    assert before.path > 5.5
    assert after.path < before.path - 0.5
    assert clock_ns < 5.0 or after.path <= clock_ns
    inputs = random_inputs(np.random.default_rng(0), whole, 500)
    edges = np.array([[x, y] for x in ranges[0] for y in ranges[1]])
    inputs = np.concatenate([inputs, edges])
    assert np.array_equal(whole.evaluate(inputs), parts.evaluate(inputs))


def test_a_product_for_a_multiplier_block_stays_whole():
    circuit = Circuit()
    a, b = (circuit.input(0, i, -(1 << 17), (1 << 17) - 1, 0) for i in range(2))
    circuit.outputs = [circuit.mul(a, b).node]
    assert split_products(circuit, FABRIC, 0.5) is circuit
