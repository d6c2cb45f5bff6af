"""A judge for single layers: hls4ml's own C++ (`nnet_utils` and `ap_types`), compiled with g++.

A `Judge` is a shared library with one function per `Call`. Compiling dominates its cost, so a test
file puts all its calls into one judge; the library is kept by content in a directory of the
caller's choice.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gatewright.emulation import mended_headers
from gatewright.fixed import FixedType

if TYPE_CHECKING:
    from collections.abc import Sequence


def cpp(t: FixedType) -> str:
    """The C++ name of a type."""
    return (
        f"ap_{'' if t.signed else 'u'}fixed<{t.width}, {t.integer}, "
        f"AP_{t.rounding}, AP_{t.overflow}, 0>"
    )


@dataclass(frozen=True)
class Array:
    """A flat array of a type: a `FixedType`, or the C++ name of one such as `ap_uint<1>`."""

    type: FixedType | str
    size: int

    @property
    def cpp(self) -> str:
        return self.type if isinstance(self.type, str) else cpp(self.type)


@dataclass(frozen=True)
class Call:
    """One use of a layer function.

    Attributes:
        body: C++ statements that read the arrays x0, x1, ... of types X0, X1, ... and write the
            array y of type Y, for example "nnet::relu<X0, Y, Config>(x0, y);".
        inputs: what x0, x1, ... are.
        output: what y is.
        config: C++ declarations the body needs, for example "struct Config { ... };".
    """

    body: str
    inputs: tuple[Array, ...]
    output: Array
    config: str = ""

    def cpp(self, index: int) -> str:
        """The function `run` in a namespace of its own."""
        ports = [*enumerate(self.inputs)]
        size = self.output.size
        lines = [
            f"namespace call_{index} {{",
            *(f"typedef {array.cpp} X{i};" for i, array in ports),
            f"typedef {self.output.cpp} Y;",
            self.config,
            "static void run(int64_t n, const int64_t *const *in, int64_t *out) {",
            *(f"  static X{i} x{i}[{array.size}];" for i, array in ports),
            f"  static Y y[{size}];",
            "  for (int64_t s = 0; s < n; s++) {",
            *(
                f"    for (int j = 0; j < {a.size}; j++) x{i}[j].V = in[{i}][s * {a.size} + j];"
                for i, a in ports
            ),
            f"    {self.body}",
            f"    for (int j = 0; j < {size}; j++) out[s * {size} + j] = int64_t(y[j].V);",
            "  }",
            "}",
            "}",
        ]
        return "\n".join(line for line in lines if line)


class Judge:
    """The C++ results of a list of calls."""

    def __init__(
        self,
        calls: Sequence[Call],
        cache: Path,
        headers: Sequence[str] = ("nnet_utils/nnet_activation.h",),
    ) -> None:
        self.calls = calls
        names = ", ".join(f"call_{index}::run" for index in range(len(calls)))
        text = "\n".join(
            [
                "#include <cstdint>",
                *(f'#include "{header}"' for header in headers),
                *(call.cpp(index) for index, call in enumerate(calls)),
                "typedef void (*Run)(int64_t, const int64_t *const *, int64_t *);",
                f"static const Run runs[] = {{{names}}};",
                'extern "C" void run(int64_t call, int64_t n, const void *in, int64_t *out) {',
                "  runs[call](n, static_cast<const int64_t *const *>(in), out);",
                "}",
                "",
            ]
        )
        mends = Path(mended_headers.__file__).read_text(encoding="utf-8")
        made_of = f"{version('hls4ml')}\n{mends}\n{text}".encode()
        digest = hashlib.sha256(made_of).hexdigest()[:16]
        library = cache / f"{digest}.so"
        if not library.exists():
            _compile(text, library)
        self._run = ctypes.CDLL(str(library)).run
        self._run.argtypes = [ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
        self._run.restype = None

    def __call__(self, index: int, *inputs: np.ndarray) -> np.ndarray:
        """Raw results of call `index`: int64 of shape (batch, size).

        Inputs are raw int64 of shape (batch, ...) with the sizes of the call's arrays.
        """
        call = self.calls[index]
        batch = len(inputs[0])
        arrays = [
            np.ascontiguousarray(values, np.int64).reshape(batch, array.size)
            for values, array in zip(inputs, call.inputs, strict=True)
        ]
        pointers = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
        out = np.empty((batch, call.output.size), np.int64)
        self._run(index, batch, pointers, out.ctypes.data)
        return out


def _compile(text: str, library: Path) -> None:
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        include, source, built = (Path(scratch, name) for name in ("h", "judge.cpp", "judge.so"))
        _lay_headers(include)
        source.write_text(text)
        command = ["g++", "-std=c++17", "-O0", "-w", "-DNDEBUG", "-fPIC", "-shared"]
        command.append("-fno-gnu-unique")  # or two libraries of a process share static tables
        paths = ["-I", include, "-I", include / "ap_types"]
        subprocess.run([*command, *paths, source, "-o", built], check=True)
        os.replace(built, library)  # noqa: PTH105


def _lay_headers(include: Path) -> None:
    """The headers as a Vitis project of hls4ml has them: Vivado's, some replaced by Vitis'."""
    spec = find_spec("hls4ml")
    assert spec is not None and spec.origin is not None
    templates = Path(spec.origin).parent / "templates"
    shutil.copytree(templates / "vivado/ap_types", include / "ap_types")
    for backend in ("vivado", "vitis"):
        source = templates / backend / "nnet_utils"
        shutil.copytree(source, include / "nnet_utils", dirs_exist_ok=True)
    mended_headers.mend_headers(include)
