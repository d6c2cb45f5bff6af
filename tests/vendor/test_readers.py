"""Reports of vendor tools, of several releases: what they say, and what of them is refused."""

import json
import os
import random
from pathlib import Path

import made_up_radiant as radiant
import made_up_reports as made
import pytest

from gatewright.errors import InputError
from gatewright.vendor.readers.reading import parse_stage, read_report, read_reports


@pytest.fixture
def read(tmp_path):
    """Reads a text as the report of a file."""

    def read(text, name="net.rpt", stage=None):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_report(path, stage)

    return read


@pytest.fixture
def refusal(read, tmp_path):
    """What is said of a text that must be refused, without the file's folder."""

    def refusal(text, name="net.rpt", stage=None):
        with pytest.raises(InputError) as caught:
            read(text, name, stage)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / name)), message
        assert "\n" not in message
        return message.removeprefix(f"{tmp_path}/")

    return refusal


def test_vitis_csynth(read):
    found = read(made.csynth())
    assert (found.key, found.version, found.part, found.design) == (
        *("vitis_hls-estimated", "2023.1"),
        *("xczu7ev-ffvc1156-2-e", "net"),
    )
    assert found.figures == {
        "lut": 590,
        "ff": 340,
        "dsp": 6,
        "bram": 3.5,
        "uram": 0,
        "clock_ns": 5.0,
        "fmax_mhz": pytest.approx(1e3 / 3.65),
        "latency_min": 12,
        "latency_max": 14,
        "ii_min": 3,
        "ii_max": 4,
    }


def test_vivado_hls_csynth_of_2018(read):
    found = read(made.csynth_2018())
    assert (found.key, found.version) == ("vivado_hls-estimated", "2018.3")
    assert (found.clock_ns, found.fmax_mhz) == (4.0, pytest.approx(1e3 / 3.4))
    assert (found.latency_min, found.latency_max, found.ii_min, found.ii_max) == (9, 11, 1, 2)


def test_units_are_converted(read):
    assert read(made.csynth_2018("ps", "4000", "3400")).clock_ns == 4.0
    found = read(made.csynth(clock=("0.01 us", "3650 ps", "1.35 ns")))
    assert (found.clock_ns, found.fmax_mhz) == (10.0, pytest.approx(1e3 / 3.65))


def test_what_csynth_does_not_know_is_absent(read):
    found = read(
        made.csynth(
            latency=("?", "?", "?", "?", "?", "?"),
            rows=(("FIFO", "3", "6", "340", "590", "-"),),
            total=("3", "6", "340", "590", "-"),
        )
    )
    assert found.latency_max is found.ii_max is found.uram is None
    assert found.lut == 590


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (made.csynth(total=("7", "6", "340", "591", "0")), "LUT: the rows above add up to 590"),
        (made.csynth(total=("7", "6", "3,40", "590", "0")), "FF: a whole number is expected"),
        (made.csynth(clock=("5,00 ns", "3.650 ns", "1.35 ns")), "a number with a decimal point"),
        (made.csynth(clock=("5.00 MHz", "3.650 ns", "1.35 ns")), "a unit (fs, ps, ns"),
        (made.csynth(clock=("5.00", "3.650 ns", "1.35 ns")), "a number and a unit"),
        (made.csynth().partition("== Interface")[0], "the section 'Interface' is expected"),
        (made.csynth().partition("|Avail")[0][:-300], "is expected"),
        (made.csynth(latency=("9", "8", "x", "x", "1", "1")), "latency_min is larger"),
        (made.csynth(top="a b"), "design: string should match pattern"),
    ],
)
def test_csynth_refused(refusal, text, words):
    assert words in refusal(text)


def test_a_refusal_names_the_line(refusal):
    text = made.csynth(total=("7", "6", "340", "591", "0"))
    (line,) = (i for i, line in enumerate(text.splitlines(), 1) if "Total" in line)
    assert refusal(text).startswith(f"net.rpt:{line}: ")


