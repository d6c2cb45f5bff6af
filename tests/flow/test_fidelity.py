"""What verification says of the model itself; its own framework is the judge."""

import json
from functools import partial

import h5py
import numpy as np
import pytest

from gatewright import frontend
from gatewright.cli import commands as cli
from gatewright.design import golden
from gatewright.fixed import from_float
from gatewright.flow.convert import changed_files, load_design, load_read_network
from gatewright.flow.counterparts import stages
from gatewright.flow.fidelity import Fidelity, read_network
from gatewright.flow.gate import figures, lines, missed
from gatewright.flow.inputs import random_inputs
from gatewright.flow.representable import inexact
from gatewright.flow.results import FidelityResults, MeasuredLayer, MeasuredOutput
from gatewright.frontend import load
from gatewright.frontend.reference import Reference
from gatewright.lower import lower
from gatewright.options import ConvertOptions


def test_the_network_is_kept_as_it_was_read(converted, project):
    read = load(converted / "net.json", converted / "net_weights.h5")
    kept = load_read_network(project)
    assert [layer.name for layer in kept.layers] == ["x", "fc1", "fc2"]
    for want, got in zip(read.layers, kept.layers, strict=True):
        assert (want.kind, want.inputs, want.arguments) == (got.kind, got.inputs, got.arguments)
        for name, array in want.weights.items():
            np.testing.assert_array_equal(array, got.weights[name])
    path = project / "model" / "network.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"framework": "keras3"}))
    assert changed_files(project) == ["model/network.json has changed since it was made"]


def architecture(layers):
    """A Sequential architecture of four inputs."""
    config = {"name": "x", "batch_input_shape": [None, 4], "dtype": "float32"}
    first = {"class_name": "InputLayer", "config": config}
    return {"class_name": "Sequential", "config": {"name": "net", "layers": [first, *layers]}}


#: By branch its units, activation, what weights and biases are times, and what is set for it.
BRANCHES = {
    "saturating": (3, "relu", 1, 1, {"relu.precision.result": "fixed<10,2,TRN,SAT>"}),
    "wrapping": (3, "relu", 1, 1, {"relu.precision.result": "fixed<10,2>"}),
    "coarse": (3, "relu", 1, 1, {"relu.precision.result": "fixed<7,6,TRN,SAT>"}),
    "summing": (3, "relu", 1, 1, {"precision.accum": "fixed<16,14>"}),
    "overflowing": (3, "relu", 1, 1, {"precision.accum": "fixed<20,2>"}),
    "vanishing": (3, "relu", 2**-9, 2**-9, {"precision.weight": "fixed<16,6>"}),
    "heavy": (3, "relu", 3, 1, {"precision.weight": "fixed<12,1,TRN,SAT>"}),
    "biased": (3, "relu", 1, 1, {"precision.bias": "fixed<6,5>"}),
    "curved": (3, "tanh", 1, 1, {"tanh.table_size": "32"}),
    "stepped": (3, "sigmoid", 1, 1, {"sigmoid.precision.table": "fixed<4,1>"}),
    "hasty": (4, "softmax", 1, 1, {"softmax.implementation": "latency"}),
    "rising": (4, "softmax", 1, 1, {"softmax.precision.exp_table": "fixed<9,5,RND,SAT>"}),
    "falling": (4, "softmax", 1, 1, {"softmax.precision.inv_table": "fixed<9,5,RND,SAT>"}),
    "indexed": (4, "softmax", 1, 1, {"softmax.precision.inp_norm": "fixed<24,8,RND,SAT>"}),
    "inverted": (4, "softmax", 1, 1, {"softmax.precision.inv_inp": "fixed<24,8,RND,SAT>"}),
    "scaled": (4, None, 1, 1, {"precision.scale": "fixed<6,4>"}),
    "shifted": (4, None, 1, 9, {"precision.bias": "fixed<8,3,TRN,SAT>"}),
}


