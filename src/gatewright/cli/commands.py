"""The commands of the command line, which call `gatewright.flow`."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewright import __version__
from gatewright.cli import options
from gatewright.errors import (
    DesignFailure,
    GatewrightError,
    InputError,
    MissingToolError,
    system_message,
)
from gatewright.system import processes
from gatewright.system.console import console, plain, say, show, show_json, survive_any_text
from gatewright.system.package_data import DEFAULT_TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.progress import Progress as Bar

    from gatewright.explore.engine import Engine
    from gatewright.flow.results import ConvertResults, PlaceResults, SynthResults, VerifyResults
    from gatewright.flow.steps import Stamp
    from gatewright.report.schema import SweepReport
    from gatewright.results.imported import Imported
    from gatewright.rtl.manifest import RtlProject
    from gatewright.simulate import StallPattern
    from gatewright.vendor.projects.devices import ProjectTool

app = typer.Typer(
    name="gatewright",
    help="Quantized Keras models in, verified hardware out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

frontends = typer.Typer(
    help="Add environments for HGQ2 and PyTorch; list and remove them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(frontends, name="frontend")

_LONGEST_MESSAGE = 600
_MOST_JOBS = 1024
_WHILE = 2.0  # seconds after which a line is printed for a running step


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit with 0 (done), 1 (a check failed) or 2 (wrong input)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"] or ["--help"]
    survive_any_text()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _check_arguments(given)
        status = app(given, standalone_mode=False)
        sys.stdout.flush()
        if processes.stopping():  # Typer does not pass the exception on
            raise KeyboardInterrupt
    except (BrokenPipeError, SystemExit):  # the output was closed; Typer and rich exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 2
    except BaseException as error:
        _progress.end()
        if debug and not isinstance(error, typer.TyperException):
            traceback.print_exc()
        status = _complain(*_explain(error))
    finally:
        _progress.end()
    sys.exit(status or 0)


def _check_arguments(given: Sequence[str]) -> None:
    """Refuse empty arguments and NUL characters: an empty path would mean the current folder."""
    preceding = [None, *given]
    for before, argument in zip(preceding, given, strict=False):
        name, equals, value = argument.partition("=")
        if "\0" in argument:
            raise InputError(f"'{argument}': contains a NUL character")
        if not argument.strip():
            named = before is not None and before.startswith("-")
            raise InputError(f"{before if named else 'an argument'}: is empty")
        if equals and name.startswith("--") and not value.strip():
            raise InputError(f"{name}: is empty")


def _interrupt(*_: object) -> None:
    """Stop child processes; the first time, interrupt this process as well, which cleans up."""
    first = not processes.stopping()
    processes.stop()
    if first:
        raise KeyboardInterrupt


def _explain(error: BaseException) -> tuple[str, int]:
    """The message of an error, and the exit status."""
    if isinstance(error, GatewrightError):
        return str(error), error.exit_status
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "interrupted; run the same command again to continue", 2
    if isinstance(error, typer.TyperException):
        return error.format_message(), 2
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return f"{package} is not installed; type 'gatewright doctor' to see what is missing", 2
    if isinstance(error, OSError):
        return system_message(error), 2
    if isinstance(error, MemoryError):
        return "out of memory; a smaller model or narrower types need less", 2
    if isinstance(error, RecursionError):
        return "the input is nested too deeply", 2
    kind = type(error).__name__
    return f"internal error, please report it: {kind}: {error} (details with --debug)", 2


def _complain(message: str, status: int) -> int:
    line = " ".join(message.split())
    if len(line) > _LONGEST_MESSAGE:  # the beginning names the subject, the end the problem
        half = _LONGEST_MESSAGE // 2
        line = f"{line[:half]} ... {line[-half:]}"
    say(f"gatewright: {line}")
    return status


class _Progress:
    """Shows progress: live on a terminal; elsewhere a line for each long step."""

    def __init__(self) -> None:
        self._where = ""
        self._bar: Bar | None = None
        self._timer: threading.Timer | None = None

    def begin(self, where: Path) -> Callable[[str], None]:
        """A function that shows the progress of a command on a directory."""
        self._where = str(where)
        return self._tell

    def end(self) -> None:
        """Clear the terminal's line."""
        if self._timer is not None:
            self._timer.cancel()
        if self._bar is not None:
            self._bar.stop()
        self._timer = self._bar = None

    def share(self, done: float) -> None:
        """Show on a terminal which fraction of the step, 0 to 1, is done."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[-1], total=1.0, completed=done)

    def notice(self, line: str) -> None:
        """Print a line that stays."""
        self.end()
        say(line)

    def _tell(self, text: str) -> None:
        line = f"{self._where}: {text}"
        if sys.stderr.isatty():
            if self._bar is None:
                self._bar = _make_bar()
                self._bar.start()
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(plain(line), total=None)
            return
        self.end()
        self._timer = threading.Timer(_WHILE, say, (line,))
        self._timer.daemon = True
        self._timer.start()


def _make_bar() -> Bar:
    """A line with a spinner, and a bar if a step's progress is known."""
    from rich import progress

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=24),
        progress.TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
    )


