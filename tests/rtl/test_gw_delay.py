import shutil
from pathlib import Path

import numpy as np

from gatewright.rtl.manifest import Port, RtlProject
from gatewright.simulate import lint, simulate
from gatewright.system.package_data import data_dir

DESIGN = Path(__file__).parent / "designs" / "delay_top.sv"


def test_levelled_branches_keep_one_beat_a_clock(tmp_path):
    files = ("gw_fork.sv", "gw_delay.sv", "delay_top.sv")
    for name in files[:2]:
        shutil.copy(data_dir("rtl") / name, tmp_path)
    shutil.copy(DESIGN, tmp_path)
    project = RtlProject(
        directory=tmp_path,
        top="delay_top",
        files=files,
        inputs=(Port("x", "s_axis", (1,), "fixed<8,8>", 8, 1, 8),),
        outputs=(Port("y", "m_axis", (2,), "fixed<8,8>", 8, 2, 16),),
        modules=(),
        target="xcup",
        clock_ns=5.0,
        latency=5,
        interval=1,
    )
    lint(project)
    x = np.random.default_rng(0).integers(-128, 128, (400, 1))
    result = simulate(project, [x], tmp_path / "sim")
    np.testing.assert_array_equal(result.outputs[0], np.hstack([x, x]))
    assert (result.timing.latency_min, result.timing.latency_max, result.interval) == (5, 5, 1.0)
