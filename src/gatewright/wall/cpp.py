r"""Checks C++ before it is compiled: every line must be one that hls4ml writes.

hls4ml prints much of a model unchanged into its C++: attributes, names, types, code. So generated
files are checked line by line. Each line must be the next line of hls4ml's template of the file, or
have one of the forms below, which hls4ml's writers fill in. A form allows only numbers, names and
types, and only calls of functions in hls4ml's own headers. Any other line is refused; the error
names the file and the line.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

from gatewright.errors import InputError
from gatewright.system.files import read_bytes

STAMP = "gatewright"
"""Name part of the library that hls4ml's own script builds, instead of a random one."""

#: Largest file, in bytes; weights of the largest networks, as text, have about 100 MB.
_MOST_BYTES = 1 << 30

# Parts of forms.
_NAME = r"(?!__)[A-Za-z_]\w{0,254}"
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_SIZE = r"\d+(?:\*\d+)*"
_MODE = r"AP_[A-Z]+(?:_[A-Z]+)*"
_ELEMENT = rf"(?:ap_u?fixed<\d+, ?-?\d+(?:, ?{_MODE})?(?:, ?{_MODE})?(?:, ?0)?>|ap_u?int<\d+>)"
_TYPE = rf"(?:{_ELEMENT}|nnet::array<{_ELEMENT}, {_SIZE}>)"
_NUMBERS = rf"{_NUMBER}(?:, {_NUMBER})*"
_STREAM = rf"hls::stream<{_NAME}>"
_NAMES = rf"{_NAME}(?:, ?{_NAME})*"
# Expressions of constants: names, numbers, and the operators in hls4ml's templates.
_TERM = rf"(?:{_NAME}|{_NUMBER})"
_SUM = rf"{_TERM}(?: ?[-+*/] ?{_TERM})*"
_VALUE = (
    rf"(?:{_SUM}|nnet::{_NAME}(?:::{_NAME})?|DIV_ROUNDUP\({_SUM}, {_NAME}\)(?: - {_SUM})?"
    rf"|\({_NAME} == -1\) \? {_NAME} : {_NAME})"
)
_TYPE_PARAMETER = rf"(?:class|typename|unsigned) {_NAME}"

_COMMON = (
    "#ifndef __SYNTHESIS__",
    "#else",
    "#endif",
    r"\}",
    r"\};",
)

