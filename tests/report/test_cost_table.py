"""Latency, throughput, energy and cost per device: judged by arithmetic done by hand."""

import csv
import io
import json

import pytest
from made_up import (
    add_analyzed,
    add_routed,
    add_software,
    make_baseline,
    make_fields,
    make_imported,
)
from pages import whole_page
from rich.cells import cell_len
from rich.console import Console

from gatewright.errors import InputError
from gatewright.report.cost_tables import cost_methods, cost_rows, cost_table, unused_prices
from gatewright.report.csv import costs_csv
from gatewright.report.deployments import deployments
from gatewright.report.html import models_to_html
from gatewright.report.markdown import to_markdown
from gatewright.report.page_data import Judged
from gatewright.report.prices import Prices, read_prices
from gatewright.report.schema import Report, SweepReport
from gatewright.report.terminal import render_terminal


def report_of(*additions, cycles=10, interval=4, **changes):
    fields = make_fields() | changes
    for add in additions:
        add(fields)
    fields["timing"].update(latency_min=cycles, latency_max=cycles, ii=interval)
    return Report.model_validate(fields)


def with_vendor(fields, **figures):
    one = make_imported(clock_ns=5.0, slack_ns=-0.5, power_w=2.0, **figures)
    one["vivado-routed"].pop("latency_min"), one["vivado-routed"].pop("latency_max")
    one["vivado-routed"].pop("ii_min"), one["vivado-routed"].pop("ii_max")
    fields["vendor"] = one
    fields["provenance"]["groups"]["vendor.vivado-routed"] = {"method": "vendor", "tool": "Vivado"}


def priced(devices, electricity=None):
    about = {"currency": "EUR", "source": "a shop"}
    given = {"devices": {name: about | device for name, device in devices.items()}}
    if electricity is not None:
        given["electricity"] = about | {"per_kwh": electricity}
    return Prices.model_validate(given)


def row(report, key, prices=None):
    (found,) = [one for one in deployments(report, (), prices) if one.key == key]
    return found


def test_a_clock_that_routing_missed_counts_as_it_was_reached():
    """10 cycles at 100 MHz are 100 ns; one in 4 cycles is 25 million a second."""
    found = row(report_of(add_routed), "ecp5-85k")
    assert found.kind == "FPGA" and "LFE5U-85F" in found.device
    assert found.latency_us.value == pytest.approx(0.1)
    assert found.fps.value == pytest.approx(25e6)
    assert found.latency_us.method == found.fps.method == "placed-and-routed"
    assert "10 ns reached by placing and routing, 8 ns requested" in found.latency_us.details


def test_a_clock_that_routing_met_counts_as_it_was_asked_for():
    def met(fields):
        add_routed(fields)
        fields["routed"]["ecp5-85k"]["clock_ns"] = 20.0

    found = row(report_of(met), "ecp5-85k")
    assert found.latency_us.value == pytest.approx(0.2)
    assert "20 ns met by placing and routing" in found.fps.details


def test_without_routing_the_clock_is_estimated_and_energy_is_absent():
    """The report's clock is 5 ns; nothing but the delay model says that it is met."""
    found = row(report_of(), "xcup")
    assert found.latency_us.value == pytest.approx(0.05) and found.energy_nj is None
    assert found.latency_us.method == found.fps.method == "estimated"
    assert "5 ns requested, not timed" in found.latency_us.details


def test_cycles_that_are_predicted_make_an_estimate_of_a_routed_clock():
    def unverified(fields):
        add_routed(fields)
        fields["timing"] = {"clock_ns": 8.0, "latency_predicted": 7, "ii_predicted": 2}

    fields = make_fields()
    unverified(fields)
    found = row(Report.model_validate(fields), "ecp5-85k")
    assert found.latency_us.value == pytest.approx(0.07)
    assert found.fps.value == pytest.approx(50e6)
    assert found.latency_us.method == "estimated" and "7 cycles predicted" in str(found)


