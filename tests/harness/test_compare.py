# SPDX-License-Identifier: MIT
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.compare import Verdict, compare
from harness.script.matching import admits
from harness.script.operations import Close, Duplicate, Enable, OpenFile, Ref, RunThreads, Script, Thread
from harness.script.outcome import (
    ANY,
    DESCRIPTOR,
    KERNEL_ADDRESS,
    Bytes,
    Either,
    Lost,
    Other,
    Outcome,
    Piece,
    Prediction,
    Sample,
    Unknown,
    Unpredicted,
)

SCRIPT = Script("closing", "a file is opened and closed", (OpenFile("f"), Close(Ref("f")), Enable(Ref("f"))))
PREDICTED = (Outcome(value=DESCRIPTOR), Outcome(value=0), Outcome(errno="EBADF"))
OBSERVED = (Outcome(value=3), Outcome(value=0), Outcome(errno="EBADF"))


def test_equal_outcomes_agree() -> None:
    assert compare(SCRIPT, PREDICTED, OBSERVED).verdict is Verdict.AGREE


@pytest.mark.parametrize(
    ("index", "wrong"),
    [
        (0, Outcome(errno="EMFILE")),
        (0, Outcome(value=-1)),
        (1, Outcome(value=1)),
        (1, Outcome(errno="EBADF")),
        (2, Outcome(errno="EINVAL")),
        (2, Outcome(value=0)),
    ],
)
def test_the_first_operation_that_differs_is_named(index: int, wrong: Outcome) -> None:
    observed = [*OBSERVED[:index], wrong, *OBSERVED[index + 1 :]]
    divergence = compare(SCRIPT, PREDICTED, observed).divergence
    assert divergence is not None
    assert (divergence.index, divergence.operation, divergence.observation) == (index, SCRIPT.operations[index], wrong)


def test_only_the_first_difference_counts() -> None:
    observed = [OBSERVED[0], Outcome(value=1), Outcome(value=1)]
    divergence = compare(SCRIPT, PREDICTED, observed).divergence
    assert divergence is not None and divergence.index == 1


def test_what_the_model_has_no_rule_for_is_counted_and_never_a_divergence() -> None:
    comparison = compare(SCRIPT, (PREDICTED[0], Unpredicted("no rule"), PREDICTED[2]), OBSERVED)
    assert comparison.verdict is Verdict.AGREE
    assert comparison.unpredicted == ((1, "no rule"),)


def test_outcomes_must_run_parallel_to_operations() -> None:
    with pytest.raises(ValueError):
        compare(SCRIPT, PREDICTED, OBSERVED[:2])


def test_a_log_is_compared_only_where_it_is_predicted() -> None:
    seen = Outcome(errno="EACCES", log="R0 !read_ok")
    assert admits(Outcome(errno="EACCES", log=ANY), seen, {})
    assert not admits(Outcome(errno="EACCES"), seen, {})
    assert admits(replace(seen), seen, {})
    assert not admits(Outcome(errno="EACCES", log="R1 !read_ok"), seen, {})


def test_of_a_log_the_known_parts_are_compared() -> None:
    class Ends:
        def admits(self, observed: str) -> bool:
            return observed.endswith("read_ok")

    predicted = Outcome(errno="EACCES", log=Ends())
    assert admits(predicted, Outcome(errno="EACCES", log="R7 !read_ok"), {})
    assert not admits(predicted, Outcome(errno="EACCES", log="R7 is invalid"), {})
    assert not admits(predicted, Outcome(errno="EACCES"), {})


def test_records_are_compared_field_by_field() -> None:
    predicted = Outcome(value=1, records=(Sample(pid=Unknown("ours"), cpu=0, probe_ip=KERNEL_ADDRESS),))
    sample = Sample(pid=7, cpu=0, probe_ip=(1 << 64) - 4096)
    assert admits(predicted, Outcome(value=1, records=(sample,)), {})
    assert not admits(predicted, Outcome(value=1, records=(replace(sample, cpu=1),)), {})
    assert not admits(predicted, Outcome(value=1, records=(replace(sample, probe_ip=4096),)), {})
    assert not admits(predicted, Outcome(value=1, records=(replace(sample, pid=None),)), {})
    assert not admits(predicted, Outcome(value=1, records=(sample, sample)), {})
    assert not admits(predicted, Outcome(value=1, records=(Lost(1),)), {})
    assert not admits(predicted, Outcome(value=1, records=(Other(5),)), {})
    assert not admits(predicted, Outcome(value=1), {})


