# SPDX-License-Identifier: MIT
"""Lowering is checked where it can be without a guest: shapes of batches and the way back from steps to operations."""

import errno

import pytest

from harness.abi.bpf import PROG_LOAD_TYPED, Command
from harness.abi.system_calls import number
from harness.core_scripts import core_scripts
from harness.isa.assemble import R0, Function, call_local, exit_, mov64_imm, program
from harness.lowering import events
from harness.lowering.context import Guest, Lowering
from harness.lowering.lower import Lowered
from harness.lowering.lower import lower as lower_together
from harness.script.operations import (
    Attach,
    Buffer,
    Close,
    CreateKprobe,
    CreateMap,
    Duplicate,
    Exit,
    Fork,
    LoadProgram,
    LookupElement,
    MapRing,
    MapRingBuffer,
    MapType,
    OpenEvent,
    OpenFile,
    Operation,
    Part,
    ProgramType,
    RawBpf,
    ReadRing,
    ReadRingBuffer,
    Ref,
    RemoveKprobe,
    RunSocketFilter,
    RunThreads,
    SampleType,
    Script,
    Thread,
    Trigger,
    Unmap,
    WriteKprobeEvents,
)
from harness.script.outcome import Outcome
from hil.agent.builder import BatchBuilder
from hil.agent.results import BatchResult, End, How, Status, StepResult
from hil.agent.steps import Address, Batch, Immediate, Load, Pin, Read, Result, Skip, Store, Syscall, Write

GUEST = Guest(arch="x86_64", version_code=0x60180)


def lower(script: Script, guest: Guest, tag: str) -> tuple[Batch, Lowered]:
    batch, (lowered,) = lower_together([script], guest, [tag])
    return batch, lowered


def calls(script: Script, guest: Guest = GUEST) -> list[Syscall]:
    return [step for step in lower(script, guest, "t")[0].steps if isinstance(step, Syscall)]


def test_an_operation_finds_its_way_back_from_any_of_its_steps() -> None:
    script = Script("s", "", (CreateMap("m", MapType.ARRAY, 4, 8, 1), CreateKprobe("p", "f"), Close(Ref("m"))))
    batch, lowered = lower(script, GUEST, "t")
    assert lowered.first_steps[0] == 1 and batch.steps[0] == Pin(Immediate(0))  # which belongs to the first, too
    assert lowered.operation_at(0) == 0
    for index, first in enumerate(lowered.first_steps):
        assert lowered.operation_at(first) == index
    assert lowered.operation_at(lowered.first_steps[2] - 1) == 1
    assert lowered.operation_at(len(batch.steps) - 1) == 2  # the clean-up belongs to the last


def test_a_name_is_the_result_of_the_step_that_made_it() -> None:
    create, close = calls(Script("s", "", (CreateMap("m", MapType.ARRAY, 4, 8, 1), Close(Ref("m")))))
    assert (create.number, close.number) == (321, 3)
    assert close.arguments == (Result(1),)


@pytest.mark.parametrize(("arch", "ioctl", "opener"), [("x86_64", 16, 298), ("arm64", 29, 241)])
def test_numbers_of_system_calls_are_the_architectures(arch: str, ioctl: int, opener: int) -> None:
    script = Script("s", "", (OpenEvent("e", 7), Attach(Ref("e"), 5)))
    opened, attached = calls(script, Guest(arch=arch, version_code=0))
    assert opened.number == opener
    assert (attached.number, attached.arguments) == (ioctl, (Result(1), Immediate(0x40042408), Immediate(5)))


def test_probes_are_removed_after_everything_that_keeps_them_busy_is_closed() -> None:
    script = Script("s", "", (CreateKprobe("p", "f"), OpenEvent("e", Ref("p")), MapRing("r", Ref("e"))))
    batch, _ = lower(script, GUEST, "tag")
    numbers = [step.number for step in batch.steps if isinstance(step, Syscall)]
    munmap, close, write = 11, 3, 1
    tail = numbers[numbers.index(munmap) :]
    assert tail.index(close) < tail.index(write)
    image = b"".join(write.data for write in batch.image)
    assert b"p:hil/tag_p f\n" in image and b"-:hil/tag_p\n" in image


