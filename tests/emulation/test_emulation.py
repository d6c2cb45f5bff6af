"""The compiled C++ emulation: against Keras, layer by layer, moved about, and fed nonsense."""

import json
import os
import re
import shutil
import subprocess
import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest

from gatewright.emulation import Emulation
from gatewright.emulation.build import _sped_up
from gatewright.errors import InputError, TimeLimitError
from gatewright.frontend import convert, write_hls
from gatewright.options import ConvertOptions
from gatewright.system import built
from gatewright.wall.cpp import templates

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


@pytest.fixture(scope="module")
def keras():
    from gatewright.frontend.quiet import import_keras

    import_keras("qkeras")
    return import_keras("tf_keras")


@pytest.fixture(scope="module")
def model(keras):
    """Two inputs, two outputs, quantized so that Keras' floats are exact."""
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    keras.utils.set_random_seed(11)

    def fc(units, name):
        quantizer = {
            "kernel_quantizer": quantized_bits(5, 0, alpha="auto_po2"),
            "bias_quantizer": quantized_bits(8, 1, alpha=1),
        }
        return QDense(units, name=name, bias_initializer="random_uniform", **quantizer)

    a, b = keras.Input((5,), name="a"), keras.Input((3, 2), name="b")
    left = QActivation(quantized_relu(6, 2), name="act")(fc(4, "left")(a))
    right = fc(4, "right")(keras.layers.Flatten(name="flat")(b))
    total = keras.layers.Subtract(name="total")([left, right])
    return keras.Model([a, b], [fc(2, "small")(total), total])


@pytest.fixture(scope="module")
def project(model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("project") / "hls"
    options = ConvertOptions(input_precision="fixed<27,3>")
    write_hls(convert(model, None, options, directory, "tiny"), directory)
    Emulation(directory).compile()
    return directory


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(5)
    # Twenty-four fraction bits: more than a float32 holds beside the sign and integer bits.
    shapes = ((200, 5), (200, 3, 2))
    return [rng.integers(-(2**26), 2**26, shape) / 2**24 for shape in shapes]


def test_tensors_are_described_in_order(project):
    emulation = Emulation(project)
    assert [(t.name, t.shape, t.type) for t in emulation.inputs] == [
        ("a", (5,), "fixed<27,3>"),
        ("b", (3, 2), "fixed<27,3>"),
    ]
    assert [(t.name, t.shape) for t in emulation.outputs] == [("small", (2,)), ("total", (4,))]


def test_outputs_equal_keras(model, project, samples):
    coarse = [np.floor(x * 64) / 64 for x in samples]  # so that float32 sums are exact
    for ours, theirs in zip(
        Emulation(project).predict(coarse), model.predict(coarse, verbose=0), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_inputs_keep_all_their_bits(project, samples):
    emulation = Emulation(project)
    bumped = [samples[0] + 2.0**-24, samples[1]]
    _, before = emulation.trace(samples)
    _, after = emulation.trace(bumped)
    assert (before["left"] != after["left"]).any(axis=1).all()


def test_trace_agrees_with_predict(project, samples):
    emulation = Emulation(project)
    predicted = emulation.predict(samples)
    outputs, layers = emulation.trace(samples)
    assert {"left", "act", "right", "total", "small"} <= set(layers)
    for a, b in zip(predicted, outputs, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(layers["small"], predicted[0])
    np.testing.assert_array_equal(layers["total"], predicted[1])
    np.testing.assert_array_equal(layers["total"], layers["act"] - layers["right"])


def test_every_sample_has_its_own_time(project, samples):
    emulation = Emulation(project)
    start = time.perf_counter()
    taken = emulation.time(samples)
    whole = time.perf_counter() - start
    assert taken.shape == (200,) and (taken > 0).all() and taken.sum() < whole


def test_a_moved_project_still_works(project, samples, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(project, moved)
    np.testing.assert_array_equal(
        Emulation(moved).predict(samples)[0], Emulation(project).predict(samples)[0]
    )


def test_a_replaced_project_is_loaded_anew(project, samples, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(project, again)
    before = Emulation(again).predict(samples)
    shutil.rmtree(again)
    shutil.copytree(project, again)
    biases = sorted((again / "firmware" / "weights").glob("b*.txt"))
    for path in biases:
        path.write_text(",".join("1" for _ in path.read_text().split(",")))
    after = Emulation(again).predict(samples)
    assert biases
    assert (before[1] != after[1]).any()


def test_same_model_same_files(model, project, tmp_path):
    again = tmp_path / "hls"
    options = ConvertOptions(input_precision="fixed<27,3>")
    write_hls(convert(model, None, options, again, "tiny"), again)
    for path in project.rglob("*"):
        if path.suffix in (".cpp", ".h", ".txt", ".json", ".tcl", ".sh", ".yml"):
            assert (again / path.relative_to(project)).read_bytes() == path.read_bytes(), path


def test_no_samples(project):
    outputs, layers = Emulation(project).trace([np.zeros((0, 5)), np.zeros((0, 3, 2))])
    assert [y.shape for y in outputs] == [(0, 2), (0, 4)]
    assert layers["left"].shape == (0, 4)


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        ([np.zeros((2, 5))], "1 input arrays, but the model has 2 inputs"),
        (
            [np.zeros((2, 5)), np.zeros((2, 5))],
            r"input 'b': shape \(2, 5\); wanted \(samples, 3, 2\)",
        ),
        ([np.zeros((2, 5)), np.zeros((3, 3, 2))], "differ in their number of samples"),
        ([np.full((1, 5), np.nan), np.zeros((1, 3, 2))], "input 'a': a value is NaN or infinite"),
    ],
)
def test_wrong_inputs(project, inputs, match):
    with pytest.raises(InputError, match=match):
        Emulation(project).predict(inputs)


def test_nothing_there(tmp_path, project):
    with pytest.raises(InputError, match="no C\\+\\+ emulation here"):
        Emulation(tmp_path)
    spoilt = tmp_path / "spoilt"
    shutil.copytree(project, spoilt)
    shutil.rmtree(spoilt / "firmware" / "weights")
    with pytest.raises(InputError, match=r"weights/w\d+\.txt: no such file; convert again"):
        Emulation(spoilt)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda text: text + ",0.5", r"w\d+\.txt: \d+ weights, but the network has \d+"),
        (lambda text: text.rpartition(",")[0], r"w\d+\.txt: \d+ weights, but the network has \d+"),
        (lambda text: text.replace("0", "x"), r"w\d+\.txt: holds more than numbers"),
        (lambda text: "\0" + text, r"w\d+\.txt: holds more than numbers"),
        (lambda text: text + "\u00e9", r"w\d+\.txt: holds characters"),
    ],
)
def test_wrong_weights_are_named(project, tmp_path, change, match):
    spoilt = tmp_path / "spoilt"
    shutil.copytree(project, spoilt)
    path = min((spoilt / "firmware" / "weights").glob("w*.txt"))
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=match):
        Emulation(spoilt)


