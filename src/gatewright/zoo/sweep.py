"""Sweep files: the quantization configurations of one model.

A sweep is a YAML file, `sweep.yaml`, in the model's folder beside its `model.py`:

```yaml
description: one line for reports
layers: [hidden1, hidden2, logits]  # the layers that have bits, by their names in model.py
defaults:                           # keys of every config that doesn't say otherwise
  input_precision: ufixed<5,1>      # the type of an input element; the data is put on its grid
  training: {epochs: 40, batch_size: 32, learning_rate: 0.002, seed: 1}
  conversion: {target: xcup}        # options of the conversion, see `Conversion`
configs:
  - name: uniform6
    bits: 6                         # weights, biases and activations of every layer
  - name: mixed
    bits:                           # or layer by layer, every layer named
      hidden1: {weights: 3, activations: 4}
      hidden2: 4
      logits: 6
  - name: uniform6_shared           # differs from uniform6 in hardware alone: the same training
    bits: 6
    conversion:
      io: stream
      strategy: resource
      reuse_factor: 16
      settings: {hidden1.reuse_factor: 32}
```

`training` and `conversion` of a config are laid over those of `defaults`, key by key; the other
keys replace the default.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from gatewright.errors import InputError
from gatewright.options import ConvertOptions, Inference, Io, Strategy, resolve
from gatewright.targets import load_target

SWEEP_FILE = "sweep.yaml"
_LAID_OVER = ("training", "conversion")


def _same_bits(value: Any) -> Any:
    """One number stands for the weights and the activations of a layer."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"weights": value, "activations": value}
    return value


_Bits = Annotated[int, Field(ge=2, le=16)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LayerBits(_Strict):
    """Widths of one layer in bits, sign included: its weights and biases, and its activations."""

    weights: _Bits
    activations: _Bits


class Training(_Strict):
    """How a config is trained; Adam, the learning rate falling to zero along a half cosine."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    seed: int = Field(ge=0)


class Conversion(_Strict):
    """What a config sets of `ConvertOptions`, by the same names; None leaves it to the tool."""

    io: Io = "parallel"
    reuse_factor: int | None = None
    strategy: Strategy | None = None
    precision: str | None = None
    inference: Inference | None = None
    preset: str | None = None
    settings: dict[str, str | int | float | bool] = {}
    target: str = "xcup"
    clock_ns: float | None = Field(default=None, gt=0)
    target_ii: int | None = None
    fps: float | None = None


class Config(_Strict):
    """One quantization configuration of a model."""

    # A config's name becomes a folder.
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    bits: dict[str, Annotated[LayerBits, BeforeValidator(_same_bits)]]
    input_precision: str
    training: Training
    conversion: Conversion = Conversion()

    @property
    def options(self) -> ConvertOptions:
        """The options that the config's trained model is converted with."""
        fields = self.conversion.model_dump()
        settings = tuple((key, str(value)) for key, value in fields.pop("settings").items())
        return ConvertOptions(input_precision=self.input_precision, settings=settings, **fields)


class Sweep(_Strict):
    """The configurations of one model; its model.py stands in `model_dir`, a folder of its name."""

    name: str
    model_dir: Path
    description: str
    layers: tuple[str, ...]
    configs: tuple[Config, ...]

    def config(self, name: str) -> Config:
        """The config of that name.

        Raises:
            InputError: if there is none.
        """
        for config in self.configs:
            if config.name == name:
                return config
        raise InputError(
            f"{self.model_dir / SWEEP_FILE}: there is no config '{name}'; "
            f"there are {', '.join(config.name for config in self.configs)}"
        )


class _File(_Strict):
    """A sweep file as written: a config is whole once the defaults are laid under it."""

    description: str
    layers: list[str] = Field(min_length=1)
    defaults: dict[str, Any] = {}
    configs: list[dict[str, Any]] = Field(min_length=1)


def load_sweep(path: Path) -> Sweep:
    """Read and check a sweep file, given itself or the model's folder.

    Raises:
        InputError: if the file can't be read, or a key is missing, unknown or wrong; names the
            file, the config and the key.
    """
    file = path / SWEEP_FILE if path.is_dir() else path
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{file}: no such sweep; give a model folder that holds a {SWEEP_FILE}, or the file"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: can't be read ({error})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{file}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: a sweep is a mapping with 'description', 'layers' and 'configs'")
    try:
        written = _File.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{file}: {_first(error)}") from None
    if "name" in written.defaults:
        raise InputError(f"{file}: defaults.name: a name belongs to one config")
    configs = tuple(
        _config(file, index, fields, written) for index, fields in enumerate(written.configs)
    )
    names = [config.name for config in configs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{file}: configs: the name '{twice}' is given twice")
    model_dir = file.resolve().parent
    if not (model_dir / "model.py").is_file():
        raise InputError(f"{file}: there is no model.py beside it")
    return Sweep(
        name=model_dir.name,
        model_dir=model_dir,
        description=written.description,
        layers=tuple(written.layers),
        configs=configs,
    )


def _config(file: Path, index: int, fields: dict[str, Any], written: _File) -> Config:
    """Lay the fields of one config over the defaults and check the result."""
    name = fields.get("name")
    where = f"config '{name}'" if isinstance(name, str) else f"configs[{index}]"
    merged = written.defaults | fields
    for key in _LAID_OVER:
        under, over = written.defaults.get(key), fields.get(key)
        if isinstance(under, dict) and isinstance(over, dict):
            merged[key] = under | over
    bits = merged.get("bits")
    if isinstance(bits, int) and not isinstance(bits, bool):
        merged["bits"] = dict.fromkeys(written.layers, bits)
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise InputError(f"{file}: {where}: {_first(error)}") from None
    if odd := sorted(set(config.bits) ^ set(written.layers)):
        problem = "is missing" if odd[0] in written.layers else "is not a layer"
        raise InputError(
            f"{file}: {where}: bits.{odd[0]}: {problem}; layers are {', '.join(written.layers)}"
        )
    try:
        resolve(config.options)
        load_target(config.options.target)
    except InputError as error:
        raise InputError(f"{file}: {where}: {error}") from None
    return config


def _first(error: ValidationError) -> str:
    """The first problem as 'key.key: what is wrong, what was given'."""
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{key}: is missing"
    if problem["type"] == "extra_forbidden":
        return f"{key}: is not a key of a sweep here"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}, not {problem['input']!r}"
