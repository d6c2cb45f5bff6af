"""Sweep files: the configurations of one model.

A sweep is a YAML file, `sweep.yaml`, in the model's directory, together with `model.py`:

```yaml
description: one line for reports
layers: [hidden1, hidden2, logits]  # the layers with bits, by their names in model.py
defaults:                           # defaults of the keys of configs
  input_precision: ufixed<5,1>      # the type of an input element; the data is rounded to it
  training: {epochs: 40, batch_size: 32, learning_rate: 0.002, seed: 1}
  conversion: {io: parallel}        # options of the conversion, see `Conversion`
configs:
  - name: uniform6
    bits: 6                         # weights, biases and activations of every layer
  - name: mixed
    bits:                           # or layer by layer
      hidden1: {weights: ternary, activations: 4}
      logits: 6
      default: 4                    # for the other layers
  - name: uniform6_shared           # differs from uniform6 only in hardware: the same training
    bits: 6
    conversion:
      io: stream
      strategy: resource
      reuse_factor: 16
      settings: {hidden1.reuse_factor: 32}
  - name: pruned
    bits: 4
    recipe:                         # steps, see docs/recipes.md; default: train, quantize
      - train
      - prune: {amount: 0.5}
      - quantize
    architecture: {hidden: [48, 16]}  # arguments of model.py's build
    data: {classes: [0, 1]}         # arguments of model.py's load_data
    relu_integer: 1                 # relus saturate at 2^relu_integer; default 2
  - name: trained                   # no bits: HGQ2 trains them, in its environment
    recipe: [train, hgq2: {beta: 1.0e-4}]
```

`training`, `conversion`, `architecture` and `data` of a config are merged with those of `defaults`,
key by key; other keys replace the default. `search`, in addition to `configs` or instead, is for
`gatewright explore`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from gatewright.compress.bits import DEFAULT, BitsByLayer
from gatewright.compress.code import HGQ2_FILE, MODEL_FILE
from gatewright.compress.recipe import (
    Quantize,
    ReluInteger,
    Step,
    Train,
    Training,
    ends_quantized,
    parse_recipe,
    trains_bits,
)
from gatewright.errors import InputError
from gatewright.options import BusWidth, ConvertOptions, Handshake, Inference, Io, Strategy, resolve
from gatewright.parsing.documents import read_yaml
from gatewright.parsing.strict import Strict, first_problem
from gatewright.system.package_data import DEFAULT_TARGET
from gatewright.targets import load_target

SWEEP_FILE = "sweep.yaml"
_LAID_OVER = ("training", "conversion", "architecture", "data")


class Conversion(Strict):
    """Settings of a config for `ConvertOptions`, with the same names; None for the default."""

    io: Io = "parallel"
    reuse_factor: int | None = None
    strategy: Strategy | None = None
    precision: str | None = None
    inference: Inference | None = None
    preset: str | None = None
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)
    target: str = DEFAULT_TARGET
    clock_ns: float | None = Field(default=None, gt=0)
    derate: float = 1.0
    target_ii: int | None = None
    fps: float | None = None
    handshake: Handshake | None = None
    register_ports: bool = False
    check_frames: bool = False
    bus_width: BusWidth | None = None
    pixels_per_clock: int | None = None


def _recipe(value: Any) -> tuple[Step, ...]:
    try:
        recipe = parse_recipe(value)
    except InputError as error:
        # The message alone: pydantic would add the whole recipe, which does not help.
        raise PydanticCustomError("recipe", "{text}", {"text": str(error)}) from None
    if not ends_quantized(recipe):
        raise PydanticCustomError(
            "recipe", "no step quantizes, which hardware needs; add quantize or calibrate"
        )
    return recipe


class Config(Strict):
    """One configuration of a model."""

    # The name is also that of a directory.
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    bits: BitsByLayer = Field(default_factory=dict)
    input_precision: str
    training: Training
    recipe: Annotated[tuple[Any, ...], BeforeValidator(_recipe)] = (Train(), Quantize())
    architecture: dict[str, Any] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)
    relu_integer: ReluInteger = 2
    conversion: Conversion = Conversion()

    @property
    def options(self) -> ConvertOptions:
        """The options for converting the config's trained model."""
        fields = self.conversion.model_dump()
        settings = tuple((key, str(value)) for key, value in fields.pop("settings").items())
        return ConvertOptions(input_precision=self.input_precision, settings=settings, **fields)


