"""Constant matrix-vector multiplication: y = x @ matrix, unrolled.

Two ways to build it: a graph of shared additions without multipliers (da4ml's solver finds it), or
one multiplier per weight and an adder tree.
"""

from __future__ import annotations

import functools
import json
import math
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gatewright.circuit import Circuit, adders_area
from gatewright.circuit.digits import canonical_digits
from gatewright.circuit.rows import LANES
from gatewright.fixed import width_of
from gatewright.kernels.kernel import Implementation
from gatewright.system.cache import kept, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gatewright.circuit import Word
    from gatewright.circuit.fabric import Fabric
    from gatewright.targets import Target

#: The strategies of `Implementation`.
ADDERS = "adder graph"
MULTIPLIERS = "multipliers"
SHARED = "shared multipliers"

#: da4ml takes the matrix in single precision, which holds integers of this many bits exactly.
WEIGHT_BITS = 24

#: Signed digits times rows that the solver takes some five seconds for.
_BLOCK_WORK = 6_500_000

#: Signed digits of a matrix up to which the solver tries all its decompositions; that takes ten
#: times as long, and seldom saves more than one adder in a hundred.
_THOROUGH_DIGITS = 4000

#: Per stage: operations (code, operands, shift), then shifts of inputs, indices, shifts and signs
#: of outputs. Plain JSON.
_Solution = list[tuple[list[list[int]], list[int], list[int], list[int], list[bool]]]


def adder_graph(
    circuit: Circuit, x: Sequence[Word], matrix: NDArray[np.int64], fabric: Fabric
) -> list[Word]:
    """Sums of shifted inputs that compute x @ matrix.

    Args:
        circuit: where the sums go.
        x: n words.
        matrix: int64 of shape (n, m), magnitudes up to 2**24.
        fabric: what the sums are made of.
    """
    blocks = [
        _solved_graph(circuit, x[rows[0] : rows[-1] + 1], matrix[rows], fabric.sum_operands)
        for rows in np.array_split(np.arange(len(x)), _block_count(matrix))
    ]
    if len(blocks) == 1:
        return blocks[0]
    return [circuit.sum((1, part) for part in parts) for parts in zip(*blocks, strict=True)]


def _block_count(matrix: NDArray[np.int64]) -> int:
    """Number of blocks of rows that are solved separately, so that it takes seconds.

    The solver's time grows with the square of the rows, but sharing between rows saves little: two
    halves of a 784x20 matrix took 9 s and 4 % more LUTs, the whole took 32 s.
    """
    digits = max(1, int(signed_digits(matrix).sum()))
    return max(1, math.ceil(math.sqrt(digits * len(matrix) / _BLOCK_WORK)))


def _solved_graph(
    circuit: Circuit, x: Sequence[Word], matrix: NDArray[np.int64], operands: Literal[2, 3]
) -> list[Word]:
    intervals = tuple((word.lo, word.hi, word.frac) for word in x)
    return _graph(circuit, x, _solve(matrix, intervals, operands))


def _graph(circuit: Circuit, x: Sequence[Word], solution: _Solution) -> list[Word]:
    buffer = list(x)
    for ops, in_shifts, out_indices, out_shifts, out_negative in solution:
        inputs = [word.scaled(shift) for word, shift in zip(buffer, in_shifts, strict=True)]
        values: list[Word] = []
        for opcode, id0, id1, shift in ops:
            if opcode == -1:
                values.append(inputs[id0])
            else:
                sign = -1 if opcode == 1 else 1
                values.append(
                    circuit.add_words(((1, values[id0]), (sign, values[id1].scaled(shift))))
                )
        buffer = []
        for index, shift, negative in zip(out_indices, out_shifts, out_negative, strict=True):
            word = circuit.constant(0) if index < 0 else values[index].scaled(shift)
            buffer.append(circuit.add_words(((-1, word),)) if negative and index >= 0 else word)
    return buffer


def multipliers(circuit: Circuit, x: Sequence[Word], matrix: NDArray[np.int64]) -> list[Word]:
    """A multiplier per weight that is no power of two, and an adder tree per column."""
    columns = []
    for column in matrix.T:
        rows = np.flatnonzero(column).tolist()
        columns.append(
            circuit.sum((1, circuit.mul(x[i], circuit.constant(int(column[i])))) for i in rows)
        )
    return columns


def product(
    circuit: Circuit, target: Target, x: Word, value: int, frac: int, strategy: str = "latency"
) -> Word:
    """A word times value * 2**-frac, as shifted additions or in a multiplier: see `choose`."""
    width = width_of(x.lo, x.hi)
    if choose(np.array([[value]]), width, strategy, target).strategy == MULTIPLIERS:
        return circuit.mul(x, circuit.constant(value, frac))
    return circuit.sum((sign, x.scaled(place - frac)) for sign, place in canonical_digits(value))


