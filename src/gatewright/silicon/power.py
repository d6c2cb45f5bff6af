"""Power and energy of a netlist, from its simulated switching activity."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gatewright.results.analyzed import Power
from gatewright.silicon.activity import GateRun
from gatewright.silicon.energy import TransitionEnergy
from gatewright.synth.liberty.models import model_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from gatewright.liberty.standard_cells import StandardCells
    from gatewright.results.analyzed import Analyzed
    from gatewright.rtl.manifest import RtlProject
    from gatewright.silicon.netlist import Netlist

    Values = NDArray[np.int64]

_MOST_VECTORS = 200
_CELL_CYCLES = 20_000_000
"""Cells times cycles of a run, about a minute; exceeded if filling the pipeline needs more."""

MOST_DELAYED_CELLS = 40_000
"""Limit on cells with delays: Icarus Verilog needs quadratic time to read an SDF file, two minutes
at this number."""

_MARGIN = 1.2
"""Clock period of a run with delays over the longest path, because inputs change a bit late."""


def vectors_that_suffice(project: RtlProject, netlist: Netlist) -> int:
    """Number of vectors that fill the pipeline, give a few inferences, and run within minutes."""
    least = math.ceil(project.latency / project.interval) + 4
    bearable = _CELL_CYCLES // max(1, len(netlist.instances) * project.interval)
    return max(least, min(_MOST_VECTORS, bearable))


def measure(
    project: RtlProject,
    netlist: Netlist,
    cells: StandardCells,
    timed: Analyzed,
    *,
    inputs: Sequence[Values],
    expected: Sequence[Values],
    progress: Callable[[str], None],
) -> Power:
    """Simulate a netlist without and with gate delays, and compute power and energy.

    Args:
        project: the design.
        netlist: its netlist, with the delays (SDF) in the same directory.
        cells: the cell library.
        timed: results of static timing analysis.
        inputs: raw values per input port, int64 of shape (n, elements).
        expected: golden raw values per output port, int64 of shape (n, elements).
        progress: called with a message on what is being done.

    Raises:
        DesignFailure: if an output differs from the golden one.
        InputError: if Icarus Verilog is not installed.
    """
    energy = TransitionEnergy(
        netlist=netlist, library=cells.library, load_ff=cells.load_ff, slew=cells.slew
    )
    models = model_text(cells.library)
    # At a clock that is not met, a run with delays would fail.
    slowest = _MARGIN * max(timed.clock_ns, timed.clock_ns - timed.slack_ns)

    def run(period_ns: float) -> GateRun:
        return GateRun(
            project=project,
            netlist=netlist,
            models=models,
            inputs=inputs,
            expected=expected,
            period_ns=period_ns,
        )

    count = len(inputs[0])
    progress(f"running {count} vectors on {len(netlist.instances):,} cells")
    found = run(timed.clock_ns).count("none")
    steady = energy.of(found.transitions) / found.cycles * found.interval
    clock = found.transitions[energy.clock_net] * energy.per_net[energy.clock_net]
    glitching, reason = None, None
    if len(netlist.instances) > MOST_DELAYED_CELLS:
        reason = f"more than {MOST_DELAYED_CELLS:,} cells"
    else:
        progress("the same with the delays of the cells")
        delayed = run(slowest).count("sdf")
        glitching = energy.of(delayed.transitions) / delayed.cycles * delayed.interval
    leaking = (timed.leakage_uw or 0.0) * found.interval * timed.clock_ns * 1e-3
    dynamic = steady if glitching is None else glitching
    return Power(
        vectors=count,
        clock_ns=timed.clock_ns,
        interval=found.interval,
        energy_pj=round(steady + leaking, 3),
        glitch_energy_pj=None if glitching is None else round(glitching + leaking, 3),
        # pJ / ns = mW
        dynamic_mw=round(dynamic / (found.interval * timed.clock_ns), 6),
        clock_share=round(clock / found.cycles * found.interval / (steady + leaking), 4),
        no_glitches=reason,
    )