def described(**changes):
    """A description of an emulation, and a change of it."""
    tensor = {"name": "a", "shape": [3], "type": "fixed<8,3>"}
    whole = {"project": "tiny", "inputs": [tensor], "outputs": [tensor], "layers": [tensor]}
    for key, value in changes.items():
        if key in whole:
            whole[key] = value
        else:
            whole["layers"] = [tensor | {key: value}]
    return whole


@pytest.mark.parametrize(
    "description",
    [
        "not json",
        [],
        {},
        described(project="../tiny"),
        described(project="a;b"),
        described(project=3),
        described(inputs=[]),
        described(inputs="a"),
        described(outputs=None),
        described(layers={}),
        described(name="a\nb"),
        described(name='a", "b'),
        described(name=""),
        described(name="a" * 1000),
        described(shape=[0]),
        described(shape=[-1]),
        described(shape=[2.0]),
        described(shape=["3"]),
        described(shape=[1 << 20, 1 << 20]),
        described(shape=3),
        described(type=None),
        described(type="\x1b[2J"),
        described(more=1),
    ],
)
def test_what_describes_an_emulation_is_checked(tmp_path, description):
    text = description if isinstance(description, str) else json.dumps(description)
    (tmp_path / "emulation.json").write_text(text)
    with pytest.raises(InputError, match="no C\\+\\+ emulation here; convert again") as caught:
        Emulation(tmp_path)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


HOSTILE = r"""
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>
MARK
extern "C" {
void allocate_trace_storage(size_t) {}
void collect_trace_output(void *) {}
void free_trace_storage() {}
void tiny_double(double *a, double *b, double *small, double *total) { BODY }
}
"""


