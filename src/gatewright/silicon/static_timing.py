"""Static timing analysis of a netlist by OpenSTA."""

from __future__ import annotations

import functools
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.errors import DesignFailure, InputError, MissingToolError
from gatewright.results.analyzed import Analyzed, CriticalPath
from gatewright.results.signal_origin import SignalOrigin
from gatewright.system import processes

if TYPE_CHECKING:
    from gatewright.liberty.library import CellLibrary
    from gatewright.rtl.signal_map import SignalMap
    from gatewright.silicon.netlist import Netlist

_TOOL = "sta"
_SECONDS = 1800
_LOG = "sta.log"
_MARK = "gatewright:"
_SCRIPT, CONSTRAINTS, DELAYS = "timing.tcl", "constraints.sdc", "delays.sdf"
CLOCK = "clk"


@dataclass(frozen=True)
class Constraints:
    """Timing constraints. The clock is ideal; input and output delays are 0.

    Attributes:
        clock_ns: clock period, in ns.
        driving_cell: cell that drives the inputs.
        load_ff: load of the outputs, in fF.
    """

    clock_ns: float
    driving_cell: str
    load_ff: float

    def sdc(self, *, time_ns: float = 1.0, load_ff: float = 1000.0) -> str:
        """The constraints as SDC.

        Args:
            time_ns: the tool's unit of time, in ns.
            load_ff: the tool's unit of capacitance, in fF.
        """
        period = self.clock_ns / time_ns
        # A driving cell at the clock would delay it by one gate that drives all flip-flops.
        return (
            f"create_clock -name {CLOCK} -period {period:.6g} [get_ports {CLOCK}]\n"
            "set data [list]\n"
            "foreach port [all_inputs] {\n"
            f'  if {{[get_property $port full_name] ne "{CLOCK}"}} {{lappend data $port}}\n'
            "}\n"
            f"set_input_delay 0 -clock {CLOCK} $data\n"
            f"set_output_delay 0 -clock {CLOCK} [all_outputs]\n"
            f"set_driving_cell -lib_cell {self.driving_cell} $data\n"
            f"set_load {self.load_ff / load_ff:.6g} [all_outputs]\n"
        )


@functools.cache
def timing_version() -> str:
    """Version of OpenSTA.

    Raises:
        MissingToolError: if it is not on PATH.
        InputError: if it doesn't run.
    """
    path = shutil.which(_TOOL)
    if path is None:
        raise MissingToolError("OpenSTA is not on PATH; to get it, type: apt-get install opensta")
    limits = processes.Limits(what="sta -version", seconds=60)
    words = processes.run([path, "-version"], limits=limits).stdout.split()
    if not words or not re.fullmatch(r"[0-9][A-Za-z0-9.+~-]{0,40}", words[0]):
        raise InputError(f"{path} -version: prints no version of OpenSTA")
    return words[0]


def analyze(
    netlist: Netlist, library: CellLibrary, asked: Constraints, signals: SignalMap
) -> Analyzed:
    """Analyze a netlist; constraints, log and delays (SDF) stay in its directory.

    Args:
        netlist: the netlist.
        library: its cell library.
        asked: clock and constraints of the ports.
        signals: what signals were made for.

    Raises:
        DesignFailure: if OpenSTA fails, or drops a part of the netlist.
        InputError: if OpenSTA is not installed.
    """
    timing_version()
    lines = _run(netlist, library, asked)
    _check_whole(netlist, lines)
    try:
        slack = float(lines["slack"][0]) * library.time_ns
        points = lines["point"]
    except (KeyError, ValueError):
        raise DesignFailure(
            f"{netlist.top}: OpenSTA found no path (log: {netlist.directory / _LOG})"
        ) from None
    leaks = [library.cell(each.cell).leakage for each in netlist.instances]
    known = [leak for leak in leaks if leak is not None]
    start_layer, start, start_origin = _end(netlist, library, points[0], signals)
    end_layer, end, end_origin = _end(netlist, library, points[-1], signals)
    return Analyzed(
        conditions=f"{library.path.name}, {library.conditions}",
        clock_ns=asked.clock_ns,
        slack_ns=round(slack, 4),
        fmax_mhz=round(1000 / (asked.clock_ns - slack), 3),
        leakage_uw=sum(known) * library.leakage_uw if len(known) == len(leaks) else None,
        path=CriticalPath(
            start_layer=start_layer,
            start=start,
            end_layer=end_layer,
            end=end,
            start_origin=start_origin,
            end_origin=end_origin,
            cells=max(0, len({point.rpartition("/")[0] for point in points} - {""}) - 2),
        ),
    )


