"""The options of a conversion as plain data, and presets of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.parsing.documents import read_yaml
from gatewright.parsing.strict import MOST_CYCLES, first_problem
from gatewright.system.package_data import DEFAULT_TARGET, data_dir

Io = Literal["parallel", "stream"]
Strategy = Literal["latency", "resource", "distributed_arithmetic"]
Inference = Literal["safe", "hls4ml"]
Handshake = Literal["stall", "slice", "credit"]
BusWidth = Literal[32, 64, 128, 256, 512]

STRATEGIES: tuple[str, ...] = get_args(Strategy)
#: Hardware settings per layer that hls4ml does not have; the first choice is the default.
HARDWARE_CHOICES: dict[str, tuple[str, ...]] = {
    "multiplier": ("auto", "dsp", "lut"),
    "rom_style": ("auto", "block", "distributed"),
    "ram_style": ("auto", "block", "distributed"),
}
DEFAULT_PRECISION = "fixed<16,6>"

#: Bounds of clock periods in ns and of samples per second, far wider than real devices.
CLOCKS_NS = (0.01, 1e6)
RATES = (1e-3, 1e12)
DERATES = (0.1, 10.0)
_MOST_ENTRIES = 1 << 20  # entries of a table
_LONGEST_SETTING = 200  # characters of a key, or of a value


@dataclass(frozen=True)
class ConvertOptions:
    """The options of a conversion. `None` means unset: the preset applies, else the default.

    Attributes:
        io: "parallel" (a whole tensor per beat of a stream) or "stream" (one pixel per beat).
        reuse_factor: Number of multiplications that share a multiplier; default 1, fully unrolled.
        strategy: Default strategy of the layers: "latency" lets the cost model choose between adder
            graphs and DSP multipliers, "distributed_arithmetic" asks for adder graphs, "resource"
            for multipliers.
        precision: Type of values whose type can't be inferred, used exactly. If unset, these values
            have type fixed<16,6,TRN,SAT>, so that they saturate and never wrap.
        input_precision: Type of the model's inputs. By default a type that can represent the
            samples of `data`; without `data` fixed<16,6>.
        data: Path of calibration samples, `.npy` or `.npz` as for `verify`. Types without a setting
            are derived from the values that occur in the model's own framework.
        inference: "safe" (default) chooses types so that nothing wraps without a setting that says
            so; "hls4ml" uses hls4ml's own defaults (`config_from_keras_model`, granularity "name").
        preset: Name of a preset in `hls/presets`, or the path of a YAML file.
        settings: Pairs (`selector.key`, value), later ones win. A selector is a layer's name or the
            class of layers; keys are `precision.<what>`, `reuse_factor`, `strategy`, the choices of
            `HARDWARE_CHOICES` and what hls4ml lets one configure on the layer (`implementation`,
            `table_size`, `parallelization_factor`, ...).
        hls_settings: The same, from an hls4ml configuration; `settings` override them. Values that
            hls4ml would choose anyway are left out.
        target: Synthesis target, see `gatewright.targets`.
        clock_ns: Clock period in ns; default the target's.
        derate: Factor on the times of the target's delay model; more than 1 leaves slack for
            routing.
        target_ii: Initiation interval that the network must reach, in cycles; reuse factors without
            a setting are chosen for it.
        fps: The same as samples per second at the clock; at most one of the two may be set.
        handshake: How pipelines handle backpressure: "stall", "slice" or "credit"; by default the
            cheapest that meets the clock.
        register_ports: Whether all paths from and to ports of the top are registered.
        check_frames: Whether the top drops frames in which tlast comes too early or too late.
        bus_width: Width of tdata at all ports of the top in bits, 32 to 512: tensors are
            transferred as words of a bus; by default `tdata` is as wide as a beat.
        pixels_per_clock: Pixels per beat at the ports, and the parallelization factor of layers at
            reuse factor 1 that have none of their own; by default a beat is a tensor with io
            "parallel", a pixel with "stream".
    """

    io: str = "parallel"
    reuse_factor: int | None = None
    strategy: str | None = None
    precision: str | None = None
    input_precision: str | None = None
    data: str | None = None
    inference: str | None = None
    preset: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    hls_settings: tuple[tuple[str, str], ...] = ()
    target: str = DEFAULT_TARGET
    clock_ns: float | None = None
    derate: float = 1.0
    target_ii: int | None = None
    fps: float | None = None
    handshake: Handshake | None = None
    register_ports: bool = False
    check_frames: bool = False
    bus_width: BusWidth | None = None
    pixels_per_clock: int | None = None


class Preset(BaseModel):
    """Schema of a preset file: the fields of `ConvertOptions` that don't depend on the target."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    reuse_factor: int | None = None
    strategy: Strategy | None = None
    precision: str | None = None
    input_precision: str | None = None
    inference: Inference | None = None
    settings: dict[str, str] = {}


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    return sorted(path.stem for path in (data_dir("hls") / "presets").glob("*.yaml"))


