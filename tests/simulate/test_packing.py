from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.errors import DesignFailure
from gatewright.fixed import FixedType
from gatewright.rtl.manifest import Port
from gatewright.simulate import packing


@st.composite
def streams(draw):
    width, lanes, beats = draw(st.integers(1, 63)), draw(st.integers(1, 9)), draw(st.integers(1, 3))
    kind = FixedType(width, draw(st.integers(-3, 70)), draw(st.booleans()))
    tdata_width = -(-width * lanes // 8) * 8
    port = Port("x", "s_axis", (beats, lanes), str(kind), width, lanes, tdata_width)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    raw = rng.integers(kind.min, kind.max, (draw(st.integers(1, 5)), beats * lanes), endpoint=True)
    return port, raw.astype(np.int64)


@settings(deadline=None)
@given(streams())
def test_pack_puts_element_0_lowest_and_unpack_inverts(stream):
    port, raw = stream
    words = packing.pack(raw, port)
    mask = (1 << port.width) - 1
    expected = [
        sum((int(value) & mask) << (lane * port.width) for lane, value in enumerate(beat))
        for beat in raw.reshape(-1, port.lanes)
    ]
    assert [int.from_bytes(row.tobytes(), "little") for row in words] == expected
    assert words.shape == (len(raw) * port.beats, packing.words_per_beat(port))
    np.testing.assert_array_equal(packing.unpack(words, port), raw)


@settings(deadline=None)
@given(streams(), st.sampled_from([32, 64, 128, 256, 512]))
def test_words_of_a_bus_hold_the_bytes_of_all_beats(stream, bus_width):
    port, raw = stream
    beats = packing.pack(raw, port).view(np.uint8)[:, : port.tdata_width // 8]
    frames = beats.reshape(len(raw), -1)
    port = replace(port, bus_width=bus_width, tdata_width=bus_width, keep=True)
    words = packing.pack(raw, port)
    assert words.shape == (len(raw) * port.beats, bus_width // 32)
    octets = words.view(np.uint8).reshape(len(raw), -1)
    assert np.array_equal(octets[:, : frames.shape[1]], frames)
    assert not octets[:, frames.shape[1] :].any()
    assert octets.shape[1] - frames.shape[1] < bus_width // 8
    assert np.array_equal(packing.unpack(words, port), raw)


def test_what_a_bus_marks_as_data_is_checked():
    port = Port("x", "m_axis", (9,), "fixed<13,3>", 13, 9, 64, bus_width=64, keep=True)
    raw = np.random.default_rng(0).integers(-4096, 4096, (7, 9))
    rows = np.zeros((14, packing.recorded_words(port)), "<u4")
    rows[:, :2] = packing.pack(raw, port)
    rows[0::2, 2], rows[1::2, 2] = 0xFF, 0x7F  # 117 bits are 15 bytes
    assert np.array_equal(packing.unpack_recorded(rows, port), raw)
    for row, mark, words in (
        (5, 0xFF, r"vector 2, word 1: m_axis_tkeep does not"),
        (8, 0x7F, r"vector 4, word 0: m_axis_tkeep does not"),
    ):
        wrong = rows.copy()
        wrong[row, 2] = mark
        with pytest.raises(DesignFailure, match=words):
            packing.unpack_recorded(wrong, port)
    rows[3, 1] |= 1 << 31
    with pytest.raises(DesignFailure, match=r"vector 1: the last word of m_axis_tdata has ones"):
        packing.unpack_recorded(rows, port)


def test_long_streams_are_packed_in_chunks(monkeypatch):
    monkeypatch.setattr(packing, "_CHUNK_BITS", 100)
    port = Port("x", "s_axis", (3,), "fixed<13,3>", 13, 3, 40)
    raw = np.random.default_rng(0).integers(-4096, 4096, (57, 3))
    words = packing.pack(raw, port)
    np.testing.assert_array_equal(packing.unpack(words, port), raw)
    words[41, 1] |= 1 << 7
    with pytest.raises(DesignFailure, match=r"vector 41: s_axis_tdata has ones above bit 38"):
        packing.unpack(words, port)
