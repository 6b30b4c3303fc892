"""tracefs' kprobe_events: making and removing trace events; kernel/trace/trace_kprobe.c."""

from __future__ import annotations

from collections.abc import Mapping

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, PROGRAM, accepted
from harness.essentials.parts import PRCTL, prctl
from harness.script.clause import WORKS, Clause, Said, Step, expect
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    FindTracepoint,
    OpenEvent,
    Operation,
    ReadCount,
    Ref,
    RemoveKprobe,
    WriteKprobeEvents,
)


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return (
        _clause("KP-02", "an entry probe by symbol", expect(CreateKprobe("probe", PRCTL), WORKS)),
        _clause("KP-03", "a return probe by symbol", expect(CreateKprobe("probe", PRCTL, returns=True), WORKS)),
        *(
            _clause(
                f"KP-04.{what}",
                "without a name the trace event is called after its symbol, in group kprobes",
                expect(WriteKprobeEvents(f"{what[0]} {PRCTL}"), 0),
                expect(FindTracepoint("default", f"kprobes/{what[0]}_{PRCTL}_0"), WORKS),
                expect(WriteKprobeEvents(f"-:kprobes/{what[0]}_{PRCTL}_0"), 0),
            )
            for what in ("probe", "return")
        ),
        _clause(
            "KP-11",
            "of an offset that is negative nothing is made, though in 4.1 the write succeeds",
            expect(WriteKprobeEvents(f"p:{{}}negative {PRCTL}-4"), 0, {"5.10": "EINVAL"}),
            expect(WriteKprobeEvents("-:{}negative"), "ENOENT"),
        ),
        _clause(
            "KP-08",
            "a function there is not; 6.12 says EINVAL",
            expect(CreateKprobe("probe", "no_such_function"), "ENOENT", {"6.12": "EINVAL"}),
        ),
        _clause(
            "KP-16",
            "a trace event is removed once",
            CreateKprobe("probe", PRCTL),
            expect(RemoveKprobe(PROBE), 0),
            expect(RemoveKprobe(PROBE), "ENOENT"),
        ),
        _clause("KP-16.absent", "and must be there", expect(WriteKprobeEvents("-:{}probe"), "ENOENT")),
        _clause(
            "KP-16.busy",
            "and not in use",
            CreateKprobe("probe", PRCTL),
            OpenEvent("event", PROBE),
            expect(RemoveKprobe(PROBE), "EBUSY"),
            Close(EVENT),
            expect(RemoveKprobe(PROBE), 0),
        ),
        _clause(
            "KP-18",
            "each of many trace events has a number of its own",
            *(CreateKprobe(f"probe{number}", PRCTL) for number in range(8)),
            *(OpenEvent(f"event {number}", Ref(f"probe{number}")) for number in range(8)),
            prctl(),
            *(expect(ReadCount(Ref(f"event {number}")), 1) for number in range(8)),
        ),
        _clause(
            "KP-14",
            "after a trace event was removed its name is free",
            CreateKprobe("probe", PRCTL),
            RemoveKprobe(PROBE),
            accepted("program"),
            expect(CreateKprobe("probe", PRCTL, returns=True), WORKS),
            OpenEvent("event", PROBE),
            expect(Attach(EVENT, PROGRAM), 0),
        ),
        *(_made(*row) for row in _MADE),
        *(_refused(*row) for row in _REFUSED),
        _clause(
            "KP-12.offset",
            "a return probe is at a function's entry, not inside",
            expect(CreateKprobe("probe", PRCTL, returns=True, offset=1), "EINVAL"),
        ),
        _clause(
            "KP-15",
            "the same probe under the same name again: 4.1 replaces the first, later kernels refuse the second",
            expect(WriteKprobeEvents(f"p:{{}}twice {PRCTL}"), 0),
            expect(WriteKprobeEvents(f"p:{{}}twice {PRCTL}"), 0, {"5.10": "EEXIST"}),
            expect(WriteKprobeEvents("-:{}twice"), 0),
        ),
        _clause("KP-07", "a comment is no command", expect(WriteKprobeEvents("# nothing"), 0)),
        _clause("KP-07.blank", "nor is an empty line", expect(WriteKprobeEvents(""), 0)),
    )


