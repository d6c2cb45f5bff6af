"""Steps run once per content, and leave what stood there when they fail."""

import ast
from pathlib import Path

import pytest

import gatewright
from gatewright.errors import DesignFailure, InputError
from gatewright.flow import steps
from gatewright.flow.steps import hash_files, key_of, read_stamp, run_step, tool_versions


def _fail(error):
    raise error


def test_a_step_runs_again_only_with_another_key_or_subject(tmp_path):
    first = run_step(tmp_path, "s", "k1", lambda: {"a": 1}, subject="x")
    assert first.fresh
    again = run_step(tmp_path, "s", "k1", lambda: _fail(AssertionError()), subject="x")
    assert not again.fresh and again.results == {"a": 1} and again.seconds == first.seconds
    assert run_step(tmp_path, "s", "k1", lambda: {"a": 2}, subject="y").fresh
    assert run_step(tmp_path, "s", "k2", lambda: {"a": 3}, subject="y").results == {"a": 3}


@pytest.mark.parametrize("error", [InputError("wrong"), KeyboardInterrupt(), OSError(28, "full")])
def test_a_step_that_could_not_run_keeps_the_old_stamp(tmp_path, error):
    run_step(tmp_path, "s", "old", lambda: {"a": 1})
    with pytest.raises(type(error)):
        run_step(tmp_path, "s", "new", lambda: _fail(error))
    assert read_stamp(tmp_path, "s").key == "old"
    assert [path.name for path in (tmp_path / "steps").iterdir()] == ["s.json"]


def test_a_design_that_failed_has_no_stamp(tmp_path):
    run_step(tmp_path, "s", "old", lambda: {"a": 1})
    with pytest.raises(DesignFailure):
        run_step(tmp_path, "s", "new", lambda: _fail(DesignFailure("no")))
    assert list((tmp_path / "steps").iterdir()) == []


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"key": 1}', "garbage"])
def test_a_damaged_stamp_is_none(tmp_path, text):
    run_step(tmp_path, "s", "k", dict)
    (tmp_path / "steps" / "s.json").write_text(text)
    assert read_stamp(tmp_path, "s") is None


def test_keys_hold_contents_code_and_tools(tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_text("1")
    before, key = hash_files([file]), key_of("x", 1)
    assert key == key_of("x", 1) != key_of("x", 2)
    file.write_text("2")
    assert hash_files([file]) != before
    versions = tool_versions() | {"verilator": "0"}
    monkeypatch.setattr("gatewright.flow.steps.tool_versions", lambda: versions)
    assert key_of("x", 1) != key
    with pytest.raises(InputError, match="nope: cannot be read"):
        hash_files([tmp_path / "nope"])


def test_no_step_uses_the_code_that_its_key_leaves_out():
    """Else a change there would leave results standing that it changes."""
    package = Path(gatewright.__file__).parent
    left_out = {*steps._VIEWS, *steps._MODELS} - {"report"}  # figures are shown, not computed there
    for path in package.rglob("*.py"):
        if path.relative_to(package).parts[0] in {*steps._VIEWS, *steps._MODELS}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            used = {name.split(".")[1] for name in names if name.startswith("gatewright.")}
            assert not used & left_out, path
