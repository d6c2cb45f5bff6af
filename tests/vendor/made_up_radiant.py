"""Reports as Lattice Radiant writes them: designs and figures are invented."""

from __future__ import annotations

#: Cells of a Nexus device in Radiant's report of the mapper, with parts of parts and a page break.
NEXUS = """\
   Number of registers:         652 out of 80769 (1%)
      Number of SLICE         registers:  640 out of 79872 (1%)
      Number of PIO Input     registers:    9 out of   299 (3%)
      Number of PIO Output    registers:    3 out of   299 (1%)
   Number of LUT4s:            1270 out of 79872 (2%)
      Number used as logic LUT4s:                        804
      Number used as distributed RAM:                     96 (6 per 16X4 RAM)
      Number used as ripple logic:                       300 (2 per CCU2)

                                    Page 1




Design Summary (cont)
---------------------
      Number of inserted feedthru LUT4s:                  70
                  Number for virtual IO:                  68
   Number of Block RAMs:          5 out of 208 (2%)
   Number of Large RAMs:          1 out of 7 (14%)
   Number of Logical DSP Functions:
      Number of Multipliers (18x18): 6 out of 156 (4%)
         Number of 9X9:        3 (1 18x18 = 2   9x9)
   Number of Physical DSP Components:
      Number of MULT9:               14 out of 312 (4%)
         Used MULT9:                 11
         Bypassed MULT9:             3
      Number of MULT18:              7 out of 156 (4%)
      Number of MULT18X36:           2 out of 78 (3%)
"""

#: The same of an iCE40 UltraPlus device, which counts carry chains in slices.
ULTRA_PLUS = """\
   Number of slice registers: 311 out of  5280 (6%)
   Number of I/O registers:      4 out of   117 (3%)
   Number of LUT4s:           530 out of  5280 (10%)
      Number of logic LUT4s:             402
      Number of inserted feedthru LUT4s:  27
      Number of replicated LUT4s:          1
      Number of ripple logic:             50 (100 LUT4s)
   Number of IO sites used:   22 out of 39 (56%)
      (note: If I3C is not used, its site can be used as general PIO)
   Number of DSPs:             3 out of 8 (38%)
   Number of SRAMs:            2 out of 4 (50%)
   Number of EBRs:             6 out of 30 (20%)
"""


def mapped(
    cells=NEXUS,
    *,
    version="2025.2.0.50.0",
    top="net",
    device=("LFCPNX-100", "LFG672", "9_High-Performance_1.0V"),
    errors="0",
):
    """Radiant's report of the mapper."""
    return (
        "\n                         Lattice Mapping Report File\n\n"
        f"Design:  {top}\nFamily:  LFCPNX\nDevice:  {device[0]}\nPackage: {device[1]}\n"
        f"Performance Grade:  {device[2]}\n\n"
        f"Mapper:    version Radiant Software (64-bit) {version}\n"
        "Mapped on: Mon Jan  6 10:11:12 2025\n\n"
        "Design Information\n------------------\n\n"
        "Command line:   map -i net_impl1_syn.udb -o net_impl1_map.udb -mp\n"
        "     net_impl1.mrp -hierrpt\n\n"
        f"Design Summary\n--------------\n\n{cells}"
        "   Number of Clocks:  1\n"
        "      Net clk_c: 402 loads, 402 rising, 0 falling (Driver: Port clk)\n\n\n"
        "   Number of warnings:  2\n   Number of criticals: 0\n"
        f"   Number of errors:    {errors}\n\n"
        "Design Errors/Criticals/Warnings\n--------------------------------\n\n"
        "Run Time and Memory Usage\n-------------------------\n\n"
        "   Total CPU Time: 3 secs\n   Peak Memory Usage: 210 MB\n"
    )


def mapped_by_2022(cells=NEXUS):
    """The same as Radiant 3.2 wrote it: the design's name is that of the project."""
    _, mapper, rest = mapped(cells, version="3.2.1.100.0").partition("\nMapper:")
    return (
        "Lattice Mapping Report File for Design Module\n     'net_impl1'\n\n"
        "Target Vendor:        LATTICE\nTarget Device:        LFCPNX-100LFG672\n"
        f"Target Performance:   9_High-Performance_1.0V\n{mapper}{rest}"
    )


