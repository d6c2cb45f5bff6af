"""Models that HGQ2 trains in its own environment, and what is said where that is missing."""

import numpy as np
import pytest

from gatewright.cli import main
from gatewright.compress import hgq2_worker
from gatewright.design import golden
from gatewright.errors import InputError, MissingToolError, Skipped
from gatewright.explore.runs import run_search, run_sweep
from gatewright.fixed import from_float, to_float
from gatewright.flow.convert import convert, load_design
from gatewright.frontend.environments import ENVIRONMENTS
from gatewright.store import Store
from gatewright.zoo import load_sweep, missing_front_end, obtain
from kept import kept_process
from pretended import pretend
from zoo.points import write_sweep

needs_hgq2 = pytest.mark.skipif(
    ENVIRONMENTS["hgq2"].python is None, reason="needs `gatewright frontend add hgq2`"
)

HGQ2_MODEL = '''
"""The same in layers of HGQ2."""


def build(width=8):
    import keras
    from hgq.config import LayerConfigScope
    from hgq.layers import QDense

    with LayerConfigScope(enable_ebops=True):
        inputs = keras.Input((1,), name="x")
        hidden = QDense(width, activation="relu", name="hidden")(inputs)
        return keras.Model(inputs, QDense(2, name="out")(hidden))


def loss():
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
'''


def trained(beta=1e-4, **fields):
    return {"recipe": ["train", {"hgq2": {"beta": beta, "epochs": 2}}]} | fields


def folder_of(folder, search=None, hgq2_model=HGQ2_MODEL, **configs):
    files = {} if hgq2_model is None else {"model_hgq2.py": hgq2_model}
    keys = {} if search is None else {"search": search}
    return write_sweep(folder, configs, epochs=10, files=files, **keys)


def no_engine():
    pytest.fail("nothing is to be run")


@pytest.fixture
def not_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("config", "hgq2_model", "says"),
    [
        (trained(bits=4), HGQ2_MODEL, "config 'x': bits: the step hgq2 trains them; leave them"),
        (trained(bits={"hidden": 4}), HGQ2_MODEL, "config 'x': bits: the step hgq2 trains them"),
        (trained(), None, "config 'x': recipe: the step hgq2 needs model_hgq2.py beside this file"),
        (trained(beta="much"), HGQ2_MODEL, r"recipe: step 2 \(hgq2\): beta: .*, not 'much'"),
        (trained(beta=2.0), HGQ2_MODEL, r"recipe: step 2 \(hgq2\): beta: .*equal to 1, not 2"),
        ({}, HGQ2_MODEL, "config 'x': bits: is missing"),
    ],
)
def test_keys_that_do_not_fit_are_refused(tmp_path, config, hgq2_model, says):
    folder = folder_of(tmp_path / "line", hgq2_model=hgq2_model, x=config)
    with pytest.raises(InputError, match=says) as caught:
        load_sweep(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("not_installed")
def test_a_sweep_is_skipped_where_the_environment_is_missing(tmp_path, capsys):
    search = {"base": trained(), "space": {"recipe.1.hgq2.beta": [1e-5, 1e-4]}}
    folder = folder_of(tmp_path / "line", search, light=trained(), heavy=trained(1e-5))
    told = r"line: skipped: to train it, the front end 'hgq2' is .* type: gatewright frontend add"
    output = {"output": tmp_path / "build", "make_engine": no_engine}
    with pytest.raises(Skipped, match=told):
        run_sweep(folder, [], **output, say=pytest.fail)
    with pytest.raises(Skipped, match=told):
        run_search(folder, **output, store=tmp_path / "store")
    for command in "run", "explore":
        with pytest.raises(SystemExit) as ended:
            main([command, str(folder), "-o", str(tmp_path / "build")])
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (0, "")
        assert err.startswith("gatewright: line: skipped: ")
        assert err.endswith("gatewright frontend add hgq2\n")
        assert err.count("\n") == 1
    assert not (tmp_path / "build").exists()


@pytest.mark.usefixtures("not_installed")
def test_configurations_that_were_named_are_not_skipped(tmp_path, capsys):
    folder = folder_of(tmp_path / "line", light=trained(), plain={"bits": 4})
    told = "line: to train light, the front end 'hgq2' is needed, .* frontend add hgq2$"
    output = {"output": tmp_path / "build", "make_engine": no_engine}
    with pytest.raises(MissingToolError, match=told):
        run_sweep(folder, ["light", "plain"], **output, say=pytest.fail)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(folder), "--config", "light", "-o", str(tmp_path / "build")])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("not_installed")
def test_other_configurations_go_on(tmp_path):
    folder = folder_of(tmp_path / "line", light=trained(), plain={"bits": 4})
    assert [missing_front_end(config) for config in load_sweep(folder).configs] == [
        ENVIRONMENTS["hgq2"],
        None,
    ]
    lines = []

    class Reached(Exception):
        pass

    class Engine:
        def submit(self, function, sweep, config, *_):
            assert config.name == "plain"
            raise Reached

        def close(self):
            pass

    with pytest.raises(Reached):
        run_sweep(folder, [], tmp_path / "build", make_engine=Engine, say=lines.append)
    (line,) = lines
    assert line.startswith("line: light skipped: to train them, the front end 'hgq2' is needed")


