# SPDX-License-Identifier: MIT
"""Lockstep on real guests, one boot an architecture: both engines do as the model says, faults that are planted in the
guest are named at their instruction, and a machine that dies meanwhile is told."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.abi.pt_regs import pt_regs
from harness.core_scripts import core_scripts
from harness.core_scripts.parts import PRCTL, array, count_hits, kprobe_program, on_our_prctl, prctl, u32
from harness.debug.looking import HIT
from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R1, R2, R3, R6, R7, R8, R9, R10
from harness.isa.opcodes import Helper
from harness.kernel_bugs.bugs import bugs
from harness.lane import Engine
from harness.lockstep.checking import Checked, check, compare
from harness.lockstep.recording import LockstepLane, LockstepMachine, lockstep_machine
from harness.lockstep.registers import GDB_NUMBERS
from harness.lockstep.selftest import self_test
from harness.script.needs import Need
from harness.script.operations import (
    Attach,
    CreateKprobe,
    CreateMap,
    LoadProgram,
    MapType,
    OpenEvent,
    Pin,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
    UpdateElement,
)
from harness.session import prepare
from hil.arch import architecture
from hil.gdb.session import GdbSession
from hil.gdb.symbols import symbol_file
from hil.kernels import store
from tests.harness.lockstep import faults

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
"""What the helper does not touch may only change by a fault: four registers and a slot of the stack, which makes ten
faults an architecture, five in each engine."""
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


TAIL_CALLING = asm.program(
    asm.ld_map(R2, "programs"),
    asm.mov64_imm(R3, 0),
    asm.call(Helper.TAIL_CALL),
    asm.mov64_imm(R0, 1),
    asm.exit_(),
)
CALLING = asm.program(
    asm.mov64_imm(R6, 4),
    asm.mov64_imm(R1, 5),
    asm.call_local(2),
    asm.add64_reg(R0, R6),
    asm.exit_(),
    asm.mov64_reg(R0, R1),
    asm.exit_(),
)
FUNCTION = 5
"""Where the function of `CALLING` begins."""
HITS = 3


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
def test_records_carry_which_program_and_function_it_was_and_on_which_cpu(
    machine: LockstepMachine, engine: Engine
) -> None:
    lane = machine.lane(engine)
    checked = check(lane, several(machine.session.kernel.arch.name))
    assert not checked.examined.difference and not checked.examined.note
    ran = [[step.program.name for step in one.guest] for one in checked.compared]
    caller, functions, elsewhere, *probes = ran
    assert list(dict.fromkeys(caller)) == ["caller", "called"]
    for one, number in ((functions, 1), (elsewhere, 2)):
        assert set(one) == {"functions"}
        steps = checked.compared[number].guest
        assert {step.program.function_of(step.index) for step in steps} == {0, FUNCTION}
    assert [set(one) for one in probes] == [{"first"}, {"second"}] * HITS
    cpus = [{step.record.cpu for step in one.guest} for one in checked.compared]
    assert cpus == [{0}, {0}, {1}, *[{0}] * len(probes)]


def several(arch: str) -> Script:
    """A tail call, a call of a function on each CPU, and two programs on one probe that is hit several times."""
    registers = pt_regs(arch, store.era(KERNEL, architecture(arch)))
    return Script(
        "several",
        "programs that call each other, on two CPUs, and two on a probe",
        (
            CreateMap("programs", MapType.PROG_ARRAY, 4, 4, 1),
            LoadProgram("called", ProgramType.SOCKET_FILTER, asm.program(asm.mov64_imm(R0, 3), asm.exit_())),
            LoadProgram("caller", ProgramType.SOCKET_FILTER, TAIL_CALLING),
            UpdateElement(Ref("programs"), u32(0), Ref("called")),
            LoadProgram("functions", ProgramType.SOCKET_FILTER, CALLING),
            RunSocketFilter(Ref("caller"), b"\0" * 64),
            RunSocketFilter(Ref("functions"), b"\0" * 64),
            Pin(1),
            RunSocketFilter(Ref("functions"), b"\0" * 64),
            Pin(0),
            array("hits"),
            CreateKprobe("probe", PRCTL),
            *(
                step
                for name, verdict in (("first", 1), ("second", 3))
                for step in (
                    kprobe_program(name, on_our_prctl(registers, count_hits(verdict=verdict))),
                    OpenEvent(f"event of {name}", Ref("probe")),
                    Attach(Ref(f"event of {name}"), Ref(name)),
                )
            ),
            prctl(times=HITS),
        ),
        needs=frozenset({Need.KPROBES, Need.TWO_CPUS}),
    )


@pytest.mark.parametrize("engine", Engine)
def test_a_branch_that_the_verifier_removed_wrongly_is_named(machine: LockstepMachine, engine: Engine) -> None:
    """An error that this kernel has."""
    bug = next(one for one in bugs() if one.id == "jmp32-pointer-zero")
    found = check(machine.lane(engine), bug.script()).examined.difference
    assert found and (found.text, found.what) == ("(56) if w7 != 0x0 goto pc+1", "R0")
    assert (found.model, found.guest) == (f"{int(bug.right):#x}", f"{int(bug.wrong):#x}")
    branch, model, kernel, *_ = found.removed
    assert branch.startswith(
        f"branch removed: instruction {found.instruction}, (56) if w7 != 0x0 goto pc+1, is not there"
    )
    assert model.startswith("by the model it compares w7=0x0, and goes to ")
    assert kernel.startswith("the kernel has w7=0x0 of R7=0xff")


@pytest.mark.parametrize("engine", Engine)
def test_a_fault_of_the_model_is_named_at_its_instruction(machine: LockstepMachine, engine: Engine) -> None:
    lane = machine.lane(engine)
    recorded = lane.record(faults.SCRIPT)
    equal = compare(lane.environment, faults.SCRIPT, recorded).examined
    assert equal.whole and not equal.difference
    tables = {index: faults.planted(lane.environment, name) for name, index in faults.FAULTS.items()}
    tables[faults.JUMP] = faults.never_jumping(lane.environment)
    assert len(tables) == 20
    named = {index: compare(lane.environment, faults.SCRIPT, recorded, one) for index, one in tables.items()}
    assert {at: one.examined.difference and one.examined.difference.instruction for at, one in named.items()} == {
        index: index for index in tables
    }


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