#: Forms of lines by kind of file, without comments and without space at both ends.
_FORMS: dict[str, tuple[str, ...]] = {
    "source": (
        rf"{_STREAM} &{_NAME}(?:, {_STREAM} &{_NAME})*,?",
        rf"{_NAME} {_NAME}\[{_SIZE}\](?:, {_NAME} {_NAME}\[{_SIZE}\])*,?",
        rf"#pragma HLS INTERFACE (?:ap_vld|axis) port={_NAMES}",
        r"#pragma HLS (?:PIPELINE|DATAFLOW)(?: II=\d+)?",
        rf"#pragma HLS ARRAY_(?:PARTITION|RESHAPE) variable={_NAME} "
        r"(?:complete|(?:cyclic|block) factor=\d+) dim=\d+",
        rf"#pragma HLS STREAM variable={_NAME} depth=\d+",
        r"static bool loaded_weights = false;",
        r"if \(!loaded_weights\) \{",
        r"loaded_weights = true; *\}",
        rf'nnet::load_\w+_from_txt<{_NAME}, \d+>\({_NAME}, "\w+\.txt"\);',
        rf'{_STREAM} {_NAME}\("{_NAME}"\);',
        rf"{_NAME} {_NAME}\[{_SIZE}\];",
        rf"auto& {_NAME} = {_NAME};",
        rf"nnet::{_NAME}<{_NAME}(?:, (?:{_NAME}|\d+))*>\({_NAME}(?:, {_TERM})*\);",
        rf'nnet::save_layer_output<{_NAME}>\({_NAME}, "{_NAME}", {_SIZE}\);',
    ),
    "defines": (
        rf"typedef {_TYPE} {_NAME};",
        r"#include <(?:array|tuple|cstddef|cstdio)>",
    ),
    "parameters": (
        r'#include "nnet_utils/nnet_\w+\.h"',
        r'#include "weights/\w+\.h"',
        rf"struct {_NAME}(?: : nnet::{_NAME})? \{{",
        rf"static const (?:unsigned|int|bool|nnet::{_NAME}) {_NAME} +?= {_VALUE};",
        rf"static const unsigned {_NAME} =",
        rf"{_VALUE};",
        rf"static constexpr (?:float|double) {_NAME} = {_NUMBER};",
        rf"static const {_NAME} {_NAME};",
        rf"static const unsigned\* const {_NAME};",
        rf"static const {_NAME} \(&{_NAME}\)\[\d+\];",
        rf"const {_NAME}::{_NAME} \(&{_NAME}::{_NAME}\)\[\d+\] = {_NAME};",
        rf"static const ap_uint<{_SUM}> {_NAME}\[{_SUM}\];",
        rf"const ap_uint<{_NAME}::{_NAME}(?: \* {_NAME}::{_NAME})?> {_NAME}::{_NAME}\[\] = "
        rf"\{{{_NUMBERS}\}};",
        rf"const {_NAME} {_NAME}::{_NAME} = {_NUMBER};",
        rf"const unsigned\* const {_NAME}::{_NAME} = {_NAME};",
        rf"unsigned {_NAME}\[\d+\] = \{{{_NUMBERS}\}};",
        rf"typedef (?:{_NAME}|{_TYPE}) {_NAME};",
        rf"template ?<{_TYPE_PARAMETER}(?:, {_TYPE_PARAMETER})*>",
        rf"using {_NAME} = nnet::(?:(?:product|activation)::)?{_NAME}<{_NAMES}>;",
    ),
    "weights": (
        rf"#ifndef {_NAME}_H_",
        rf"#define {_NAME}_H_",
        rf"{_NAME} {_NAME}\[\d+\];",
        rf"{_NAME} {_NAME}\[\d+\] = \{{{_NUMBERS}\}};",
    ),
    "code": (
        # Quantizers with a type for each element.
        r"template<typename input_t, typename output_t>",
        rf"void {_NAME}\(input_t \*inp, output_t \*out\) \{{",
        r"#pragma HLS INLINE",
        rf"out\[\d+\] = (?:0|{_ELEMENT}\(inp\[\d+\]\));",
        # Windows of convolutions.
        r"template<class data_T, typename CONFIG_T>",
        rf"class {_NAME} : public nnet::{_NAME}<data_T, CONFIG_T> \{{",
        r"public:",
        rf"static void {_NAME}\(",
        rf"data_T data\[{_NAME}::{_NAME}(?: \* {_NAME}::{_NAME})*\],",
        rf"data_T buffer\[{_NAME}::{_NAME}\]\[{_NAME}::{_NAME}(?: \* {_NAME}::{_NAME})*\],",
        r"const unsigned partition",
        r"\) \{",
        r"if \(partition == +\d+\) \{",
        r"buffer\[\d+\]\[\d+\] = +(?:0|data\[\d+\]);"
        r"(?: *buffer\[\d+\]\[\d+\] = +(?:0|data\[\d+\]);)*",
    ),
    "test": (
        rf'{_STREAM} {_NAME}\("{_NAME}"\);',
        rf"{_NAME} {_NAME}\[{_SIZE}\];",
        rf"nnet::copy_data<float, {_NAME}, \d+, {_SIZE}>\(in, {_NAME}\);",
        rf"nnet::fill_zero<{_NAME}, {_SIZE}>\({_NAME}\);",
        rf"nnet::print_result<{_NAME}, {_SIZE}>\({_NAME}, (?:fout|std::cout, true)\);",
        rf"for\(int i = 0; i < {_SIZE}; i\+\+\) \{{",
        r'std::cout << pr\[i\] << " ";',
        r"std::cout << std::endl;",
    ),
    "tcl": (
        r"variable \w+",
        r'set (?:project_name|backend|part|version) "[\w.+-]*"',
        rf"set (?:clock_period|clock_uncertainty|maximum_size) {_NUMBER}%?",
    ),
    "bridge": (
        rf"(?:float|double) \*{_NAME}(?:, (?:float|double) \*{_NAME})*,?",
        rf"{_NAME} {_NAME}\[{_SIZE}\];",
        rf'{_STREAM} {_NAME}\("{_NAME}"\);',
        rf"nnet::convert_data<{_NAME}, {_NAME}, {_SIZE}>\({_NAME}, {_NAME}\);",
        rf'nnet::trace_outputs->insert\(std::pair<std::string, void \*>\("{_NAME}", '
        rf"\(void \*\) malloc\({_SIZE} \* element_size\)\)\);",
    ),
}  # fmt: skip

#: Kinds of files that call the network.
_CALLS = ("bridge", "test")


@functools.cache
def templates() -> Path:
    """Directory of the templates of the installed hls4ml, which is not imported.

    Raises:
        InputError: if hls4ml is not installed.
    """
    package = importlib.util.find_spec("hls4ml")
    if package is None or not package.submodule_search_locations:
        raise InputError("hls4ml is not installed; type: pip install hls4ml")
    return Path(package.submodule_search_locations[0]) / "templates"


def checked_sources(directory: Path, project: str) -> dict[str, str]:
    """Read and check the generated C++ of an HLS project that its emulation is compiled from.

    Args:
        directory: the HLS project.
        project: its name, an identifier.

    Returns:
        The checked text, which must be compiled instead of the files; by path relative to the
        directory.

    Raises:
        InputError: if a file is missing, or has a line that hls4ml doesn't write; names both.
    """
    firmware = "firmware"
    kinds = {
        f"{firmware}/{project}.cpp": ("source", f"{firmware}/myproject.cpp"),
        f"{firmware}/{project}.h": ("source", f"{firmware}/myproject.h"),
        f"{firmware}/defines.h": ("defines", f"{firmware}/defines.h"),
        f"{firmware}/parameters.h": ("parameters", f"{firmware}/parameters.h"),
        f"{firmware}/nnet_utils/nnet_code_gen.h": ("code", "nnet_utils/nnet_code_gen.h"),
        f"{project}_bridge.cpp": ("bridge", "myproject_bridge.cpp"),
    }
    checked = {}
    for name, (kind, template) in kinds.items():
        lines = _template(template, project)
        checked[name] = _check(directory / name, kind, lines, project)
    for name in re.findall(r'#include "(weights/\w+\.h)"', checked[f"{firmware}/parameters.h"]):
        path = f"{firmware}/{name}"
        checked[path] = _check(directory / path, "weights", [], project)
    return checked


