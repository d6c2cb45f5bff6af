"""Reads a folder of TensorFlow's SavedModel in a separate process, without running its functions.

A script of `worker`. Its argument is the folder. It reads Keras' description of the layers, which
is text, and the variables of the checkpoint. It gives the architecture, and the arrays by path.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Put = Callable[[str, Any], None]

_MAX_NODES = 200_000
_MAX_TEXT = 64 << 20
_VARIABLE = "VARIABLE_VALUE"


class Unfit(Exception):
    """The folder is readable, but isn't a Keras model; the text says why."""


def _plain(fields: dict[str, Any]) -> Any:
    """Replace tuples and shapes, which Keras writes as objects, by lists."""
    if fields.get("class_name") in ("__tuple__", "TensorShape") and "items" in fields:
        return fields["items"]
    return fields


def _described(folder: Path) -> dict[str, dict[str, Any]]:
    """Keras' descriptions of the model and its layers, by path, such as `root.layer-1`."""
    place = folder / "keras_metadata.pb"
    if place.exists():  # from version 2.5 on
        from tf_keras.protobuf import saved_metadata_pb2

        found = saved_metadata_pb2.SavedMetadata.FromString(place.read_bytes())
        texts = {node.node_path: node.metadata for node in found.nodes}
    else:
        texts = _described_early(folder)
    if sum(map(len, texts.values())) > _MAX_TEXT:
        raise Unfit(f"its description of layers has more than {_MAX_TEXT} characters")
    return {path: json.loads(text, object_hook=_plain) for path, text in texts.items()}


def _described_early(folder: Path) -> dict[str, str]:
    """The same for versions before 2.5, which store them with the objects of the graph."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    nodes = model.meta_graphs[0].object_graph_def.nodes if model.meta_graphs else []
    texts = {}
    for path, index in _walked(nodes):
        object_ = nodes[index].user_object
        if object_.identifier.startswith("_tf_keras_") and object_.metadata:
            texts[path] = object_.metadata
    return texts


def _walked(nodes: Any) -> list[tuple[str, int]]:
    """The objects of a graph, each once, with its shortest path and its index."""
    seen, found = {0}, [("root", 0)] if len(nodes) else []
    for path, index in found:  # the loop extends the list
        for child in nodes[index].children:
            if child.node_id not in seen and 0 <= child.node_id < len(nodes):
                seen.add(child.node_id)
                found.append((f"{path}.{child.local_name}", child.node_id))
        if len(found) > _MAX_NODES:
            raise Unfit(f"holds more than {_MAX_NODES} objects")
    return found


def _labels(described: dict[str, dict[str, Any]], path: str) -> list[str]:
    """The names of the layers on the path to an object, outermost first."""
    parts = path.split(".")
    ways = [".".join(parts[: end + 1]) for end in range(1, len(parts))]
    return [str(described[way]["name"]) for way in ways if "name" in described.get(way, {})]


def _read(folder: Path, put: Put, most: int) -> dict[str, str]:
    described = _described(folder)
    root = described.get("root", {})
    if "config" not in root or "class_name" not in root:
        raise Unfit(
            "has no description of its layers (Keras 3 exports such models); save the model with "
            "model.save('model.keras'), or as .h5"
        )
    import tensorflow as tf
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    shapes, kinds = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    text = reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(text)
    keys = {}
    # The checkpoint has layers under several paths; only the description's path is used.
    for path, index in _walked_as(graph.nodes, described):
        for attribute in graph.nodes[index].attributes:
            labels = _labels(described, path)
            if attribute.name == _VARIABLE and attribute.checkpoint_key in shapes and labels:
                keys["/".join([*labels, path.rpartition(".")[2]])] = attribute.checkpoint_key
    total = sum(
        int(np.prod(shapes[key], dtype=np.float64)) * max(1, kinds[key].size)
        for key in keys.values()
    )
    if total > most:
        raise Unfit(f"holds more than {most} bytes of weights")
    for name, key in keys.items():
        array = np.asarray(reader.get_tensor(key))
        if array.dtype.kind not in "fiub":
            raise Unfit(f"weight '{name}' is not an array of numbers")
        put(name, array)
    architecture = {"class_name": root["class_name"], "config": root["config"]}
    return {"model_config": json.dumps(architecture)}


def _walked_as(nodes: Any, described: dict[str, Any]) -> list[tuple[str, int]]:
    """The variables of the described layers, with the description's paths and their indices."""
    found: list[tuple[str, int]] = []
    for path in described:
        index = 0
        for name in path.split(".")[1:]:
            children = {each.local_name: each.node_id for each in nodes[index].children}
            index = children.get(name, -1)
            if not 0 <= index < len(nodes):
                break
        else:
            found += [
                (f"{path}.{child.local_name}", child.node_id)
                for child in nodes[index].children
                if 0 <= child.node_id < len(nodes)
            ]
    return found


def answer(arguments: list[str], put: Put, most: int) -> dict[str, str]:
    """Read a folder."""
    return _read(Path(arguments[0]), put, most)
