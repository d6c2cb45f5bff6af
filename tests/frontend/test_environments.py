"""Environments of frameworks: made in one piece or not at all, and named where they are missing."""

import json
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gatewright.errors import InputError
from gatewright.flow.convert import convert
from gatewright.flow.verify import verify
from gatewright.frontend import environments, originals, reference
from gatewright.frontend.environments import ENVIRONMENTS, Environment, environment
from gatewright.frontend.readers import hgq_worker, torch_worker
from gatewright.frontend.readers.torch_program import write_program
from gatewright.frontend.source import load
from gatewright.options import ConvertOptions

MODELS = Path(__file__).parent / "hgq"
NAMES = sorted(path.stem for path in MODELS.glob("*.keras"))
HGQ2 = ENVIRONMENTS["hgq2"].python
TORCH = ENVIRONMENTS["torch"].python
needs_hgq2 = pytest.mark.skipif(HGQ2 is None, reason="needs `gatewright frontend add hgq2`")
needs_torch = pytest.mark.skipif(TORCH is None, reason="needs `gatewright frontend add torch`")


@dataclass(frozen=True)
class Local(Environment):
    """An environment with constraints of its own."""

    file: Path = Path()

    @property
    def constraints(self):
        return self.file


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Makes environments of a wheel that needs no network, in a cache of their own."""
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))
    wheel = tmp_path / "little-1.0-py3-none-any.whl"
    about = "little-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("little.py", "import os\nassert os.environ['LITTLE'] == 'yes'\n")
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: little\nVersion: 1.0\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")

    def environment_of(version="1.0", module="little", package=wheel):
        pins = tmp_path / "little.txt"
        pins.write_text(f"little=={version}\n")
        return Local(
            *("little", "tests", "1 kB", (str(package),), (module,), {"LITTLE": "yes"}), file=pins
        )

    return environment_of


def silent(_):
    pass


def test_an_environment_is_made_once_and_removed(made):
    wanted = made()
    assert wanted.python is None
    wanted.folder.with_name("little-0123456789abcdef").mkdir(parents=True)  # an older version
    assert environments.add(wanted, silent)
    assert wanted.python is not None
    assert list(wanted.folder.parent.iterdir()) == [wanted.folder]
    assert not environments.add(wanted, silent)
    wanted.folder.joinpath("bin", "python").unlink()  # as if that Python had been removed
    assert wanted.python is None
    assert environments.discard(wanted)
    assert not wanted.folder.exists()
    assert not environments.discard(wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "2.0"}, "failed .*conflict"),
        pytest.param(
            *({"package": "no/such.whl"}, "installing no/such.whl failed"), marks=pytest.mark.full
        ),
        pytest.param(
            *({"module": "lytle"}, "was installed, but can't be imported .*lytle"),
            marks=pytest.mark.full,
        ),
    ],
)
def test_what_fails_leaves_nothing(made, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        environments.add(made(**change), silent)
    assert list((tmp_path / "cache" / "frontends").iterdir()) == []


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="'hgq' is not a front end; did you mean 'hgq2'"):
        environment("hgq")


@pytest.mark.parametrize("each", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_every_version_is_pinned(each):
    lines = each.constraints.read_text().splitlines()
    assert all(environments._PIN.fullmatch(line) for line in lines)
    pinned = {line.partition("==")[0] for line in lines}
    assert pinned.issuperset(each.packages)
    assert each.version[0].isdigit()


def test_a_missing_environment_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))
    program = tmp_path / "model.pt2"
    program.write_bytes(b"")
    with pytest.raises(InputError, match=r"model\.pt2: to read it.* frontend add torch$"):
        load(program)
    convert(MODELS / "dense.keras", None, ConvertOptions(), tmp_path / "project")
    original = originals.kept(tmp_path / "project" / "model")
    assert original.read_bytes() == (MODELS / "dense.keras").read_bytes()
    with pytest.raises(InputError, match=r"HGQ2 itself.* frontend add hgq2$"):
        originals.execute(original, [np.zeros((1, 12))])


def test_checkpoints_are_refused_with_a_way_out(tmp_path):
    checkpoint = tmp_path / "model.pth"
    checkpoint.write_bytes(b"")
    with pytest.raises(InputError, match=r"checkpoint.*gatewright frontend program .*model\.pth "):
        load(checkpoint)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "attention" else pytest.mark.full) for n in NAMES]
)
def test_keras_with_quantizers_predicts_what_hgq2_does(name):
    """The layers' reference: the quantizers' definition once more, in the framework's process."""
    kept = np.load(MODELS / f"{name}.npz")
    found = reference.predict(load(MODELS / f"{name}.keras"), [kept["inputs"]])
    outputs = kept["outputs"]
    assert np.array_equal(found.outputs[0].reshape(outputs.shape), outputs)


