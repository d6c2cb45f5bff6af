"""A simulation that would take long is made shorter, or foretold; the number used is recorded."""

import json

import numpy as np
import pytest

from gatewright.cli import commands as cli
from gatewright.errors import InputError
from gatewright.flow.convert import load_design
from gatewright.flow.fifos import size_fifos
from gatewright.flow.inputs import random_inputs, read_inputs
from gatewright.flow.verify import verify
from gatewright.simulate import seconds_of


@pytest.fixture
def slow(monkeypatch):
    """Every simulation is forecast to take so many times as long."""

    def make(times):
        forecast = lambda project, phases: times * seconds_of(project, phases)  # noqa: E731
        monkeypatch.setattr("gatewright.simulate.seconds_of", forecast)

    return make


def test_the_default_is_lowered_and_said(simulated, slow):
    slow(50_000)
    said = []
    stamp = verify(simulated, notice=said.append, fidelity=False)
    count = stamp.results.verification.vectors
    assert 10 <= count < 1000
    (line,) = said
    assert f"{count} random vectors instead of 1,000" in line and "--samples" in line
    # It is the number of this design: asked again, nothing is to be done, or to be said.
    assert not verify(simulated, notice=said.append, fidelity=False).fresh and len(said) == 1


def test_what_is_asked_for_is_done_and_foretold(simulated, slow, tmp_path):
    slow(1_000_000)
    said = []
    assert (
        verify(
            simulated, samples=20, notice=said.append, fidelity=False
        ).results.verification.vectors
        == 20
    )
    np.save(tmp_path / "x.npy", np.zeros((12, 3)))
    stamp = verify(simulated, inputs=tmp_path / "x.npy", notice=said.append, fidelity=False)
    assert stamp.results.verification.vectors == 12
    assert len(said) == 2 and all("will take about" in line for line in said)


def test_nothing_is_said_of_a_short_one(simulated):
    said = []
    assert (
        verify(simulated, notice=said.append, fidelity=False).results.verification.vectors == 1000
    )
    assert said == []


def test_the_command_says_so_and_gives_the_number(simulated, slow, capsys):
    slow(50_000)
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", str(simulated), "--json", "--no-fidelity"])
    captured = capsys.readouterr()
    assert not ended.value.code
    count = json.loads(captured.out)["vectors"]
    assert f"{count} random vectors instead of 1,000" in captured.err


def test_sizing_of_fifos_too(tmp_path, slow):
    from stream_designs import residual, save

    directory = save(residual(reuse_factor=3), tmp_path / "block")
    slow(20_000)
    said = []
    stamp = size_fifos(directory, notice=said.append)
    assert stamp.results.interval == stamp.results.interval_after
    assert len(said) == 1 and "samples instead of 8" in said[0]


def test_samples_that_find_no_room(project, monkeypatch, tmp_path):
    design = load_design(project)
    np.save(tmp_path / "x.npy", np.zeros((100, 3)))
    for read in (
        lambda: random_inputs(design, 1_000_000_000, 0),
        lambda: read_inputs(tmp_path / "x.npy", design),
    ):
        monkeypatch.setattr(
            "psutil.virtual_memory", lambda: type("Memory", (), {"available": 10_000})
        )
        with pytest.raises(InputError, match=r"samples take about .* GiB of memory, and .* free"):
            read()
