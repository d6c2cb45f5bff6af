"""The backend and its writer, which import hls4ml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hls4ml.backends.fpga.fpga_backend import FPGABackend
from hls4ml.backends.vitis.vitis_backend import VitisBackend
from hls4ml.writer.vitis_writer import VitisWriter

from gatewright.plugin import NAME
from gatewright.plugin.flow import register_ip_flow
from gatewright.system.package_data import DEFAULT_TARGET


class GatewrightWriter(VitisWriter):  # type: ignore[misc]  # hls4ml has no types
    """Writes the same files as the Vitis writer."""


class GatewrightBackend(VitisBackend):  # type: ignore[misc]  # hls4ml has no types
    """Converts like the Vitis backend; writes, compiles, predicts and builds with Gatewright."""

    def __init__(self) -> None:
        FPGABackend.__init__(self, NAME)
        self._register_layer_attributes()
        self._default_flow = register_ip_flow()
        self._writer_flow = "vitis:write"

    def _init_optimizers(self) -> None:
        """Register no passes, because the flows and passes are those of Vitis."""

    def create_initial_config(
        self, part: str | None = None, clock_period: float | None = None, **options: Any
    ) -> dict[str, Any]:
        """The configuration of Vitis, with traces of all layers.

        Args:
            part: FPGA part; by default that of Gatewright's default target.
            clock_period: Clock period in ns; by default the target's.
            options: As for the Vitis backend.
        """
        from gatewright.targets import load_target

        target = load_target(DEFAULT_TARGET)
        config: dict[str, Any] = super().create_initial_config(
            part=part or target.family.hls_part,
            clock_period=clock_period or target.clock_ns,
            **options,
        )
        config["TraceOutput"] = True
        return config

    def write(self, model: Any) -> None:
        """Write the HLS project into `hls/` of the output directory.

        Weights are written with their values in hardware.
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
        """Outputs for a batch, with the shapes and the float type that hls4ml uses."""
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
        """Emit, verify and synthesize RTL in the output directory of the model.

        Args:
            model: The ModelGraph.
            target: Synthesis target, see `gatewright.targets`.
            samples: Number of random vectors for verification.
            synth: Whether to synthesize.

        Returns:
            The report, a `gatewright.report.schema.Report`.

        Raises:
            UnsupportedError: if a layer can't be built exactly.
            DesignFailure: if verification or synthesis fails.
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


def _project_directory(model: Any) -> Path:
    """The user's output directory; hls4ml's own output directory becomes `hls/` in it."""
    config = model.config.config
    return Path(config.setdefault("GatewrightDirectory", config["OutputDir"]))
