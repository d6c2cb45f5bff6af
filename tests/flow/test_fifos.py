"""FIFO depths are what simulation shows to be needed, no less and not much more."""

import numpy as np
import pytest
from stream_designs import TARGET, chain, residual, save

from gatewright import simulate
from gatewright.design import golden
from gatewright.emit import emit
from gatewright.errors import DesignFailure
from gatewright.flow.convert import load_rtl
from gatewright.flow.fifos import size_fifos
from gatewright.flow.inputs import random_inputs


def _fifos(project):
    return {m.instance: m for m in project.modules if m.kind == "fifo"}


def test_depths_are_measured_and_keep_the_interval(tmp_path):
    design = residual(reuse_factor=3)
    directory = save(design, tmp_path / "block")
    before = _fifos(load_rtl(directory))
    stamp = size_fifos(directory, samples=6)
    project = load_rtl(directory)
    after = _fifos(project)
    assert stamp.results.depths == {name: fifo.depth for name, fifo in after.items()}
    assert stamp.results.interval == stamp.results.interval_after == project.interval
    # The short branch must hold a row and a pixel or so, and not the two tensors that it could.
    short = "u_stem_1_fifo"
    assert 6 < after[short].depth < before[short].depth == before[short].room
    # Nothing has changed since, so there is nothing to do.
    assert not size_fifos(directory, samples=6).fresh

    words = random_inputs(design, 6, seed=1)
    run = simulate.simulate(
        project, [words[0].reshape(6, -1)], tmp_path / "sim", driver_vectors=2, resets=4
    )
    expected = golden.run(design, words)["total"].reshape(6, -1)
    np.testing.assert_array_equal(run.outputs[0], expected)
    assert run.interval_max == project.interval


def test_the_rows_that_begin_an_image_are_ready_without_a_measurement(tmp_path):
    # Before its first window `slow` takes two rows of 26 and 3 pixels of the padded image, one a
    # clock, 26 of them from `fast`, which gives one in 9 clocks.
    project = emit(chain(3, 24), TARGET, 5.0, tmp_path, handshake="stall")
    assert project.interval == 18 * (3 * 24 - 1) + 2 * 26 + 3
    words = np.zeros((5, 3 * 24 * 2), np.int64)
    run = simulate.simulate(project, [words], tmp_path / "sim", stalls=(), resets=0)
    assert run.interval_max == project.interval


def test_a_deadlock_names_the_fifo_that_is_full(tmp_path):
    design = residual()
    project = emit(design, TARGET, 5.0, tmp_path, {"u_stem_1_fifo": 2})
    words = random_inputs(design, 2, seed=0)
    with pytest.raises(DesignFailure, match=r"deadlock.*full: .*u_stem_1_fifo \(2 of 2\)"):
        simulate.simulate(project, [words[0].reshape(2, -1)], tmp_path / "sim", stalls=())


def test_a_design_in_lock_step_has_no_fifos(project):
    assert size_fifos(project).results.depths == {}
