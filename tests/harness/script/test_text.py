# SPDX-License-Identifier: MIT
import pytest

from harness.script.expectation import SUCCESS, Expectation
from harness.script.operations import (
    Attach,
    Buffer,
    CreateMap,
    Exit,
    LookupElement,
    MapType,
    Operation,
    Part,
    Pin,
    RawBpf,
    Ref,
    RunThreads,
    Thread,
    Trigger,
)
from harness.script.outcome import (
    DESCRIPTOR,
    Bytes,
    Either,
    Lost,
    Outcome,
    PerCpu,
    Piece,
    Prediction,
    Sample,
    Unknown,
    Unpredicted,
)
from harness.script.text import describe, describe_outcome


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        (Attach(Ref("event"), Ref("program")), "Attach(event=event, program=program)"),
        (Attach(-1, 1000), "Attach(event=-1, program=1000)"),
        (
            CreateMap("m", MapType.HASH, 4, 8, 70000),
            "CreateMap(name='m', type=HASH, key_size=4, value_size=8, max_entries=0x11170)",
        ),
        (LookupElement(Ref("m"), b"\1\0", 8), "LookupElement(map=m, key=0100, value_size=8)"),
        (Trigger("write_null", (Buffer(b"\xff"), 8)), "Trigger(trigger='write_null', arguments=(&ff, 8))"),
        (
            RawBpf(1, (Part(8, 8, Buffer(b"\1", guarded=True)),)),
            "RawBpf(command=1, parts=(8:8=&01 (guarded)))",
        ),
        (
            RunThreads((Thread(1, (Pin(0), Exit())), Thread(0, (Pin(1),)))),
            "RunThreads(threads=(thread 0 on CPU 1: Pin(cpu=0); Exit(), thread 1 on CPU 0: Pin(cpu=1)))",
        ),
    ],
)
def test_operations(operation: Operation, text: str) -> None:
    assert describe(operation) == text


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome(errno="EEXIST"), "EEXIST"),
        (Outcome(value=0, data=b"\1\2"), "0, data 0102"),
        (Outcome(value=DESCRIPTOR), "<a new file descriptor>"),
        (
            Outcome(value=0, data=Bytes(b"\1\0\0\2", (Piece(1, 2, Unknown("clock")),))),
            "0, data 01<2 bytes: clock>02",
        ),
        (Outcome(value=2, records=(Sample(cpu=0), Lost(3))), "2, records [Sample(cpu=0), Lost(count=3)]"),
        (Unpredicted("no rule"), "unpredicted: no rule"),
        (Outcome(value=Unknown("which comes first", least=2, most=9)), "<which comes first, 2 to 9>"),
        (Either((Outcome(value=0), Outcome(errno="EEXIST"))), "0 or EEXIST"),
        (Outcome(value=0, threads=((Outcome(value=1), Outcome(errno="EBADF")), ())), "0, [1; EBADF], []"),
        (SUCCESS, "success"),
        (Expectation("EACCES", log="!read_ok"), "EACCES, log with '!read_ok'"),
        (Expectation(value=range(3), records=2), "0 to 2, 2 records"),
        (Expectation(value=1, records=(Sample(cpu=0),)), "1, records [Sample(cpu=0)]"),
        (Expectation(data=PerCpu(b"\1")), "success, data 01 on CPU 0, the same on others"),
        (Expectation(value=0, threads=((None, SUCCESS),)), "0, [anything; success]"),
    ],
)
def test_outcomes(outcome: Prediction, text: str) -> None:
    assert describe_outcome(outcome) == text