@pytest.mark.parametrize(
    ("target", "kind"), [("xcup", "FPGA"), ("osu035", "ASIC"), ("a_file_that_is_gone", None)]
)
def test_a_design_that_was_only_converted_is_estimated(target, kind):
    fields = make_fields(targets=())
    fields["config"]["target"] = target
    fields["timing"] = {"clock_ns": 4.0, "latency_predicted": 6, "ii_predicted": 1}
    found = deployments(Report.model_validate(fields))
    assert [one.kind for one in found] == ([] if kind is None else [kind])
    for one in found:
        assert one.latency_us.value == pytest.approx(0.024) and one.fps.value == pytest.approx(25e7)
        assert one.latency_us.method == "estimated" and one.energy_nj is one.area_um2 is None


def test_standard_cells_with_energy_and_area():
    """1163.5 pJ with glitches; 10 cycles of 5 ns, which static timing met."""

    def cells(fields):
        add_analyzed(fields)
        fields["resources"]["osu018"] = {"area_um2": 356_684.0, "nand2": 14_862.0}
        fields["provenance"]["groups"]["resources.osu018"] = {
            "method": "synthesized",
            "tool": "Yosys",
        }

    found = row(report_of(cells), "osu018")
    assert found.kind == "ASIC"
    assert found.latency_us.value == pytest.approx(0.05)
    assert found.energy_nj.value == pytest.approx(1.1635)
    assert found.area_um2.value == 356_684
    assert found.latency_us.method == found.energy_nj.method == "analyzed"
    assert "with glitches" in found.energy_nj.details


def test_a_vendors_power_report_gives_energy():
    """5.5 ns reached, a result in 4 cycles: 22 ns at 2 W are 44 nJ."""
    found = row(report_of(with_vendor), "vivado-routed")
    assert found.latency_us.value == pytest.approx(0.055)
    assert found.energy_nj.value == pytest.approx(44)
    assert found.energy_nj.method == "vendor"


def test_cycles_of_a_vendors_report_go_before_those_of_the_rtl():
    def vitis(fields):
        with_vendor(fields)
        fields["vendor"]["vivado-routed"].update(latency_max=100, ii_max=8)

    found = row(report_of(vitis), "vivado-routed")
    assert found.latency_us.value == pytest.approx(0.55)
    assert found.fps.value == pytest.approx(1e9 / 44)


def test_a_vendors_report_without_a_clock_or_power_tells_nothing_of_them():
    def clockless(fields):
        with_vendor(fields)
        for name in ("clock_ns", "power_w"):
            del fields["vendor"]["vivado-routed"][name]

    assert not [one for one in deployments(report_of(clockless)) if one.key == "vivado-routed"]

    def powerless(fields):
        with_vendor(fields)
        del fields["vendor"]["vivado-routed"]["power_w"]

    assert row(report_of(powerless), "vivado-routed").energy_nj is None


def test_a_processor_by_single_samples_and_its_best_batch():
    found = row(report_of(add_software), "cpu")
    assert (found.kind, found.latency_us.value) == ("CPU", 200.0)
    assert found.fps.value == pytest.approx(256 / 512e-6)
    assert found.fps.method == "measured" and "batch 256" in found.fps.details
    assert found.energy_nj is None


def test_no_gpu_is_told_of_where_there_is_none():
    assert not [one for one in deployments(report_of(add_software)) if one.kind == "GPU"]
    gpu = report_of(lambda fields: add_software(fields, gpu="Made-up GPU"))
    assert row(gpu, "gpu").device.startswith("Made-up GPU")
    assert gpu.software.latency_us is None and gpu.software.fps is None


def test_runs_that_failed_are_not_told_of():
    def failed(fields):
        fields["software"] = {"runs": [{"runtime": "x", "model": "float32", "problem": "no"}]}
        fields["provenance"]["groups"]["software"] = {"method": "measured", "tool": "x"}

    assert [one.kind for one in deployments(report_of(failed))] == ["FPGA"]