def branches(folder):
    """A float network of Dense layers, and normalizations, of one input; each is an output."""
    rng = np.random.default_rng(8)
    first = {"name": "x", "batch_input_shape": [None, 4], "dtype": "float32"}
    layers = [{"class_name": "InputLayer", "name": "x", "config": first, "inbound_nodes": []}]
    weights = {}
    for name, (units, activation, kernel, bias, _) in BRANCHES.items():
        nodes, kind, config = [[["x", 0, 0, {}]]], "Dense", {"name": name}
        arrays = {
            "kernel": kernel * rng.uniform(0.3, 1, (4, units)),
            "bias": bias * rng.uniform(0.1, 0.9, units),
        }
        if activation is None:
            kind = "BatchNormalization"
            arrays = dict(zip(("gamma", "beta"), arrays.values(), strict=True))
            arrays["gamma"] = arrays["gamma"][0]
            arrays |= {f"moving_{what}": rng.uniform(0.5, 1, 4) for what in ("mean", "variance")}
        else:
            config |= {"units": units, "activation": activation}
        layers.append({"class_name": kind, "name": name, "config": config, "inbound_nodes": nodes})
        weights |= {f"{name}/{name}/{key}:0": array for key, array in arrays.items()}
    config = {"name": "net", "layers": layers, "input_layers": [["x", 0, 0]]}
    config["output_layers"] = [[name, 0, 0] for name in BRANCHES]
    path, stored = folder / "net.json", folder / "net.h5"
    path.write_text(json.dumps({"class_name": "Functional", "config": config}))
    with h5py.File(stored, "w") as file:
        for key, array in weights.items():
            file[key] = array.astype(np.float32)
    return load(path, stored)


def compared(network, settings, folder):
    options = ConvertOptions(
        settings=tuple(settings.items()), input_precision="fixed<12,4,TRN,SAT>"
    )
    design = lower(frontend.convert(network, None, options, folder / "hls"))
    words = random_inputs(design, 300, seed=4)
    expected = golden.run(design, words)
    with Fidelity(network, design, words, None, "random words") as fidelity:
        fidelity.look(expected)
        found = fidelity.results([expected[tensor.name] for tensor in design.outputs])
    assert found.reason is None
    return fidelity, found


def test_every_setting_that_is_named_mends_what_it_is_named_for(tmp_path):
    network = branches(tmp_path)
    given = {
        f"{name}{'_' if key.startswith(BRANCHES[name][1] or '-') else '.'}{key}": value
        for name, (*_, settings) in BRANCHES.items()
        for key, value in settings.items()
    }
    fidelity, before = compared(network, given, tmp_path)
    assert f"convert with --set '{before.blame.setting}'. Random words" in before.warning
    spoiled = {each.stage.kernels[-1].layer: each for each in fidelity.departures}
    causes = [fidelity.cause(each) for each in spoiled.values() if each.share > 1 / 200]
    named = {cause.setting.partition("=")[0]: cause for cause in causes}
    # What was spoiled is what is blamed.
    assert given.keys() <= named.keys()

    settings = given | dict(cause.setting.split("=", 1) for cause in causes)
    fidelity, after = compared(network, settings, tmp_path)
    mended = {each.stage.kernels[-1].layer: each for each in fidelity.departures}
    for key in given:
        layer = key.partition(".")[0]
        assert mended[layer].share < min(spoiled[layer].share / 3, 1 / 40), layer
    assert all(each.close for each in after.outputs)


STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")
QUANTIZED = {
    "kernel_quantizer": "quantized_bits(5,0,alpha=1)",
    "bias_quantizer": "quantized_bits(5,1,alpha=1)",
}


def chain(folder):
    """A float network whose sums are large, and a softmax of their small differences."""
    rng = np.random.default_rng(2)
    layers, weights = [], {}
    for name, units, activation, signs in (("fc1", 4, "relu", [1]), ("fc2", 3, "softmax", [-1, 1])):
        config = {"name": name, "units": units, "activation": activation}
        layers.append({"class_name": "Dense", "config": config})
        weights[f"{name}/{name}/kernel:0"] = rng.choice(signs, (4, units)) * rng.uniform(
            7, 8, (4, units)
        )
        weights[f"{name}/{name}/bias:0"] = np.zeros(units)
    return written(folder, layers, weights)


