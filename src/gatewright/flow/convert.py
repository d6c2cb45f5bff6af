"""From a model to a project directory: HLS project, design, RTL."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.files import replaced_directory, write_text
from gatewright.flow.steps import Stamp, hash_files, key_of, run_step
from gatewright.options import ConvertOptions, resolve
from gatewright.targets import load_target

if TYPE_CHECKING:
    from gatewright.design import Design
    from gatewright.project import RtlProject


def convert(
    model: Path | Any,
    weights: Path | None,
    options: ConvertOptions,
    directory: Path,
    *,
    name: str | None = None,
) -> list[Stamp]:
    """Make, or bring up to date, the project directory of a model.

    Args:
        model: a model file, or a live Keras model (which is converted anew each time).
        weights: weights file where the model file holds the architecture alone.
        options: what to make of it.
        directory: the project directory.
        name: of the top module; default the model file's.

    Returns:
        The stamps of the steps "convert" and "rtl".

    Raises:
        InputError: if the model, the weights or an option is wrong.
    """
    options = resolve(options)
    target = load_target(options.target)
    clock_ns = options.clock_ns or target.clock_ns
    name = name or identifier(model.stem if isinstance(model, Path) else "model")
    converted = run_step(
        directory,
        "convert",
        _convert_key(model, weights, options, name),
        lambda: _convert(model, weights, options, directory, name),
    )
    emitted = run_step(
        directory,
        "rtl",
        key_of(converted.key, asdict(target), clock_ns),
        lambda: _emit(directory, options.target, clock_ns),
    )
    return [converted, emitted]


def identifier(text: str) -> str:
    """A name for a module and a C++ project made of any text."""
    cleaned = "".join(c if c.isascii() and c.isalnum() else "_" for c in text).strip("_").lower()
    return cleaned if cleaned[:1].isalpha() else f"model_{cleaned}".rstrip("_")


def _convert_key(
    model: Path | Any, weights: Path | None, options: ConvertOptions, name: str
) -> str:
    # The target and the clock shape the RTL alone.
    shaped = asdict(replace(options, target="", clock_ns=None))
    if not isinstance(model, Path):
        return key_of("live model", id(model), name, shaped)
    files = [path for path in (model, weights) if path is not None and path.is_file()]
    return key_of(name, hash_files(files), str(model), str(weights), shaped)


def _convert(
    model: Path | Any,
    weights: Path | None,
    options: ConvertOptions,
    directory: Path,
    name: str,
) -> dict[str, Any]:
    from gatewright import frontend
    from gatewright.lower import lower

    made_here = not directory.exists()
    try:
        with replaced_directory(directory / "hls") as hls:
            graph = frontend.convert(model, weights, options, hls, name)
            design = lower(graph)
            frontend.write_hls(graph, hls)
        with replaced_directory(directory / "model") as folder:
            design.save(folder / "design")
    except BaseException:
        if made_here and directory.exists() and not any(directory.iterdir()):
            directory.rmdir()
        raise
    write_text(
        directory / "convert.json",
        json.dumps(
            {
                "model": str(model) if isinstance(model, Path) else type(model).__name__,
                "weights": str(weights) if weights else None,
                "name": name,
                "options": asdict(options),
            },
            indent=1,
        ),
    )
    return {"layers": len(design.kernels)}


def load_design(directory: Path) -> Design:
    """The design of a converted project directory.

    Raises:
        InputError: if the directory is none.
    """
    from gatewright.design import Design

    return Design.load(directory / "model" / "design")


def load_rtl(directory: Path) -> RtlProject:
    """The RTL project of a converted project directory.

    Raises:
        InputError: if the directory is none.
    """
    from gatewright.project import RtlProject

    return RtlProject.load(directory / "rtl")


def _emit(directory: Path, target: str, clock_ns: float) -> dict[str, Any]:
    from gatewright.emit import emit

    design = load_design(directory)
    with replaced_directory(directory / "rtl") as rtl:
        project = emit(design, load_target(target), clock_ns, rtl)
    return {"latency": project.latency, "modules": len(project.modules)}
