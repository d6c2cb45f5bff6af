"""Resources of a design, or of a part of it, on a target."""

from __future__ import annotations

from typing import Annotated

from gatewright.results.figure import Figure
from gatewright.results.part import Part
from gatewright.results.scalars import Amount, ByKey, Count


class Resources(Part):
    """Resources of a design or a layer on one target."""

    lut: Annotated[Count | None, Figure("LUT", "less", foretold_by="ebops")] = None
    """Look-up tables (a number), for logic, inverters and memory."""
    ff: Annotated[Count | None, Figure("FF", "less", foretold_by="ebops")] = None
    """Flip-flops (a number)."""
    dsp: Annotated[Count | None, Figure("DSP", "less", weighed=True)] = None
    """DSP slices (a number)."""
    bram: Annotated[Amount | None, Figure("BRAM", "less", unit="36 Kb", digits=1, weighed=True)] = (
        None
    )
    """Block RAM, in units of 36 Kb blocks; half a block counts as 0.5."""
    uram: Annotated[Count | None, Figure("URAM", "less")] = None
    """UltraRAM blocks (a number)."""
    lutram: Annotated[Count | None, Figure("LUTRAM", "less")] = None
    """Look-up tables used as memory or shift register (a number); part of `lut`."""
    carry: Annotated[Count | None, Figure("carry", "less", primary=False, foretold_by="ebops")] = (
        None
    )
    """Carry primitives (a number); bits per primitive depend on the family."""
    area_um2: Annotated[
        Amount | None,
        Figure("area", "less", name="area", unit="µm²", digits=1, foretold_by="ebops"),
    ] = None
    """Cell area of an ASIC target, in um^2."""
    nand2: Annotated[
        Amount | None,
        Figure("NAND2", "less", digits=0, foretold_by="ebops"),
    ] = None
    """Cell area of an ASIC target, in NAND2 equivalents: areas of the library's two-input NAND."""
    memory_bits: Annotated[Count | None, Figure("memory", "less", unit="bits", primary=False)] = (
        None
    )
    """Bits of memories built from flip-flops on an ASIC target, because no memory macro is used;
    included in `ff` and in the area."""


ByTarget = Annotated[dict[str, Resources], ByKey]
"""Resources by the name of the target that they were counted on."""
