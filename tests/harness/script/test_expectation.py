# SPDX-License-Identifier: MIT
"""What a clause admits; against predictions it is more lenient, because they may leave things open."""

import pytest

from harness.script.expectation import SUCCESS, Expectation
from harness.script.malformed import Malformed
from harness.script.matching import admits
from harness.script.outcome import (
    ANY,
    DESCRIPTOR,
    Addresses,
    Bytes,
    Either,
    Lost,
    Message,
    OneOf,
    Outcome,
    PerCpu,
    Piece,
    Sample,
    Unknown,
    Unpredicted,
)
from harness.script.text import describe_outcome

ANYTHING = Unknown("anything")
PADDED = Bytes(b"a?", (Piece(1, 1, Unknown("padding")),))


@pytest.mark.parametrize(
    ("expectation", "right", "wrong"),
    [
        (SUCCESS, Outcome(value=7), Outcome(errno="EPERM")),
        (Expectation("EBADF"), Outcome(errno="EBADF"), Outcome(value=0)),
        (Expectation(value=1), Outcome(value=1), Outcome(value=0)),
        (Expectation(data=b"ab"), Outcome(value=0, data=b"ab"), Outcome(value=0, data=b"ac")),
        (Expectation(data=b"ab"), Outcome(value=0, data=b"ab"), Outcome(value=0)),
        (Expectation(data=PADDED), Outcome(value=0, data=b"a\x55"), Outcome(value=0, data=b"b\x55")),
        (Expectation(value=DESCRIPTOR), Outcome(value=7), Outcome(value=-7)),
        (Expectation(data=OneOf((b"a", b"b"))), Outcome(value=0, data=b"b"), Outcome(value=0, data=b"c")),
        (Expectation(records=1), Outcome(value=1, records=(Sample(),)), Outcome(value=1, records=())),
        (Expectation(records=0), Outcome(value=0, records=()), Outcome(value=0)),
        (
            Expectation(records=(Message(b"a", 3),)),
            Outcome(value=1, records=(Message(b"a", 3),)),
            Outcome(value=1, records=(Message(b"a", 3, discarded=True),)),
        ),
        (
            Expectation(records=(Sample(raw=PADDED),)),
            Outcome(value=1, records=(Sample(pid=7, raw=b"a\x55"),)),
            Outcome(value=1, records=(Sample(pid=7, raw=b"b\x55"),)),
        ),
        (Expectation(records=(Lost(1),)), Outcome(value=1, records=(Lost(1),)), Outcome(value=1, records=(Sample(),))),
        (
            Expectation(data=Addresses(16)),
            Outcome(value=0, data=b"\xff" * 8 + bytes(8)),
            Outcome(value=0, data=bytes(8) + b"\xff" * 8),
        ),
        (Expectation(data=Addresses(8)), Outcome(value=0, data=b"\xff" * 8), Outcome(value=0, data=bytes(8))),
        (Expectation("EACCES", log="!read_ok"), Outcome(errno="EACCES", log="R2 !read_ok\n"), Outcome(errno="EACCES")),
        (Expectation("EACCES", log="R2"), Outcome(errno="EACCES", log="R2"), Outcome(errno="EACCES", log="R1")),
    ],
)
def test_an_observation_is_what_is_expected_or_not(expectation: Outcome, right: Outcome, wrong: Outcome) -> None:
    assert admits(expectation, right, {})
    assert not admits(expectation, wrong, {})


