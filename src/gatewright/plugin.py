"""Gatewright as a backend of hls4ml: `backend="Gatewright"`.

hls4ml calls `register` when it is imported, so nothing heavy is imported here before it is needed.
The C++, and so the types and the flow of a conversion, are those of hls4ml's Vitis backend; but the
types between the tables of a softmax, whose defaults wrap, follow from what it reads.

hls4ml 1.3 sends every model to its Keras 3 parser where Keras 3 is installed, which it always is
beside a current TensorFlow. That parser fails on any tf-keras model, and offers no hook; `register`
wraps it (`_Keras2Router`) so that a tf-keras model reaches the parser for it. No other model is
touched.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

NAME = "Gatewright"
DEFAULT_TARGET = "xcup"
#: Attribute of a softmax that has its types.
_SETTLED = "gatewright_settled"
_PARSER = "hls4ml.converters.keras_v3_to_hls"


def register(register_backend: Callable[..., None], register_writer: Callable[..., None]) -> None:
    """Register backend and writer; hls4ml finds this through the entry point `hls4ml.backends`."""
    # hls4ml looks the writer up while it makes the backend.
    register_writer(NAME, _writer_class())
    register_backend(NAME, _backend_class())
    if _PARSER not in sys.modules:  # hls4ml imports its backends first
        sys.meta_path.insert(0, _Keras2Router())


def _writer_class() -> type:
    from hls4ml.writer.vitis_writer import VitisWriter

    return type(
        "GatewrightWriter", (VitisWriter,), {"__doc__": "Writes what Vitis' writer writes."}
    )


def _flow() -> str:
    """Register the flow of Vitis with types for softmax, before types become those of C++."""
    from hls4ml.model.flow import get_flow, register_flow
    from hls4ml.model.layers import Softmax
    from hls4ml.model.optimizer import OptimizerPass, register_pass
    from hls4ml.model.types import NamedType
    from hls4ml.utils.string_utils import convert_to_snake_case

    class SettleSoftmax(OptimizerPass):  # type: ignore[misc]  # hls4ml has no types
        """Gives a softmax the types that the command line gives it, where none are set."""

        def match(self, node: Any) -> bool:
            return isinstance(node, Softmax) and not node.get_attr(_SETTLED, False)

        def transform(self, model: Any, node: Any) -> bool:
            from gatewright.frontend.precision import Choices
            from gatewright.frontend.softmax_types import refine_softmax

            given = model.config.get_layer_config(node)
            user = {(node.name, key.removesuffix("_t")) for key in given if key.endswith("_t")}
            choices = Choices(user, {})
            refine_softmax(node, choices)
            chosen = choices.layers.get(node.name, {})
            precisions = {f"{what}_t": to for what, to in chosen.pop("Precision", {}).items()}
            for key, value in {**chosen, **precisions}.items():
                name = convert_to_snake_case(key)
                if name.endswith("_t"):
                    to = model.config.backend.convert_precision_string(value)
                    value = NamedType(f"{node.name}_{name}", to)
                node.set_attr(name, value)
            node.set_attr(_SETTLED, True)
            return False

    requires = get_flow("vitis:ip").requires.copy()
    tables = register_pass("settle_softmax", SettleSoftmax, backend=NAME)
    flow = register_flow("softmax", [tables], requires=["vivado:init_layers"], backend=NAME)
    requires.insert(requires.index("vivado:specific_types"), flow)
    return str(register_flow("ip", None, requires=requires, backend=NAME))


@functools.cache
def _backend_class() -> type:
    from hls4ml.backends.fpga.fpga_backend import FPGABackend
    from hls4ml.backends.vitis.vitis_backend import VitisBackend

    class GatewrightBackend(VitisBackend):  # type: ignore[misc]  # hls4ml has no types
        """Converts as Vitis does; writes, compiles, predicts and builds with Gatewright."""

        def __init__(self) -> None:
            FPGABackend.__init__(self, NAME)
            self._register_layer_attributes()
            self._default_flow = _flow()
            self._writer_flow = "vitis:write"

        def _init_optimizers(self) -> None:
            """Register no passes: the flows are those of Vitis, with its passes."""

        def create_initial_config(
            self, part: str | None = None, clock_period: float | None = None, **options: Any
        ) -> dict[str, Any]:
            """The configuration of Vitis, every layer traced.

            Args:
                part: FPGA part; default that of Gatewright's default target.
                clock_period: Clock period in ns; default the target's.
                options: As for the Vitis backend.
            """
            from gatewright.targets import load_target

            target = load_target(DEFAULT_TARGET)
            config: dict[str, Any] = super().create_initial_config(
                part=part or target.part,
                clock_period=clock_period or target.clock_ns,
                **options,
            )
            config["TraceOutput"] = True
            return config

        def write(self, model: Any) -> None:
            """Write the HLS project into `hls/` of the output directory.

            Every weight gets the value that it has in hardware.
            """
            from gatewright.frontend import convert, write_hls

            project = _project_directory(model)
            name = model.config.get_project_name()
            write_hls(
                convert(model, output_dir=project / "hls", project_name=name),
                project / "hls",
            )

        def compile(self, model: Any) -> str:
            """Compile the C++ emulation; return the path of the library."""
            from gatewright.emulation import LIBRARY, compile_emulation

            directory = _project_directory(model) / "hls"
            compile_emulation(directory)
            return str(directory / "firmware" / LIBRARY)

        def predict(self, model: Any, x: Any) -> Any:
            """Outputs for a batch, in the shapes and the float type that hls4ml gives them."""
            import numpy as np

            from gatewright.emulation import Emulation

            outputs = Emulation(_project_directory(model) / "hls").predict(x)
            first = np.asarray(x[0] if isinstance(x, list | tuple) else x)
            kind = np.float64 if first.dtype == np.float64 else np.float32
            shaped = [y.reshape(len(y), -1).astype(kind) for y in outputs]
            shaped = [y[0] if len(y) == 1 else y for y in shaped]
            return shaped[0] if len(shaped) == 1 else shaped

        def build(
            self,
            model: Any,
            *,
            target: str = DEFAULT_TARGET,
            samples: int = 1000,
            synth: bool = True,
        ) -> Any:
            """Emit RTL, verify it and synthesize it, in the output directory of the model.

            Args:
                model: The ModelGraph.
                target: Synthesis target, see `gatewright.targets`.
                samples: Random vectors to verify on.
                synth: Synthesize too.

            Returns:
                The report, a `gatewright.report.schema.Report`.

            Raises:
                UnsupportedError: if a layer can't be done exactly.
                DesignFailure: if the RTL is wrong.
            """
            from gatewright.flow.convert import convert
            from gatewright.flow.fifos import size_fifos
            from gatewright.flow.summary import summarize
            from gatewright.flow.synthesize import synthesize
            from gatewright.flow.verify import verify
            from gatewright.options import ConvertOptions

            project = _project_directory(model)
            clock = float(model.config.get_config_value("ClockPeriod"))
            io = str(model.config.get_config_value("IOType")).removeprefix("io_")
            options = ConvertOptions(io=io, target=target, clock_ns=clock)
            convert(model, None, options, project, name=model.config.get_project_name())
            size_fifos(project)
            verify(project, samples=samples)
            if synth:
                synthesize(project, target)
            return summarize(project)

    return GatewrightBackend


def _project_directory(model: Any) -> Path:
    """The output directory that the user named; hls4ml is given `hls/` in it as its own."""
    config = model.config.config
    return Path(config.setdefault("GatewrightDirectory", config["OutputDir"]))


class _Keras2Router(MetaPathFinder):
    """Wraps hls4ml's Keras 3 parser when it is imported, then withdraws."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _PARSER:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        loader: Any = spec.loader if spec is not None else None
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                module.parse_keras_v3_model = _routed(module.parse_keras_v3_model)

            loader.exec_module = exec_module
        return spec


def _routed(parse: Callable[..., Any]) -> Callable[..., Any]:
    """hls4ml's Keras 3 parser, but for tf-keras models, which it can't read, the Keras 2 one."""

    @functools.wraps(parse)
    def routed(model: Any, *args: Any, **options: Any) -> Any:
        if not any(cls.__module__.startswith("tf_keras.") for cls in type(model).__mro__):
            return parse(model, *args, **options)
        from hls4ml.converters import KerasModelReader, parse_keras_model

        from gatewright.frontend import load
        from gatewright.frontend.keras2 import Model
        from gatewright.frontend.network import Network
        from gatewright.frontend.passes import supported

        network = load(model)
        assert isinstance(network, Network)  # which is what live models of Keras are read as
        source = Model(supported(network), with_qkeras=True)
        return parse_keras_model(source, KerasModelReader(source))

    return routed