@pytest.mark.parametrize(
    ("version", "dsp", "key"),
    [("2022.2", "DSP", "vitis_hls-estimated"), ("2020.1", "DSP48E", "vivado_hls-estimated")],
)
def test_csynth_xml(read, version, dsp, key):
    found = read(made.csynth_xml(version, dsp), "net.xml")
    assert (found.key, found.part, found.design) == (key, "xc7z045-ffg900-2", "net")
    assert found.figures == {
        "lut": 640,
        "ff": 900,
        "dsp": 8,
        "bram": 1.5,
        "clock_ns": 4.0,
        "fmax_mhz": 312.5,
        "latency_min": 19,
        "latency_max": 21,
        "ii_min": 5,
        "ii_max": 6,
    }


def test_csynth_xml_knows_no_latency(read):
    found = read(made.csynth_xml(latency="undef"))
    assert (found.latency_min, found.latency_max) == (19, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (made.csynth_xml()[:-20], "not XML"),
        (made.csynth_xml(lut="6 40"), "LUT: a whole number is expected, not '6 40'"),
        (made.csynth_xml(unit="ticks"), "a unit (fs, ps, ns, us, ms, sec, s) is expected"),
        (made.csynth_xml().replace("Interval-min", "Spacing"), "Interval-min> is expected"),
        ('<!DOCTYPE p [<!ENTITY a "b">]>' + made.csynth_xml(), "a document type"),
        ("<html></html>", "the element <profile> is expected, not <html>"),
        ("<profile>" + "<a>" * 100, "elements, or 64 in one another"),
    ],
)
def test_csynth_xml_refused(refusal, text, words):
    assert words in refusal(text, "net.xml")


@pytest.mark.parametrize(
    ("state", "stage"),
    [
        *(("Synthesized", "synthesized"), ("Optimized", "synthesized")),
        *(("Fully Placed", "placed"), ("Physopt postPlace", "placed"), ("Routed", "routed")),
    ],
)
def test_utilization_by_step(read, state, stage):
    found = read(made.utilization(state))
    assert found.key == f"vivado-{stage}"
    assert found.figures == {
        "lut": 700,
        "lutram": 40,
        "ff": 1210,
        "dsp": 17,
        "bram": 4.5,
        "uram": 2,
    }


def test_utilization_of_7_series_and_of_a_later_release(read):
    assert read(made.utilization(family="Slice", version="2019.2")).lut == 700
    found = read(made.utilization(prohibited=True, version="2023.2.1"))
    assert (found.lut, found.ff, found.version) == (700, 1210, "2023.2.1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (made.utilization(lut=("701", "660", "40")), "add up to 700"),
        (made.utilization(bram=("4.6", "3", "3")), "add up to 4.5"),
        (
            "| 41 ".join(made.utilization().rsplit("| 40 ", 1)),
            "LUT as Memory: line 30 says another number",
        ),
        (made.utilization(ff="1.210"), "Registers: a whole number is expected, not '1.210'"),
        (made.utilization(ff="1,210"), "a number with a decimal point is expected"),
        (made.utilization("Bitstream"), "the design state 'Bitstream' is not known"),
        (made.utilization(None), "'| Design State : ...' is expected"),
        (made.utilization().partition("5. Black Boxes\n---")[0], "is not in the file"),
        (made.utilization() + made.utilization(), "a second report begins here"),
        (made.utilization().replace("CLB LUTs", "CLB Luts"), "a row 'Slice LUTs' or 'CLB LUTs'"),
        (made.utilization().replace("Utilization Design", "DRC"), "but not of report_utilization"),
    ],
)
def test_utilization_refused(refusal, text, words):
    assert words in refusal(text)


def test_a_utilization_cut_off_anywhere_is_refused(refusal):
    lines = made.utilization().splitlines()
    last_heading = max(i for i, line in enumerate(lines) if line == "5. Black Boxes")
    for end in range(3, last_heading + 1):
        refusal("\n".join(lines[:end]))


