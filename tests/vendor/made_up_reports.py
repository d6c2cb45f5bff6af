"""Reports as vendor tools write them, of designs that there are not: all figures are invented."""

from __future__ import annotations


def table(*rows, separator="|", indent="", heading=1, total=None):
    """Rows of cells as a table with borders.

    Args:
        rows: texts, the first of them the heading.
        separator: between cells.
        indent: before each line.
        heading: rows that are its heading; 0 for a table without one.
        total: index of a row that a border stands above and below of.
    """
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0]))]
    border = "+" + "+".join("-" * width for width in widths) + "+"
    lines = [border]
    for i, row in enumerate(rows):
        if total is not None and i == total:
            lines.append(border)
        cells = (f" {cell}".ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(separator + separator.join(cells) + separator)
        if i == heading - 1 or i == total:
            lines.append(border)
    if lines[-1] != border:
        lines.append(border)
    return "\n".join(indent + line for line in lines)


def section(title, body):
    rule = "=" * 64
    return f"\n{rule}\n== {title}\n{rule}\n{body}\n"


def csynth(
    tool="Vitis",
    version="2023.1",
    *,
    clock=("5.00 ns", "3.650 ns", "1.35 ns"),
    latency=("12", "14", "60.000 ns", "70.000 ns", "3", "4"),
    rows=(("FIFO", "3", "-", "40", "90", "-"), ("Instance", "4", "6", "300", "500", "0")),
    total=("7", "6", "340", "590", "0"),
    top="net",
):
    """A report of C synthesis, as Vivado HLS from 2019.2 on and Vitis HLS write it."""
    dsp = "DSP48E" if tool == "Vivado" else "DSP"
    head = (
        "* Date:           Mon Jan  6 10:11:12 2025\n\n"
        f"* Version:        {version} (Build 1 on Mon)\n"
        f"* Project:        net_prj\n* Solution:       solution1\n* Product family: zynquplus\n"
        "* Target device:  xczu7ev-ffvc1156-2-e"
    )
    clocks = table(
        ("Clock", "Target", "Estimated", "Uncertainty"), ("ap_clk", *clock), indent="    "
    )
    cells = [cell.rjust(9) for cell in (*latency, "dataflow")]
    border = "    +" + "+".join("-" * 9 for _ in cells) + "+"
    latencies = "\n".join(
        (
            border,
            "    |  Latency (cycles) | Latency (absolute)|      Interval     | Pipeline|",
            "    |   min   |   max   |   min   |   max   |   min   |   max   |   Type  |",
            border,
            "    |" + "|".join(cells) + "|",
            border,
        )
    )
    used = table(
        ("Name", "BRAM_18K", dsp, "FF", "LUT", "URAM"),
        *rows,
        ("Total", *total),
        ("Available", "624", "1728", "460800", "230400", "96"),
        ("Utilization (%)", "1", "~0", "~0", "~0", "0"),
        total=len(rows) + 1,
    )
    timing = f"+ Timing: \n    * Summary: \n{clocks}\n\n+ Latency: \n    * Summary: \n{latencies}\n"
    return (
        section(f"{tool} HLS Report for '{top}'", head)
        + section("Performance Estimates", timing)
        + section("Utilization Estimates", f"* Summary: \n{used}\n")
        + section("Interface", "* Summary: \n" + table(("RTL Ports", "Dir"), ("ap_clk", "in")))
    )


def csynth_2018(unit="ns", target="4.00", estimated="3.40"):
    """The same as Vivado HLS wrote it up to 2019.1: units stand in headings."""
    text = csynth("Vivado", "2018.3", clock=(target, estimated, "0.50"))
    text = text.replace("+ Timing:", f"+ Timing ({unit}):")
    start, end = text.index("+ Latency:"), text.index("== Utilization")
    latency = (
        "+ Latency (clock cycles): \n    * Summary: \n"
        "    +-----+-----+-----+-----+----------+\n"
        "    |  Latency  |  Interval | Pipeline |\n"
        "    | min | max | min | max |   Type   |\n"
        "    +-----+-----+-----+-----+----------+\n"
        "    |    9|   11|    1|    2| function |\n"
        "    +-----+-----+-----+-----+----------+\n\n"
    )
    return text[:start] + latency + "=" * 64 + "\n" + text[end:]


def csynth_xml(version="2022.2", dsp="DSP", latency="21", unit="ns", lut="640"):
    """The same as XML."""
    return f"""<profile>
<ReportVersion>
<Version>{version}</Version>
</ReportVersion>
<UserAssignments>
<unit>{unit}</unit>
<ProductFamily>zynq</ProductFamily>
<Part>xc7z045-ffg900-2</Part>
<TopModelName>net</TopModelName>
<TargetClockPeriod>4.00</TargetClockPeriod>
</UserAssignments>
<PerformanceEstimates>
<SummaryOfTimingAnalysis>
<unit>{unit}</unit>
<EstimatedClockPeriod>3.200</EstimatedClockPeriod>
</SummaryOfTimingAnalysis>
<SummaryOfOverallLatency>
<unit>clock cycles</unit>
<Best-caseLatency>19</Best-caseLatency>
<Worst-caseLatency>{latency}</Worst-caseLatency>
<Interval-min>5</Interval-min>
<Interval-max>6</Interval-max>
</SummaryOfOverallLatency>
</PerformanceEstimates>
<AreaEstimates>
<Resources>
<BRAM_18K>3</BRAM_18K>
<{dsp}>8</{dsp}>
<FF>900</FF>
<LUT>{lut}</LUT>
</Resources>
<AvailableResources>
<LUT>218600</LUT>
</AvailableResources>
</AreaEstimates>
</profile>
"""


def vivado_head(command, version="2022.2", device="xczu7ev-ffvc1156-2-e", state=None, top="net"):
    lines = [
        "Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.",
        "-" * 90,
        f"| Tool Version : Vivado v.{version} (lin64) Build 1 Mon Jan  6 10:11:12 MST 2025",
        "| Date         : Mon Jan  6 10:11:12 2025",
        "| Host         : büro running 64-bit Linux",
        f"| Command      : {command}",
        f"| Design       : {top}",
        f"| Device       : {device}",
    ]
    if state is not None:
        lines.append(f"| Design State : {state}")
    return "\n".join([*lines, "-" * 90, "", ""])


def titled(*titles_and_bodies):
    """A table of contents, and its sections."""
    listed = "\n".join(title for title, _ in titles_and_bodies)
    bodies = "\n".join(
        f"{title}\n{'-' * len(title)}\n\n{body}\n\n" for title, body in titles_and_bodies
    )
    return f"Table of Contents\n-----------------\n{listed}\n\n{bodies}"


def utilization(
    state="Synthesized",
    *,
    family="CLB",
    version="2022.2",
    lut=("700", "660", "40"),
    ff="1210",
    bram=("4.5", "3", "3"),
    dsp="17",
    prohibited=False,
    **head,
):
    """Vivado's utilization: UltraScale+ by default, 7 series as "Slice"."""

    def rows(*names_and_used):
        more = ("Prohibited",) if prohibited else ()
        zero = ("0",) if prohibited else ()
        return table(
            ("Site Type", "Used", "Fixed", *more, "Available", "Util%"),
            *((name, used, "0", *zero, "9000", "0.50") for name, used in names_and_used),
        )

    star = "*" if state == "Synthesized" else ""
    logic = rows(
        (f"{family} LUTs{star}", lut[0]),
        ("  LUT as Logic", lut[1]),
        ("  LUT as Memory", lut[2]),
        (f"{family} Registers", ff),
        ("  Register as Flip Flop", ff),
        ("  Register as Latch", "0"),
    )
    spread = rows(
        ("LUT as Logic", lut[1]),
        ("  using O5 output only", "0"),
        ("LUT as Memory", lut[2]),
        ("  using O5 output only", "3"),
        (f"{family} Registers", ff),
    )
    memory = rows(
        ("Block RAM Tile", bram[0]),
        ("  RAMB36/FIFO*", bram[1]),
        ("  RAMB18", bram[2]),
        ("URAM", "2"),
    )
    return (
        vivado_head("report_utilization -file net.rpt", version, state=state, **head)
        + "Utilization Design Information\n\n"
        + titled(
            (f"1. {family} Logic", logic),
            (f"2. {family} Logic Distribution", spread),
            ("3. BLOCKRAM", memory),
            ("4. ARITHMETIC", rows(("DSPs", dsp))),
            ("5. Black Boxes", table(("Ref Name", "Used"))),
        )
    )


def timing_summary(
    wns="0.312",
    whs="0.041",
    *,
    period="5.000",
    frequency="200.000",
    met=None,
    net="routed",
    version="2021.1",
    unit="ns",
    clocks=None,
    **head,
):
    """Vivado's timing summary, with one path whose nets tell the step."""
    slacks = f"      {wns}        0.000                      0                  723  "
    slacks += f"      {whs}        0.000                      0                  723  "
    slacks += "      2.225        0.000                       0                   333  \n"
    names = f"    WNS({unit})      TNS({unit})  TNS Failing Endpoints  TNS Total Endpoints  "
    names += f"    WHS({unit})      THS({unit})  THS Failing Endpoints  THS Total Endpoints  "
    names += f"   WPWS({unit})     TPWS({unit})  TPWS Failing Endpoints  TPWS Total Endpoints  \n"
    if met is None:
        met = not wns.startswith("-") and not whs.startswith("-")
    verdict = (
        "All user specified timing constraints are met."
        if met
        else "Timing constraints are not met."
    )
    clocks = clocks or f"clk    {{0.000 2.500}}        {period}           {frequency}         \n"
    rule = "-" * 60
    path = (
        f"                         net (fo=3, {net})       0.504     0.636    u/x[0]\n"
        if net
        else ""
    )
    return (
        vivado_head("report_timing_summary -file net.rpt", version, "xczu7ev-ffvc1156", **head)
        + f"Timing Summary Report\n\n{rule}\n| Design Timing Summary\n| ---\n{rule}\n\n"
        + names
        + "    -------      -------  -----  -----  \n"
        + slacks
        + f"\n\n{verdict}\n\n\n{rule}\n| Clock Summary\n| ---\n{rule}\n\n"
        + "Clock  Waveform(ns)         Period(ns)      Frequency(MHz)\n"
        + "-----  ------------         ----------      --------------\n"
        + f"{clocks}\n\n{rule}\n| Intra Clock Table\n| ---\n{rule}\n\n{path}"
    )


def power(total="1.234", dynamic="0.610", static="0.624", *, unit="W", state="routed", **head):
    """Vivado's report of power."""
    summary = table(
        (f"Total On-Chip Power ({unit})", total),
        ("Design Power Budget (W)", "Unspecified*"),
        (f"Dynamic ({unit})", dynamic),
        (f"Device Static ({unit})", static),
        ("Confidence Level", "Low"),
        heading=0,
    )
    return (
        vivado_head("report_power -file net.rpt", state=state, **head)
        + "Power Report\n\n"
        + titled(("1. Summary", summary), ("2. Settings", ""))
    )


def quartus_panel(title, *rows, heading=1):
    body = table(*rows, separator=";", heading=heading)
    width = len(body.splitlines()[0])
    line = "+" + "-" * (width - 2) + "+"
    return f"{line}\n; {title}".ljust(2 * width - 1) + f" ;\n{body}\n\n"


def fit(
    status="Successful - Mon Jan  6 10:11:12 2025",
    version="21.1.0 Build 842 10/21/2021 SJ Lite Edition",
    *,
    logic=("Logic utilization (in ALMs)", "4,321 / 56,480 ( 8 % )"),
    more=(
        ("Total registers", "6543"),
        ("Total block memory bits", "20,480 / 7,024,640 ( < 1 % )"),
        ("Total RAM Blocks", "2 / 686 ( < 1 % )"),
        ("Total DSP Blocks", "12 / 156 ( 8 % )"),
    ),
    tool="Quartus Prime Version",
):
    """Quartus' report of the fitter."""
    return "Fitter report for net\nMon Jan  6 10:11:12 2025\n\n" + quartus_panel(
        "Fitter Summary",
        ("Fitter Status", status),
        (tool, version),
        ("Revision Name", "net"),
        ("Top-level Entity Name", "net"),
        ("Family", "Cyclone V"),
        ("Device", "5CGXFC7C7F23C8"),
        ("Timing Models", "Final"),
        logic,
        *more,
        heading=0,
    )


def sta(
    *,
    setup="0.512",
    hold="0.101",
    fmax=("133.10 MHz", "128.40 MHz"),
    frequency="125.0 MHz",
    pro=False,
    clocks=(),
):
    """Quartus' report of timing: two corners, and all of them."""
    heading = ("Fmax", "Restricted Fmax", "Clock Name", "Note")
    corners = "".join(
        quartus_panel(f"Slow 1100mV {corner} Model Fmax Summary", heading, (rate, rate, "clk", ""))
        for corner, rate in zip(("85C", "0C"), fmax, strict=True)
    )
    if pro:
        slacks = "".join(
            quartus_panel(
                f"{check} Summary", ("Clock", "Slack"), ("clk", slack), ("other", "9.000")
            )
            for check, slack in (("Setup", setup), ("Hold", hold))
        )
    else:
        slacks = quartus_panel(
            "Multicorner Timing Analysis Summary",
            ("Clock", "Setup", "Hold", "Recovery"),
            ("Worst-case Slack", setup, hold, "N/A"),
            (" clk", setup, hold, "N/A"),
        )
    return (
        "Timing Analyzer report for net\nMon Jan  6 10:11:12 2025\n\n"
        + quartus_panel(
            "Timing Analyzer Summary",
            ("Quartus Prime Version", "Version 21.1.0 Build 842 10/21/2021 SJ Lite Edition"),
            ("Revision Name", "net"),
            ("Device Family", "Cyclone V"),
            ("Device Name", "5CGXFC7C7F23C8"),
            heading=0,
        )
        + quartus_panel(
            "Clocks",
            ("Clock Name", "Type", "Period", "Frequency"),
            ("clk", "Base", "8.000", frequency),
            *clocks,
        )
        + corners
        + slacks
    )


SUMMARY = """{"name":"Kernel Summary", "summary_type":"performanceSummary", "columns":["Name"]}
{"name":"Estimated Resource Usage", "summary_type":"estimatedResources", "dsp_packing_factor":2, \
"columns":["Kernel Name", "ALUTs ", "FFs  ", "RAMs ", "DSPs ", "MLABs", "Frac. DSPs"]}
{"name":"first", "parent":"estimatedResources", "data":[100, 200, 3, 1, 4, 5]}
{"name":"second", "parent":"estimatedResources", "data":[10, 20, 0, 0, 0, 2]}
{"name":"Kernel Subtotal", "parent":"estimatedResources", "data":[110, 220, 3, 1, 4, 7]}
{"name":"Pipe resources", "parent":"estimatedResources", "data":[5, 6, 0, 0, 0, 0]}
{"name":"Total", "parent":"estimatedResources", "data":[115, 226, 3, 1, 4, 7]}
{"name":"Available", "parent":"estimatedResources", "data":["974400", "1948800"]}
"""

LOOPS = """{"name":"loop_attributes", "id":9, "nodes":[1]}
{"name":"Net", "id":1, "fmax":"480.00", "type":"kernel", "children":[4, 5]}
{"name":"Net.B0", "id":4, "af":"480.00", "type":"bb"}
{"name":"Net.B1", "id":5, "af":"455.50", "type":"loop"}
"""

QUARTUS = """{"quartusFitClockSummary":{"nodes":[{"type":"system", "clock fmax":"512.25"}]},\
"quartusFitResourceUsageSummary":{"nodes":[{"type":"system", "alm":"1,234.5", "alut":"2,000", \
"reg":"3000", "dsp":"4", "ram":"5", "mlab":"6"}, {"type":"kernel", "alm":"1.0"}]}}
"""