def written(folder, layers, weights):
    """The network of layers in files, as it is read from them."""
    path, stored = folder / "net.json", folder / "net.h5"
    path.write_text(json.dumps(architecture(layers)))
    with h5py.File(stored, "w") as file:
        for key, array in weights.items():
            file[key] = array.astype(np.float32)
    return load(path, stored)


def test_the_layer_to_blame_is_the_one_that_does_most_to_the_outputs(tmp_path):
    """What fc1's weights lose is little of its sums, and much of the softmax behind them."""
    network = chain(tmp_path)
    spoiled = {"fc1.precision.weight": "fixed<10,5,TRN,SAT>"}
    fidelity, found = compared(network, spoiled, tmp_path)
    shares = {each.name: each.share for each in fidelity.departures}
    assert shares["fc1"] < shares["fc2_softmax"] < found.outputs[0].largest
    assert found.blame.layer == "fc1"
    key, _, value = found.blame.setting.partition("=")
    assert key == "fc1.precision.weight"
    _, mended = compared(network, spoiled | {key: value}, tmp_path)
    assert mended.outputs[0].largest < found.outputs[0].largest / 2


def quantized_network(folder, *, quantizers=QUANTIZED, act="quantized_relu(5,2)", last="linear"):
    """A network of QKeras with weights that are on no grid."""
    rng = np.random.default_rng(6)
    weights = {}
    layers = []
    for name, rows, units, activation in (("fc1", 4, 6, "linear"), ("fc2", 6, 3, last)):
        config = {"name": name, "units": units, "activation": activation, "use_bias": True}
        layers.append({"class_name": "QDense", "config": config | quantizers})
        weights[f"{name}/{name}/kernel:0"] = rng.uniform(-1, 1, (rows, units))
        weights[f"{name}/{name}/bias:0"] = rng.uniform(-1, 1, units)
    layers.insert(1, {"class_name": "QActivation", "config": {"name": "act", "activation": act}})
    return written(folder, layers, weights)


def test_quantized_networks_are_equal_to_qkeras(tmp_path):
    fidelity, found = compared(quantized_network(tmp_path), {}, tmp_path)
    assert found.inexact is None
    assert found.equal and found.warning is None and missed(found, None) is None
    assert [each.stage.layer.name for each in fidelity.departures] == ["fc1", "act", "fc2"]
    assert not any(each.largest for each in fidelity.departures)
    assert "tf-keras" in found.method and "QKeras" in found.method


@pytest.mark.parametrize(
    ("network", "settings", "reason"),
    [
        ({}, {"fc1.precision.result": "fixed<10,4,RND,SAT>"}, "'fc1' rounds its sums: the result"),
        ({}, {"fc2.precision.result": "fixed<20,2>"}, "'fc2' may leave its type"),
        ({"last": "softmax"}, {}, "'fc2' has the activation softmax"),
        ({"act": "quantized_tanh(5)"}, {}, "'act' has the activation quantized_tanh"),
        (
            {"quantizers": QUANTIZED | {"kernel_quantizer": "quantized_bits(5,0,alpha='auto')"}},
            {},
            "'fc1' scales by numbers that are not powers of two",
        ),
        ({"quantizers": {"kernel_quantizer": "binary(alpha=1)"}}, {}, "no quantizer of its bias"),
    ],
)
def test_what_keeps_a_network_from_being_exact_is_named(network, settings, reason, tmp_path):
    read = quantized_network(tmp_path, **network)
    options = ConvertOptions(settings=tuple(settings.items()), input_precision="fixed<12,4>")
    design = lower(frontend.convert(read, None, options, tmp_path / "hls"))
    assert reason in inexact(read, stages(read, design))


def test_sums_beyond_what_float32_holds_are_no_promise(tmp_path):
    read = quantized_network(tmp_path)
    design = lower(frontend.convert(read, None, ConvertOptions(input_precision="fixed<28,8>")))
    assert "more than 24 bits" in inexact(read, stages(read, design))


