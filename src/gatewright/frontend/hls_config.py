"""Reads hls4ml's own configurations, files or dictionaries, as options of a conversion."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.options import DEFAULT_PRECISION, ConvertOptions
from gatewright.parsing.documents import read_yaml

Settings = tuple[tuple[str, str], ...]

#: Fields that name the model, or hold it as a Python object. The command gets the model by itself.
_MODELS: Final = ("KerasModel", "OnnxModel", "PytorchModel")
#: Largest file in bytes; it may contain a model.
_MOST = 16 << 20
#: Ignored fields: locations of files, and settings of hls4ml's own reports.
_ELSEWHERE: Final = frozenset(
    {
        *(*_MODELS, "KerasJson", "KerasH5", "OutputDir", "InputShapes", "OutputShapes"),
        "TBOutputStream",
        *("ProjectName", "InputData", "OutputPredictions", "Stamp", "Version", "WriterConfig"),
        *("TraceOutput", "Backend", "ClockUncertainty", "XilinxPart", "Part", "Board"),
    }
)
_OF_A_MODEL: Final = frozenset({"BitExact", "BramFactor", "TraceOutput", "Trace"})
_SECTIONS: Final = ("Model", "LayerType", "LayerName")
_STRATEGIES: Final = ("latency", "resource", "distributed_arithmetic")


@dataclass(frozen=True)
class HlsConfig:
    """The options of a conversion that a configuration of hls4ml sets; None for others.

    Attributes:
        origin: The configuration's name in messages.
        io: "parallel" or "stream".
        reuse_factor: Of the model.
        strategy: Of the model.
        precision: Of the model; hls4ml's own default counts as unset.
        clock_ns: Clock period in ns.
        settings: Settings of classes of layers, then of layers, in the form of `ConvertOptions`.
    """

    origin: str
    io: str | None = None
    reuse_factor: int | None = None
    strategy: str | None = None
    precision: str | None = None
    clock_ns: float | None = None
    settings: Settings = ()


def read_hls_config(source: Path | Mapping[str, Any]) -> HlsConfig:
    """Read a configuration: hls4ml_config.yml, or the dictionary that hls4ml makes.

    It may be a whole configuration, with its settings under `HLSConfig`, or these settings alone
    (`Model`, `LayerType`, `LayerName`).

    Raises:
        InputError: if the file is missing or can't be read, or a field is unknown or wrong.
    """
    if isinstance(source, Mapping):
        return _read("hls_config", source)
    try:
        return _read(
            str(source),
            read_yaml(source, "a configuration of hls4ml", passed_over=_MODELS, most=_MOST),
        )
    except FileNotFoundError:
        raise InputError(f"{source}: no such file") from None


def options_of(config: HlsConfig | None, **given: Any) -> ConvertOptions:
    """Options of a conversion: the given ones, else those of a configuration.

    Args:
        config: hls4ml's configuration.
        given: Fields of `ConvertOptions`; None where the configuration decides. The given settings
            come after the configuration's, and so override them.
    """
    known = {field.name for field in fields(ConvertOptions)}
    said = {}
    if config is not None:
        said = {name: value for name, value in vars(config).items() if name in known}
        said["hls_settings"] = said.pop("settings")
    chosen = {name: value for name, value in given.items() if value is not None}
    merged = {name: value for name, value in (said | chosen).items() if value is not None}
    return replace(ConvertOptions(), **merged)


def _read(origin: str, whole: Mapping[str, Any]) -> HlsConfig:
    bare = not {"HLSConfig", *_ELSEWHERE}.intersection(whole)
    config = whole if bare else _mapping(origin, "HLSConfig", whole.get("HLSConfig", {}))
    for key in () if bare else whole:
        if key not in {*_ELSEWHERE, "HLSConfig", "IOType", "ClockPeriod"}:
            raise InputError(
                f"{origin}: {key!r:.60} is not a known field of hls4ml's configuration"
            )
    for key in config:
        if key not in _SECTIONS:
            raise InputError(
                f"{origin}: {key!r:.60}: hls4ml's settings have {', '.join(_SECTIONS)}; "
                "passes of its own can't be chosen here"
            )
    found = HlsConfig(origin)
    if not bare:
        found = replace(found, io=_io(origin, whole), clock_ns=_clock(origin, whole))
    found = _with_model(found, _mapping(origin, "Model", config.get("Model", {})))
    settings: list[tuple[str, str]] = []
    for section in _SECTIONS[1:]:
        layers = _mapping(origin, section, config.get(section, {}))
        for selector, entry in layers.items():
            where = f"{section}.{selector}"
            entry = _mapping(origin, where, entry)
            settings += [
                (f"{selector}.{path}", value) for path, value in _settings(origin, where, entry)
            ]
    return replace(found, settings=tuple(settings))


def _with_model(found: HlsConfig, entry: Mapping[str, Any]) -> HlsConfig:
    """The configuration with its section for the whole model."""
    for key, value in entry.items():
        where = f"{found.origin}: Model.{key}"
        if key == "ReuseFactor":
            found = replace(found, reuse_factor=_whole(where, value))
        elif key == "Strategy":
            found = replace(found, strategy=_strategy(where, value))
        elif key == "Precision":
            types = {"default": value} if isinstance(value, str) else value
            types = _mapping(found.origin, "Model.Precision", types)
            if others := set(types) - {"default"}:
                raise InputError(
                    f"{where}.{min(map(str, others))}: only the default precision of a model can "
                    "be set; set layers instead"
                )
            text = _precision(f"{where}.default", types.get("default", "auto"))
            if text != "auto" and _type(where, text) != FixedType.parse(DEFAULT_PRECISION):
                found = replace(found, precision=text)
        elif key not in _OF_A_MODEL:
            raise InputError(f"{where}: is not known for a model; set it for layers")
    return found


def _settings(origin: str, where: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings of a layer, or of a class of layers, as (key, value) of `--set`."""
    for key, value in entry.items():
        place = f"{origin}: {where}.{key}"
        if key == "Trace":
            continue
        if key == "Precision":
            types = {"default": value} if isinstance(value, str) else value
            for what, text in _mapping(origin, f"{where}.Precision", types).items():
                yield f"precision.{what}", _precision(f"{place}.{what}", text)
        elif str(key).endswith("_t"):
            yield f"precision.{str(key)[:-2]}", _precision(place, value)
        elif key == "Strategy" and str(value).lower() not in _STRATEGIES:
            yield "implementation", _text(place, value).lower()  # of a softmax
        else:
            text = _text(place, value)
            yield setting_name(str(key)), text.lower() if key == "Strategy" else text


