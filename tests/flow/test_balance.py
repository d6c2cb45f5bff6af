"""Reuse factors by throughput."""

from dataclasses import replace

import pytest
from stream_designs import TARGET, residual

from gatewright.emit import emit
from gatewright.errors import DesignFailure
from gatewright.flow.balance import balanced, bottleneck, check_interval
from gatewright.kernels.multiplexed import Multiplexed


def reused(design, factors):
    kernels = tuple(
        kernel.reused(factors[kernel.layer]) if kernel.layer in factors else kernel
        for kernel in design.kernels
    )
    return replace(design, kernels=kernels)


@pytest.mark.parametrize("interval", [64, 130, 330, 700, 5000])
def test_the_interval_asked_for_is_kept(tmp_path, interval):
    design = residual()
    chosen = balanced(design, interval, TARGET)
    project = emit(reused(design, chosen), TARGET, 5.0, tmp_path)
    assert project.interval <= interval
    check_interval(project, interval)
    for kernel in design.kernels:
        if not isinstance(kernel, Multiplexed):
            continue
        cost = kernel.area(chosen[kernel.layer], TARGET)
        fast = [r for r in kernel.reuse_factors if kernel.interval(r) <= interval]
        assert all(cost <= kernel.area(r, TARGET) for r in fast)


def test_what_cannot_be_so_fast_is_named(tmp_path):
    design = residual()
    with pytest.raises(DesignFailure, match="layer 'stem': takes 64 cycles per sample at least"):
        balanced(design, 63, TARGET)
    project = emit(design, TARGET, 5.0, tmp_path)
    with pytest.raises(DesignFailure, match="takes 64, not 40"):
        check_interval(project, 40)


def test_the_bottleneck_and_its_price(tmp_path):
    design = reused(residual(), {"stem": 3, "long": 18})
    project = emit(design, TARGET, 5.0, tmp_path, handshake="stall")
    found = bottleneck(design, project, TARGET)
    # 36 windows of 18 steps, and a cycle in which the next image's first window is not there yet.
    assert (found.layer, found.interval, found.reuse, found.multipliers) == ("long", 649, 18, 2)
    # Half the reuse factor is a little too slow: the pixels between images take their time.
    assert (found.faster_reuse, found.faster_multipliers) == (6, 6)
    kernel = design.kernels[1]
    assert found.extra_area == kernel.area(6, TARGET) - kernel.area(18, TARGET)
    assert 2 * kernel.interval(6) <= kernel.interval(18) < 2 * kernel.interval(9)
