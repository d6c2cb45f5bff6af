"""Compiles the emulation under limits, from checked sources and the installed hls4ml's headers."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

from gatewright.emulation.description import Description
from gatewright.emulation.mended_headers import WEIGHTS_DIR, mend_headers
from gatewright.errors import InputError
from gatewright.system import built, processes
from gatewright.system.files import replaced_file
from gatewright.wall.cpp import checked_sources, templates

LIBRARY = "emulation.so"

SECONDS = 900.0
"""Default limit on the wall time of the compiler, in s; the largest parallel networks need 60."""

#: Prefix of the directory in which it is compiled.
STAGE = ".emulation.gatewright-"

#: Gives code that is nearly as fast as with -O3, and 15 to 25 times as fast as with -O0.
OPTIMIZATION = "-O1"

# hls4ml writes one assignment per element of each window of pixels. Optimizing these takes most of
# the compiler's time without gain, since products and sums dominate the run time.
_CODE = "firmware/nnet_utils/nnet_code_gen.h"
_GENERATED = "// hls4ml insert code\n"
_NOT_OPTIMIZED = '#pragma GCC push_options\n#pragma GCC optimize("O0")\n'
_OPTIMIZED = "\n#pragma GCC pop_options\n"


def require_compiler() -> None:
    """Check that the C++ compiler is installed.

    Raises:
        InputError: if it is not.
    """
    if shutil.which("g++") is None:
        raise InputError("g++ is not installed; type: apt install g++")


def compile_emulation(
    directory: str | Path,
    *,
    seconds: float = SECONDS,
    cancelled: threading.Event | None = None,
) -> None:
    """Compile the C++ of an HLS project that `write_hls` wrote.

    Only the generated files of the project are read, and each line must be one that hls4ml writes.
    The headers are those of the installed hls4ml, not those in the project.

    This does the same as hls4ml's build_lib.sh in at most 60 % of its CPU time. Both files are one
    translation unit, because headers take most of the time.

    Args:
        directory: The HLS project.
        seconds: Limit on the wall time of the compiler, in s.
        cancelled: When it is set, the compiler is killed.

    Raises:
        LimitError: if the compiler exceeds its limits on time or memory.
        CancelledError: if it was cancelled.
        InputError: if there is no C++ compiler, it rejects hls4ml's code, or a file has lines that
            hls4ml doesn't write.
    """
    directory = Path(directory)
    require_compiler()
    project = Description.read(directory).project
    sources = checked_sources(directory, project)
    # Compile in the project, where leftovers of a killed command can be found.
    with tempfile.TemporaryDirectory(dir=directory, prefix=STAGE) as scratch:
        stage = Path(scratch)
        _stage_headers(stage / "firmware")
        for name, text in sources.items():
            path = stage / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(_sped_up(text) if name == _CODE else text, encoding="utf-8")
        flags = [OPTIMIZATION, "-DNDEBUG", "-fPIC", "-std=c++17", "-fno-gnu-unique"]
        flags += [f"-I{templates() / 'vivado' / 'ap_types'}"]
        flags += ["-include", f"firmware/{WEIGHTS_DIR}", "-DWEIGHTS_DIR=gatewright_weights_dir()"]
        files = ["-include", f"firmware/{project}.cpp", f"{project}_bridge.cpp"]
        done = processes.run(
            ["g++", "-shared", *flags, *files, "-o", LIBRARY, "-ldl"],
            limits=processes.Limits(
                what="g++, for the C++ emulation", seconds=seconds, cancelled=cancelled
            ),
            cwd=stage,
            env={**os.environ, "TMPDIR": scratch},
        )
        if done.returncode:
            reason = processes.complaint(done.stderr)
            raise InputError(f"g++ can't compile the C++ that hls4ml wrote: {reason}")
        built.record(stage / LIBRARY)
        with (
            (stage / LIBRARY).open("rb") as made,
            replaced_file(directory / "firmware" / LIBRARY) as library,
        ):
            shutil.copyfileobj(made, library)


def _sped_up(code: str) -> str:
    """Generated code for windows of pixels, with optimization switched off."""
    head, mark, functions = code.partition(_GENERATED)
    body, end, tail = functions.rpartition("} // namespace nnet")
    if not (mark and end):
        return code
    return "".join((head, _NOT_OPTIMIZED, mark, body, _OPTIMIZED, end, tail))


def _stage_headers(firmware: Path) -> None:
    """Copy the headers of the installed hls4ml, as its writer does."""
    for backend in ("vivado", "vitis"):  # headers for Vitis replace those for Vivado
        shutil.copytree(
            templates() / backend / "nnet_utils", firmware / "nnet_utils", dirs_exist_ok=True
        )
    mend_headers(firmware)
