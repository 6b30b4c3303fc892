# SPDX-License-Identifier: MIT
"""A script that would harm what comes behind it is refused when it is made."""

import pytest

from harness.script.malformed import Malformed
from harness.script.operations import (
    Close,
    LoadProgram,
    LookupElement,
    Operation,
    Pin,
    Program,
    RawBpf,
    Ref,
    RunThreads,
    Script,
    Thread,
    Trigger,
    UpdateElement,
)
from harness.script.processes import Execute, Exit, Fork, SetCredentials, SetName
from harness.script.surroundings import SetSetting


@pytest.mark.parametrize(
    "operations",
    [
        (SetCredentials(1000),),
        (Fork(), Exit(), SetName(b"x")),
        (Fork(),),
        (Exit(),),
        (Fork(), Execute("x"), SetName(b"x"), Exit()),
        (Fork(), SetSetting("kernel/kptr_restrict", 1), SetCredentials(1000), Exit()),
        (Fork(), Fork(), Exit(), SetSetting("kernel/kptr_restrict", 1), Execute("x"), Exit()),
        (SetSetting("kernel/unprivileged_bpf_disabled", 1),),
        (Fork(), SetSetting("kernel/modules_disabled", 1), Exit()),
        (RunThreads((Thread(0, (SetSetting("kernel/yama/ptrace_scope", 3),)),)),),
        (RunThreads(()),),
        (RunThreads((Thread(0, ()), Thread(1, ()))),),
        (RunThreads((Thread(-1, (Pin(0),)),)),),
        (RunThreads((Thread(0, (RunThreads((Thread(0, (Pin(0),)),)),)),)),),
        (RunThreads((Thread(0, (Fork(), Exit())),)),),
        (Fork(), RunThreads((Thread(0, (SetName(b"x"),)),)), Exit()),
    ],
)
def test_what_makes_no_sense_or_does_harm_is_refused(operations: tuple[Operation, ...]) -> None:
    with pytest.raises(ValueError, match=r"^s: "):
        Script("s", "", operations)


@pytest.mark.parametrize(
    ("operation", "wrong"),
    [
        ((Pin(0), Pin(0)), r"is several operations in one place; write \* in front"),
        (None, r"is no operation"),
        (Pin, r"is no operation"),
        (Thread(0, (Pin(0),)), r"is no operation"),
        (Pin("0"), r"has '0' as its cpu, which takes int"),  # type: ignore[arg-type]
        (Close("map"), r"has 'map' as its descriptor, which takes Ref or int"),  # type: ignore[arg-type]
        (Close(Ref(3)), r"has 3 as its name, which takes str"),  # type: ignore[arg-type]
        (LookupElement(-1, 0, 8), r"has 0 as its key, which takes bytes or None"),  # type: ignore[arg-type]
        (UpdateElement(-1, b"", 8), r"has 8 as its value, which takes bytes or Ref or PerCpu"),  # type: ignore[arg-type]
        (LoadProgram("p", 2, b"\x95"), r"as its program, which takes Program"),  # type: ignore[arg-type]
        (LoadProgram("p", 2, Program((b"\x95",))), r"as its instructions, which takes a tuple of Instruction"),  # type: ignore[arg-type]
        (Trigger("null_lseek", 3), r"has 3 as its arguments, which takes a tuple"),  # type: ignore[arg-type]
        (Trigger("null_lseek", (1.0,)), r"as its arguments, which takes a tuple of int or Buffer or Untouched"),  # type: ignore[arg-type]
        (Trigger("null_lseek", (), "3"), r"has '3' as its times, which takes int"),  # type: ignore[arg-type]
        (RawBpf(1, ((0, 4, 1),)), r"as its parts, which takes a tuple of Part"),  # type: ignore[arg-type]
        (RunThreads((Pin(0),)), r"as its threads, which takes a tuple of Thread"),  # type: ignore[arg-type]
        (RunThreads((Thread(0, Pin(0)),)), r"as its threads"),  # type: ignore[arg-type]
        (SetSetting("kernel/kptr_restrict", "1"), r"has '1' as its value, which takes int"),  # type: ignore[arg-type]
    ],
)
def test_fields_hold_what_they_are_declared_to(operation: Operation, wrong: str) -> None:
    with pytest.raises(Malformed, match=rf"^s: operation 0, .*{wrong}"):
        Script("s", "", (operation,))


def test_what_is_expected_is_an_expectation() -> None:
    with pytest.raises(Malformed, match="'EBADF', is no Expectation"):
        Script("s", "", (Pin(0),), ("EBADF",))  # type: ignore[arg-type]


def test_children_may_have_children() -> None:
    setting = SetSetting("kernel/kptr_restrict", 1)
    Script("s", "", (Fork(), setting, Fork(), SetCredentials(1000), Execute("x"), Exit(), SetName(b"x"), Exit()))
