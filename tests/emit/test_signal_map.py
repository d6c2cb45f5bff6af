"""The map of signals: what it says against what the modules' text says."""

import re
from dataclasses import replace

import numpy as np
import pytest

from emit.test_emit import branched_design
from flow.stream_designs import residual
from gatewright.emit import emit
from gatewright.errors import InputError
from gatewright.rtl.manifest import Module
from gatewright.rtl.signal_map import SIGNAL_MAP, Origin, SignalMap, read_signal_map
from gatewright.targets import load_target

TARGET = load_target("xcup")
_WORD = re.compile(r"\bt\d+(?:_q\d+)?\b")


def elements_of(text, width):
    """Per word of a module, the elements of its result that depend on it, by its text."""
    readers = {}
    for statement in text.split(";"):
        target, equals, value = re.sub(r"//.*", "", statement).partition("=")
        out = re.search(r"\.out\(\s*(t\d+)", statement)
        names = _WORD.findall(target) if equals and not out else []
        made = [out[1]] if out else [name.removesuffix("_w") for name in names[-1:]]
        if bits := re.search(r"out_data\[(\d+)(?::(\d+))?\]", target):
            made = [int(bits[2] or bits[1]) // width]
        for name in _WORD.findall(value or statement):
            readers.setdefault(name, set()).update(made)
    found = {}

    def reached(name):
        if name not in found:
            found[name] = set()
            for reader in readers.get(name, ()):
                if isinstance(reader, int):
                    found[name].add(reader)
                elif reader != name:
                    found[name] |= reached(reader)
        return found[name]

    return {name: reached(name) for name in readers}


def test_elements_and_stages_are_those_of_the_text(tmp_path):
    project = emit(branched_design(np.random.default_rng(3)), TARGET, 2.0, tmp_path)
    lines = (tmp_path / SIGNAL_MAP).read_text().splitlines()[1:]
    rows = {tuple(line.split(",")[:2]): line.split(",")[2:] for line in lines}
    widths = {"u_a": 6, "u_b": 12}
    for instance, width in widths.items():
        module = next(each for each in project.modules if each.instance == instance)
        text = (tmp_path / module.file).read_text()
        named = {signal for where, signal in rows if where == instance}
        assert named == set(_WORD.findall(text))
        for signal, reached in elements_of(text, width).items():
            layer, stage, element = rows[instance, signal]
            assert layer == module.layer
            assert element == (str(*reached) if len(reached) == 1 else ""), signal
            assert int(stage) >= int(signal.partition("_q")[2] or 0)
        stages = {int(stage) for (where, _), (_, stage, _) in rows.items() if where == instance}
        assert max(stages) == module.latency > 0


def test_modules_below_a_layer_are_named_by_their_path(tmp_path):
    project = emit(residual(9), TARGET, 5.0, tmp_path)
    found = read_signal_map(tmp_path, project.modules)
    parts = next(module.parts for module in project.modules if module.layer == "stem")
    below = [part.removesuffix(".sv").removeprefix("block_stem_") for part in parts]
    origins = {name: found.find("u_stem", f"u_{name}.t0") for name in below}
    # Products of a step belong to no single element, the words that finish a sum do.
    assert origins["products"] == Origin("stem", 0, None)
    assert origins["results"] == Origin("stem", 0, 0)
    assert found.find("u_stem", "t0") is None


def test_bits_and_casts_belong_to_their_word():
    word = Origin("fc1", 2, 5)
    found = SignalMap({("u_fc1", "t7"): word, ("u_fc1.u_sum", "t7_q1"): word})
    for name in ("t7", "t7[3]", "t7_3", "u_cast7.up", "u_cast7.gen_round.up[1]"):
        assert found.find("u_fc1", name) == word
    for name in ("u_sum.t7_q1", "u_sum.t7_q1[0]", "u_sum.t7_q1_12"):
        assert found.find("u_fc1", name) == word
    for name in ("t77", "t7_q1", "u_sum.t7", "u_cast77.up", "valid_q"):
        assert found.find("u_fc1", name) is None


MODULE = Module("net_fc1", "net_fc1.sv", "u_fc1", "fc1", "Dense", 1, (), layers=("fc1", "fc1_relu"))
HEADER = "instance,signal,layer,stage,element\n"


def test_a_project_without_a_map_has_no_origins(tmp_path):
    assert read_signal_map(tmp_path, [MODULE]).find("u_fc1", "t1") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("instance,signal\n", 1),
        (HEADER + "u_fc1,t1,fc1,0,\nu_fc1,t2,other,0,\n", 3),
        (HEADER + "u_fc2,t1,fc1,0,\n", 2),
        (HEADER + "u_fc1,t1,fc1,,\n", 2),
        (HEADER + "u_fc1,t1,fc1,-1,\n", 2),
        (HEADER + "u_fc1,t1,fc1,0,99999999999\n", 2),
        (HEADER + "u_fc1,t1,fc1,0,1,2\n", 2),
        (HEADER + "u_fc1,t1\n", 2),
        ("\xff", 1),
    ],
)
def test_a_file_that_is_no_map_is_refused_by_its_line(tmp_path, text, line):
    (tmp_path / SIGNAL_MAP).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=f"signals.csv, line {line}: not Gatewright's map"):
        read_signal_map(tmp_path, [MODULE])


def test_names_of_layers_that_csv_must_quote_come_back(tmp_path):
    design = branched_design(np.random.default_rng(3))
    odd = replace(design.kernels[0], layer='a, "b"')
    design = replace(design, kernels=(odd, *design.kernels[1:]))
    project = emit(design, TARGET, 5.0, tmp_path)
    found = read_signal_map(tmp_path, project.modules)
    (instance,) = (m.instance for m in project.modules if m.layer == odd.layer)
    assert found.find(instance, "t0").layer == odd.layer
