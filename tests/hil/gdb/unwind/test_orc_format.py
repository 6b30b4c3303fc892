# SPDX-License-Identifier: MIT
"""Rows of ORC tables as real kernels have them."""

from __future__ import annotations

import pytest

from hil.errors import BenchError
from hil.gdb.unwind.orc_format import FORMATS, Base, Kind, Row, orc_format

# The row for the first instruction of a function (rsp+8, call), from the tables of Debian's kernels.
OLD = bytes.fromhex("0800 0000 0500")
SINCE_6_4 = bytes.fromhex("0800 0000 0502")
RENUMBERED = bytes.fromhex("0800 0000 0302")


@pytest.mark.parametrize(
    ("version", "row", "index"),
    [
        ("5.10.262", OLD, 0),
        ("6.1.192", OLD, 0),
        ("6.3.1", OLD, 1),
        ("6.12.117", SINCE_6_4, 2),
        ("7.0.1", SINCE_6_4, 2),  # the release alone would say otherwise
        ("7.2.13", RENUMBERED, 3),
    ],
)
def test_release_and_row_decide(version: str, row: bytes, index: int) -> None:
    assert orc_format(version, row) is FORMATS[index]


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(BenchError, match=r"orc_types\.h"):
        orc_format("9.9", bytes.fromhex("0800 0000 0f0f"))


@pytest.mark.parametrize(
    ("version", "first", "data", "row"),
    [
        # kprobe_perf_func of 7.2: 120 above rsp, rbp saved 48 below that
        ("7.2", RENUMBERED, "7800 d0ff 8302", Row(Base.SP, 120, Base.PREV_SP, -48, Kind.CALL)),
        ("6.12", SINCE_6_4, "0000 0000 050c", Row(Base.SP, 0, Base.UNDEFINED, 0, Kind.REGS_PARTIAL)),
        ("6.12", SINCE_6_4, "0000 0000 050b", Row(Base.SP, 0, Base.UNDEFINED, 0, Kind.REGS)),
        ("6.1", OLD, "1000 f0ff 1400", Row(Base.BP, 16, Base.PREV_SP, -16, Kind.CALL)),
        ("6.1", OLD, "0000 0000 0501", Row(Base.SP, 0, Base.UNDEFINED, 0, Kind.REGS)),
    ],
)
def test_rows(version: str, first: bytes, data: str, row: Row) -> None:
    assert orc_format(version, first).row(bytes.fromhex(data)) == row


@pytest.mark.parametrize(
    ("version", "first", "data"),
    [("6.1", OLD, "0000 0000 0504"), ("6.12", SINCE_6_4, "0000 0000 0001"), ("6.12", SINCE_6_4, "0000 0000 0f02")],
)
def test_ends(version: str, first: bytes, data: str) -> None:
    assert orc_format(version, first).row(bytes.fromhex(data)).kind is Kind.END