def clock(name="clk", target=("5.000", "200.000"), actual=("4.405", "227.015")):
    """The table of a clock in a corner."""
    rule = "-" * 103
    source = f"{name}_pad.bb_inst/B (MPW)"
    return (
        f' Clock "{name}"\n=======================\n'
        f"create_clock -name {{{name}}} -period {target[0]} [get_ports {name}]\n\n"
        f"Single Clock Domain\n{rule}\n"
        f"{f'Clock {name}':^40}|                    |       Period       |     Frequency      \n"
        f"{rule}\n"
        f" From {name:<34}|             Target |{target[0]:>16} ns |{target[1]:>15} MHz \n"
        f"{'':40}| Actual (all paths) |{actual[0]:>16} ns |{actual[1]:>15} MHz \n"
        f"{source:<74}\n{'':40}|   (50% duty cycle) |           2.500 ns |        400.000 MHz \n"
        f"{rule}\n\nClock Domain Crossing\n\n"
    )


#: The tables of one clock, in each of two corners.
ONE_CLOCK = ((clock(),), (clock(actual=("4.396", "227.480")),))


def slacks_of(check, slacks, negative=None):
    """The table of the worst end points of a corner; their names may take a line of their own."""
    rule = "-" * 55
    if not slacks:
        return (
            f"{'-' * 50}\nThere is no end point satisfying reporting criteria\n\n"
            "Total Negative Slack: 0\n\n"
        )
    if negative is None:
        negative = sum(slack.startswith("-") for slack in slacks)
    rows = [f"{'u_sum/q[0].ff_inst/DF':<41}|{slacks[0]:>9} ns \n"]
    rows += [
        f"{{u_sum/q[{i}].ff_inst/SR   u_sum/q[9].ff_inst/SR}}    \n{'':41}|{slack:>9} ns \n"
        for i, slack in enumerate(slacks[1:], 1)
    ]
    return (
        f"{rule}\n{f'Listing {len(slacks)} End Points':^41}|    Slack    \n{rule}\n"
        + "".join(rows)
        + f"{rule}\n{'':41}|             \n"
        f"{f'{check} # of endpoints with negative slack:':<41}|{negative:>12} \n"
        f"{'':41}|             \n{rule}\n\n"
    )


def timed(
    setup=(("0.612", "0.700"), ("0.595", "0.801")),
    hold=("0.120", "0.131"),
    *,
    clocks=ONE_CLOCK,
    negative=None,
    names=("net_impl1.twr", "net_impl1.udb"),
    site="SLICE_R12C30A",
    version="2025.2.0.50.0",
):
    """Radiant's report of timing: two corners of setup, and one of hold."""
    grade, rule, wide = "9_High-Performance_1.0V", "=" * 69, "=" * 63
    corners = [f"Setup at Speed Grade {grade} Corner at {heat} Degrees" for heat in (85, 0)]
    corners.append("Hold at Speed Grade m Corner at 0 Degrees")
    checks = ("Setup", "Setup", "Hold")
    parts = (("Clock Summary", "Endpoint slacks", "Detailed Report"),) * 2
    parts += (("Endpoint slacks", "Detailed Report"),)
    listed = bodies = ""
    for number, (corner, titles) in enumerate(zip(corners, parts, strict=True), 2):
        listed += f"    {number}  {corner}\n"
        bodies += f"{wide}\n{number}  {corner}\n{wide}\n\n"
        for place, title in enumerate(titles, 1):
            listed += f"        {number}.{place}  {title}\n"
            bodies += f"{number}.{place}  {title}\n=======================\n"
            if title == "Clock Summary":
                tables = clocks[number - 2]
                bodies += "\n".join(f"{number}.1.{i}{each}" for i, each in enumerate(tables, 1))
            elif title == "Endpoint slacks":
                bodies += slacks_of(checks[number - 2], (*setup, hold)[number - 2], negative)
            else:
                bodies += (
                    f"\n++++ Path 1 {'+' * 58} \n\n"
                    f"Path Begin       : u_in/q[1].ff_inst/Q  ({site})\n"
                    f"Path End         : u_sum/q[0].ff_inst/DF  ({site})\n\n{'+' * 69} \n"
                    f"{'':20}End of Detailed Report for timing paths \n{'+' * 69} \n\n\n"
                )
    return (
        "Lattice Timing Report -  Setup  and Hold, Version Radiant Software (64-bit) "
        f"{version}\n\nMon Jan  6 10:11:12 2025\n\n"
        f"Command line:    timing -sethld -v 10 -sp {grade} -hsp m -html -rpt {' '.join(names)}\n\n"
        "-------------------------------------------\n"
        "Design:          net\nFamily:          LFCPNX\nDevice:          LFCPNX-100\n"
        f"Package:         LFG672\nPerformance:     {grade}\n"
        "Package Status:                     Final          Version 1\n"
        "-------------------------------------------\n\n\n"
        f"{rule}\n                    Table of Contents\n{rule}\n"
        f"    1  Timing Overview\n        1.1  SDC Constraints\n{listed}\n"
        f"{rule}\n                    End of Table of Contents\n{rule}\n\n"
        f"1.1  SDC Constraints\n=====================\n\n{bodies}"
    )
