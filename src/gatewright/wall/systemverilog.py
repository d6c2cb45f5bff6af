"""Checks SystemVerilog before Verilator and Yosys read it: it must not access anything outside.

A project's SystemVerilog can be edited by hand or come from anybody, and Verilator turns it into
C++ that is compiled and run. So everything that reaches outside of the design is refused: most
system tasks and functions, compiler directives, foreign functions, and comments that are commands
to tools. Logic is not restricted.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.errors import InputError
from gatewright.system.files import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewright.rtl.manifest import RtlProject

#: Largest file, in bytes; memories of the largest networks, as text, have about 100 MB.
_MOST_BYTES = 1 << 30

#: Allowed system tasks and functions: they compute, or end a build or simulation with a message.
_SYSTEM = frozenset(("$bits", "$clog2", "$error", "$fatal", "$signed", "$unsigned"))
#: System tasks that read a file, which must belong to the project.
_READS = ("$readmemb", "$readmemh")

#: Refused keywords: they reach outside of their module, or only a test bench needs them.
_REFUSED = frozenset((
    "bind", "chandle", "checker", "class", "config", "context", "endconfig", "export", "extern",
    "force", "import", "include", "library", "liblist", "new", "program", "pure", "release", "use",
    "virtual",
))  # fmt: skip

#: Allowed attributes, `(* name = value *)`, which control the mapping of logic.
_ATTRIBUTES = frozenset((
    "dont_touch", "full_case", "keep", "keep_hierarchy", "max_fanout", "no_rw_check",
    "parallel_case", "ram_style", "rom_style", "shreg_extract", "use_dsp",
))  # fmt: skip

_PATH = re.compile(r"(?:[A-Za-z_][\w-]*/)*[A-Za-z_][\w-]*\.s?vh?", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,254}", re.ASCII)
# Some readers end a line, and so a comment, at a carriage return.
_UNUSUAL = re.compile(r"[^ -~\t\r\n]|\r(?!\n)")
# Comments and strings; an unterminated one extends to the end of the file and is refused.
_TEXTS = re.compile(r'//[^\n]*|/\*.*?(?:\*/|\Z)|"[^"\\\n]*(?:"|\\|\n|\Z)', re.ASCII | re.DOTALL)
_ORDER = re.compile(
    r"[/*!\s]*(?:verilator|(?:synopsys|synthesis|pragma|ambit|cadence)\s+\w+_\w+)", re.IGNORECASE
)
_LINT = re.compile(r"/[/*]\s*verilator lint_o(?:n|ff) [A-Z0-9_]+\s*(?:\*/)?", re.ASCII)
# Icarus 11 does not support elaboration checks. The text in such a guard is checked as well.
_GUARD = re.compile(r"^`ifndef __ICARUS__$((?:\n[^`\n]*)*?)\n`endif$", re.MULTILINE)
# Names of files in the simulator's directory: not importable by Python, which runs there.
_READ = re.compile(
    r'\$readmem[bh]\s*\(\s*"((?:[A-Za-z_][\w-]*/)*[A-Za-z_][\w-]*\.(?:hex|mem|bin|dat|txt))"',
    re.ASCII,
)
_WORDS = re.compile(r"\$?\w[\w$]*|[$`\\]", re.ASCII)
_OPENED = re.compile(r"\(\*(?!\s*\))")
_ATTRIBUTE = re.compile(
    r'\(\*\s*(\w+(?:\s*=\s*(?:\w+|"\w*"))?(?:\s*,\s*\w+(?:\s*=\s*(?:\w+|"\w*"))?)*)\s*\*\)',
    re.ASCII,
)


def check(project: RtlProject) -> None:
    """Check the SystemVerilog of a project, and the names in its manifest.

    Args:
        project: the project.

    Raises:
        InputError: if something is refused, with file and line; or if the manifest is invalid.
    """
    manifest = f"{project.directory}: the manifest"
    parts = [file for module in project.modules for file in (module.file, *module.parts)]
    for file in (*project.files, *parts):
        if not isinstance(file, str) or not _PATH.fullmatch(file):
            raise InputError(
                f"{manifest}: {ascii(file)[:80]} is not the name of a file in the project"
            )
    ports = (*project.inputs, *project.outputs)
    modules = [module.name for module in project.modules if module.layer]
    for name in (project.top, *(port.prefix for port in ports), *modules):
        if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
            raise InputError(f"{manifest}: {ascii(name)[:80]} is not a name in SystemVerilog")
    for port in ports:
        numbers = (*port.shape, port.width, port.lanes, port.tdata_width, port.bus_width or 1)
        if not all(type(number) is int and 0 < number < 1 << 31 for number in numbers):
            raise InputError(f"{manifest}: port '{port.prefix}' has an invalid size")
    for file in project.files:
        check_file(project.directory / file)


def check_file(path: Path) -> None:
    """Check one file.

    Raises:
        InputError: if something in it is refused; names the line.
    """
    try:
        text = read_bytes(path, _MOST_BYTES).decode("latin-1")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    for position, refused in _refusals(text):
        line = text.count("\n", 0, position) + 1
        raise InputError(
            f"{path}, line {line}: {refused.strip()[:60]!a} is refused: RTL must not reach "
            f"outside of the design"
        )


def copy_memories(source: Path, directory: Path) -> None:
    """Copy the memory files ($readmemh) of a module to the working directory of a tool.

    Args:
        source: a SystemVerilog file; paths in it are relative to its directory.
        directory: the tool's working directory.

    Raises:
        InputError: if a file can't be read.
    """
    for name in _READ.findall(source.read_bytes().decode("latin-1")):
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source.parent / name, target)
        except OSError as error:
            raise InputError(f"{source.parent / name}: cannot be read ({error.strerror})") from None


def _refusals(text: str) -> Iterator[tuple[int, str]]:
    """Positions and texts of everything that is refused."""
    for found in _UNUSUAL.finditer(text):
        yield found.start(), found.group()
    for found in _TEXTS.finditer(text):
        part = found.group()
        if part[0] == '"':
            wrong = len(part) < 2 or part[-1] != '"'
        else:
            open_end = part.startswith("/*") and (len(part) < 4 or not part.endswith("*/"))
            wrong = open_end or bool(_ORDER.match(part) and not _LINT.fullmatch(part.strip()))
        if wrong:
            yield found.start(), part
    # Replace comments and strings by space; positions stay the same.
    code = _TEXTS.sub(lambda found: _blank(found.group()), text)
    code = _GUARD.sub(lambda found: f"{' ' * 18}{found.group(1)}\n{' ' * 6}", code)
    unknown = {word for word in set(_WORDS.findall(code)) if not _is_logic(word)}
    if unknown:
        for found in _WORDS.finditer(code):
            word = found.group()
            if word in unknown and not (word in _READS and _READ.match(text, found.start())):
                yield found.start(), text[found.start() : found.end() + 20].split("\n")[0]
    for found in _OPENED.finditer(code):
        attribute = _ATTRIBUTE.match(text, found.start())
        names = re.split(r"\s*,\s*", attribute.group(1)) if attribute else []
        known = all(re.split(r"\s*=", name)[0] in _ATTRIBUTES for name in names)
        if not names or not known:
            yield found.start(), text[found.start() : found.start() + 60].split("\n")[0]


def _is_logic(word: str) -> bool:
    if word[0] in "$`\\":
        return word in _SYSTEM
    return word not in _REFUSED


def _blank(part: str) -> str:
    """Space of the same length, with the same line breaks."""
    return re.sub(r"[^\n]", " ", part)
