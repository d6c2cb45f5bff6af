"""Reads an ONNX model in a separate process, simplified by qonnx; or runs one.

A script of `worker`. Its arguments are the descriptor of the model's file, and to run it that of an
`.npz` file of samples by the number of the input. It gives the graph as JSON text with the constant
tensors, or the name of the executor with the outputs by their numbers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import IO, Any

import numpy as np

Put = Callable[[str, Any], None]

#: Domains of operators. qonnx imports the module that a node's domain names, so others are refused.
_STANDARD = ("", "ai.onnx")
_GENERAL = "qonnx.custom_op.general"
_QONNX = {_GENERAL, "onnx.brevitas", "finn.custom_op.general"}
_CHANNELS_LAST = "qonnx.custom_op.channels_last"
_QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant", "Trunc", "FloatQuant")
_MOST_NODES = 10_000
#: Version of ONNX whose operators qonnx' transformations write.
_VERSION = 13
_OF_IMAGES = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool")
_OF_SEQUENCES = ("RNN", "LSTM", "GRU", "LayerNormalization")


class Unfit(Exception):
    """The file is readable, but isn't a model that can be converted; the text says why."""


def _check(model: Any) -> None:
    """Refuse what qonnx and the ONNX runtime need not see."""
    from onnx import AttributeProto, TensorProto

    graph = model.graph
    if len(graph.node) > _MOST_NODES:
        raise Unfit(f"has more than {_MOST_NODES} nodes")
    if model.functions:
        raise Unfit("has functions of its own; export it with functions inlined")
    if graph.sparse_initializer:
        raise Unfit("has sparse constants; make them dense")
    graphs = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    for node in graph.node:
        if node.domain not in (*_STANDARD, *_QONNX):
            raise Unfit(f"node '{node.name}': operators of domain '{node.domain}' are not known")
        if any(each.type in graphs for each in node.attribute):
            raise Unfit(f"node '{node.name}': {node.op_type} has a graph of its own")
    tensors = [*graph.initializer]
    tensors += [each.t for node in graph.node for each in node.attribute if each.HasField("t")]
    for tensor in tensors:
        if tensor.data_location == TensorProto.EXTERNAL:
            raise Unfit(f"constant '{tensor.name}' is in another file; save the model in one file")


def _complete(model: Any) -> None:
    """Write out attributes of windows that have ONNX's defaults; qonnx wants them all."""
    from onnx import helper

    sizes = {each.name: list(each.dims) for each in model.graph.initializer}
    shapes = _shapes(model)
    for node in model.graph.node:
        if node.op_type in (*_OF_IMAGES, "BatchNormalization", "PRelu"):
            axes = len(shapes.get(node.input[0] if node.input else "", [])) - 2
            if axes > 2:
                raise Unfit(f"node '{node.name}': has {axes} axes of pixels; at most 2 are read")
        if node.op_type not in ("Conv", "MaxPool", "AveragePool"):
            continue
        given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        kernel = (
            given.get("kernel_shape")
            or sizes.get(node.input[1] if len(node.input) > 1 else "", [])[2:]
        )
        axes = len(kernel)
        defaults = {"kernel_shape": kernel, "strides": [1] * axes, "pads": [0] * (2 * axes)}
        if node.op_type != "AveragePool":
            defaults["dilations"] = [1] * axes
        automatic = given.get("auto_pad", b"NOTSET")
        if automatic in (b"SAME_UPPER", b"SAME_LOWER"):
            upper = automatic == b"SAME_UPPER"
            defaults["pads"] = _same(node, upper, shapes, {**defaults, **given})
        if automatic != b"NOTSET":
            kept = [each for each in node.attribute if each.name not in ("auto_pad", "pads")]
            del node.attribute[:]
            node.attribute.extend(kept)
            given.pop("pads", None)
        pads = given.get("pads", defaults["pads"])
        if node.op_type != "Conv" and list(pads[:axes]) != list(pads[axes:]):
            raise Unfit(f"node '{node.name}': pools with other pads at one side than at the other")
        for name, value in defaults.items():
            if axes and name not in given:
                node.attribute.append(helper.make_attribute(name, value))
        if node.op_type == "Conv" and "group" not in given:
            node.attribute.append(helper.make_attribute("group", 1))


def _with_summands(wrapped: Any) -> Any:
    """The model with zeros as the summand of each Gemm without one; qonnx wants it."""
    for node in wrapped.graph.node:
        if node.op_type == "Gemm" and not "".join(node.input[2:]):
            name = f"{node.output[0]}_zeros"
            size = wrapped.get_tensor_shape(node.output[0])[-1]
            wrapped.set_initializer(name, np.zeros(size, np.float32))
            node.input[:] = [*node.input[:2], name]
    return wrapped


def _shapes(model: Any) -> dict[str, list[int]]:
    """Sizes of tensors that ONNX infers from the operators; 0 where it can't."""
    from onnx import ModelProto, shape_inference

    plain = ModelProto()
    plain.CopyFrom(model)
    for node in plain.graph.node:
        if node.op_type in _QUANTIZERS:  # of which ONNX knows nothing
            node.op_type, node.domain = "Identity", ""
            del node.attribute[:], node.input[1:]
    graph = shape_inference.infer_shapes(plain).graph
    return {
        each.name: [axis.dim_value for axis in each.type.tensor_type.shape.dim]
        for each in (*graph.input, *graph.value_info)
    }