@pytest.mark.parametrize(
    ("net", "stage"), [("unplaced", "synthesized"), ("estimated", "placed"), ("routed", "routed")]
)
def test_timing_tells_its_step_by_its_nets(read, net, stage):
    found = read(made.timing_summary(net=net))
    assert found.key == f"vivado-{stage}"
    assert found.figures == {
        "clock_ns": 5.0,
        "slack_ns": 0.312,
        "hold_slack_ns": 0.041,
        "fmax_mhz": pytest.approx(1e3 / 4.688),
    }


def test_timing_in_picoseconds_and_not_met(read):
    found = read(made.timing_summary("-250", "41", unit="ps"))
    assert (found.slack_ns, found.fmax_mhz) == (-0.25, pytest.approx(1e3 / 5.25))


def test_a_step_is_asked_for_where_nothing_tells_it(read, refusal):
    silent = made.timing_summary(net="")
    assert "give --stage" in refusal(silent)
    assert read(silent, stage="placed").stage == "placed"
    assert "not placed as --stage says" in refusal(made.timing_summary(), stage="placed")
    said = made.timing_summary(net="", state="Routed")
    assert read(said).stage == "routed"
    with pytest.raises(InputError, match="--stage late: choose from synthesized, placed, routed"):
        parse_stage("late")


def test_several_clocks_have_no_fmax(read):
    clocks = "a  {0.000 2.500}  5.000  200.000\nb  {0.000 4.000}  8.000  125.000\n"
    found = read(made.timing_summary(clocks=clocks))
    assert (found.slack_ns, found.clock_ns, found.fmax_mhz) == (0.312, None, None)


def test_a_clock_made_of_another_is_no_clock_of_its_own(read):
    clocks = "a  {0.000 2.500}  5.000  200.000\n  b  {0.000 4.000}  8.000  125.000\n"
    assert read(made.timing_summary(clocks=clocks)).clock_ns == 5.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (made.timing_summary("-0.312", met=True), "the slacks in line"),
        (made.timing_summary(met=False), "the slacks in line"),
        (
            made.timing_summary().replace(
                "All user specified timing constraints are met.",
                "There are no user specified timing constraints.",
            ),
            "no timing without constraints: create a clock",
        ),
        (made.timing_summary("0,312"), "WNS: a number with a decimal point is expected"),
        (made.timing_summary(frequency="210.000"), "is no frequency of 210 MHz"),
        (made.timing_summary().partition("| Intra")[0], "'| Intra Clock Table' is expected"),
        (made.timing_summary(unit="s").replace("(s)", "(x)"), "'WNS(ns)' is expected"),
        (made.timing_summary().replace("  2.225 ", "  "), "a row of 12 numbers is expected"),
    ],
)
def test_timing_refused(refusal, text, words):
    assert words in refusal(text)


def test_no_paths_no_slack(read):
    found = read(made.timing_summary("NA"))
    assert (found.slack_ns, found.fmax_mhz, found.hold_slack_ns) == (None, None, 0.041)


def test_power(read):
    found = read(made.power())
    assert found.key == "vivado-routed"
    assert found.figures == {"power_w": 1.234, "dynamic_power_w": 0.61, "static_power_w": 0.624}
    assert read(made.power("512", "212", "300", unit="mW")).power_w == 0.512
    assert read(made.power("1.234 (Junction temp exceeded!)")).power_w == 1.234


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (made.power("1.334"), "add up to 1.234 W, not 1.334"),
        (made.power("1,234"), "a number with a decimal point is expected"),
        (made.power(unit="V"), "a unit (uW, mW, W) is expected"),
        (made.power().partition("2. Settings\n---")[0], "'2. Settings' is not in the file"),
    ],
)
def test_power_refused(refusal, text, words):
    assert words in refusal(text)


def test_fit(read):
    found = read(made.fit())
    assert (found.key, found.version, found.part, found.design) == (
        *("quartus-routed", "21.1.0"),
        *("5CGXFC7C7F23C8", "net"),
    )
    assert found.figures == {"alm": 4321, "ff": 6543, "ram_bits": 20480, "ram_blocks": 2, "dsp": 12}