def test_layers_are_found_again_however_they_were_renamed_joined_and_left_out(tmp_path):
    rng = np.random.default_rng(5)
    dense = {"units": 4, "use_bias": True}
    layers = [
        ("Dense", "weight", dense, {"kernel": (4, 4), "bias": (4,)}),
        ("Dropout", "idle", {"rate": 0.5}, {}),
        ("Activation", "activation", {"activation": "relu"}, {}),
        ("Dense", "joined", dense, {"kernel": (4, 4), "bias": (4,)}),
        ("BatchNormalization", "norm", {}, dict.fromkeys(STATISTICS, (4,))),
        ("Dense", "last", dense | {"activation": "relu"}, {"kernel": (4, 4), "bias": (4,)}),
    ]
    entries = [{"class_name": k, "config": {"name": n} | c} for k, n, c, _ in layers]
    path, stored = tmp_path / "net.json", tmp_path / "net.h5"
    path.write_text(json.dumps(architecture(entries)))
    with h5py.File(stored, "w") as file:
        for _, name, _, arrays in layers:
            for key, shape in arrays.items():
                file[f"{name}/{name}/{key}:0"] = rng.uniform(0.2, 0.9, shape).astype(np.float32)
    network = load(path, stored)
    design = lower(frontend.convert(network, None, ConvertOptions()))
    found = stages(network, design)
    assert [(each.layer.name, each.part) for each in found] == [
        ("weight", "whole"),
        ("activation", "whole"),
        ("norm", "whole"),
        ("last", "linear"),
        ("last", "activation"),
    ]
    # What was folded into the layer before it is held against both.
    assert [layer.name for layer in found[2].chain] == ["joined"]
    assert [kernel.layer for kernel in found[2].kernels] == ["joined"]
    assert found[0].kernels[0].layer != "weight"


def test_a_project_without_its_network_says_so(project):
    for path in (project / "model").glob("network.*"):
        path.unlink()
    assert "not as a Keras model" in read_network(project)
    (project / "model" / "network.json").write_text("{")
    assert "not a network" in read_network(project)


def test_the_lines_say_how_far_it_is_equal():
    output = MeasuredOutput(
        name="y", type="fixed<8,3>", largest=0.25, mean=0.1, equal=0.0, scale=1.0, close=False
    )
    layers = tuple(
        MeasuredLayer(name=name, type="fixed<8,3>", vectors=9, largest=far, explained=0.0)
        for name, far in (("a", 0.0), ("b", 0.5))
    )
    found = FidelityResults(
        source="x.npy", outputs=(output,), layers=layers, inexact="layer 'b' rounds", equal=False
    )
    assert figures(found).startswith("layers before 'b' equal; difference at most 0.25")
    assert missed(found, None).endswith("0.25 from it (layer 'b' rounds)")
    last = found.model_copy(update={"layers": layers[1:]})
    assert figures(last).startswith("difference at most 0.25")
    # What only the inputs' rounding makes is no difference of the hardware's.
    rounded = found.model_copy(update={"layers": layers[:1], "equal": True})
    assert figures(rounded).startswith(
        "equal on inputs rounded to the hardware's type, not on inputs as given; "
    )
    assert missed(rounded, None) is None


@pytest.mark.parametrize("by_name", [False, True])
def test_inputs_hold_what_they_are_given_in_the_type_that_is_named(converted, by_name):
    network = load(converted / "net.json", converted / "net_weights.h5")
    given = np.linspace(-9, 3, 30).reshape(10, 3)

    def beyond(**options):
        design = lower(frontend.convert(network, None, ConvertOptions(**options)))
        words = [from_float(given, design.inputs[0].type)]
        return Fidelity("no matter", design, words, [given], "x.npy").results([]).beyond

    (found,) = beyond(input_precision="ufixed<6,2>")
    assert found.samples == (given[:, 0] <= -1 / 16).sum() and found.largest == -9
    wider = found.wider
    setting = {"settings": (("x.precision.result", wider),)}
    assert beyond(**setting if by_name else {"input_precision": wider}) == ()


@pytest.mark.parametrize("largest", [1e18, 1e30, 1e308])
def test_of_inputs_that_no_type_holds_none_is_named(converted, largest):
    network = load(converted / "net.json", converted / "net_weights.h5")
    design = lower(frontend.convert(network, None, ConvertOptions(input_precision="fixed<12,6>")))
    given = np.full((2, 3), largest)
    words = [from_float(given, design.inputs[0].type)]
    found = Fidelity("no matter", design, words, [given], "x.npy").results([])
    assert found.beyond[0].wider is None
    assert "; no type is wide enough; scale the samples" in "".join(lines(found))


