# SPDX-License-Identifier: MIT
"""What the kernel may have written where a part of its log is not known."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.verifier.log import (
    ADDRESS_HALF,
    BEYOND_TABLE,
    DESCRIPTOR_NUMBER,
    UNINITIALISED,
    Hole,
    Log,
)

_HOLES = (ADDRESS_HALF, BEYOND_TABLE, DESCRIPTOR_NUMBER, UNINITIALISED)
_PIECES = st.lists(st.one_of(st.text("a1-\n", max_size=3), st.sampled_from(_HOLES)), max_size=6).map(tuple)


@given(_PIECES, st.text("a1-\n", max_size=14))
def test_a_log_admits_what_its_pieces_match_together(pieces: tuple[str | Hole, ...], observed: str) -> None:
    pattern = "".join(re.escape(piece) if isinstance(piece, str) else piece.pattern for piece in pieces)
    assert Log(pieces).admits(observed) == bool(re.fullmatch(pattern, observed, re.DOTALL))


@pytest.mark.parametrize("observed", ["0: r1 = 0xabc\n", "0: r1 = 0xabcdef01\n"])
def test_a_hole_may_have_several_lengths(observed: str) -> None:
    assert Log(("0: r1 = 0x", ADDRESS_HALF, "\n")).admits(observed)


@pytest.mark.parametrize("observed", ["0: r1 = 0x\n", "0: r1 = 0xabcdef012\n", "0: r1 = 0xabc", "0: r1 = 0xabc\n1"])
def test_a_hole_is_as_long_as_it_can_be(observed: str) -> None:
    assert not Log(("0: r1 = 0x", ADDRESS_HALF, "\n")).admits(observed)
