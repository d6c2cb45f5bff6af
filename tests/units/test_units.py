"""What units say of their streams and of their timing, apart from any simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gatewright.fixed import FixedType
from gatewright.targets import load_target
from gatewright.units import (
    Accumulate,
    BeatSequencer,
    Concat,
    Crop,
    Element,
    Fifo,
    Maximum,
    OperandSequencer,
    Pad,
    Resize,
    Rom,
    Stream,
    Unit,
    Upsample,
    Window,
    resized,
)
from gatewright.units.unit import paced

TYPE = FixedType(4, 2)
ROM = Rom(((np.arange(12).reshape(6, 2) - 6, FixedType(5, 5)),))

#: Units with the lanes and beats of what enters.
UNITS: list[tuple[Unit, int, int]] = [
    (Accumulate(4, FixedType(8, 6), ((-9, 9),) * 2, ((1, 2),)), 2, 12),
    (Maximum(3), 2, 12),
    (OperandSequencer(2, 1, ROM), 12, 1),
    (OperandSequencer(2, 2, ROM), 6, 1),
    (OperandSequencer(2, 1, ROM), 4, 3),
    (BeatSequencer((2, 1, 3), ROM), 2, 3),
    (BeatSequencer((2, 1, 3), ROM), 2, 6),
    (BeatSequencer((6,), ROM), 2, 2),
    (Fifo(4), 2, 5),
    (Resize(2), 6, 2),
    (Resize(6), 2, 6),
    (Pad(3, 4, (1, 2, 0, 1), 3), 2, 12),
    (Crop(3, 4, (1, 0, 2, 1)), 2, 12),
    (Upsample(3, 4, (2, 3)), 2, 12),
    (Window(3, 4, (2, 3), (1, 1), (1, 1)), 2, 12),
    (Window(5, 5, (2, 2), (2, 2), (2, 1)), 2, 25),
    (Concat(TYPE), 2, 4),
]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 6))
def test_paced_is_its_recurrence(gaps: list[int], cycles: int) -> None:
    arrivals = np.cumsum(gaps)
    taken: list[int] = []
    for arrival in arrivals.tolist():
        taken.append(max(arrival, taken[-1] + cycles) if taken else arrival)
    assert paced(arrivals, cycles).tolist() == taken


@pytest.mark.parametrize(("unit", "lanes", "beats"), UNITS)
def test_times_are_of_all_beats_that_leave(unit: Unit, lanes: int, beats: int) -> None:
    source = Stream(TYPE, (Element.of(TYPE),) * lanes, beats)
    arrivals = np.arange(3 * beats)
    if isinstance(unit, Concat):
        result = unit.result(source, source)
        times = unit.times((source, source), arrivals, arrivals)
    else:
        result = unit.result(source)
        times = unit.times((source,), arrivals)
    assert len(times) == 3 * result[0].beats
    assert (np.diff(times) > 0).all()
    assert len({stream.beats for stream in result}) == 1
    late = unit.times((source,) * (1 + isinstance(unit, Concat)), arrivals + 7, *(
        [arrivals + 7] if isinstance(unit, Concat) else []
    ))  # fmt: skip
    np.testing.assert_array_equal(late, times + 7)


@pytest.mark.parametrize("busy", [1, 2, 3, 7, 20])
@pytest.mark.parametrize(
    "window",
    [
        Window(5, 6, (3, 3)),
        Window(6, 6, (2, 2), (2, 3)),
        Window(1, 9, (1, 3), (1, 2)),
        Window(4, 4, (4, 4)),
    ],
)
def test_the_interval_of_a_window_is_that_of_its_times(window: Window, busy: int) -> None:
    size = window.height * window.width
    source = Stream(TYPE, (Element.of(TYPE),), size)
    offered = window.held_times((source,), busy, 0, np.arange(6 * size)).reshape(6, -1)
    taken = paced(offered.ravel(), busy).reshape(6, -1)
    assert taken[-1, -1] - taken[-2, -1] == window.interval(busy)


def test_words_of_a_rom() -> None:
    columns = (
        (np.array([[1, -2], [3, 0]]), FixedType(3, 3)),
        (np.array([[5], [7]]), FixedType(4, 4)),
    )
    rom = Rom(columns)
    assert (rom.depth, rom.width) == (2, 10)
    assert rom.words() == [0b0101_110_001, 0b0111_000_011]


def test_a_repeated_beat_is_busy_for_its_rounds() -> None:
    """Each beat is taken when its last step is over, and its own steps follow one a cycle."""
    unit = BeatSequencer((2, 1, 3), ROM)
    source = Stream(TYPE, (Element.of(TYPE),), 3)
    at_once = unit.times((source,), np.array([0, 0, 0, 0, 0, 0]))
    assert at_once.tolist() == list(range(1, 13))
    late = unit.times((source,), np.array([0, 5, 6, 7]))
    assert late.tolist() == [1, 2, 6, 7, 8, 9, 10, 11]
    *_, (last, _) = unit.rom.columns
    assert last.ravel().tolist() == [0, 1, 1, 0, 0, 1]


def test_large_roms_go_to_block_ram_unless_told_otherwise() -> None:
    small, large = np.zeros((16, 4), np.int64), np.zeros((512, 9), np.int64)
    to, fabric = FixedType(4, 4), load_target("xcup").fabric

    def attribute(values: NDArray[np.int64], style: str = "auto") -> str:
        fitted = OperandSequencer(1, 1, Rom(((values, to),), style)).fitted(fabric)
        return fitted.rom.attribute

    assert attribute(small) == "logic"
    assert attribute(large) == "block"
    assert attribute(large, "distributed") == "logic"
    assert attribute(small, "block") == "block"


def test_a_word_of_block_ram_settles_later_than_one_of_logic() -> None:
    """So that a multiplier after it, which takes its operands from registers, gets one."""
    fabric = load_target("ecp5-85k").fabric
    for style, late in (("block", fabric.rom_arrival("block")), ("distributed", 0.0)):
        rom = Rom(((np.zeros((64, 2), np.int64), FixedType(4, 4)),), style)
        source = Stream(TYPE, (Element.of(TYPE),) * 4, 1)
        for unit in (OperandSequencer(1, 16, rom), BeatSequencer((64,), rom)):
            _, weights = unit.fitted(fabric).result(source)
            assert {element.arrival for element in weights.elements} == {late}
    assert fabric.rom_arrival("block") > fabric.delays.lut


def test_the_flag_of_the_last_step_counts_where_the_constants_go() -> None:
    """A word of 36 bits fills a block; the flag makes it 37, which would take two."""
    fabric = load_target("xcup").fabric
    constants = Rom(((np.zeros((256, 9), np.int64), FixedType(4, 4)),))
    assert constants.fitted(fabric).style == "block"
    assert OperandSequencer(1, 1, constants).fitted(fabric).rom.style == "block"
    assert BeatSequencer((128, 128), constants).fitted(fabric).rom.attribute == "block"
    narrow = Rom(((np.zeros((128, 9), np.int64), FixedType(4, 4)),))
    assert narrow.fitted(fabric).style == "block"
    assert BeatSequencer((64, 64), narrow).fitted(fabric).rom.style == "distributed"


@given(st.integers(1, 24), st.integers(1, 24))
def test_resized_ends_in_the_size_asked_for(source: int, to: int) -> None:
    lanes = source
    for unit in resized(source, to):
        assert max(lanes, unit.lanes) % min(lanes, unit.lanes) == 0
        lanes = unit.lanes
    assert lanes == to


def test_a_lane_that_carries_several_elements_has_all_their_values() -> None:
    narrow, fine = Element(0, 3, 1), Element(-5, 2, 3, arrival=1.5)
    assert Element.union((narrow, fine)) == Element(-5, 12, 3, 1.5)

    source = Stream(TYPE, (narrow, fine), 1)
    assert Resize(1).result(source)[0].elements == (Element(-5, 12, 3),)
    padded = Pad(1, 1, (0, 0, 1, 0), -8).result(Stream(TYPE, (Element(0, 3, 2),), 1))
    assert padded[0].elements == (Element(-8, 3, 2),)


def test_zeros_have_no_unit_that_others_would_take() -> None:
    """The bus of a type of steps of two has no bit of one."""
    zero, even = Element(0, 0, 0, 0.5), Element(1, 3, -1)
    assert Element.union((zero, even)) == Element(0, 3, -1, 0.5)
    assert Element.union((even, even)) == even
    assert Element.union((zero, zero)) == zero
