"""Text is read and written as UTF-8, whatever the locale: every call says so."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "sim").rglob("*.py")])


def leaves_encoding_open(call):
    """Whether a call reads or writes text in the encoding of the user's locale."""
    if any(keyword.arg in ("encoding", None) for keyword in call.keywords):
        return False
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    method = isinstance(call.func, ast.Attribute)
    if name == "read_text":
        return not call.args
    if name == "write_text":  # that of a path; gatewright.system.files has a function of that name
        return method and len(call.args) == 1
    if name == "open" and method:
        mode = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        return isinstance(mode, str) and "b" not in mode and len(mode) < 4
    return any(keyword.arg in ("text", "universal_newlines") for keyword in call.keywords) and (
        name in ("run", "Popen", "check_output")
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_encodings_are_said(path):
    calls = (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call))
    lines = [call.lineno for call in calls if leaves_encoding_open(call)]
    assert not lines, f"{path}: no encoding in lines {lines}"
