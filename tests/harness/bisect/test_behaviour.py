# SPDX-License-Identifier: MIT
"""Two kernels behave alike when every operation gave the same, but for what nobody could know beforehand."""

import pytest

from harness.bisect.behaviour import Behaviour, Contrast, behaviour, contrast, steady
from harness.lowering.executor import Missed, Observed
from harness.script.operations import CreateMap, LookupElement, Operation, Ref, Script
from harness.script.outcome import (
    DESCRIPTOR,
    Bytes,
    Either,
    Line,
    OneOf,
    Outcome,
    Piece,
    Prediction,
    Sample,
    Unknown,
    Unpredicted,
)

MAP = CreateMap("m", 2, 4, 8, 1)
LOOKUP = LookupElement(Ref("m"), bytes(4), 8)
TIME = Unknown("time", least=1)
NO_RULE = Unpredicted("no rule")


def seen(outcome: Outcome, prediction: Prediction, operation: Operation = LOOKUP, descriptor: int = 5) -> Behaviour:
    script = Script("s", "says", (MAP, operation))
    made = Outcome(value=descriptor)
    return behaviour(Observed(script, (made, outcome), 0.1), (Outcome(value=DESCRIPTOR), prediction))


def read(data: bytes, prediction: Prediction, descriptor: int = 5) -> Behaviour:
    return seen(Outcome(value=0, data=data), prediction, descriptor=descriptor)


EIGHT = Outcome(value=0, data=bytes(range(8)))
"""What the model says of most lookups here."""


def test_the_same_is_alike_whatever_number_a_descriptor_has() -> None:
    assert contrast(read(bytes(range(8)), EIGHT, 5), read(bytes(range(8)), EIGHT, 9)) is None


def test_other_data_are_told_with_the_operation_and_both_words() -> None:
    assert contrast(read(bytes(range(8)), EIGHT), read(bytes(8), EIGHT)) == Contrast(
        1, "data 0001020304050607", "data 0000000000000000"
    )


def test_an_errno_is_no_value() -> None:
    found = contrast(read(bytes(8), EIGHT), seen(Outcome(errno="ENOENT"), EIGHT))
    assert found == Contrast(1, "value 0, data 0000000000000000", "errno ENOENT")


def test_what_the_prediction_leaves_open_is_no_difference_as_long_as_it_may_be_so() -> None:
    open_half = Outcome(value=0, data=Bytes(bytes(8), (Piece(0, 4, TIME),)))
    one, other = (read(bytes([number, 0, 0, 0, 0, 0, 0, 0]), open_half) for number in (7, 9))
    assert contrast(one, other) is None
    assert contrast(one, read(bytes(8), open_half)) is not None, "no time is 0"
    assert contrast(one, read(bytes([7, 0, 0, 0, 1, 0, 0, 0]), open_half)) is not None
    any_value = Outcome(value=TIME)
    assert contrast(seen(Outcome(value=3), any_value), seen(Outcome(value=4), any_value)) is None
    assert contrast(seen(Outcome(value=3), any_value), seen(Outcome(value=0), any_value)) is not None


def test_one_of_several_is_no_difference() -> None:
    either = Outcome(value=0, data=OneOf((bytes(8), b"\1" * 8)))
    assert contrast(read(bytes(8), either), read(b"\1" * 8, either)) is None
    assert contrast(read(bytes(8), either), read(b"\2" * 8, either)) is not None
    order = Either((Outcome(value=1), Outcome(errno="EEXIST")))
    assert contrast(seen(Outcome(value=1), order), seen(Outcome(errno="EEXIST"), order)) is None


def test_what_one_kernels_prediction_has_open_is_open_for_both() -> None:
    exact, loose = Outcome(value=3), Outcome(value=TIME)
    assert contrast(seen(Outcome(value=3), exact), seen(Outcome(value=4), loose)) is None


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (0xFFFF_8881_0000_1000, 0xFFFF_8000_0000_1000, True),
        (0xFFFF_FFFF_8123_4567, 0xFFFF_FFFF_C012_3456, True),
        (0xFFFF_FFFF_FFFF_FFEA, 0xFFFF_FFFF_FFFF_FFF3, False),
        (0xC000_0000, 0x4000_0000, False),
        (0xFFFF_FFFF_8000_0000, 0, False),
    ],
)
def test_without_a_prediction_only_addresses_of_the_kernel_are_no_difference(one: int, other: int, alike: bool) -> None:
    data = [read(number.to_bytes(8, "little"), NO_RULE) for number in (one, other)]
    assert (contrast(*data) is None) is alike
    values = [seen(Outcome(value=number), NO_RULE) for number in (one, other)]
    assert (contrast(*values) is None) is alike


def test_records_are_compared_but_for_what_nobody_knows() -> None:
    said = Outcome(value=1, records=(Sample(pid=Unknown("a pid", least=1), cpu=0),))

    def sampled(pid: int, cpu: int) -> Behaviour:
        return seen(Outcome(value=1, records=(Sample(pid=pid, cpu=cpu),)), said)

    assert contrast(sampled(10, 0), sampled(11, 0)) is None
    assert contrast(sampled(10, 0), sampled(10, 1)) is not None
    assert contrast(sampled(10, 0), seen(Outcome(value=1, records=(Line(10, 0),)), said)) is not None
    assert contrast(sampled(10, 0), seen(Outcome(value=1, records=()), said)) is not None


def test_a_log_counts_where_it_is_predicted() -> None:
    silent, said = Outcome(errno="EACCES"), Outcome(errno="EACCES", log="R1 is bad")
    logs = [Outcome(errno="EACCES", log=text) for text in ("R1 is bad", "R1 !read_ok")]
    assert contrast(*(seen(log, silent) for log in logs)) is None
    assert contrast(*(seen(log, said) for log in logs)) is not None


def test_a_kernel_that_died_behaves_otherwise_than_one_that_did_not() -> None:
    script = Script("s", "says", (MAP, LOOKUP))
    died = behaviour(Missed(script, 1, "the kernel panicked"), (Outcome(value=DESCRIPTOR),))
    assert contrast(read(bytes(8), EIGHT), died) == Contrast(None, "not lost", "lost at operation 1")
    assert contrast(died, behaviour(Missed(script, 1, "SSH"), ())) is None
    assert contrast(died, behaviour(Missed(script, None, "SSH"), ())) is not None


def test_what_differs_between_rounds_is_no_difference_between_kernels() -> None:
    one, other = (read(bytes([number, 0, 0, 0, 0, 0, 0, 9]), NO_RULE) for number in (1, 2))
    both = steady(one, other)
    assert contrast(both, read(bytes([3, 0, 0, 0, 0, 0, 0, 9]), NO_RULE)) is None
    assert contrast(both, read(bytes([1, 0, 0, 0, 0, 0, 0, 8]), NO_RULE)) is not None
    unsure = steady(one, seen(Outcome(errno="ENOENT"), NO_RULE))
    assert contrast(unsure, read(bytes(8), NO_RULE)) is None


def test_a_text_of_several_lines_is_told_on_one() -> None:
    said = Outcome(value=1, log="one\n\n")
    found = contrast(seen(Outcome(value=1, log="one\n\n"), said), seen(Outcome(value=1, log=""), said))
    assert found == Contrast(1, r"log 'one\n\n'", "log ''")
