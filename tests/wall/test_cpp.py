"""The wall before the C++ compiler: nothing that a model's text puts into hls4ml's C++ gets past.

The attacks go to work where hls4ml does: each attribute, name and type of each node of a graph is
replaced by text right before hls4ml prints it. Where the text then stands in a generated file,
that is a printing place, and the project must be refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gatewright.emulation import Emulation
from gatewright.errors import InputError
from gatewright.frontend import write_hls
from gatewright.wall import cpp
from graphs import GraphBuilder
from lower import test_lower, test_lower_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARKER = "the_marker"

#: Ways to turn text into code, or to have a file read; each in one piece and over several lines.
PAYLOADS = {
    "initializer": f'0; }}; static int m = system("touch {MARKER}"); struct m2 {{ int x',
    "lines": f'0;\n}};\nstatic int m = system("touch {MARKER}");\nstruct m2 {{\nint x',
    "call": f'system("touch {MARKER}")',
    "include": '0\n#include "/etc/passwd"\n',
    "define": "0\n#define nnet m\n",
    "comment": "0 /* \\",
    "continued": "0\\\n+ abort()",
}

#: What shows that a payload was printed.
SIGNS = ("system(", "/etc/passwd", "#define nnet m", "/* \\", "abort()")

Place = tuple[str, "Callable[[Any], None]", Any]


def small() -> Any:
    b = GraphBuilder()
    b.input("a", 4)
    b.dense("fc1", "a", 4, 3)
    b.activation("act", "fc1", "relu")
    b.batchnorm("norm", "act", 3)
    b.activation("soft", "norm", "softmax", class_name="Softmax", axis=-1)
    return b.graph(["soft"])


def attribute(owner: Any, name: str) -> Callable[[Any], None]:
    return lambda value: setattr(owner, name, value)


def item(owner: Any, name: Any) -> Callable[[Any], None]:
    return lambda value: owner.__setitem__(name, value)


def printed_as(weights: Any) -> Callable[[Any], None]:
    """Has text printed in place of weights, or the format given."""

    def put(value: Any) -> None:
        text = str(value)
        weights.precision_fmt = (
            text.replace("{", "{{").replace("}", "}}") if text in PAYLOADS.values() else text
        )

    return put


def code_of(node: Any) -> Callable[[Any], None]:
    from hls4ml.model.types import Source

    return lambda value: node.attributes.attributes.__setitem__("attack", Source(value))


def plain(value: Any) -> bool:
    """Text, a number, or a list of these: what a model's file can hold for an attribute."""
    if isinstance(value, list | tuple):
        return all(map(plain, value))
    return isinstance(value, str | int | float | np.number) or value is None


def of_type(label: str, kind: Any) -> Iterator[Place]:
    yield f"{label}.name", attribute(kind, "name"), kind.name
    precision = kind.precision
    for name in ("width", "integer", "rounding_mode", "saturation_mode", "saturation_bits"):
        field = name if name in vars(precision) else f"_{name}"
        if field in vars(precision):
            yield f"{label}.{name}", attribute(precision, field), getattr(precision, field)


def of_node(node: Any) -> Iterator[Place]:
    """What hls4ml may print of a node, and how to put something else there."""
    from hls4ml.model.types import NamedType, TensorVariable, WeightVariable

    values = node.attributes.attributes
    for key, value in list(values.items()):
        if plain(value):
            yield f"{node.name}:{key}", item(values, key), value
        elif isinstance(value, NamedType):
            yield from of_type(f"{node.name}:{key}", value)
        elif isinstance(value, TensorVariable | WeightVariable):
            label = f"{node.name}:{key}"
            fields = ("name", "pragma", "data_length", "nzeros", "nonzeros")
            for name in fields:
                if name in vars(value):
                    yield f"{label}.{name}", attribute(value, name), getattr(value, name)
            if isinstance(value, WeightVariable):
                yield f"{label}'s values", printed_as(value), value.precision_fmt
            shape = value.shape
            if isinstance(shape, list):
                yield f"{label}.shape", item(shape, 0), shape[0]
    yield f"{node.name}:name", attribute(node, "name"), node.name
    yield f"{node.name}:index", attribute(node, "index"), node.index
    for key in ("config_cpp", "function_cpp"):
        if key in values:
            yield f"{node.name}:{key}, printed as it is", item(values, key), values[key]
    yield f"{node.name}:code", code_of(node), ""
    header = values.get("include_header", [])
    yield f"{node.name}:include_header", item(values, "include_header"), header


def of_graph(graph: Any) -> Iterator[Place]:
    config = graph.config
    for key in ("ProjectName", "Part", "ClockPeriod", "ClockUncertainty", "Version", "IOType"):
        yield key, item(config.config, key), config.config.get(key)
    yield "PipelineStyle", attribute(config, "pipeline_style"), config.pipeline_style
    yield "PipelineInterval", attribute(config, "pipeline_ii"), config.pipeline_ii
    yield "Namespace", item(config.writer_config, "Namespace"), None


