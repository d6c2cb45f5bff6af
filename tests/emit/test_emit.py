"""Emitted RTL, simulated, against the circuits it was printed from and against golden runs."""

import re
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from circuit.circuits import random_circuit
from gatewright.circuit import Circuit, Word
from gatewright.design import golden
from gatewright.design.dataflow import Design
from gatewright.emit import emit, isolate
from gatewright.fixed import FixedType
from gatewright.kernels import Dense, Kernel, Tensor
from gatewright.rtl.manifest import RtlProject
from gatewright.simulate import StallPattern, lint, simulate
from gatewright.targets import load_target

TARGET = load_target("xcup")
INPUT = Tensor("x", (5,), FixedType(8, 4))
STALLS = (StallPattern("both", 0.4, 0.4, seed=7),)


@dataclass(frozen=True, eq=False)
class RandomKernel(Kernel):
    """A random circuit on the input; golden is the circuit's own evaluation."""

    seed: int = 0

    def circuit(self):
        return random_circuit(np.random.default_rng(self.seed), 40, 5)

    def golden(self, *inputs):
        circuit = Circuit()
        words = self.build(circuit, TARGET, *_inputs(circuit, self.inputs))
        circuit.outputs = [word.node for word in words]
        flat = [value.reshape(len(value), -1) for value in inputs]
        raw = circuit.evaluate(*flat)
        shifts = [self.output.type.frac - word.frac for word in words]
        return raw << np.array(shifts)

    def build(self, circuit, target, *inputs):
        del target
        source = self.circuit()
        mapped = []
        for node in source.nodes:
            if node.op == "input":
                word = inputs[0][node.attr[1]]
                # As many bits as the random circuit expects, as raw integers.
                wanted = FixedType(node.width, node.width, node.signed)
                mapped.append(circuit.cast(Word(circuit, word.node, 0), wanted).node)
            else:
                args = tuple(mapped[arg] for arg in node.args)
                mapped.append(circuit.add(node.op, args, node.attr, node.lo, node.hi))
        return [Word(circuit, mapped[index], 0) for index in source.outputs]


def _inputs(circuit, tensors):
    return [
        [circuit.input(port, i, t.type.min, t.type.max, t.type.frac) for i in range(t.size)]
        for port, t in enumerate(tensors)
    ]


def random_design(seeds):
    kernels = []
    for seed in seeds:
        probe = RandomKernel("probe", (INPUT,), INPUT, seed)
        size = len(probe.circuit().outputs)
        output = Tensor(f"y{seed}", (size,), FixedType(48, 48))
        kernels.append(RandomKernel(f"k{seed}", (INPUT,), output, seed))
    return Design("random", (INPUT,), tuple(k.output for k in kernels), tuple(kernels))


def dense(name, source, size, rng, result):
    weights = rng.integers(-7, 8, (source.size, size))
    output = Tensor(name, (size,), FixedType.parse(result))
    narrow = FixedType(4, 1)
    bias = rng.integers(-8, 8, size)
    return Dense(name, (source,), output, weights, bias, narrow, narrow, FixedType(24, 14))


@dataclass(frozen=True, eq=False)
class Join(Kernel):
    """Sum of two tensors: for branches of unequal depth."""

    def golden(self, *inputs):
        return inputs[0] + inputs[1]

    def build(self, circuit, target, *inputs):
        del target
        return [circuit.sum(((1, a), (1, b))) for a, b in zip(*inputs, strict=True)]


def branched_design(rng):
    """x -> a -> b -> join(b, x-branch c) with c and b of different depth; b leaves as well."""
    a = dense("a", INPUT, 6, rng, "ufixed<6,3,RND_CONV,SAT>")
    b = dense("b", a.output, 4, rng, "fixed<12,8>")
    c = dense("c/short", INPUT, 4, rng, "fixed<12,8>")
    joined = Join("end", (b.output, c.output), Tensor("end", (4,), FixedType(13, 9)))
    twice = Join("2x", (joined.output, joined.output), Tensor("2x", (4,), FixedType(14, 10)))
    return Design("branched", (INPUT,), (twice.output, b.output), (a, b, c, joined, twice))


def words(rng, count):
    return rng.integers(-128, 127, (count, 5), endpoint=True)


def check(design, tmp_path, clock_ns, vectors, handshake=None, ports=None, **options):
    (tmp_path / "rtl").mkdir()
    project = emit(design, TARGET, clock_ns, tmp_path / "rtl", None, handshake, **(ports or {}))
    lint(project)
    vectors = vectors if isinstance(vectors, list) else [vectors]
    expected = golden.run(design, vectors)
    run = simulate(project, vectors, tmp_path / "sim", **options)
    for tensor, got in zip(design.outputs, run.outputs, strict=True):
        want = expected[tensor.name].reshape(len(vectors[0]), -1)
        assert np.array_equal(want, got), tensor.name
    assert run.interval == 1
    assert run.timing.latency_min == run.timing.latency_max == project.latency
    return project


@pytest.mark.parametrize(
    ("first", "clock_ns"), [(0, 3.0), pytest.param(100, 40.0, marks=pytest.mark.full)]
)
def test_random_circuits(tmp_path, first, clock_ns):
    design = random_design(range(first, first + 12))
    vectors = words(np.random.default_rng(1), 2000)
    check(design, tmp_path, clock_ns, vectors, stalls=(), resets=0, driver_vectors=0)


@pytest.mark.full
@pytest.mark.parametrize("first", range(1000, 1200, 25))
def test_many_random_circuits(tmp_path, first):
    design = random_design(range(first, first + 25))
    vectors = words(np.random.default_rng(1), 4000)
    check(design, tmp_path, 4.0, vectors, stalls=(), resets=0, driver_vectors=0)