def test_fit_of_a_family_of_logic_elements_and_of_an_old_release(read):
    found = read(
        made.fit(
            version="13.1.0 Build 162 10/23/2013 SJ Web Edition",
            tool="Quartus II 64-Bit Version",
            logic=("Total logic elements", "3,540 / 49,760 ( 7 % )"),
            more=(
                ("    Dedicated logic registers", "1,090 / 49,760 ( 2 % )"),
                ("Total registers", "1,190"),
            ),
        )
    )
    assert (found.version, found.figures) == ("13.1.0", {"le": 3540, "ff": 1190})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (made.fit("Failed - Mon"), "status is 'Failed - Mon', not 'Successful'"),
        (made.fit(logic=("Logic utilization (in ALMs)", "4.321.5 / 9 ( 1 % )")), "expected, not"),
        (made.fit(more=(("Total registers", "65,43"),)), "a whole number is expected, not '65,43'"),
        (made.fit(more=(("Total registers", "6.543"),)), "a whole number is expected, not '6.543'"),
        (made.fit(logic=("Logic utilization", "95 %")), "(in ALMs)' or 'Total logic elements'"),
        (made.fit()[:-40], "the table has no end"),
        (made.fit().replace("Quartus Prime Version", "Version"), "'Quartus Prime Version' is"),
    ],
)
def test_fit_refused(refusal, text, words):
    assert words in refusal(text)


@pytest.mark.parametrize("pro", [False, True])
def test_sta(read, pro):
    found = read(made.sta(pro=pro))
    assert found.figures == {
        "clock_ns": 8.0,
        "slack_ns": 0.512,
        "hold_slack_ns": 0.101,
        "fmax_mhz": 128.4,
    }
    assert read(made.sta(setup="-1.250", pro=pro)).slack_ns == -1.25


def test_fmax_in_another_unit(read):
    assert read(made.sta(fmax=("0.1331 GHz", "131000 kHz"))).fmax_mhz == 131.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (made.sta(frequency="120.0 MHz"), "is no frequency of 120 MHz"),
        (made.sta(frequency="125,0 MHz"), "a number with a decimal point is expected"),
        (made.sta(clocks=(("b", "Base", "4.000", "250.0 MHz"),)), "not 2 (clk, b)"),
        (made.sta().partition("; Multicorner")[0], "a table '; Setup Summary ;' is expected"),
        (made.sta(setup="0,512"), "Setup: a number with a decimal point is expected"),
    ],
)
def test_sta_refused(refusal, text, words):
    assert words in refusal(text)


def test_radiant_map_of_nexus(read):
    found = read(radiant.mapped(), "net.mrp")
    assert (found.key, found.version, found.part, found.design) == (
        *("radiant-synthesized", "2025.2.0.50.0"),
        *("LFCPNX-100-LFG672-9_High-Performance_1.0V", "net"),
    )
    assert found.figures == {
        "lut": 1270,
        "lutram": 96,
        "ff": 652,
        "dsp": 7,
        "ram_blocks": 5,
        "large_ram_blocks": 1,
    }


def test_radiant_map_of_ultra_plus(read):
    assert read(radiant.mapped(radiant.ULTRA_PLUS)).figures == {
        "lut": 530,
        "ff": 315,
        "dsp": 3,
        "ram_blocks": 6,
        "large_ram_blocks": 2,
    }


def test_radiant_map_of_2022_names_no_top(read):
    found = read(radiant.mapped_by_2022())
    assert (found.version, found.design, found.lut) == ("3.2.1.100.0", None, 1270)
    assert found.part == "LFCPNX-100LFG672-9_High-Performance_1.0V"