def test_what_a_prediction_leaves_open_contradicts_nothing() -> None:
    assert admits(Expectation("EACCES", log="!read_ok"), Outcome(errno="EACCES", log=ANY), {})
    assert admits(Expectation(value=5), Outcome(value=DESCRIPTOR), {})
    unread = Outcome(value=1, records=(Sample(raw=Bytes(b"xy", (Piece(0, 1, Unknown("anything")),))),))
    assert admits(Expectation(records=(Sample(raw=PADDED),)), unread, {})
    for differs in (b"x?", b"xyz"):
        assert not admits(Expectation(records=(Sample(raw=Bytes(differs)),)), unread, {})
    assert admits(Expectation(data=Addresses(8)), Outcome(value=0, data=Addresses(8)), {})
    open_byte = Outcome(value=0, data=Bytes(b"a?", (Piece(1, 1, Unknown("a letter", most=0x7F)),)))
    assert admits(Expectation(data=b"az"), open_byte, {})
    assert not admits(Expectation(data=b"bz"), open_byte, {})
    assert not admits(Expectation(data=b"a\xff"), open_byte, {})


def test_a_number_may_be_expected_within_bounds() -> None:
    few = Expectation(value=0, data=range(2, 6))
    assert admits(few, Outcome(value=0, data=b"\x05\0\0\0"), {}) and not admits(
        few, Outcome(value=0, data=b"\x06\0\0\0"), {}
    )
    assert admits(few, Outcome(value=0, data=Bytes(bytes(4), (Piece(0, 4, Unknown("n", least=5, most=9)),))), {})
    assert not admits(few, Outcome(value=0, data=Bytes(bytes(4), (Piece(0, 4, Unknown("n", least=6, most=9)),))), {})
    assert admits(Expectation(value=range(3)), Outcome(value=2), {})
    assert not admits(Expectation(value=range(3)), Outcome(value=3), {})
    assert describe_outcome(few) == "0, data 2 to 5"


def test_of_threads_each_operation_may_be_expected_something_of() -> None:
    expected = Expectation(value=0, threads=((Expectation("EPERM"), None), (Expectation(value=1),)))
    seen = Outcome(value=0, threads=((Outcome(errno="EPERM"), Outcome(value=9)), (Outcome(value=1),)))
    assert admits(expected, seen, {})
    assert admits(expected, Outcome(value=0, threads=((Unpredicted("?"), Unpredicted("?")), (Outcome(value=1),))), {})
    assert not admits(
        expected, Outcome(value=0, threads=((Outcome(value=0), Outcome(value=9)), (Outcome(value=1),))), {}
    )
    assert not admits(expected, Outcome(value=0, threads=((Outcome(errno="EPERM"),), (Outcome(value=1),))), {})
    assert not admits(expected, Outcome(value=0), {})
    assert describe_outcome(expected) == "0, [EPERM; anything], [1]"


def test_a_log_that_is_missing_in_a_branch_is_missing() -> None:
    expected = Expectation(value=0, threads=((Expectation("EACCES", log="R1"),),))
    assert not admits(expected, Outcome(value=0, threads=((Outcome(errno="EACCES"),),)), {})
    assert admits(expected, Outcome(value=0, threads=((Outcome(errno="EACCES", log="R1 !read_ok"),),)), {})
    assert admits(expected, Outcome(value=0, threads=((Outcome(errno="EACCES", log=ANY),),)), {})


def test_one_of_several_outcomes_that_is_expected_contradicts_nothing() -> None:
    either = Either((Outcome(value=0), Outcome(errno="EEXIST")))
    assert admits(Expectation("EEXIST"), either, {})
    assert not admits(Expectation("EPERM"), either, {})


ONE_KNOWN = Outcome(value=0, data=Bytes(b"1" * 16, (Piece(1, 15, ANYTHING),)))
BYTE = Outcome(value=0, data=b"\x05")
HUGE = range(1 << 70)


