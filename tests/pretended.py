"""Fake steps of recipes, without training."""

import json

import numpy as np

from gatewright.compress import recipe_walk as run
from gatewright.compress.dataset import Data, Samples
from gatewright.compress.recipe import STEPS


def pretend(monkeypatch, answer=lambda request, count: {}):
    """Replace the process that runs steps.

    Args:
        monkeypatch: the fixture of the test.
        answer: function of the request and the number of requests so far, which returns
            measurements in addition to those of all requests.

    Returns:
        The list of requests, which grows with each request.
    """
    requests = []

    def do(self, request, folder):
        requests.append(request)
        if request["step"] == "data":
            test = Samples(np.ones((2, 1), np.float32), np.arange(2))
            Data(test, test.part(slice(0)), test).save(folder / run.DATA)
            metric = {"name": "top-1 accuracy", "better": "more"}
            return {"metric": metric | {"named": "accuracy", "output": None}}
        (folder / STEPS[request["step"]].model_file).write_text(
            json.dumps([len(requests), request["settings"]])
        )
        np.savez(folder / run.OUTPUTS, out=np.eye(2, dtype=np.float32))
        measured = {
            "scores": {"train": 1.0, "test": 1.0},
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
