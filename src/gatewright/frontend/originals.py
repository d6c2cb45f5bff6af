"""Keeps a model's own file in its project where another program than Keras says what it means.

`verify` has that program run the file: qonnx for ONNX, HGQ2 for its models, PyTorch for its
programs. So the outputs are compared with what the file means, whatever was read of it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gatewright.frontend.environments import ENVIRONMENTS, interpreter
from gatewright.frontend.readers import hgq_worker, onnx_worker, torch_worker
from gatewright.frontend.readers.child import read_file_in_child
from gatewright.frontend.readers.keras import is_of_hgq

Values = NDArray[Any]

#: Seconds for a framework to start, to compile and to run on a busy machine.
_SECONDS = 240.0
_STEM = "network"


@dataclass(frozen=True)
class _Runner:
    """What runs files of one kind.

    Attributes:
        name: Its name in messages.
        worker: The script that runs a file; see `readers.child`.
        environment: The environment that the script needs; None for Gatewright's own.
        samples: Most samples that it runs in reasonable time.
        holds: Whether a file is of that kind.
    """

    name: str
    worker: str
    environment: str | None
    samples: int
    holds: Callable[[Path], bool]

    def python(self, path: Path) -> Path | None:
        if self.environment is None:
            return None
        return interpreter(self.environment, f"{path}: to run it with {self.name} itself")


#: By the suffix of the file.
_RUNNERS: Final = {
    # qonnx takes a millisecond for each node and sample.
    ".onnx": _Runner("qonnx", onnx_worker.__file__, None, 100, lambda _: True),
    ".pt2": _Runner("PyTorch", torch_worker.__file__, "torch", 1000, lambda _: True),
    ".keras": _Runner("HGQ2", hgq_worker.__file__, "hgq2", 1000, is_of_hgq),
}


def keep(model: Path, folder: Path) -> None:
    """Copy a model's file into a folder, if it is of a kind that another program runs.

    Raises:
        OSError: if it can't be copied.
    """
    runner = _RUNNERS.get(model.suffix.lower())
    if model.is_file() and runner is not None and runner.holds(model):
        shutil.copyfile(model, folder / f"{_STEM}{model.suffix.lower()}")


def kept(folder: Path) -> Path | None:
    """The file that `keep` has put into a folder; None if there is none."""
    found = (folder / f"{_STEM}{suffix}" for suffix in _RUNNERS)
    return next((path for path in found if path.is_file()), None)


def most_samples(original: Path) -> int:
    """Most samples that a kept file is run on in reasonable time."""
    return _RUNNERS[original.suffix].samples


def installed(original: Path) -> str:
    """The version of the environment that runs a kept file; "" if there is none, or needs none."""
    name = _RUNNERS[original.suffix].environment
    there = name is not None and ENVIRONMENTS[name].python is not None
    return ENVIRONMENTS[name].folder.name if there and name else ""


def execute(original: Path, inputs: Sequence[Values]) -> tuple[list[Values], str]:
    """Run a kept file with the program that says what it means.

    Args:
        original: The file.
        inputs: An array (samples, *shape) for each input; images have their channels last.

    Returns:
        The outputs, float32 (samples, elements); and the program's name with its version.

    Raises:
        InputError: if it can't be run.
    """
    runner = _RUNNERS[original.suffix]
    python = runner.python(original)
    named: dict[str, Any] = {
        str(index): np.asarray(each, np.float32) for index, each in enumerate(inputs)
    }
    with tempfile.TemporaryFile() as samples:
        np.savez(samples, **named)
        samples.seek(0)
        found = read_file_in_child(
            runner.worker,
            original,
            str(original),
            f"{runner.name} model",
            _SECONDS,
            descriptors=[samples.fileno()],
            python=python,
        )
    outputs = [found.arrays[str(index)] for index in range(len(found.arrays))]
    return outputs, found.attributes["framework"]
