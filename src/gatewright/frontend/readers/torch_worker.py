"""Exports a program of PyTorch (`.pt2`) to ONNX, or runs one, in the environment that has PyTorch.

A script of `worker`. Its arguments are the descriptor of the program's file, and to run it that of
an `.npz` file of samples by the number of the input. It gives the name of the framework, with the
bytes of the ONNX model or with the outputs by their numbers.

PyTorch calls what a program names, evaluates its expressions and unpickles some of its constants.
So nothing but operators on tensors, sizes and plain constants passes.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import zipfile
from collections.abc import Callable
from typing import IO, Any

import numpy as np

Put = Callable[[str, Any], None]

_OPERATOR = re.compile(r"torch\.ops\.aten\.[a-z][a-z0-9_]*\.[A-Za-z0-9_]+|_operator\.getitem")
_SIZE = re.compile(r"-?\d{1,9}|Symbol\('[a-z]\w{0,15}'(, (positive|integer)=True){0,2}\)")
_OF_IMAGES = re.compile(r"aten\.(conv|max_pool|avg_pool|adaptive_)")
_OF_SEQUENCES = re.compile(r"aten\.(rnn|lstm|gru|layer_norm)")
_OF_TWO = re.compile(r"aten\.(matmul|bmm)\b")
_MOST_TEXT = 64 << 20
#: Operators that reach beyond their tensors.
_OUTSIDE = re.compile(r"from_file|_print|_assert_tensor_metadata")


class Unfit(Exception):
    """The file is readable, but can't be taken; the text says why."""


def _check(content: bytes) -> None:
    """Refuse a program with anything but operators of ATen on tensors."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if not member.filename.endswith(".json"):
                continue
            if member.file_size > _MOST_TEXT:
                raise Unfit(f"holds more than {_MOST_TEXT} bytes of text")
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
            raise Unfit(f"calls {target}, which is no operator on tensors")
        if size is not None and not (isinstance(size, str) and _SIZE.fullmatch(size)):
            raise Unfit(f"has the size {size}; only the batch may be of any size")
        if described.get("use_pickle"):
            raise Unfit("holds pickled objects, which could run code; export it without them")
        for each in described.values():
            _check_text(each)


def _forbid_pickles() -> None:
    """Let no pickle make an object of any class, whatever reads it."""

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "pickle.find_class":
            raise Unfit(f"holds a pickled object of {'.'.join(map(str, arguments))}")

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


def _exported(content: bytes, put: Put) -> dict[str, str]:
    import torch
    import torch.onnx

    program = _loaded(content)
    made = torch.onnx.export(program, dynamo=True, verbose=False)
    model = io.BytesIO()
    made.save(model)
    put("onnx", np.frombuffer(model.getvalue(), np.uint8))
    return {"framework": _name()}


def _reads_images(program: Any) -> bool:
    """Whether the channels of the first input come first; as `onnx_worker` has it."""
    called = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    images = any(_OF_IMAGES.match(each) for each in called)
    of_sequences = any(_OF_SEQUENCES.match(each) for each in called)
    return images or not (of_sequences or _attends(program))


def _attends(program: Any) -> bool:
    """Whether it multiplies two tensors, neither of which depends on parameters alone."""
    given = program.graph_signature.user_inputs
    constants: set[Any] = set()
    for node in program.graph.nodes:
        read = node.all_input_nodes
        if node.op == "placeholder":
            fixed = node.name not in given
        else:
            fixed = node.op == "call_function" and constants.issuperset(read)
            product = _OF_TWO.match(str(node.target)) is not None
            if product and not constants.intersection(read):
                return True
        if fixed:
            constants.add(node)
    return False


def _run(content: bytes, samples: IO[bytes], put: Put) -> dict[str, str]:
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
    for number, column in enumerate(zip(*rows, strict=True)):
        put(str(number), np.concatenate(column).astype(np.float32))
    return {"framework": _name()}


def answer(arguments: list[str], put: Put, most: int) -> dict[str, str]:
    """Export the program of a descriptor; with that of samples, run it."""
    del most  # what comes out is not larger than PyTorch's own limits allow
    files = [os.fdopen(int(each), "rb", closefd=False) for each in arguments]
    content = files[0].read()
    return _run(content, files[1], put) if files[1:] else _exported(content, put)
