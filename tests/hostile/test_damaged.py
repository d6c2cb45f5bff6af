"""Damaged files of every kind are read, or refused in one line; the first few tries of `make fuzz`.

A failure names the command that repeats it.
"""

import corpus
import pytest

#: Tries of each kind, and how many a test does; the first of these are done by `make test`.
FIXED = {
    "h5": 40, "json": 28, "keras2": 20, "keras3": 35, "fml": 50, "hgq": 24, "onnx": 6, "preset": 20,
    "target": 10, "sweep": 20, "report": 12, "samples": 5, "project": 3,
}  # fmt: skip
_CHUNK = 6


def chunks():
    return [
        pytest.param(kind, first, marks=[pytest.mark.full] if first else [])
        for kind, count in FIXED.items()
        for first in range(0, count, _CHUNK)
    ]


def test_every_kind_is_tried():
    assert set(FIXED) == set(corpus.seeds())


@pytest.mark.parametrize(
    "kind",
    [
        # The seeds of ONNX are converted, each in both io types, in tests/frontend/test_onnx.py;
        # h5, json and keras2 are other kinds of files, of the networks of keras3 and two more.
        pytest.param(
            kind,
            marks=[pytest.mark.full] if kind in ("onnx", "h5", "json", "keras2") else [],
        )
        for kind in FIXED
    ],
)
def test_seeds_are_accepted(server, kind):
    """Else their damaged copies would be refused for another reason."""
    # Of a project the commands that run tools are for the wide run.
    quick = {"project": ("convert", "report")}
    for seed in corpus.seeds()[kind]:
        if seed.name in quick.get(kind, (seed.name,)):
            verdict = server.attempt(kind, None, seed.name)
            assert not verdict.faults, str(verdict)
            assert verdict.accepted, verdict.said


@pytest.mark.parametrize(("kind", "first"), chunks())
def test_damaged_files(server, kind, first):
    verdicts = [
        server.attempt(kind, number) for number in range(first, min(first + _CHUNK, FIXED[kind]))
    ]
    failed = [verdict for verdict in verdicts if verdict.faults]
    assert not failed, "\n".join(map(str, failed))
    assert not all(verdict.accepted for verdict in verdicts)