def choose(
    matrix: NDArray[np.int64], input_width: int, strategy: str, target: Target
) -> Implementation:
    """Adders or multipliers for x @ matrix: as hls4ml's strategy says, or whichever costs less."""
    largest = int(np.abs(matrix).max(initial=0))
    if strategy == "resource":
        return Implementation(MULTIPLIERS, "strategy: resource")
    if largest >> WEIGHT_BITS:
        return Implementation(MULTIPLIERS, f"weights of {largest.bit_length()} bits")
    if strategy == "distributed_arithmetic":
        return Implementation(ADDERS, "strategy: distributed_arithmetic")
    fabric = target.fabric
    adders = adder_graph_area(matrix, input_width, fabric)
    products = multipliers_area(matrix, input_width, fabric)
    reason = (
        f"estimated {adders:.0f} {fabric.unit} as adders, {products:.0f} {fabric.unit}-equivalents "
        f"with multipliers at {fabric.multiplier_price}"
    )
    return Implementation(ADDERS if adders <= products else MULTIPLIERS, reason)


def unrolled_area(
    matrix: NDArray[np.int64], input_width: int, strategy: str, target: Target
) -> float:
    """Estimated area of x @ matrix as `choose` has it built, multipliers at their price."""
    if choose(matrix, input_width, strategy, target).strategy == MULTIPLIERS:
        return multipliers_area(matrix, input_width, target.fabric)
    return adder_graph_area(matrix, input_width, target.fabric)


def without_common_factor(matrix: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """The matrix divided by the largest power of two that divides it all, and its exponent."""
    bits = int(np.bitwise_or.reduce(np.abs(matrix), axis=None))
    exponent = (bits & -bits).bit_length() - 1 if bits else 0
    return matrix >> exponent, exponent


def adder_graph_area(matrix: NDArray[np.int64], input_width: int, fabric: Fabric) -> float:
    """Estimated area of `adder_graph`, without solving it."""
    digits = int(signed_digits(matrix).sum())
    return fabric.digit_area * digits * _result_width(matrix, input_width)


def multipliers_area(matrix: NDArray[np.int64], input_width: int, fabric: Fabric) -> float:
    """Price of `multipliers`: the multipliers themselves and their adder trees."""
    products = int((signed_digits(matrix) > 1).sum())
    largest = int(np.abs(matrix).max(initial=0))
    price = fabric.multiplier_area(input_width, width_of(-largest, largest))
    sums = int(np.count_nonzero(matrix)) / (fabric.sum_operands - 1)
    return products * price + sums * fabric.sum_area(_result_width(matrix, input_width))


def signed_digits(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of non-zero digits of each value in canonical signed-digit form.

    The form has a non-zero digit where 3v and v differ in binary (Prodinger 2000).
    """
    magnitude = np.abs(values)
    differing = (magnitude * 3) ^ magnitude
    return np.bitwise_count(differing).astype(np.int64)


def _result_width(matrix: NDArray[np.int64], input_width: int) -> int:
    gain = int(np.abs(matrix).sum(axis=0).max(initial=1))
    return input_width + width_of(-gain, gain) - 1


def _solve(
    matrix: NDArray[np.int64],
    intervals: tuple[tuple[int, int, int], ...],
    operands: Literal[2, 3],
) -> _Solution:
    if int(np.abs(matrix).max(initial=0)) >> WEIGHT_BITS:
        raise ValueError(f"weights beyond {WEIGHT_BITS} bits have no adder graph")
    thorough = int(signed_digits(matrix).sum()) <= _THOROUGH_DIGITS
    matrix = np.ascontiguousarray(matrix, np.int64)
    problem = json.dumps([matrix.shape, intervals, thorough, operands])
    key = key_of(*_solver(), problem, matrix.tobytes())

    def solved() -> bytes:
        ways = (False, True) if operands == LANES and thorough else (thorough,)
        found = [_solve_with_da4ml(matrix, intervals, way) for way in ways]
        return json.dumps(min(found, key=lambda each: _area(each, intervals, ways))).encode()

    found: _Solution = json.loads(kept("adders", key, solved))
    return found


def _area(
    solution: _Solution, intervals: tuple[tuple[int, int, int], ...], ways: tuple[bool, ...]
) -> int:
    """LUTs of a solution, if there is a choice.

    The solver counts sums of two numbers. The fewest of these are not the fewest LUTs where sums
    of many numbers are built in rows: what decompositions share are words too long for that.
    """
    if len(ways) == 1:
        return 0
    circuit = Circuit()
    x = [circuit.input(0, i, *interval) for i, interval in enumerate(intervals)]
    circuit.outputs = [word.node for word in _graph(circuit, x, solution)]
    return adders_area(circuit)


@functools.cache
def _solver() -> tuple[str, bytes]:
    """What solutions depend on beside the matrix: da4ml, and how this module asks it."""
    return metadata.version("da4ml"), Path(__file__).read_bytes()


def _solve_with_da4ml(
    matrix: NDArray[np.int64], intervals: tuple[tuple[int, int, int], ...], thorough: bool
) -> Any:
    from da4ml.cmvm import QInterval, solve

    pipeline = solve(
        matrix.astype(np.float32),
        qintervals=[
            QInterval(lo * 2.0**-frac, hi * 2.0**-frac, 2.0**-frac) for lo, hi, frac in intervals
        ],
        latencies=[0.0] * len(intervals),
        search_all_decompose_dc=thorough,
    )
    return [
        (
            [[int(n) for n in (op.opcode, op.id0, op.id1, op.data)] for op in stage.ops],
            [int(s) for s in stage.inp_shifts],
            [int(i) for i in stage.out_idxs],
            [int(s) for s in stage.out_shifts],
            [bool(n) for n in stage.out_negs],
        )
        for stage in pipeline.solutions
    ]