def test_a_value_may_be_tied_to_what_an_earlier_operation_returned() -> None:
    predicted = Outcome(value=1, records=(Sample(trace_event=Unknown("the probe's id", same_as="probe")),))
    seen = Outcome(value=1, records=(Sample(trace_event=1393),))
    assert admits(predicted, seen, {"probe": 1393})
    assert not admits(predicted, seen, {"probe": 1394})
    assert not admits(predicted, seen, {})


def test_a_number_may_be_several_times_what_was_returned() -> None:
    both_halves = Unknown("process and thread", same_as="process", times=1 << 32 | 1)
    assert both_halves.admits(7 << 32 | 7, {"process": 7})
    assert not both_halves.admits(8 << 32 | 7, {"process": 7})
    assert not both_halves.admits(7 << 32 | 7, {})


def test_a_time_lies_between_readings_of_the_clock_as_far_as_they_were_made() -> None:
    time = Unknown("a time", not_before="first", not_after="second")
    both = {"first": 10, "second": 20}
    assert [value for value in (9, 10, 20, 21) if time.admits(value, both)] == [10, 20]
    assert time.admits(21, {"first": 10})
    assert not time.admits(9, {"first": 10})
    assert time.admits(9, {})


def test_samples_are_in_the_order_of_their_times() -> None:
    predicted = Outcome(value=2, records=(Sample(time=Unknown("a time")), Sample(time=Unknown("a time"))))
    assert admits(predicted, Outcome(value=2, records=(Sample(time=5), Sample(time=5))), {})
    assert not admits(predicted, Outcome(value=2, records=(Sample(time=6), Sample(time=5))), {})


@given(st.binary(min_size=1, max_size=24), st.data())
def test_bytes_admit_exactly_what_differs_inside_unknown_pieces(content: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(content) - 1))
    size = data.draw(st.integers(1, len(content) - start))
    predicted = Bytes(content, (Piece(start, size, Unknown("anything")),))
    position = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[position] ^= data.draw(st.integers(1, 255))
    assert predicted.admits(content, {})
    assert predicted.admits(bytes(changed), {}) == (start <= position < start + size)
    assert not predicted.admits(content + b"\0", {})


def test_a_piece_is_a_little_endian_number_within_its_bounds() -> None:
    predicted = Bytes(bytes(4), (Piece(0, 2, Unknown("clock", least=0x0100)),))
    assert predicted.admits(b"\0\1\0\0", {})
    assert not predicted.admits(b"\xff\0\0\0", {})


def test_of_several_outcomes_any_will_do() -> None:
    either = Either((Outcome(value=0), Outcome(errno="EEXIST")))
    assert admits(either, Outcome(value=0), {}) and admits(either, Outcome(errno="EEXIST"), {})
    assert not admits(either, Outcome(errno="EPERM"), {})


THREADS = Script(
    "threads",
    "",
    (RunThreads((Thread(0, (OpenFile("f"), Close(9))), Thread(1, (Close(8),)))), Duplicate("g", Ref("f"))),
)
SEEN = (Outcome(value=0, threads=((Outcome(value=3), Outcome(errno="EBADF")), (Outcome(value=0),))), Outcome(value=3))


@pytest.mark.parametrize(
    ("threads", "agree"),
    [
        (((Outcome(value=DESCRIPTOR), Outcome(errno="EBADF")), (Outcome(value=0),)), True),
        (((Outcome(value=DESCRIPTOR), Unpredicted("no rule")), (Outcome(value=0),)), True),
        (((Outcome(value=DESCRIPTOR), Outcome(errno="EBADF")), (Outcome(value=1),)), False),
        (((Outcome(value=DESCRIPTOR), Outcome(value=0)), (Outcome(value=0),)), False),
        (((Outcome(value=DESCRIPTOR),), (Outcome(value=0),)), False),
        (None, False),
    ],
)
def test_every_thread_s_operations_are_compared(
    threads: tuple[tuple[Prediction, ...], ...] | None, agree: bool
) -> None:
    comparison = compare(THREADS, (Outcome(value=0, threads=threads), Outcome(value=3)), SEEN)
    assert (comparison.verdict is Verdict.AGREE) == agree


def test_what_is_unpredicted_in_a_thread_is_counted_and_what_it_named_is_known() -> None:
    said = Outcome(value=0, threads=((Outcome(value=DESCRIPTOR), Unpredicted("no rule")), (Outcome(value=0),)))
    comparison = compare(THREADS, (said, Outcome(value=Unknown("the same", same_as="f"))), SEEN)
    assert comparison.verdict is Verdict.AGREE
    assert comparison.unpredicted == ((0, "no rule"),)
    other = (SEEN[0], Outcome(value=4))
    assert compare(THREADS, (said, Outcome(value=Unknown("the same", same_as="f"))), other).verdict is Verdict.DIVERGE
