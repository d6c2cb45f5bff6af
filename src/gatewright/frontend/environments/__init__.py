"""Python environments for frameworks that can't be in Gatewright's own.

HGQ2 brings a module with QKeras' name, and PyTorch is large. Each has a virtual environment in the
cache instead, made on request from the constraints beside this file. Only child processes run in
it, and they hand over data.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gatewright.errors import GatewrightError, InputError, MissingToolError
from gatewright.frontend.messages import near, shown
from gatewright.system import processes
from gatewright.system.cache import cache_dir, key_of
from gatewright.system.files import check_folder, exclusive, remove, replaced_directory

#: The kind of the environments in the cache.
KIND: Final = "frontends"
#: Seconds for pip, which may download gigabytes.
_SECONDS = 4 * 3600.0
_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[A-Za-z0-9._+!-]+)")


@dataclass(frozen=True)
class Environment:
    """An environment that can be made.

    Attributes:
        name: Its name on the command line.
        purpose: What it is for, as in "comparing models of HGQ2 with HGQ2 itself".
        size: What it takes on disk, as in "0.7 GB".
        packages: The packages to install; the constraints have their versions.
        modules: The modules that must be importable in it.
        settings: Environment variables that they need.
    """

    name: str
    purpose: str
    size: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def constraints(self) -> Path:
        """The file with the version of each package."""
        return Path(__file__).with_name(f"{self.name}.txt")

    @property
    def version(self) -> str:
        """The version of the framework itself, the first of the packages."""
        pins = (_PIN.fullmatch(line) for line in self.constraints.read_text("ascii").splitlines())
        return next(pin["version"] for pin in pins if pin and pin["name"] == self.packages[0])

    @property
    def folder(self) -> Path:
        """Its directory, whether it exists or not: another one for each Python and each version."""
        python = f"{sys.base_prefix} {sysconfig.get_python_version()} {sysconfig.get_platform()}"
        key = key_of(self.constraints.read_text("ascii"), *self.packages, python)
        return cache_dir() / KIND / f"{self.name}-{key[:16]}"

    @property
    def python(self) -> Path | None:
        """Its interpreter; None if the environment has not been made."""
        found = self.folder / "bin" / "python"
        return found if found.is_file() else None

    @property
    def needed(self) -> str:
        """What to say where it is missing."""
        return (
            f"the front end '{self.name}' is needed, {self.size} of packages; type: {self.remedy}"
        )

    @property
    def remedy(self) -> str:
        """The command that makes it."""
        return f"gatewright frontend add {self.name}"


ENVIRONMENTS: Final = {
    each.name: each
    for each in (
        Environment(
            "hgq2",
            "comparing models of HGQ2 with HGQ2 itself, and training them",
            "0.7 GB",
            ("hgq2", "jax"),
            ("hgq.layers", "jax"),
            MappingProxyType({"KERAS_BACKEND": "jax"}),
        ),
        Environment(
            "torch",
            "reading programs of PyTorch (.pt2), and comparing with PyTorch itself",
            "5.5 GB",
            ("torch", "onnxscript"),
            ("torch.export", "torch.onnx", "onnxscript"),
        ),
    )
}


def environment(name: str) -> Environment:
    """The environment of a name.

    Raises:
        InputError: if there is none.
    """
    if name not in ENVIRONMENTS:
        known = ", ".join(ENVIRONMENTS)
        raise InputError(
            f"'{shown(name)}' is not a front end{near(name, sorted(ENVIRONMENTS))}; "
            f"choose from {known}"
        )
    return ENVIRONMENTS[name]


def interpreter(name: str, what: str) -> Path:
    """The interpreter of an environment that must be there.

    Args:
        name: The environment's name.
        what: What needs it, for the message, as in "model.pt2: to read it".

    Raises:
        MissingToolError: if it has not been made; the message says how to make it.
    """
    wanted = environment(name)
    found = wanted.python
    if found is None:
        raise MissingToolError(f"{what}, {wanted.needed}")
    return found


def add(wanted: Environment, progress: Callable[[str], None]) -> bool:
    """Make an environment, unless it is there and works.

    It replaces those of other versions. If it fails, nothing is left behind.

    Args:
        wanted: The environment.
        progress: Called with a line before each phase.

    Returns:
        Whether it was made now.

    Raises:
        InputError: if Python can't make environments, pip fails, or the framework can't be
            imported.
    """
    place = wanted.folder.parent
    check_folder(place)
    place.mkdir(parents=True, exist_ok=True)
    with exclusive(place / f".{wanted.name}.lock"):  # so that two don't make it at once
        if wanted.python is not None and _imports(wanted, wanted.folder) is None:
            return False
        _make(wanted, progress)
        for other in place.glob(f"{wanted.name}-*"):
            if other != wanted.folder:
                remove(other)
    return True


def _make(wanted: Environment, progress: Callable[[str], None]) -> None:
    with replaced_directory(wanted.folder) as made:
        progress(f"making an environment for {wanted.name}")
        # A virtual environment finds itself by the place of its files, so it can be renamed.
        command: list[str | Path] = [sys.executable, "-m", "venv", "--clear", made]
        _run(command, f"{wanted.name}: making it")
        progress(f"installing {' '.join(wanted.packages)} ({wanted.size})")
        command = [made / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
        command += ["install", "--no-input", "--quiet", "--constraint", wanted.constraints]
        _run([*command, *wanted.packages], f"{wanted.name}: installing {' '.join(wanted.packages)}")
        progress(f"importing {wanted.name}")
        reason = _imports(wanted, made)
        if reason is not None:
            raise InputError(f"{wanted.name}: was installed, but can't be imported ({reason})")


def discard(wanted: Environment) -> bool:
    """Remove an environment, in all its versions.

    Returns:
        Whether there was one.
    """
    found = list((cache_dir() / KIND).glob(f"{wanted.name}-*"))
    for folder in found:
        remove(folder)
    return bool(found)


def _imports(wanted: Environment, folder: Path) -> str | None:
    """Why the framework can't be imported; None if it can."""
    code = "; ".join(f"import {module}" for module in wanted.modules)
    limits = processes.Limits(what=f"{wanted.name}: importing it", seconds=300)
    try:
        command: list[str | Path] = [folder / "bin" / "python", "-I", "-c", code]
        done = processes.run(command, limits=limits, env=os.environ | wanted.settings)
    except (GatewrightError, OSError) as error:
        return shown(error, 200)
    return shown(_said(done), 200) if done.returncode else None


def _run(command: list[str | Path], what: str) -> None:
    limits = processes.Limits(what=what, seconds=_SECONDS, network=True)
    try:
        done = processes.run(command, limits=limits)
    except OSError as error:
        raise InputError(f"{what}: {error.strerror}") from None
    if done.returncode:
        raise InputError(f"{what} failed ({shown(_said(done), 300)})")


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that a program wrote, which says why it failed."""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("WARNING", "[notice]"))]
    return said[-1] if said else f"status {done.returncode}"
