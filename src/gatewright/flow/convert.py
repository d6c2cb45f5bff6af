"""Converts a model to a project directory with HLS project, design and RTL."""

from __future__ import annotations

import json
import math
import os
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

from pydantic import ConfigDict

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.flow.balance import balanced, check_interval
from gatewright.flow.results import ConvertResults
from gatewright.flow.steps import (
    Progress,
    Stamp,
    hash_files,
    held,
    key_of,
    read_stamp,
    run_step,
    silent,
    unlike,
)
from gatewright.kernels.dense import Dense
from gatewright.kernels.window_product import Convolution
from gatewright.options import DEFAULT_PRECISION, ConvertOptions, resolve
from gatewright.parsing.typed import Identifier, Text, read, written
from gatewright.rtl.reserved import check_name, identifier
from gatewright.system.files import (
    check_folder,
    opened,
    remove,
    replaced_directories,
    require_file,
    write_text,
)
from gatewright.targets import Target, load_target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatewright.design.dataflow import Design
    from gatewright.frontend.network import Network
    from gatewright.rtl.manifest import RtlProject

#: Folders that a conversion makes.
_MADE = ("hls", "model", "rtl")

#: Stem of the network's files in "model"; absent if the model was a graph of hls4ml.
NETWORK = "network"

#: Folders that a conversion and later steps make.
_FOLDERS = ("hls", "model", "place", "rtl", "sim", "steps", "synth", "vendor")


