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


def test_long_streams_are_packed_in_chunks(monkeypatch):
    monkeypatch.setattr(packing, "_CHUNK_BITS", 100)
    port = Port("x", "s_axis", (3,), "fixed<13,3>", 13, 3, 40)
    raw = np.random.default_rng(0).integers(-4096, 4096, (57, 3))
    words = packing.pack(raw, port)
    np.testing.assert_array_equal(packing.unpack(words, port), raw)
    words[41, 1] |= 1 << 7
    with pytest.raises(DesignFailure, match=r"vector 41: s_axis_tdata has ones above bit 38"):
        packing.unpack(words, port)
