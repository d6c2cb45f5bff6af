"""Synthesis of a project: one Yosys process per module, cached by content."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gatewright.errors import DesignFailure, InputError
from gatewright.results.utilization import Resources
from gatewright.synth.resources import total
from gatewright.synth.yosys import yosys_version
from gatewright.synth.yosys_worker import MEMORY_BITS, NETLIST, STATISTICS, Job, save
from gatewright.system import processes
from gatewright.system.cache import kept, key_of
from gatewright.system.files import remove, write_text
from gatewright.wall import systemverilog

if TYPE_CHECKING:
    from gatewright.rtl.manifest import RtlProject
    from gatewright.synth.mapper import Mapper
    from gatewright.targets import Target

_SECONDS = 4 * 3600
"""Limit on the wall time of a module; the largest take minutes."""

#: Format of a mapped netlist: Verilog, or Yosys' JSON.
NetlistForm = Literal["v", "json"]

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class SynthResult:
    """Resources after synthesis, before placement.

    Attributes:
        total: the whole design.
        modules: by module name: each kernel, and under the top's name the logic between them.
        tool: the synthesis tool.
        version: its version.
        details: how it was run, for reports.
    """

    total: Resources
    modules: dict[str, Resources]
    tool: str
    version: str
    details: str


def synthesize(
    project: RtlProject,
    target: Target,
    directory: Path,
    *,
    jobs: int = 2,
    flatten: bool = False,
    progress: Callable[[str], None] | None = None,
) -> SynthResult:
    """Synthesize a project, each kernel out of context.

    Args:
        project: the RTL.
        target: the device family.
        directory: existing directory for logs and cell counts, with one subdirectory per module.
        jobs: number of parallel Yosys processes.
        flatten: synthesize the whole design as one module instead, without figures per kernel.
        progress: called with a message on how many modules are done.

    Raises:
        DesignFailure: if the RTL does not synthesize; names the module and the error.
        InputError: if Yosys is not installed, or a file of the project is missing.
    """
    files = [project.directory / file for file in project.files]
    for file in files:
        if not file.is_file():
            raise InputError(f"{file}: no such file; convert the model again")
    systemverilog.check(project)
    layers = [module for module in project.modules if module.layer]
    if flatten or not layers:
        return synthesize_files(files, project.top, target, directory)
    kernels = {
        module.name: [
            project.directory / file for file in (*module.library, *module.parts, module.file)
        ]
        for module in layers
    }
    mapper = target.family.mapper.at(project.clock_ns)
    work = [_job(name, own, [], mapper) for name, own in kernels.items()]
    # The top with black boxes goes last, since it is small; the largest kernels start first.
    work.sort(key=lambda job: -sum(Path(file).stat().st_size for file in job.files))
    boxes = [own[-1] for own in kernels.values()]
    work.append(_job(project.top, _joining(project), boxes, mapper))
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        if progress is not None:
            progress(f"synthesizing {len(work)} modules")
        try:
            running = [pool.submit(_run, job, directory / job.top) for job in work]
            for done, future in enumerate(as_completed(running), 1):
                future.result()
                if progress is not None:
                    progress(f"synthesizing, {done} of {len(work)} modules done")
            cells = [future.result() for future in running]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    found = {job.top: counted for job, counted in zip(work, cells, strict=True)}
    modules = {name: _count(found[name], name, mapper, kernels) for name in [*kernels, project.top]}
    instances = [module.name for module in project.modules if module.layer] + [project.top]
    whole = total(modules[name] for name in instances)
    return SynthResult(whole, modules, "Yosys", yosys_version(), _details(mapper, "per module"))


def synthesize_files(
    files: Sequence[Path],
    top: str,
    target: Target,
    directory: Path,
    *,
    boxes: Sequence[Path] = (),
) -> SynthResult:
    """Synthesize SystemVerilog files as one flat module, in the same way as projects.

    Args:
        files: in compile order.
        top: the top module.
        target: the device family.
        directory: existing directory for the log and cell counts.
        boxes: files of modules that become black boxes, each named like its module; not counted.

    Raises:
        DesignFailure: if the RTL does not synthesize.
        InputError: if Yosys is not installed, or a file is missing.
    """
    mapper = target.family.mapper.at(target.clock_ns)
    statistics = _run(_job(top, files, boxes, mapper), directory)
    whole = _count(statistics, top, mapper, [box.stem for box in boxes])
    return SynthResult(whole, {top: whole}, "Yosys", yosys_version(), _details(mapper, "flat"))


def export_netlist(
    files: Sequence[Path],
    top: str,
    target: Target,
    directory: Path,
    *,
    form: NetlistForm = "v",
    pads: str = "",
) -> tuple[Path, Resources]:
    """Write the mapped netlist of SystemVerilog files, made of the family's primitives.

    Args:
        files: in compile order.
        top: the top module.
        target: the device family.
        directory: existing directory for the netlist, the cell counts (`cells.json`) and the log.
        form: Verilog, or JSON for open routers.
        pads: I/O buffers for its ports, as arguments of Yosys' `iopadmap`; none by default.

    Returns:
        The netlist's file, whose cells `Mapper.models` of the family define; and their number.

    Raises:
        DesignFailure: if the RTL does not synthesize.
        InputError: if Yosys is not installed, or a file is missing.
    """
    mapper = target.family.mapper.at(target.clock_ns)
    netlist = f"netlist.{form}"
    statistics = _execute(
        replace(_job(top, files, [], mapper), netlist=netlist, pads=pads), directory
    )
    return directory / netlist, _count(statistics, top, mapper)


def _details(mapper: Mapper, how: str) -> str:
    return f"{mapper.flow}, {how}, before placement; netlist not proved against the RTL"


def _job(top: str, files: Sequence[Path], boxes: Sequence[Path], mapper: Mapper) -> Job:
    for file in (*files, *boxes):
        if not file.is_file():
            raise InputError(f"{file}: no such file; convert the model again")
    return Job(
        top=top,
        files=tuple(str(file.resolve()) for file in files),
        black_boxes=tuple(str(file.resolve()) for file in boxes),
        family=mapper.room.name,
        mapper=asdict(mapper),
        netlist=NETLIST if mapper.keeps_netlists else "",
    )


def _joining(project: RtlProject) -> list[Path]:
    """The top and the library files that it instantiates directly, in compile order."""
    own = {file for module in project.modules if not module.layer for file in module.library}
    names = [*(file for file in project.files if file in own), f"{project.top}.sv"]
    return [project.directory / file for file in names]


def _run(job: Job, directory: Path) -> dict[str, Any]:
    """Cell statistics of a job, from the cache if it ran before."""
    sources = [source.read_bytes() for source in _code(job.family)]
    # Paths of the files don't matter; Yosys only writes them into attributes.
    anonymous = json.dumps(asdict(replace(job, files=(), black_boxes=())))
    contents = []
    for kind, names in (("file", job.files), ("box", job.black_boxes)):
        for name in names:
            contents += [kind.encode(), Path(name).read_bytes()]
    key = key_of(yosys_version(), *sources, anonymous, *contents)

    def execute() -> bytes:
        made: dict[str, Any] = {STATISTICS: _execute(job, directory)}
        if job.netlist:
            made[job.netlist] = (directory / job.netlist).read_text(encoding="utf-8")
        return json.dumps(made).encode()

    results: dict[str, Any] = json.loads(kept("synth", key, execute))
    cells: dict[str, Any] = results.pop(STATISTICS)
    for name, text in ({STATISTICS: json.dumps(cells)} | results).items():
        if not (directory / name).is_file():  # found in the cache
            remove(directory / name)
            write_text(directory / name, text)
    return cells


def _code(family: str) -> list[Path]:
    """The source files that determine how a netlist is mapped; other families are left out."""
    here = Path(__file__).parent
    room = [file for file in (here / family).rglob("*") if file.suffix != ".pyc"]
    return sorted([*here.glob("*.py"), *(file for file in room if file.is_file())])


def _execute(job: Job, directory: Path) -> dict[str, Any]:
    """Run a job in a process of its own, and return Yosys' cell statistics."""
    yosys_version()
    directory.mkdir(parents=True, exist_ok=True)
    log, statistics = directory / "yosys.log", directory / STATISTICS
    statistics.unlink(missing_ok=True)
    log.unlink(missing_ok=True)  # if it is a link, its target must not be overwritten
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        save(_staged(job, Path(scratch)), Path(scratch, "job.json"))
        with log.open("wb") as output:
            done = processes.run(
                [sys.executable, "-P", "-m", "gatewright.synth.yosys_worker", "job.json"],
                limits=processes.Limits(what=f"{job.top}: Yosys", seconds=_SECONDS),
                cwd=scratch,
                env=os.environ | {"PYTHONPATH": _python_path()},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        # Status 0 is not enough: the result of the last command must exist.
        if done.returncode == 0:
            try:
                cells: dict[str, Any] = json.loads(
                    Path(scratch, STATISTICS).read_text(encoding="utf-8")
                )
            except (FileNotFoundError, json.JSONDecodeError):
                raise DesignFailure(_failure(job, log, 0)) from None
            for name in (STATISTICS, *filter(None, [job.netlist])):
                Path(scratch, name).replace(directory / name)
            return cells
    raise DesignFailure(_failure(job, log, done.returncode))


def _staged(job: Job, scratch: Path) -> Job:
    """A job on copies of its files with plain names, because Yosys' commands are text."""

    def copies(names: Sequence[str], folder: str) -> tuple[str, ...]:
        made = []
        for number, name in enumerate(names):
            stem = re.sub(r"\W", "_", Path(name).stem, flags=re.ASCII)
            copy = Path(folder, str(number), f"{stem}.sv")
            (scratch / copy).parent.mkdir(parents=True)
            shutil.copyfile(name, scratch / copy)
            systemverilog.copy_memories(Path(name), scratch)
            made.append(str(copy))
        return tuple(made)

    return replace(job, files=copies(job.files, "rtl"), black_boxes=copies(job.black_boxes, "box"))


def _python_path() -> str:
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(_PACKAGE_ROOT), *([inherited] if inherited else [])])


