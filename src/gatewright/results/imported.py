"""Figures from reports of vendor tools, with their tool and step."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from gatewright.results.figure import Figure, declared
from gatewright.results.part import Part, refuse_duplicates
from gatewright.results.scalars import Amount, ByKey, Count, Positive, PositiveReal, Real

Tool = Literal["oneapi", "quartus", "radiant", "vitis_hls", "vivado", "vivado_hls"]

Stage = Literal["estimated", "synthesized", "placed", "routed"]
"""The step after which a report was written. Estimated: by high-level synthesis, before mapping.
Synthesized: mapped cells were counted. Placed, routed: on the device."""

TOOLS: dict[str, str] = {
    "oneapi": "oneAPI",
    "quartus": "Quartus",
    "radiant": "Radiant",
    "vitis_hls": "Vitis HLS",
    "vivado": "Vivado",
    "vivado_hls": "Vivado HLS",
}
"""Names of the tools in reports."""

#: A name from a report: no spaces, no control characters.
_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+/-]*$", max_length=99)]
_FileName = Annotated[str, Field(min_length=1, max_length=250)]
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class SourceReport(Part):
    """A file that figures were read from."""

    name: _FileName
    """Its name, without the directory."""
    kind: _Word
    """Kind of report, for example "utilization"."""
    sha256: _Digest
    """Hash of its content."""


class Imported(Part):
    """The figures of a design from reports of one tool after one step.

    A figure that the reports don't have is None. Latency and initiation interval are those of C
    synthesis. Resources of different vendors are not comparable and have fields of their own.
    """

    tool: Tool
    """The tool that wrote the reports."""
    stage: Stage
    """The step after which they were written."""
    version: _Word | None = None
    """Version of the tool."""
    part: _Word | None = None
    """The device, as the tool calls it."""
    design: _Word | None = None
    """Name of the top module, or of the top function."""
    reports: Annotated[tuple[SourceReport, ...], Field(min_length=1)]
    """The files that the figures were read from."""

    lut: Annotated[Count | None, Figure("LUT", "less", name="vendor_lut", primary=False)] = None
    """Look-up tables of an AMD or Lattice device (a number), used as logic or as memory."""
    lutram: Annotated[
        Count | None, Figure("LUTRAM", "less", name="vendor_lutram", primary=False)
    ] = None
    """Look-up tables used as memory or shift register (a number); part of `lut`."""
    alm: Annotated[
        Amount | None, Figure("ALM", "less", name="vendor_alm", digits=1, primary=False)
    ] = None
    """Adaptive logic modules of an Intel device (a number); a tool may count halves."""
    alut: Annotated[Count | None, Figure("ALUT", "less", name="vendor_alut", primary=False)] = None
    """Adaptive look-up tables of an Intel device (a number)."""
    le: Annotated[Count | None, Figure("LE", "less", name="vendor_le", primary=False)] = None
    """Logic elements of an Intel device that has no ALMs (a number)."""
    ff: Annotated[Count | None, Figure("FF", "less", name="vendor_ff", primary=False)] = None
    """Registers (a number): flip-flops and latches."""
    dsp: Annotated[Count | None, Figure("DSP", "less", name="vendor_dsp", primary=False)] = None
    """DSP slices or blocks (a number)."""
    bram: Annotated[
        Amount | None,
        Figure("BRAM", "less", name="vendor_bram", unit="36 Kb", digits=1, primary=False),
    ] = None
    """Block RAM of an AMD device, in units of 36 Kb blocks; half a block counts as 0.5."""
    uram: Annotated[Count | None, Figure("URAM", "less", name="vendor_uram", primary=False)] = None
    """UltraRAM blocks of an AMD device (a number)."""
    ram_blocks: Annotated[
        Count | None, Figure("RAM blocks", "less", name="vendor_ram_blocks", primary=False)
    ] = None
    """Block RAMs of an Intel or Lattice device (a number); their size depends on the family."""
    large_ram_blocks: Annotated[
        Count | None,
        Figure("large RAM blocks", "less", name="vendor_large_ram_blocks", primary=False),
    ] = None
    """Large RAMs of a Lattice device (a number): LRAM of Nexus, SPRAM of iCE40 UltraPlus."""
    ram_bits: Annotated[
        Count | None, Figure("RAM", "less", name="vendor_ram_bits", unit="bits", primary=False)
    ] = None
    """Used bits of block RAM of an Intel device, in bits."""
    mlab: Annotated[Count | None, Figure("MLAB", "less", name="vendor_mlab", primary=False)] = None
    """Logic blocks of an Intel device used as memory (a number)."""
    clock_ns: Annotated[
        PositiveReal | None,
        Figure("clock", "less", name="vendor_clock", unit="ns", digits=3, primary=False),
    ] = None
    """Requested clock period, in ns."""
    slack_ns: Annotated[
        Real | None,
        Figure("slack", "more", name="vendor_slack", unit="ns", digits=3, primary=False),
    ] = None
    """Worst setup slack, in ns; negative if timing is not met."""
    hold_slack_ns: Annotated[
        Real | None,
        Figure("hold slack", "more", name="vendor_hold_slack", unit="ns", digits=3, primary=False),
    ] = None
    """Worst hold slack, in ns; negative if timing is not met."""
    fmax_mhz: Annotated[
        PositiveReal | None,
        Figure("Fmax", "more", name="vendor_fmax", unit="MHz", digits=1, primary=False),
    ] = None
    """Highest clock frequency, in MHz: from the report, or 1000 / (period - slack) if there is one
    clock only, or 1000 / (estimated period)."""
    latency_min: Annotated[
        Count | None,
        Figure("least latency", "less", name="vendor_latency_min", unit="cycles", primary=False),
    ] = None
    """Least latency by C synthesis, in cycles."""
    latency_max: Annotated[
        Count | None,
        Figure("latency", "less", name="vendor_latency", unit="cycles", primary=False),
    ] = None
    """Largest latency by C synthesis, in cycles."""
    ii_min: Annotated[
        Positive | None,
        Figure("least II", "less", name="vendor_ii_min", unit="cycles", primary=False),
    ] = None
    """Least initiation interval by C synthesis, in cycles."""
    ii_max: Annotated[
        Positive | None, Figure("II", "less", name="vendor_ii", unit="cycles", primary=False)
    ] = None
    """Largest initiation interval by C synthesis, in cycles."""
    power_w: Annotated[
        Amount | None,
        Figure("power", "less", name="vendor_power", unit="W", digits=3, primary=False),
    ] = None
    """Total power of the device, dynamic and static, in W."""
    dynamic_power_w: Annotated[
        Amount | None,
        Figure(
            "dynamic power", "less", name="vendor_power_dynamic", unit="W", digits=3, primary=False
        ),
    ] = None
    """Dynamic power, in W, for the switching activity that the tool was given or assumed."""
    static_power_w: Annotated[
        Amount | None,
        Figure(
            "static power", "less", name="vendor_power_static", unit="W", digits=3, primary=False
        ),
    ] = None
    """Static power, in W."""

    @model_validator(mode="after")
    def _consistent(self) -> Imported:
        refuse_duplicates("report", (f"{each.name} ({each.kind})" for each in self.reports))
        for least, most in (("latency_min", "latency_max"), ("ii_min", "ii_max")):
            low, high = getattr(self, least), getattr(self, most)
            if low is not None and high is not None and low > high:
                raise ValueError(f"{least} is larger than {most}")
        if self.lut is not None and self.lutram is not None and self.lutram > self.lut:
            raise ValueError("more LUTs used as memory than LUTs")
        return self

    @property
    def key(self) -> str:
        """Its key in reports, for example "vivado-routed"."""
        return f"{self.tool}-{self.stage}"

    @property
    def sentence(self) -> str:
        """For example "vivado-routed (Vivado 2023.1, xc7a35t-1): LUT 1,526, slack (ns) 0.125"."""
        words = []
        for name, figure in declared(type(self)):
            if (value := getattr(self, name)) is not None:
                unit = f" ({figure.unit})" if figure.unit else ""
                words.append(f"{figure.label}{unit} {figure.format(value)}")
        tool = " ".join(filter(None, (TOOLS[self.tool], self.version)))
        where = ", ".join(filter(None, (tool, self.part)))
        return f"{self.key} ({where}): {', '.join(words)}"

    @property
    def figures(self) -> dict[str, float]:
        """The known figures, by field."""
        values = {name: getattr(self, name) for name in FIGURE_FIELDS}
        return {name: value for name, value in values.items() if value is not None}


FIGURE_FIELDS = tuple(
    name
    for name, field in Imported.model_fields.items()
    if any(isinstance(mark, Figure) for mark in field.metadata)
)
"""The fields of `Imported` that are figures."""

ByToolAndStage = Annotated[dict[str, Imported], ByKey]
"""Imported figures, by tool and step, for example "vivado-routed"."""
