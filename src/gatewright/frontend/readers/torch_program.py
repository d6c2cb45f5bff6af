"""Reads programs of PyTorch, as `torch.export.save` writes them, through ONNX; or makes one."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend.environments import interpreter
from gatewright.frontend.messages import shown
from gatewright.frontend.network import Network, is_name
from gatewright.frontend.readers import torch_export, torch_worker
from gatewright.frontend.readers.child import read_file_in_child
from gatewright.frontend.readers.onnx_model import read_onnx
from gatewright.system import processes
from gatewright.system.files import check_new_file, replaced_file, require_file

#: Seconds for PyTorch to start and to export on a busy machine.
_SECONDS = 240.0
_SHAPE = re.compile(r"\d{1,5}(x\d{1,5}){0,3}")


def write_program(checkpoint: Path, of: str, shapes: Sequence[str], target: Path) -> None:
    """Make a `.pt2` file of a checkpoint.

    Unlike all else here it runs code of the user's: the file with the class.

    Args:
        checkpoint: The weights, as `torch.save(model.state_dict(), ...)` writes them.
        of: The class that they are of, as `FILE.py:CLASS`. It is made without arguments.
        shapes: The shape of a sample of each input, without the batch, as `4x10`.
        target: The file to write.

    Raises:
        InputError: if the environment has not been made, an argument is wrong, or PyTorch fails.
    """
    file, separator, name = of.rpartition(":")
    if not separator or not is_name(name):
        raise InputError(f"--class {shown(of)}: write the file and the class, as net.py:Net")
    code = Path(file)
    sizes = [_sizes(shape) for shape in shapes]
    if target.suffix.lower() != ".pt2":
        raise InputError(f"{target}: a program's name ends in .pt2")
    for needed in (checkpoint, code):
        require_file(needed)
    check_new_file(target)
    python = interpreter("torch", f"{checkpoint}: to make a program of it")
    limits = processes.Limits(what=f"{checkpoint}: making a program of it", seconds=_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "program.pt2")  # PyTorch asks for the suffix
        command: list[str | Path] = [python, "-P", torch_export.__file__]
        command += [checkpoint.resolve(), code.resolve(), name, json.dumps(sizes), made]
        done = processes.run(command, limits=limits)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["PyTorch says nothing of why"])[-1]
            raise InputError(f"{checkpoint}: no program can be made of it ({shown(said, 300)})")
        with replaced_file(target) as to:
            to.write(made.read_bytes())


def _sizes(shape: str) -> list[int]:
    sizes = [int(each) for each in shape.split("x")] if _SHAPE.fullmatch(shape) else [0]
    if min(sizes) < 1:
        raise InputError(
            f"--shape {shown(shape)}: write the sizes of a sample without its batch, as 4x10"
        )
    return sizes


def read_program(path: Path, inputs: FixedType) -> Network:
    """Read a `.pt2` file: PyTorch exports it to ONNX in an environment of its own.

    Args:
        path: The file.
        inputs: Type of its inputs, as for `read_onnx`.

    Raises:
        InputError: if that environment has not been made, or the file is damaged, too large, or
            holds more than operators on tensors.
        UnsupportedError: if an operator has no layer that computes the same.
    """
    python = interpreter("torch", f"{path}: to read it")
    found = read_file_in_child(
        torch_worker.__file__, path, str(path), "PyTorch program", _SECONDS, python=python
    )
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder, "exported.onnx")
        exported.write_bytes(found.arrays["onnx"].tobytes())
        return read_onnx(exported, inputs, origin=str(path))