@dataclass(frozen=True)
class Request:
    """The request of a conversion, as saved in `convert.json`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    model: Text
    weights: Text | None
    name: Identifier
    options: ConvertOptions


def convert(
    model: Path | Any,
    weights: Path | None,
    options: ConvertOptions,
    directory: Path,
    *,
    name: str | None = None,
    progress: Progress = silent,
) -> Stamp[ConvertResults]:
    """Make the project directory of a model, or bring it up to date.

    If it fails, the directory stays as it was. If files of an earlier conversion are missing or
    have changed, all its files are made again.

    Args:
        model: A model file, or a live Keras model, which is always converted again.
        weights: Weights file if the model file holds the architecture only.
        options: Options of the conversion.
        directory: The project directory.
        name: Name of the top module; by default the model file's name.
        progress: Called with a line before each phase.

    Returns:
        The stamp of the step "convert"; its `cause` names a file that was missing or had changed.

    Raises:
        InputError: if the model, the weights or an option is wrong, or the directory holds
            something else.
        UnsupportedError: if the model can't be built.
        DesignFailure: if the requested interval can't be reached.
    """
    options = resolve(options)
    target = target_of(options)
    clock_ns = clock_of(options, target)
    if name is None:
        name = identifier(model.stem if isinstance(model, Path) else "model")
    check_name(name)
    _check_directory(directory)
    data = Path(options.data) if options.data is not None else None
    key = key_of(_content(model, weights, data), asdict(options), target.content(), clock_ns, name)
    made = not directory.exists()
    try:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{directory}: cannot be created ({error.strerror})") from None
        with held(directory, progress):
            return run_step(
                directory,
                "convert",
                key,
                lambda: _convert(
                    model, weights, options, directory, name, target, clock_ns, progress
                ),
                made=lambda: _made(directory),
                spoiled=lambda stamp: next(iter(_unlike(directory, stamp, _MADE)), ""),
            )
    except BaseException:
        if made:
            _remove_empty(directory)
        raise


def recut(directory: Path, derate: float, *, progress: Progress = silent) -> Stamp[ConvertResults]:
    """Cut the pipeline of a converted project again, with scaled times of the delay model.

    The RTL is written again; the design and its reuse factors stay. FIFOs get their default depths
    again, as before they are measured.

    Args:
        directory: A converted project.
        derate: Factor for the times of the target's delay model.
        progress: Called with a line before each phase.

    Returns:
        The new stamp of the step "convert".

    Raises:
        InputError: if the directory isn't a converted project, or its design has changed.
    """
    with held(directory, progress):
        if changed := changed_files(directory, ["model"]):
            raise InputError(f"{directory}: {changed[0]}; run 'gatewright convert' again")
        stamp, request = conversion_of(directory), load_request(directory)
        options = resolve(replace(request.options, derate=derate))
        clock_ns = load_rtl(directory).clock_ns
        design = load_design(directory)

        def action() -> ConvertResults:
            progress(f"cutting the pipeline for delays of {derate:.3g} times the model's")
            with replaced_directories(directory / "rtl") as (rtl,):
                project = write_rtl(design, options, target_of(options), clock_ns, rtl)
                _write_request(directory, replace(request, options=options))
            return stamp.results.model_copy(update={"latency": project.latency})

        return run_step(
            directory,
            "convert",
            key_of(stamp.key, derate),
            action,
            made=lambda: _made(directory),
        )


def target_of(options: ConvertOptions) -> Target:
    """The target for which a pipeline is cut, its delay model scaled by the options' derate.

    Raises:
        InputError: if the target doesn't exist.
    """
    return load_target(options.target).derated(options.derate)


def load_design(directory: Path) -> Design:
    """The design of a converted project directory.

    Raises:
        InputError: if the directory isn't a converted project.
    """
    from gatewright.design.dataflow import Design

    conversion_of(directory)
    return Design.load(directory / "model" / "design")


def load_read_network(directory: Path) -> Network | None:
    """The network of a project as it was read; None if the model was a graph of hls4ml.

    Raises:
        InputError: if the directory isn't a converted project, or its network is damaged.
    """
    from gatewright.frontend.record import load_network

    conversion_of(directory)
    try:
        return load_network(directory / "model" / NETWORK)
    except InputError as error:
        raise InputError(f"{error}; run 'gatewright convert' again") from None


def load_rtl(directory: Path) -> RtlProject:
    """The RTL project of a converted project directory.

    Raises:
        InputError: if the directory isn't a converted project, or an RTL file can't be read.
    """
    from gatewright.rtl.manifest import RtlProject

    conversion_of(directory)
    project = RtlProject.load(directory / "rtl")
    for file in project.files:
        path = project.directory / file
        try:
            with opened(path):
                pass
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}); run 'gatewright convert' again"
            ) from None
    return project


def load_request(directory: Path) -> Request:
    """The request of a project's conversion.

    Raises:
        InputError: if the directory has no readable `convert.json`.
    """
    path = directory / "convert.json"
    try:
        return read(path, Request, "a record of a conversion")
    except FileNotFoundError:
        raise InputError(f"{path}: missing; run 'gatewright convert' again") from None
    except InputError as error:
        raise InputError(f"{error}; run 'gatewright convert' again") from None


def changed_files(directory: Path, folders: Sequence[str] = _MADE) -> list[str]:
    """The files that differ from those that the conversion, or the sizing of FIFOs, has made.

    Args:
        directory: A converted project.
        folders: Those of "hls", "model" and "rtl" that are checked.

    Returns:
        For each such file its path in the directory, and what is wrong with it.

    Raises:
        InputError: if the directory isn't a converted project.
    """
    return _unlike(directory, conversion_of(directory), folders)


def _unlike(directory: Path, stamp: Stamp[ConvertResults], folders: Sequence[str]) -> list[str]:
    def below(*names: str) -> dict[str, str]:
        return {
            name: digest for name, digest in stamp.files.items() if name.partition("/")[0] in names
        }

    request = ("convert.json",) if "hls" in folders else ()
    found = unlike(directory, below(*request, *(name for name in folders if name != "rtl")))
    rtl = unlike(directory, below("rtl")) if "rtl" in folders else []
    if rtl and (sized := read_stamp(directory, "fifos")) is not None and sized.files:
        rtl = min(rtl, unlike(directory, sized.files), key=len)
    return found + rtl


def _made(directory: Path) -> list[Path]:
    """The files of a conversion."""
    folders = [directory / name for name in _MADE]
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return [directory / "convert.json", *files]


def design_files(directory: Path) -> list[Path]:
    """The files with the design of a converted project directory."""
    return [directory / "model" / f"design{suffix}" for suffix in (".json", ".npz")]


def require_project(directory: Path) -> None:
    """Check that a project directory exists. Its conversion may still be running.

    Raises:
        InputError: if it doesn't exist, or isn't a directory.
    """
    if not directory.is_dir():
        what = "is not a directory" if directory.exists() else "does not exist"
        raise InputError(f"{directory}: {what}; make it with 'gatewright convert MODEL -o DIR'")


def conversion_of(directory: Path) -> Stamp[ConvertResults]:
    """The stamp of the conversion of a project directory.

    Raises:
        InputError: if it isn't a converted project, or its conversion was interrupted.
    """
    require_project(directory)
    if not (directory / "rtl").is_dir() or not (directory / "model").is_dir():
        raise InputError(
            f"{directory}: no converted model here; run 'gatewright convert MODEL -o DIR' first"
        )
    stamp = read_stamp(directory, "convert")
    if stamp is None:
        raise InputError(
            f"{directory / 'steps' / 'convert.json'}: missing or damaged, as after a conversion "
            "that was interrupted; run 'gatewright convert' again"
        )
    for name in stamp.files:
        # Opening a pipe or reading a device may block for ever.
        with suppress(FileNotFoundError, NotADirectoryError):
            if not stat.S_ISREG((directory / name).lstat().st_mode):
                raise InputError(
                    f"{directory / name}: has changed since it was made; run 'gatewright "
                    f"convert' again"
                )
    return stamp


def _check_directory(directory: Path) -> None:
    """Refuse a directory that holds files that Gatewright hasn't made."""
    if str(directory) == "":
        raise InputError("--output: names no directory")
    if directory.is_symlink() and not directory.exists():
        raise InputError(f"{directory}: is a broken link; remove it, or name another directory")
    check_folder(directory)
    marks = ("convert.json", "steps", "hls/emulation.json")
    taken = [folder for folder in _FOLDERS if os.path.lexists(directory / folder)]
    if taken and not any(os.path.lexists(directory / mark) for mark in marks):
        raise InputError(
            f"{directory}: holds a '{taken[0]}' that is not Gatewright's; name another directory"
        )