@pytest.mark.full
def test_an_input_that_rounds_too_much_is_named_and_mended(converted):
    network = load(converted / "net.json", converted / "net_weights.h5")
    given = np.random.default_rng(1).uniform(-1, 1, (60, 3))

    def found(**options):
        design = lower(frontend.convert(network, None, ConvertOptions(**options)))
        words = [from_float(given, design.inputs[0].type)]
        expected = golden.run(design, words)
        with Fidelity(network, design, words, [given], "x.npy") as fidelity:
            fidelity.look(expected)
        return fidelity.results([expected[tensor.name] for tensor in design.outputs])

    before = found(input_precision="fixed<4,3>")
    assert before.blame.layer == "x" and "rounds its values" in before.warning
    key, _, value = before.blame.setting.partition("=")
    after = found(input_precision="fixed<4,3>", settings=((key, value),))
    assert after.outputs[0].close


@pytest.fixture
def limited(monkeypatch):
    """A framework that has no time."""
    monkeypatch.setattr("gatewright.flow.fidelity.Reference", partial(Reference, seconds=0.05))


def test_what_can_t_be_compared_is_said(plain_design, limited):
    network, design, words, expected = plain_design
    with Fidelity(network, design, words, None, "random words") as fidelity:
        fidelity.look(expected)
    found = fidelity.results([])
    assert found.reason.endswith("ended after 0.05 seconds, its time limit")
    assert lines(found) == [f"not compared with the model itself: {found.reason}"]
    assert "not compared" in missed(found, 0.5)


@pytest.fixture
def plain_design(converted, project):
    network, design = load_read_network(project), load_design(project)
    words = random_inputs(design, 20, seed=1)
    return network, design, words, golden.run(design, words)


def test_verification_holds_the_hardware_against_the_model(simulated, capsys):
    data = np.random.default_rng(2).normal(0, 1, (40, 3))
    data[5:9] = 3.5  # fixed<6,2> ends below 2
    np.save(simulated.parent / "data.npy", data)
    arguments = ["verify", str(simulated), "--inputs", str(simulated.parent / "data.npy")]
    assert run(*arguments, "--json") == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)["fidelity"]

    # The model itself, by hand: two Dense layers.
    layers = {layer.name: layer.weights for layer in load_read_network(simulated).layers}
    hidden = np.maximum(data @ layers["fc1"]["kernel"] + layers["fc1"]["bias"], 0)
    wanted = hidden @ layers["fc2"]["kernel"] + layers["fc2"]["bias"]
    with np.load(simulated / "sim" / "outputs.npz") as outputs:
        design = load_design(simulated)
        got = outputs["output0"].reshape(40, 2) * 2.0 ** -design.outputs[0].type.frac
    away = np.abs(wanted - got)
    (output,) = found["outputs"]
    assert output["largest"] == pytest.approx(away.max(), rel=1e-5)
    assert output["mean"] == pytest.approx(away.mean(), rel=1e-5)
    assert output["agreement"] == (wanted.argmax(axis=1) == got.argmax(axis=1)).mean()
    assert (found["vectors"], found["source"]) == (40, "data.npy")
    (beyond,) = found["beyond"]
    assert beyond["samples"] == (np.abs(data) >= 2).any(axis=1).sum()
    assert (beyond["largest"], beyond["wider"]) == (3.5, "fixed<7,3>")
    assert "beyond fixed<6,2>, up to 3.5" in captured.err
    assert "--input-precision 'fixed<7,3>'" in captured.err

    # A gate for scripts, on what is there already.
    assert run(*arguments, "--fidelity", "exact") == 1
    assert "not equal to what the model predicts" in capsys.readouterr().err
    share = 100 * output["agreement"]
    assert run(*arguments, "--fidelity", f"{share - 0.1:.4f}") == 0
    assert run(*arguments, "--fidelity", f"{share + 0.1:.4f}%") == (1 if share < 99.9 else 2)
    assert run(*arguments, "--fidelity", "much") == 2
    assert run(*arguments, "--fidelity", "exact", "--no-fidelity") == 2


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code or 0