def test_branches_of_unequal_depth_keep_full_rate_under_any_stall(tmp_path):
    rng = np.random.default_rng(5)
    project = check(branched_design(rng), tmp_path, 2.5, words(rng, 800), "stall", stalls=STALLS)
    kinds = [module.kind for module in project.modules]
    assert "fork" in kinds and "delay" in kinds


def test_a_pipeline_that_never_waits_keeps_full_rate_under_any_stall(tmp_path):
    """Two inputs, two outputs of unequal latency, and branches that meet again."""
    rng = np.random.default_rng(5)
    branched = branched_design(rng)
    other = Tensor("z", (4,), FixedType(13, 9))
    late = Join(
        "late", (branched.kernels[3].output, other), Tensor("late", (4,), FixedType(14, 10))
    )
    kernels = (*branched.kernels, late)
    design = Design("two_in", (INPUT, other), (*branched.outputs, late.output), kernels)
    vectors = [words(rng, 800), rng.integers(-4000, 4000, (800, 4))]
    project = check(design, tmp_path, 2.5, vectors, handshake="credit", stalls=STALLS)
    assert project.handshake == "credit"
    kinds = {module.name: module.kind for module in project.modules}
    assert kinds["gw_credit"] == "gate"
    assert kinds["gw_shift"] == "delay"
    assert "gw_fork" not in kinds
    text = (tmp_path / "rtl" / "two_in.sv").read_text()
    assert "ready" not in "".join(
        (tmp_path / "rtl" / module.file).read_text() for module in project.modules if module.layer
    )
    assert text.count("gw_fifo #(") == 3


@pytest.mark.parametrize("handshake", ["stall", "credit"])
def test_ports_with_registers_and_checks_keep_full_rate(tmp_path, handshake):
    rng = np.random.default_rng(5)
    ports = {"register_ports": True, "check_frames": True}
    design = branched_design(rng)
    project = check(design, tmp_path, 2.5, words(rng, 800), handshake, ports, stalls=STALLS)
    kinds = [module.kind for module in project.modules]
    assert kinds.count("slice") == 3
    assert kinds.count("frame") == 1
    assert RtlProject.load(tmp_path / "rtl").inputs[0].checked
    top = (tmp_path / "rtl" / "branched.sv").read_text()
    assert "output logic s_axis_frame_error" in top
    assert "FIFOs cut those from m_axis_tready" in top


def test_handshakes_go_by_the_clock(tmp_path):
    design = branched_design(np.random.default_rng(5))
    found = {}
    for clock_ns in (1.5, 40.0):
        rtl = tmp_path / f"{clock_ns}"
        rtl.mkdir()
        found[clock_ns] = emit(design, TARGET, clock_ns, rtl)
    assert {clock: project.handshake for clock, project in found.items()} == {
        1.5: "credit",
        40.0: "stall",
    }
    assert all(project.ready_ns <= clock for clock, project in found.items())


@pytest.mark.parametrize("handshake", ["stall", "credit"])
def test_a_module_simulates_alone(tmp_path, handshake):
    rng = np.random.default_rng(5)
    design = branched_design(rng)
    rtl = tmp_path / "rtl"
    rtl.mkdir()
    project = emit(design, TARGET, 5.0, rtl, handshake=handshake)
    vectors = words(rng, 64)
    values = golden.run(design, [vectors])
    module = next(m for m in project.modules if m.layer == "b")
    (tmp_path / "alone").mkdir()
    alone = isolate(project, module, design, tmp_path / "alone")
    run = simulate(alone, [values["a"]], tmp_path / "sim", stalls=(), resets=0, driver_vectors=0)
    assert np.array_equal(run.outputs[0], values["b"])
    assert run.timing.latency_max == alone.latency


def test_same_design_same_bytes(tmp_path):
    texts = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        emit(branched_design(np.random.default_rng(3)), TARGET, 5.0, tmp_path / folder)
        files = sorted((tmp_path / folder).iterdir())
        texts.append({file.name: file.read_text() for file in files})
    assert texts[0] == texts[1]


def test_the_manifest_round_trips(tmp_path):
    project = emit(branched_design(np.random.default_rng(3)), TARGET, 5.0, tmp_path)
    assert RtlProject.load(tmp_path) == project
    assert [port.prefix for port in project.outputs] == ["m_axis_l2x", "m_axis_b"]


@pytest.mark.parametrize("reader", ["read_verilog -sv", "read_slang --top {top}"])
def test_yosys_reads_it(tmp_path, reader):
    project = emit(random_design(range(40)), load_target("xcup"), 3.0, tmp_path)
    command = " ".join([reader.format(top=project.top), *project.files])
    script = f"from pyosys import libyosys as y; y.run_pass({command!r}, y.Design())"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-500:]
    texts = [(tmp_path / file).read_text() for file in project.files]
    assert any(re.search(r"= -\(\d+'\(", text) for text in texts)  # what it once could not


@pytest.mark.parametrize("clock_ns", [1.0, 2.0, 5.0, 40.0])
def test_comments_claim_what_is_there(tmp_path, clock_ns):
    project = emit(branched_design(np.random.default_rng(3)), TARGET, clock_ns, tmp_path)
    generated = [module for module in project.modules if module.layer]
    assert generated
    for module in generated:
        text = (tmp_path / module.file).read_text()
        count = re.search(r"per clock; (\d+) pipeline stage(s?)\.", text)
        if count is None:
            assert module.latency == 0
            assert "per clock; combinational." in text
        else:
            assert int(count[1]) == module.latency
            assert bool(count[2]) == (module.latency > 1)
        for signal, before in re.findall(r"// (t\d+_q\d+) is (t\d+) ", text):
            assert f" {signal};" in text
            assert f" {before} = " in text or f" {before};" in text