@dataclass(frozen=True)
class Sweep:
    """The configurations of one model.

    Attributes:
        file: The sweep file.
        description: One line for reports.
        layers: Names of the layers with bits.
        configs: The configurations in the file.
        search: The key `search` as in the file; None if there is none.
        defaults: Defaults of the keys of configurations.
    """

    file: Path
    description: str
    layers: tuple[str, ...]
    configs: tuple[Config, ...] = ()
    search: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model_dir(self) -> Path:
        """The directory of the sweep's file and of model.py."""
        return self.file.resolve().parent

    @property
    def name(self) -> str:
        """The model's name, which is that of its directory."""
        return self.model_dir.name

    def config(self, name: str) -> Config:
        """The config with a name.

        Raises:
            InputError: if there is none.
        """
        for config in self.configs:
            if config.name == name:
                return config
        raise InputError(
            f"{self.file}: there is no config '{name}'; "
            f"choose from {', '.join(config.name for config in self.configs)}"
        )

    def retargeted(self, target: str | None, clock_ns: float | None) -> Sweep:
        """The same sweep with all configurations cut for another target or clock.

        Args:
            target: A target, whose usual clock takes the place of the sweep's; None for the
                sweep's.
            clock_ns: Clock period in ns; None for the target's usual one, or the sweep's.

        Raises:
            InputError: if there is no such target.
        """
        changed: dict[str, Any] = {} if clock_ns is None else {"clock_ns": clock_ns}
        if target is not None:
            load_target(target)
            changed = {"target": target, "clock_ns": clock_ns}
        return replace(
            self,
            configs=tuple(
                each.model_copy(update={"conversion": each.conversion.model_copy(update=changed)})
                for each in self.configs
            ),
        )

    def make_config(self, fields: Mapping[str, Any], where: str) -> Config:
        """Merge the fields of a config with the defaults, and check the result.

        Args:
            fields: The fields as in the sweep file.
            where: The name of the config in messages.

        Raises:
            InputError: if a key is missing, unknown or wrong.
        """
        merged = {**self.defaults, **fields}
        for key in _LAID_OVER:
            under, over = self.defaults.get(key), fields.get(key)
            if isinstance(under, dict) and isinstance(over, dict):
                merged[key] = under | over
        bits = merged.get("bits")
        if isinstance(bits, int) and not isinstance(bits, bool):
            merged["bits"] = dict.fromkeys(self.layers, bits)
        try:
            config = Config.model_validate(merged)
        except ValidationError as error:
            raise InputError(f"{self.file}: {where}: {first_problem(error)}") from None
        try:
            if trains_bits(config.recipe):
                self._check_trained_bits(config)
            else:
                self._check_bits(config)
            resolve(config.options)
            load_target(config.options.target)
        except InputError as error:
            raise InputError(f"{self.file}: {where}: {error}") from None
        return config

    def _check_bits(self, config: Config) -> None:
        """Check that the layers with bits have some, and no others."""
        if not config.bits:
            raise InputError("bits: is missing")
        known = {*self.layers, DEFAULT}
        odd = set(config.bits) - known
        if DEFAULT not in config.bits:
            odd |= set(self.layers) - set(config.bits)
        for name in sorted(odd):
            problem = "is missing" if name in known else "is not a layer"
            raise InputError(f"bits.{name}: {problem}; layers are {', '.join(self.layers)}")

    def _check_trained_bits(self, config: Config) -> None:
        """Check that a config whose bits are trained has none, and a model that trains them."""
        if config.bits:
            raise InputError("bits: the step hgq2 trains them; leave them out, and set its beta")
        if not self.file.with_name(HGQ2_FILE).is_file():
            raise InputError(f"recipe: the step hgq2 needs {HGQ2_FILE} beside this file")


class _File(Strict):
    """The content of a sweep file; configs are not yet merged with the defaults."""

    description: str
    layers: list[str] = Field(min_length=1)
    defaults: dict[str, Any] = Field(default_factory=dict)
    configs: list[dict[str, Any]] = Field(default_factory=list)
    search: dict[str, Any] | None = None


def load_sweep(path: Path) -> Sweep:
    """Read and check a sweep file, given its path or the model's directory.

    Raises:
        InputError: if the file can't be read, or a key is missing, unknown or wrong; names the
            file, the config and the key.
    """
    file = path / SWEEP_FILE if path.is_dir() else path
    try:
        content = read_yaml(file, "a sweep")
    except FileNotFoundError:
        raise InputError(
            f"{file}: no such sweep; give a model folder that holds a {SWEEP_FILE}, or the file"
        ) from None
    try:
        written = _File.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{file}: {first_problem(error)}") from None
    if not written.configs and written.search is None:
        raise InputError(f"{file}: there are neither configs nor a search")
    if "name" in written.defaults:
        raise InputError(f"{file}: defaults.name: a name belongs to a single config")
    if not file.with_name(MODEL_FILE).is_file():
        raise InputError(f"{file}: there is no {MODEL_FILE} beside it")
    sweep = Sweep(
        file=file,
        description=written.description,
        layers=tuple(written.layers),
        search=written.search,
        defaults=written.defaults,
    )
    configs = tuple(
        sweep.make_config(fields, _title(index, fields))
        for index, fields in enumerate(written.configs)
    )
    names = [config.name for config in configs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{file}: configs: the name '{twice}' is given twice")
    return replace(sweep, configs=configs)


def _title(index: int, fields: Mapping[str, Any]) -> str:
    name = fields.get("name")
    return f"config '{name}'" if isinstance(name, str) else f"configs[{index}]"
