"""The command line: a thin door onto `gatewright.flow`."""

from __future__ import annotations

import errno
import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewright import __version__
from gatewright.errors import DesignFailure, GatewrightError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from gatewright.report.schema import SweepReport

app = typer.Typer(
    name="gatewright",
    help="Quantized Keras models in, verified hardware out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A converted project directory.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the results as JSON on stdout.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0 (done), 1 (the answer is no) or 2 (wrong input)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    try:
        status = app(given, standalone_mode=False)
    except typer.Abort:
        status = _complain("interrupted; run the same command again to go on", 130)
    except KeyboardInterrupt:
        status = _complain("interrupted; run the same command again to go on", 130)
    except typer.TyperException as error:
        status = _complain(" ".join(error.format_message().split()), 2)
    except GatewrightError as error:
        if debug:
            traceback.print_exc()
        status = _complain(str(error), error.exit_status)
    except OSError as error:
        if debug or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        where = f"{error.filename}: " if error.filename else ""
        status = _complain(f"{where}cannot be written ({error.strerror})", 2)
    sys.exit(status or 0)


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"gatewright: {message}\n")
    return status


def _console() -> Console:
    from rich.console import Console

    return Console()


def _say(text: str) -> None:
    """A line of progress, on stderr so that stdout carries results alone."""
    sys.stderr.write(text + "\n")


def _print_json(results: Any) -> None:
    sys.stdout.write(json.dumps(results, indent=1) + "\n")