def test_what_a_radiant_map_does_not_count_is_absent(read):
    cells = radiant.NEXUS.partition("   Number of Block RAMs")[0]
    assert read(radiant.mapped(cells)).figures == {"lut": 1270, "lutram": 96, "ff": 652}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (radiant.mapped(errors="3"), "the mapper had 3 errors"),
        (radiant.mapped(errors="none"), "Number of errors: a whole number is expected"),
        (
            radiant.mapped(radiant.NEXUS.replace("1270", "1271")),
            "Number of LUT4s: the rows below add up to 1270, not to 1271",
        ),
        (
            radiant.mapped(radiant.ULTRA_PLUS.replace("(100 LUT4s)", "(99 LUT4s)")),
            "the rows below add up to 529, not to 530",
        ),
        (
            radiant.mapped(radiant.NEXUS.replace("  640 out", "  641 out")),
            "Number of registers: the rows below add up to 653",
        ),
        (radiant.mapped(radiant.NEXUS.replace("1270", "1,270")), "a whole number is expected, not"),
        (radiant.mapped(radiant.NEXUS.replace("LUT4s", "LUT5s")), "a row 'Number of LUT4s:' is"),
        (
            radiant.mapped(radiant.ULTRA_PLUS.replace("I/O reg", "IO reg")),
            "a row 'Number of I/O registers:' is",
        ),
        (radiant.mapped(radiant.NEXUS * 2), "a second row 'Number of registers'"),
        (radiant.mapped() * 2, "a second report begins here"),
        (radiant.mapped().partition("   Peak")[0], "'Peak Memory Usage:' at its end is expected"),
        (radiant.mapped().replace("Radiant Software", "Diamond"), "'version Radiant Software"),
        (radiant.mapped().replace("Performance", "Speed"), "'Performance: ...' is expected"),
        (radiant.mapped(top="a\x1bb"), "design: string should match pattern"),
    ],
)
def test_radiant_map_refused(refusal, text, words):
    assert words in refusal(text, "net.mrp")


def test_radiant_timing(read):
    found = read(radiant.timed(), "net.twr")
    assert (found.key, found.version, found.part, found.design) == (
        *("radiant-routed", "2025.2.0.50.0"),
        *("LFCPNX-100-LFG672-9_High-Performance_1.0V", "net"),
    )
    assert found.figures == {
        "clock_ns": 5.0,
        "slack_ns": 0.595,
        "hold_slack_ns": 0.12,
        "fmax_mhz": 227.015,
    }


def test_radiant_timing_not_met(read):
    found = read(radiant.timed((("-1.250", "-0.400"), ("-1.100", "0.020")), ("-0.031",)))
    assert (found.slack_ns, found.hold_slack_ns) == (-1.25, -0.031)


def test_radiant_timing_without_paths_has_no_slack(read):
    found = read(radiant.timed(((), ()), ()))
    assert found.figures == {"clock_ns": 5.0, "fmax_mhz": 227.015}


def test_radiant_timing_tells_its_step_by_its_command(read, refusal):
    mapped = radiant.timed(names=("net_impl1.tw1", "net_impl1_map.udb"), site="SLICE")
    assert read(mapped).key == "radiant-synthesized"
    assert "is of a design that is synthesized, not routed" in refusal(mapped, stage="routed")
    silent = radiant.timed(names=("report.txt", "net.udb"))
    assert "give --stage" in refusal(silent)
    assert read(silent, stage="placed").stage == "placed"
    unplaced = radiant.timed(names=("report.txt", "net.udb"), site="SLICE")
    assert "a slice without a place, in a design that is placed" in refusal(
        unplaced, stage="placed"
    )
    assert "in a design that is routed" in refusal(radiant.timed(site="SLICE"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            radiant.timed(clocks=((radiant.clock(), radiant.clock("sck")),) * 2),
            "one clock is expected, not 2 ('clk', 'sck')",
        ),
        (radiant.timed(clocks=((), ())), "no timing without a clock: create one"),
        (
            radiant.timed(
                clocks=((radiant.clock(),), (radiant.clock(target=("8.000", "125.000")),))
            ),
            "a clock of 8 ns, but of 5 ns in line",
        ),
        (
            radiant.timed().replace("227.015", "207.015"),
            "a period of 4.405 ns is no frequency of 207.015 MHz",
        ),
        (
            radiant.timed().replace("           5.000 ns", "            +INF"),
            "Period: a number and a unit",
        ),
        (radiant.timed().replace("Actual (all paths)", "Actual"), "rows 'Target' and"),
        (radiant.timed(negative=1), "the worst slack is 0.612 ns, of 1 endpoints"),
        (
            radiant.timed((("-0.1",), ("0.2",)), negative=0),
            "the worst slack is -0.1 ns, of 0",
        ),
        (radiant.timed((("0,612",), ("0.2",))), "Slack: a number with a decimal point"),
        (radiant.timed().replace("Listing 2", "Listing 3"), "'Listing ... End Points', as"),
        (radiant.timed().replace("|    0.612 ns", "|  612.000 ps"), "slacks in ns"),
        (
            radiant.timed().replace("Endpoint slacks\n==", "End\n=="),
            "title 'Endpoint slacks'",
        ),
        (radiant.timed()[:-300], "'End of Detailed Report for timing paths' is expected"),
        (
            radiant.timed().partition("\n4  Hold")[0],
            "the 3 corners listed above are expected",
        ),
        (radiant.timed().replace("Corner", "Point"), "as Radiant 2023.1 and later write it"),
        (radiant.timed() * 2, "a second report begins here"),
    ],
)
def test_radiant_timing_refused(refusal, text, words):
    assert words in refusal(text, "net.twr")