def test_repeated_triggers_are_one_block() -> None:
    one, many = (lower(Script("s", "", (Trigger("cap_task_prctl", (1,), times),)), GUEST, "t") for times in (1, 10_000))
    assert len(one[0].steps) == len(many[0].steps)


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_every_essential_script_can_be_lowered(arch: str) -> None:
    for script in core_scripts(arch, "6.1"):
        _, lowered = lower(script, Guest(arch=arch, version_code=0), "t")
        assert len(lowered.readers) == len(lowered.first_steps) == len(script.operations)


def test_values_read_back_have_the_size_asked_for() -> None:
    batch, _ = lower(Script("s", "", (LookupElement(3, b"\0" * 4, 24),)), GUEST, "t")
    assert batch.arena >= 24 + 4


def test_scripts_that_share_a_process_close_what_they_opened() -> None:
    one = Script("one", "", (OpenFile("f"), CreateMap("m", MapType.ARRAY, 4, 8, 1)))
    two = Script("two", "", (OpenFile("f"), Close(Ref("f"))))
    batch, (first, second) = lower_together([one, two], GUEST, ["a", "b"])
    closed = [step.arguments for step in batch.steps[: first.end] if isinstance(step, Syscall) and step.number == 3]
    assert closed == [(Result(first.first_steps[0]),), (Result(first.first_steps[1]),)]
    # Names do not reach over to the next script.
    assert batch.steps[second.first_steps[1]] == Syscall(3, (Result(second.first_steps[0]),))
    assert second.end == len(batch.steps)


def outcomes(script: Script, *returned: StepResult | None) -> list[Outcome]:
    """What the operations' readers make of the results of the script's first steps, behind the pinning."""
    _, lowered = lower(script, GUEST, "t")
    return [reader(BatchResult(End(How.COMPLETED), (done(0), *returned))) for reader in lowered.readers]


def done(value: int, errno: int = 0) -> StepResult:
    return StepResult(Status.DONE, value, errno)


def test_a_ring_that_was_not_mapped_cannot_be_unmapped() -> None:
    script = Script("s", "", (MapRing("r", 9), Unmap(Ref("r"))))
    skipped = StepResult(Status.SKIPPED, -1)
    failed = outcomes(script, done(-9, 9), skipped, skipped)
    assert failed == [Outcome(errno="EBADF"), Outcome(errno="EBADF")]
    assert outcomes(script, done(1 << 20), done(0), done(0)) == [Outcome(value=0), Outcome(value=0)]
    batch, _ = lower(script, GUEST, "t")
    assert isinstance(batch.steps[2], Skip) and batch.steps[2].condition == Result(1)


RING, BUFFER = MapRing("r", 9), MapRingBuffer("b", 9, 4096)
LOADS, UNMAPS = (Load, Read, Store), (Unmap(Ref("r")), Unmap(Ref("b")))
READS = (ReadRing(Ref("r")), ReadRingBuffer(Ref("b")))


@pytest.mark.parametrize(
    "operations",
    [
        (RING, BUFFER, *UNMAPS, *READS),
        (RING, BUFFER, Fork(), *READS, Exit()),
        (RING, BUFFER, RunThreads((Thread(0, UNMAPS), Thread(1, (Close(9),)))), *READS),
    ],
)
def test_memory_that_is_not_mapped_is_not_read(operations: tuple[Operation, ...]) -> None:
    """Whoever does is killed by SIGSEGV, and the script with it."""
    batch, lowered = lower(Script("s", "", operations), GUEST, "t")
    places = [index for index, operation in enumerate(operations) if operation in READS]
    ends = [*lowered.first_steps, len(batch.steps)]
    steps = [step for place in places for step in batch.steps[ends[place] : ends[place + 1]]]
    assert not [step for step in steps if isinstance(step, LOADS)]
    results = BatchResult(End(How.COMPLETED), tuple(done(0) for _ in batch.steps))
    assert [lowered.readers[place](results).errno for place in places] == ["EBADF", "EBADF"]


