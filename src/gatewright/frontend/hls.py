"""Writes hls4ml's Vitis project."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from gatewright.emulation.description import EMULATION
from gatewright.emulation.mended_headers import mend_headers
from gatewright.frontend.quiet import quiet
from gatewright.hlsgraph import fixed_type
from gatewright.wall.cpp import STAMP, check_name, check_project


def write_hls(graph: Any, directory: str | Path, log: IO[str] | None = None) -> None:
    """Write the HLS project of a ModelGraph.

    Args:
        graph: hls4ml's ModelGraph.
        directory: Receives the files of hls4ml's Vitis writer, and `emulation.json` for
            `gatewright.emulation`. If the directory exists, it is deleted first.
        log: Receives hls4ml's output.

    Raises:
        InputError: if a file holds text that hls4ml itself would not write. The directory is then
            deleted.
    """
    directory = Path(directory)
    project = graph.config.get_project_name()
    check_name(project)
    if directory.exists():
        shutil.rmtree(directory)
    graph.config.config["OutputDir"] = str(directory)
    # The same model should give the same files.
    graph.config.config["Stamp"] = STAMP
    try:
        with quiet(log):
            from hls4ml.writer import get_writer

            with _without_keras():
                get_writer("Vitis").write_hls(graph)
        mend_headers(directory / "firmware")
        # The project may be renamed, and the same model should give the same files wherever it is.
        config = directory / "hls4ml_config.yml"
        config.write_text(
            config.read_text(encoding="utf-8").replace(f"OutputDir: {directory}", "OutputDir: ."),
            encoding="utf-8",
        )
        _describe(graph, directory)
        check_project(directory, project)
    except BaseException:
        # Later steps compile and run these files, so unchecked ones must not stay.
        shutil.rmtree(directory, ignore_errors=True)
        raise


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """Hide Keras 3. hls4ml's writer imports it, and TensorFlow with it, to save live models."""
    missing = object()
    hidden: Any = sys.modules.get("keras", missing)
    sys.modules["keras"] = None  # type: ignore[assignment]  # so that its import fails
    try:
        yield
    finally:
        del sys.modules["keras"]
        if hidden is not missing:
            sys.modules["keras"] = hidden


def _describe(graph: Any, directory: Path) -> None:
    """Write the description that the emulation reads, in the order of the C++'s arguments."""

    def tensor(name: str, variable: Any) -> dict[str, Any]:
        precision = variable.type.precision
        fixed = fixed_type(precision)
        shape = [int(extent) for extent in variable.shape]
        return {"name": name, "shape": shape, "type": str(fixed or precision)}

    traced = [
        node
        for node in graph.get_layers()
        if node.get_attr("function_cpp") and node.get_attr("trace") and len(node.variables) == 1
    ]
    description = {
        "project": graph.config.get_project_name(),
        "inputs": [
            tensor(n, v) for n, v in zip(graph.inputs, graph.get_input_variables(), strict=True)
        ],
        "outputs": [
            tensor(n, v) for n, v in zip(graph.outputs, graph.get_output_variables(), strict=True)
        ],
        "layers": [tensor(node.name, node.get_output_variable()) for node in traced],
    }
    (directory / EMULATION).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
