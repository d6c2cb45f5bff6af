"""Shared by families that are mapped by one command of Yosys, such as `synth_lattice`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from gatewright.errors import DesignFailure
from gatewright.synth.carry_chains import map_sums, operand
from gatewright.synth.mapper import Mapper, Netlist

if TYPE_CHECKING:
    from gatewright.results.utilization import Resources


@dataclass(frozen=True)
class CellTable:
    """Resources of the cells of a family.

    Attributes:
        lut: look-up tables per cell, including cells of adders and memories.
        ff: flip-flops per cell.
        dsp: multiplier blocks per cell; may be fractions.
        bram: memory per cell, in 36 Kb.
        memory: cells of `lut` that are memories.
        carry: cells that are carry chains.
        latches: cells that are latches, which designs must not have.
        free: cells without cost: constants, buffers, multiplexers beside look-up tables.
    """

    lut: Mapping[str, float]
    ff: Mapping[str, float]
    dsp: Mapping[str, float] = field(default_factory=dict)
    bram: Mapping[str, float] = field(default_factory=dict)
    memory: tuple[str, ...] = ()
    carry: tuple[str, ...] = ()
    latches: tuple[str, ...] = ()
    free: tuple[str, ...] = ()

    def count(self, cells: Mapping[str, int], module: str) -> Resources:
        """Resources of a mapped netlist, see `Mapper.count`.

        Raises:
            DesignFailure: if there are latches, or cells that the table doesn't have.
        """
        from gatewright.results.utilization import Resources  # which the worker has no use for

        latches = sum(cells.get(name, 0) for name in self.latches)
        if latches:
            raise DesignFailure(f"{module}: {latches} latches; assign every signal on every path")
        known = {*self.lut, *self.ff, *self.dsp, *self.bram, *self.free, *self.latches}
        unknown = sorted(cells.keys() - known)
        if unknown:
            raise DesignFailure(f"{module}: the resources of {', '.join(unknown)} are not known")

        def total(weights: Mapping[str, float]) -> float:
            return sum(weight * cells.get(name, 0) for name, weight in weights.items())

        return Resources(
            lut=round(total(self.lut)),
            ff=round(total(self.ff)),
            dsp=round(total(self.dsp)) if self.dsp else None,
            bram=total(self.bram) if self.bram else None,
            lutram=round(total({name: self.lut[name] for name in self.memory}))
            if self.memory
            else None,
            carry=sum(cells.get(name, 0) for name in self.carry) if self.carry else None,
        )


@dataclass(frozen=True)
class CommandMapper(Mapper):
    """Maps by `flow`, one command of Yosys; each product to a DSP block or to logic, by cost.

    Attributes:
        dsp_price: cost of a DSP block, in LUTs; None if the family has none.
    """

    dsp_price: float | None

    #: LUTs of a product in logic, per pair of operand bits.
    product_luts: ClassVar[float] = 2.0
    #: Resources of the family's cells.
    cells: ClassVar[CellTable]

    @override
    def map(self, netlist: Netlist, top: str) -> list[str]:
        for cell in netlist["modules"][top]["cells"].values():
            if cell["type"] == "$mul":
                cell["attributes"]["use_dsp"] = "yes" if self._in_block(cell) else "no"
        map_sums(netlist, top)
        products = "t:$mul a:use_dsp=no %i"
        return [
            # Booth recoding takes 2.0 LUT4 per pair of bits, rows of compressors 2.9. It leaves
            # operands of less than 4 bits to the next two commands.
            f"booth {products}",
            f"alumacc {products}",
            "maccmap t:$macc t:$macc_v2",
            f"{self.flow} -top {top}",
        ]

    def _in_block(self, cell: Netlist) -> bool:
        if self.dsp_price is None:
            return False
        asked = cell["attributes"].get("use_dsp")
        if asked in ("yes", "no"):
            return bool(asked == "yes")
        a, b = (len(operand(cell, port)) for port in "AB")
        return self.product_luts * a * b >= self.dsp_price

    @override
    def count(self, cells: Mapping[str, int], module: str) -> Resources:
        return self.cells.count(cells, module)
