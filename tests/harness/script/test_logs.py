# SPDX-License-Identifier: MIT
"""No guest is asked for a log that may kill it, whoever wrote the script, and everybody is told so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.abi.system_calls import number
from harness.compare import compare
from harness.fuzz.generate import cases
from harness.isa.instruction import Instruction, encode
from harness.lowering.context import Guest
from harness.lowering.lower import lower
from harness.model.eras import era
from harness.model.executor import ModelExecutor
from harness.pytest_plugin.guest import LaneGuest
from harness.script.expectation import Expectation
from harness.script.logs import withheld
from harness.script.matching import admits
from harness.script.operations import Buffer, Close, LoadProgram, Part, Program, ProgramType, RawBpf, Ref, Script
from harness.script.outcome import NOT_CARRIED_OUT, Outcome, Unpredicted, Withheld
from harness.script.text import describe_outcome
from hil.agent.results import BatchResult, End, How, Status, StepResult
from hil.agent.steps import Immediate, Syscall
from tests.fakes import fake_kernel
from tests.harness.model.running import environment

MOV, EXIT = Instruction(0xB7), Instruction(0x95)
NAMED = (0x04, 0x07, 0xB4, 0xD4, 0xDC, 0x15, 0x7D, 0x85, 0x95, 0x16, 0xA6, 0xC6, 0x61, 0x62, 0x63, 0xFB, 0xFE)
NAMELESS = (0xE4, 0xEC, 0xE7, 0xF7, 0xF4, 0xA5, 0xAD, 0xB5, 0xC5, 0xD5, 0xDD, 0xE5, 0xF5)


def loads(code: int, level: int = 1) -> LoadProgram:
    return LoadProgram(
        "p", ProgramType.SOCKET_FILTER, Program((MOV, Instruction(code, imm=5), EXIT)), log_level=level, log_size=4096
    )


def raw(code: int, level: int = 1) -> RawBpf:
    instructions = encode((MOV, Instruction(code), EXIT))
    log = (Part(24, 4, level), Part(28, 4, 4096), Part(32, 8, Buffer(bytes(4096))))
    return RawBpf(5, (Part(0, 4, 1), Part(4, 4, 3), Part(8, 8, Buffer(instructions)), *log), name="p")


def guest(name: str) -> Guest:
    return Guest("arm64", environment(name).version_code, era=name)


def bpf_calls(name: str, operation: LoadProgram | RawBpf) -> list[Syscall]:
    batch, _ = lower([Script("s", "", (operation,))], guest(name), ["t"])
    return [step for step in batch.steps if isinstance(step, Syscall) and step.number == 280]


@pytest.mark.parametrize("code", NAMELESS)
@pytest.mark.parametrize("make", [loads, raw])
def test_an_operation_4_1_has_no_name_for_is_not_logged(code: int, make: object) -> None:
    assert callable(make)
    why = withheld(make(code), "4.1")
    named = f"the log of 4.1 has no name for operation {code:02x}"
    assert str(why) == f"(not asked for: {named}, and the kernel may crash looking for one)"
    assert withheld(make(code, level=0), "4.1") is None
    assert withheld(make(code), "5.10") is None


def test_fields_may_be_given_together() -> None:
    code = Buffer(encode((MOV, Instruction(0xA5), EXIT)))
    both = Part(20, 12, 1 << 32 | 4096 << 64)  # half of the licence's address, level and size
    assert withheld(RawBpf(5, (Part(0, 4, 1), Part(4, 4, 3), Part(8, 8, code), both)), "4.1")
    assert not withheld(RawBpf(5, (Part(0, 4, 1), Part(4, 4, 3), Part(8, 8, code), Part(28, 4, 4096))), "4.1")


@pytest.mark.parametrize("code", NAMED)
def test_everything_else_is_logged(code: int) -> None:
    assert withheld(loads(code), "4.1") is None


def test_the_guest_is_asked_for_the_verdict_alone() -> None:
    operation = loads(0xA5)
    batch, (lowered,) = lower([Script("s", "", (operation,))], guest("4.1"), ["t"])
    image = b"".join(write.data for write in batch.image)
    assert (1).to_bytes(4, "little") + (4096).to_bytes(4, "little") not in image, "log_level and log_size"
    refused = BatchResult(End(How.COMPLETED), tuple(StepResult(Status.DONE, -22, 22) for _ in batch.steps))
    (seen,) = lowered.observations(refused)
    assert (seen.errno, type(seen.log)) == ("EINVAL", Withheld)
    assert describe_outcome(seen).startswith("EINVAL, log (not asked for: the log of 4.1 has no name")
    (predicted,) = ModelExecutor(environment("4.1", "arm64")).run(lowered.script)
    assert predicted == seen and compare(lowered.script, [predicted], [seen]).divergence is None


def test_a_raw_call_is_not_made_at_all() -> None:
    assert len(bpf_calls("4.1", raw(0xA5, level=0))) == len(bpf_calls("5.10", raw(0xA5))) == 1
    assert not bpf_calls("4.1", raw(0xA5))
    _, (lowered,) = lower([Script("s", "", (raw(0xA5),))], guest("4.1"), ["t"])
    (seen,) = lowered.observations(BatchResult(End(How.COMPLETED), ()))
    assert (seen.errno, type(seen.log)) == (NOT_CARRIED_OUT, Withheld)
    (predicted,) = ModelExecutor(environment("4.1", "arm64")).run(lowered.script)
    assert isinstance(predicted, Unpredicted) and "the call is not made" in predicted.reason


def test_what_a_call_that_is_not_made_would_have_named_can_be_referred_to() -> None:
    load = replace(raw(0xA5), name="program")
    script = Script("s", "", (load, Close(Ref("program"))))
    batch, _ = lower([script], guest("4.1"), ["t"])
    closed = [step for step in batch.steps if isinstance(step, Syscall) and step.number == number("arm64", "close")]
    assert [step.arguments[0] for step in closed] == [Immediate(-1)]


def test_no_word_is_found_in_a_log_nobody_asked_for() -> None:
    withheld = Outcome(errno="EINVAL", log=Withheld("instruction"))
    assert not admits(Expectation("EINVAL", log="instruction"), withheld, {})


def test_generated_programs_ask_and_are_told() -> None:
    """Nothing but the rule keeps such a case from killing its guest."""
    operations = [operation for case in cases(1, 1500, era("4.1", "arm64")) for operation in case.operations]
    told = [bool(withheld(one, "4.1")) for one in operations if isinstance(one, LoadProgram) and one.log_level]
    assert any(told) and not all(told)


def test_what_is_known_of_a_kernel_has_its_era() -> None:
    """Or the rule would hold nowhere."""
    assert Guest.of(fake_kernel("linux-4.1", release="4.1.52", version="4.1.52", era="4.1")).era == "4.1"


@pytest.mark.guest
@pytest.mark.kernel_until("4.1")
def test_no_guest_dies_of_a_log(guest: LaneGuest) -> None:
    for code in NAMELESS:
        (logged,), (silent,) = guest.check(loads(code)), guest.check(loads(code, level=0))
        assert logged.errno == silent.errno and isinstance(logged.log, Withheld)
        assert guest.run(raw(code))[0].errno == NOT_CARRIED_OUT
    assert guest.machine.alive
    told = [text for name, text in guest.sections(failed=True) if name.startswith("verifier's log")]
    assert len(told) == 2 * len(NAMELESS) and all("not asked for" in text for text in told)
