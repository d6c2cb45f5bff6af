"""The size of a page with 500 configurations, and the time that Chromium takes to open it.

The configurations are those published in `reports/`, repeated under other names, with one model for
each model there. Run it as `python -m benchmarks.report_page`.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._results import keep
from gatewright.report.html import write_html
from gatewright.report.page_data import Judged
from gatewright.report.report_files import load_models
from gatewright.report.schema import SweepReport

if TYPE_CHECKING:
    from playwright.sync_api import BrowserType

CONFIGURATIONS = 500
REPEATS = 5
#: Size of the window, in pixels; a plot is in view.
WINDOW = (1400, 1400)
#: The browser has started when a reader opens the page; what it does then would be timed, too.
SETTLING_MS = 1500
REPORTS = Path(__file__).resolve().parent.parent / "reports"
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip


def many(count: int) -> list[SweepReport]:
    """The published models, with this number of configurations in total."""
    models = load_models(sorted(path.parent for path in REPORTS.glob("*/report.json")))
    total = sum(len(model.reports) for model in models)
    found = []
    left = count
    for index, model in enumerate(models):
        share = left if index == len(models) - 1 else count * len(model.reports) // total
        left -= share
        reports = []
        for number in range(share):
            report = model.reports[number % len(model.reports)]
            name = f"{report.config.name}_{number // len(model.reports)}"
            config = report.config.model_copy(update={"name": name})
            reports.append(report.model_copy(update={"config": config}))
        found.append(model.model_copy(update={"reports": tuple(reports), "search": None}))
    return found


def run() -> dict[str, Any]:
    """Size in MiB; median seconds until the tables stand, and until the plot in view does, too.

    The result also has the processor time of the page's main thread until then, which shows what
    these wall times would be on an idle machine.
    """
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not on PATH; install it with your package manager")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "page.html"
        start = time.monotonic()
        write_html([Judged(model) for model in many(CONFIGURATIONS)], file)
        written = time.monotonic() - start
        opened = [_open(playwright.chromium, chromium, file) for _ in range(REPEATS)]
        return {
            "configurations": CONFIGURATIONS,
            "mib": round(file.stat().st_size / 2**20, 2),
            "written_s": round(written, 1),
            **{
                name: round(statistics.median(each[name] for each in opened), 2)
                for name in opened[0]
            },
        }


def _open(kind: BrowserType, chromium: str, file: Path) -> dict[str, float]:
    """Seconds until the tables are drawn, until all in view is, and of these of its thread."""
    browser = kind.launch(executable_path=chromium, args=FLAGS)
    page = browser.new_page(viewport={"width": WINDOW[0], "height": WINDOW[1]})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto("about:blank")
    page.wait_for_timeout(SETTLING_MS)
    start = time.monotonic()
    page.goto(file.as_uri(), wait_until="commit")
    page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
    taken = time.monotonic() - start
    metrics = session.send("Performance.getMetrics")["metrics"]
    busy = {each["name"]: each["value"] for each in metrics}["ThreadTime"]
    tables = page.evaluate("performance.getEntriesByName('tables')[0].startTime") / 1000
    browser.close()
    return {"tables_s": tables, "plot_s": taken, "main_thread_s": busy}


if __name__ == "__main__":
    found = run()
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    keep("report_page", found)
