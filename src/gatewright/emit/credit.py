"""The netlist around a pipeline that never waits: the gate before it, the FIFOs behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from gatewright.emit.netlist import (
    CLOCK,
    Assign,
    Binary,
    Concat,
    Declaration,
    Instance,
    Item,
    Net,
    Ref,
    Select,
    StreamNets,
)
from gatewright.units import Fifo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class CreditNets:
    """The nets between a gate and its FIFOs.

    Attributes:
        prefix: of their names.
        stages: per output, register stages from the gate to it.
    """

    module: ClassVar[str] = "gw_credit"

    prefix: str
    stages: tuple[int, ...]

    @property
    def _arrived(self) -> Net:
        return self._net("arrived", "a beat reaches the FIFO")

    @property
    def _taken(self) -> Net:
        return self._net("taken", "a beat leaves the FIFO")

    @property
    def _space(self) -> Net:
        return replace(self._net("space", ""), unread="never low: the gate keeps count")

    def _net(self, name: str, comment: str) -> Net:
        """A bit per output."""
        count = len(self.stages)
        if count == 1:
            return Net(f"{self.prefix}{name}")
        return Net(f"{self.prefix}{name}", count, comment=comment and f"per output: {comment}")

    def _bit(self, net: Net, output: int) -> Ref | Select:
        return net.ref if net.width is None else Select(net.ref, output, output)

    def gate(self, instance: str, entering: Sequence[StreamNets]) -> Iterator[Item]:
        """The gate; the data of what enters pass it by."""
        yield Declaration((self._arrived, self._taken, self._space))
        valid = tuple(nets.valid.ref for nets in reversed(entering))
        ready = tuple(nets.ready.ref for nets in reversed(entering))
        latency = ", ".join(f"32'd{count}" for count in reversed(self.stages))
        yield Instance(
            self.module,
            instance,
            {
                **CLOCK,
                "in_valid": Concat(valid) if len(valid) > 1 else valid[0],
                "in_ready": Concat(ready) if len(ready) > 1 else ready[0],
                "out_valid": self._arrived.ref,
                "out_taken": self._taken.ref,
            },
            {
                "Inputs": len(entering),
                "Outputs": len(self.stages),
                "Latency": f"{{{latency}}}",
            },
        )

    def collector(
        self, instance: str, output: int, data: Net, result: StreamNets, fifo: Fifo
    ) -> Iterator[Item]:
        """The FIFO of an output, and what tells the gate that a beat leaves it.

        Args:
            instance: its name.
            output: number of the output.
            data: what leaves the pipeline.
            result: the stream that leaves the FIFO.
            fifo: the FIFO.
        """
        yield Instance(
            fifo.module,
            instance,
            {
                **CLOCK,
                "in_valid": self._bit(self._arrived, output),
                "in_ready": self._bit(self._space, output),
                "in_data": data.ref,
                **result.connected("out"),
            },
            fifo.sized(result.bits),
        )
        left = Binary("&", result.valid.ref, result.ready.ref)
        yield Assign(self._bit(self._taken, output), left)
