"""Random circuits that use every operation."""

import numpy as np

from gatewright.circuit import Circuit, Word
from gatewright.fixed import FixedType, Overflow, Rounding


def random_circuit(rng: np.random.Generator, operations: int, inputs: int = 5) -> Circuit:
    """A circuit of about `operations` nodes on one port of `inputs` elements."""
    circuit = Circuit()
    words = []
    for element in range(inputs):
        width, signed = int(rng.integers(1, 9)), bool(rng.integers(2))
        lo, hi = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
        words.append(circuit.input(0, element, lo, hi, int(rng.integers(-2, 5))))
    for _ in range(operations):
        words.append(_random_word(rng, circuit, words))
    chosen = [words[i] for i in rng.choice(len(words), min(6, len(words)), replace=False)]
    circuit.outputs = [words[-1].node, *(word.node for word in chosen)]
    return circuit


def _random_word(rng: np.random.Generator, circuit: Circuit, words: list[Word]) -> Word:
    def pick() -> Word:
        # Recent words, so that circuits grow deep.
        return words[max(0, len(words) - 1 - int(rng.exponential(4)))]

    def sign() -> int:
        return int(rng.choice([-1, 1]))

    kind = rng.choice(["sum", "sum", "sum", "cast", "cast", "select", "mul", "table", "bits"])
    if kind == "sum":
        terms = [(sign(), pick()) for _ in range(int(rng.integers(2, 5)))]
        if rng.random() < 0.4:
            terms.append(
                (1, circuit.constant(int(rng.integers(-99, 99)), int(rng.integers(-1, 4))))
            )
        result = circuit.sum(terms)
    elif kind == "cast":
        result = circuit.cast(pick(), random_type(rng))
    elif kind == "select":
        a, b = pick(), pick()
        relation = str(rng.choice(["<", "<=", ">", ">=", "==", "!="]))
        other = circuit.constant(0) if rng.random() < 0.3 else b
        result = circuit.select(circuit.compare(relation, a, other), a, pick())
    elif kind == "mul":
        factor = circuit.constant(int(rng.integers(-40, 40)), int(rng.integers(0, 3)))
        result = circuit.mul(pick(), pick() if rng.random() < 0.3 else factor)
    elif kind == "table":
        index = circuit.bits(pick(), 3, 0)
        contents = [int(entry) for entry in rng.integers(-50, 50, 16)]
        result = circuit.table(index, contents, int(rng.integers(0, 4)))
    else:
        low = int(rng.integers(0, 4))
        result = circuit.bits(pick(), low + int(rng.integers(0, 6)), low)
    if (result.hi - result.lo).bit_length() > 20 or abs(result.frac) > 10:
        result = circuit.cast(result, random_type(rng))
    return result


def random_type(rng: np.random.Generator) -> FixedType:
    """A type of up to 9 bits, in any mode."""
    width = int(rng.integers(1, 10))
    return FixedType(
        width,
        int(rng.integers(-1, 8)),
        bool(rng.integers(2)),
        Rounding(rng.choice(list(Rounding))),
        Overflow(rng.choice(list(Overflow))),
    )


def random_inputs(rng: np.random.Generator, circuit: Circuit, batch: int) -> np.ndarray:
    """Words within the ranges of port 0's inputs, (batch, elements)."""
    ranges = {n.attr[1]: (n.lo, n.hi) for n in circuit.nodes if n.op == "input"}
    columns = [
        rng.integers(*ranges[element], batch, endpoint=True)
        if element in ranges
        else np.zeros(batch, np.int64)
        for element in range(max(ranges, default=-1) + 1)
    ]
    return np.stack(columns, axis=1)
