"""gw_gearbox against its frames as strings of bits, cycle by cycle."""

from __future__ import annotations

from itertools import pairwise

import pytest
from streams import RTL, Model, Unit, check
from tools import verilator


class Frames(Model):
    """Follows a gearbox: the bits of a frame, cut anew."""

    def look(self, beat: int | None, out_ready: bool) -> tuple[bool | None, int | None]:
        if self.unit.depth == 0:
            return out_ready, None if beat is None else beat & ((1 << self.unit.out_width) - 1)
        # It must be ready when nothing waits at its output; how much else it holds is its own.
        return (None, self.offers[0]) if self.offers else (True, None)

    def clock(self, taken: int | None, given: bool) -> None:
        if self.unit.depth == 0:
            return
        if given:
            self.offers.popleft()
        if taken is None:
            return
        beats_out, width = self.unit.beats_out, self.unit.out_width
        had = self._whole()
        self.taken.append(taken)
        bits = sum(beat << (i * self.unit.in_width) for i, beat in enumerate(self.taken))
        for number in range(had, self._whole()):
            self.offers.append(bits >> (number * width) & ((1 << width) - 1))
        if len(self.taken) == self.unit.beats_in:
            assert self._whole() == beats_out
            self.taken = []

    def _whole(self) -> int:
        """Beats of this frame that can leave."""
        came = len(self.taken)
        if came == self.unit.beats_in:
            return self.unit.beats_out
        return min(came * self.unit.in_width // self.unit.out_width, self.unit.beats_out - 1)

    def check_rate(self, came: list[int], left: list[int], rate: int) -> None:
        """Each frame takes as many cycles as the side with more beats has beats."""
        beats_in, beats_out = self.unit.beats_in, self.unit.beats_out
        pace = max(beats_in, beats_out)
        needed = beats_in if beats_out == 1 else -(-self.unit.out_width // self.unit.in_width)
        first = needed if self.unit.depth else 0
        assert came[0] == 0
        assert left[0] == first
        for moved, beats in ((came, beats_in), (left, beats_out)):
            starts = moved[beats::beats]
            assert len(starts) > 3
            steps = {after - before for before, after in pairwise(starts)}
            assert steps == {pace}, self.unit.parameters


def gearbox(in_width: int, in_beats: int, out_width: int, out_beats: int) -> Unit:
    return Unit(
        module="gw_gearbox",
        parameters={
            "InWidth": in_width, "InBeats": in_beats, "OutWidth": out_width, "OutBeats": out_beats,
        },
        in_width=in_width,
        out_width=out_width,
        function=lambda beats, _: beats,
        beats_in=in_beats,
        beats_out=out_beats,
        depth=0 if in_width == out_width or in_beats == out_beats == 1 else 1,
        model=Frames,
    )  # fmt: skip


def to_bus(width: int, beats: int, bus: int) -> Unit:
    return gearbox(width, beats, bus, -(-width * beats // bus))


def from_bus(width: int, beats: int, bus: int) -> Unit:
    return gearbox(bus, -(-width * beats // bus), width, beats)


SIZES = [
    (32, 1, 32), (8, 1, 32), (8, 3, 32),        # wires, and a word for all of a frame
    (40, 1, 32), (96, 1, 32), (8, 9, 32), (16, 4, 64), (64, 3, 32), (96, 2, 64),
    (24, 4, 32), (24, 5, 32), (24, 7, 64), (40, 6, 32), (80, 5, 64), (24, 2, 32), (56, 3, 32),
]  # fmt: skip


def test_frames_come_from_a_bus_and_go_to_one(tmp_path):
    check([f(*size) for size in SIZES for f in (from_bus, to_bus)], tmp_path)


def test_widths_need_not_be_bytes(tmp_path):
    check([gearbox(3, 5, 4, 4), gearbox(4, 4, 3, 5), gearbox(5, 7, 3, 12)], tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("reader", ["read_verilog", "read_slang"])
def test_yosys_understands_the_same(tmp_path, reader):
    check([f(*size) for size in SIZES for f in (from_bus, to_bus)], tmp_path, reader=reader)


@pytest.mark.full
def test_many_sizes(tmp_path):
    sizes = [(8 * octets, beats, 32) for octets in range(1, 13) for beats in (1, 2, 3, 4, 5, 11)]
    check([f(*size) for size in sizes for f in (from_bus, to_bus)], tmp_path, phase=120, seed=2)


def test_a_frame_without_a_use_for_a_beat_is_an_error(tmp_path):
    sizes = ["-GInWidth=32", "-GInBeats=3", "-GOutWidth=8", "-GOutBeats=8"]
    linted = verilator("--lint-only", *sizes, str(RTL / "gw_gearbox.sv"), cwd=tmp_path)
    assert linted.returncode != 0
    assert "carries bits of the other" in linted.stderr
