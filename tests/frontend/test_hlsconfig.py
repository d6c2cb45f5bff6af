"""hls4ml's own configurations say what they say to hls4ml."""

import pytest
import yaml
from plain_models import dense, write_model

from gatewright.errors import InputError
from gatewright.frontend import convert, load
from gatewright.frontend.hls_config import options_of, read_hls_config
from gatewright.frontend.keras2 import Model
from gatewright.lower import lower

FILE = """\
Backend: Vivado
ClockPeriod: 4
HLSConfig:
  LayerName:
    fc1:
      Precision: {weight: 'ap_fixed<9,2>', result: 'fixed<20,9,RND,SAT,0>'}
      ReuseFactor: 2
      Trace: true
    fc2_softmax:
      Strategy: Stable
      exp_table_t: ap_fixed<14,4>
  LayerType:
    Dense: {Precision: 'fixed<12,5>', Strategy: Resource}
  Model: {Precision: 'ap_fixed<16,6>', ReuseFactor: 4, Strategy: Latency}
IOType: io_stream
KerasModel: !keras_model /nowhere/model.keras
Part: xcu250-figd2104-2L-e
"""


@pytest.fixture
def model(tmp_path):
    first, second = dense("fc1", 4, 4, "relu"), dense("fc2", 2, 4, "softmax")
    paths = write_model(tmp_path, [first[0], second[0]], {"fc1": first[1], "fc2": second[1]})
    return load(*paths)


def read(tmp_path, text):
    path = tmp_path / "hls4ml_config.yml"
    path.write_text(text)
    return read_hls_config(path)


def test_a_file_becomes_options(tmp_path, model):
    options = options_of(read(tmp_path, FILE), reuse_factor=None)
    assert (options.io, options.clock_ns, options.reuse_factor) == ("stream", 4, 4)
    assert (options.strategy, options.precision) == ("latency", None)
    graph = convert(model, None, options, tmp_path)
    layers = {node.name: node for node in graph.get_layers()}
    assert str(layers["fc1"].get_attr("weight_t").precision).startswith("fixed<9,2")
    assert str(layers["fc1"].get_attr("bias_t").precision).startswith("fixed<12,5")
    assert layers["fc1"].get_attr("gatewright_reuse_factor") == 2
    assert layers["fc2"].get_attr("gatewright_strategy") == "resource"
    assert layers["fc2"].get_attr("gatewright_reuse_factor") == 4
    exp_table = layers["fc2_softmax"].get_attr("exp_table_t").precision
    assert str(exp_table).startswith("fixed<14,4")
    assert lower(graph).io == "stream"


def test_what_is_given_beside_it_wins(tmp_path):
    config = read(tmp_path, FILE)
    options = options_of(config, io="parallel", clock_ns=2.0, settings=(("a.reuse_factor", "1"),))
    assert (options.io, options.clock_ns) == ("parallel", 2.0)
    assert options.settings == (("a.reuse_factor", "1"),)


@pytest.mark.parametrize("granularity", ["name", "type", "model"])
@pytest.mark.parametrize("backend", ["Vitis", None])
def test_what_hls4ml_chooses_itself_sets_nothing(tmp_path, model, granularity, backend):
    from hls4ml.utils.config import config_from_keras_model

    if granularity == "name" and backend is None:
        pytest.skip("leaves every type at its default, which a file then sets")
    made = config_from_keras_model(Model(model), granularity=granularity, backend=backend)
    config = read(tmp_path, yaml.dump(made))
    assert sorted(config.settings) == sorted(read_hls_config(made).settings)
    with_it = lower(convert(model, None, options_of(config), tmp_path))
    without = lower(convert(model, None, options_of(None), tmp_path))
    assert [k.output for k in with_it.kernels] == [k.output for k in without.kernels]
    assert [k.types() for k in with_it.kernels] == [k.types() for k in without.kernels]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("Model: {Precision: {maximum: 'fixed<32,16>'}}", r"Model.Precision.maximum: only the"),
        ("Model: {Precision: fixed<x>}", r"Model.Precision.default: precision"),
        ("Model: {ReuseFactor: many}", "Model.ReuseFactor 'many': must be a whole number"),
        ("Model: {Strategy: Unrolled}", "Model.Strategy 'Unrolled': choose from latency"),
        ("Model: {Colour: red}", "Model.Colour: is not known for a model; set it for layers"),
        ("Optimizers: [a]", "Optimizers.*Model, LayerType, LayerName"),
        ("LayerName: [fc1]", "LayerName: must hold fields, not list"),
        ("LayerName: {fc1: {ReuseFactor: [1]}}", "LayerName.fc1.ReuseFactor: must be text"),
        ("IOType: io_serial\nHLSConfig: {}", "IOType 'io_serial'"),
        ("IOType: io_stream\nClock: 3\nHLSConfig: {}", "'Clock' is not a known field"),
        ("ClockPeriod: !python/object:os.system x", "tag"),
        ("a: [", "not a configuration of hls4ml"),
    ],
)
def test_what_is_not_known_is_one_line(tmp_path, text, match):
    with pytest.raises(InputError, match=match) as caught:
        read(tmp_path, text)
    assert "hls4ml_config.yml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_of_a_layer_is_named(tmp_path, model):
    config = read_hls_config({"LayerName": {"fc1": {"Colour": "red"}}})
    with pytest.raises(InputError, match="layer 'fc1' has no 'colour'"):
        convert(model, None, options_of(config), tmp_path)


def test_the_command_takes_it(tmp_path):
    from gatewright.cli import main

    first = dense("fc1", 3, 4)
    paths = write_model(tmp_path, [first[0]], {"fc1": first[1]})
    (tmp_path / "c.yml").write_text("IOType: io_stream\nHLSConfig: {Model: {ReuseFactor: 4}}\n")
    with pytest.raises(SystemExit, match="0"):
        model, weights, *_ = map(str, paths)
        project, config = str(tmp_path / "p"), str(tmp_path / "c.yml")
        main(["convert", model, "--weights", weights, "-o", project, "--hls-config", config])
    assert '"io": "stream"' in (tmp_path / "p" / "convert.json").read_text()
    with pytest.raises(SystemExit, match="2"):
        main(["convert", str(paths[0]), "-o", str(tmp_path / "q"), "--hls-config", "none.yml"])


def test_the_file_that_hls4ml_itself_writes(qmodel, tmp_path):
    """It has the model in it, as an object of Python that is neither run nor looked at."""
    import hls4ml

    config = hls4ml.utils.config_from_keras_model(qmodel, granularity="name", backend="Vitis")
    config["LayerName"]["fc1"]["ReuseFactor"] = 3
    graph = hls4ml.converters.convert_from_keras_model(
        qmodel, hls_config=config, output_dir=str(tmp_path / "hls"), backend="Vitis"
    )
    (tmp_path / "hls").mkdir()
    graph.config.backend.writer.write_yml(graph)
    path = tmp_path / "hls" / "hls4ml_config.yml"
    assert "!!python/object" in path.read_text()
    found = read_hls_config(path)
    assert dict(found.settings)["fc1.reuse_factor"] == "3"
    assert found.io == "parallel"
    path.write_text(path.read_text() + "Other: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(InputError, match=r"tag .*os\.getcwd is not known"):
        read_hls_config(path)
