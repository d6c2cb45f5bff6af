"""Steps of recipes that fit nothing."""

import json

import numpy as np

from gatewright.compress import recipe_walk as run


def pretend(monkeypatch, answer=lambda request, count: {}):
    """Replaces the process that does steps.

    Args:
        monkeypatch: of the test.
        answer: what a request is to have measured, beside what all have; it is told the request,
            and how many there have been.

    Returns:
        The list of requests, which grows.
    """
    requests = []

    def do(self, request, folder):
        requests.append(request)
        if request["step"] == "data":
            np.savez(folder / run.DATA, x_test=np.ones((2, 1), np.float32), y_test=np.arange(2))
            return {}
        (folder / run.MODEL).write_text(json.dumps([len(requests), request["settings"]]))
        np.save(folder / run.OUTPUTS, np.eye(2, dtype=np.float32))
        measured = {
            "accuracy": {"train": 1.0, "test": 1.0},
            "cost": None,
            "losses": [],
            "curve": [],
            "stopped": False,
            "devices": [],
            "notes": [],
            "bits": {},
        }
        return measured | answer(request, len(requests))

    monkeypatch.setattr(run.Worker, "do", do)
    monkeypatch.setattr(run.Worker, "start", lambda _: None)
    return requests
