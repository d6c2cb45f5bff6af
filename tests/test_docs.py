"""What the documentation shows: links lead somewhere, commands and options exist, code runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
import typer

import gatewright
from gatewright.cli.commands import app
from gatewright.fixed import FixedType
from gatewright.kernels import Tensor
from kernels.checks import check_circuit, values

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md")),
    *(ROOT / name / "README.md" for name in ("benchmarks", "models", "reports")),
    *sorted((ROOT / "docs").glob("*.md")),
]


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    missing = [
        target
        for target in targets
        if "://" not in target and not (page.parent / target.partition("#")[0]).exists()
    ]
    assert not missing


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages == set(re.findall(r"\]\((\w+\.md)\)", index))


def _commands() -> list[list[str]]:
    """Calls of gatewright in the pages' indented or fenced shell lines and in code spans."""
    found = []
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        lines = re.findall(r"^(gatewright .+)$", text, re.MULTILINE)
        spans = re.findall(r"`(gatewright \w[^`\n]*)`", text)
        found += [shlex.split(line) for line in lines + spans]
    return found


def test_commands_and_options_exist():
    group = typer.main.get_command(app)
    commands = _commands()
    assert len(commands) > 5
    for _, name, *arguments in commands:
        command = group.commands[name]
        while arguments and hasattr(command, "commands"):  # a group of commands
            command = command.commands[arguments.pop(0)]
        options = {option for parameter in command.params for option in parameter.opts}
        for argument in arguments:
            if argument.startswith("-"):
                assert argument.partition("=")[0] in options, (name, argument)


def test_make_targets_exist():
    rules = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        text = page.read_text()
        named = re.findall(r"`make ([a-z0-9-]+)", text) + re.findall(
            r"^make ([a-z0-9-]+)", text, re.M
        )
        assert set(named) <= rules


def test_python_of_the_readme_compiles_and_names_what_exists():
    blocks = _blocks(ROOT / "README.md", "python")
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")
        for name in re.findall(r"\bgw\.(\w+)", block):
            assert name in dir(gatewright)
            assert getattr(gatewright, name)


def test_kernel_of_the_guide_is_exact():
    class_text = _blocks(ROOT / "docs" / "kernels.md", "python")[0]
    module = ModuleType("guide")
    prelude = (
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from typing_extensions import override\n"
        "from gatewright.fixed import cast\n"
        "from gatewright.kernels import Kernel\n"
        "from gatewright.kernels.elementwise import Elementwise, check_product\n"
    )
    try:
        exec(prelude + class_text, module.__dict__)  # noqa: S102
        for result in ("fixed<12,6>", "ufixed<7,5,RND_CONV,SAT>"):
            source, to = FixedType.parse("fixed<6,3>"), FixedType.parse(result)
            kernel = module.Square("sq", (Tensor("x", (3,), source),), Tensor("y", (3,), to))
            check_circuit(kernel, values(source, 3))
    finally:
        gatewright.kernels.Kernel.registry.pop("Square", None)


def test_no_page_names_a_place_of_a_machine():
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(home|root|tmp|work|opt)/\w", page.read_text())