def _same(node: Any, upper: bool, shapes: dict[str, list[int]], given: dict[str, Any]) -> list[int]:
    """The pads of auto_pad: as many windows as strides fit (ONNX, Operators, Conv).

    The rule is that of Keras' padding "same"; a script can't import it from this package.
    """
    pixels = shapes.get(node.input[0], [])[2:]
    axes = len(given["kernel_shape"])
    if len(pixels) != axes or not all(pixels):
        raise Unfit(f"node '{node.name}': the size of what it pads isn't known; write its pads")
    begin, end = [], []
    dilations = given.get("dilations", [1] * axes)
    for size, k, s, d in zip(
        pixels, given["kernel_shape"], given["strides"], dilations, strict=True
    ):
        total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        begin.append(total // 2 if upper else total - total // 2)
        end.append(total - begin[-1])
    return [*begin, *end]


def _upgraded(model: Any) -> Any:
    """A model of an old version in the oldest one that qonnx' transformations write."""
    from onnx import version_converter

    versions = {each.domain: each.version for each in model.opset_import}
    if set(versions) - set(_STANDARD) or max(versions.values(), default=0) >= _VERSION:
        return model
    return version_converter.convert_version(model, _VERSION)


def _clean(model: Any) -> Any:
    """The model with static shapes and a batch of one, and with constants folded."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.cleanup import cleanup_model

    for node in model.graph.node:
        if node.op_type in _QUANTIZERS:
            node.domain = _GENERAL
            if node.op_type == "IntQuant":  # its name in newer versions
                node.op_type = "Quant"
    for each in (*model.graph.input, *model.graph.output):
        sizes = each.type.tensor_type.shape.dim
        if sizes and not sizes[0].dim_value:
            sizes[0].dim_value = 1  # the batch
    model = _upgraded(model)
    _complete(model)
    return cleanup_model(ModelWrapper(model))


def _reads_images(model: Any) -> bool:
    """Whether the channels of the first input come first, as those of images do in ONNX.

    Sequences for recurrent layers, layer normalizations and attentions have their steps first; a
    tensor of rank 2 has neither.
    """
    operators = {node.op_type for node in model.graph.node}
    constants, attends = {each.name for each in model.graph.initializer}, False
    for node in model.graph.node:
        if constants.issuperset(each for each in node.input if each):
            constants.update(node.output)
        attends |= node.op_type == "MatMul" and not constants.intersection(node.input)
    of_sequences = attends or bool(operators.intersection(_OF_SEQUENCES))
    return bool(operators.intersection(_OF_IMAGES)) or not of_sequences


def _prepared(model: Any) -> Any:
    """The same in the terms of Keras: matrices, biases apart, images with their channels last."""
    from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
    from qonnx.transformation.extract_conv_bias import ExtractBiasFromConv
    from qonnx.transformation.gemm_to_matmul import GemmToMatMul
    from qonnx.util.cleanup import cleanup_model

    wrapped = _with_summands(_clean(model))
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
        raise Unfit("has no nodes")
    _check(model)
    return model


def _run(content: bytes, samples: IO[bytes], put: Put) -> dict[str, str]:
    """The outputs of the model as it is, batch by batch of its own size, by qonnx's executor."""
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
    batch, count = shapes[names[0]][0], len(given[names[0]])
    batches: list[list[Any]] = []
    for first in range(0, count, batch):
        rows = np.minimum(np.arange(first, first + batch), count - 1)  # the last one fills it up
        sample = {name: values[rows].reshape(shapes[name]) for name, values in given.items()}
        found = execute_onnx(wrapped, sample)
        batches.append([found[name].reshape(batch, -1) for name in ends])
    for number, column in enumerate(zip(*batches, strict=True)):
        put(str(number), np.concatenate(column)[:count].astype(np.float32))
    return {"framework": f"qonnx {version('qonnx')}"}


def _read(content: bytes, put: Put, most: int) -> dict[str, str]:
    from onnx import numpy_helper

    wrapped = _prepared(_parsed(content))
    graph = wrapped.graph
    constants = {each.name: each for each in graph.initializer}
    total = 0
    for name, tensor in constants.items():
        array = numpy_helper.to_array(tensor)
        total += array.nbytes
        if array.dtype.kind not in "fiub":
            raise Unfit(f"constant '{name}' is not an array of numbers")
        if total > most:
            raise Unfit(f"holds more than {most} bytes of constants")
        put(name, array)
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
    return {"graph": json.dumps(described)}


def answer(arguments: list[str], put: Put, most: int) -> dict[str, str]:
    """Read the model of a descriptor; with that of samples, run it."""
    files = [os.fdopen(int(each), "rb", closefd=False) for each in arguments]
    content = files[0].read()
    try:
        return _run(content, files[1], put) if files[1:] else _read(content, put, most)
    except ModuleNotFoundError as error:
        install = "pip install 'gatewright[onnx]'"
        text = f"to read ONNX, the package '{error.name}' is needed; type: {install}"
        raise Unfit(text) from None
