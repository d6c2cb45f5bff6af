"""Reads an ONNX model in a separate process, simplified by qonnx; or runs one.

Arguments: the descriptor of the model's file; to run it, that of an `.npz` file of samples by the
number of the input; then that of a file to write arrays to, and the most bytes that these may have.
Prints one line of JSON: `attributes` with the graph as JSON text, or with the
name of the executor, and `arrays`: for each constant tensor, or for each output by its number, its
offset and length in bytes in the written file; or `unfit` or `error` with a reason. Imports nothing
of Gatewright.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import IO, Any

import numpy as np

#: Domains of operators. qonnx imports the module that a node's domain names, so others are refused.
_STANDARD = ("", "ai.onnx")
_GENERAL = "qonnx.custom_op.general"
_QONNX = {_GENERAL, "onnx.brevitas", "finn.custom_op.general"}
_CHANNELS_LAST = "qonnx.custom_op.channels_last"
_QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant", "Trunc", "FloatQuant")
_MOST_NODES = 10_000
_OF_IMAGES = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool")
_OF_SEQUENCES = ("LSTM", "GRU", "LayerNormalization")


class _Unfit(Exception):
    """The file is readable, but isn't a model that can be converted; the text says why."""


def _check(model: Any) -> None:
    """Refuse what qonnx and the ONNX runtime need not see."""
    from onnx import AttributeProto, TensorProto

    graph = model.graph
    if len(graph.node) > _MOST_NODES:
        raise _Unfit(f"has more than {_MOST_NODES} nodes")
    if model.functions:
        raise _Unfit("has functions of its own; export it with functions inlined")
    if graph.sparse_initializer:
        raise _Unfit("has sparse constants; make them dense")
    graphs = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    for node in graph.node:
        if node.domain not in (*_STANDARD, *_QONNX):
            raise _Unfit(f"node '{node.name}': operators of domain '{node.domain}' are not known")
        if any(each.type in graphs for each in node.attribute):
            raise _Unfit(f"node '{node.name}': {node.op_type} has a graph of its own")
    tensors = [*graph.initializer]
    tensors += [each.t for node in graph.node for each in node.attribute if each.HasField("t")]
    for tensor in tensors:
        if tensor.data_location == TensorProto.EXTERNAL:
            raise _Unfit(f"constant '{tensor.name}' is in another file; save the model in one file")