@needs_hgq2
@pytest.mark.parametrize("name", NAMES)
def test_hgq2_itself_runs_its_models(tmp_path, name):
    originals.keep(MODELS / f"{name}.keras", tmp_path)
    kept = np.load(MODELS / f"{name}.npz")
    found, program = originals.execute(originals.kept(tmp_path), [kept["inputs"]])
    assert np.array_equal(found[0].reshape(kept["outputs"].shape), kept["outputs"])
    assert program.startswith("HGQ2 0.2")


@needs_hgq2
def test_hgq2_runs_models_that_were_saved_with_their_optimizer(tmp_path):
    path = tmp_path / "model.keras"
    optimizer = {"module": "keras.optimizers", "class_name": "Adam", "config": {}}
    with zipfile.ZipFile(MODELS / "dense.keras") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                fields = json.loads(content) | {"compile_config": {"optimizer": optimizer}}
                content = json.dumps(fields).encode()
            target.writestr(name, content)
    kept = np.load(MODELS / "dense.npz")
    found, _ = originals.execute(path, [kept["inputs"]])
    assert np.array_equal(found[0].reshape(kept["outputs"].shape), kept["outputs"])


@needs_hgq2
def test_verification_asks_hgq2(tmp_path):
    convert(MODELS / "dense.keras", None, ConvertOptions(), tmp_path / "project")
    results = verify(tmp_path / "project", samples=50).results
    assert results.fidelity.method.startswith("HGQ2 0.2")
    assert results.fidelity.reason is None


def test_only_keras_and_hgq2_make_objects_of_a_model():
    layer = {"module": "keras.layers", "class_name": "Dense", "registered_name": None}
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [1]}}
    hgq_worker._check([layer, tensor, {"config": layer}])
    for wrong in (
        {"module": "os", "class_name": "system"},
        {"module": "keras.utils", "class_name": "get_file"},
        {"module": "builtins", "class_name": "function", "config": "exec"},
        {"module": "keras.layers", "class_name": "Lambda"},
        {"module": "subprocess", "class_name": "Popen", "registered_name": "hgq>Popen"},
    ):
        with pytest.raises(hgq_worker.Unfit):
            hgq_worker._check({"config": {"layers": [layer, wrong]}})


def program_with(path, target="torch.ops.aten.relu.default", size="Symbol('s0', positive=True)"):
    """The parts of a program that PyTorch would call, evaluate or unpickle."""
    graph = {"nodes": [{"target": target}], "sizes": [{"as_expr": {"expr_str": size}}]}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/models/model.json", json.dumps({"graph": graph}))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("target", "torch.hub.load"),
        ("target", "torch.utils.cpp_extension.load_inline"),
        ("target", "torch.ops.aten.from_file.default"),
        ("target", "torch.ops.load_library"),
        ("target", "#custom"),
        ("target", "math.floor"),
        ("size", "__import__('os').system('true')"),
        ("size", "Symbol('s0', positive=print())"),
    ],
)
def test_programs_name_only_operators_and_sizes(tmp_path, key, text):
    torch_worker._check(program_with(tmp_path / "good.pt2"))
    with pytest.raises(torch_worker.Unfit):
        torch_worker._check(program_with(tmp_path / "bad.pt2", **{key: text}))


def test_programs_hold_no_pickles(tmp_path):
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        config = {"config": {"w": {"path_name": "weight_0", "use_pickle": True}}}
        archive.writestr("net/data/weights/model_weights_config.json", json.dumps(config))
    with pytest.raises(torch_worker.Unfit, match="pickled"):
        torch_worker._check(path.read_bytes())


