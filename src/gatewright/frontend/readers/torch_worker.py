"""Exports a program of PyTorch (`.pt2`) to ONNX, or runs one, in the environment that has PyTorch.

Arguments: the descriptor of the program's file; to run it, that of an `.npz` file of samples by the
number of the input; then that of a file to write arrays to, and the most bytes that these may have.
Prints one line of JSON: `attributes` with the name of the framework, and `arrays`: the bytes of
the ONNX model, or each output by its number, by offset and length in bytes in the written file; or
`unfit` or `error` with a reason. Imports nothing of Gatewright.

PyTorch calls what a program names, evaluates its expressions and unpickles some of its constants.
So nothing but operators on tensors, sizes and plain constants passes.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import warnings
import zipfile
from typing import IO, Any

import numpy as np

_OPERATOR = re.compile(r"torch\.ops\.aten\.[a-z][a-z0-9_]*\.[A-Za-z0-9_]+|_operator\.getitem")
_SIZE = re.compile(r"-?\d{1,9}|Symbol\('[a-z]\w{0,15}'(, (positive|integer)=True){0,2}\)")
_OF_IMAGES = re.compile(r"aten\.(conv|max_pool|avg_pool|adaptive_)")
_OF_SEQUENCES = re.compile(r"aten\.(lstm|gru|layer_norm)")
_MOST_TEXT = 64 << 20
#: Operators that reach beyond their tensors.
_OUTSIDE = re.compile(r"from_file|_print|_assert_tensor_metadata")


class _Unfit(Exception):
    """The file is readable, but can't be taken; the text says why."""


def _check(content: bytes) -> None:
    """Refuse a program with anything but operators of ATen on tensors."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if not member.filename.endswith(".json"):
                continue
            if member.file_size > _MOST_TEXT:
                raise _Unfit(f"holds more than {_MOST_TEXT} bytes of text")
            _check_text(json.loads(archive.read(member)))


def _check_text(described: Any) -> None:
    if isinstance(described, list):
        for each in described:
            _check_text(each)
    elif isinstance(described, dict):
        target, size = described.get("target"), described.get("expr_str")
        if target is not None and not (
            isinstance(target, str) and _OPERATOR.fullmatch(target) and not _OUTSIDE.search(target)
        ):
            raise _Unfit(f"calls {target}, which is no operator on tensors")
        if size is not None and not (isinstance(size, str) and _SIZE.fullmatch(size)):
            raise _Unfit(f"has the size {size}; only the batch may be of any size")
        if described.get("use_pickle"):
            raise _Unfit("holds pickled objects, which could run code; export it without them")
        for each in described.values():
            _check_text(each)


def _forbid_pickles() -> None:
    """Let no pickle make an object of any class, whatever reads it."""

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "pickle.find_class":
            raise _Unfit(f"holds a pickled object of {'.'.join(map(str, arguments))}")

    sys.addaudithook(refuse)


def _loaded(content: bytes) -> Any:
    import torch

    _check(content)
    _forbid_pickles()
    # Its own objects are pickled in C++, where no hook sees them.
    torch._C._pickle_load_obj = None
    return torch.export.load(io.BytesIO(content))


def _name() -> str:
    import torch

    return f"PyTorch {torch.__version__}"


def _exported(content: bytes, out: IO[bytes]) -> dict[str, Any]:
    import torch
    import torch.onnx

    program = _loaded(content)
    made = torch.onnx.export(program, dynamo=True, verbose=False)
    model = io.BytesIO()
    made.save(model)
    begin = out.tell()
    np.save(out, np.frombuffer(model.getvalue(), np.uint8), allow_pickle=False)
    arrays = {"onnx": [begin, out.tell() - begin]}
    return {"attributes": {"framework": _name()}, "arrays": arrays}


def _reads_images(program: Any) -> bool:
    """Whether the channels of the first input come first; as `onnx_worker` has it."""
    called = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    images = any(_OF_IMAGES.match(each) for each in called)
    return images or not any(_OF_SEQUENCES.match(each) for each in called)


def _run(content: bytes, samples: IO[bytes], out: IO[bytes]) -> dict[str, Any]:
    """The outputs of the program, sample by sample where its batch is of one."""
    import torch

    program = _loaded(content)
    shapes = [
        tuple(node.meta["val"].shape)
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs
    ]
    with np.load(samples, allow_pickle=False) as loaded:
        given = [loaded[str(index)] for index in range(len(shapes))]
    if given[0].ndim > 2 and _reads_images(program):
        given[0] = np.moveaxis(given[0], -1, 1)
    tensors = [
        torch.from_numpy(np.ascontiguousarray(each)).reshape(-1, *map(int, shape[1:]))
        for each, shape in zip(given, shapes, strict=True)
    ]
    module = program.module()
    batched = not isinstance(shapes[0][0], int)
    step = len(tensors[0]) if batched else 1
    rows = []
    with torch.no_grad():
        for begin in range(0, len(tensors[0]), step):
            found = module(*(each[begin : begin + step] for each in tensors))
            found = found if isinstance(found, tuple | list) else (found,)
            rows.append([each.reshape(step, -1).numpy() for each in found])
    arrays = {}
    for number, column in enumerate(zip(*rows, strict=True)):
        begin = out.tell()
        np.save(out, np.concatenate(column).astype(np.float32), allow_pickle=False)
        arrays[str(number)] = [begin, out.tell() - begin]
    return {"attributes": {"framework": _name()}, "arrays": arrays}


def main() -> None:
    """Export or run the file given on the command line."""
    source, *samples, target, _ = map(int, sys.argv[1:])
    warnings.simplefilter("ignore")
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print to standard output
    try:
        with os.fdopen(source, "rb", closefd=False) as file, os.fdopen(target, "wb") as out:
            if samples:
                with os.fdopen(samples[0], "rb", closefd=False) as given:
                    index = _run(file.read(), given, out)
            else:
                index = _exported(file.read(), out)
    except _Unfit as error:
        index = {"unfit": str(error)}
    except Exception as error:  # PyTorch raises any exception for damaged programs
        index = {"error": str(error).partition("\n")[0] or type(error).__name__}
    answer.write(json.dumps(index))
    answer.flush()


if __name__ == "__main__":
    main()