def test_what_a_child_unmaps_its_parent_still_has() -> None:
    script = (RING, Fork(), Unmap(Ref("r")), Exit(), ReadRing(Ref("r")))
    batch, lowered = lower(Script("s", "", script), GUEST, "t")
    assert [step for step in batch.steps[lowered.first_steps[4] :] if isinstance(step, Load)]


def test_half_a_buffer_is_none() -> None:
    """Its first page may be refused while the rest is not; the hole that a failed mmap(2) leaves is not read."""
    script = Script("s", "", (BUFFER, READS[1], UNMAPS[1]))
    batch, _ = lower(script, GUEST, "t")
    skipped = StepResult(Status.SKIPPED, -125)
    said = outcomes(script, done(-1, 1), done(1), skipped, *[skipped] * (len(batch.steps) - 4))
    assert [outcome.errno for outcome in said] == ["EPERM", "EBADF", "EBADF"]
    assert [step.condition for step in batch.steps if isinstance(step, Skip)] == [Result(1), Result(3), Result(3)]


def test_samples_are_read_alike_through_a_copy_of_the_descriptor() -> None:
    lowering = Lowering(GUEST, "t", BatchBuilder())
    events.open_event(lowering, OpenEvent("e", 7, sample_type=SampleType.TIME))
    events.duplicate(lowering, Duplicate("copy", Ref("e")))
    events.map_ring(lowering, MapRing("r", Ref("copy")))
    assert lowering.mappings["r"].sampling.type == SampleType.TIME


@pytest.mark.parametrize(
    ("errnos", "outcome"),
    [
        ((0, 0, 0, 0), Outcome(value=4)),
        ((0, 0, 0, 11), Outcome(value=0)),
        ((0, 0, 0, 14), Outcome(errno="EFAULT")),
        ((0, 22, 0, 11), Outcome(errno="EINVAL")),
        ((24, 9, 9, 9), Outcome(errno="EMFILE")),
    ],
)
def test_a_packet_arrives_is_dropped_or_something_failed(errnos: tuple[int, ...], outcome: Outcome) -> None:
    script = Script("s", "", (RunSocketFilter(5, b"packet"),))
    batch, _ = lower(script, GUEST, "t")
    codes = iter(errnos)
    results: list[StepResult] = []
    for step in batch.steps:
        if isinstance(step, Syscall) and step.number != 3:  # close(2) may fail as it likes
            errno = next(codes)
            results.append(done(-errno if errno else 4, errno))
        else:
            results.append(done(0))
    assert outcomes(script, *results[1:]) == [outcome]
    # No pair was made, so no descriptor is closed but -1.
    assert any(write.data == b"\xff" * 8 for write in batch.image)


def test_each_guarded_buffer_ends_at_a_guard_of_its_own() -> None:
    """A guard that two buffers shared was behind the first one only, and there was none in structures."""
    key, value, written = (Buffer(bytes([letter]) * size, guarded=True) for letter, size in ((1, 4), (2, 5), (3, 4096)))
    lookup = RawBpf(1, (Part(0, 4, 7), Part(8, 8, key), Part(16, 8, value)), length=24, size=24)
    batch, _ = lower(Script("s", "", (lookup, Trigger("write_null", (written, 4096)), lookup)), GUEST, "t")
    arena = [step for step in batch.steps if isinstance(step, Syscall) and step.number == 10]
    guards = [step.arguments[0] for step in arena]
    assert len(set(guards)) == len(guards) == 7
    for guard in guards:
        assert isinstance(guard, Address) and guard.offset % 4096 == 0
    ends = [step.place + len(step.data) for step in batch.steps if isinstance(step, Write)]
    assert ends == guards
    stored = [step.value for step in batch.steps if isinstance(step, Store) and step.width == 8]
    assert [value + size for value, size in zip(stored, (4, 5, 4, 5), strict=True)] == [guards[i] for i in (1, 2, 5, 6)]