def _run(netlist: Netlist, library: CellLibrary, asked: Constraints) -> dict[str, list[str]]:
    """The lines that our script lets OpenSTA print, by their first word."""
    folder = netlist.directory
    (folder / "cells.lib").symlink_to(library.path)
    (folder / CONSTRAINTS).write_text(
        asked.sdc(time_ns=library.time_ns, load_ff=library.load_ff), encoding="ascii"
    )
    (folder / _SCRIPT).write_text(_script(netlist), encoding="ascii")
    log = folder / _LOG
    what = f"{netlist.top}: OpenSTA"
    with log.open("wb") as output:
        done = processes.run(
            [_TOOL, "-no_splash", "-no_init", "-exit", _SCRIPT],
            limits=processes.Limits(what=what, seconds=_SECONDS),
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    for name in ("cells.lib", _SCRIPT):
        (folder / name).unlink()
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    found: dict[str, list[str]] = {}
    linking = True
    for line in lines:
        if line.startswith(_MARK):
            word, _, rest = line.removeprefix(_MARK).partition(" ")
            found.setdefault(word, []).append(rest.strip())
            linking = linking and word != "linked"
        # OpenSTA continues after errors, and only warns when it drops what it can't read.
        elif line.startswith("Error") or (linking and "read" in found and "arning" in line):
            raise DesignFailure(f"{what}: {line.strip()[:300]} (log: {log})")
    if done.returncode or "done" not in found:
        last = lines[-1].strip()[:200] if lines else "no output"
        raise DesignFailure(f"{what} ended early, after: {last} (log: {log})")
    return found


def _script(netlist: Netlist) -> str:
    return (
        f"read_liberty cells.lib\nputs {_MARK}read\n"
        f"read_verilog {netlist.file.name}\nlink_design {netlist.top}\nputs {_MARK}linked\n"
        f'puts "{_MARK}cells [llength [get_cells *]]"\n'
        f"source {CONSTRAINTS}\n"
        "foreach path [find_timing_paths -path_delay max] {\n"
        f'  puts "{_MARK}slack [get_property $path slack]"\n'
        "  foreach point [get_property $path points] {\n"
        f'    puts "{_MARK}point [get_property [get_property $point pin] full_name]"\n'
        "  }\n"
        "}\n"
        f"write_sdf {DELAYS}\n"
        f"puts {_MARK}done\n"
    )


def _check_whole(netlist: Netlist, lines: dict[str, list[str]]) -> None:
    """Check that OpenSTA has all cells of the netlist.

    Raises:
        DesignFailure: if it does not.
    """
    said = lines.get("cells", ["none"])[0]
    if said != str(len(netlist.instances)):
        raise DesignFailure(
            f"{netlist.top}: OpenSTA read {said[:20]} of {len(netlist.instances)} cells"
        )


def _end(
    netlist: Netlist, library: CellLibrary, point: str, signals: SignalMap
) -> tuple[str, str, SignalOrigin | None]:
    """Layer, signal and its origin at an end of a path: a port, or the output of a flip-flop."""
    instance, _, pin = point.rpartition("/")
    found = netlist.by_name.get(instance)
    if found is None:
        return "", point, None
    outputs = [each.name for each in library.cell(found.cell).outputs if each.name in found.nets]
    net = found.nets.get(outputs[0] if outputs else pin)
    names = netlist.names[net] if net else [point]
    best = min(names, key=lambda name: (_is_made(name), not netlist.layer(name), len(name), name))
    known = (signals.find(*netlist.path(name)) for name in sorted(names, key=len))
    origin = next((SignalOrigin(**each._asdict()) for each in known if each), None)
    return netlist.layer(instance), netlist.signal(best), origin


def _is_made(name: str) -> bool:
    """Whether Yosys generated a name."""
    return re.search(r"(^|_)_[0-9]+_$", name) is not None