@pytest.mark.parametrize(
    "text", [radiant.mapped(), radiant.mapped(radiant.ULTRA_PLUS), radiant.timed()]
)
def test_a_radiant_report_cut_off_anywhere_is_refused_or_says_the_same(read, text):
    whole = read(text).figures
    lines, refused = text.splitlines(keepends=True), []
    for end in range(len(lines)):
        try:
            assert read("".join(lines[:end])).figures == whole
        except InputError as error:
            refused.append(str(error))
    assert len(refused) >= len(lines) - 5 and not any("\n" in each for each in refused)


def test_oneapi(read):
    assert read(made.SUMMARY).figures == {
        "alut": 115,
        "ff": 226,
        "ram_blocks": 3,
        "dsp": 5,
        "mlab": 4,
    }
    assert read(made.LOOPS).figures == {"fmax_mhz": 455.5}


def test_oneapi_after_quartus(read):
    assert read(made.QUARTUS).key == "quartus-routed"
    assert read(made.QUARTUS).figures == {
        "alm": 1234.5,
        "alut": 2000,
        "ff": 3000,
        "dsp": 4,
        "ram_blocks": 5,
        "mlab": 6,
        "fmax_mhz": 512.25,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (made.SUMMARY.replace("[115,", "[116,"), "ALUTs: the rows above add up to 115, not to 116"),
        (made.SUMMARY.replace("[110,", "[111,"), "kernels add up to 110, not to their subtotal"),
        (made.SUMMARY.replace("226, 3, 1, 4, 7]", "226, 3, 1]"), "6 whole numbers are expected"),
        (made.SUMMARY.replace("226", '"226"'), "6 whole numbers are expected"),
        (made.SUMMARY.replace("226", "-226"), "6 whole numbers are expected"),
        (made.SUMMARY[: made.SUMMARY.index('{"name":"Total"')], "a record 'Total'"),
        (made.SUMMARY[:-30], "a JSON object is expected"),
        (made.LOOPS[: made.LOOPS.index('{"name":"Net.B1"')], "2 blocks are listed, and 1 are here"),
        (made.LOOPS.replace('"455.50"', "455.5"), "a text that holds a number is expected"),
        (made.QUARTUS.replace("512.25", "TBD"), "Quartus has not run"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "more than 32 deep"),
        ('{"a": 1}\n[1]\n', "a JSON object is expected"),
        ('{"a": 1}\n', "a record of estimatedResources"),
    ],
)
def test_oneapi_refused(refusal, text, words):
    assert words in refusal(text, "summary.ndjson")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a known report"),
        ("hello\n", "is not a known report; known are Vivado and Vitis HLS csynth"),
        ("a\0b", "holds NUL bytes"),
        ("== Synthesis Summary Report of 'net'\n", "give <top>_csynth.rpt"),
    ],
)
def test_no_report(refusal, text, words):
    assert words in refusal(text)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_report(tmp_path / "gone.rpt")