def _failure(job: Job, log: Path, status: int) -> str:
    """One line: the module, the step that failed and its error."""
    lines = log.read_text(errors="replace", encoding="utf-8").splitlines()
    commands = [line for line in lines if line.startswith("-- Running command")]
    step = (
        commands[-1].split("`")[-1].rstrip("'- ").split()[0] if commands else "the start of Yosys"
    )
    errors = [line for line in lines if re.search(r"\bERROR\b", line)]
    if status < 0:
        reason = f"the process was ended by {signal.Signals(-status).name} (out of memory?)"
    else:
        reason = errors[-1].strip() if errors else lines[-1].strip() if lines else "no output"
    return f"{job.top}: synthesis failed in {step}: {reason} (log: {log})"


def _count(
    statistics: dict[str, Any], module: str, mapper: Mapper, boxes: Container[str] = ()
) -> Resources:
    """Resources of a module.

    Args:
        statistics: as written by the worker.
        module: name of the module.
        mapper: the mapper of the family.
        boxes: names of black boxes in it, which are counted separately.
    """
    found: dict[str, int] = statistics["modules"][f"\\{module}"]["num_cells_by_type"]
    cells = {name: number for name, number in found.items() if name not in boxes}
    unmapped = sorted(name for name in cells if name.startswith("$"))
    if unmapped:
        raise DesignFailure(f"{module}: the family has no primitive for {', '.join(unmapped)}")
    counted = mapper.count(cells, module)
    if mapper.memories_are_flip_flops:
        return counted.model_copy(update={"memory_bits": statistics[MEMORY_BITS]})
    return counted
