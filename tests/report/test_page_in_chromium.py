"""The page in a browser: what is chosen by clicking is what is shown."""

import json
import shutil
from html import unescape

import pytest
from made_up import (
    add_ranges,
    add_software,
    make_fields,
    make_found_sweep,
    make_report,
    make_streamed_report,
    make_sweep,
)
from test_hostile_text import HOSTILE, hostile_sweep

from gatewright.report.budget import check_budgets, parse_budget
from gatewright.report.diff import compare
from gatewright.report.html import models_to_html
from gatewright.report.page_data import Judged
from gatewright.report.pareto import tradeoffs
from gatewright.report.prices import Prices
from gatewright.report.schema import SweepReport

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open a page of models; at the end nothing must have gone wrong in it."""
    problems = []

    def opened(*models, still=False, **options):
        """A page whose plots were all in view, unless it is to stand still."""
        file = tmp_path / "page.html"
        file.write_text(models_to_html(models), encoding="utf-8")
        page = browser.new_context(**options).new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: problems.append(message.text))
        page.on("request", lambda request: requests.append(request.url))
        requests = []
        page.goto(file.as_uri())
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
            if not still:
                for plot in page.locator(".plot:visible").all():
                    plot.scroll_into_view_if_needed()
                    plot.locator(".main-svg").first.wait_for(state="attached")
        assert [url for url in requests if not url.startswith(("file:", "blob:", "data:"))] == []
        return page

    yield opened
    for context in browser.contexts:
        context.close()
    assert problems == []


def configs(page):
    return page.locator("#table tbody tr:visible th button").all_inner_texts()


def front(page):
    return page.locator("#table tbody tr.best:visible th button").all_inner_texts()


def test_the_front_is_the_one_of_the_report(show):
    sweep = make_sweep()
    page = show(Judged(sweep))
    (trade,) = tradeoffs(sweep)
    assert set(front(page)) == {sweep.reports[row].config.name for row in trade.front}
    page.check("#only-front")
    assert set(configs(page)) == set(front(page))
    page.uncheck("#only-front")
    assert "✗ 6 of 7 configurations bit-exact, 1 failed" in page.inner_text("#status")
    assert "first difference: layer 'fc2'" in page.inner_text("#remarks li:first-child")


def test_the_axes_of_a_search_are_its_objectives(show):
    found = make_found_sweep()
    page = show(Judged(found))
    assert page.input_value("#across") == "xcup.lut" and page.input_value("#up") == "accuracy"
    sought = found.search.model_copy(update={"objectives": ("accuracy_validation", "ebops")})
    page = show(Judged(found.model_copy(update={"search": sought})))
    assert page.input_value("#across") == "ebops"
    assert page.input_value("#up") == "accuracy_validation"
    assert "The front weighs validation accuracy and EBOPs" in page.inner_text("#trade-caption")
    assert page.locator("#weighed li").count() == 0


def test_axes_that_the_reader_picks(show):
    sweep = make_sweep()
    page = show(Judged(sweep))
    best = page.evaluate(
        """() => {
          document.getElementById("weighed").querySelectorAll("button").forEach((b) => b.click());
          return document.getElementById("trade-plot").data.flatMap((t) => t.x).length;
        }"""
    )
    assert best >= len(sweep.reports)
    page.select_option("#across", "latency_ns")
    page.select_option("#up", "sparsity")
    costs = {
        r.config.name: (r.timing.latency_ns, -r.compute.sparsity)
        for r in sweep.reports
        if r.passed is not False
    }
    expected = {
        name
        for name, own in costs.items()
        if not any(all(a <= b for a, b in zip(o, own, strict=True)) and o != own
                   for o in costs.values())
    }  # fmt: skip
    assert set(front(page)) == expected
    title = page.evaluate("document.getElementById('trade-plot').layout.xaxis.title.text")
    assert title == "latency (ns), simulated"
    page.select_option("#weigh", "xcup.lut")
    assert set(front(page)) >= expected
    assert "LUT" in page.inner_text("#weighed")


def test_filters_sorting_and_columns(show):
    sweep = make_sweep()
    page = show(Judged(sweep))
    page.select_option("#limit-figure", "xcup.lut")
    page.fill("#limit-value", "17,572")
    page.click("#limit-add")
    kept = [r.config.name for r in sweep.reports if r.resources["xcup"].lut <= 17572]
    assert configs(page) == kept
    assert page.inner_text("#count") == f"{len(kept)} of {len(sweep.reports)}"
    page.click("#table thead th[data-key='xcup.lut'] button")
    luts = {r.config.name: r.resources["xcup"].lut for r in sweep.reports}
    assert configs(page) == sorted(kept, key=luts.get)
    page.click("#table thead th[data-key='xcup.lut'] button")
    assert configs(page) == sorted(kept, key=luts.get)[::-1]
    page.click("#limits button")
    page.fill("#words", "mixed")
    assert configs(page) and all("mixed" in name for name in configs(page))
    page.fill("#words", "")
    page.select_option("#state", "bad")
    assert configs(page) == ["mixed_bad"]
    page.click("#start-anew")
    assert len(configs(page)) == len(sweep.reports)
    assert page.locator("#table th[data-key=macs]").count() == 0
    page.click(".picker summary")
    page.get_by_label("MACs", exact=True).check()
    assert "counted" in page.inner_text("#table th[data-key=macs]")
    assert page.locator("#table th[aria-sort]").get_attribute("data-key") == "xcup.lut"
    page.fill("#limit-value", "many")
    page.click("#limit-add")
    assert page.get_attribute("#limit-value", "aria-invalid") == "true"
    assert page.locator("#limits li").count() == 0


def test_a_long_table_is_complete_soon_after_the_page_opened(show):
    """Filters, fronts and order hold for rows that are added then, too."""
    sweep = make_sweep()
    reports = tuple(
        report.model_copy(
            update={"config": report.config.model_copy(update={"name": f"c{number}_{index}"})}
        )
        for number in range(20)
        for index, report in enumerate(sweep.reports)
    )
    page = show(Judged(sweep.model_copy(update={"reports": reports})), still=True)
    count = len(reports)
    page.wait_for_function(f"document.querySelectorAll('#table tbody tr').length === {count}")
    assert len(set(configs(page))) == count > 100
    (trade,) = tradeoffs(sweep.model_copy(update={"reports": reports}))
    assert set(front(page)) == {reports[row].config.name for row in trade.front}
    page.fill("#words", "c19_")
    assert configs(page) == [f"c19_{index}" for index in range(len(sweep.reports))]


def test_configurations_side_by_side(show):
    sweep = make_sweep()
    page = show(Judged(sweep))
    assert page.is_hidden("#compare")
    page.get_by_label("Compare w6", exact=True).check()
    page.get_by_label("Compare w4", exact=True).check()
    cells = page.locator("#compare-table tbody tr", has_text="LUT").first
    assert "4,480" not in cells.inner_text()
    assert "17,572" in cells.inner_text() and cells.locator(".better").count() == 1
    worse = page.locator("#compare-table tr", has_text="accuracy RTL").locator(".worse")
    assert worse.inner_text().startswith("▼")
    page.click("#compare-table thead button")  # now the others are held against it
    assert page.locator("#compare-table thead th").all_inner_texts()[1] == "w4"
    assert cells.locator(".worse").count() == 1
    assert set(page.locator("#layer-plot .ytick").all_text_contents()) == {"w6", "w4"}


def test_a_configuration_in_full(show):
    sweep = make_sweep()
    page = show(Judged(sweep))
    page.click("#table tbody tr:first-child button.name")
    assert sweep.reports[0].config.name in page.inner_text("#detail-title")
    cards = page.inner_text("#detail .cards")
    assert "26,906" in cards and "synthesized" in cards and "asked for" in cards
    assert page.locator("#detail td.bar").count() > 10
    page.select_option("#layer-figure", "FF")
    traces = page.evaluate("document.getElementById('layer-plot').data.map((t) => t.x[0])")
    held = [layer.resources["xcup"].ff for layer in sweep.reports[0].layers]
    assert traces == held
    page.click("#detail-title button")
    assert page.is_hidden("#detail")


def test_ranges_against_types(show):
    fields = make_fields()
    add_ranges(fields)
    page = show(Judged(SweepReport.model_validate({"reports": [fields]})))
    assert "fc1: 12 % of its values are at the limits of fixed<8,4,RND,SAT>" in page.inner_text(
        "#remarks"
    )
    result, weight = page.locator("#detail .strip").all()
    used = [bit.get_attribute("class").strip() for bit in result.locator("i").all()]
    assert used == ["", "", "used", "used", "used point", "used", "used", ""]
    assert weight.locator(".used").count() == 6
    assert "12.0 %" in page.inner_text("#detail td.open")


def test_changes_with_better_and_worse(show):
    old = SweepReport(reports=(make_report("w6", (8, 6, 6)), make_report("w4", (3, 3, 3))))
    sweep = make_sweep()
    verdicts = check_budgets(sweep, [parse_budget("lut=20000")])
    page = show(Judged(sweep, verdicts, compare(sweep, old)))
    lines = page.locator("#changes tbody tr:visible")
    before = lines.count()
    page.check("#changes .only-worse")
    assert 0 < lines.count() < before
    assert {"worse"} == set(page.locator("#changes .badge:visible").all_inner_texts())
    assert "budget <= 20000: missed" in page.inner_text("#remarks")


def test_several_models_each_with_a_front_of_its_own(show):
    other = make_fields("w6", accuracy=0.2)
    other["model"]["name"] = "another"
    streamed = SweepReport(reports=(make_streamed_report(),))
    renamed = json.loads(streamed.to_json())
    renamed["reports"][0]["model"]["name"] = "streamed"
    models = [make_sweep(), *(SweepReport.model_validate(fields)
              for fields in ({"reports": [other]}, renamed))]  # fmt: skip
    page = show(*map(Judged, models))
    assert "w6" in front(page) and len(configs(page)) == 9
    page.select_option("#model", "1")
    assert configs(page) == ["w6"] == front(page)
    page.click("#table tbody tr:visible button.name")
    assert "another · w6" in page.inner_text("#detail-title")


def test_phones_dark_rooms_and_browsers_without_scripts(show):
    sweep = make_sweep(targets=("xcup", "xc7"))
    phone = show(Judged(sweep), viewport={"width": 390, "height": 844}, color_scheme="dark")
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    ground = phone.evaluate("getComputedStyle(document.body).backgroundColor")
    plot = phone.evaluate("document.getElementById('trade-plot').layout.paper_bgcolor")
    assert ground == "rgb(21, 25, 29)" and plot == "#15191d"
    plain = show(Judged(sweep), java_script_enabled=False)
    assert plain.is_hidden("#choose")
    assert "26,906" in plain.inner_text("noscript table")


@pytest.mark.parametrize(
    "kind",
    [
        *("html", "attribute"),
        *(pytest.param(kind, marks=pytest.mark.full) for kind in ("template", "steering")),
    ],
)
def test_hostile_text_stays_text(kind, show):
    def shape(page):
        for index in range(page.locator("#table tbody tr").count()):
            page.locator("#table tbody button.name").nth(index).click()
        return set(page.evaluate(
            "[...document.querySelectorAll('body *:not(svg *)')].map((e) => e.tagName)"
        ))  # fmt: skip

    page = show(Judged(hostile_sweep(kind)))
    assert "IMG" not in shape(page) and page.locator("svg a, svg image").count() == 0
    text = unescape(page.inner_text("#table"))
    if kind == "html":
        assert HOSTILE[kind] in text
    assert "\x1b" not in page.content() and "\u202e" not in page.content()


def test_an_open_configuration_tells_what_each_device_costs(show):
    fields = make_fields()
    add_software(fields)
    device = {"per_hour": 3.6, "currency": "<b>EUR</b>", "source": "a shop"}
    prices = Prices.model_validate({"devices": {"cpu": device}})
    page = show(Judged(SweepReport.model_validate({"reports": [fields]}), prices=prices))
    table = page.locator("#detail h3", has_text="Cost").locator("xpath=following-sibling::*[1]")
    cells = table.locator("tbody tr").first.locator("th, td").all_inner_texts()
    assert [cell for cell in cells if cell][:3] == [
        "CPU TensorFlow Lite",
        "200 measured",
        "500,000 measured",
    ]
    assert "0.002 measured" in cells and "<b>EUR</b>" in cells
    assert "3.6 <b>EUR</b> per hour (a shop)" in page.inner_text("#detail")


SMALL = {"viewport": {"width": 800, "height": 200}}


def test_plots_are_drawn_when_they_come_into_view(show):
    page = show(Judged(make_found_sweep()), still=True, **SMALL)
    assert page.locator(".main-svg").count() == 0
    assert page.evaluate("typeof Plotly") == "undefined"
    assert configs(page) and page.inner_text("#trade-caption").startswith("◆")
    page.select_option("#across", "ebops")
    page.locator("#trade-plot").scroll_into_view_if_needed()
    page.locator("#trade-plot .main-svg").first.wait_for()
    title = page.evaluate("document.getElementById('trade-plot').layout.xaxis.title.text")
    assert title.startswith("EBOPs")
    assert page.locator("[data-plot] .main-svg").count() == 0


def test_on_paper_all_plots_are_drawn(show):
    page = show(Judged(make_found_sweep()), still=True, **SMALL)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    for plot in page.locator(".plot").all():
        assert plot.locator(".main-svg").count() > 0
