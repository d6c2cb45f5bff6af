"""Names of what becomes of a tensor, where another tensor has that name."""

from __future__ import annotations

import numpy as np
import pytest

from gatewright.design import golden
from gatewright.design.dataflow import Design
from gatewright.emit import emit
from gatewright.fixed import FixedType
from gatewright.kernels import Reshape, Tensor, Transpose
from gatewright.simulate import lint, simulate
from gatewright.targets import load_target

TYPE = FixedType(6, 2)


def design(other: str) -> Design:
    """A tensor with two readers beside one of another name, which is wider."""
    x, y = Tensor("x", (2, 3), TYPE), Tensor(other, (3, 3), TYPE)
    kernels = [
        Transpose(f"k{number}", (source,), Tensor(f"k{number}", source.shape[::-1], TYPE), (1, 0))
        for number, source in enumerate((x, x, y))
    ]
    kernels.append(Reshape("flat", (kernels[0].output,), Tensor("flat", (6,), TYPE)))
    outputs = tuple(kernel.output for kernel in kernels[1:])
    return Design("names", (x, y), outputs, tuple(kernels))


@pytest.mark.parametrize("handshake", ["stall", "credit"])
@pytest.mark.parametrize("other", ["x_1", "x_held", "x_in", "x_port", "k1_out1"])
def test_no_two_tensors_share_a_name(tmp_path, other, handshake):
    made = design(other)
    project = emit(made, load_target("xcup"), 5.0, tmp_path, handshake=handshake,
                   register_ports=other == "x_port")  # fmt: skip
    lint(project)


def test_a_copy_is_not_the_other_tensor(tmp_path):
    made = design("x_1")
    rng = np.random.default_rng(0)
    x = [rng.integers(TYPE.min, TYPE.max + 1, (20, *tensor.shape)) for tensor in made.inputs]
    (tmp_path / "rtl").mkdir()
    (tmp_path / "sim").mkdir()
    project = emit(made, load_target("xcup"), 5.0, tmp_path / "rtl")
    found = simulate(project, [each.reshape(20, -1) for each in x], tmp_path / "sim").outputs
    right = golden.run(made, x)
    for tensor, output in zip(made.outputs, found, strict=True):
        assert np.array_equal(output, right[tensor.name].reshape(20, -1))
