"""Designs made of kernels, and one simulation that many of them share, clock cycle by clock cycle.

Every design has sources and a sink of its own, so that what is predicted of its timing can be held
against the cycles of its transfers, whatever stands beside it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from checks import TARGET
from images import Draw
from transfers import FULL_RATE, Phase, Record, Unit, run

from gatewright import kernels
from gatewright.design import golden
from gatewright.design.dataflow import Design
from gatewright.emit import emit, isolate
from gatewright.fixed import FixedType, Overflow
from gatewright.flow.inputs import random_inputs
from gatewright.kernels import Tensor, curves, image_shape
from gatewright.kernels.softmax import Sliced
from gatewright.simulate import lint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gatewright.kernels import Kernel
    from gatewright.rtl.manifest import Port, RtlProject

PHASES = (
    FULL_RATE,
    *(Phase(f"reset after {cycles}", (30, 30), (30, 30), cycles) for cycles in (1, 3, 11, 60)),
    Phase("random", (30, 30), (30, 30)),
    Phase("reset at full rate", cycles=37),
    Phase("backpressure", (0, 0), (70, 70)),
    Phase("bursts", (5, 90), (5, 90)),
)

#: Clock cycles that a design's tensors should take at full rate.
_CYCLES = 600


class Builder(Draw):
    """Kernels of random types and weights, joined to a design.

    Args:
        seed: of all that is drawn.
        io: of the design.
    """

    def __init__(self, seed: int, io: str = "stream") -> None:
        super().__init__(seed)
        self.io = io
        self.inputs: list[Tensor] = []
        self.kernels: list[Kernel] = []
        self._numbers = count()

    def input(self, *shape: int, to: FixedType | None = None) -> Tensor:
        self.inputs.append(Tensor(f"x{len(self.inputs)}", shape, to or self.type(2, 6)))
        return self.inputs[-1]

    def design(self, name: str) -> Design:
        """The design whose output is the last kernel's."""
        made = tuple(self.kernels)
        return Design(name, tuple(self.inputs), (made[-1].output,), made, self.io)

    def add(
        self,
        kind: type[Kernel],
        inputs: Iterable[Tensor],
        shape: tuple[int, ...],
        to: FixedType | None = None,
        **fields: Any,
    ) -> Tensor:
        name = f"{kind.__name__.lower()}{next(self._numbers)}"
        output = Tensor(name, shape, to or self.type(2, 7))
        self.kernels.append(kind(name, tuple(inputs), output, **fields))
        return output

    # Layers that multiply

    def factors(self, x: Tensor, shape: tuple[int, ...], n_out: int, n_in: int) -> dict[str, Any]:
        """Weights of any kind, and accumulators that round, that wrap, or that hold every sum."""
        kind = self.pick("any", "any", "any", "binary", "ternary")
        weight = self.type(2, 6)
        if kind == "any":
            weights = self.raw(weight, *shape)
        else:
            weight = FixedType(2, 2)
            weights = self.pick([-1, 1], [-1, 0, 1]) if kind == "ternary" else [-1, 1]
            weights = self.rng.choice(weights, shape)
        bias = self.type(2, 8)
        frac = x.type.frac + weight.frac
        width = x.type.width + weight.width + n_in.bit_length() + 10
        exact = FixedType(width, width - max(frac, bias.frac))
        wraps = self.type(4, 12, Overflow.WRAP)
        return {
            "weights": weights,
            "bias": self.raw(bias, n_out),
            "weight_type": weight,
            "bias_type": bias,
            "accum": self.pick(exact, wraps, wraps),
            "strategy": self.pick("latency", "resource", "distributed_arithmetic"),
            "rom_style": self.pick("auto", "block", "distributed"),
        }

    def dense(
        self, x: Tensor, n_out: int, reuse: int = 1, parallel: int = 1, **more: Any
    ) -> Tensor:
        n_in = x.shape[-1]
        factors = self.factors(x, (n_in, n_out), n_out, n_in) | more
        return self.add(
            kernels.Dense, [x], (*x.shape[:-1], n_out), **factors,
            reuse_factor=reuse, parallel=parallel,
        )  # fmt: skip

    def zeros(self, x: Tensor, n_out: int) -> Tensor:
        """A dense layer whose results are its biases, so that constants enter what reads them."""
        made = self.dense(x, n_out)
        kernel = self.kernels.pop()
        assert isinstance(kernel, kernels.Dense)
        self.kernels.append(replace(kernel, weights=np.zeros_like(kernel.weights)))
        return made

    def conv(
        self,
        x: Tensor,
        filters: int,
        window: tuple[int, int],
        *,
        strides: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
        dilation: tuple[int, int] = (1, 1),
        reuse: int = 1,
        parallel: int = 1,
    ) -> Tensor:
        channels = x.shape[-1]
        n_in = window[0] * window[1] * channels
        geometry = {"window": window, "strides": strides, "pads": pads, "dilation": dilation}
        return self.add(
            kernels.Conv, [x], (*self.windows(x, **geometry), filters), **geometry,
            **self.factors(x, (*window, channels, filters), filters, n_in),
            reuse_factor=reuse, parallel=parallel, ram_style=self.pick("auto", "block"),
        )  # fmt: skip

    def depthwise(
        self,
        x: Tensor,
        window: tuple[int, int],
        *,
        strides: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
        reuse: int = 1,
        parallel: int = 1,
    ) -> Tensor:
        channels = x.shape[-1]
        geometry = {"window": window, "strides": strides, "pads": pads, "dilation": (1, 1)}
        return self.add(
            kernels.DepthwiseConv, [x], (*self.windows(x, **geometry), channels), **geometry,
            **self.factors(x, (*window, channels), channels, window[0] * window[1]),
            reuse_factor=reuse, parallel=parallel,
        )  # fmt: skip

    def windows(
        self,
        x: Tensor,
        window: tuple[int, int],
        strides: tuple[int, int],
        pads: tuple[int, int, int, int],
        dilation: tuple[int, int],
    ) -> tuple[int, ...]:
        """Rows and columns of windows; columns only, of a sequence."""
        height, width, _ = image_shape(x)
        rows = (pads[0] + height + pads[1] - dilation[0] * (window[0] - 1) - 1) // strides[0] + 1
        columns = (pads[2] + width + pads[3] - dilation[1] * (window[1] - 1) - 1) // strides[1] + 1
        return (rows, columns)[3 - len(x.shape) :]

    def recurrent(
        self,
        kind: type[kernels.Recurrent],
        x: Tensor,
        units: int,
        reuse: int = 1,
        *,
        every: bool = False,
        functions: tuple[str, ...] = ("tanh", "sigmoid"),
    ) -> Tensor:
        width, table = kind.gates * units, FixedType(8, 1)
        outer = self.factors(x, (x.shape[-1], width), width, x.shape[-1])
        inner = self.factors(x, (units, width), width, units)
        names = ("weights", "bias", "weight_type", "bias_type")
        fields: dict[str, Any] = {}
        for role, name in zip(("", "recurrent_"), functions, strict=False):
            entries = np.zeros(0, np.int64)
            if name != "relu":
                entries = getattr(curves, name)(64, table)
            fields |= {f"{role}activation": name, f"{role}table": entries}
        return self.add(
            kind, [x], (x.shape[0], units) if every else (units,),
            to=self.type(3, 8, Overflow.WRAP),
            **{name: outer[name] for name in names},
            **{f"recurrent_{name}": inner[name] for name in names},
            accum=self.type(5, 14, Overflow.WRAP),
            **fields, table_type=table,
            strategy=outer["strategy"], rom_style=outer["rom_style"], reuse_factor=reuse,
        )  # fmt: skip

    def batchnorm(self, x: Tensor, reuse: int = 1, entries: int | None = None) -> Tensor:
        scale, bias = self.type(2, 6), self.type(2, 6)
        size = entries or x.shape[-1]
        return self.add(
            kernels.BatchNorm, [x], x.shape,
            scale=self.raw(scale, size), bias=self.raw(bias, size),
            scale_type=scale, bias_type=bias, reuse_factor=reuse,
        )  # fmt: skip

    # Layers that do not

    def pool(
        self,
        x: Tensor,
        operation: str,
        window: tuple[int, int],
        *,
        strides: tuple[int, int] | None = None,
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> Tensor:
        streams = self.pick(True, False)  # as hls4ml's C++ for either io type does it
        geometry: dict[str, Any] = {
            "window": window, "strides": strides or window, "pads": pads, "dilation": (1, 1),
        }  # fmt: skip
        return self.add(
            kernels.Pooling, [x], (*self.windows(x, **geometry), x.shape[-1]), **geometry,
            operation=operation, accum=self.type(6, 12), count_pads=self.pick(True, False),
            cast_first=streams,
        )  # fmt: skip

    def whole_pool(self, x: Tensor, operation: str, accum: FixedType | None = None) -> Tensor:
        return self.add(
            kernels.GlobalPooling, [x], x.shape[-1:], operation=operation,
            accum=accum or FixedType(16, 16 - x.type.frac), divisor=x.size // x.shape[-1],
            cast_first=self.pick(True, False),
        )  # fmt: skip

    def pad(self, x: Tensor, pads: tuple[int, int, int, int]) -> Tensor:
        height, width, channels = image_shape(x)
        shape = (pads[0] + height + pads[1], pads[2] + width + pads[3])[3 - len(x.shape) :]
        return self.add(kernels.ZeroPadding, [x], (*shape, channels), self.cast(x), pads=pads)

    def crop(self, x: Tensor, crop: tuple[int, int, int, int]) -> Tensor:
        height, width, channels = image_shape(x)
        shape = (height - crop[0] - crop[1], width - crop[2] - crop[3])[3 - len(x.shape) :]
        return self.add(kernels.Cropping, [x], (*shape, channels), self.cast(x), crop=crop)

    def upsample(self, x: Tensor, factors: tuple[int, int]) -> Tensor:
        height, width, channels = image_shape(x)
        shape = (height * factors[0], width * factors[1])[3 - len(x.shape) :]
        return self.add(kernels.UpSampling, [x], (*shape, channels), self.cast(x), factors=factors)

    def cast(self, x: Tensor) -> FixedType:
        """The type of a tensor, or another one."""
        found: FixedType = self.pick(x.type, self.type(2, 7))
        return found

    def merge(self, operation: str, a: Tensor, b: Tensor) -> Tensor:
        shape = a.shape if a.size >= b.size else b.shape
        return self.add(kernels.Merge, [a, b], shape, operation=operation)

    def concatenate(self, axis: int, *parts: Tensor, to: FixedType | None = None) -> Tensor:
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        return self.add(kernels.Concatenate, parts, tuple(shape), to, axis=axis)

    def reshape(self, x: Tensor, *shape: int) -> Tensor:
        return self.add(kernels.Reshape, [x], shape, x.type)

    def transpose(self, x: Tensor, *perm: int) -> Tensor:
        shape = tuple(x.shape[axis] for axis in perm)
        return self.add(kernels.Transpose, [x], shape, self.cast(x), perm=perm)

    def relu(self, x: Tensor) -> Tensor:
        return self.add(kernels.Relu, [x], x.shape, replace(self.type(2, 6), signed=False))

    def embedding(self, x: Tensor, vocabulary: int, n: int, parallel: int = 1) -> Tensor:
        to = self.type(2, 6)
        table = self.raw(to, vocabulary, n)
        return self.add(
            kernels.Embedding, [x], (*x.shape, n), table=table, table_type=to, parallel=parallel
        )

    def garnet(
        self, x: Tensor, results: int, passes: int = 1, *, by_count: bool = False, mean: bool = True
    ) -> Tensor:
        """A GarNet of two aggregators, whose number of vertices is an input of its own."""
        vertices, features = x.shape
        count = self.input(1, to=FixedType(vertices.bit_length(), vertices.bit_length(), False))
        shapes = {
            "distances": (2, features),
            "distance_biases": (2,),
            "transform": (results, 2, features),
            "transform_biases": (results, 2),
            "biases": (results,),
        }
        types = {name: self.type(2, 7) for name in shapes}
        return self.add(
            kernels.GarNet, [x, count], (results,) if mean else (vertices, results),
            **{name: self.raw(types[name], *shape) for name, shape in shapes.items()},
            **{f"{name}_type": to for name, to in types.items()},
            edge_type=FixedType(self.pick(4, 8), 0, False, overflow=Overflow.SAT),
            edge_sum_type=FixedType(10, 2, False),
            accum=self.type(6, 16), norm_type=FixedType(9, 3, False),
            passes=passes, by_count=by_count, mean=mean,
        )  # fmt: skip

    def thresholds(self, x: Tensor, levels: int) -> Tensor:
        limits = -np.sort(-self.raw(x.type, levels, x.shape[-1]), axis=0)
        return self.add(kernels.Thresholds, [x], x.shape, FixedType(2, 2), thresholds=limits)

    def like(self, kernel: Kernel, x: Tensor) -> Tensor:
        """A kernel of a vector, made for a tensor of such vectors."""
        fields: dict[str, Any] = {}
        if isinstance(kernel, Sliced):
            fields["n_outer"] = x.size // x.shape[-1]
        if isinstance(kernel, kernels.LeakyRelu):
            fields["alpha"] = np.resize(kernel.alpha, x.size)
        output = Tensor(f"k{next(self._numbers)}", x.shape, kernel.output.type)
        self.kernels.append(
            replace(kernel, layer=output.name, inputs=(x,), output=output, **fields)
        )
        return output


@dataclass(frozen=True)
class Case:
    """A project, what goes into it and what should come out, each of shape (tensors, elements).

    The latency of a module `alone` counts from when its first beat is offered, that of a design
    from when it is taken.
    """

    project: RtlProject
    inputs: tuple[NDArray[np.int64], ...]
    output: NDArray[np.int64]
    alone: bool = False


def check(designs: Sequence[Design], directory: Path, *, isolated: bool = False) -> None:
    """Hold designs to their golden outputs in all phases, and to their predicted timing.

    Args:
        designs: of one output each; their names differ.
        directory: where to build.
        isolated: check each module of the designs by itself, too.
    """
    cases = []
    for design in designs:
        cases += _cases(design, directory / design.name, isolated=isolated)
    files: dict[str, Path] = {}
    for case in cases:
        for name in case.project.files:
            files.setdefault(name, case.project.directory / name)
    bench = directory / "bench"
    bench.mkdir()
    wrappers = bench / "wrappers.sv"
    wrappers.write_text("".join(_wrapper(case.project) for case in cases))
    units = [_unit(case) for case in cases]
    longest = 2000 + 8 * max(case.project.interval * len(case.output) for case in cases)
    records = run(units, [wrappers, *files.values()], bench, PHASES, longest=longest)
    problems = []
    for phase, row in zip(PHASES, records, strict=True):
        for case, unit, record in zip(cases, units, row, strict=True):
            problem = _wrong(case, unit, record, phase)
            if problem:
                problems.append(f"{case.project.top}, phase '{phase.name}': {problem}")
    shutil.rmtree(bench)
    assert not problems, "\n".join(problems)


def _cases(design: Design, directory: Path, *, isolated: bool) -> list[Case]:
    (directory / "rtl").mkdir(parents=True)
    project = emit(design, TARGET, TARGET.clock_ns, directory / "rtl")
    lint(project)
    count = min(max(_CYCLES // project.interval, 6), 40)
    values = golden.run(design, random_inputs(design, count, seed=len(design.kernels)))

    def case(
        project: RtlProject, inputs: Iterable[Tensor], output: Tensor, *, alone: bool = False
    ) -> Case:
        flat = tuple(values[tensor.name].reshape(count, -1) for tensor in inputs)
        return Case(project, flat, values[output.name].reshape(count, -1), alone)

    cases = [case(project, design.inputs, design.outputs[0])]
    modules = [module for module in project.modules if module.layer] if isolated else []
    by_layer = {kernel.layer: kernel for kernel in design.kernels}
    for module in modules:
        (directory / module.name).mkdir()
        lone = isolate(project, module, design, directory / module.name)
        first, last = by_layer[module.layers[0]], by_layer[module.layers[-1]]
        cases.append(case(lone, first.inputs, last.output, alone=True))
    return cases


def _wrapper(project: RtlProject) -> str:
    """A module with the ports of a unit around a project's top; `tlast` above the data."""
    bits = max(port.tdata_width for port in project.inputs)
    (out,) = project.outputs
    connections = [".clk", ".rst"]
    for number, port in enumerate(project.inputs):
        connections += [
            f".{port.prefix}_tvalid(in_valid[{number}])",
            f".{port.prefix}_tready(in_ready[{number}])",
            f".{port.prefix}_tlast(1'b0)",
            f".{port.prefix}_tdata(in_data[{number * bits}+:{port.tdata_width}])",
        ]
    connections += [
        f".{out.prefix}_tvalid(out_valid)",
        f".{out.prefix}_tready(out_ready)",
        f".{out.prefix}_tlast(out_data[{out.tdata_width}])",
        f".{out.prefix}_tdata(out_data[{out.tdata_width - 1}:0])",
    ]
    ports = len(project.inputs)
    return (
        f"module unit_{project.top} (\n  input logic clk, rst,\n"
        f"  input logic [{ports - 1}:0] in_valid, output logic [{ports - 1}:0] in_ready,\n"
        f"  input logic [{ports * bits - 1}:0] in_data,\n"
        f"  output logic out_valid, input logic out_ready,\n"
        f"  output logic [{out.tdata_width}:0] out_data\n);\n"
        f"  {project.top} u_top ({', '.join(connections)});\nendmodule\n"
    )


def _unit(case: Case) -> Unit:
    project = case.project
    (out,) = project.outputs
    beats = _beats(case.output, out)
    last = [(number + 1) % out.beats == 0 for number in range(len(beats))]
    return Unit(
        f"unit_{project.top}",
        {},
        max(port.tdata_width for port in project.inputs),
        out.tdata_width + 1,
        tuple(
            np.array(_beats(values, port), dtype=object)
            for values, port in zip(case.inputs, project.inputs, strict=True)
        ),
        [beat | flag << out.tdata_width for beat, flag in zip(beats, last, strict=True)],
        len(case.output),
        project.interval,
        lambda record: ([], []),
    )


def _beats(values: NDArray[np.int64], port: Port) -> list[int]:
    mask = (1 << port.width) - 1
    return [
        sum((value & mask) << (lane * port.width) for lane, value in enumerate(row))
        for row in values.reshape(-1, port.lanes).tolist()
    ]


def _wrong(case: Case, unit: Unit, record: Record, phase: Phase) -> str:
    """What is wrong with the transfers of a phase; "" if nothing is."""
    out = record.output
    for number, (beat, expected) in enumerate(zip(out.data, unit.outputs, strict=False)):
        if beat != expected:
            return f"beat {number} is {beat:x}, should be {expected:x}"
    if not phase.complete:
        return ""
    if len(out.data) != len(unit.outputs):
        return f"{len(out.data)} beats came, should be {len(unit.outputs)}"
    if phase is not FULL_RATE:
        return ""
    # As `Timing` of gatewright.simulate has them.
    tensors = len(case.output)
    starts = np.min([np.reshape(port.taken, (tensors, -1))[:, 0] for port in record.inputs], axis=0)
    ends = np.reshape(out.taken, (tensors, -1))
    latency = int((ends[:, 0] - starts).min())
    if case.alone:
        latency = out.taken[0] - min(port.offered[0] for port in record.inputs)
    distances = np.diff(ends[:, -1])[(tensors - 1) // 2 :]
    project = case.project
    found = latency, int(distances.min()), int(distances.max())
    predicted = project.latency, project.interval, project.interval
    return "" if found == predicted else f"timing {found}, predicted {predicted}"
