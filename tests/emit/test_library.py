"""What is known of the library against its files."""

import re

import pytest

from gatewright.rtl.library import LIBRARY, library_files
from gatewright.system.package_data import data_dir


def test_every_file_is_known():
    assert sorted(LIBRARY) == sorted(path.stem for path in data_dir("rtl").glob("*.sv"))


@pytest.mark.parametrize("module", LIBRARY)
def test_instances_are_known(module):
    text = (data_dir("rtl") / f"{module}.sv").read_text()
    assert set(re.findall(r"^ +(gw_\w+) *#?\(", text, re.MULTILINE)) == set(LIBRARY[module])


def test_what_is_instantiated_comes_first():
    files = library_files(["gw_window", "gw_accumulate", "gw_cast", "net_dense"])
    assert files == (
        "gw_reduce.sv", "gw_accumulate.sv", "gw_cast.sv", "gw_line_buffer.sv", "gw_window.sv",
    )  # fmt: skip
