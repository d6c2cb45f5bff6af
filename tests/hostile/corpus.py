"""Valid files of every kind that is read, each with the command that reads it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networks
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

#: Stands in a command for the folder of what is prepared once, see `prepare`.
PROJECT = "project"


@dataclass(frozen=True)
class Seed:
    """A valid input.

    Attributes:
        name: What it is called among those of its kind.
        write: Writes its files into a folder; is told where what is prepared once stands.
        files: Patterns of those that are damaged, one at a time.
        command: What reads them, run in that folder.
        made: What the command makes; not there after a refusal.
    """

    name: str
    write: Callable[[Path, Path], None]
    files: tuple[str, ...]
    command: tuple[str, ...]
    made: tuple[str, ...] = ()


def _convert(model: str, *options: str) -> tuple[str, ...]:
    return ("convert", model, "-o", "out", *options)


def _models(
    suffix: str,
    write: Callable[[networks.Network, Path], None],
    all_networks: list[networks.Network],
) -> list[Seed]:
    """Seeds of models that are one file."""

    def one(network: networks.Network, folder: Path, _: Path) -> None:
        write(network, folder / f"net{suffix}")

    return [
        Seed(
            network.name,
            partial(one, network),
            (f"net{suffix}",),
            _convert(f"net{suffix}", *network.options),
            ("out",),
        )
        for network in all_networks
    ]


def _pairs() -> list[Seed]:
    """An architecture and its weights."""

    def write(network: networks.Network, folder: Path, _: Path) -> None:
        networks.write_json(network, folder / "net.json")

    pair = ("net.json", "net_weights.h5")
    return [
        Seed(
            network.name,
            partial(write, network),
            pair,
            _convert(pair[0], "--weights", pair[1], *network.options),
            ("out",),
        )
        for network in [*networks.networks(), networks.structures()]
    ]


def _graphs() -> list[Seed]:
    """ModelGraphs that hls4ml saved."""

    def copy(name: str, folder: Path, prepared: Path) -> None:
        shutil.copy(prepared / f"{name}.fml", folder / "net.fml")

    return [
        Seed(name, partial(copy, name), ("net.fml",), _convert("net.fml"), ("out",))
        for name in GRAPHS
    ]


def _onnx() -> list[Seed]:
    """ONNX models, the quantized ones of QONNX too."""

    def write(name: str, folder: Path, _: Path) -> None:
        import onnx_models

        graph = onnx_models.Graph()
        shape, output = {**onnx_models.ALL, **onnx_models.FLOATS}[name](graph)
        graph.save(folder / "net.onnx", shape, output)

    command = _convert("net.onnx", "--input-precision", "fixed<9,4>")
    return [
        Seed(name, partial(write, name), ("net.onnx",), command, ("out",))
        for name in ("mlp", "images", "float_scales", "truncated", "exported")
    ]


def _hgq() -> list[Seed]:
    """Models of HGQ2."""
    models = Path(__file__).parents[1] / "frontend" / "hgq"

    def copy(name: str, folder: Path, _: Path) -> None:
        shutil.copy(models / f"{name}.keras", folder / "net.keras")

    command = _convert("net.keras", "--input-precision", "fixed<9,3>", "--io", "parallel")
    return [
        Seed(name, partial(copy, name), ("net.keras",), command, ("out",))
        for name in ("dense", "merges", "saturating")
    ]


#: Networks of which `prepare` makes an `.fml`.
GRAPHS = ("mlp", "images", "sequence", "merges", "depthwise")


def _write_small(folder: Path, *_: Any) -> None:
    networks.write_json(networks.mlp(), folder / "net.json")


_SMALL = _convert("net.json", "--weights", "net_weights.h5")


def _with(text: dict[str, Any], name: str, folder: Path, _: Path) -> None:
    """A small model and a YAML file (of which JSON is a part)."""
    import yaml

    _write_small(folder)
    (folder / name).write_text(yaml.safe_dump(text, sort_keys=False))


_PRESET = {
    "description": "a preset",
    "inference": "safe",
    "reuse_factor": 1,
    "strategy": "latency",
    "precision": "fixed<10,5,RND,SAT>",
    "input_precision": "fixed<6,3>",
    "settings": {"fc1.precision.result": "fixed<8,3>", "Softmax.implementation": "argmax",
                 "Dense.strategy": "resource", "fc2.reuse_factor": "2"},
}  # fmt: skip

_TARGET = {
    "description": "a target",
    "clock_ns": 5.0,
    "family": "xilinx",
    "synth_family": "xcup",
    "part": "xcvu13p-flga2577-2-e",
    "dsp_price": 30,
    "delays": {"register": 0.15, "lut": 0.45, "carry_start": 0.65, "carry_bit": 0.015, "rom": 0.55,
               "dsp": 2.6},
    "parts": {"xcku5p": {"lut": 216960, "ff": 433920, "dsp": 1824, "bram": 480, "uram": 64}},
}  # fmt: skip

_SWEEP = {
    "description": "a sweep",
    "layers": ["fc1", "fc2"],
    "defaults": {
        "input_precision": "ufixed<5,1>",
        "training": {"epochs": 1, "batch_size": 32, "learning_rate": 0.003, "seed": 1},
        "conversion": {"io": "parallel", "reuse_factor": 1, "target": "xcup", "clock_ns": 5.0},
    },
    "configs": [
        {"name": "uniform8", "bits": 8},
        {"name": "mixed", "bits": {"fc1": {"weights": "ternary", "activations": 4}, "default": 5},
         "data": {"classes": [0, 1]}, "architecture": {"hidden": [8]}, "relu_integer": 1,
         "conversion": {"strategy": "resource", "settings": {"fc1.reuse_factor": 2}}},
        {"name": "pruned", "bits": 4,
         "recipe": ["train", {"distil": {"teacher": {"architecture": {"hidden": [16]}},
                                          "temperature": 3.0}},
                    {"prune": {"amount": 0.5, "by": "importance", "epochs": 2}}, "quantize",
                    {"finetune": {"epochs": 2, "learning_rate": 0.0005}}]},
    ],
    "search": {
        "base": {"bits": 3, "recipe": ["train", {"prune": {"amount": 0.5}}, "quantize"]},
        "space": {"input_precision": ["ufixed<5,1>", "ufixed<3,1>"],
                  "recipe.1.prune.amount": {"low": 0.2, "high": 0.8, "step": 0.1},
                  "bits.fc1.weights": [2, 3, 4]},
        "objectives": ["accuracy", "lut"],
        "constraints": ["lut<=2695", "accuracy>=0.95"],
        "trials": 2,
        "seeds": 2,
    },
}  # fmt: skip


def _write_sweep(folder: Path, _: Path) -> None:
    import yaml

    (folder / "zoo").mkdir()
    (folder / "zoo" / "model.py").write_text("def build():\n    raise SystemExit(3)\n")
    (folder / "zoo" / "sweep.yaml").write_text(yaml.safe_dump(_SWEEP, sort_keys=False))


def _copy(names: dict[str, str], folder: Path, prepared: Path) -> None:
    """Copies of what is prepared once: by name there, the name here."""
    for there, here in names.items():
        place = prepared / there
        if place.is_dir():
            shutil.copytree(place, folder / here, symlinks=True)
        else:
            shutil.copy(place, folder / here)


def _write_samples(suffix: str, folder: Path, prepared: Path) -> None:
    _copy({PROJECT: PROJECT}, folder, prepared)
    samples = np.random.default_rng(1).normal(size=(8, 3)).astype(np.float32)
    if suffix == ".npy":
        np.save(folder / "samples.npy", samples)
    else:
        np.savez(folder / "samples.npz", x=samples, y=np.arange(8))


def _project(name: str, files: tuple[str, ...], *command: str) -> Seed:
    names = {PROJECT: PROJECT, "net.json": "net.json", "net_weights.h5": "net_weights.h5"}
    return Seed(
        name,
        partial(_copy, names),
        tuple(f"{PROJECT}/{file}" for file in files),
        command,
    )


#: What a project is converted with; the same again finds it up to date.
PROJECT_COMMAND = (
    "convert", "net.json", "--weights", "net_weights.h5", "-o", PROJECT, *networks.mlp().options,
)  # fmt: skip

#: Files of a project of each kind, as patterns.
_PROJECT_FILES = (
    "convert.json", "model/design.json", "model/design.npz", "model/network.json",
    "model/network.npz", "rtl/project.json", "rtl/*.sv",
    "steps/*.json", "hls/emulation.json", "hls/firmware/*.cpp", "hls/firmware/*.h",
    "hls/firmware/weights/*.txt", "hls/firmware/emulation.so", "hls/firmware/ap_types/*.h",
    "hls/firmware/nnet_utils/nnet_dense*.h", "hls/*.cpp", "hls/*.yml", "report.json",
    "sim/**/*",  "synth/**/*",
)  # fmt: skip


def seeds() -> dict[str, list[Seed]]:
    """All seeds by kind."""
    plain = networks.networks()
    in_report = ("report", "report.json", "--html", "out.html", "--csv", "out.csv",
                 "--markdown", "out.md")  # fmt: skip
    report = partial(_copy, {f"{PROJECT}/report.json": "report.json"})
    return {
        "h5": _models(".h5", networks.write_h5, [*plain, networks.structures()]),
        "json": _pairs(),
        "keras2": _models(".keras", networks.write_keras2_archive, plain),
        "keras3": _models(".keras", networks.write_keras3_archive, networks.keras3_networks()),
        "fml": _graphs(),
        "hgq": _hgq(),
        "onnx": _onnx(),
        "preset": [
            Seed("preset", partial(_with, _PRESET, "p.yaml"), ("p.yaml",),
                 (*_SMALL, "--preset", "p.yaml"), ("out",)),
        ],
        "target": [
            Seed("target", partial(_with, _TARGET, "t.yaml"), ("t.yaml",),
                 (*_SMALL, "--target", "t.yaml", *networks.mlp().options), ("out",)),
        ],
        "sweep": [
            Seed("run", _write_sweep, ("zoo/sweep.yaml",), ("sweep", "zoo")),
        ],
        "report": [
            Seed("view", report, ("report.json",), in_report, ("out.html", "out.csv", "out.md")),
            Seed("against", partial(_copy, {f"{PROJECT}/report.json": "report.json",
                                            PROJECT: PROJECT}),
                 ("report.json",), ("report", PROJECT, "--against", "report.json")),
        ],
        "samples": [
            Seed(suffix[1:], partial(_write_samples, suffix), (f"samples{suffix}",),
                 ("verify", PROJECT, "--inputs", f"samples{suffix}", *more))
            for suffix, more in ((".npy", ["--no-fidelity"]), (".npz", []))
        ],
        "project": [
            _project("convert", _PROJECT_FILES, *PROJECT_COMMAND),
            _project("verify", _PROJECT_FILES, "verify", PROJECT, "--samples", "20"),
            _project("report", _PROJECT_FILES, "report", PROJECT),
            _project("synth", _PROJECT_FILES, "synth", PROJECT, "--target", "xcup"),
            _project("fifos", _PROJECT_FILES, "fifos", PROJECT),
        ],
    }  # fmt: skip


def given(files: Path, command: tuple[str, ...]) -> Seed:
    """Files of a test's own."""

    def write(folder: Path, _: Path) -> None:
        shutil.copytree(files, folder, dirs_exist_ok=True)

    return Seed("given", write, (), command, ("out",))


def prepare(folder: Path, run: Callable[[tuple[str, ...], Path], None]) -> None:
    """Make what seeds need that takes long: graphs of hls4ml, and a project.

    Args:
        folder: Receives it.
        run: Runs a command of Gatewright in a folder.
    """
    from hls4ml.utils.serialization import serialize_model

    from gatewright import frontend
    from gatewright.options import ConvertOptions

    for network in networks.networks():
        if network.name in GRAPHS:
            networks.write_h5(network, folder / "net.h5")
            _, inputs, _, precision = network.options
            options = ConvertOptions(input_precision=inputs, precision=precision)
            graph = frontend.convert(folder / "net.h5", None, options, folder / "hls", "net")
            serialize_model(graph, folder / f"{network.name}.fml")
    _write_small(folder)
    run(PROJECT_COMMAND, folder)
    run(("verify", PROJECT, "--samples", "20"), folder)
    run(("report", PROJECT), folder)
