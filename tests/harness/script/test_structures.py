# SPDX-License-Identifier: MIT
"""Fields of structures that were filled in by parts, wherever the parts lie."""

from __future__ import annotations

import pytest

from harness.abi.layout import Field, u32, u64
from harness.script.operations import Buffer, Part, Ref
from harness.script.structures import Filled


def test_the_last_number_stored_counts_byte_by_byte() -> None:
    filled = Filled((Part(0, 8, -1), Part(2, 2, 0x1234), Part(6, 4, 0xAABBCCDD)), 8)
    assert filled.image == bytes.fromhex("ffff 3412 ffff ddcc")
    assert filled.number(u64(0)) == 0xCCDD_FFFF_1234_FFFF


@pytest.mark.parametrize("part", [Part(4, 4, Ref("map")), Part(6, 4, Ref("map")), Part(0, 8, Buffer(b"x"))], ids=str)
def test_a_field_is_no_number_where_the_target_stores_into_it(part: Part) -> None:
    assert Filled((Part(4, 4, 1), part), 16).number(u32(4)) is None


def test_a_name_stands_for_a_field_it_fills_alone() -> None:
    whole, half = Part(8, 8, Ref("probe")), Part(8, 4, Ref("probe"))
    assert Filled((Part(8, 8, 1), whole), 16).named(u64(8)) == Ref("probe")
    assert Filled((half,), 16).named(u64(8)) is None
    assert Filled((whole, half), 16).named(u64(8)) is None
    assert Filled((whole,), 16).number(Field(0, 8)) == 0
