"""The processor goes by the name that the system gives it."""

import os
import platform

from gatewright.system.processor import _name, this_processor


def test_the_name_in_the_systems_list_of_processors(tmp_path):
    text = (
        "processor\t: 0\nmodel\t\t: 207\nmodel name\t: Some  Processor (R)  3 GHz\n\nflags\t: a\n"
    )
    (tmp_path / "cpuinfo").write_text(text)
    assert _name(tmp_path / "cpuinfo") == "Some Processor (R) 3 GHz"


def test_where_there_is_no_such_list_there_is_still_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "elsewhere")
    (tmp_path / "cpuinfo").write_text("model name\t:\n")
    for file in ("cpuinfo", "missing"):
        assert _name(tmp_path / file) in (platform.processor(), platform.machine())


def test_cores_are_those_that_this_process_may_use():
    assert this_processor().cores == len(os.sched_getaffinity(0))
