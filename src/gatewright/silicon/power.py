"""Power and energy of a netlist, of transitions that are counted in runs of it."""

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
"""Cells times cycles of a run, if that suffices for a full pipeline: about a minute."""

MOST_DELAYED_CELLS = 40_000
"""Icarus Verilog looks for each cell of an SDF file among all: two minutes at this number."""

_MARGIN = 1.2
"""Of the period of a run with delays over the longest path: inputs change a little late."""


def vectors_that_suffice(project: RtlProject, netlist: Netlist) -> int:
    """How many vectors fill the pipeline and show a few inferences, and run within minutes."""
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
    """Run a netlist without delays and with them, and weigh its transitions.

    Args:
        project: the design.
        netlist: of it; with its delays beside it.
        cells: the cell library.
        timed: what static timing found.
        inputs: of each input port the raw words, shape (n, elements).
        expected: of each output port the golden words, shape (n, elements).
        progress: is told what is being done.

    Raises:
        DesignFailure: if an output differs from the golden one.
        InputError: if Icarus Verilog is not installed.
    """
    energy = TransitionEnergy(
        netlist=netlist, library=cells.library, load_ff=cells.load_ff, slew=cells.slew
    )
    models = model_text(cells.library)
    # A clock that is not met would have a run with delays fail.
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
        # pJ per ns are mW.
        dynamic_mw=round(dynamic / (found.interval * timed.clock_ns), 6),
        clock_share=round(clock / found.cycles * found.interval / (steady + leaking), 4),
        no_glitches=reason,
    )
