"""Reads users' YAML and JSON documents within limits; errors are one line."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from pydantic_core import from_json

from gatewright.errors import InputError
from gatewright.system.files import read_bytes

_YAML_BYTES = 1 << 20
_YAML_DEPTH = 64
_YAML_VALUES = 20_000  # with aliases expanded
_JSON_BYTES = 32 << 20
_WHOLE_NUMBERS = 1 << 63
_DIGITS = 64  # characters of a number


def read_yaml(
    path: Path, what: str, passed_over: Collection[str] = (), most: int = _YAML_BYTES
) -> dict[str, Any]:
    """The mapping in a YAML file, of text, numbers, booleans, null, lists and mappings.

    Dates are text. A key that is given twice, or is not text, is an error.

    Args:
        path: The file, in UTF-8.
        what: What it should be, with its article, for messages.
        passed_over: Top-level keys whose values are left out, whatever their tags.
        most: Largest size, in bytes.

    Raises:
        FileNotFoundError: if there is no such file.
        InputError: if it can't be read, is not such a document, or is too large or too deep; names
            the file and, if possible, the line.
    """
    text = _read_text(path, most, what)
    try:
        loader = _Loader(text, passed_over)
        try:
            content = loader.get_single_data()
        finally:
            loader.dispose()
    except _Refused as error:
        raise InputError(f"{path}: not {what} ({error})") from None
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        reason = f"line {number}: the character U+{error.character:04X} is not allowed"
        raise InputError(f"{path}: not {what} ({reason})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise InputError(f"{path}: not {what} ({line}{error.problem or error.context})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: not {what}: no mapping of fields")
    return content


def read_json(path: Path, what: str) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: The file, in UTF-8.
        what: What it should be, with its article, for messages.

    Raises:
        FileNotFoundError: if there is no such file.
        InputError: if it can't be read, is not a JSON object, or is too large or too deep.
    """
    text = _read_text(path, _JSON_BYTES, what)
    try:
        content = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise InputError(f"{path}: not {what}: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: not {what}: it holds no JSON object")
    if not _in_bounds(content):
        raise InputError(f"{path}: not {what}: it holds a number that does not fit in 64 bits")
    return content


def _in_bounds(content: Any) -> bool:
    """Whether all numbers fit in 64 bits; 1e999 is read as infinity and does not."""
    left = [content]
    while left:
        match left.pop():
            case dict() as fields:
                left.extend(fields.values())
            case list() as items:
                left.extend(items)
            case int() as number if not -_WHOLE_NUMBERS <= number < _WHOLE_NUMBERS:
                return False
            case float() as number if not math.isfinite(number):
                return False
    return True


def _read_text(path: Path, limit: int, what: str) -> str:
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not {what} (byte {error.start} is not UTF-8)") from None


class _Refused(Exception):
    """Content that is valid YAML but not allowed."""

    def __init__(self, mark: yaml.Mark, problem: str) -> None:
        super().__init__(f"line {mark.line + 1}: {problem}")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without dates and custom tags.

    PyYAML first composes a tree of nodes and then makes values of it, so sizes are checked before
    values are made.
    """

    def __init__(self, text: str, passed_over: Collection[str] = ()) -> None:
        super().__init__(text)
        self._passed_over = passed_over
        self._depth = 0
        self._sizes: dict[int, int] = {}  # number of values in each complete node, by its id

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Check the depth and the number of values while the tree grows."""
        # PyYAML's stubs have no types for this method.
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        alias = self.check_event(yaml.AliasEvent)
        self._depth += 1
        if self._depth > _YAML_DEPTH:
            raise _Refused(mark, f"nested more than {_YAML_DEPTH} deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is None:
            return None
        if alias and id(node) not in self._sizes:
            raise _Refused(mark, "an alias of something that contains it")
        if not alias:
            self._sizes[id(node)] = 1 + sum(self._sizes[id(part)] for part in _parts(node))
        if max(len(self._sizes), self._sizes[id(node)]) > _YAML_VALUES:
            raise _Refused(mark, f"more than {_YAML_VALUES:,} values, aliases written out")
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Refuse keys that are not text, or that are given twice."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode) or key.tag != _TEXT:
                shown = f" {key.value}" if isinstance(key, yaml.ScalarNode) else ""
                raise _Refused(key.start_mark, f"the key{shown} is not text; write it in quotes")
            if key.value in seen:
                raise _Refused(key.start_mark, f"the key '{key.value}' is given twice")
            seen.add(key.value)
        if self._depth == 1:  # the document itself
            node.value = [pair for pair in node.value if pair[0].value not in self._passed_over]
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Refuse unknown tags, and text that does not match its tag."""
        if node.tag not in _TAGS:
            raise _Refused(node.start_mark, f"the tag {node.tag} is not known")
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, KeyError, IndexError, OverflowError):
            kind = _TAGS[node.tag]
            raise _Refused(node.start_mark, f"{str(node.value)[:_DIGITS]!r} is no {kind}") from None

    def whole_number(self, node: yaml.ScalarNode) -> int:
        """A 64-bit integer."""
        if len(node.value) > _DIGITS:
            raise _Refused(node.start_mark, f"a number of {len(node.value):,} digits")
        number = self.construct_yaml_int(node)
        if not -_WHOLE_NUMBERS <= number < _WHOLE_NUMBERS:
            raise _Refused(node.start_mark, f"{node.value} does not fit in 64 bits")
        return number

    def real_number(self, node: yaml.ScalarNode) -> float:
        """A finite number."""
        if len(node.value) > _DIGITS:
            raise _Refused(node.start_mark, f"a number of {len(node.value):,} digits")
        number = self.construct_yaml_float(node)
        if not math.isfinite(number):
            raise _Refused(node.start_mark, f"{node.value} is no finite number")
        return number


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """The nodes in a node: items, or keys and values."""
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


_PREFIX = "tag:yaml.org,2002:"
_TEXT, _MERGE = f"{_PREFIX}str", f"{_PREFIX}merge"
_TAGS = {
    _TEXT: "text",
    f"{_PREFIX}int": "whole number",
    f"{_PREFIX}float": "number",
    f"{_PREFIX}bool": "boolean",
    f"{_PREFIX}null": "null",
    f"{_PREFIX}seq": "list",
    f"{_PREFIX}map": "mapping",
}
_Loader.add_constructor(f"{_PREFIX}int", _Loader.whole_number)
_Loader.add_constructor(f"{_PREFIX}float", _Loader.real_number)
# Text that looks like a date stays text.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _TAGS or tag == _MERGE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
