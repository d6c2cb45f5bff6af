import shutil
from pathlib import Path

import numpy as np

from gatewright.rtl.manifest import Port, RtlProject
from gatewright.simulate import lint, simulate
from gatewright.system.package_data import data_dir

DESIGN = Path(__file__).parent / "designs" / "fork_top.sv"


def test_every_reader_gets_every_beat_when_it_likes(tmp_path):
    files = ("gw_fork.sv", "gw_delay.sv", "fork_top.sv")
    for name in files[:2]:
        shutil.copy(data_dir("rtl") / name, tmp_path)
    shutil.copy(DESIGN, tmp_path)
    project = RtlProject(
        directory=tmp_path,
        top="fork_top",
        files=files,
        inputs=(Port("x", "s_axis", (1,), "fixed<8,8>", 8, 1, 8),),
        outputs=(
            Port("copy", "m_axis_copy", (1,), "fixed<8,8>", 8, 1, 8),
            Port("pair", "m_axis_pair", (2,), "fixed<8,8>", 8, 2, 16),
        ),
        modules=(),
        target="xcup",
        clock_ns=5.0,
        latency=2,
        interval=1,
    )
    lint(project)
    x = np.random.default_rng(0).integers(-128, 128, (400, 1))
    result = simulate(project, [x], tmp_path / "sim")
    np.testing.assert_array_equal(result.outputs[0], x)
    np.testing.assert_array_equal(result.outputs[1], np.hstack([x, x]))
    # A beat leaves the input when its last reader takes it, with the pair: two clock cycles after
    # the others. The early branch has no register to hold a beat: that is what gw_delay is for.
    assert (result.timing.latency_min, result.timing.latency_max, result.interval) == (0, 0, 3.0)
