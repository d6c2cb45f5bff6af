"""Assignment of a circuit's operations to pipeline stages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gatewright.circuit.fabric import Fabric
from gatewright.circuit.graph import Circuit, Op


@dataclass(frozen=True)
class Schedule:
    """Pipeline stages of a circuit; stage 0 is before the first register.

    Attributes:
        stage: per node, the stage in which it is computed.
        last_use: per node, the last stage in which it is read; registers carry it there.
        latency: stage of the outputs, that is the number of register stages.
        arrival: per output, ns into the last stage at which it is stable.
        path: ns that the slowest stage takes, the register's share included; more than the clock
            period where an operation is slower than that.
    """

    stage: tuple[int, ...]
    last_use: tuple[int, ...]
    latency: int
    arrival: tuple[float, ...]
    path: float

    def register_bits(self, circuit: Circuit) -> int:
        """Flip-flops that hold data between stages."""
        return sum(
            node.width * (last - first)
            for node, first, last in zip(circuit.nodes, self.stage, self.last_use, strict=True)
        )


def schedule(
    circuit: Circuit,
    fabric: Fabric,
    clock_ns: float,
    arrival: Sequence[Sequence[float]] = (),
    *,
    registered: bool = False,
    buffered: bool = False,
    held: Collection[int] = (),
) -> Schedule:
    """Place every operation in the earliest stage in which it settles before the clock edge.

    An operation that is slower than a whole clock period has a stage to itself.

    Args:
        circuit: what to schedule.
        fabric: its delay model says how long an operation takes.
        clock_ns: clock period to meet.
        arrival: per port and element, ns into stage 0 at which the input is stable; 0 if empty.
        registered: whether every output that is computed must come straight from a register.
        buffered: whether there is a register even where outputs are inputs.
        held: ports whose inputs keep their values until the outputs are taken, so that any stage
            may read them and no register carries them on.
    """
    budget = clock_ns - fabric.register_ns
    nodes = circuit.nodes
    stage = [0] * len(nodes)
    slowest = 0.0
    steady = {
        index for index, node in enumerate(nodes) if node.op is Op.INPUT and node.attr[0] in held
    }
    ready: list[tuple[int, float]] = []  # stage and time from which a reader may use the value
    for index, node in enumerate(nodes):
        if node.op is Op.INPUT:
            port, element = node.attr
            settled = arrival[port][element] if arrival else 0.0
            slowest = max(slowest, settled)
            ready.append((0, settled))
            continue
        start, time = max((ready[arg] for arg in node.args), default=(0, 0.0))
        late = max((ready[arg][1] for arg in node.args if arg in steady), default=0.0)
        time = max(time, late)
        if node.op is Op.MUL:
            # A multiplier gives its product to a register, and takes its operands from registers,
            # or from memories before the circuit if there is time.
            spread = fabric.spread(node, nodes, budget)
            enters = all(nodes[arg].op in (Op.INPUT, Op.CONST) for arg in node.args)
            if time > 0 and not (enters and time + spread.slowest <= budget):
                start, time = start + 1, late
            stage[index] = start
            slowest = max(slowest, time + spread.slowest)
            ready.append((start + spread.registers, spread.arrival))
            continue
        delay = fabric.delay(node, nodes)
        if time > 0 and time + delay > budget:
            start, time = start + 1, late
        stage[index] = start
        ready.append((start, time + delay))
        slowest = max(slowest, time + delay)
    latency = max((ready[index][0] for index in circuit.outputs), default=0)
    # A product comes from a register, however long the net from there is.
    if registered and any(
        ready[i] > (latency, 0.0)
        for i in circuit.outputs
        if nodes[i].op not in (Op.CONST, Op.INPUT, Op.MUL)
    ):
        latency += 1
    if buffered:
        latency = max(latency, 1)
    last_use = list(stage)
    for index, node in enumerate(nodes):
        for arg in node.args:
            last_use[arg] = max(last_use[arg], stage[index])
    for index in circuit.outputs:
        last_use[index] = latency
    for index, node in enumerate(nodes):
        if node.op is Op.CONST or index in steady:
            last_use[index] = stage[index]
    times = tuple(
        ready[index][1] if ready[index][0] == latency else 0.0 for index in circuit.outputs
    )
    path = slowest + fabric.register_ns
    return Schedule(tuple(stage), tuple(last_use), latency, times, path)