#: Networks, and the shape of a sample with its channels first.
PROGRAMS = {
    "mlp": ("Sequential(Linear(16, 12), ReLU(), Linear(12, 5))", (16,)),
    # As many channels as steps: nothing but the operators tells which is which.
    "square": (
        "Sequential(Conv1d(6, 4, 3), BatchNorm1d(4), ReLU(), Flatten(), Linear(16, 3))",
        (6, 6),
    ),
    "pooled": (
        "Sequential(Conv2d(2, 4, 3), ReLU(), MaxPool2d(2), Flatten(), Linear(16, 3))",
        (2, 6, 6),
    ),
    "normalized": ("Sequential(Linear(8, 8), LayerNorm(8), Linear(8, 3))", (4, 8)),
}
_EXPORT = """
import sys, torch
from torch.nn import *
torch.manual_seed(1)
net = eval(sys.argv[1])
net.train()(torch.randn(64, *eval(sys.argv[2])))  # statistics of batch normalizations
batch = {0: torch.export.Dim("batch")} if sys.argv[3] == "any" else None
sample = torch.randn(2 if batch else 1, *eval(sys.argv[2]))
program = torch.export.export(net.eval(), (sample,), dynamic_shapes=batch and (batch,))
torch.export.save(program, sys.argv[4])
"""


@needs_torch
@pytest.mark.parametrize("batch", ["any", "one"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_mean_what_pytorch_computes(tmp_path, name, batch):
    text, shape = PROGRAMS[name]
    path = tmp_path / "network.pt2"
    command = [TORCH, "-c", _EXPORT, text, str(shape), batch, path]
    subprocess.run(command, check=True, capture_output=True)
    network = load(path)
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(9, *shape[1:], shape[0]) if len(shape) > 1 else (9, *shape))
    if name == "normalized":
        samples = rng.normal(size=(9, *shape))
    (wanted,), program = originals.execute(path, [samples])
    assert program.startswith("PyTorch 2")
    found = reference.predict(network, [samples]).outputs[0].reshape(wanted.shape)
    assert np.abs(found - wanted).max() < 1e-5
    assert np.abs(wanted).max() > 0.1


NETS = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(6, 4)
    def forward(self, x):
        return torch.relu(self.first(x))
"""


@pytest.mark.parametrize(
    ("of", "shape", "message"),
    [
        ("net.py", "6", "--class net.py: write the file and the class"),
        ("net.py:a b", "6", "write the file and the class"),
        ("net.py:Net", "6x", "--shape 6x: write the sizes"),
        ("net.py:Net", "0", "write the sizes"),
        ("no.py:Net", "6", "no.py: no such file"),
    ],
)
def test_wrong_arguments_of_a_program_are_named(tmp_path, monkeypatch, of, shape, message):
    monkeypatch.chdir(tmp_path)
    for name in ("net.py", "net.pt"):
        Path(name).write_text("")
    with pytest.raises(InputError, match=message):
        write_program(Path("net.pt"), of, [shape], Path("net.pt2"))
    with pytest.raises(InputError, match=r"net\.onnx: a program's name ends in \.pt2"):
        write_program(Path("net.pt"), "net.py:Net", ["6"], Path("net.onnx"))


@needs_torch
def test_a_checkpoint_becomes_a_program(tmp_path):
    code, checkpoint, target = (tmp_path / name for name in ("net.py", "net.pt", "net.pt2"))
    code.write_text(NETS)
    save = "import torch, net; torch.save({'state_dict': net.Net().state_dict()}, 'net.pt')"
    subprocess.run([TORCH, "-c", save], check=True, cwd=tmp_path)
    write_program(checkpoint, f"{code}:Net", ["6"], target)
    assert [layer.kind for layer in load(target).layers][-1] == "Activation"
    with pytest.raises(InputError, match=r"net\.py has no class Nut"):
        write_program(checkpoint, f"{code}:Nut", ["6"], tmp_path / "nut.pt2")
    with pytest.raises(InputError, match="no program can be made of it"):
        write_program(checkpoint, f"{code}:Net", ["5"], tmp_path / "nut.pt2")
    assert not (tmp_path / "nut.pt2").exists()
