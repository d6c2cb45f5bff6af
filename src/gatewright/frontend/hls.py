"""Writes hls4ml's Vitis project and compiles its C++ emulation."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from gatewright import processes
from gatewright.emulation import EMULATION, LIBRARY
from gatewright.errors import InputError
from gatewright.frontend.quiet import quiet
from gatewright.hlsgraph import fixed_type

# hls4ml compiles the path of the weights into the library, and the library ends the process when
# they aren't there. This finds them beside the library, wherever that stands.
_WEIGHTS_DIR = "gatewright_weights_dir.h"
_WEIGHTS_DIR_SOURCE = """\
#pragma once
#include <dlfcn.h>

#include <string>

/// Directory of the weights, beside this library wherever it stands.
static inline std::string gatewright_weights_dir() {
    Dl_info info;
    dladdr(reinterpret_cast<void *>(&gatewright_weights_dir), &info);
    const std::string library = info.dli_fname;
    return library.substr(0, library.find_last_of('/') + 1) + "weights";
}
"""


def write_hls(
    graph: Any, directory: str | Path, log: IO[str] | None = None, build: bool = True
) -> None:
    """Write the HLS project of a ModelGraph and compile its C++ emulation.

    Args:
        graph: hls4ml's ModelGraph.
        directory: Receives what hls4ml's Vitis writer writes, the compiled emulation, and
            `emulation.json`, which says what `gatewright.emulation` must know. What is there goes.
        log: Receives what hls4ml has to say.
        build: Compile; without it, `compile_emulation` can do so later, or at the same time as
            something else.

    Raises:
        InputError: if there is no C++ compiler, or it rejects what hls4ml wrote.
    """
    directory = Path(directory)
    if build:
        _require_compiler()
    if directory.exists():
        shutil.rmtree(directory)
    graph.config.config["OutputDir"] = str(directory)
    # hls4ml would draw a random one; the same model should give the same files.
    graph.config.config["Stamp"] = "gatewright"
    with quiet(log):
        from hls4ml.writer import get_writer

        with _without_keras():
            get_writer("Vitis").write_hls(graph)
    (directory / "firmware" / _WEIGHTS_DIR).write_text(_WEIGHTS_DIR_SOURCE)
    # It has the include guard of the header for two dimensions, so that only one of them is read.
    header = directory / "firmware" / "nnet_utils" / "nnet_sepconv1d_latency.h"
    header.write_text(header.read_text().replace("CONV2D_LATENCY_H_", "CONV1D_LATENCY_H_"))
    # The project may be renamed, and the same model should give the same files wherever it is.
    config = directory / "hls4ml_config.yml"
    config.write_text(config.read_text().replace(f"OutputDir: {directory}", "OutputDir: ."))
    _describe(graph, directory)
    if build:
        compile_emulation(directory)


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """Hide Keras 3, which hls4ml's writer imports, with TensorFlow, to save a live model."""
    missing = object()
    hidden: Any = sys.modules.get("keras", missing)
    sys.modules["keras"] = None  # type: ignore[assignment]  # so that its import fails
    try:
        yield
    finally:
        del sys.modules["keras"]
        if hidden is not missing:
            sys.modules["keras"] = hidden


def _require_compiler() -> None:
    if shutil.which("g++") is None:
        raise InputError("g++ is not installed; type: apt install g++")


def compile_emulation(directory: str | Path) -> None:
    """Compile the C++ of an HLS project that `write_hls` wrote.

    Does what hls4ml's build_lib.sh does, in 60 % of its CPU time: both files are one translation
    unit, as most of the work is the headers', and -O1, whose code is nearly as fast as that of -O3.

    Raises:
        InputError: if there is no C++ compiler, or it rejects what hls4ml wrote.
    """
    directory = Path(directory)
    _require_compiler()
    project = json.loads((directory / EMULATION).read_text())["project"]
    flags = ["-O1", "-DNDEBUG", "-fPIC", "-std=c++17", "-fno-gnu-unique", "-Ifirmware/ap_types/"]
    flags += ["-include", f"firmware/{_WEIGHTS_DIR}", "-DWEIGHTS_DIR=gatewright_weights_dir()"]
    sources = ["-include", f"firmware/{project}.cpp", f"{project}_bridge.cpp"]
    command = ["g++", "-shared", *flags, *sources, "-o", f"firmware/{LIBRARY}", "-ldl"]
    done = processes.run(command, cwd=directory)
    if done.returncode:
        reason = processes.complaint(done.stderr)
        raise InputError(f"g++ can't compile the C++ that hls4ml wrote: {reason}")


def _describe(graph: Any, directory: Path) -> None:
    """Write what the emulation must know, in the order that the C++ has it."""

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
    (directory / EMULATION).write_text(json.dumps(description, indent=1) + "\n")