def printed(graph: Any, place: Place, payload: str, directory: Path) -> tuple[bool, bool]:
    """Whether text at a place reaches generated files other than in comments; and is refused."""
    from hls4ml.model.flow.flow import get_flow
    from hls4ml.model.optimizer.optimizer import optimize_model

    label, put, value = place
    nodes = list(graph.get_layers())
    before = [dict(node.attributes.attributes) for node in nodes]
    put([payload] if label.endswith("include_header") else payload)
    try:
        if "printed as it is" not in label:
            optimize_model(graph, list(get_flow("vitis:apply_templates").optimizers))
        write_hls(graph, directory)
    except InputError as error:
        assert "\n" not in str(error)
        assert not Path(MARKER).exists()
        assert not directory.exists()
        return True, True
    except Exception:
        return False, False  # hls4ml itself can't print that
    finally:
        put(value)
        for node, attributes in zip(nodes, before, strict=True):
            node.attributes.attributes.clear()
            node.attributes.attributes.update(attributes)
    copied = ("ap_types", "nnet_utils")
    found = [
        path
        for path in directory.rglob("*")
        if path.suffix in (".cpp", ".h", ".tcl", ".sh")
        and (path.parent.name not in copied or path.name == "nnet_code_gen.h")
    ]
    code = "\n".join(
        line.partition("//")[0] for path in found for line in path.read_text().splitlines()
    )
    return any(sign in code for sign in SIGNS), False


def check_places(graph: Any, payloads: list[str], directory: Path) -> set[str]:
    """Attack each place, of one node of a class, with each payload; returns those that print."""
    printing = set()
    first = {node.class_name: node for node in reversed(list(graph.get_layers()))}
    places = [*of_graph(graph), *(place for node in first.values() for place in of_node(node))]
    for place in places:
        for name in payloads:
            reaches, refused = printed(graph, place, PAYLOADS[name], directory)
            assert not reaches or refused, (place[0], name)
            if reaches:
                printing.add(place[0].partition(":")[2] or place[0])
    return printing


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Where attacks leave their marks."""
    monkeypatch.chdir(tmp_path)


def test_text_at_any_printing_place_is_refused(tmp_path):
    printing = check_places(small(), ["initializer"], tmp_path / "hls")
    # Places that must be among them, or the attack has lost its aim.
    assert {
        "ProjectName", "Part", "name", "index", "n_in", "weight.name", "accum_t.name",
        "result_t.name", "result_t.width", "function_cpp, printed as it is", "include_header",
        "config_cpp, printed as it is", "code", "axis", "implementation", "Namespace",
        "weight.data_length", "weight's values", "PipelineStyle",
    } <= printing  # fmt: skip


GRAPHS = {
    "tensors": test_lower.everything,
    "images": lambda: test_lower_images.everything("io_parallel"),
    "streams": lambda: test_lower_images.everything("io_stream"),
}


@pytest.mark.full
@pytest.mark.parametrize("payload", PAYLOADS)
def test_any_text_at_a_printing_place_is_refused(payload, tmp_path):
    assert check_places(small(), [payload], tmp_path / "hls")


@pytest.mark.full
@pytest.mark.parametrize("graph", GRAPHS)
def test_text_at_any_printing_place_of_any_layer_is_refused(graph, tmp_path):
    assert check_places(GRAPHS[graph](), ["initializer"], tmp_path / "hls")


CHANGES = {
    "firmware/parameters.h": ("#endif", "static int mark1 = MARK;\n#endif"),
    "firmware/defines.h": ("#endif", "static int mark2 = MARK;\n#endif"),
    "firmware/attacked.cpp": ("loaded_weights = true;", "loaded_weights = true; MARK;"),
    "firmware/attacked.h": ("#endif", "static int mark3 = MARK;\n#endif"),
    "firmware/weights/w2.h": ("#endif", "static int mark4 = MARK;\n#endif"),
    "firmware/nnet_utils/nnet_code_gen.h": ("// hls4ml insert code", "static int mark5 = MARK;"),
    "attacked_bridge.cpp": ("int ii = 0;", "int ii = 0;\nii = MARK - MARK;"),
}


def test_each_file_is_scanned_and_without_that_the_attacks_succeed(tmp_path, monkeypatch):
    graph = small()
    graph.config.config["ProjectName"] = "attacked"
    hls = tmp_path / "hls"
    write_hls(graph, hls)
    attacked = {}
    for number, (name, (old, new)) in enumerate(CHANGES.items()):
        path = hls / name
        text = path.read_text()
        head, found, tail = text.rpartition(old)
        assert found, name
        marker = tmp_path / f"marker{number}"
        attacked[path] = head + new.replace("MARK", f'system("touch {marker}")') + tail
        path.write_text(attacked[path])
        match = rf"{path.name}, line \d+: .* is not something that hls4ml writes .* not compiled"
        with pytest.raises(InputError, match=match) as caught:
            Emulation(hls).compile()
        assert "\n" not in str(caught.value)
        path.write_text(text)
    assert not list(tmp_path.glob("marker*"))

    for path, text in attacked.items():
        path.write_text(text)
    monkeypatch.setattr(cpp, "_pattern", lambda kind: re.compile(".*"))
    Emulation(hls).trace(np.zeros((2, 4)))
    assert len(list(tmp_path.glob("marker*"))) == len(CHANGES)


@pytest.mark.parametrize("name", [*CHANGES, "emulation.json"])
def test_a_missing_or_binary_file_is_named(tmp_path, name):
    graph = small()
    graph.config.config["ProjectName"] = "attacked"
    hls = tmp_path / "hls"
    write_hls(graph, hls)
    (hls / name).write_bytes(b"\xff\x00\n")
    with pytest.raises(InputError, match=Path(name).name):
        Emulation(hls).compile()
    (hls / name).unlink()
    with pytest.raises(InputError, match=f"{Path(name).name}: no such file"):
        Emulation(hls).compile()
