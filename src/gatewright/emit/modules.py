"""From kernels to scheduled modules: grouping, ranges, pipeline stages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gatewright.circuit import Circuit, Schedule, Word, optimize, schedule

if TYPE_CHECKING:
    from gatewright.design import Design
    from gatewright.kernels import Kernel, Tensor
    from gatewright.targets import Target


@dataclass(frozen=True)
class Element:
    """What is known of one element of a tensor: its range, in units of 2**-frac, and its timing."""

    lo: int
    hi: int
    frac: int
    arrival: float = 0.0  # ns into the pipeline stage at which it is stable


@dataclass(frozen=True)
class HardwareModule:
    """One module: a kernel and the elementwise kernels that follow it.

    Attributes:
        kernels: in order; the first reads `inputs`, each other one reads the one before.
        inputs: tensors at the ports.
        elements: per input, what is known of its elements.
        delays: per input, register stages to pass before it is level with the latest input.
        start: pipeline stage of the design in which the inputs arrive.
        circuit: the function; its outputs are nodes whose words `outputs` gives.
        outputs: the circuit's output words.
    """

    kernels: tuple[Kernel, ...]
    inputs: tuple[Tensor, ...]
    elements: tuple[tuple[Element, ...], ...]
    delays: tuple[int, ...]
    start: int
    circuit: Circuit
    schedule: Schedule
    outputs: tuple[Word, ...]

    @property
    def output(self) -> Tensor:
        """The tensor that leaves the module."""
        return self.kernels[-1].output

    def output_elements(self) -> tuple[Element, ...]:
        """What the next module may know of this one's outputs."""
        return tuple(
            Element(word.lo, word.hi, word.frac, arrival)
            for word, arrival in zip(self.outputs, self.schedule.arrival, strict=True)
        )


def group_kernels(design: Design) -> list[tuple[Kernel, ...]]:
    """Kernels that share a module: an elementwise kernel joins the only producer it has.

    It stays apart where its input has other readers or leaves the design.
    """
    groups: list[list[Kernel]] = []
    last: dict[str, list[Kernel]] = {}  # by output tensor of a group's last kernel
    leaving = {tensor.name for tensor in design.outputs}
    for kernel in design.kernels:
        source = kernel.inputs[0]
        group = last.get(source.name)
        if (
            kernel.elementwise
            and group is not None
            and len(design.readers(source)) == 1
            and source.name not in leaving
        ):
            del last[source.name]
            group.append(kernel)
        else:
            group = [kernel]
            groups.append(group)
        last[kernel.output.name] = group
    return [tuple(group) for group in groups]


def build_modules(design: Design, target: Target, clock_ns: float) -> list[HardwareModule]:
    """All modules of a design, scheduled for a target, in topological order.

    Time runs on across module boundaries: what a producer leaves of a clock period, its readers
    use. The modules that produce the design's outputs end in a register.
    """
    known = {
        tensor.name: tuple(
            Element(tensor.type.min, tensor.type.max, tensor.type.frac) for _ in range(tensor.size)
        )
        for tensor in design.inputs
    }
    stages = {tensor.name: 0 for tensor in design.inputs}
    leaving = {tensor.name for tensor in design.outputs}
    modules = []
    for group in group_kernels(design):
        inputs = group[0].inputs
        start = max(stages[tensor.name] for tensor in inputs)
        delays = tuple(start - stages[tensor.name] for tensor in inputs)
        elements = tuple(
            tuple(replace(element, arrival=0.0) for element in known[tensor.name])
            if delay
            else known[tensor.name]
            for tensor, delay in zip(inputs, delays, strict=True)
        )
        circuit = Circuit()
        words = [
            [
                circuit.input(port, i, element.lo, element.hi, element.frac)
                for i, element in enumerate(port_elements)
            ]
            for port, port_elements in enumerate(elements)
        ]
        for kernel in group:
            circuit.section = kernel.layer
            words = [kernel.build(circuit, target, *words)]
        fracs = [word.frac for word in words[0]]
        circuit.outputs = [word.node for word in words[0]]
        circuit = optimize(circuit, three_operand=target.three_operand_adders)
        plan = schedule(
            circuit,
            target,
            clock_ns,
            [[element.arrival for element in port] for port in elements],
            registered=group[-1].output.name in leaving,
        )
        outputs = tuple(
            Word(circuit, node, frac) for node, frac in zip(circuit.outputs, fracs, strict=True)
        )
        module = HardwareModule(group, inputs, elements, delays, start, circuit, plan, outputs)
        known[module.output.name] = module.output_elements()
        stages[module.output.name] = start + plan.latency
        modules.append(module)
    return modules
