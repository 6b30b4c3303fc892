# SPDX-License-Identifier: MIT
"""Where an observation departs from what was said: the place, and both sides."""

from __future__ import annotations

import pytest

from harness.compare import Divergence
from harness.difference import difference
from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.lane import Engine, Lane
from harness.lowering.executor import Observed
from harness.run.judging import verdict
from harness.script.expectation import Expectation
from harness.script.operations import (
    Close,
    Duplicate,
    LoadProgram,
    LookupElement,
    Operation,
    ProgramType,
    ReadRing,
    Ref,
    RunSocketFilter,
    RunThreads,
    Script,
    Thread,
)
from harness.script.outcome import (
    Addresses,
    Bytes,
    Either,
    Lost,
    OneOf,
    Outcome,
    PerCpu,
    Piece,
    Prediction,
    Sample,
    Unknown,
)

LOOK = LookupElement(-1, bytes(4), 32)


def lines(
    said: Prediction, seen: Outcome, operation: Operation = LOOK, expected: Outcome | None = None
) -> tuple[str, ...]:
    return difference(Divergence(0, operation, said, seen, expected))


def data(content: bytes | Bytes | OneOf) -> Outcome:
    return Outcome(value=0, data=content)


ZEROS, ONE = bytes(512), bytes(96) + b"\7" + bytes(415)


def test_data_of_many_bytes_differ_at_an_offset() -> None:
    assert lines(data(ZEROS), data(ONE)) == ("at offset 96: predicted 0000000000000000, saw 0700000000000000",)


def test_data_of_other_lengths_differ_from_where_one_ends() -> None:
    assert lines(data(bytes(20)), data(bytes(16))) == ("at offset 16: predicted 00000000, saw (nothing)",)
    assert lines(data(bytes(8)), data(bytes(9))) == ("at offset 8: predicted (nothing), saw 00",)


def test_a_number_needs_no_difference() -> None:
    assert lines(data(bytes(8)), data(b"\1" + bytes(7))) == ()
    assert lines(Outcome(value=0), Outcome(errno="EINVAL")) == ()


def test_many_differences_are_counted() -> None:
    assert lines(data(bytes(80)), data(b"\1" * 80))[-1] == "and 6 more such differences"


def test_unknown_bytes_differ_only_by_what_is_known_of_them() -> None:
    said = Bytes(b"\1" * 24, (Piece(8, 4, Unknown("a time", least=1)),))
    seen = bytes([1] * 8 + [0] * 4 + [1] * 11 + [2])
    assert lines(data(said), data(seen)) == (
        "at offset 8: predicted ????????01010101, saw 0000000001010101",
        "at offset 16: predicted 0101010101010101, saw 0101010101010102",
    )


def test_of_several_choices_the_nearest_is_held_against() -> None:
    said = OneOf((b"\1" * 16, b"\2" * 16))
    assert lines(data(said), data(b"\2" * 15 + b"\3")) == (
        "at offset 8: predicted 0202020202020202, saw 0202020202020203",
    )
    either = Either((Outcome(errno="ENOENT"), data(bytes(16))))
    assert lines(either, data(bytes(15) + b"\1")) == ("at offset 8: predicted 0000000000000000, saw 0000000000000001",)


def test_where_kernel_and_model_agree_the_clause_is_held_against() -> None:
    expected = Expectation(value=0, data=bytes(16))
    assert lines(data(b"\1" * 16), data(b"\1" * 16), LOOK, expected)[0] == (
        "at offset 0: expected 0000000000000000, saw 0101010101010101"
    )
    per_cpu = Expectation(value=0, data=PerCpu(bytes(8)))
    assert lines(data(bytes(8) + b"\1" * 8), data(bytes(8) + b"\1" * 8), LOOK, per_cpu) == (
        "at offset 8: expected 0000000000000000, saw 0101010101010101",
    )


def test_of_what_was_expected_records_are_told_too() -> None:
    ring, seen = ReadRing(Ref("ring")), Outcome(value=1, records=(Sample(cpu=0, pid=7),))
    assert lines(seen, seen, ring, Expectation(value=1, records=(Sample(cpu=1),))) == (
        "record 0: expected Sample(cpu=1), saw Sample(pid=7, cpu=0)",
    )
    odd = Expectation(value=0, data=OneOf((PerCpu(bytes(8)), Addresses(16))))  # type: ignore[arg-type]
    assert lines(data(b"\1" * 16), data(b"\1" * 16), LOOK, odd)[0].startswith("at offset 0: expected 0000")


def test_records_differ_by_number() -> None:
    ring = ReadRing(Ref("ring"))
    said = Outcome(value=2, records=(Sample(cpu=0), Sample(cpu=1)))
    seen = Outcome(value=2, records=(Sample(cpu=0), Lost(3)))
    assert lines(said, seen, ring) == ("record 1: predicted Sample(cpu=1), saw Lost(count=3)",)
    fewer = Outcome(value=2, records=(Sample(cpu=0),))
    assert lines(said, fewer, ring) == (
        "predicted 2 records, saw 1",
        "record 1: predicted Sample(cpu=1), saw (none)",
    )


def test_logs_differ_by_line() -> None:
    load = LoadProgram("p", ProgramType.KPROBE, program(mov64_imm(R0, 0), exit_()), log_level=1)
    said, seen = (Outcome(value=0, log=f"0: (b7) r0 = 0\n{line}\n") for line in ("1: (95) exit", "1: (95) leave"))
    assert lines(said, seen, load) == ("line 2 of the log: predicted '1: (95) exit', saw '1: (95) leave'",)


def test_threads_differ_by_thread_and_operation() -> None:
    both = RunThreads((Thread(0, (Close(1),)), Thread(1, (Close(2), Duplicate("d", 0)))))
    said = Outcome(value=0, threads=((Outcome(value=0),), (Outcome(value=0), Outcome(errno="EBADF"))))
    seen = Outcome(value=0, threads=((Outcome(value=0),), (Outcome(value=0), Outcome(value=7))))
    assert lines(said, seen, both) == ("thread 1, its operation 1: predicted EBADF, saw 7",)


@pytest.mark.parametrize(("said", "seen", "news"), [(data(ZEROS), data(ONE), "saw 0700000000000000")])
def test_the_reason_is_short_and_ends_with_the_news(said: Outcome, seen: Outcome, news: str) -> None:
    script = Script("s", "", (RunSocketFilter(-1, ZEROS),))
    result = verdict(Lane("debian-12", "arm64", Engine.JIT), Observed(script, (seen,), 0.1), [said])
    assert len(result.reason) < 400 and result.reason.endswith(news)
    assert result.operation and result.operation.observation == f"0, data {ONE.hex()}", "results.json has all of it"
