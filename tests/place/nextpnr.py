"""Programs that stand in for nextpnr, and a report as nextpnr 0.11 writes it."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

VERSION = '"nextpnr-ecp5" -- Next Generation Place and Route (Version nextpnr-0.11.1)'


def cells(*names: str) -> list[dict[str, object]]:
    """The steps of a path through cells: a register, gates, a register."""
    steps = []
    for number, (one, other) in enumerate(pairwise(names)):
        here, there = {"cell": one, "port": "Q"}, {"cell": other, "port": "A"}
        first = "clk-to-q" if number == 0 else "logic"
        steps.append({"delay": 0.5, "from": here, "to": here, "type": first})
        steps.append({"delay": 2, "from": here, "to": there, "type": "routing", "net": one})
    end = {"cell": names[-1], "port": "DI"}
    return [*steps, {"delay": 0, "from": end, "to": end, "type": "setup"}]


def report(**changes: object) -> dict[str, object]:
    used = {"TRELLIS_COMB": 60, "TRELLIS_FF": 80, "MULT18X18D": 0, "DP16KD": 1, "DCCA": 0}
    path = cells("to_s_axis_tdata_TRELLIS_FF_Q_3", "u_design.u_fc1.t5_q1_LUT4_Z_1$CCU2_COMB0")
    return {
        "critical_paths": [
            {"from": "<async>", "to": "posedge clk", "path": cells("a", "b", "c", "d")},
            {"from": "posedge clk", "to": "posedge clk", "path": path},
        ],
        "fmax": {"clk": {"achieved": 123.4, "constraint": 100}},
        "utilization": {
            kind: {"available": 24288, "used": number} for kind, number in used.items()
        },
        **changes,
    }


def install(folder: Path, body: str = "", answer: object = None, fmax: str = "123.4") -> None:
    """Make a program `nextpnr-ecp5` of Python.

    Args:
        folder: on PATH.
        body: what it does besides telling its version and writing a report; `seed` is the seed.
        answer: the report; by default `report()`.
        fmax: the frequency in it, in MHz: an expression of `runs`, how many there have been.
    """
    text = json.dumps(report() if answer is None else answer)
    program = folder / "nextpnr-ecp5"
    program.write_text(
        "\n".join(
            [
                f"#!{sys.executable}",
                "import pathlib, sys, time",
                f"if '--version' in sys.argv: print({VERSION!r}); sys.exit()",
                "given = dict(zip(sys.argv, sys.argv[1:]))",
                "seed = int(given['--seed'])",
                f"calls = pathlib.Path({str(folder / 'calls')!r})",
                "runs = len(calls.read_text()) if calls.exists() else 0",
                "calls.write_text('x' * (runs + 1))",
                "assert pathlib.Path(given['--json']).is_file()",
                body,
                f"text = {text!r}.replace('123.4', str({fmax}))",
                "pathlib.Path(given['--report']).write_text(text)",
            ]
        )
    )
    program.chmod(0o755)