@app.callback(invoke_without_command=True)
def _common(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    del debug  # taken off the arguments by main, which must know it before parsing
    if version:
        sys.stdout.write(f"gatewright {__version__}\n")
        raise typer.Exit


@app.command()
def convert(
    model: Annotated[Path, typer.Argument(help="Model: .keras, .h5, .json with --weights, .fml.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Project directory to make.")],
    weights: Annotated[
        Path | None, typer.Option(help="Weights (.h5) of a model whose file is its architecture.")
    ] = None,
    io: Annotated[
        str, typer.Option(help="parallel: a beat is a whole tensor; stream.")
    ] = "parallel",
    reuse: Annotated[int | None, typer.Option(help="Reuse factor; 1 is fully unrolled.")] = None,
    strategy: Annotated[
        str | None, typer.Option(help="latency, resource or distributed_arithmetic.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="Precision of what can't be inferred, e.g. fixed<16,6>.")
    ] = None,
    input_precision: Annotated[str | None, typer.Option(help="Precision of the inputs.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Preset of hls/presets, or a YAML file.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="layer.key=value; may be repeated.")
    ] = None,
    target: Annotated[str, typer.Option(help="Target that the pipeline is cut for.")] = "xcup",
    clock: Annotated[float | None, typer.Option(help="Clock period in ns.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the top module.")] = None,
    as_json: _Json = False,
) -> None:
    """Convert a model: HLS C++ project, golden model, SystemVerilog."""
    from gatewright.flow.convert import convert as run
    from gatewright.flow.convert import load_rtl
    from gatewright.options import ConvertOptions

    options = ConvertOptions(
        io=io,  # type: ignore[arg-type]
        reuse_factor=reuse,
        strategy=strategy,  # type: ignore[arg-type]
        precision=precision,
        input_precision=input_precision,
        preset=preset,
        settings=tuple(_setting(text) for text in settings or ()),
        target=target,
        clock_ns=clock,
    )
    stamps = run(model, weights, options, output, name=name)
    rtl = load_rtl(output)
    if as_json:
        _print_json(
            {
                "directory": str(output),
                "top": rtl.top,
                "latency_predicted": rtl.latency,
                "clock_ns": rtl.clock_ns,
                "target": rtl.target,
                "modules": [
                    {"layer": m.layer, "latency": m.latency, "strategy": m.strategy or None}
                    for m in rtl.modules
                    if m.layer
                ],
                "seconds": {stamp.step: stamp.seconds for stamp in stamps},
            }
        )
    else:
        done = "up to date" if not any(stamp.fresh for stamp in stamps) else "written"
        _say(
            f"{output / 'rtl'}: {done}, {rtl.latency} pipeline stages at {rtl.clock_ns:g} ns "
            f"on {rtl.target}"
        )


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise InputError(
            f"--set {text}: write layer.key=value, e.g. fc1.precision.result=fixed<8,3>"
        )
    return key.strip(), value.strip()


@app.command()
def verify(
    directory: _Directory,
    inputs: Annotated[Path | None, typer.Option(help="Samples, .npy or .npz.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Random vectors, without --inputs.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the random vectors.")] = 0,
    stall: Annotated[
        list[str] | None, typer.Option(help="Stall patterns by name; default all.")
    ] = None,
    waves: Annotated[bool, typer.Option(help="Record a waveform.")] = False,
    as_json: _Json = False,
) -> None:
    """Prove RTL = golden = C++ emulation on vectors, in Verilator under cocotb."""
    from gatewright.flow.verify import verify as run
    from gatewright.simulate import STALLS

    patterns = {pattern.name: pattern for pattern in STALLS}
    unknown = [name for name in stall or () if name not in patterns]
    if unknown:
        raise InputError(f"--stall {unknown[0]}: there are {', '.join(patterns)}")
    chosen = [patterns[name] for name in stall] if stall else list(STALLS)
    stamp = run(directory, inputs=inputs, samples=samples, seed=seed, stalls=chosen, waves=waves)
    results = stamp.results
    if as_json:
        _print_json({**results, "seconds": stamp.seconds})
    difference = results["difference"]
    if difference is not None:
        from gatewright.flow.compare import Difference

        wrong = max(results["mismatches"], results["emulation_mismatches"])
        raise DesignFailure(
            f"{directory}: {wrong} of {results['vectors']} vectors differ; first: "
            f"{Difference(**difference)}"
        )
    if not as_json:
        _say(
            f"{directory}: bit-exact on {results['vectors']} vectors; latency "
            f"{results['latency_max']} cycles, initiation interval {results['interval']}; "
            f"{results['cycles_per_second']:,} cycles/s"
        )


@app.command()
def synth(
    directory: _Directory,
    target: Annotated[str, typer.Option(help="Target of hls/targets, or a YAML file.")],
    jobs: Annotated[int, typer.Option(min=1, help="Modules synthesized at a time.")] = 2,
    as_json: _Json = False,
) -> None:
    """Synthesize with Yosys and count resources, per module too."""
    from gatewright.flow.synthesize import synthesize

    stamp = synthesize(directory, target, jobs=jobs)
    if as_json:
        _print_json({**stamp.results, "seconds": stamp.seconds})
    else:
        total = {k: v for k, v in stamp.results["total"].items() if v is not None}
        _say(f"{directory}: {target}: " + ", ".join(f"{v:g} {k}" for k, v in total.items()))


@app.command()
def report(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Project directories, or report files.")
    ],
    html: Annotated[Path | None, typer.Option(help="Write a self-contained page.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write JSON.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write CSV.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write Markdown.")] = None,
    budget: Annotated[
        list[str] | None, typer.Option(help="Gate, e.g. lut=20000; exit 1 if missed.")
    ] = None,
    against: Annotated[Path | None, typer.Option(help="Older report to compare with.")] = None,
) -> None:
    """Show the results of project directories; write them; gate on budgets."""
    from gatewright.flow.summary import summarize
    from gatewright.report.budget import check_budgets, parse_budget
    from gatewright.report.csv import write_csv
    from gatewright.report.diff import compare
    from gatewright.report.html import write_html
    from gatewright.report.markdown import write_markdown
    from gatewright.report.store import load_reports, write_json, write_report
    from gatewright.report.terminal import render_terminal

    budgets = [parse_budget(text) for text in budget or ()]
    for directory in directories:
        if (directory / "convert.json").is_file() and not (directory / "report.json").is_file():
            write_report(summarize(directory), directory)
    found = load_reports(directories)
    verdicts = check_budgets(found, budgets)
    difference = compare(found, load_reports([against])) if against else None
    if html:
        write_html(found, html, verdicts=verdicts, difference=difference)
    if json_file:
        write_json(found, json_file)
    if csv:
        write_csv(found, csv)
    if markdown:
        write_markdown(found, markdown, verdicts=verdicts, difference=difference)
    render_terminal(found, _console(), verdicts=verdicts, difference=difference)
    _gate(found, verdicts)


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
    jobs: Annotated[int, typer.Option(min=1, help="Configurations at a time.")] = 2,
    force: Annotated[bool, typer.Option(help="Do every step again.")] = False,
    publish: Annotated[
        Path | None, typer.Option(help="Also write JSON and Markdown into this folder.")
    ] = None,
) -> None:
    """Take a model through every configuration of its sweep, then report."""
    from gatewright.flow.sweep import run_sweep
    from gatewright.report.terminal import render_terminal

    result = run_sweep(
        model, config or [], output, jobs=jobs, force=force, publish=publish, say=_say
    )
    render_terminal(result.reports, _console())
    _say(f"report: {result.page}")
    if result.failures:
        raise DesignFailure("; ".join(result.failures))
    _gate(result.reports, [])


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing, and what to type to get it."""
    from gatewright.doctor import examine

    checks = examine()
    for check in checks:
        sys.stdout.write(f"{check}\n")
    missing = [check.name for check in checks if check.required and not check.found]
    if missing:
        raise InputError(f"missing: {', '.join(missing)}")
