from __future__ import annotations

import pytest

from harness.core.signed import signed, unsigned


def test_every_flipped_bit_and_every_cut_of_a_signed_text_is_seen():
    text = signed({"id": "x", "values": [1, 2.5, None], "é": "ü"})
    assert unsigned(text) == {"id": "x", "values": [1, 2.5, None], "é": "ü"}
    for position in range(len(text)):
        for bit in range(8):
            flipped = bytearray(text)
            flipped[position] ^= 1 << bit
            with pytest.raises(ValueError, match="."):
                unsigned(bytes(flipped))
        with pytest.raises(ValueError, match="."):
            unsigned(text[:position])
