"""Types of the arguments and options of commands, with their text in `--help`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MOST_VECTORS = 1_000_000_000
MOST_SEED = (1 << 32) - 1

# Options of several commands

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A converted project directory.")]
Json = Annotated[bool, typer.Option("--json", help="Print the results as JSON on stdout.")]
Baselines = Annotated[
    bool, typer.Option(help="Also measure the network as software on this machine.")
]
SweepTarget = Annotated[
    str | None, typer.Option("--target", help="Another target than the sweep's, at its own clock.")
]
SweepClock = Annotated[
    float | None,
    typer.Option("--clock", min=1e-3, max=1e6, help="Clock period in ns, for all configurations."),
]
Publish = Annotated[
    Path | None, typer.Option(help="Also write JSON and Markdown into this directory.")
]
Weights = Annotated[
    Path | None, typer.Option(help="Weights (.h5), if the model file has only the architecture.")
]
Inputs = Annotated[Path | None, typer.Option(help="Samples, .npy or .npz.")]
Stalls = Annotated[list[str] | None, typer.Option(help="Stall patterns by name; default all.")]

# Options of `frontend`

Frontend = Annotated[str, typer.Argument(metavar="NAME", help="hgq2 or torch.")]
Checkpoint = Annotated[Path, typer.Argument(help="Weights, of torch.save(model.state_dict(), ..).")]
OfClass = Annotated[
    str,
    typer.Option("--class", metavar="FILE:CLASS", help="Its class; the file runs: trust it first."),
]
Shapes = Annotated[
    list[str], typer.Option(help="Shape of a sample, as 4x10; once for each input, in order.")
]
ProgramFile = Annotated[Path, typer.Option("-o", "--output", help="File to write, .pt2.")]

# Options of `convert`

Model = Annotated[
    Path,
    typer.Argument(help="Model: .keras, .h5, SavedModel, .json with --weights, .onnx, .pt2, .fml."),
]
Output = Annotated[Path, typer.Option("-o", "--output", help="Project directory to make.")]
Io = Annotated[
    str | None,
    typer.Option(help="parallel (default): one beat per tensor; stream: one beat per pixel."),
]
Reuse = Annotated[int | None, typer.Option(help="Products per multiplier; 1 is fully unrolled.")]
Strategy = Annotated[str | None, typer.Option(help="latency, resource or distributed_arithmetic.")]
Precision = Annotated[
    str | None, typer.Option(help="Precision where it can't be inferred, e.g. fixed<16,6>.")
]
InputPrecision = Annotated[str | None, typer.Option(help="Precision of the inputs.")]
CalibrationData = Annotated[
    Path | None, typer.Option(help="Calibration samples to choose types from, .npy or .npz.")
]
Preset = Annotated[str | None, typer.Option(help="Preset of hls/presets, or a YAML file.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="layer.key=value; may be repeated.")
]
HlsConfig = Annotated[
    Path | None, typer.Option(help="hls4ml's own configuration, hls4ml_config.yml.")
]
TargetInterval = Annotated[
    int | None,
    typer.Option(help="Clock cycles per sample; picks the cheapest reuse factors that reach it."),
]
SamplesPerSecond = Annotated[
    float | None, typer.Option(help="Like --target-ii, in samples per second.")
]
PipelineTarget = Annotated[str, typer.Option(help="Target device that the pipeline is built for.")]
Clock = Annotated[float | None, typer.Option(help="Clock period in ns.")]
Handshake = Annotated[
    str | None,
    typer.Option(
        help="Backpressure in pipelines: stall, slice or credit; default: what the clock needs."
    ),
]
RegisterPorts = Annotated[
    bool, typer.Option("--register-ports", help="Add registers at all ports of the top.")
]
CheckFrames = Annotated[
    bool,
    typer.Option("--check-frames", help="Drop frames with tlast too early or too late."),
]
PixelsPerClock = Annotated[
    int | None,
    typer.Option(
        help="Pixels per beat at the ports; layers at reuse factor 1 keep up with them.",
    ),
]
BusWidth = Annotated[
    int | None,
    typer.Option(help="Bits of tdata at all ports: 32, 64, 128, 256 or 512; default: a beat."),
]
Derate = Annotated[
    float | None,
    typer.Option(help="Factor on the times of the target's delay model; default 1."),
]
TopName = Annotated[str | None, typer.Option(help="Name of the top module.")]

# Options of `verify`

RandomVectors = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_VECTORS,
        help="Random vectors if there are no --inputs; default: 1000, fewer if slow.",
    ),
]
VectorSeed = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of the random vectors.")]
Waves = Annotated[bool, typer.Option(help="Record a waveform.")]
FidelityGate = Annotated[
    str | None,
    typer.Option(
        metavar="exact|PERCENT",
        help="Exit 1 unless outputs equal the model's predictions, or classes agree in this many "
        "percent.",
    ),
]
NoFidelity = Annotated[
    bool,
    typer.Option("--no-fidelity", help="Don't compare with the model itself; needs no TensorFlow."),
]
EmulationLimit = Annotated[
    float | None,
    typer.Option(
        min=1, metavar="SECONDS", help="Time limit for compiling hls4ml's C++; default 900."
    ),
]
RequireEmulation = Annotated[
    bool,
    typer.Option("--require-emulation", help="Exit 1 if hls4ml's C++ could not be compared."),
]

# Options of `import-report`

ReportFiles = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Reports of vendor tools.")
]
AttachTo = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Project directory to attach them to."),
]
ReportStage = Annotated[
    str | None,
    typer.Option(help="synthesized, placed or routed, if a timing report doesn't say."),
]
ReportDesign = Annotated[
    str | None, typer.Option(help="Name of the design in the reports, if not that of its top.")
]

# Options of `vendor`

VendorTools = Annotated[
    list[str] | None,
    typer.Option(
        "--tool", help="vivado, quartus, vitis_hls or radiant; may be repeated; default: all."
    ),
]
Part = Annotated[
    str | None,
    typer.Option(help="Device for a single --tool; default: the target's, or a large one."),
]
BoardName = Annotated[
    str | None, typer.Option("--board", help="Board of hls/boards, or a YAML file, for the pins.")
]
RunTools = Annotated[
    bool,
    typer.Option("--run", help="Run the tools, by default those on PATH; attach their reports."),
]
Until = Annotated[
    str | None, typer.Option(help="Last step of the run: synthesized, placed or routed.")
]
RunLimit = Annotated[
    float | None,
    typer.Option(
        min=1, max=10_000_000, metavar="SECONDS", help="Time limit for each tool; default 28800."
    ),
]

# Options of `synth` and `fmax`

Device = Annotated[str, typer.Option("--target", help="A device, for example ecp5-85k.")]

GatePower = Annotated[
    bool,
    typer.Option("--power", help="Simulate standard cells for power and energy per inference."),
]
PowerInputs = Annotated[
    Path | None, typer.Option("--inputs", help="Samples for --power; default: random values.")
]
PowerSamples = Annotated[
    int | None, typer.Option("--samples", min=1, help="Vectors for --power; default: up to 200.")
]

PlaceAndRoute = Annotated[
    bool, typer.Option("--pnr", help="Place and route as well, with nextpnr: Fmax, slack.")
]
PlacerSeeds = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="Runs of the placer; the worst one counts. Default: 1."),
]
CutRounds = Annotated[
    int | None,
    typer.Option(
        "--rounds",
        min=1,
        max=20,
        help="Most runs of placement; if the clock is missed, the pipeline is scheduled again with "
        "what routing showed. Default: 1.",
    ),
]
SearchRounds = Annotated[
    int, typer.Option("--rounds", min=1, max=20, help="Most pipelines to try.")
]

# Options of `report`

Reported = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Project directories, or report files.")
]
PageFile = Annotated[Path | None, typer.Option(help="Write a self-contained page.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write JSON; - prints it instead of the table.")
]
CsvFile = Annotated[Path | None, typer.Option(help="Write CSV.")]
MarkdownFile = Annotated[Path | None, typer.Option(help="Write Markdown.")]
Budgets = Annotated[list[str] | None, typer.Option(help="E.g. lut=20000; exit 1 if missed.")]
Against = Annotated[
    Path | None, typer.Option(help="Older report; exit 1 if figures are now worse.")
]
Tolerances = Annotated[
    list[str] | None,
    typer.Option(
        help="With --against: how much worse is allowed, e.g. 5%, lut=10%, slack=0.1; default 2%."
    ),
]

# Options of `report` and `cost`

PriceFile = Annotated[
    Path | None,
    typer.Option(
        "--prices", help="Prices of devices and electricity, YAML: cost of a million inferences."
    ),
]

# Options of `cost`

Projects = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Converted project directories.")
]
SoftwareBatch = Annotated[
    int,
    typer.Option(
        "--batch", min=1, max=1 << 16, help="Samples per call, for the throughput of software."
    ),
]
SoftwareSeconds = Annotated[
    float,
    typer.Option("--seconds", min=0.01, max=3600, help="Time for each measurement, in s."),
]
Measured = Annotated[
    bool, typer.Option("--measure/--no-measure", help="Measure the model in software here.")
]
