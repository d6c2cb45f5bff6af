"""What must hold of every kernel's circuit, and inputs to try it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gatewright.circuit import Circuit, Op, optimize, schedule
from gatewright.targets import load_target

if TYPE_CHECKING:
    from gatewright.fixed import FixedType
    from gatewright.kernels import Kernel

TARGET = load_target("xcup")


def values(t: FixedType, size: int, seed: int = 0, samples: int = 512) -> np.ndarray:
    """Raw inputs of shape (batch, size): every value up to 10 bits, else edges and random ones."""
    rng = np.random.default_rng(seed)
    if t.width <= 10:
        every = np.arange(t.min, t.max + 1)
    else:
        edges = np.array([t.min, t.min + 1, -1, 0, 1, t.max - 1, t.max])
        # Of all magnitudes, so that small values are tried as much as large ones.
        scale = rng.integers(1, t.width + 1, samples)
        spread = rng.integers(t.min, t.max + 1, samples) >> (t.width - scale)
        every = np.concatenate([edges[(edges >= t.min) & (edges <= t.max)], spread])
    return np.stack([rng.permutation(every) for _ in range(size)], axis=1)


def check_circuit(kernel: Kernel, *inputs: np.ndarray) -> None:
    """The circuit computes the golden outputs, before and after optimization.

    Also that every node stays within its stated range, that the outputs lie within the range of
    the output's type, and that the circuit can be scheduled. All that for inputs in the unit of
    their type, and for inputs that are known to be multiples of four units.
    """
    for zeros in (0, 2):
        raw = [
            np.maximum(x.reshape(len(x), -1) >> zeros, -(-tensor.type.min >> zeros))
            for x, tensor in zip(inputs, kernel.inputs, strict=True)
        ]
        rounded = [r.reshape(x.shape) << zeros for r, x in zip(raw, inputs, strict=True)]
        expected = kernel.golden(*rounded).reshape(len(inputs[0]), -1)
        circuit, fracs = build(kernel, zeros)
        _check_outputs(circuit, fracs, kernel.output.type.frac, raw, expected)
        _check_outputs(optimize(circuit), fracs, kernel.output.type.frac, raw, expected)
        for word, frac in zip(circuit.outputs, fracs, strict=True):
            node, shift = circuit.nodes[word], frac - kernel.output.type.frac
            assert node.lo >= kernel.output.type.min << max(shift, 0) >> max(-shift, 0), node
            assert node.hi <= kernel.output.type.max << max(shift, 0) >> max(-shift, 0), node


def _check_outputs(
    circuit: Circuit, fracs: list[int], frac: int, raw: list[np.ndarray], expected: np.ndarray
) -> None:
    outputs = circuit.outputs
    circuit.outputs = [*range(len(circuit.nodes))]
    every = circuit.evaluate(*raw)
    circuit.outputs = outputs
    for node, seen in zip(circuit.nodes, every.T, strict=True):
        assert node.lo <= seen.min(), node
        assert seen.max() <= node.hi, node
    for index, own, want in zip(outputs, fracs, expected.T, strict=True):
        got = every[:, index]
        np.testing.assert_array_equal(got << max(frac - own, 0), want << max(own - frac, 0))
    _check_schedule(circuit)


def _check_schedule(circuit: Circuit) -> None:
    """Nothing is read before it is there, and a stage is as long as the clock allows."""
    plan = schedule(circuit, TARGET.fabric, TARGET.clock_ns)
    for node, stage in zip(circuit.nodes, plan.stage, strict=True):
        words = [arg for arg in node.args if circuit.nodes[arg].op is not Op.CONST]
        assert all(plan.stage[arg] <= stage <= plan.last_use[arg] for arg in words), node
    assert all(plan.stage[index] <= plan.latency for index in circuit.outputs)
    alone = max(TARGET.fabric.delay(node, circuit.nodes) for node in circuit.nodes)
    assert plan.path <= max(TARGET.clock_ns, alone + TARGET.fabric.register_ns)


def build(kernel: Kernel, zeros: int = 0) -> tuple[Circuit, list[int]]:
    """The kernel's circuit, its inputs taking every value, and each output's fractional bits.

    With `zeros`, the inputs take every value whose last bits are that many zeros.
    """
    circuit = Circuit()
    words = [
        [
            circuit.input(
                port,
                element,
                -(-tensor.type.min >> zeros),
                tensor.type.max >> zeros,
                tensor.type.frac - zeros,
            )
            for element in range(tensor.size)
        ]
        for port, tensor in enumerate(kernel.inputs)
    ]
    result = kernel.build(circuit, TARGET, *words)
    assert len(result) == kernel.output.size
    circuit.outputs = [word.node for word in result]
    return circuit, [word.frac for word in result]
