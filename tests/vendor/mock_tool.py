"""Stands for a vendor tool on PATH: leaves reports as the tool would, or misbehaves.

Called as `python mock_tool.py NAME BEHAVIOUR ARGUMENT...` in the folder of a project.
"""

import os
import re
import sys
import time
from pathlib import Path

import made_up_radiant as radiant
import made_up_reports as made


def project(name):
    """A variable of the project's settings."""
    return re.search(rf"^set {name} (\S+)$", Path("project.tcl").read_text(), re.MULTILINE)[1]


def vivado(arguments, behaviour):
    until = arguments[arguments.index("-tclargs") + 1]
    states = {"synthesized": "Synthesized", "placed": "Fully Placed", "routed": "Routed"}
    head = {"top": project("top"), "version": "2022.2"}
    for stage, state in states.items():
        lut = "1,700" if behaviour == "changed" else "700"
        write(f"{stage}_utilization.rpt", made.utilization(state, lut=(lut, "660", "40"), **head))
        if behaviour != "lacking":
            write(f"{stage}_timing_summary.rpt", made.timing_summary(net="", **head))
        write(f"{stage}_power.rpt", made.power(state=state, **head))
        if stage == until:
            break
    return until


def quartus_sh(_, behaviour):
    top = project("top")
    write(f"{top}.fit.rpt", made.fit().replace("; net ", f"; {top} "))
    write(f"{top}.sta.rpt", made.sta())
    return "routed"


def radiantc(_, behaviour):
    top = project("top")
    cells = radiant.NEXUS.replace("1270", "1,270") if behaviour == "changed" else radiant.NEXUS
    write(f"{top}.mrp", radiant.mapped(cells, top=top))
    if behaviour != "lacking":
        write(f"{top}.twr", radiant.timed())
    return "routed"


def vitis_run(_, behaviour):
    top = "another" if behaviour == "another" else project("top")
    write(f"{project('top')}_csynth.rpt", made.csynth(top=top))
    return "estimated"


def write(name, text):
    (Path("reports") / name).write_text(text)


def main(name, behaviour, *arguments):
    print(f"{name}: at work")
    Path("reports").mkdir()
    if behaviour == "hangs":
        Path("pid").write_text(str(os.getpid()))
        time.sleep(600)
    if behaviour == "dies":
        print("out of licenses")
        return 3
    tools = {
        "vivado": vivado,
        "quartus_sh": quartus_sh,
        "radiantc": radiantc,
        "vitis-run": vitis_run,
    }
    until = tools[name](arguments, behaviour)
    if behaviour == "fails" and name == "radiantc":
        print("ERROR <51001035> - map: the design does not fit")
    elif behaviour == "fails":
        print("ERROR: [Place 30-640] Place Check : it does not fit")
        print("INFO: Exiting")
    elif behaviour != "stops":
        write("finished", f"{until}\n")
    return 0


sys.exit(main(*sys.argv[1:]))