def hostile(project, directory, body, mark=""):
    """A copy of a project with another library."""
    shutil.copytree(project, directory)
    source = directory / "hostile.cpp"
    source.write_text(HOSTILE.replace("BODY", body).replace("MARK", mark))
    library = directory / "firmware" / "emulation.so"
    subprocess.run(["g++", "-O0", "-shared", "-fPIC", source, "-o", library], check=True)
    return library


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("*(volatile int *)0 = 1;", "crashed at sample 0 of 3 (SIGSEGV)"),
        ("static int n; if (n++ == 2) abort();", "crashed at sample 2 of 3 (SIGABRT)"),
        ("exit(0);", "ended itself at sample 0 of 3, with status 0"),
        ("_Exit(7);", "ended itself at sample 0 of 3, with status 7"),
        ("for (;;) putchar(1);", "was ended at sample 0 of 3, after 1 seconds, its limit"),
        ("signal(SIGTERM, SIG_IGN); for (;;) ;", "was ended at sample 0 of 3, after 1 seconds"),
        ("new char[8UL << 30];", "it needed more memory than its limit, 2 GB"),
        (
            "std::vector<double> x; for (;;) x.resize(x.size() + (1 << 26));",
            "more memory than its limit, 2 GB",
        ),
        ("tiny_double(a, b, small, total); *small = 1;", "crashed at sample 0 of 3 (SIGSEGV)"),
    ],
)
def test_whatever_the_library_does_is_one_line(project, tmp_path, monkeypatch, body, said):
    if "after 1 seconds" in said:
        monkeypatch.setattr("gatewright.emulation._SECONDS", 1)
    monkeypatch.setattr("gatewright.system.processes.most_memory", lambda: 2 << 30)
    built.record(hostile(project, tmp_path / "hls", body))
    emulation = Emulation(tmp_path / "hls")
    with pytest.raises(InputError) as caught:
        emulation.predict([np.zeros((3, 5)), np.zeros((3, 3, 2))])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_trace_that_is_none_is_one_line(project, tmp_path):
    built.record(hostile(project, tmp_path / "hls", ""))
    with pytest.raises(InputError, match=r"ended itself at sample 0 of 3, with status 1"):
        Emulation(tmp_path / "hls").trace([np.zeros((3, 5)), np.zeros((3, 3, 2))])


def test_a_library_that_is_none_is_said(project, tmp_path):
    shutil.copytree(project, tmp_path / "hls")
    library = tmp_path / "hls" / "firmware" / "emulation.so"
    library.write_bytes(b"no library")
    built.record(library)
    with pytest.raises(InputError, match=r"can.t be loaded; .*\.so: file too short"):
        Emulation(tmp_path / "hls").predict([np.zeros((3, 5)), np.zeros((3, 3, 2))])


def test_a_library_that_we_did_not_build_is_never_loaded(project, samples, tmp_path):
    marker = tmp_path / "marker"
    mark = f'__attribute__((constructor)) void mark() {{ fclose(fopen("{marker}", "w")); }}'
    library = hostile(project, tmp_path / "hls", "", mark)
    foreign = library.read_bytes()
    for header in (tmp_path / "hls" / "firmware" / "nnet_utils").glob("*.h"):
        if header.name != "nnet_code_gen.h":
            header.write_text(f"#include <cstdio>\nstatic FILE *x = fopen({marker}, 0);\n#error")
    emulation = Emulation(tmp_path / "hls")
    assert not emulation.is_compiled
    found = emulation.predict(samples)
    assert not marker.exists()
    assert library.read_bytes() != foreign
    for ours, theirs in zip(found, Emulation(project).predict(samples), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert Emulation(tmp_path / "hls").is_compiled


def test_the_marker_of_these_tests_is_one(project, tmp_path):
    """That the attack above does leave it where nothing stands in its way."""
    marker = tmp_path / "marker"
    mark = f'__attribute__((constructor)) void mark() {{ fclose(fopen("{marker}", "w")); }}'
    built.record(hostile(project, tmp_path / "hls", "", mark))
    Emulation(tmp_path / "hls").predict([np.zeros((3, 5)), np.zeros((3, 3, 2))])
    assert marker.exists()


def test_no_compiler(model, tmp_path, monkeypatch):
    write_hls(convert(model), tmp_path / "hls")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"g\+\+ is not installed"):
        Emulation(tmp_path / "hls").compile()


def test_a_compiler_that_takes_too_long_is_ended(model, tmp_path):
    hls = tmp_path / "hls"
    write_hls(convert(model), hls)
    before = sorted(hls.rglob("*"))
    with pytest.raises(TimeLimitError, match=r"g\+\+, for the C\+\+ emulation: ended after 0\.1 s"):
        Emulation(hls).compile(seconds=0.1)
    cancelled = threading.Event()
    threading.Timer(0.2, cancelled.set).start()
    with pytest.raises(CancelledError):
        Emulation(hls, cancelled).compile()
    assert sorted(hls.rglob("*")) == before


def test_what_moves_elements_is_compiled_as_it_stands():
    """It is most of a wide convolution's C++."""
    line = "        if (partition == 0) {\n            buffer[0][0] = data[0];\n"
    before, after = "namespace nnet {\n", "} // namespace nnet\n\n#endif\n"
    found = _sped_up(f"{before}// hls4ml insert code\n{line}{after}")
    assert re.fullmatch(
        r'namespace nnet \{\n#pragma GCC push_options\n#pragma GCC optimize\("O0"\)\n'
        rf"// hls4ml insert code\n{re.escape(line)}\n#pragma GCC pop_options\n{re.escape(after)}",
        found,
    )
    template = (templates() / "vivado" / "nnet_utils" / "nnet_code_gen.h").read_text()
    assert "optimize" in _sped_up(template)