def _remove_empty(directory: Path) -> None:
    """Remove the empty directories that a failed conversion has made."""
    for folder in (directory / "steps", directory):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _content(model: Path | Any, *others: Path | None) -> str:
    """A hash of the files of a model and its data; for a live model a value that never recurs."""
    files = model_files(*(path for path in (model, *others) if isinstance(path, Path)))
    return hash_files(files) if isinstance(model, Path) else uuid4().hex


def model_files(*paths: Path) -> list[Path]:
    """The files of a model and its data.

    Args:
        paths: Files, and directories of SavedModels.

    Raises:
        InputError: if a path is neither.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            from gatewright.frontend.readers.saved_model import files_of

            files += files_of(path)
        else:
            require_file(path)
            files.append(path)
    return files


def _convert(
    model: Path | Any,
    weights: Path | None,
    options: ConvertOptions,
    directory: Path,
    name: str,
    target: Target,
    clock_ns: float,
    progress: Progress,
) -> ConvertResults:
    from gatewright import frontend
    from gatewright.frontend import originals
    from gatewright.frontend.network import Network
    from gatewright.frontend.record import save_network

    folders = [directory / name for name in _MADE]
    with replaced_directories(*folders) as (hls, saved, rtl):
        read = read_design(model, weights, options, hls, name, target, clock_ns, progress)
        source, graph, design, options = read.source, read.graph, read.design, read.options
        frontend.write_hls(graph, hls)
        design.save(saved / "design")
        if isinstance(source, Network):
            save_network(source, saved / NETWORK)
        if isinstance(model, Path):
            originals.keep(model, saved)
        progress("writing SystemVerilog")
        project = write_rtl(design, options, target, clock_ns, rtl)
        interval = _interval(options, clock_ns)
        if interval is not None:
            check_interval(project, interval)
        origin = written(model) if isinstance(model, Path) else type(model).__name__
        of_weights = written(weights) if weights else None
        _write_request(directory, Request(origin, of_weights, name, options))
    return ConvertResults(layers=len(design.kernels), latency=project.latency, notes=read.notes)


@dataclass(frozen=True)
class ReadDesign:
    """A model as a design, before its RTL.

    Attributes:
        source: The model as `frontend.load` returned it.
        graph: hls4ml's ModelGraph.
        design: The graph lowered to kernels.
        options: The requested options, with the reuse factors for a requested interval.
        notes: Requests not honoured, and other lines for the user.
    """

    source: Any
    graph: Any
    design: Design
    options: ConvertOptions
    notes: tuple[str, ...]


def read_design(
    model: Path | Any,
    weights: Path | None,
    options: ConvertOptions,
    hls: Path,
    name: str,
    target: Target,
    clock_ns: float,
    progress: Progress = silent,
) -> ReadDesign:
    """Read a model and lower it to a design.

    Args:
        model: A model file, or a live Keras model.
        weights: Weights file if the model file holds the architecture only.
        options: Resolved options of the conversion.
        hls: An empty directory for hls4ml.
        name: Name of the top module.
        target: The target of these options.
        clock_ns: Clock period in ns.
        progress: Called with a line before each phase.

    Raises:
        InputError: if the model, the weights or an option is wrong.
        UnsupportedError: if the model can't be built.
        DesignFailure: if a layer can't reach the requested interval.
    """
    from gatewright import frontend
    from gatewright.lower import lower

    progress("converting the model with hls4ml")
    inputs = FixedType.parse(options.input_precision or DEFAULT_PRECISION)
    source = frontend.load(model, weights, inputs)
    calibration = None
    if options.data is not None:
        progress(f"measuring the model on {options.data}")
        calibration = frontend.calibrate(source, Path(options.data), progress)
    notes: list[str] = []

    def converted(options: ConvertOptions) -> Any:
        notes.clear()
        return frontend.convert(
            source, None, options, hls, name, calibration=calibration, notice=notes.append
        )

    graph = converted(options)
    design = _widened(lower(graph), options)
    interval = _interval(options, clock_ns)
    if interval is not None:
        progress(f"converting again, for an interval of {interval} cycles")
        options = _balanced(options, design, interval, target)
        graph = converted(options)
        design = _widened(lower(graph), options)
    return ReadDesign(source, graph, design, options, tuple(notes))


def _widened(design: Design, options: ConvertOptions) -> Design:
    """The design for the requested pixels per clock.

    Raises:
        InputError: if a beat of so many pixels does not divide an input.
    """
    pixels = options.pixels_per_clock
    if pixels is None:
        return design
    for tensor in design.inputs:
        count = tensor.size // tensor.shape[-1]
        if count % pixels:
            raise InputError(
                f"{pixels} pixels per clock: input '{design.called(tensor.name)}' has {count} "
                "pixels, which that number must divide"
            )
    return replace(
        design,
        pixels=pixels,
        kernels=tuple(
            replace(kernel, parallel=pixels)
            if isinstance(kernel, Convolution | Dense) and kernel.reuse == kernel.parallel == 1
            else kernel
            for kernel in design.kernels
        ),
    )


def clock_of(options: ConvertOptions, target: Target) -> float:
    """The requested clock period in ns, or the target's.

    Raises:
        InputError: if registers alone take longer.
    """
    clock_ns = options.clock_ns or target.clock_ns
    if clock_ns <= target.fabric.register_ns:
        raise InputError(
            f"clock {clock_ns:g} ns: registers alone take {target.fabric.register_ns:g} ns on "
            f"{target.name}"
        )
    return clock_ns


def write_rtl(
    design: Design,
    options: ConvertOptions,
    target: Target,
    clock_ns: float,
    rtl: Path,
    depths: Mapping[str, int] | None = None,
) -> RtlProject:
    """Write a design's RTL with the options of its conversion.

    Args:
        design: The design.
        options: Options of the conversion.
        target: The target of these options.
        clock_ns: Clock period in ns.
        rtl: An empty directory.
        depths: Depths of FIFOs in beats, by instance name; others have their default depths.
    """
    from gatewright.emit import emit

    return emit(
        design,
        target,
        clock_ns,
        rtl,
        depths,
        options.handshake,
        register_ports=options.register_ports,
        check_frames=options.check_frames,
        bus_width=options.bus_width,
    )


def _write_request(directory: Path, request: Request) -> None:
    path = directory / "convert.json"
    if path.is_dir():
        remove(path)
    write_text(path, json.dumps(asdict(request), indent=1))


def _interval(options: ConvertOptions, clock_ns: float) -> int | None:
    """The requested initiation interval in clock cycles, or None."""
    if options.fps is not None:
        return max(1, math.floor(1e9 / (options.fps * clock_ns)))
    return options.target_ii


def _balanced(
    options: ConvertOptions, design: Design, interval: int, target: Target
) -> ConvertOptions:
    """The options with the cheapest reuse factors; the user's settings of layers override them."""
    chosen = balanced(design, interval, target)
    settings = tuple((f"{layer}.reuse_factor", str(r)) for layer, r in chosen.items())
    return replace(options, settings=(*settings, *options.settings))
