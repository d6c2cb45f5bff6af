"""A judge for fixed point: the `ap_types` headers that ship with hls4ml, compiled with g++.

A `Judge` is a shared library with one C++ function per pair of types (or per type, for floats). It
is compiled once per content and kept in a directory of the caller's choice.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.fixed import FixedType

_PROLOGUE = """\
#include <cstdint>
#include "ap_fixed.h"

template <class To, class From>
static void cast(int64_t n, const void *in, int64_t *out) {
  for (int64_t i = 0; i < n; i++) {
    From from;
    from.V = static_cast<const int64_t *>(in)[i];
    To to;
    to = from;
    out[i] = int64_t(to.V);
  }
}

template <class To, class Float>
static void construct(int64_t n, const void *in, int64_t *out) {
  for (int64_t i = 0; i < n; i++) {
    To to(static_cast<const Float *>(in)[i]);
    out[i] = int64_t(to.V);
  }
}

typedef void (*Case)(int64_t, const void *, int64_t *);
static const Case cases[] = {
"""
_EPILOGUE = """\
};
extern "C" void run(int64_t index, int64_t n, const void *in, int64_t *out) {
  cases[index](n, in, out);
}
"""


@dataclass(frozen=True)
class Case:
    """Assign a value of C++ type `source` (a fixed-point type, `float` or `double`) to `to`.

    With `to_integer`, `to` is declared as `ap_int` or `ap_uint` instead of `ap_fixed`.
    """

    source: FixedType | str
    to: FixedType
    to_integer: bool = False

    def cpp(self) -> str:
        """The instance of `cast` or `construct` that does it."""
        to = f"ap_{'' if self.to.signed else 'u'}int<{self.to.width}>"
        if not self.to_integer:
            to = _fixed(self.to)
        if isinstance(self.source, str):
            return f"construct<{to}, {self.source}>"
        return f"cast<{to}, {_fixed(self.source)}>"


def _fixed(t: FixedType) -> str:
    # The base class, as each instance of ap_fixed costs g++ a lot of time and adds nothing.
    return (
        f"ap_fixed_base<{t.width}, {t.integer}, {str(t.signed).lower()}, "
        f"AP_{t.rounding}, AP_{t.overflow}>"
    )


class Judge:
    """The C++ results of a list of cases."""

    def __init__(self, cases: Sequence[Case], cache: Path) -> None:
        self.cases = cases
        text = _PROLOGUE + "".join(f"  {case.cpp()},\n" for case in cases) + _EPILOGUE
        library = cache / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.so"
        if not library.exists():
            _compile(text, library)
        self._run = ctypes.CDLL(str(library)).run
        self._run.argtypes = [ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
        self._run.restype = None

    def __call__(self, index: int, values: np.ndarray) -> np.ndarray:
        """Raw results of case `index` for raw int64 values, or for floats of its source type."""
        source = self.cases[index].source
        dtype = {"float": np.float32, "double": np.float64}.get(str(source), np.int64)
        values = np.ascontiguousarray(values, dtype)
        out = np.empty(values.shape, np.int64)
        self._run(index, values.size, values.ctypes.data, out.ctypes.data)
        return out


def _compile(text: str, library: Path) -> None:
    spec = find_spec("hls4ml")
    assert spec is not None and spec.origin is not None
    include = Path(spec.origin).parent / "templates/vivado/ap_types"
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        source, built = Path(scratch, "judge.cpp"), Path(scratch, "judge.so")
        source.write_text(text)
        # NDEBUG: a source narrower than the shift trips an assertion on a bit that is then unused.
        command = ["g++", "-std=c++17", "-O0", "-w", "-DNDEBUG", "-fPIC", "-shared"]
        subprocess.run([*command, "-I", include, source, "-o", built], check=True)
        os.replace(built, library)  # noqa: PTH105
