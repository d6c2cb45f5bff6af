"""Small hand-written designs to simulate, and one directory for all their builds."""

import re
import shutil
from pathlib import Path

import pytest

from gatewright.rtl.manifest import Port, RtlProject
from gatewright.system.package_data import data_dir

DESIGNS = Path(__file__).parent / "designs"


@pytest.fixture(scope="session")
def build_dir(tmp_path_factory):
    """Builds are named by content, so that all tests may share them."""
    return tmp_path_factory.mktemp("simulate")


@pytest.fixture
def adder(tmp_path):
    """A function from a fault of adder.sv to its project: y = x0 + x1 + x2, latency 1."""

    def make(fault=0):
        shutil.copy(DESIGNS / "adder.sv", tmp_path)
        (tmp_path / "fault.hex").write_text(f"{fault:x}\n")
        return RtlProject(
            directory=tmp_path,
            top="adder",
            files=("adder.sv",),
            inputs=(
                Port("x", "s_axis_x", (2,), "fixed<5,2>", width=5, lanes=2, tdata_width=16),
                Port("y", "s_axis_y", (1,), "fixed<5,2>", width=5, lanes=1, tdata_width=8),
            ),
            outputs=(Port("sum", "m_axis", (1,), "fixed<7,4>", width=7, lanes=1, tdata_width=16),),
            modules=(),
            target="xcup",
            clock_ns=5.0,
            latency=1,
            interval=1,
        )

    return make


@pytest.fixture
def serial_sum():
    """Four beats in, two beats out, six clock cycles a vector."""
    return RtlProject(
        directory=DESIGNS,
        top="serial_sum",
        files=("serial_sum.sv",),
        inputs=(Port("x", "s_axis", (2, 2), "fixed<8,8>", width=8, lanes=1, tdata_width=8),),
        outputs=(Port("y", "m_axis", (2,), "fixed<10,10>", width=10, lanes=1, tdata_width=16),),
        modules=(),
        target="xcup",
        clock_ns=5.0,
        latency=4,
        interval=6,
    )


@pytest.fixture
def branches(tmp_path):
    """A function from the depth of the FIFO u_direct to the project of branches.sv.

    Four beats in, four beats out, eight clock cycles a vector; seen from an empty design the first
    beat of a result comes after 6 clock cycles, the last after 9.
    """

    def make(depth=8):
        for file in ("branches.sv", "branches_total.sv"):
            text = (DESIGNS / file).read_text()
            (tmp_path / file).write_text(
                re.sub(r"Depth\(\d+\)\) u_direct", f"Depth({depth})) u_direct", text)
            )
        for file in ("gw_fifo.sv", "gw_fork.sv"):
            shutil.copy(data_dir("rtl") / file, tmp_path)
        return RtlProject(
            directory=tmp_path,
            top="branches",
            files=("gw_fifo.sv", "gw_fork.sv", "branches_total.sv", "branches.sv"),
            inputs=(Port("x", "s_axis", (4,), "fixed<8,8>", width=8, lanes=1, tdata_width=8),),
            outputs=(Port("y", "m_axis", (4,), "fixed<8,8>", width=8, lanes=1, tdata_width=8),),
            modules=(),
            target="xcup",
            clock_ns=5.0,
            latency=6,
            interval=8,
        )

    return make
