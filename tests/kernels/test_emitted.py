"""The RTL of every activation, simulated, against golden outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import test_activation
import test_layernorm
import test_softmax
import test_table
from checks import TARGET, values

from gatewright.design import golden
from gatewright.design.dataflow import Design
from gatewright.emit import emit
from gatewright.kernels import Tensor
from gatewright.simulate import lint, simulate

if TYPE_CHECKING:
    from pathlib import Path

    from gatewright.kernels import Kernel

KERNELS: dict[str, list[Kernel]] = {
    "activation": [each.kernel for each in test_activation.FEW],
    "table": [kernel for kernel, _ in test_table.FEW_TRIALS.values()],
    "softmax": [each.kernel() for each in test_softmax.FEW],
    "layer normalization": [each.kernel() for each in test_layernorm.FEW],
    "more activations": [each.kernel for each in test_activation.MORE],
    "more tables": [kernel for kernel, _ in test_table.MORE_TRIALS.values()],
    "more softmax": [each.kernel() for each in test_softmax.MORE],
}


def side_by_side(kernels: list[Kernel]) -> Design:
    """A design with an input per type and shape, and every kernel on the one it takes."""
    inputs: dict[tuple[str, tuple[int, ...]], Tensor] = {}
    placed = []
    for number, kernel in enumerate(kernels):
        source = kernel.inputs[0]
        key = str(source.type), source.shape
        tensor = inputs.setdefault(key, replace(source, name=f"x{len(inputs)}"))
        output = replace(kernel.output, name=f"y{number}")
        placed.append(replace(kernel, layer=f"k{number}", inputs=(tensor,), output=output))
    outputs = tuple(kernel.output for kernel in placed)
    return Design("kernels", tuple(inputs.values()), outputs, tuple(placed))


@pytest.mark.full
@pytest.mark.parametrize("group", KERNELS)
def test_rtl_is_golden(tmp_path: Path, group: str) -> None:
    design = side_by_side(KERNELS[group])
    count = 600
    vectors = [
        np.resize(values(x.type, x.size, samples=count), (count, x.size)).reshape(count, *x.shape)
        for x in design.inputs
    ]
    (tmp_path / "rtl").mkdir()
    project = emit(design, TARGET, TARGET.clock_ns, tmp_path / "rtl")
    lint(project)
    run = simulate(
        project,
        [x.reshape(count, -1) for x in vectors],
        tmp_path / "sim",
        stalls=(),
        resets=0,
        driver_vectors=0,
    )
    expected = golden.run(design, vectors)
    for tensor, got in zip(design.outputs, run.outputs, strict=True):
        np.testing.assert_array_equal(expected[tensor.name].reshape(count, -1), got)