def test_baselines_of_a_sweep_are_processors_too():
    baselines = SweepReport.model_validate(
        {"reports": [make_fields()], "baselines": [make_baseline("int8", us=3.0)]}
    ).baselines
    found = [one for one in deployments(report_of(), baselines) if one.kind == "CPU"]
    assert [one.latency_us.value for one in found] == [3.0]
    assert "TensorFlow Lite 2.21.0, int8" in found[0].device


def test_cost_by_the_hour_and_by_the_device():
    """0.36 EUR per hour are 1e-4 EUR per second; 500,000 a second make a million in 2 seconds."""
    prices = priced(
        {"cpu": {"per_hour": 0.36}, "ecp5-85k": {"price": 36, "lifetime_hours": 10_000}}
    )
    report = report_of(add_software, add_routed)
    assert row(report, "cpu", prices).cost.value == pytest.approx(2e-4)
    # 0.0036 EUR per hour are 1e-6 EUR per second, and 25 million a second take 0.04 s.
    found = row(report, "ecp5-85k", prices)
    assert found.cost.value == pytest.approx(4e-8) and found.currency == "EUR"
    assert found.cost.method == "placed-and-routed"
    assert row(report, "xcup", prices).cost is None


def test_electricity_is_added_where_the_energy_is_known():
    """44 nJ a million times are 0.044 J, 1.2222e-8 kWh; 22 ns a million times are 0.022 s."""
    prices = priced({"vivado-routed": {"per_hour": 3.6}, "xcup": {"per_hour": 3.6}}, 0.25)
    report = report_of(with_vendor)
    found = row(report, "vivado-routed", prices)
    assert found.cost.value == pytest.approx(0.022 * 1e-3 + 0.044 / 3_600_000 * 0.25)
    assert "energy vendor" in found.cost.details
    assert "without electricity" in row(report, "xcup", prices).cost.details


def test_prices_of_what_is_not_there():
    prices = priced({"cpu": {"per_hour": 1}, "gpu": {"per_hour": 1}, "xcup": {"per_hour": 1}})
    assert unused_prices([report_of()], prices) == ["cpu", "gpu"]


def whole():
    fields = make_fields()
    add_software(fields)
    add_routed(fields)
    add_analyzed(fields)
    with_vendor(fields)
    return SweepReport.model_validate({"reports": [fields]})


WHOLE = {name: {"per_hour": 1.5} for name in ("cpu", "ecp5-85k", "osu018", "vivado-routed")}


def test_every_view_has_the_same_figures_each_with_its_method():
    sweep, prices = whole(), priced(WHOLE, 0.25)
    rows = cost_rows(sweep.reports, (), prices)
    table = {entry.heading: entry for entry in cost_table(sweep.reports, (), prices)}
    lines = list(csv.DictReader(io.StringIO(costs_csv(sweep, prices))))
    headings = {
        "latency_us": "latency (µs)",
        "energy_nj": "energy (nJ)",
        "cost": "cost per million",
    }
    assert len(rows) == len(lines) == 5
    for name, heading in headings.items():
        for index, (one, line) in enumerate(zip(rows, lines, strict=True)):
            cell, value = table[heading].cells[index], table[heading].values[index]
            if name not in one:
                assert (cell, value, line[name], line[f"{name}.method"]) == ("", None, "", "")
                continue
            assert float(line[name]) == one[name]["value"]
            assert value == pytest.approx(one[name]["value"], rel=1e-3)
            assert cell.endswith(f" {one[name]['method']}") and one[name]["details"]
            assert line[f"{name}.method"] == one[name]["method"]
    assert json.loads(json.dumps(rows)) == rows
    assert sum("energy" in name for name, _ in cost_methods(sweep.reports, (), prices)) == 2


def test_reports_tell_costs_only_where_asked():
    plain = SweepReport.model_validate({"reports": [make_fields()]})
    assert "## Cost" not in to_markdown(plain)
    assert "## Cost" in to_markdown(plain, prices=priced(WHOLE))
    assert "## Cost" in to_markdown(whole())
    page = whole_page(whole(), prices=priced(WHOLE))
    assert "cost per million" in page and "by placing and routing" in page


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_table_is_no_wider_than_the_terminal(width):
    screen = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    render_terminal(whole(), screen, prices=priced(WHOLE, 0.25))
    lines = screen.file.getvalue().split("\n")
    cost = lines[[line.strip() for line in lines].index("cost") :]
    assert any("cost per million" in line for line in cost)
    assert max(map(cell_len, cost)) <= width


