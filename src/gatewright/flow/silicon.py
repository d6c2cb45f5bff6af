"""Timing, power and energy of a project directory on standard cells, from its netlist."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.design import golden
from gatewright.errors import UnsupportedError
from gatewright.flow.convert import load_design, load_rtl, require_project
from gatewright.flow.inputs import random_inputs, read_inputs
from gatewright.flow.results import PowerResults, SiliconResults, VerifyResults
from gatewright.flow.steps import (
    Progress,
    Stamp,
    hash_files,
    held,
    key_of,
    read_stamp,
    run_step,
    silent,
    workspace_for,
)
from gatewright.flow.synthesize import synthesize, synthesized_content
from gatewright.flow.verify import VECTORS
from gatewright.parsing.typed import written
from gatewright.rtl.signal_map import read_signal_map
from gatewright.silicon.activity import simulator_version
from gatewright.silicon.librelane import write_configuration
from gatewright.silicon.netlist import Netlist, join
from gatewright.silicon.power import measure, vectors_that_suffice
from gatewright.silicon.static_timing import Constraints, analyze, timing_version
from gatewright.system.files import require_file
from gatewright.targets import load_target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatewright.liberty.standard_cells import StandardCells
    from gatewright.results.analyzed import Analyzed
    from gatewright.rtl.manifest import RtlProject

    Values = NDArray[np.int64]


def require_cells(target_name: str) -> StandardCells:
    """The standard cells of a target.

    Raises:
        InputError: if the target or its library doesn't exist.
        UnsupportedError: if the target is a device.
    """
    target = load_target(target_name)
    cells = target.family.standard_cells
    if cells is None:
        raise UnsupportedError(f"target '{target.name}' is a device, not a library of cells")
    return cells


def analyze_timing(
    directory: Path, target_name: str, *, jobs: int = 2, progress: Progress = silent
) -> Stamp[SiliconResults]:
    """Run static timing analysis of a project's netlist of standard cells, at the project's clock.

    Args:
        directory: A converted project; it is synthesized first if necessary.
        target_name: A target of standard cells.
        jobs: Number of modules synthesized in parallel.
        progress: Called with a line before each phase.

    Returns:
        The stamp of the step "silicon-<target>". The folder `silicon/<target>` gets the netlist,
        its constraints and delays, and a configuration of LibreLane.

    Raises:
        DesignFailure: if the RTL can't be synthesized, or the netlist can't be analyzed.
        InputError: if the directory isn't a converted project, or the target, its library or
            OpenSTA is missing.
        UnsupportedError: if the target is a device.
    """
    require_project(directory)
    name, cells = load_target(target_name).name, require_cells(target_name)
    version = timing_version()
    source, folder = directory / "synth" / name, directory / "silicon" / name
    mapped = synthesize(directory, target_name, jobs=jobs, progress=progress)

    def action(project: RtlProject) -> SiliconResults:
        progress("static timing")
        with workspace_for(folder) as workspace:
            _, found, constraints = _timed(project, cells, source, workspace)
            write_configuration(project, cells, constraints, workspace)
            return SiliconResults(
                analyzed=found, tool="OpenSTA", version=version, details=_conditions(cells)
            )

    with held(directory, progress):
        project = load_rtl(directory)
        return run_step(
            directory,
            f"silicon-{name}",
            key_of(mapped.key, version),
            lambda: action(project),
            subject=synthesized_content(project),
            made=lambda: (path for path in sorted(folder.rglob("*")) if path.is_file()),
        )


def measure_power(
    directory: Path,
    target_name: str,
    *,
    inputs: Path | None = None,
    samples: int | None = None,
    jobs: int = 2,
    progress: Progress = silent,
) -> Stamp[PowerResults]:
    """Count the transitions in a simulation of the netlist at full rate, and their energy.

    Args:
        directory: A converted project; it is synthesized first if necessary.
        target_name: A target of standard cells.
        inputs: Samples, as for `verify`; None for random words, which are those of the project's
            verification if it used random words.
        samples: Number of vectors, from the first on; by default as many as run in a few minutes.
        jobs: Number of modules synthesized in parallel.
        progress: Called with a line before each phase.

    Returns:
        The stamp of the step "power-<target>".

    Raises:
        DesignFailure: if an output of the netlist differs from the golden one; or as
            `analyze_timing`.
        InputError: as `analyze_timing`; or if the inputs are wrong, or Icarus Verilog is missing.
        UnsupportedError: if the target is a device.
    """
    if inputs is not None:
        require_file(inputs)
    require_project(directory)
    name, cells = load_target(target_name).name, require_cells(target_name)
    versions = (timing_version(), simulator_version())
    mapped = synthesize(directory, target_name, jobs=jobs, progress=progress)

    def action(project: RtlProject) -> PowerResults:
        words, source = given.words(directory)
        progress("static timing")
        with tempfile.TemporaryDirectory(dir=directory, prefix=".power.gatewright-") as scratch:
            netlist, timed, _ = _timed(project, cells, directory / "synth" / name, Path(scratch))
            count = samples or vectors_that_suffice(project, netlist)
            expected = golden.run(load_design(directory), words)
            outputs = [expected[tensor.name] for tensor in load_design(directory).outputs]
            found = measure(
                project,
                netlist,
                cells,
                timed,
                inputs=[_first(word, count) for word in words],
                expected=[_first(word, count) for word in outputs],
                progress=progress,
            )
        return PowerResults(
            power=found,
            tool="Icarus Verilog",
            version=versions[1],
            details=f"transitions of the netlist at full rate, {found.vectors} vectors: {source}; "
            f"energies of {_conditions(cells)}",
        )

    with held(directory, progress):
        project = load_rtl(directory)
        given = _Vectors.of(directory, inputs)
        return run_step(
            directory,
            f"power-{name}",
            key_of(mapped.key, versions, given.key, samples),
            lambda: action(project),
            subject=synthesized_content(project),
        )


@dataclass(frozen=True)
class _Vectors:
    """The vectors of a simulation: a file's samples, or random words."""

    inputs: Path | None
    count: int
    seed: int

    @classmethod
    def of(cls, directory: Path, inputs: Path | None) -> _Vectors:
        """The vectors of a file if there is one, else like those of the project's verification."""
        verified = read_stamp(directory, "verify")
        results = verified.results if verified is not None else None
        if isinstance(results, VerifyResults) and results.seed is not None:
            return cls(inputs, max(1, results.verification.vectors), results.seed)
        return cls(inputs, VECTORS, 0)

    @property
    def key(self) -> object:
        """What the vectors depend on, for the key of a step."""
        return hash_files([self.inputs]) if self.inputs else [self.count, self.seed]

    def words(self, directory: Path) -> tuple[list[Values], str]:
        """Raw words for each input, int64 (vectors, *shape), and their origin as text."""
        design = load_design(directory)
        if self.inputs is not None:
            return read_inputs(self.inputs, design).words, written(Path(self.inputs.name))
        return random_inputs(design, self.count, self.seed), "random words of the input types"


def _first(words: Values, count: int) -> Values:
    taken = words[:count]
    return taken.reshape(len(taken), -1)


def _timed(
    project: RtlProject, cells: StandardCells, mapped: Path, workspace: Path
) -> tuple[Netlist, Analyzed, Constraints]:
    """The flat netlist of a project, its timing and constraints; files go to the workspace."""
    constraints = Constraints(project.clock_ns, cells.driving_cell, cells.load_ff)
    netlist = join(project, cells.library, mapped, workspace)
    signals = read_signal_map(project.directory, project.modules)
    return netlist, analyze(netlist, cells.library, constraints, signals), constraints


def _conditions(cells: StandardCells) -> str:
    return (
        f"{cells.library.path.name}, {cells.library.conditions}; no wires, an ideal clock; inputs "
        f"driven by {cells.driving_cell}, outputs loaded with {cells.load_ff:.4g} fF"
    )