def check_name(project: str) -> None:
    """Check the name of an HLS project, which is used for files and for a function.

    Raises:
        InputError: if it is not an identifier.
    """
    if not re.fullmatch(_NAME, project, re.ASCII):
        raise InputError(f"{project[:80]!a} is not a name for a project; use letters, digits and _")


def check_project(directory: Path, project: str) -> None:
    """Check a whole HLS project that hls4ml wrote, including files that other tools run.

    Args:
        directory: the HLS project.
        project: its name, an identifier.

    Raises:
        InputError: as `checked_sources`.
    """
    checked_sources(directory, project)
    lines = _template("myproject_test.cpp", project)
    _check(directory / f"{project}_test.cpp", "test", lines, project)
    _check(directory / "project.tcl", "tcl", [], project)
    library = (templates() / "vivado" / "build_lib.sh").read_text(encoding="utf-8")
    scripts = {
        "build_lib.sh": library.replace("myproject", project).replace("mystamp", STAMP),
        "build_prj.tcl": (templates() / "vitis" / "build_prj.tcl").read_text(encoding="utf-8"),
        "build_opt.tcl": (templates() / "vitis" / "build_opt.tcl").read_text(encoding="utf-8"),
        "vivado_synth.tcl": (templates() / "vivado" / "vivado_synth.tcl").read_text(
            encoding="utf-8"
        ),
    }
    for name, expected in scripts.items():
        if _read(directory / name) != expected:
            raise InputError(f"{directory / name}: is not what hls4ml writes for a model")


def check_weights(directory: Path, project: str) -> None:
    """Check that the files of weights that an emulation reads are complete and contain numbers.

    Args:
        directory: the HLS project.
        project: its name.

    Raises:
        InputError: if not; names the first such file.
    """
    firmware = directory / "firmware"
    source = _read(firmware / f"{project}.cpp")
    loads = re.findall(r'load_\w+_from_txt<\w+, (\d+)>\(\w+, "(\w+\.txt)"\)', source)
    for size, name in loads:
        path = firmware / "weights" / name
        text = _read(path)
        if not re.fullmatch(r"[-+.,\d eE{}]*\s*", text):
            raise InputError(f"{path}: holds more than numbers; convert again")
        found = text.count("{") or text.count(",") + 1
        if found != int(size):
            raise InputError(f"{path}: {found} weights, but the network has {size}; convert again")


def _read(path: Path) -> str:
    try:
        return read_bytes(path, _MOST_BYTES).decode("ascii")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; convert again") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: holds characters that hls4ml doesn't write") from None


@functools.cache
def _pattern(kind: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{form})" for form in (*_COMMON, *_FORMS[kind])), re.ASCII)


def _template(name: str, project: str) -> list[str]:
    """Lines of a template of hls4ml, without comments and empty lines."""
    text = (templates() / "vivado" / name).read_text(encoding="utf-8")
    text = text.replace("MYPROJECT", project.upper()).replace("myproject", project)
    return [line for line in map(_stripped, text.splitlines()) if line]


def _stripped(line: str) -> str:
    """A line without its comment and without space at both ends."""
    return line.partition("//")[0].strip(" \t")


def _check(path: Path, kind: str, template: list[str], project: str) -> str:
    """The text of a file; each line is checked to be the template's next line or to have a form."""
    text = _read(path)
    pattern = _pattern(kind)
    rest = iter(template)
    expected = next(rest, None)
    call = re.compile(rf"{re.escape(project)}\({_NAME}(?:,{_NAME})*\);", re.ASCII)
    for number, line in enumerate(text.split("\n"), 1):
        bare = _stripped(line)
        # A backslash at the end would join the next line to a comment.
        if not re.fullmatch(r"[ -~\t]*", line) or line.endswith("\\"):
            _refuse(path, number, line)
        if not bare:
            continue
        if bare == expected:
            expected = next(rest, None)
        elif not (pattern.fullmatch(bare) or (kind in _CALLS and call.fullmatch(bare))):
            _refuse(path, number, line)
    if expected is not None:
        raise InputError(f"{path}: lacks '{expected}', which hls4ml writes; convert again")
    return text


def _refuse(path: Path, number: int, line: str) -> None:
    shown = ascii(line.strip()[:80])
    raise InputError(
        f"{path}, line {number}: {shown} is not something that hls4ml writes for a model; not "
        f"compiled"
    )