def test_what_a_trained_model_depends_on(tmp_path, monkeypatch):
    requests = pretend(monkeypatch, lambda request, _: {
        "losses": [1.0], "curve": [] if request["step"] == "hgq2" else [0.5],
        "framework": "HGQ2" if request["step"] == "hgq2" else None,
    })  # fmt: skip
    folder = folder_of(tmp_path / "line", a=trained(), b=trained(architecture={"width": 4}))
    sweep, store = load_sweep(folder), Store(tmp_path / "store")
    made = obtain(sweep, sweep.config("a"), store=store)
    assert made.path.name == "model.keras"
    assert [step.framework for step in made.steps] == [None, "HGQ2"]
    assert made.curve == ()  # of the whole recipe it isn't known
    train, fit = requests[1:]
    assert "environment" not in train
    assert fit["settings"] == {"beta": 1e-4, "epochs": 2}
    assert {"gatewright.compress.hgq2", "gatewright.compress.hgq2_worker"} <= set(fit["code"])
    assert obtain(sweep, sweep.config("a"), store=store).cached
    # It builds a network of its own, so the architecture matters to it, too.
    obtain(sweep, sweep.config("b"), store=store)
    assert requests[-1]["architecture"] == {"width": 4}
    (folder / "model_hgq2.py").write_text(f"{HGQ2_MODEL}\n# changed\n")
    assert not obtain(load_sweep(folder), sweep.config("a"), store=store).cached


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A sweep whose steps are really done, and its store."""
    folder = tmp_path_factory.mktemp("hgq2")
    split = {"training": {"validation": 0.25}}
    folder_of(
        folder / "line",
        light=trained(**split),
        wide=trained(architecture={"width": 5}),
        fast={"recipe": ["train", {"hgq2": {"beta": 0.0, "learning_rate": 1e6, "epochs": 40}}]},
    )
    with kept_process():
        yield load_sweep(folder / "line"), Store(folder / "store")


@needs_hgq2
def test_hgq2_trains_a_model_that_is_exact_in_hardware(line, tmp_path):
    sweep, store = line
    config = sweep.config("light")
    made = obtain(sweep, config, store=store)
    fit = made.steps[-1]
    assert (len(fit.losses), fit.curve, fit.cost) == (2, (), None)
    assert made.framework.startswith("HGQ2 0.2")
    (outputs,) = made.outputs.values()
    assert made.quantized_score == np.mean(outputs.argmax(axis=1) == made.test.y)
    assert made.quantized_score == fit.scores.test >= 0.7  # of the float model's weights
    assert fit.scores.validation is not None
    convert(made.path, None, config.options, tmp_path / "project")
    design = load_design(tmp_path / "project")
    (x,), (y,) = design.inputs, design.outputs
    found = golden.run(design, [from_float(made.test.x, x.type)])[y.name]
    assert np.array_equal(to_float(found, y.type.frac).reshape(outputs.shape), outputs)


@needs_hgq2
@pytest.mark.full
def test_the_same_training_gives_the_same_bytes(line):
    sweep, store = line
    other = Store(store.root.with_name("other"))
    ours, theirs = (obtain(sweep, sweep.config("light"), store=each) for each in (store, other))
    assert not theirs.cached
    assert ours.path.read_bytes() == theirs.path.read_bytes()


@needs_hgq2
@pytest.mark.full
@pytest.mark.parametrize(
    ("config", "change", "says"),
    [
        (
            "wide",
            ("QDense(width,", "QDense(8,"),
            r"layer 'hidden': its kernel is \[1, 8\] in build",
        ),
        ("light", ('name="hidden"', 'name="first"'), r"build\(\) has no layer 'hidden'"),
        ("light", ("import keras", "import kera"), r"No module named 'kera' \(in .*model_hgq2\.py"),
        ("fast", ("", ""), r"the loss of epoch \d+ is (nan|inf); take a smaller learning_rate"),
    ],
)
def test_what_cannot_be_trained_is_one_line(line, tmp_path, config, change, says):
    sweep, _ = line
    folder = tmp_path / "line"
    folder.mkdir()
    for name in "model.py", "sweep.yaml":
        (folder / name).write_text((sweep.model_dir / name).read_text())
    (folder / "model_hgq2.py").write_text(HGQ2_MODEL.replace(*change))
    own = load_sweep(folder)
    with pytest.raises(InputError, match=f"line: step 'hgq2': {says}") as caught:
        obtain(own, own.config(config), store=Store(tmp_path / "store"))
    assert "\n" not in str(caught.value)


class Variable:
    def __init__(self, name, shape):
        self.name, self.shape, self.value = name, shape, None

    def assign(self, value):
        self.value = value


class Layer:
    def __init__(self, name, *variables):
        self.name = name
        self._trainable_variables, self._non_trainable_variables = variables, ()


def test_weights_find_the_variables_of_their_names_and_shapes():
    kernel, bias = Variable("kernel", (2, 3)), Variable("bias", (3,))

    class Model:
        layers = (Layer("a", bias, kernel), Layer("b", Variable("kernel", (3, 3))))

    arrays = {"a/kernel": np.ones((2, 3)), "a/bias": np.zeros(3)}
    hgq2_worker._take_over(Model, arrays)
    assert kernel.value is arrays["a/kernel"]
    assert bias.value is arrays["a/bias"]
    for key, array, says in (
        ("b/kernel", np.ones((3, 2)), r"'b': its kernel is \[3, 3\] .* and \[3, 2\] in the float"),
        ("b/bias", np.ones(3), "'b': its bias is None in build"),
        ("c/bias", np.ones(3), r"build\(\) has no layer 'c'"),
    ):
        with pytest.raises(hgq2_worker.Unfit, match=says):
            hgq2_worker._take_over(Model, {key: array})