@pytest.mark.parametrize(
    ("expectation", "outcome", "allowed"),
    [
        (Expectation(value=HUGE), Outcome(value=-1), False),
        (Expectation(value=HUGE), Outcome(value=Unknown("below zero", most=-1)), False),
        (Expectation(value=HUGE), Outcome(value=DESCRIPTOR), True),
        (Expectation(value=range(9, -1, -3)), Outcome(value=Unknown("some", least=7, most=8)), False),
        (Expectation(value=range(9, -1, -3)), Outcome(value=Unknown("some", least=6, most=8)), True),
        (Expectation(value=range(0, 10, 3)), Outcome(value=Unknown("some", least=4, most=5)), False),
        (Expectation(value=range(5)), Outcome(value=Unknown("an earlier one", same_as="made")), True),
        (Expectation(value=range(4, 9)), Outcome(value=Unknown("an earlier one", same_as="made")), False),
        (Expectation(data=range(6, 300)), BYTE, False),
        (Expectation(data=range(-1, 300)), BYTE, True),
        (Expectation(data=HUGE), Outcome(value=0, data=bytes(8)), True),
        (Expectation(data=HUGE), Outcome(value=0, data=b""), False),
        (Expectation(data=range(9)), Outcome(value=0, data=OneOf((b"\x09", b"\x08"))), True),
        (Expectation(data=range(9)), Outcome(value=0, data=OneOf((b"\x09", b"\x0a"))), False),
        (
            Expectation(data=range(9)),
            Outcome(value=0, data=Bytes(bytes(1), (Piece(0, 1, Unknown("", least=9)),))),
            False,
        ),
        (Expectation(data=range(9)), Outcome(value=0, data=PADDED), True),
    ],
)
def test_ranges_are_held_against_numbers_however_many_there_are(
    expectation: Outcome, outcome: Outcome, allowed: bool
) -> None:
    assert admits(expectation, outcome, {"made": 3}) is allowed


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (Expectation(value=range(0, 100, 6)), Expectation(value=range(3, 100, 9)), True),  # 12
        (Expectation(value=range(0, 100, 6)), Expectation(value=range(1, 100, 9)), False),
        (Expectation(value=range(0, 12, 6)), Expectation(value=range(3, 100, 9)), False),
        (
            Expectation(data=PerCpu(b"12345678")),
            ONE_KNOWN,
            True,
        ),
        (Expectation(data=PerCpu(b"22345678")), ONE_KNOWN, False),
        (Expectation(data=OneOf((b"a", b"b"))), Outcome(value=0, data=OneOf((b"c", b"b"))), True),
        (Expectation(data=OneOf((b"a", b"b"))), Outcome(value=0, data=OneOf((b"c", b"d"))), False),
        (Expectation(data=Addresses(8)), Outcome(value=0, data=Bytes(bytes(8), (Piece(0, 8, ANYTHING),))), True),
        (Expectation(data=Addresses(8)), Outcome(value=0, data=Addresses(16)), False),
        (Expectation(records=(Lost(1),)), Expectation(records=1), True),
        (Expectation(records=(Lost(1),)), Expectation(records=2), False),
        (Expectation(log="a"), Expectation(log="b"), True),
        (Expectation(), Expectation("EPERM"), False),
    ],
)
def test_what_two_leave_open_may_have_something_in_common(one: Outcome, other: Outcome, common: bool) -> None:
    assert admits(one, other, {}) is admits(other, one, {}) is common


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("errno", 9),
        ("value", range(0)),
        ("data", range(3, 3)),
        ("data", OneOf((range(0),))),  # type: ignore[arg-type]
        ("log", 3),
        ("log", b"R1"),
        ("records", "3"),
        ("records", -1),
        ("records", [Lost(1)]),
        ("records", (1,)),
        ("threads", (SUCCESS,)),
        ("threads", (("EBADF",),)),
        ("threads", [(SUCCESS,)]),
    ],
)
def test_what_no_outcome_can_be_is_refused(field: str, said: object) -> None:
    with pytest.raises(Malformed, match=r"expected"):
        Expectation(**{field: said})  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [(b"1", b"22"), ("1", None), (b"", None), (b"1", 3)])
def test_values_for_cpus_are_bytes_of_one_size(values: tuple[object, object]) -> None:
    with pytest.raises(Malformed, match=r"give bytes of one size"):
        PerCpu(*values)  # type: ignore[arg-type]
