"""How Yosys maps a netlist to Intel Cyclone V."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from gatewright.synth.command import CellTable, CommandMapper
from gatewright.synth.yosys import yosys_share


@dataclass(frozen=True)
class CycloneVMapper(CommandMapper):
    """Maps to the ALMs, multipliers and memories of Cyclone V."""

    cells = CellTable(
        # In halves of an ALM; a LUT of six inputs takes both. An MLAB holds 32 words of one bit in
        # each half.
        lut={
            **{f"MISTRAL_ALUT{inputs}": 1 for inputs in (2, 3, 4, 5)},
            "MISTRAL_ALUT6": 2,
            "MISTRAL_ALUT_ARITH": 1,
            "MISTRAL_NOT": 1,
            "MISTRAL_MLAB": 1,
        },
        ff={"MISTRAL_FF": 1},
        # A DSP block holds three, two or one of them.
        dsp={"MISTRAL_MUL9X9": 1 / 3, "MISTRAL_MUL18X18": 1 / 2, "MISTRAL_MUL27X27": 1},
        bram={"MISTRAL_M10K": 10 / 36},
        memory=("MISTRAL_MLAB",),
        carry=("MISTRAL_ALUT_ARITH",),
        free=("MISTRAL_CLKBUF",),
    )

    @property
    @override
    def flow(self) -> str:
        return "synth_intel_alm -family cyclonev -noiopad -noclkbuf"

    @override
    def models(self) -> tuple[Path, ...]:
        return tuple(
            yosys_share() / "intel_alm" / "common" / f"{kind}_sim.v"
            for kind in ("alm", "dff", "dsp", "mem", "misc")
        )


MAPPER = CycloneVMapper