_progress = _Progress()


def _print_json(results: Any) -> None:
    show_json(json.dumps(results, indent=1))


@app.callback(invoke_without_command=True)
def _common(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    del debug  # main handles it, because it is needed before arguments are parsed
    if version:
        sys.stdout.write(f"gatewright {__version__}\n")
        raise typer.Exit


@app.command()
def convert(
    model: options.Model,
    output: options.Output,
    weights: options.Weights = None,
    io: options.Io = None,
    reuse: options.Reuse = None,
    strategy: options.Strategy = None,
    precision: options.Precision = None,
    input_precision: options.InputPrecision = None,
    data: options.CalibrationData = None,
    preset: options.Preset = None,
    settings: options.Settings = None,
    hls_config: options.HlsConfig = None,
    target_ii: options.TargetInterval = None,
    fps: options.SamplesPerSecond = None,
    target: options.PipelineTarget = DEFAULT_TARGET,
    clock: options.Clock = None,
    handshake: options.Handshake = None,
    register_ports: options.RegisterPorts = False,
    check_frames: options.CheckFrames = False,
    bus_width: options.BusWidth = None,
    pixels_per_clock: options.PixelsPerClock = None,
    derate: options.Derate = None,
    name: options.TopName = None,
    as_json: options.Json = False,
) -> None:
    """Convert a model: HLS C++ project, golden model, SystemVerilog."""
    from gatewright.flow.convert import convert as run
    from gatewright.flow.convert import load_rtl
    from gatewright.flow.steps import held
    from gatewright.frontend.hls_config import options_of, read_hls_config

    chosen = options_of(
        read_hls_config(hls_config) if hls_config is not None else None,
        io=io,
        reuse_factor=reuse,
        strategy=strategy,
        precision=precision,
        input_precision=input_precision,
        data=str(data) if data is not None else None,
        preset=preset,
        settings=tuple(_setting(text) for text in settings or ()),
        target=target,
        clock_ns=clock,
        derate=derate,
        target_ii=target_ii,
        fps=fps,
        handshake=handshake,
        register_ports=register_ports,
        check_frames=check_frames,
        bus_width=bus_width,
        pixels_per_clock=pixels_per_clock,
    )
    stamp = run(model, weights, chosen, output, name=name, progress=_progress.begin(output))
    with held(output):
        rtl = load_rtl(output)
    _progress.end()
    if stamp.cause:
        say(f"{output}: {stamp.cause}: converted again")
    if as_json:
        _print_json(_conversion(output, rtl, stamp))
    else:
        _say_conversion(output, rtl, stamp)


def _conversion(output: Path, rtl: RtlProject, stamp: Stamp[ConvertResults]) -> dict[str, Any]:
    """The results of a conversion, for scripts."""
    return {
        "directory": str(output),
        "top": rtl.top,
        "latency_predicted": rtl.latency,
        "ii_predicted": rtl.interval,
        "path_ns_estimated": rtl.path_ns,
        "handshake": rtl.handshake,
        "ready_ns_estimated": rtl.ready_ns,
        "clock_ns": rtl.clock_ns,
        "target": rtl.target,
        "modules": [
            {
                "layer": module.layer,
                "latency": module.latency,
                "ii": module.interval,
                "strategy": module.strategy or None,
                "reuse_factor": module.reuse_factor,
                "multipliers": module.multipliers,
                "notes": module.notes,
            }
            for module in rtl.modules
            if module.layer
        ],
        "notes": stamp.results.notes,
        "seconds": stamp.seconds,
    }


def _say_conversion(output: Path, rtl: RtlProject, stamp: Stamp[ConvertResults]) -> None:
    """Print the results of a conversion."""
    for note in stamp.results.notes:
        say(f"{output}: {note}")
    for module in rtl.modules:
        for note in module.notes:
            say(f"{output}: layer '{module.layer}': {note}")
    say(
        f"{output / 'rtl'}: {'written' if stamp.fresh else 'up to date'}, latency {rtl.latency} "
        f"cycles, initiation interval {rtl.interval}, at {rtl.clock_ns:g} ns on "
        f"{rtl.target}{_clock_remark(rtl)}"
    )


def _clock_remark(rtl: RtlProject) -> str:
    """A remark on handshake and clock, by the delay model."""
    text = f", handshake {rtl.handshake}"
    for path, what in ((rtl.path_ns, "an operation"), (rtl.ready_ns, "a ready path")):
        if path is not None and path > rtl.clock_ns:
            text += f"; {what} takes {path:g} ns by the delay model, so the clock is not met"
    return text


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise InputError(
            f"--set {text}: write layer.key=value, e.g. fc1.precision.result=fixed<8,3>"
        )
    return key.strip(), value.strip()


@app.command()
def estimate(
    model: Annotated[
        Path, typer.Argument(help="A model file, as for convert, or a converted project directory.")
    ],
    weights: options.Weights = None,
    io: options.Io = None,
    reuse: options.Reuse = None,
    strategy: options.Strategy = None,
    precision: options.Precision = None,
    input_precision: options.InputPrecision = None,
    preset: options.Preset = None,
    settings: options.Settings = None,
    target_ii: options.TargetInterval = None,
    target: Annotated[
        str | None, typer.Option(help="Target; default xcup, or a directory's own.")
    ] = None,
    clock: options.Clock = None,
    handshake: options.Handshake = None,
    bus_width: options.BusWidth = None,
    pixels_per_clock: options.PixelsPerClock = None,
    as_json: options.Json = False,
) -> None:
    """Estimate resources, latency and Fmax per layer without synthesis."""
    from gatewright.cli import estimates
    from gatewright.flow.estimate import estimate_model, estimate_project
    from gatewright.frontend.hls_config import options_of

    chosen: dict[str, Any] = {
        "io": io,
        "reuse_factor": reuse,
        "strategy": strategy,
        "precision": precision,
        "input_precision": input_precision,
        "preset": preset,
        "settings": tuple(_setting(text) for text in settings or ()),
        "target_ii": target_ii,
        "handshake": handshake,
        "bus_width": bus_width,
        "pixels_per_clock": pixels_per_clock,
    }
    if (model / "convert.json").is_file():
        if weights is not None or any(chosen.values()):
            raise InputError(f"{model}: is converted; only --target and --clock can be given")
        found = estimate_project(model, target, clock)
    else:
        asked = options_of(None, **chosen, target=target or DEFAULT_TARGET, clock_ns=clock)
        found = estimate_model(model, weights, asked, _progress.begin(model))
        _progress.end()
    if as_json:
        _print_json(estimates.estimate_json(found))
        return
    console().print(estimates.estimate_table(found))
    for note in (*found.notes, estimates.origin_text(found), estimates.estimate_text(found)):
        say(f"{model}: {note}")


@app.command()
def quantize(
    model: Annotated[Path, typer.Argument(help="Float tf-keras model: .h5, .keras, .json.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="QKeras model to write, .h5.")
    ] = None,
    weights: options.Weights = None,
    bits: Annotated[
        list[str] | None,
        typer.Option(
            help="Bits of weights and activations: 6, or 4,6, or 4,6,8 with biases; conv1=4,6 "
            "for one layer; weights may be binary, ternary, po2<4>. May be repeated."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Calibration data, .npz with samples x and, optionally, targets y."),
    ] = None,
    relu_integer: Annotated[
        int, typer.Option(min=0, max=15, help="Integer bits of relus if there is no --data.")
    ] = 2,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Show what each layer's bits cost.")
    ] = False,
    max_loss: Annotated[
        float | None,
        typer.Option(
            help="Find bits that lose at most this much accuracy, 0 to 1, or raise the error by at "
            "most this share; starts from --bits or 8."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="What is measured: accuracy, 'mean squared error', ...; OUTPUT=NAME for one of "
            "several outputs. By default the accuracy of labels."
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Quantize a float model, with calibration data or as a start for training."""
    from gatewright.compress import summary_tables as terminal
    from gatewright.compress.bits import parse_bits
    from gatewright.compress.quantize_files import Request, quantize_file

    parsed = parse_bits(bits) if bits else None
    request = Request(
        model, weights, parsed, data, relu_integer, sensitivity, max_loss, output, metric
    )
    outcome = quantize_file(request, _progress.begin(model))
    _progress.end()
    if as_json:
        _print_json(terminal.as_json(outcome))
    else:
        terminal.render(outcome, console())
    if output is not None:
        say(f"{output}: written")


@app.command()
def verify(
    directory: options.Directory,
    inputs: options.Inputs = None,
    samples: options.RandomVectors = None,
    seed: options.VectorSeed = 0,
    stall: options.Stalls = None,
    waves: options.Waves = False,
    fidelity: options.FidelityGate = None,
    no_fidelity: options.NoFidelity = False,
    emulation_limit: options.EmulationLimit = None,
    require_emulation: options.RequireEmulation = False,
    as_json: options.Json = False,
) -> None:
    """Check that RTL = golden = C++ emulation on vectors, and compare with the model itself."""
    from gatewright.flow.gate import missed, parse_gate
    from gatewright.flow.verify import verify as run

    least = parse_gate(fidelity) if fidelity is not None else None
    if fidelity is not None and no_fidelity:
        raise InputError("--fidelity and --no-fidelity: give only one of the two")
    stamp = run(
        directory,
        inputs=inputs,
        samples=samples,
        seed=seed,
        stalls=_patterns(stall),
        waves=waves,
        progress=_progress.begin(directory),
        notice=_progress.notice,
        share=_progress.share,
        fidelity=not no_fidelity,
        emulation_seconds=emulation_limit,
    )
    _progress.end()
    _say_changed(directory, stamp)
    if as_json:
        _print_results(stamp)
    _say_verified(directory, stamp.results, quiet=as_json, require_emulation=require_emulation)
    if fidelity is not None and (lack := missed(stamp.results.fidelity, least)) is not None:
        raise DesignFailure(f"{directory}: {lack}")


def _say_verified(
    directory: Path, results: VerifyResults, *, quiet: bool, require_emulation: bool
) -> None:
    """Print the results of a verification.

    Args:
        directory: the project directory.
        results: results of its verification.
        quiet: whether the figures are printed elsewhere.
        require_emulation: whether the comparison with hls4ml's C++ is required.

    Raises:
        DesignFailure: if vectors differ, or a required comparison is missing.
    """
    from gatewright.flow.gate import lines
    from gatewright.report.sentences import difference_text

    check, timing = results.verification, results.timing
    if check.first_difference is not None:
        raise DesignFailure(
            f"{directory}: {results.mismatches} of {check.vectors} vectors differ; first: "
            f"{difference_text(check.first_difference)}"
        )
    if not quiet:
        say(
            f"{directory}: bit-exact on {check.vectors} vectors; latency "
            f"{_cycles(timing.latency_min, timing.latency_max)} cycles, initiation "
            f"interval {results.interval}; {results.cycles_per_second:,} cycles/s"
        )
    if (why := check.emulation_missing) is not None:
        missing = f"{directory}: not compared with hls4ml's C++: {why}"
        if require_emulation:
            raise DesignFailure(missing)
        say(missing)
    for line in lines(results.fidelity):
        say(f"{directory}: {line}")


def _say_changed(directory: Path, stamp: Stamp[VerifyResults] | Stamp[SynthResults]) -> None:
    """Print which files a step used although they changed after they were made."""
    for changed in stamp.results.changed:
        say(f"{directory}: {changed}")


def _print_results(stamp: Stamp[Any]) -> None:
    _print_json(_with_seconds(stamp))


def _with_seconds(stamp: Stamp[Any]) -> dict[str, Any]:
    """The results of a step and its wall time, for scripts."""
    from gatewright.flow.results import plain

    return {**plain(stamp.results), "seconds": stamp.seconds}


def _cycles(least: int | None, most: int | None) -> str:
    return str(least) if least == most else f"{least} to {most}"


def _patterns(names: list[str] | None) -> list[StallPattern]:
    from gatewright.simulate import STALLS

    patterns = {pattern.name: pattern for pattern in STALLS}
    unknown = [name for name in names or () if name not in patterns]
    if unknown:
        raise InputError(f"--stall {unknown[0]}: choose from {', '.join(patterns)}")
    return [patterns[name] for name in names] if names else list(STALLS)


@app.command()
def fifos(
    directory: options.Directory,
    inputs: options.Inputs = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=options.MOST_VECTORS,
            help="Samples to simulate; default: 8, fewer if slow.",
        ),
    ] = None,
    stall: options.Stalls = None,
    as_json: options.Json = False,
) -> None:
    """Measure the fill levels of FIFOs, set their depths, check that throughput stays the same."""
    from gatewright.flow.fifos import size_fifos

    stamp = size_fifos(
        directory,
        inputs=inputs,
        samples=samples,
        stalls=_patterns(stall),
        progress=_progress.begin(directory),
        notice=_progress.notice,
        share=_progress.share,
    )
    _progress.end()
    if stamp.cause:
        say(f"{directory}: {stamp.cause}: made again")
    if as_json:
        _print_results(stamp)
        return
    depths = stamp.results.depths
    if not depths:
        say(f"{directory}: no FIFOs; every module takes one sample per clock cycle")
        return
    for name, depth in depths.items():
        say(f"{directory}: {name}: {depth} beats")
    say(f"{directory}: initiation interval {stamp.results.interval} as with deep FIFOs")


@app.command()
def synth(
    directory: options.Directory,
    target: Annotated[str, typer.Option(help="Target of hls/targets, or a YAML file.")],
    jobs: Annotated[
        int, typer.Option(min=1, max=_MOST_JOBS, help="Modules synthesized at a time.")
    ] = 2,
    pnr: options.PlaceAndRoute = False,
    seeds: options.PlacerSeeds = None,
    rounds: options.CutRounds = None,
    power: options.GatePower = False,
    inputs: options.PowerInputs = None,
    samples: options.PowerSamples = None,
    as_json: options.Json = False,
) -> None:
    """Synthesize with Yosys and count resources; place and route on request.

    For standard cells, also analyze timing; on request, simulate the netlist for power.
    """
    from gatewright.flow.closure import close_timing
    from gatewright.flow.synthesize import synthesize

    _check_synth(pnr, seeds, rounds, power, inputs, samples)
    progress = _progress.begin(directory)
    placed = None
    if pnr:  # first, because it may schedule the pipeline again
        placed = close_timing(
            directory,
            target,
            rounds=rounds or 1,
            seeds=seeds or 1,
            progress=progress,
            notice=_progress.notice,
        )
    stamp = synthesize(directory, target, jobs=jobs, progress=progress)
    analyzed = _analyzed(directory, target, power, inputs, samples, progress)
    _progress.end()
    _say_changed(directory, stamp)
    if as_json:
        further = analyzed if placed is None else {"place": placed, **analyzed}
        _print_json(
            {**_with_seconds(stamp), **{step: _with_seconds(one) for step, one in further.items()}}
        )
        return
    _say_synthesized(directory, target, stamp, placed, analyzed)


def _check_synth(
    pnr: bool,
    seeds: int | None,
    rounds: int | None,
    power: bool,
    inputs: Path | None,
    samples: int | None,
) -> None:
    """Check that the options of `synth` fit together.

    Raises:
        InputError: if an option has no effect without another one.
    """
    from gatewright.system.files import require_file

    for name, given in (("seeds", seeds), ("rounds", rounds)):
        if given is not None and not pnr:
            raise InputError(f"--{name} is for placement; add --pnr")
    if (inputs is not None or samples is not None) and not power:
        raise InputError("--inputs and --samples are for the power simulation; add --power")
    if inputs is not None:
        require_file(inputs)


def _say_synthesized(
    directory: Path,
    target: str,
    stamp: Stamp[SynthResults],
    placed: Stamp[PlaceResults] | None,
    analyzed: dict[str, Stamp[Any]],
) -> None:
    """Print the results of synthesis, and of placement and timing if there are any."""
    from gatewright.capacity import fit_text
    from gatewright.flow.results import plain
    from gatewright.report.sentences import critical_path_text, power_text, timing_text
    from gatewright.targets import load_target

    total = plain(stamp.results)["total"]
    say(f"{directory}: {target}: " + ", ".join(f"{v:g} {k}" for k, v in total.items()))
    if (fit := fit_text(load_target(target), stamp.results.total)) is not None:
        say(f"{directory}: {target}: {fit}")
    if placed is not None:
        say(f"{directory}: {critical_path_text(target, placed.results.routed)}")
    if "silicon" in analyzed:
        say(f"{directory}: {timing_text(target, analyzed['silicon'].results.analyzed)}")
    if "power" in analyzed:
        say(f"{directory}: {power_text(target, analyzed['power'].results.power)}")


def _analyzed(
    directory: Path,
    target: str,
    power: bool,
    inputs: Path | None,
    samples: int | None,
    progress: Callable[[str], None],
) -> dict[str, Stamp[Any]]:
    """Timing of standard cells, and power on request, by step; empty for FPGAs.

    Raises:
        UnsupportedError: if power is requested for an FPGA.
    """
    from gatewright.flow import silicon
    from gatewright.targets import load_target

    if not power and load_target(target).family.standard_cells is None:
        return {}
    silicon.require_cells(target)
    found: dict[str, Stamp[Any]] = {}
    try:
        found["silicon"] = silicon.analyze_timing(directory, target, progress=progress)
    except MissingToolError as error:  # the other results don't need it
        if power:
            raise
        _progress.notice(f"{directory}: no timing: {error}")
    if power:
        found["power"] = silicon.measure_power(
            directory, target, inputs=inputs, samples=samples, progress=progress
        )
    return found


@app.command()
def fmax(
    model: Annotated[
        Path, typer.Argument(metavar="DIR|MODEL", help="A converted project, or a model file.")
    ],
    target: options.Device,
    rounds: options.SearchRounds = 4,
    seeds: options.PlacerSeeds = None,
    input_precision: options.InputPrecision = None,
    as_json: options.Json = False,
) -> None:
    """Find the highest clock on a device, and the latency in ns at it."""
    import tempfile

    from gatewright.flow.convert import convert as to_project
    from gatewright.flow.fmax import find_fmax
    from gatewright.options import ConvertOptions

    tell = _progress.begin(model)
    with tempfile.TemporaryDirectory(prefix="gatewright-fmax-") as scratch:
        directory = model
        if not (model / "convert.json").is_file():
            directory = Path(scratch, "project")
            wanted = ConvertOptions(target=target, input_precision=input_precision)
            to_project(model, None, wanted, directory, progress=tell)
        elif input_precision is not None:
            raise InputError("--input-precision is for models; this is a converted project")
        found = find_fmax(
            directory,
            target,
            rounds=rounds,
            seeds=seeds or 1,
            progress=tell,
            notice=lambda sentence: _progress.notice(f"{model}: {sentence}"),
        )
    _progress.end()
    if as_json:
        _print_results(found)
        return
    say(f"{model}: highest clock: {found.results.fastest.sentence}")
    if found.results.least_latency != found.results.fastest:
        say(f"{model}: least latency: {found.results.least_latency.sentence}")


def _list_figures(requested: bool) -> None:
    if requested:
        from gatewright.report.view import figure_lines

        for line in figure_lines():
            show(line)
        raise typer.Exit


@app.command()
def report(
    directories: options.Reported,
    html: options.PageFile = None,
    json_file: options.JsonFile = None,
    csv: options.CsvFile = None,
    markdown: options.MarkdownFile = None,
    budget: options.Budgets = None,
    against: options.Against = None,
    tolerance: options.Tolerances = None,
    prices: options.PriceFile = None,
    _: Annotated[
        bool,
        typer.Option(
            "--figures",
            is_eager=True,
            callback=_list_figures,
            help="List the figures for budgets and searches.",
        ),
    ] = False,
) -> None:
    """Show or write the results of projects; check them against budgets and an older report."""
    from gatewright.cli.reports import (
        check_one_model,
        gate_regressions,
        judge,
        refresh_reports,
        write_one_model,
    )
    from gatewright.report.budget import parse_budgets
    from gatewright.report.html import write_html
    from gatewright.report.prices import read_prices
    from gatewright.report.report_files import load_models
    from gatewright.report.terminal import render_terminal
    from gatewright.report.tolerance import parse_tolerance
    from gatewright.system.files import check_new_file

    budgets = [one for text in budget or () for one in parse_budgets(text)]
    costs = None if prices is None else read_prices(prices)
    tolerances = [parse_tolerance(text) for text in tolerance or ()]
    if tolerances and against is None:
        raise InputError("--tolerance is for comparing with an older report; add --against")
    to_stdout = json_file == Path("-")
    for file in filter(None, (html, csv, markdown, None if to_stdout else json_file)):
        check_new_file(file)
    refresh_reports(directories)
    models = judge(load_models(directories), budgets, against, costs)
    check_one_model(models, {"--json": json_file, "--csv": csv, "--markdown": markdown})
    if html:
        write_html(models, html)
    write_one_model(models[0], None if to_stdout else json_file, csv, markdown)
    for model in models:
        if to_stdout:
            show_json(model.sweep.to_json())
        else:
            render_terminal(
                model.sweep,
                console(),
                verdicts=model.verdicts,
                difference=model.difference,
                prices=model.prices,
            )
    for model in models:
        _gate(model.sweep, model.verdicts)
    gate_regressions(models, tolerances)


@app.command()
def cost(
    directories: options.Projects,
    prices: options.PriceFile = None,
    batch: options.SoftwareBatch = 256,
    seconds: options.SoftwareSeconds = 1.0,
    measure: options.Measured = True,
    csv: options.CsvFile = None,
    as_json: options.Json = False,
) -> None:
    """Time the model as software here; tell latency, energy and cost on each device beside it."""
    from gatewright.cli.costs import measure_all, print_costs, report_costs
    from gatewright.report.prices import read_prices
    from gatewright.system.files import check_new_file

    known = None if prices is None else read_prices(prices)
    if csv is not None:
        check_new_file(csv)
    if measure:
        measure_all(directories, batch, seconds, _progress.begin)
        _progress.end()
    sweeps = report_costs(directories)
    print_costs(sweeps, known, csv=csv, as_json=as_json)


@app.command("import-report")
def import_report(
    files: options.ReportFiles,
    output: options.AttachTo = None,
    stage: options.ReportStage = None,
    design: options.ReportDesign = None,
    as_json: options.Json = False,
) -> None:
    """Read reports of Vivado, Vitis HLS, Quartus, oneAPI and Radiant; attach them to a project."""
    from gatewright.flow.import_reports import attach_reports
    from gatewright.vendor.readers.reading import parse_stage, read_reports

    known = None if stage is None else parse_stage(stage)
    if design is not None and output is None:
        raise InputError("--design is for attaching reports to a project; add -o DIR")
    if output is not None:
        stamps = attach_reports(
            output, files, stage=known, design=design, progress=_progress.begin(output)
        )
        _progress.end()
        found = {stamp.results.key: stamp.results for stamp in stamps}
    else:
        found = read_reports(files, known)
    _show_imported(list(found.values()), as_json=as_json)
    if output is not None and not as_json:
        say(f"{output}: {', '.join(found)}: attached; 'gatewright report {output}' shows them")


@app.command()
def vendor(
    directory: options.Directory,
    tool: options.VendorTools = None,
    part: options.Part = None,
    board: options.BoardName = None,
    run: options.RunTools = False,
    until: options.Until = None,
    limit: options.RunLimit = None,
    as_json: options.Json = False,
) -> None:
    """Write projects for vendor tools: scripts, constraints, a board wrapper, a FuseSoC core."""
    from gatewright.flow.vendor_projects import VENDOR, write_vendor_projects
    from gatewright.vendor.projects.boards import load_board
    from gatewright.vendor.projects.devices import PROJECT_TOOLS, parse_tool

    tools = [parse_tool(name) for name in dict.fromkeys(tool or ())]
    if run:
        if board is not None:
            raise InputError("--run is out of context, without --board; run board.tcl yourself")
        _run_vendor_tools(directory, tools, part, until, limit, as_json=as_json)
        return
    if until is not None or limit is not None:
        raise InputError("--until and --limit are for running tools; add --run")
    found = None if board is None else load_board(board)
    if not tools:
        tools = list(PROJECT_TOOLS) if found is None else [found.tool]
    projects = write_vendor_projects(
        directory, tools, part=part, board=found, progress=_progress.begin(directory)
    )
    _progress.end()
    if as_json:
        _print_json({name: project.part for name, project in projects.items()})
        return
    for name, project in projects.items():
        say(f"{directory / VENDOR / name}: written, for {project.part}")


def _run_vendor_tools(
    directory: Path,
    tools: list[ProjectTool],
    part: str | None,
    until: str | None,
    limit: float | None,
    *,
    as_json: bool,
) -> None:
    """Run vendor tools, by default those on PATH, and print the figures of their reports."""
    from gatewright.flow.vendor_projects import run_vendor_tools
    from gatewright.vendor.drivers import DRIVERS, SECONDS, available
    from gatewright.vendor.readers.reading import parse_stage

    tools = tools or available()
    if not tools:
        raise InputError(f"--run: none of {', '.join(DRIVERS)} is on PATH")
    stamps = run_vendor_tools(
        directory,
        tools,
        part=part,
        until=None if until is None else parse_stage(until, "--until"),
        seconds=SECONDS if limit is None else limit,
        progress=_progress.begin(directory),
    )
    _progress.end()
    _show_imported([stamp.results for stamp in stamps], as_json=as_json)


def _show_imported(found: Sequence[Imported], *, as_json: bool) -> None:
    if as_json:
        _print_json({one.key: one.model_dump(mode="json", exclude_none=True) for one in found})
    else:
        for one in found:
            show(one.sentence)


def _gate(found: SweepReport, verdicts: Sequence[Any]) -> None:
    failed = [verdict for verdict in verdicts if not verdict.ok]
    if failed:
        raise DesignFailure("; ".join(str(verdict) for verdict in failed))
    broken = [r.config.name for r in found.reports if r.verification and not r.verification.passed]
    if broken:
        raise DesignFailure(f"not bit-exact: {', '.join(broken)}")


@app.command()
def run(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR|SWEEP.yaml", help="A zoo model.")],
    config: Annotated[list[str] | None, typer.Option(help="Only this configuration.")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Build directory.")] = Path(
        "build"
    ),
    jobs: Annotated[int, typer.Option(min=1, max=_MOST_JOBS, help="Configurations at a time.")] = 2,
    force: Annotated[bool, typer.Option(help="Do every step again.")] = False,
    baselines: options.Baselines = True,
    publish: options.Publish = None,
    target: options.SweepTarget = None,
    clock: options.SweepClock = None,
    pnr: options.PlaceAndRoute = False,
    rounds: options.CutRounds = None,
    power: options.GatePower = False,
    as_json: options.Json = False,
) -> None:
    """Train, convert, verify and synthesize every configuration of a sweep, then report."""
    from gatewright.explore.hardware import Physical
    from gatewright.explore.runs import run_sweep
    from gatewright.report.terminal import render_terminal

    _check_synth(pnr, None, rounds, power, None, None)
    result = run_sweep(
        model,
        config or [],
        output,
        make_engine=lambda: _engine("local", None, jobs, None),
        force=force,
        baselines=baselines,
        publish=publish,
        target=target,
        clock_ns=clock,
        physical=Physical((rounds or 1) if pnr else 0, power),
        say=say,
    )
    if as_json:
        show_json(result.reports.to_json())
    else:
        render_terminal(result.reports, console())
    say(f"report: {result.page}")
    if result.failures:
        raise DesignFailure("; ".join(result.failures))
    _gate(result.reports, [])


@app.command()
def explore(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR|SWEEP.yaml", help="A zoo model.")],
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Number of trials; default: as in the file."),
    ] = None,
    engine: Annotated[str, typer.Option(help="local: processes here; ray: a cluster.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="Ray cluster, HOST:PORT or auto; default: one is started.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, max=_MOST_JOBS, help="Trials at a time; default: one per core."),
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(min=0.1, max=1e6, help="GiB that a trial needs; limits --jobs."),
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Directory of results; default: in the cache directory.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Build directory.")] = Path(
        "build"
    ),
    baselines: options.Baselines = True,
    publish: options.Publish = None,
    as_json: options.Json = False,
) -> None:
    """Search the space of a sweep file; verify, synthesize and report the front.

    After a kill or an interrupt, run it again: it resumes.
    """
    from gatewright.explore.runs import default_store, run_search
    from gatewright.report.terminal import render_terminal

    if engine not in ("local", "ray"):
        raise InputError(f"--engine {engine}: choose from local, ray")
    if address is not None and engine != "ray":
        raise InputError("--address is for a Ray cluster; add --engine ray")
    result = run_search(
        model,
        output,
        make_engine=lambda: _engine(engine, address, jobs, memory),
        store=store or default_store(),
        trials=trials,
        baselines=baselines,
        publish=publish,
    )
    if as_json:
        show_json(result.reports.to_json())
    else:
        render_terminal(result.reports, console())
    say(f"report: {result.page}")


def _engine(name: str, address: str | None, jobs: int | None, memory: float | None) -> Engine:
    from gatewright.explore.engine import TASK_MEMORY

    per_task = TASK_MEMORY if memory is None else int(memory * (1 << 30))
    made: Engine
    if name == "ray":
        from gatewright.explore.cluster import ClusterEngine

        made = ClusterEngine(address, jobs, per_task)
    else:
        from gatewright.explore.local import LocalEngine

        made = LocalEngine(jobs, per_task)
        if made.short_of_memory:
            say(
                f"memory allows {made.workers} tasks at a time, {per_task / (1 << 30):.3g} GiB each"
            )
    return made


@app.command()
def layers(
    as_json: options.Json = False,
    markdown: Annotated[bool, typer.Option(help="Print the page docs/layers.md.")] = False,
) -> None:
    """List supported layers, io types and strategies, and the tests that show it."""
    from gatewright.cli import coverage

    if as_json:
        _print_json(coverage.as_json())
    elif markdown:
        sys.stdout.write(coverage.markdown())
    else:
        console().print(coverage.table())


@app.command()
def cache(
    kind: Annotated[str | None, typer.Argument(help="Only this kind of data.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove everything.")] = False,
    max_size: Annotated[
        str | None, typer.Option(help="Remove the least recently used, down to e.g. 10GB.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(help="Remove what was not used for e.g. 12h, 30d or 4w.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show or remove cached data."""
    from rich.filesize import decimal

    from gatewright.system import cache as kept

    size = kept.parse_size(max_size, "--max-size") if max_size is not None else None
    age = kept.parse_age(older_than, "--older-than") if older_than is not None else None
    limit = kept.bound()
    if clear or size is not None or age is not None:
        freed = kept.clear(kind) if clear else kept.shrink(size, age=age, kind=kind)
        sys.stderr.write(f"{kept.cache_dir()}: {decimal(freed)} removed\n")
    found = [one for one in kept.kinds() if kind in (None, one.name)]
    if as_json:
        listed = [{**asdict(one), "bounded": one.name not in kept.LASTING} for one in found]
        _print_json({"directory": str(kept.cache_dir()), "bound": limit, "kinds": listed})
        return
    for one in found:
        days = one.oldest / 86400
        lasting = ", not counted in the limit" if one.name in kept.LASTING else ""
        sys.stdout.write(
            f"{one.name}: {one.entries} entries, {decimal(one.size)}, "
            f"the oldest unused for {days:.1f} days{lasting}\n"
        )
    bounded = sum(one.size for one in found if one.name not in kept.LASTING)
    sys.stdout.write(f"{kept.cache_dir()}: {decimal(bounded)} of {decimal(limit)}\n")


@frontends.command("add")
def add_frontend(name: options.Frontend) -> None:
    """Make the environment of a front end, unless it is there."""
    from gatewright.frontend.environments import add, environment

    wanted = environment(name)
    made = add(wanted, _progress.begin(wanted.folder))
    _progress.end()
    done = "made" if made else "is there already"
    sys.stdout.write(f"{wanted.name} {wanted.version}: {done}; {wanted.purpose}\n")


@frontends.command("list")
def list_frontends(as_json: options.Json = False) -> None:
    """Show which front ends there are, and which environments have been made."""
    from gatewright.frontend.environments import ENVIRONMENTS

    if as_json:
        _print_json(
            [
                {
                    "name": each.name,
                    "version": each.version,
                    "purpose": each.purpose,
                    "directory": str(each.folder) if each.python else None,
                }
                for each in ENVIRONMENTS.values()
            ]
        )
        return
    for each in ENVIRONMENTS.values():
        state = str(each.folder) if each.python else f"absent; type: {each.remedy}"
        show(f"{each.name} {each.version}: {each.purpose} ({each.size}): {state}")


@frontends.command("program")
def program(
    checkpoint: options.Checkpoint,
    of: options.OfClass,
    shape: options.Shapes,
    output: options.ProgramFile,
) -> None:
    """Make a program of PyTorch (.pt2) of a checkpoint. Runs the code of the class's file."""
    from gatewright.frontend.readers.torch_program import write_program

    _progress.begin(output)("running the class's file, and exporting with PyTorch")
    write_program(checkpoint, of, shape, output)
    _progress.end()
    show(f"{output}: written; convert it with 'gatewright convert {output} -o DIR'")


@frontends.command("remove")
def remove_frontend(name: options.Frontend) -> None:
    """Remove the environment of a front end."""
    from gatewright.frontend.environments import discard, environment

    wanted = environment(name)
    done = "removed" if discard(wanted) else "was not there"
    sys.stdout.write(f"{wanted.name}: {done}\n")


@app.command()
def doctor(as_json: options.Json = False) -> None:
    """Show what is installed, what is missing, and how to get it."""
    from gatewright.cli.doctor import examine

    checks = examine()
    if as_json:
        _print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            show(str(check))
    missing = [check.name for check in checks if check.required and not check.found]
    if missing:
        raise InputError(f"missing: {', '.join(missing)}; the list above says how to get it")