def _complete(model: Any) -> None:
    """Write out attributes of windows that have ONNX's defaults; qonnx wants them all."""
    from onnx import helper

    sizes = {each.name: list(each.dims) for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in ("Conv", "MaxPool", "AveragePool"):
            continue
        given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            raise _Unfit(f"node '{node.name}': auto_pad is not read; write its pads")
        kernel = (
            given.get("kernel_shape")
            or sizes.get(node.input[1] if len(node.input) > 1 else "", [])[2:]
        )
        axes = len(kernel)
        defaults = {"kernel_shape": kernel, "strides": [1] * axes, "pads": [0] * (2 * axes)}
        if node.op_type != "AveragePool":
            defaults["dilations"] = [1] * axes
        for name, value in defaults.items():
            if axes and name not in given:
                node.attribute.append(helper.make_attribute(name, value))
        if node.op_type == "Conv" and "group" not in given:
            node.attribute.append(helper.make_attribute("group", 1))


def _clean(model: Any) -> Any:
    """The model with static shapes and a batch of one, and with constants folded."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.cleanup import cleanup_model

    for node in model.graph.node:
        if node.op_type in _QUANTIZERS:
            node.domain = _GENERAL
            if node.op_type == "IntQuant":  # its name in newer versions
                node.op_type = "Quant"
    _complete(model)
    for each in (*model.graph.input, *model.graph.output):
        sizes = each.type.tensor_type.shape.dim
        if sizes and not sizes[0].dim_value:
            sizes[0].dim_value = 1  # the batch
    return cleanup_model(ModelWrapper(model))


def _reads_images(model: Any) -> bool:
    """Whether the channels of the first input come first, as those of images do in ONNX.

    Sequences for recurrent layers and layer normalizations have their steps first; a tensor of
    rank 2 has neither.
    """
    operators = {node.op_type for node in model.graph.node}
    return bool(operators.intersection(_OF_IMAGES)) or not operators.intersection(_OF_SEQUENCES)


def _prepared(model: Any) -> Any:
    """The same in the terms of Keras: matrices, biases apart, images with their channels last."""
    from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
    from qonnx.transformation.extract_conv_bias import ExtractBiasFromConv
    from qonnx.transformation.gemm_to_matmul import GemmToMatMul
    from qonnx.util.cleanup import cleanup_model

    wrapped = _clean(model)
    wrapped = wrapped.transform(GemmToMatMul()).transform(ExtractBiasFromConv())
    wrapped = cleanup_model(wrapped)
    last = _reads_images(model)
    wrapped = wrapped.transform(ConvertToChannelsLastAndClean(make_input_channels_last=last))
    return cleanup_model(wrapped)


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    found: dict[str, Any] = {}
    for each in node.attribute:
        value = helper.get_attribute_value(each)
        if isinstance(value, bytes):
            value = value.decode("ascii", "replace")
        elif not isinstance(value, int | float):
            value = [v.decode("ascii", "replace") if isinstance(v, bytes) else v for v in value]
            value = [v for v in value if isinstance(v, int | float | str)]
        found[each.name] = value
    return found


def _parsed(content: bytes) -> Any:
    import onnx

    model = onnx.load_model_from_string(content)
    if not model.graph.node:
        raise _Unfit("has no nodes")
    _check(model)
    return model


def _run(content: bytes, samples: IO[bytes], out: IO[bytes]) -> dict[str, Any]:
    """The outputs of the model as it is, sample by sample, by qonnx's executor."""
    from importlib.metadata import version

    from qonnx.core.onnx_exec import execute_onnx

    wrapped = _clean(_parsed(content))
    constants = {each.name for each in wrapped.graph.initializer}
    names = [each.name for each in wrapped.graph.input if each.name not in constants]
    shapes = {name: wrapped.get_tensor_shape(name) for name in names}
    with np.load(samples, allow_pickle=False) as loaded:
        given = {name: loaded[str(index)] for index, name in enumerate(names)}
    first = given[names[0]]
    if first.ndim > 2 and _reads_images(wrapped.model):
        given[names[0]] = np.moveaxis(first, -1, 1)
    ends = [each.name for each in wrapped.graph.output]
    rows: list[list[Any]] = []
    for index in range(len(given[names[0]])):
        sample = {name: values[index].reshape(shapes[name]) for name, values in given.items()}
        found = execute_onnx(wrapped, sample)
        rows.append([found[name].reshape(-1) for name in ends])
    arrays = {}
    for number, column in enumerate(zip(*rows, strict=True)):
        begin = out.tell()
        np.save(out, np.stack(column).astype(np.float32), allow_pickle=False)
        arrays[str(number)] = [begin, out.tell() - begin]
    return {"attributes": {"framework": f"qonnx {version('qonnx')}"}, "arrays": arrays}


def _read(content: bytes, out: IO[bytes], most: int) -> dict[str, Any]:
    from onnx import numpy_helper

    wrapped = _prepared(_parsed(content))
    graph = wrapped.graph
    constants = {each.name: each for each in graph.initializer}
    total, arrays = 0, {}
    for name, tensor in constants.items():
        array = numpy_helper.to_array(tensor)
        total += array.nbytes
        if array.dtype.kind not in "fiub":
            raise _Unfit(f"constant '{name}' is not an array of numbers")
        if total > most:
            raise _Unfit(f"holds more than {most} bytes of constants")
        begin = out.tell()
        np.save(out, array, allow_pickle=False)
        arrays[name] = [begin, out.tell() - begin]
    described = {
        "channels_last": _reads_images(wrapped.model),
        "inputs": [each.name for each in graph.input if each.name not in constants],
        "outputs": [each.name for each in graph.output],
        "nodes": [
            {
                "op": node.op_type,
                "last": node.domain == _CHANNELS_LAST,
                "name": node.name,
                "inputs": list(node.input),
                "outputs": list(node.output),
                "attributes": _attributes(node),
            }
            for node in graph.node
        ],
        "shapes": {
            name: [int(size) for size in wrapped.get_tensor_shape(name) or ()]
            for name in {
                *(each.name for each in graph.input),
                *(name for node in graph.node for name in (*node.input, *node.output) if name),
            }
        },
    }
    return {"attributes": {"graph": json.dumps(described)}, "arrays": arrays}


def main() -> None:
    """Read or run the file given on the command line."""
    source, *samples, target, most = map(int, sys.argv[1:])
    warnings.simplefilter("ignore")
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print to standard output
    try:
        with os.fdopen(source, "rb", closefd=False) as file, os.fdopen(target, "wb") as out:
            if samples:
                with os.fdopen(samples[0], "rb", closefd=False) as given:
                    index = _run(file.read(), given, out)
            else:
                index = _read(file.read(), out, most)
    except _Unfit as error:
        index = {"unfit": str(error)}
    except ModuleNotFoundError as error:
        install = "pip install 'gatewright[onnx]'"
        index = {"unfit": f"to read ONNX, the package '{error.name}' is needed; type: {install}"}
    except Exception as error:  # qonnx and the runtime raise any exception for damaged models
        index = {"error": str(error).partition("\n")[0] or type(error).__name__}
    answer.write(json.dumps(index))
    answer.flush()


if __name__ == "__main__":
    main()
