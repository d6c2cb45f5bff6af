"""What users write, as YAML or JSON: every reader refuses what is wrong with a file in one line."""

import json
import os
import socket

import pytest
import yaml

from gatewright.errors import InputError
from gatewright.explore.space import load_search
from gatewright.options import load_preset
from gatewright.parsing.documents import read_yaml
from gatewright.report.report_files import load_reports
from gatewright.targets import load_target
from gatewright.zoo import load_sweep

YAML = {
    "preset": lambda path: load_preset(str(path)),
    "target": lambda path: load_target(str(path)),
    "sweep": load_sweep,
    "search": load_search,
}
JSON = {"report": lambda path: load_reports([path])}

DEEP = 100_000
DAMAGED_YAML = {
    "date": ("description: 2024-13-45\nx: 1", ""),
    "time": ("at: 2024-01-01 99:99:99", ""),
    "timestamp": ("a: 1\nb: !!timestamp 2024-13-45", "line 2"),
    "long-integer": ("a: " + "1" * 5000, "line 1: a number of 5,000 digits"),
    "long-hexadecimal": ("a: 0x" + "f" * 5000, "line 1: a number of 5,002 digits"),
    "long-sexagesimal": ("a: " + "1:" * 5000 + "1", "digits"),
    "large-integer": ("a: 99999999999999999999", "does not fit in 64 bits"),
    "nan": ("a: 1\nb: .nan", "line 2: .nan is no finite number"),
    "infinite": ("a: -.inf", "no finite number"),
    "overflowing": ("a: 1.0e+999", "no finite number"),
    "deep-lists": ("a: " + "[" * DEEP, "nested more than 64 deep"),
    "deep-mappings": ("{a: " * DEEP, "nested more than 64 deep"),
    "deep-keys": ("? " * 1000 + "a", "nested more than 64 deep"),
    "laughs": (
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
            for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "line 5: more than 20,000 values",
    ),
    "merged-laughs": (
        "a: &a {x: 1, y: 2}\n"
        + "".join(
            f"{new}: &{new} {{<<: [{', '.join([f'*{old}'] * 10)}]}}\n"
            for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "more than 20,000 values",
    ),
    "holds-itself": ("a: &a [*a]", "an alias of something that contains it"),
    "many-values": ("a:\n" + "- 1\n" * 100_000, "more than 20,000 values"),
    "huge": ("a: " + "x" * (2 << 20), "more than the limit of 1.0 MB"),
    "twice": ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is given twice"),
    "number-key": ("a: 1\n2: b", "line 2: the key 2 is not text"),
    "list-key": ("? [a]\n: b", "line 1: the key is not text"),
    "null-key": ("~: b", "not text"),
    "object": ("a: !!python/object/apply:os.system [true]", "line 1: the tag"),
    "wrong-integer": ("a: !!int x", "line 1: 'x' is no whole number"),
    "wrong-boolean": ("a: !!bool x", "is no boolean"),
    "wrong-float": ("a: !!float ''", "is no number"),
    "binary": ("a: !!binary x", "the tag"),
    "wrong-list": ("a: !!seq x", "line 1"),
    "merge-of-text": ("<<: 3", "line 1"),
    "not-utf-8": (b"a: \xff\xfe", "is not UTF-8"),
    "utf-16": ("a: 1".encode("utf-16"), "is not UTF-8"),
    "nul": ("a: 1\nb: \0", "line 2: the character U+0000"),
    "escape": ("a: \x1b[31m", "the character U+001B"),
    "unfinished": ("a: [1, 2", "line 1"),
    "two-documents": ("a: 1\n---\nb: 2", "line 2"),
    "directive": ("%NOPE", "line 1"),
    "list": ("[1]", "no mapping of fields"),
    "text": ("hello", "no mapping of fields"),
    "empty": ("", "no mapping of fields"),
    "keys-unknown": ("nope: [1, 2]", ""),
    "key-steers": ('"\\e[31m\\nx": 1', ""),
}
DAMAGED_JSON = {
    "deep-lists": ('{"a": ' + "[" * DEEP, "recursion"),
    "deep-objects": ('{"a": ' * DEEP, "recursion"),
    "long-integer": ('{"version": 1, "a": ' + "1" * 5000 + "}", "out of range"),
    "large-integer": ('{"version": 1, "a": 99999999999999999999}', "does not fit in 64 bits"),
    "overflowing": ('{"version": 1, "a": [1e999]}', "does not fit in 64 bits"),
    "nan": ('{"version": 1, "a": NaN}', ""),
    "version": ('{"version": {"a": [' + "1," * 500 + "1]}}", "schema version"),
    "not-utf-8": (b'{"version": "\xff"}', "is not UTF-8"),
    "half-a-character": ('{"a": "\\ud800"}', ""),
    "unfinished": ('{"version": 1', ""),
    "list": ("[1]", "no JSON object"),
    "empty": ("", ""),
}


def name_of(kind):
    return "x.yaml" if kind in YAML else "report.json"


def refusal(read, path):
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith((f"{path}: ", "preset '", "target '")), message
    assert len(message) < 1000
    return message


@pytest.mark.parametrize("reader", YAML)
@pytest.mark.parametrize("damage", DAMAGED_YAML)
def test_damaged_yaml(tmp_path, reader, damage):
    content, words = DAMAGED_YAML[damage]
    path = tmp_path / "x.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert words in refusal(YAML[reader], path)


@pytest.mark.parametrize("reader", JSON)
@pytest.mark.parametrize("damage", DAMAGED_JSON)
def test_damaged_json(tmp_path, reader, damage):
    content, words = DAMAGED_JSON[damage]
    path = tmp_path / "report.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert words in refusal(JSON[reader], path)


@pytest.fixture(params=["directory", "pipe", "device", "socket", "absent", "long-name", "below"])
def place(request, tmp_path, monkeypatch):
    """A path that is no file, in ways that could make a reader wait for ever."""

    def make(name):
        path = tmp_path / name
        match request.param:
            case "directory":
                path.mkdir()
            case "pipe":
                os.mkfifo(path)
            case "device":
                path.symlink_to("/dev/zero")
            case "socket":
                with socket.socket(socket.AF_UNIX) as made:
                    monkeypatch.chdir(tmp_path)  # names of sockets are short
                    made.bind(name)
            case "long-name":
                path = tmp_path / f"{'x' * 300}{path.suffix}"
            case "below":
                (tmp_path / "file").write_text("")
                path = tmp_path / "file" / name
        return path

    return make


@pytest.mark.parametrize("reader", [*YAML, *JSON])
def test_what_is_no_file(place, reader):
    read = {**YAML, **JSON}[reader]
    with pytest.raises((InputError, OSError)) as caught:
        read(place(name_of(reader)))
    assert caught.type is InputError or "too long" in str(caught.value)


def test_what_yaml_means(tmp_path):
    content = (
        "\ufeffbase: &base {x: 1, on: true}\nover: {<<: *base, x: 2}\nagain: *base\n"
        "day: 2024-01-01\nnone: ~\nlist: [1.5, -3, a]\n"
    )
    path = tmp_path / "x.yaml"
    path.write_text(content.replace("on:", "'on':"), encoding="utf-8")
    assert read_yaml(path, "it") == {
        "base": {"x": 1, "on": True},
        "over": {"x": 2, "on": True},
        "again": {"x": 1, "on": True},
        "day": "2024-01-01",
        "none": None,
        "list": [1.5, -3, "a"],
    }


def test_as_pyyaml_reads_it(tmp_path):
    """PyYAML's own loader is the judge of files that are right."""
    content = {"a": [1, -2, 3.5, None, True, "x: y", "'", "1"], "b": {"c": {"d": "e" * 200}}}
    for style in (True, False):
        path = tmp_path / "x.yaml"
        path.write_text(yaml.safe_dump(content, default_flow_style=style), encoding="utf-8")
        assert read_yaml(path, "it") == content == yaml.safe_load(path.read_text("utf-8"))


def test_a_report_of_the_largest_numbers(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"version": 1, "a": [2**63 - 1, -(2**63), 1e308]}))
    assert "is missing" in refusal(JSON["report"], path)