def test_too_large(tmp_path):
    path = tmp_path / "large.rpt"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 65 << 20)
    with pytest.raises(InputError, match=r"more than the limit of 67\.1 MB"):
        read_report(path)


def write(folder, **texts):
    paths = []
    for name, text in texts.items():
        paths.append(folder / f"{name}.rpt")
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def test_reports_of_one_run_are_put_together(tmp_path):
    files = write(
        tmp_path,
        area=made.utilization("Routed"),
        timing=made.timing_summary(version="2022.2"),
        power=made.power(),
        estimate=made.csynth(),
    )
    found = read_reports(files)
    assert list(found) == ["vitis_hls-estimated", "vivado-routed"]
    routed = found["vivado-routed"]
    assert (routed.lut, routed.slack_ns, routed.power_w) == (700, 0.312, 1.234)
    assert routed.part == "xczu7ev-ffvc1156-2-e"  # the timing summary leaves out the speed grade
    assert [each.kind for each in routed.reports] == ["utilization", "timing_summary", "power"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (made.power(version="2023.1"), "version is 2023.1, but .* says 2022.2"),
        (made.power(top="other"), "design is other, but .* says net"),
        (
            made.power(device="xcku5p-ffva676-1-e"),
            "part is xcku5p-ffva676-1-e, but .* says xczu7ev",
        ),
        (made.utilization("Routed", dsp="18"), "dsp is 18, but .* says 17"),
    ],
)
def test_reports_of_two_runs_are_refused(tmp_path, other, words):
    files = write(tmp_path, area=made.utilization("Routed"), other=other)
    with pytest.raises(InputError, match=words):
        read_reports(files)


def test_the_same_report_twice_is_refused(tmp_path):
    (file,) = write(tmp_path, area=made.utilization())
    with pytest.raises(InputError, match="or is the same report"):
        read_reports([file, file])


REAL = os.environ.get("GATEWRIGHT_VENDOR_REPORTS")


@pytest.mark.skipif(REAL is None, reason="GATEWRIGHT_VENDOR_REPORTS names no folder of real ones")
def test_real_reports():
    found = sorted(Path(REAL).rglob("*.rpt")) + sorted(Path(REAL).rglob("*.xml"))
    found += sorted(Path(REAL).rglob("*.ndjson"))
    found += sorted(Path(REAL).rglob("*.mrp")) + sorted(Path(REAL).rglob("*.twr"))
    assert found
    for path in found:
        assert read_report(path).figures, path
        assert json.loads(read_report(path).model_dump_json())


WHOLE = {
    "csynth.rpt": made.csynth(),
    "csynth_2018.rpt": made.csynth_2018(),
    "csynth.xml": made.csynth_xml(),
    "utilization.rpt": made.utilization(),
    "timing.rpt": made.timing_summary(),
    "power.rpt": made.power(),
    "fit.rpt": made.fit(),
    "sta.rpt": made.sta(),
    "nexus.mrp": radiant.mapped(),
    "ultra_plus.mrp": radiant.mapped(radiant.ULTRA_PLUS),
    "net.twr": radiant.timed(),
    "summary.ndjson": made.SUMMARY,
    "loop_attr.ndjson": made.LOOPS,
    "quartus.ndjson": made.QUARTUS,
}


@pytest.mark.parametrize("name", WHOLE)
def test_spoiled_reports_are_refused_or_read_and_nothing_else(read, name):
    """Whatever is cut, doubled or exchanged: an answer in a line, or figures that are positive."""
    text, rng = WHOLE[name], random.Random(name)
    for _ in range(80):
        at, to = sorted(rng.randrange(len(text)) for _ in range(2))
        spoiled = rng.choice(
            [
                text[:at],
                text[:at] + text[to:],
                text[:at] + rng.choice("\t;|+-,.{<\"'\n²٣€") + text[at + 1 :],
                text[:to] + text[at:],
            ]
        )
        try:
            found = read(spoiled, name)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert found.figures