def test_a_probe_that_could_not_be_removed_is_removed_in_the_end() -> None:
    """It stayed in the guest for good. One that is gone is left alone, since kernels complain."""
    probe, event = CreateKprobe("p", "f"), OpenEvent("e", Ref("p"))
    batch, lowered = lower(Script("s", "", (probe, event, RemoveKprobe(Ref("p")))), GUEST, "t")
    removal = next(index for index in range(lowered.first_steps[2], lowered.end) if _writes(batch, index))
    cleaning = next(index for index in range(removal + 1, lowered.end) if _writes(batch, index))
    first, second = (step for step in batch.steps[removal + 1 : cleaning] if isinstance(step, Skip) and step.count != 2)
    assert (first.condition, first.count) == (Result(removal), 1)
    assert second.condition == Immediate(-1)
    assert batch.steps.index(second) + second.count == len(batch.steps) - 1


@pytest.mark.parametrize(("commands", "removals"), [(["p:{}q f"], 1), (["p:{}q f", "-:{}q"], 2), (["# p:{}q f"], 0)])
def test_a_probe_that_was_made_by_a_command_is_removed_too(commands: list[str], removals: int) -> None:
    batch, _ = lower(Script("s", "", tuple(map(WriteKprobeEvents, commands))), GUEST, "t")
    assert b"".join(write.data for write in batch.image).count(b"-:hil/t_q\n") == removals


def _writes(batch: Batch, index: int) -> bool:
    step = batch.steps[index]
    return isinstance(step, Syscall) and step.number == 1


def test_nothing_is_read_where_a_ring_could_not_be_mapped() -> None:
    """mmap(2) that fails there may leave a hole."""
    script = Script("s", "", (CreateMap("m", MapType.ARRAY, 4, 8, 1), MapRing("r", Ref("m")), ReadRing(Ref("r"))))
    batch, lowered = lower(script, GUEST, "t")
    first = lowered.first_steps[2]
    (mapped,) = (index for index, step in enumerate(batch.steps) if isinstance(step, Syscall) and step.number == 9)
    skip = batch.steps[first]
    assert isinstance(skip, Skip) and skip.condition == Result(mapped)
    assert first + 1 + skip.count >= first + 5


def test_types_of_functions_are_made_before_the_program_and_closed_after_it() -> None:
    code = program(Function("main"), call_local("one"), exit_(), Function("one"), mov64_imm(R0, 1), exit_())
    loads = calls(Script("s", "", (LoadProgram("p", ProgramType.SOCKET_FILTER, code),)))
    numbers = {name: number("x86_64", name) for name in ("bpf", "close")}
    assert [call.number for call in loads[:3]] == [numbers["bpf"], numbers["bpf"], numbers["close"]]
    commands = [call.arguments[0] for call in loads[:2]]
    assert commands == [Immediate(Command.BTF_LOAD), Immediate(Command.PROG_LOAD)]
    assert loads[1].arguments[2] == Immediate(PROG_LOAD_TYPED.size)


@pytest.mark.parametrize(
    ("types", "loaded", "said"),
    [((-1, errno.EINVAL), (-1, errno.E2BIG), "EINVAL"), ((5, 0), (-1, errno.EACCES), "EACCES"), ((5, 0), (6, 0), None)],
)
def test_types_that_are_refused_are_why_the_program_is(
    types: tuple[int, int], loaded: tuple[int, int], said: str | None
) -> None:
    code = program(Function("main"), mov64_imm(R0, 1), exit_())
    batch, lowered = lower(Script("s", "", (LoadProgram("p", ProgramType.SOCKET_FILTER, code),)), GUEST, "t")
    given = iter((types, loaded))
    bpf = number("x86_64", "bpf")
    steps = (
        done(*next(given)) if isinstance(step, Syscall) and step.number == bpf else done(0) for step in batch.steps
    )
    (outcome,) = lowered.observations(BatchResult(End(How.COMPLETED), tuple(steps)))
    assert outcome.errno == said
