"""Models of HGQ2: what the hardware computes is what HGQ2 predicts, on every sample."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import h5py
import numpy as np
import pytest

from gatewright.design import golden
from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import from_float
from gatewright.flow.convert import convert, load_design
from gatewright.flow.verify import verify
from gatewright.frontend import convert as frontend_convert
from gatewright.frontend import load
from gatewright.frontend.quiet import import_keras
from gatewright.frontend.readers.hgq_tables import FUNCTIONS, Widths, table_of
from gatewright.lower import lower
from gatewright.options import ConvertOptions

MODELS = Path(__file__).with_name("hgq")
NAMES = sorted(path.stem for path in MODELS.glob("*.keras"))
#: Those whose types differ from channel to channel only.
STREAMED = ("channels", "dense")
OPTIONS = ConvertOptions(input_precision="fixed<9,3>", io="parallel")


@pytest.fixture(scope="module")
def keras3():
    return import_keras("keras")


def predicted(name):
    with np.load(MODELS / f"{name}.npz") as file:
        return file["inputs"], file["outputs"]


@pytest.mark.parametrize(
    ("name", "io"), [*((name, "parallel") for name in NAMES), *((n, "stream") for n in STREAMED)]
)
def test_hardware_is_what_hgq2_predicts(tmp_path, name, io):
    inputs, outputs = predicted(name)
    convert(MODELS / f"{name}.keras", None, replace(OPTIONS, io=io), tmp_path / "project")
    design = load_design(tmp_path / "project")
    (x,), (y,) = design.inputs, design.outputs
    assert str(x.type) == "fixed<9,3>"
    raw = from_float(inputs, x.type)
    assert np.array_equal(raw * 2.0**-x.type.frac, inputs)
    found = golden.run(design, [raw])[y.name].reshape(outputs.shape) * 2.0**-y.type.frac
    assert np.array_equal(found, outputs)
    assert len(np.unique(found)) > 50


@pytest.mark.parametrize(
    ("name", "io"),
    [
        ("saturating", "parallel"),
        ("channels", "stream"),
        *(pytest.param(n, "parallel", marks=pytest.mark.full) for n in NAMES),
        *(pytest.param(n, "stream", marks=pytest.mark.full) for n in STREAMED),
    ],
)
def test_cpp_and_rtl_compute_the_same(tmp_path, name, io):
    """In `saturating`, hls4ml narrows symmetrical quantizers, which lose their least number."""
    convert(MODELS / f"{name}.keras", None, replace(OPTIONS, io=io), tmp_path / "project")
    results = verify(tmp_path / "project", samples=100, fidelity=False).results
    assert results.verification.passed


def test_weights_keep_their_last_bits(tmp_path):
    """They have no quantizer here: their types follow from their values, not from the default."""
    network = load(MODELS / "dense.keras")
    fine = [
        replace(
            layer,
            weights=MappingProxyType(
                {name: array + np.float32(2.0**-14) for name, array in layer.weights.items()}
            ),
        )
        if layer.kind == "Dense"
        else layer
        for layer in network.layers
    ]
    network = replace(network, layers=tuple(fine))
    kernels = {each.layer: each for each in lower(frontend_convert(network, None, OPTIONS)).kernels}
    for layer in network.layers:
        if layer.kind == "Dense":
            raw = kernels[layer.name].weights * 2.0 ** -kernels[layer.name].weight_type.frac
            assert np.array_equal(raw, layer.weights["kernel"])


def test_means_that_float32_rounds_are_refused(tmp_path):
    def of_three(layers):
        next(each for each in layers if each["name"] == "mean")["config"]["pool_size"] = [3, 1]

    with pytest.raises(UnsupportedError, match=r"layer .mean.*a mean of 3 numbers"):
        convert(changed(tmp_path, "sums", of_three), None, OPTIONS, tmp_path / "project")


def test_sums_are_of_as_many_numbers_as_can_be_built(tmp_path):
    def huge(layers):
        entry = next(each for each in layers if each["name"] == "sum")
        entry["build_config"]["input_shape"] = [None, 1 << 23, 1 << 23, 5]
        entry["config"]["axes"] = [1, 2]

    with pytest.raises(UnsupportedError, match=r"layer 'sum'.* a sum of more than 65536 numbers"):
        load(changed(tmp_path, "sums", huge))


def test_elements_keep_widths_of_their_own(tmp_path):
    convert(MODELS / "dense.keras", None, OPTIONS, tmp_path / "project")
    design = load_design(tmp_path / "project")
    widths = {to.width for kernel in design.kernels for to in getattr(kernel, "types_of", ())}
    assert len(widths) > 4


def changed(tmp_path, name, change):
    """A model with another architecture."""

    def edited(content):
        config = json.loads(content)
        change(config["config"]["layers"])
        return json.dumps(config).encode()

    return with_member(tmp_path, name, "config.json", edited)


def with_member(tmp_path, name, wanted, edited):
    """A model with another content of a member of its archive."""
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(MODELS / f"{name}.keras") as source, zipfile.ZipFile(path, "w") as to:
        for member in source.namelist():
            content = source.read(member)
            to.writestr(member, edited(content) if member == wanted else content)
    return path


def _quantizer(layers, **changes):
    layers[1]["config"]["iq_conf"]["config"].update(changes)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda layers: layers[1].update(class_name="QGRU"), InputError, "lacks its weights"),
        (lambda layers: _quantizer(layers, scaler=2.0), UnsupportedError, "with a scaler"),
        (lambda layers: _quantizer(layers, round_mode="RND_ZERO"), UnsupportedError, "RND_ZERO"),
        (lambda layers: _quantizer(layers, overflow_mode="WRAP_SM"), UnsupportedError, "WRAP_SM"),
        (lambda layers: _quantizer(layers, q_type="flt"), UnsupportedError, "of type flt"),
        (lambda layers: layers[1]["config"].pop("iq_conf"), InputError, "is not as HGQ2 writes it"),
        (lambda layers: layers[1]["config"].update(name="d 1;"), InputError, "can't be the name"),
        (lambda layers: layers[1].pop("config"), InputError, "is not as HGQ2 writes it"),
    ],
)
def test_what_has_no_equivalent_is_refused_by_name(tmp_path, change, error, said):
    with pytest.raises(error, match=said) as raised:
        load(changed(tmp_path, "dense", change))
    assert str(raised.value).startswith(f"{tmp_path / 'net.keras'}: ")
    assert "\n" not in str(raised.value)


def test_streams_are_refused_where_widths_differ(tmp_path):
    options = ConvertOptions(input_precision="fixed<9,3>", io="stream")
    with pytest.raises(UnsupportedError, match=r"layer .c1_iq. .*; convert with --io parallel"):
        convert(MODELS / "sequence.keras", None, options, tmp_path / "project")


def changed_weights(tmp_path, name, change):
    """A model with other arrays."""

    def edited(content):
        held = io.BytesIO(content)
        with h5py.File(held, "a") as file:
            change(file)
        return held.getvalue()

    return with_member(tmp_path, name, "model.weights.h5", edited)


def of_kind(layers, kind):
    return next(each for each in layers if each["class_name"] == kind)


@pytest.mark.parametrize(
    ("name", "kind", "key", "value", "message"),
    [
        ("softmaxes", "QSoftmax", "axes", [1], "only a softmax along the last axis"),
        ("softmaxes", "QSoftmax", "allow_heterogeneous_table", True, "a table for each element"),
        ("tables", "QUnaryFunctionLUT", "activation", "tan", "the function tan .*; did you mean"),
        ("tables", "QUnaryFunctionLUT", "enable_oq", False, "needs quantizers of its input and"),
        ("attention", "QMultiHeadAttention", "use_gate", True, "with use_gate is not supported"),
        ("attention", "QEinsum", "equation", "ij,bkj->bik", "the batch must come first in two"),
    ],
)
def test_functions_are_refused_by_name(tmp_path, name, kind, key, value, message):
    def other(layers):
        of_kind(layers, kind)["config"][key] = value

    with pytest.raises(UnsupportedError, match=f"layer '.*{message}"):
        load(changed(tmp_path, name, other))


@pytest.mark.parametrize(
    ("argument", "value"), [("use_causal_mask", True), ("return_attention_scores", True)]
)
def test_attention_is_called_without_masks(tmp_path, argument, value):
    def masked(layers):
        of_kind(layers, "QMultiHeadAttention")["inbound_nodes"][0]["kwargs"][argument] = value

    with pytest.raises(UnsupportedError, match=f"layer 'own' is called with {argument}|{argument}"):
        load(changed(tmp_path, "attention", masked))


@pytest.mark.parametrize("table", ["q_softmax_1/exp_table", "q_softmax/inv_table"])
def test_a_softmax_rounds_alike_for_all_elements(tmp_path, table):
    """What rounds with several widths is not what rounds with the widest of them."""

    def spread(file):
        key = f"layers/{table}/iq/quantizer/vars/0"
        old = file[key][()]
        del file[key]
        file[key] = np.concatenate([old, old + 1], axis=-1)

    with pytest.raises(UnsupportedError, match=r"layer '.*': quantizers of a width for each"):
        load(changed_weights(tmp_path, "softmaxes", spread))


def test_functions_of_a_sequential_model_have_a_way_out(tmp_path):
    def sequential(layers):
        for each in layers:
            each.pop("inbound_nodes")

    with pytest.raises(UnsupportedError, match=r"make the model with keras\.Model"):
        load(changed(tmp_path, "softmaxes", sequential))


def test_results_of_endless_digits_are_refused(tmp_path):
    """Nothing quantizes what a sigmoid gives, so hls4ml takes a type of 128 bits."""

    def endless(layers):
        next(each for each in layers if each["name"] == "d3")["config"]["activation"] = "sigmoid"

    with pytest.raises(
        UnsupportedError, match=r"layer 'd3_sigmoid'.*wider than 62 bits.*enable_oq"
    ):
        convert(changed(tmp_path, "dense", endless), None, OPTIONS, tmp_path / "project")


def widths(signed, integers, fraction, rounding="RND", overflow="SAT"):
    parts = (np.array([[each]]) for each in (signed, integers, fraction))
    return Widths(*parts, rounding, overflow, is_weight=False)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("rounding", ["TRN", "RND", "RND_CONV"])
def test_tables_have_what_keras_computes(keras3, name, rounding):
    """Entries are in the order of their bits; those that Keras rounds otherwise are counted."""
    source, to = widths(1, 3, 4), widths(1, 3, 6, rounding)
    table = table_of(FUNCTIONS[name], source, to)
    words = np.arange(256)
    x = np.where(words > 127, words - 256, words).astype(np.float32) / 16
    wanted = to.quantized(np.asarray(keras3.activations.get(name)(x), np.float32)).ravel()
    assert table.kif == [1, 3, 6]
    assert len(np.unique(table.entries)) > 10
    assert np.count_nonzero(table.entries != wanted) <= table.doubtful


def test_entries_on_a_limit_are_told(tmp_path):
    def third(x):
        return x + 0.5 + 1e-9  # with no digits behind the point, as good as on a limit

    assert table_of(third, widths(1, 3, 0), widths(1, 5, 0)).doubtful == 16
    assert table_of(lambda x: x + 0.5, widths(1, 3, 0), widths(1, 5, 0)).doubtful == 0


def test_tables_have_a_size_that_can_be_built():
    with pytest.raises(UnsupportedError, match=r"a table of 2\^20 entries"):
        table_of(np.tanh, widths(1, 9, 10), widths(1, 3, 6))
    with pytest.raises(UnsupportedError, match="all 0"):
        table_of(np.tanh, widths(0, 0, 0), widths(1, 3, 6))
