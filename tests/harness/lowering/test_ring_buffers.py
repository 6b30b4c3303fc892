# SPDX-License-Identifier: MIT
"""Records of a ring buffer map, from bytes made by hand as bpf_ringbuf_commit() leaves them."""

import struct

from harness.lowering.ring_buffers import records
from harness.script.outcome import Message, Other

BUSY, DISCARDED = 1 << 31, 1 << 30


def record(data: bytes, bits: int = 0, page: int = 3) -> bytes:
    return struct.pack("<II", len(data) | bits, page) + data + bytes(-len(data) % 8)


def test_data_ends_where_its_length_says_and_the_next_record_is_aligned() -> None:
    window = record(b"hello") + record(b"", page=4) + record(b"12345678")
    assert list(records(window)) == [Message(b"hello", 3), Message(b"", 4), Message(b"12345678", 3)]


def test_discarded_records_are_seen() -> None:
    assert list(records(record(b"no", DISCARDED) + record(b"yes"))) == [Message(b"no", 3, True), Message(b"yes", 3)]


def test_a_record_nobody_finished_ends_the_list() -> None:
    assert list(records(record(b"1") + record(b"22", BUSY) + record(b"333"))) == [Message(b"1", 3), Other(2 | BUSY)]


def test_a_record_that_breaks_off_is_told_of() -> None:
    assert list(records(record(b"12345678")[:12])) == [Other(8)]
    assert list(records(record(b"1") + bytes(4))) == [Message(b"1", 3), Other(0)]