def _clause(id: str, sentence: str, *steps: Operation | Step) -> Clause:
    return Clause(id, sentence, steps)


_MADE: tuple[tuple[str, str, str], ...] = (
    ("KP-21.stack", "the stack can be fetched", f"p:{{}}probe {PRCTL} $stack"),
    ("KP-21.stack-slot", "or a slot of it", f"p:{{}}probe {PRCTL} $stack0"),
    ("KP-21.retval", "or what is returned", f"r:{{}}probe {PRCTL} $retval"),
    ("KP-21.named", "under a name and as a type", f"r:{{}}probe {PRCTL} result=$retval:s32"),
    ("KP-21.memory", "or what a symbol's address holds", f"p:{{}}probe {PRCTL} +0($stack):u64"),
    ("KP-02.offset-zero", "an offset of 0 is the symbol", f"p:{{}}probe {PRCTL}+0"),
)


def _made(id: str, sentence: str, command: str) -> Clause:
    return _clause(
        id,
        f"kprobe_events takes: {sentence}",
        expect(WriteKprobeEvents(command), 0),
        expect(WriteKprobeEvents("-:{}probe"), 0),
    )


_REFUSED: tuple[tuple[str, str, str, Said, Mapping[str, Said], *tuple[str, ...]], ...] = (
    ("KP-05.digit", "a name does not begin with a digit", f"p:hil/1probe {PRCTL}", "EINVAL", {}),
    ("KP-05.dash", "nor holds a dash", f"p:{{}}a-b {PRCTL}", "EINVAL", {}),
    ("KP-05.group", "nor does a group", f"p:h-il/probe {PRCTL}", "EINVAL", {}, "4.1"),
    ("KP-05.empty-group", "a group has a name", f"p:/probe {PRCTL}", "EINVAL", {}),
    ("KP-13", "a probe is somewhere", "p:{}probe", "EINVAL", {}),
    ("KP-08.write", "a symbol exists", "p:{}probe no_such_function", "ENOENT", {"6.12": "EINVAL"}),
    ("KP-12.address", "a return probe is not at an address", "r:{}probe 0x1000", "EINVAL", {}, "4.1"),
    ("KP-10.address", "an address is code", "p:{}probe 0x1000", "EINVAL", {}, "4.1"),
    ("KP-21.retval-entry", "an entry has no result", f"p:{{}}probe {PRCTL} $retval", "EINVAL", {}),
    ("KP-21.unknown", "there are no other variables", f"p:{{}}probe {PRCTL} $nonsense", "EINVAL", {}),
    ("KP-21.register", "nor other registers", f"p:{{}}probe {PRCTL} %nonsense", "EINVAL", {}),
    ("KP-21.type", "nor other types", f"p:{{}}probe {PRCTL} $stack:u65", "EINVAL", {}),
    ("KP-21.reserved", "some names of arguments are taken", f"p:{{}}probe {PRCTL} common_pid=$stack", "EINVAL", {}),
    ("KP-21.twice", "and each is used once", f"p:{{}}probe {PRCTL} a=$stack a=$stack0", "EINVAL", {}),
    ("KP-16.write", "what is removed exists", "-:{}nothing", "ENOENT", {}),
    ("KP-06", "a command begins with p, r or -", f"x:{{}}probe {PRCTL}", "EINVAL", {}),
)


def _refused(
    id: str, sentence: str, command: str, said: Said, later: Mapping[str, Said], until: str | None = None
) -> Clause:
    steps = (expect(WriteKprobeEvents(command), said, later),)
    return Clause(id, f"kprobe_events insists: {sentence}", steps, until=until)
