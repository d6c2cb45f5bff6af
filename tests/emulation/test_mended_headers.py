"""The mends of hls4ml's headers apply to those that are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.emulation.mended_headers import MENDS
from gatewright.wall.cpp import templates


@pytest.mark.parametrize("mend", MENDS, ids=lambda mend: f"{mend[0]}: {mend[1][:30]}")
def test_what_is_mended_is_there_once(mend):
    """A newer hls4ml may have mended it itself, or have other lines there."""
    name, wrong, _ = mend
    found = list(Path(templates()).rglob(f"*/nnet_utils/{name}"))
    texts = [path.read_text() for path in found if path.parts[-3] in ("vivado", "vitis")]
    assert texts
    assert all(wrong in text for text in texts)
