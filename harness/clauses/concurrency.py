"""Several CPUs: programs that run at the same time, and what is done to them while they run.

What hangs on timing is expected between bounds; what does not, exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.abi.bpf import F_CURRENT_CPU
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, PROGRAM, RING, SPARE, hits_are, holds
from harness.core_scripts.parts import (
    PRCTL,
    array,
    count_hits,
    element,
    kprobe_program,
    on_our_prctl,
    prctl,
    probed,
    read_u64,
    u32,
    u64,
)
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R10,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    jne_imm,
    ld_imm64,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
    xadd,
)
from harness.script.clause import FIRST, WORKS, Clause, Said, Step, expect, records
from harness.script.expectation import Expectation
from harness.script.needs import Need
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    CreateMap,
    DeleteElement,
    Disable,
    Enable,
    LookupElement,
    MapRing,
    MapType,
    OpenEvent,
    OpenOutputEvent,
    Operation,
    Pin,
    Program,
    ReadCount,
    ReadRing,
    Ref,
    RunThreads,
    Thread,
    Trigger,
    UpdateElement,
)

TWO_CPUS = frozenset({Need.KPROBES, Need.TWO_CPUS})
MANY = 120
"""Hits of a burst: enough for CPUs to meet, and so few that two bursts are counted within one byte, which no reader can
see half of."""
HITS = Ref("hits")
WRITTEN = 0x5A5A
"""Bytes we write, and nobody else."""
NOTHING_SAID: Mapping[str, Said] = {}


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return (*_counting(registers), *_attaching(registers), *_maps(registers), *_events(registers), *_output(registers))


def together(*threads: Iterable[Operation | Step]) -> Step:
    """Thread after thread on CPU 0, 1 and so on; what is said of their operations is said of 4.1 and all later ones."""
    steps = [[step if isinstance(step, Step) else Step(step, NOTHING_SAID) for step in thread] for thread in threads]
    operation = RunThreads(
        tuple(Thread(cpu, tuple(step.operation for step in thread)) for cpu, thread in enumerate(steps))
    )
    said = tuple(tuple(step.expected(FIRST) for step in thread) for thread in steps)
    return expect(operation, Expectation(value=0, threads=said))


def between(least: int, most: int, key: int = 0) -> Step:
    """The counter is somewhere in there."""
    return expect(read_u64("hits", key), Expectation(value=0, data=range(least, most + 1)))


def reset() -> Step:
    return expect(UpdateElement(HITS, u32(0), u64(0)), 0)


def _clause(id: str, sentence: str, *steps: Operation | Step, **facts: str) -> Clause:
    return Clause(id, sentence, steps, TWO_CPUS, **facts)


def _increment() -> tuple[Piece, ...]:
    """Adds to the first element without atomicity, giving other CPUs time in between."""
    return (
        *element("hits"),
        mov64_reg(R7, R0),
        ldx(DW, R8, R7, 0),
        [call(Helper.KTIME_GET_NS)] * 15,
        add64_imm(R8, 1),
        stx(DW, R7, 0, R8),
        mov64_imm(R0, 1),
    )


def _counting(registers: PtRegs) -> tuple[Clause, ...]:
    writes = Trigger("write_null", (0, WRITTEN), MANY)
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    by_cpu = (
        array("hits", entries=2),
        *probed(on_our_prctl(registers, _count_by_cpu())),
        prctl(times=3),
        together([prctl(times=MANY)], [prctl(times=MANY // 2)]),
        expect(Pin(1), 0),
        prctl(times=5),
        holds("hits", 3 + MANY),
        holds("hits", 5 + MANY // 2, key=1),
    )
    return (
        _clause(
            "RUN-56",
            "A program that runs on two CPUs at the same time loses none of its atomic additions",
            *counted,
            together([prctl(times=MANY)], [prctl(times=MANY)]),
            hits_are(2 * MANY),
        ),
        _clause(
            "RUN-56.four",
            "A program that four threads on two CPUs reach loses none of its atomic additions",
            *counted,
            expect(RunThreads(tuple(Thread(number % 2, (prctl(times=20),)) for number in range(4))), WORKS),
            hits_are(80),
        ),
        _clause(
            "RUN-56.return",
            "A program on a return probe that is hit on two CPUs at the same time runs for every hit",
            array("hits"),
            *probed(_count_returns(registers), symbol="write_null", returns=True),
            together([writes], [writes]),
            hits_are(2 * MANY),
        ),
        _clause(
            "RUN-56.not-atomic",
            "A program that runs on two CPUs at the same time may lose additions that are not atomic, but not all",
            array("hits"),
            *probed(on_our_prctl(registers, _increment())),
            together([prctl(times=MANY)], [prctl(times=MANY)]),
            between(2, 2 * MANY),
        ),
        _clause(
            "RUN-56.not-atomic-one-cpu",
            "A program that two threads on one CPU reach loses no addition: no other thread interrupts it",
            array("hits"),
            *probed(on_our_prctl(registers, _increment())),
            expect(RunThreads(tuple(Thread(1, (prctl(times=MANY),)) for _ in range(2))), WORKS),
            hits_are(2 * MANY),
        ),
        _clause(
            "H-07.where",
            "bpf_get_smp_processor_id returns the CPU that the program runs on",
            *by_cpu,
            since="5.10",
            until="6.12",
        ),
        # The interpreter of 7.2 for arm64 does not have the helper.
        Clause(
            "H-07.where-jit",
            "bpf_get_smp_processor_id returns the CPU that a translated program runs on",
            by_cpu,
            TWO_CPUS | {Need.JIT},
            since="7.2",
        ),
    )


def _attaching(registers: PtRegs) -> tuple[Clause, ...]:
    opened = (
        array("hits"),
        kprobe_program("program", on_our_prctl(registers, count_hits())),
        CreateKprobe("probe", PRCTL),
        OpenEvent("event", PROBE, pid=-1, cpu=0),
    )
    fires = [prctl(times=MANY)]
    return (
        _clause(
            "RUN-57.meanwhile",
            "A program that is attached while its probe is hit runs for every hit from then on",
            *opened,
            together(fires, [expect(Attach(EVENT, PROGRAM), 0)]),
            between(0, MANY),
            reset(),
            prctl(times=3),
            hits_are(3),
        ),
        _clause(
            "ATTACH-12.meanwhile",
            "One of two threads that attach a program to the same event at the same time succeeds, and the "
            "program runs once a hit",
            *opened,
            together([Attach(EVENT, PROGRAM)], [Attach(EVENT, PROGRAM)]),
            prctl(times=3),
            hits_are(3),
            expect(Attach(EVENT, PROGRAM), "EEXIST"),
        ),
        _clause(
            "RUN-57.open",
            "A perf event may be opened and get a program while another trace event on the same function is hit",
            *opened,
            expect(Attach(EVENT, PROGRAM), 0),
            CreateKprobe("other", PRCTL),
            together(
                fires,
                [expect(OpenEvent("spare", Ref("other")), WORKS), expect(Attach(SPARE, PROGRAM), 0)],
            ),
            between(MANY, 2 * MANY),
            reset(),
            prctl(times=3),
            hits_are(6),
        ),
        _clause(
            "DET-12",
            "A program that is detached while its probe is hit does not run for any hit after close(2) has returned",
            *opened,
            expect(Attach(EVENT, PROGRAM), 0),
            together(fires, [expect(Close(EVENT), 0)]),
            between(0, MANY),
            reset(),
            prctl(times=3),
            hits_are(0),
        ),
        _clause(
            "DET-12.again",
            "A program may be detached and attached again while its probe is hit",
            *opened,
            together(
                fires,
                [
                    expect(Attach(EVENT, PROGRAM), 0),
                    expect(Close(EVENT), 0),
                    expect(OpenEvent("spare", PROBE), WORKS),
                    expect(Attach(SPARE, PROGRAM), 0),
                    expect(Close(SPARE), 0),
                ],
            ),
            between(0, MANY),
            reset(),
            prctl(times=3),
            hits_are(0),
        ),
        _clause(
            "RUN-44.meanwhile",
            "Disabling a perf event while its probe is hit changes its count, not how often the program runs",
            *opened,
            expect(Attach(EVENT, PROGRAM), 0),
            together(fires, [expect(Disable(EVENT), 0), expect(Enable(EVENT), 0)]),
            hits_are(MANY),
            expect(ReadCount(EVENT), Expectation(value=range(MANY + 1))),
        ),
    )


def _maps(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    by_key = (CreateMap("hits", MapType.HASH, 4, 8, 4), *probed(on_our_prctl(registers, count_hits())))
    fires = [prctl(times=MANY)]
    look = LookupElement(HITS, u32(0), 8)
    seen = expect(look, Expectation(value=0, data=range(MANY + 1)))
    return (
        _clause(
            "MAP-51.read",
            "BPF_MAP_LOOKUP_ELEM of an element that a program counts in at the same time returns a count it had",
            *counted,
            together(fires, [seen, seen, seen]),
            hits_are(MANY),
        ),
        _clause(
            "MAP-51.store",
            "BPF_MAP_UPDATE_ELEM of an element that a program counts in at the same time loses neither what "
            "it stores nor what is counted after it",
            *counted,
            together(fires, [expect(UpdateElement(HITS, u32(0), u64(MANY)), 0)]),
            between(MANY, 2 * MANY),
        ),
        _clause(
            "MAP-51",
            "An element of a hash map may be deleted and inserted again while a program counts in it",
            *by_key,
            expect(UpdateElement(HITS, u32(0), u64(0)), 0),
            together(
                fires,
                [expect(DeleteElement(HITS, u32(0)), 0), expect(UpdateElement(HITS, u32(0), u64(0)), 0), seen],
            ),
            between(0, MANY),
            reset(),
            prctl(times=3),
            hits_are(3),
        ),
        _clause(
            "MAP-51.absent",
            "A program counts in an element of a hash map from when another thread has inserted it",
            *by_key,
            together(fires, [look, expect(UpdateElement(HITS, u32(0), u64(0), 1), 0), seen]),
            between(0, MANY),
        ),
        _clause(
            "MAP-51.twice",
            "One of two threads that delete the same element at the same time succeeds",
            *by_key,
            expect(UpdateElement(HITS, u32(0), u64(0)), 0),
            together([DeleteElement(HITS, u32(0))], [DeleteElement(HITS, u32(0))]),
            expect(look, "ENOENT"),
        ),
        _clause(
            "MAP-51.full",
            "One of two threads that insert at the same time where there is room for one element succeeds",
            CreateMap("hits", MapType.HASH, 4, 8, 1),
            together(
                [UpdateElement(HITS, u32(1), u64(5))],
                [UpdateElement(HITS, u32(2), u64(5))],
            ),
            expect(UpdateElement(HITS, u32(3), u64(5)), "E2BIG"),
        ),
    )


def _events(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), kprobe_program("program", on_our_prctl(registers, count_hits())))
    on_both = [
        operation
        for cpu in range(2)
        for operation in (
            OpenEvent(f"event {cpu}", PROBE, cpu=cpu),
            MapRing(f"ring {cpu}", Ref(f"event {cpu}")),
        )
    ]
    return (
        _clause(
            "PEO-09.where",
            "A perf event for one CPU counts and records hits on that CPU only; its program runs for hits on all",
            *counted,
            CreateKprobe("probe", PRCTL),
            *on_both,
            Attach(Ref("event 1"), PROGRAM),
            prctl(times=3),
            expect(Pin(1), 0),
            prctl(times=4),
            hits_are(7),
            *_each(ReadCount, "event", 3, 4),
            *_each(ReadRing, "ring", records(3), records(4)),
        ),
        _clause(
            "PEO-08.where",
            "A perf event for every task on a CPU counts and records the hits of any thread on that CPU",
            CreateKprobe("probe", PRCTL),
            OpenEvent("event 0", PROBE, pid=-1, cpu=0),
            OpenEvent("event 1", PROBE, pid=-1, cpu=1),
            MapRing("ring", Ref("event 1")),
            together([prctl(times=20)], [prctl(times=30)]),
            *_each(ReadCount, "event", 20, 30),
            expect(ReadRing(RING), records(30)),
        ),
        _clause(
            "RUN-45.thread",
            "A perf event for a thread counts none of another thread's hits, on whatever CPU",
            CreateKprobe("probe", PRCTL),
            OpenEvent("event", PROBE),
            together([prctl(times=20)], [prctl(times=30)]),
            expect(ReadCount(EVENT), 0),
            prctl(times=2),
            expect(ReadCount(EVENT), 2),
        ),
        _clause(
            "PEO-09.own",
            "A perf event that a thread opened for itself keeps its count when the thread has ended",
            CreateKprobe("probe", PRCTL),
            together(
                [prctl(times=20)],
                [expect(OpenEvent("event", PROBE), WORKS), prctl(times=30)],
            ),
            prctl(times=2),
            expect(ReadCount(EVENT), 30),
        ),
    )


def _output(registers: PtRegs) -> tuple[Clause, ...]:
    """Programs that hand data to the event of the CPU they run on."""
    put = (
        mov64_reg(R1, R6),
        ld_map(R2, "map"),
        ld_imm64(R3, F_CURRENT_CPU),
        st(DW, R10, -8, 5),
        mov64_reg(R4, R10),
        add64_imm(R4, -8),
        mov64_imm(R5, 8),
        call(Helper.PERF_EVENT_OUTPUT),
    )
    on_each = [
        step
        for cpu in range(2)
        for step in (
            expect(OpenOutputEvent(f"out {cpu}", pid=-1, cpu=cpu), WORKS),
            MapRing(f"ring {cpu}", Ref(f"out {cpu}")),
            expect(UpdateElement(Ref("map"), u32(cpu), Ref(f"out {cpu}")), 0),
        )
    ]
    return (
        _clause(
            "PEA-60",
            "bpf_perf_event_output with BPF_F_CURRENT_CPU writes into the ring of the CPU the program runs "
            "on, also on two CPUs at the same time",
            CreateMap("map", MapType.PERF_EVENT_ARRAY, 4, 4, 2),
            *probed(on_our_prctl(registers, put)),
            *on_each,
            together([prctl(times=20)], [prctl(times=30)]),
            *_each(ReadRing, "ring", records(20), records(30)),
            prctl(times=2),
            *_each(ReadRing, "ring", records(2), records(0)),
            since="5.10",
        ),
    )


def _each(kind: type, name: str, *said: Said) -> Iterable[Step]:
    """Of "event 0", "event 1" and so on."""
    return [expect(kind(Ref(f"{name} {number}")), wanted) for number, wanted in enumerate(said)]


def _count_returns(registers: PtRegs) -> Program:
    """Counts returns with our own value."""
    return program(
        ldx(DW, R0, R1, registers.offsets[registers.returns]),
        jeq_imm(R0, WRITTEN, 1),
        exit_(),
        count_hits(),
        exit_(),
    )


def _count_by_cpu() -> tuple[Piece, ...]:
    """Adds to the element of the CPU."""
    return (
        call(Helper.GET_SMP_PROCESSOR_ID),
        stx(W, R10, -4, R0),
        mov64_reg(R2, R10),
        add64_imm(R2, -4),
        ld_map(R1, "hits"),
        call(Helper.MAP_LOOKUP_ELEM),
        jne_imm(R0, 0, 1),
        exit_(),
        mov64_imm(R1, 1),
        xadd(DW, R0, 0, R1),
        mov64_imm(R0, 1),
    )
