# SPDX-License-Identifier: MIT
"""Lockstep on real guests, one boot an architecture: both engines do as the model says, faults that are planted in the
guest are named at their instruction, and a machine that dies meanwhile is told."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.core_scripts import core_scripts
from harness.debug.looking import HIT
from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R6, R7, R8, R9, R10
from harness.isa.opcodes import Helper
from harness.lane import Engine
from harness.lockstep.checking import Checked, check
from harness.lockstep.recording import LockstepLane, LockstepMachine, lockstep_machine
from harness.lockstep.registers import GDB_NUMBERS
from harness.lockstep.selftest import self_test
from harness.script.operations import LoadProgram, ProgramType, Ref, RunSocketFilter, Script
from harness.session import prepare
from hil.gdb.session import GdbSession
from hil.gdb.symbols import symbol_file

pytestmark = pytest.mark.guest

KERNEL = "debian-12"
KEPT = (R6, R7, R8, R9)
CALLS = 3
PROGRAM = asm.program(
    *(asm.ld_imm64(number, 0x1111_1111_1111_1111 * number) for number in KEPT),
    asm.stx(DW, R10, -8, R6),
    *((asm.call(Helper.GET_PRANDOM_U32), asm.mov64_imm(R0, 0)) for _ in range(CALLS)),
    asm.exit_(),
)
"""What the helper does not touch may only change by a fault: four registers and a slot of the stack."""
HELPER = "bpf_user_rnd_u32"
CALLED_AT = [index for index, one in enumerate(PROGRAM.instructions) if one.imm == Helper.GET_PRANDOM_U32 and one.code]
FAULTS = [*(f"R{number}" for number in KEPT), "the stack at r10-8"]
SCRIPT = Script(
    "planted",
    "one run a fault",
    (
        LoadProgram("it", ProgramType.SOCKET_FILTER, PROGRAM),
        *(RunSocketFilter(Ref("it"), b"\0" * 64) for _ in FAULTS),
    ),
)


@pytest.fixture(scope="module", params=["x86_64", "arm64"])
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockstepMachine]:
    with lockstep_machine(KERNEL, prepare(KERNEL, request.param), tmp_path_factory.mktemp("lockstep")) as ready:
        yield ready


@pytest.mark.parametrize("engine", Engine)
def test_an_engine_does_as_the_model_says(machine: LockstepMachine, engine: Engine) -> None:
    lane = machine.lane(engine)
    self_test(lane)
    script = next(one for one in core_scripts(lane.lane.arch, machine.session.kernel.era) if one.name == "counting")
    found = check(lane, script).examined
    assert not found.difference and not found.note
    assert (found.runs, found.steps) == (100, 1400)
    assert found.values > 1000 and found.pointers > 3000 and found.stack > 3000


@pytest.mark.parametrize("engine", Engine)
def test_a_fault_of_the_guest_is_named_at_its_instruction(machine: LockstepMachine, engine: Engine) -> None:
    lane = machine.lane(engine)
    checked = with_faults(lane)
    assert len(checked.compared) == len(FAULTS)
    for number, (compared, fault) in enumerate(zip(checked.compared, FAULTS, strict=True)):
        assert compared.parting, fault
        assert compared.parting.what == fault
        assert compared.model.steps[compared.parting.after].step.pc == CALLED_AT[number % CALLS]


def with_faults(lane: LockstepLane) -> Checked:
    """Runs the script, while gdb changes something at one call of each run."""
    session = lane.session
    with (
        ThreadPoolExecutor(1) as pool,
        GdbSession(session.target, symbol_file(session.kernel, session.target)) as gdb,
    ):
        called = gdb.break_at(HELPER)
        gdb.continue_()
        checked = pool.submit(check, lane, SCRIPT)
        for number in range(len(FAULTS)):
            for call in range(CALLS):
                gdb.wait_for_stop(HIT)
                if call == number % CALLS:
                    plant(gdb, lane, FAULTS[number])
                if (number, call) == (len(FAULTS) - 1, CALLS - 1):
                    gdb.delete(called)
                gdb.continue_()
        return checked.result(HIT.seconds)


def plant(gdb: GdbSession, lane: LockstepLane, fault: str) -> None:
    """Changes one bit of a BPF register, or of the stack, where a helper begins: the machine registers that hold BPF
    state are as they were."""
    names = {number: name for name, number in GDB_NUMBERS[lane.lane.arch].items()}
    compiled = lane.lane.engine is Engine.JIT

    def place(number: int) -> str:
        if compiled:
            return f"${names[lane.group.registers[number]]}"
        array = gdb.registers()[names[lane.group.registers[1]]] + lane.group.windows[1].offset
        return f"*(unsigned long *){array + 8 * number:#x}"

    target = place(int(fault[1:])) if fault.startswith("R") else f"*(unsigned long *)({place(R10)} - 8)"
    gdb.evaluate(f"{target} = {target} ^ 0x10")


def test_a_machine_that_dies_in_the_middle_is_told(machine: LockstepMachine) -> None:
    """The last test on the machine, which it ends."""
    lane = machine.lane(Engine.INTERP)
    session = lane.session
    with GdbSession(session.target, symbol_file(session.kernel, session.target)) as gdb, ThreadPoolExecutor(1) as pool:
        gdb.break_at(HELPER)
        gdb.continue_()
        checked = pool.submit(check, lane, SCRIPT)
        gdb.wait_for_stop(HIT)
        session.target.stop()
        found = checked.result(HIT.seconds).examined
    assert found.note.startswith("it was lost: ")
    assert not session.target.alive
