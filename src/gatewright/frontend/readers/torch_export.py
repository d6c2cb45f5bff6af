"""Makes a program of PyTorch of a checkpoint and the class that it is of.

Arguments: the checkpoint, the Python file, the name of the class in it, the shapes of a sample of
each input as JSON, and the file to write. It runs the Python file, which the user trusts, in the
environment that has PyTorch. On failure it prints a line on standard error. Imports nothing of
Gatewright.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from pathlib import Path
from typing import Any

#: Keys under which training frameworks keep the weights in a checkpoint.
_WITHIN = ("state_dict", "model_state_dict", "model")


class _Unfit(Exception):
    """The class or the checkpoint can't be taken; the text says why."""


def _made(code: Path, name: str) -> Any:
    """The module that a class without arguments, or a function, of a file makes."""
    import torch

    sys.path.insert(0, str(code.parent))
    spec = importlib.util.spec_from_file_location(code.stem, code)
    if spec is None or spec.loader is None:
        raise _Unfit(f"{code.name} is not a Python file")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[code.stem] = loaded
    spec.loader.exec_module(loaded)
    made = getattr(loaded, name, None)
    if not callable(made):
        raise _Unfit(f"{code.name} has no class {name}")
    module = made()
    if not isinstance(module, torch.nn.Module):
        raise _Unfit(f"{name} of {code.name} makes no torch.nn.Module")
    return module


def _weights(checkpoint: Path) -> Any:
    import torch

    found = torch.load(checkpoint, map_location="cpu", weights_only=True)
    for key in _WITHIN:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            return found[key]
    return found


def main(checkpoint: Path, code: Path, name: str, shapes: list[list[int]], target: Path) -> None:
    """Write the program."""
    import torch

    module = _made(code, name)
    module.load_state_dict(_weights(checkpoint))
    module.eval()
    # Two samples, as PyTorch takes a batch of one for a constant.
    samples = tuple(torch.zeros(2, *shape) for shape in shapes)
    batch = torch.export.Dim("batch")
    sizes = tuple({0: batch} for _ in shapes)
    program = torch.export.export(module, samples, dynamic_shapes=sizes)
    torch.export.save(program, target)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    try:
        main(
            Path(sys.argv[1]),
            Path(sys.argv[2]),
            sys.argv[3],
            json.loads(sys.argv[4]),
            Path(sys.argv[5]),
        )
    except Exception as error:  # the user's class may raise any exception
        text = " ".join(str(error).split())  # on one line
        sys.exit(text if isinstance(error, _Unfit) else f"{type(error).__name__}: {text}")