def plain_type(text: str) -> str:
    """A type without its number of saturation bits if that is 0; hls4ml always writes it."""
    return re.sub(r",\s*0\s*>$", ">", text)


def setting_name(name: str) -> str:
    """The key of `--set` for a name of hls4ml: `table_size` for `TableSize`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _io(origin: str, whole: Mapping[str, Any]) -> str | None:
    value = whole.get("IOType")
    if value not in (None, "io_parallel", "io_stream"):
        raise InputError(f"{origin}: IOType {value!r:.60}: must be io_parallel or io_stream")
    return None if value is None else str(value).removeprefix("io_")


def _clock(origin: str, whole: Mapping[str, Any]) -> float | None:
    value = whole.get("ClockPeriod")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise InputError(f"{origin}: ClockPeriod {value!r:.60}: must be a number of ns")
    return value


def _strategy(where: str, value: Any) -> str:
    found = str(value).lower()
    if found not in _STRATEGIES:
        raise InputError(f"{where} {value!r:.60}: choose from {', '.join(_STRATEGIES)}")
    return found


def _whole(where: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{where} {value!r:.60}: must be a whole number")
    return value


def _type(where: str, text: str) -> FixedType:
    try:
        return FixedType.parse(text)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _precision(where: str, value: Any) -> str:
    """A type, or `auto`."""
    text = plain_type(_text(where, value))
    if text != "auto":
        _type(where, text)
    return text


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise InputError(f"{where}: must be text or a number, not {type(value).__name__}")
    return str(value)


def _mapping(origin: str, where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{origin}: {where}: must hold fields, not {type(value).__name__}")
    return value
