"""Names and texts of a report steer no terminal, spreadsheet, browser or Markdown viewer."""

import csv
import functools
import io
import json
from html.parser import HTMLParser

import pytest
from made_up import make_found_sweep
from markdown_it import MarkdownIt
from pydantic import ValidationError

from gatewright.errors import InputError
from gatewright.report.csv import baselines_csv, steps_csv, to_csv, trials_csv
from gatewright.report.html import to_html
from gatewright.report.markdown import to_markdown
from gatewright.report.schema import SweepReport
from gatewright.report.terminal import render_terminal
from gatewright.system.console import console

HOSTILE = {
    "steering": "\x1b[31mred\x07\x9b2J",
    "turning": "\u202egnp\u2066",
    "two-lines": "a\r\ngatewright: bit-exact\u2028b",
    "markup": "[red]x[/red] [link=file:///etc/passwd]y[/link]",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": "\" onload='alert(1)' x=\"",
    "markdown": "[a](javascript:b) ![i](http://x) `c` | d | **e** <b>f</b>",
    "formula": "=cmd|' /C calc'!A0",
    "plus": "+1+1",
    "minus": "-2+3",
    "at": "@SUM(1)",
    "tab": "\t=1",
    "wide": "\uff1d1",
    "blank": "  =1",
    "template": "{{ 7 * 7 }} {% x %} %{x}",
}


def replaced(value, old, new):
    if isinstance(value, dict):
        return {replaced(k, old, new): replaced(v, old, new) for k, v in value.items()}
    if isinstance(value, list):
        return [replaced(each, old, new) for each in value]
    return new if value == old else value


def texts_of(value):
    if isinstance(value, dict):
        return {text for pair in value.items() for each in pair for text in texts_of(each)}
    if isinstance(value, list):
        return {text for each in value for text in texts_of(each)}
    return {value} if isinstance(value, str) else set()


@functools.cache
def free_texts():
    """The texts of a report that its schema leaves free, as far as another word tells."""
    fields = json.loads(make_found_sweep().to_json())
    free = []
    for text in sorted(texts_of(fields)):
        try:
            to_markdown(SweepReport.model_validate(replaced(fields, text, f"other {text}")))
        except (ValidationError, InputError):  # it has to be one of some words
            continue
        free.append(text)
    assert len(free) > 30
    return free


@functools.cache
def hostile_sweep(kind):
    """A report in which every text that is free begins with a hostile one."""
    fields = json.loads(make_found_sweep().to_json())
    for text in free_texts():
        fields = replaced(fields, text, HOSTILE[kind] + text)
    return SweepReport.model_validate(fields)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("terminal", [True, False])
def test_terminals(kind, terminal, monkeypatch, capsys):
    sweep = hostile_sweep(kind)
    shown = console()
    monkeypatch.setattr(type(shown), "is_terminal", property(lambda _: terminal))
    render_terminal(sweep, shown)
    text = capsys.readouterr().out
    assert len(text) > 1000
    assert all(line.isprintable() for line in text.split("\n"))
    assert not any(line.strip().startswith("gatewright: bit") for line in text.split("\n"))
    if kind == "markup":
        assert "[red]x[/red]" in text.replace("\n", "")


@pytest.mark.parametrize("kind", HOSTILE)
def test_spreadsheets(kind):
    sweep = hostile_sweep(kind)
    numbers = 0
    for text in (to_csv(sweep), steps_csv(sweep), baselines_csv(sweep), trials_csv(sweep.search)):
        for row in csv.reader(io.StringIO(text, newline="")):
            for cell in row:
                if cell.lstrip(" ")[:1] in ("=", "+", "@", "\t", "\r", "\n", "\uff1d"):
                    raise AssertionError(cell)
                if cell.startswith("-"):
                    float(cell)
                numbers += cell.replace(".", "").isdecimal()
    assert numbers > 20


def test_negative_numbers_stay_numbers():
    from gatewright.report.csv import _csv

    assert _csv(["a", "b"], [[-1.5, "-1.5"], ["x-1", "=1"]]) == "a,b\n-1.5,'-1.5\nx-1,'=1\n"


@pytest.mark.parametrize("kind", HOSTILE)
def test_markdown_viewers(kind):
    """markdown-it, which follows CommonMark, is the judge: no links, images, code or tags."""
    text = to_markdown(hostile_sweep(kind))
    assert all(line.isprintable() for line in text.split("\n"))
    found = set()
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        found.add(block.type)
        found |= {token.type for token in block.children or ()}
    assert "table_open" in found
    assert not found & {"link_open", "image", "code_inline", "html_inline", "html_block", "fence"}
    assert not found & {"hr", "code_block", "blockquote_open", "em_open"}


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attributes):
        names = tuple(sorted(name for name, _ in attributes))
        self.tags.append((tag, names))


@pytest.mark.parametrize("kind", HOSTILE)
def test_browsers(kind):
    """Hostile text makes no tags and no attributes: only those of harmless text are there."""

    def kinds_of_tags(sweep):
        parser = Tags()
        parser.feed(to_html(sweep))
        return set(parser.tags)

    assert kinds_of_tags(hostile_sweep(kind)) <= kinds_of_tags(make_found_sweep())