RIGHT = """\
devices:
  cpu: {per_hour: 0.08, currency: USD, source: a list}
  osu018: {price: 2, lifetime_hours: 43800, currency: USD, source: a list}
electricity: {per_kwh: 0.3, currency: USD, source: a bill}
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "prices.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_prices(path)

    return read


def test_a_file_of_prices(read):
    prices = read(RIGHT)
    assert prices.devices["cpu"].hourly == 0.08
    assert prices.devices["osu018"].hourly == pytest.approx(2 / 43800)
    assert prices.electricity.per_kwh == 0.3


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0.08", "-1", "devices.cpu.per_hour: input should be greater than or equal to 0"),
        ("0.08", ".nan", "no finite number"),
        ("0.08", ".inf", "no finite number"),
        ("0.08", "1e300", "per_hour: input should be a valid number"),
        ("0.08", "9" * 5000, "prices.yaml"),
        ("0.08", "'0.08'", "devices.cpu.per_hour: input should be a valid number"),
        ("0.08", "true", "devices.cpu.per_hour: input should be a valid number"),
        ("0.08", "null", "devices.cpu: give per_hour alone, or price and lifetime_hours"),
        ("price: 2, ", "", "devices.osu018: give per_hour alone"),
        ("lifetime_hours: 43800", "lifetime_hours: 0", "lifetime_hours: input should be greater"),
        ("price: 2", "price: 2, per_hour: 1", "devices.osu018: give per_hour alone"),
        (", source: a bill", "", "electricity.source: is missing"),
        ("currency: USD, source: a bill", "source: a bill", "electricity.currency: is missing"),
        ("USD, source: a bill", "EUR, source: a bill", "they can't be added"),
        ("a bill", '"\\e[31mred"', "must be a line of printable characters"),
        ("a bill", '"\\u202egnp"', "must be a line of printable characters"),
        ("a bill", '"a\\nb"', "must be a line of printable characters"),
        ("a bill", "' '", "must be a line of printable characters"),
        ("a bill", "x" * 201, "at most 200 characters"),
        ("a bill", "2026-11-29 # a date is text\n  extra: 1", "prices.yaml"),
        ("a bill}", "a bill, hours: 3}", "electricity.hours: is not a known key"),
        ("  cpu:", "  ../cpu:", "devices"),
        ("  cpu:", '  "\\e[31m":', "devices"),
        ("  cpu:", "  osu018:", "prices.yaml"),
        ("devices:", "machines:", "prices.yaml: not a file of prices"),
    ],
    ids=str,
)
def test_files_of_prices_that_are_refused(read, old, new, words):
    with pytest.raises(InputError) as refused:
        read(RIGHT.replace(old, new, 1))
    message = str(refused.value)
    assert words in message and "prices.yaml" in message
    assert "\n" not in message and len(message) < 700


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff\xfe", b"[1]", b"a: &a [*a]", b"{" * 5000, b"!!python/object/apply:os.system [ls]"],
    ids=str,
)
def test_what_is_no_file_of_prices(read, text):
    with pytest.raises(InputError, match=r"prices\.yaml: not a file of prices"):
        read(text)


def test_texts_of_prices_are_no_markup(read):
    text = RIGHT.replace("USD", "'=1+1'").replace("a list", "'<script>x</script> [a](http://b)'")
    prices, sweep = read(text), whole()
    assert "<script>x" not in to_markdown(sweep, prices=prices)
    assert "[a](http://b" not in to_markdown(sweep, prices=prices)
    assert "<script>x" not in models_to_html([Judged(sweep, prices=prices)])
    currencies = {
        line["currency"] for line in csv.DictReader(io.StringIO(costs_csv(sweep, prices)))
    }
    assert currencies == {"", "'=1+1"}
