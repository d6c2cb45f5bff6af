"""What a browser would make of a report's page."""

from __future__ import annotations

import base64
import gzip
import json
from html.parser import HTMLParser

from gatewright.report.html import models_to_html
from gatewright.report.page_data import Judged


class Page(HTMLParser):
    """The elements of a page: tags, texts that are shown without scripts, and scripts by id."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.text, self.stack = [], {}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "input"):
            self.stack.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop()[0] == tag

    def handle_data(self, data):
        tag, attrs = self.stack[-1] if self.stack else ("", {})
        if tag == "script":
            self.scripts[attrs.get("id")] = data
        elif tag != "style":
            self.text.append(data)

    def unpacked(self, name):
        return gzip.decompress(base64.b64decode(self.scripts[name])).decode()

    def data(self):
        return json.loads(self.scripts["data"]) | {"details": json.loads(self.unpacked("details"))}


def whole_page(sweep, **judged):
    """The source of a sweep's page, with what it holds compressed; `judged` as for `Judged`."""
    text = models_to_html([Judged(sweep, **judged)])
    return text + Page(text).unpacked("details")
