"""What is set for a layer is in the graph, or is refused by name: all layers of the table."""

import importlib
import re

import pytest
from test_coverage import heads, k  # noqa: F401 - a fixture

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend import convert
from gatewright.hlsgraph import fixed_type
from gatewright.options import ConvertOptions

_WHATS = (
    *("result", "weight", "bias", "accum", "scale", "param", "table", "exp_table", "inp_norm"),
    *("embeddings", "depthwise", "pointwise", "depthwise_result", "pointwise_accum"),
)


def types_of(graph):
    """Every type that is somewhere in a graph."""
    found = []
    for node in graph.get_layers():
        held = (*node.types.values(), *node.attributes.values())
        found += [fixed_type(getattr(each, "precision", None)) for each in held]
        found += [fixed_type(variable.type.precision) for variable in node.variables.values()]
    return found


@pytest.fixture(scope="module")
def models(k, tmp_path_factory):  # noqa: F811 - the fixture
    """A model per row of the table, and the names that its layers have for hls4ml."""
    module = importlib.import_module("gatewright.frontend.model_graph")
    directory = tmp_path_factory.mktemp("hls")
    found = []
    for shape, head in heads(k).values():
        shapes = shape if isinstance(shape, list) else [shape]
        inputs = [k.keras.Input(each, name=f"x{n}") for n, each in enumerate(shapes)]
        result = head(inputs if isinstance(shape, list) else inputs[0])
        model, names = k.keras.Model(inputs, result, name="one"), []

        def noted(config, layers, *more, names=names, configure=module.configure):
            names += [layer["name"] for layer in layers]
            return configure(config, layers, *more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "configure", noted)
            try:
                convert(model, None, None, directory)
            except InputError:  # refused, whatever is set
                continue
        found.append((model, names))
    return found


@pytest.mark.parametrize(
    "what", [pytest.param(w, marks=() if w == "result" else pytest.mark.full) for w in _WHATS]
)
def test_what_is_set_is_there_or_refused(models, what, tmp_path):
    honoured = 0
    for model, names in models:
        for number, layer in enumerate(names):
            to = FixedType(27 + number, 9 + number)
            key = f"{layer}.precision.{what}"
            options = ConvertOptions(settings=((key, str(to)),))
            try:
                graph = convert(model, None, options, tmp_path)
            except InputError as error:
                assert f"'{key}'" in str(error) or re.search(rf"\b{layer}\b", str(error))
                continue
            assert to in types_of(graph), (model.layers[-1].name, key)
            honoured += 1
    assert honoured or what in ("depthwise", "pointwise")  # which quantizers set


@pytest.fixture(scope="module")
def normalized(k):  # noqa: F811 - the fixture
    """A normalization that hls4ml folds into the layer before it, and a linear activation."""
    layers = k.keras.layers
    x = inputs = k.keras.Input((4,), name="x")
    x = layers.Dense(3, name="fc")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Activation("linear", name="line")(x)
    return k.keras.Model(inputs, layers.Dense(2, name="end")(x))


@pytest.mark.parametrize("layer", ["norm", "line", "BatchNormalization"])
def test_a_type_behind_what_is_folded_is_kept(normalized, layer, tmp_path):
    options = ConvertOptions(settings=((f"{layer}.precision.result", "fixed<21,7,RND,SAT>"),))
    graph = convert(normalized, None, options, tmp_path)
    assert [node.name for node in graph.get_layers()][:2] == ["x", "fc"]
    (end,) = (node for node in graph.get_layers() if node.name == "end")
    assert str(fixed_type(end.get_input_variable().type.precision)) == "fixed<21,7,RND,SAT>"


@pytest.mark.parametrize(
    ("path", "value"), [("precision.scale", "fixed<19,7>"), ("reuse_factor", "2")]
)
def test_a_setting_of_what_is_folded_is_refused_and_the_ways_out_work(
    normalized, path, value, tmp_path
):
    refused = ((f"norm.{path}", value),)
    with pytest.raises(InputError, match="is folded into 'fc'") as caught:
        convert(normalized, None, ConvertOptions(settings=refused), tmp_path)
    instead, apart = re.search(
        r"set ([\w.]+), or .* type for ([\w.]+)$", str(caught.value)
    ).groups()
    graph = convert(normalized, None, ConvertOptions(settings=((instead, value),)), tmp_path)
    assert "norm" not in graph.graph
    settings = (*refused, (apart, "fixed<30,12>"))
    graph = convert(normalized, None, ConvertOptions(settings=settings), tmp_path)
    assert "norm" in graph.graph