def load_preset(name: str) -> Preset:
    """Load a preset by name (a file of `hls/presets`) or by the path of a YAML file.

    Raises:
        InputError: if it doesn't exist, or a field is missing, unknown or of the wrong kind.
    """
    is_path = name.endswith((".yaml", ".yml"))
    path = Path(name) if is_path else data_dir("hls") / "presets" / f"{name}.yaml"
    try:
        if not is_path and name not in preset_names():
            raise FileNotFoundError
        return Preset.model_validate(read_yaml(path, "a preset"))
    except FileNotFoundError:
        raise InputError(
            f"preset '{name}' does not exist; choose from {', '.join(preset_names())}"
        ) from None
    except ValidationError as error:
        raise InputError(f"{path}: not a preset: {first_problem(error)}") from None


def resolve(options: ConvertOptions) -> ConvertOptions:
    """Fill in unset options from the preset, then from the defaults, and check all values.

    `precision` and `input_precision` stay None if neither the user nor the preset sets them.
    Settings of the user override those of the preset.

    Raises:
        InputError: if a preset doesn't exist or a value is not allowed.
    """
    preset = load_preset(options.preset) if options.preset is not None else Preset(description="")
    resolved = replace(
        options,
        reuse_factor=_first(options.reuse_factor, preset.reuse_factor, 1),
        strategy=_first(options.strategy, preset.strategy, "latency"),
        precision=_first(options.precision, preset.precision, None),
        input_precision=_first(options.input_precision, preset.input_precision, None),
        inference=_first(options.inference, preset.inference, "safe"),
        settings=(*preset.settings.items(), *options.settings),
    )
    for name, value, choices in (
        ("io", resolved.io, get_args(Io)),
        ("strategy", resolved.strategy, STRATEGIES),
        ("inference", resolved.inference, get_args(Inference)),
        ("handshake", resolved.handshake, get_args(Handshake)),
        ("bus width", resolved.bus_width, get_args(BusWidth)),
    ):
        if value is not None and value not in choices:
            raise InputError(
                f"{name} '{value}' does not exist; choose from {', '.join(map(str, choices))}"
            )
    check_clock(resolved.clock_ns)
    low, high = DERATES
    if not low <= resolved.derate <= high:
        raise InputError(f"derate {resolved.derate:g}: must be from {low:g} to {high:g}")
    if resolved.target_ii is not None and resolved.fps is not None:
        raise InputError(
            f"target II {resolved.target_ii} and {resolved.fps:g} samples/s: give one of the two"
        )
    for name, cycles in (
        ("reuse factor", resolved.reuse_factor),
        ("target II", resolved.target_ii),
        ("pixels per clock", resolved.pixels_per_clock),
    ):
        if cycles is not None and not 1 <= cycles <= MOST_CYCLES:
            raise InputError(f"{name} {cycles}: must be from 1 to {MOST_CYCLES}")
    if resolved.fps is not None and not RATES[0] <= resolved.fps <= RATES[1]:
        low, high = RATES
        raise InputError(f"{resolved.fps:g} samples/s: must be from {low:g} to {high:g}")
    for key, value in (*resolved.hls_settings, *resolved.settings):
        _check_setting(key, value)
    for text in (resolved.precision, resolved.input_precision):
        if text is not None:
            FixedType.parse(text)
    return resolved


def check_clock(clock_ns: float | None) -> None:
    """Check a clock period in ns, if there is one.

    Raises:
        InputError: if it is outside `CLOCKS_NS`.
    """
    low, high = CLOCKS_NS
    if clock_ns is not None and not low <= clock_ns <= high:
        raise InputError(f"clock {clock_ns:g} ns: must be from {low:g} to {high:g} ns")


def _check_setting(key: str, value: str) -> None:
    """Check a setting against bounds that are the same for all layers."""
    if len(key) > _LONGEST_SETTING or len(value) > _LONGEST_SETTING:
        raise InputError(
            f"setting '{key[:_LONGEST_SETTING]}': more than {_LONGEST_SETTING} characters"
        )
    try:
        number = int(value)
    except ValueError:  # the front end checks it for its layer
        return
    most = _MOST_ENTRIES if key.endswith(".table_size") else MOST_CYCLES
    if abs(number) > most:
        raise InputError(f"setting '{key}': {value}: must be at most {most}")


def _first(*values: Any) -> Any:
    return next((value for value in values[:-1] if value is not None), values[-1])
