# SPDX-License-Identifier: MIT
"""How a program fared, and why, by what a kernel said of each operation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from harness.abi.bpf import Command
from harness.check.explaining import other_architecture
from harness.check.looking import LOG, LONG_LOG, _readings
from harness.check.symbols import Found, Symbol
from harness.check.trying import NamedObject, trials
from harness.isa.assemble import DW, R0, R1, R10, Helper, Piece, add64_imm, call, exit_, ldx, mov64_imm, mov64_reg
from harness.lowering import verifier_log
from harness.lowering.executor import Observed
from harness.lowering.verifier_log import Reading
from harness.objects.adjusting import POISON
from harness.objects.loading import Stage
from harness.objects.reader import read
from harness.objects.reasons import Reason
from harness.run.checked import Answer, Word
from harness.script.operations import (
    CreateKprobe,
    FindTracepoint,
    LoadProgram,
    Operation,
    RawBpf,
    ReadProfile,
    ReadRuns,
    Script,
    UpdateElement,
)
from harness.script.outcome import Outcome
from tests.harness.check.trying import environment, facts, failing, fared, trial
from tests.harness.objects.building import tail_caller, typed
from tests.harness.objects.probes import pair, probe

UNKNOWN_HELPER = "0: (85) call unknown#113\ninvalid func unknown#113\nprocessed 1 insns (limit 1000000) max_states 0\n"


def test_a_program_that_is_hit_fires() -> None:
    profile = Outcome(value=3, data=(1).to_bytes(8, "little"))
    found = fared(trial(probe()), lambda one: profile if isinstance(one, ReadProfile) else Outcome(value=0))
    assert (found.word, found.hits, found.missed, found.fine) == (Word.FIRES, 3, 1, True)
    assert found.expected_load is Answer.YES


@pytest.mark.parametrize("kind", [UpdateElement, LoadProgram])
def test_a_program_whose_tail_call_leads_nowhere_is_not_green(kind: type) -> None:
    objects = [NamedObject("probe.o", read(tail_caller()))]
    one = next(trials(objects, facts()))

    def says(operation: Operation) -> Outcome:
        failed = isinstance(operation, kind) and getattr(operation, "name", "called") == "called"
        return Outcome(errno="EINVAL") if failed else Outcome(value=0)

    found = fared(one, says)
    assert (found.word, found.whys[0].kind, found.whys[0].stage) == (Word.REFUSED, "slot", "maps")
    assert found.contradicted, "the model says that both work"
    assert not fared(one, says, predicted=says).differs
    assert fared(one).word is Word.FIRES


@pytest.mark.parametrize(
    ("section", "kind"),
    [("kprobe/skb-1", "no-place"), ("tracepoint/sched", "no-place"), ("uprobe/libc:malloc", "no-file")],
)
def test_a_section_that_names_no_place_is_told(section: str, kind: str) -> None:
    found = fared(trial(probe(section)))
    assert (found.word, found.whys[0].kind, found.fine) == (Word.LOADS, kind, True)


def test_what_no_script_can_have_is_not_taken_for_a_lack_of_memory() -> None:
    one = trial(probe(name="hits"))
    assert one.refused is not None
    assert one.refused.reason is Reason.NO_SCRIPT


@pytest.mark.parametrize(
    ("body", "license", "era", "log", "kind", "said"),
    [
        ((call(Helper.PROBE_READ_KERNEL), exit_()), b"GPL", "4.1", "", "helper", "5.5 (6ae08ae3dea2)"),
        ((call(Helper.PROBE_READ_KERNEL), exit_()), b"GPL", "4.1", "invalid func 113", "helper", "5.5 (6ae08ae3dea2)"),
        ((call(9999), exit_()), b"GPL", "6.1", "invalid func unknown#9999", "helper", "no helper 9999 in 6.1"),
        (
            (mov64_imm(R1, 0), call(Helper.PROBE_READ), exit_()),
            b"Proprietary",
            "6.1",
            "cannot call GPL-restricted function from non-GPL compatible program",
            "not-gpl",
            "'Proprietary'",
        ),
        (
            (ldx(DW, R1, R1, 0), ldx(DW, R0, R1, 0), exit_()),
            b"GPL",
            "6.1",
            "R1 invalid mem access 'scalar'",
            "verifier",
            "through helpers only",
        ),
        ((call(POISON + 1), exit_()), b"GPL", "6.1", "invalid func unknown#195896081", "core-field-missing", "CO-RE"),
        (
            (mov64_reg(R1, R10), add64_imm(R1, -8), exit_()),
            b"GPL",
            "6.1",
            "BPF program is too large. Processed 1000001 insn",
            "too-complex",
            "every path",
        ),
    ],
)
def test_a_refusal_has_its_place_and_its_rule(
    body: tuple[Piece, ...], license: bytes, era: str, log: str, kind: str, said: str
) -> None:
    last = 1 if kind in ("not-gpl", "verifier") else 0
    log = UNKNOWN_HELPER if not log else f"{last}: (85) x\n{log}\n"
    one = trial(probe("kprobe/cap_task_prctl", *body, license=license), era)
    found = fared(one, failing(LoadProgram, "EINVAL"), era, reading=verifier_log.read(log))
    (why,) = found.whys
    assert found.word is Word.REFUSED and not found.fine
    assert (why.kind, why.errno, why.instruction) == (kind, "EINVAL", last)
    assert said in why.rule, why
    assert why.messages


def test_a_version_that_is_not_the_kernels_is_told() -> None:
    content = probe(version=0x40100)
    (why,) = fared(trial(content, "4.1"), failing(LoadProgram, "EINVAL"), "4.1").whys
    assert why.kind == "version" and "4.1.52" in why.rule and "--portable" in why.remedy
    one = trial(content, "4.1", translate=True)
    assert "version 0x40100" in one.notes[0]
    assert one.script is not None
    (load,) = (one for one in one.script.operations if isinstance(one, LoadProgram))
    assert load.kern_version is None


def test_a_newer_type_of_program_is_told_with_its_release() -> None:
    (why,) = fared(trial(probe("tp/a/b"), "4.1"), failing(LoadProgram, "EINVAL"), "4.1").whys
    assert why.kind == "newer-kernel" and "TRACEPOINT are since 4.7" in why.rule


def test_a_kernel_without_kprobes_is_told() -> None:
    one = trial(probe(), "4.1", arch="arm64")
    (why,) = fared(one, failing(LoadProgram, "EINVAL"), "4.1", arch="arm64").whys
    assert why.kind == "no-kprobes"


def test_a_map_is_refused_before_the_program() -> None:
    (why,) = fared(trial(probe()), lambda one: Outcome(errno="EPERM")).whys
    assert (why.stage, why.kind) == ("maps", "permission")
    (why,) = fared(trial(probe(), "5.10"), lambda one: Outcome(errno="EPERM"), "5.10").whys
    assert why.kind == "memlock" and "ulimit -l" in why.remedy


@pytest.mark.parametrize(
    ("symbol", "found", "kind", "said"),
    [
        ("sys_openat", Found((), ("__x64_sys_openat",)), "symbol", "__x64_sys_openat here; --portable"),
        ("tcp_close_", Found((), ("tcp_close.isra.0",)), "symbol", "tcp_close.isra.0"),
        ("twice", Found((Symbol(1, "twice"), Symbol(2, "twice")), ()), "ambiguous-symbol", "an address of its own"),
        ("there", Found((Symbol(1, "there"),), ()), "not-probeable", ""),
    ],
)
def test_a_probe_that_there_is_not_is_told_with_the_nearest(symbol: str, found: Found, kind: str, said: str) -> None:
    errno = "EADDRNOTAVAIL" if kind == "ambiguous-symbol" else "ENOENT"
    one = fared(trial(probe(f"kprobe/{symbol}")), failing(CreateKprobe, errno), near={symbol: found})
    (why,) = one.whys
    assert one.word is Word.NOT_ATTACHED
    assert (why.kind, said in why.remedy) == (kind, True), why


def test_a_tracepoint_that_there_is_not_is_told() -> None:
    (why,) = fared(trial(probe("tp/syscalls/sys_enter_x")), failing(FindTracepoint, "ENOENT")).whys
    assert why.kind == "no-tracepoint" and "CONFIG_FTRACE_SYSCALLS" in why.rule


@pytest.mark.parametrize(
    ("section", "name"), [("tp/sched/sched_swich", "sched/sched_swich"), ("raw_tp/sched_swich", "*/sched_swich")]
)
def test_a_tracepoint_that_there_is_not_is_told_once_with_the_nearest(section: str, name: str) -> None:
    def says(operation: Operation) -> Outcome:
        missing = isinstance(operation, FindTracepoint) or getattr(operation, "name", "") == "link of probe"
        return Outcome(errno="ENOENT") if missing else Outcome(value=0)

    near = {name: Found((), ("sched/sched_switch",))}
    (why,) = fared(trial(probe(section)), says, near=near).whys
    assert why.what == f"no tracepoint {name.removeprefix('*/')}" and "tracepoint" not in why.rule
    assert why.remedy == "did you mean sched/sched_switch?"


def test_a_level_of_paranoia_is_told() -> None:
    one = fared(trial(probe()), lambda operation: _denied(operation))
    assert one.whys[0].kind == "permission"


def _denied(operation: Operation) -> Outcome:
    return Outcome(errno="EACCES") if type(operation).__name__ == "OpenEvent" else Outcome(value=0)


@pytest.mark.parametrize(
    ("section", "needed"),
    [
        ("xdp/cpumap", "a map of devices or CPUs"),
        ("tc", "a qdisc"),
        ("tcx/ingress", "since 6.6"),
        ("cgroup/connect4", "a cgroup"),
        ("uprobe//bin/bash:readline", "the file /bin/bash, which the lane does not have"),
        ("uretprobe.s/libc.so.6:malloc", "the file libc.so.6"),
        ("uprobe", "names no function in a file"),
        ("uretprobe//bin/bash:f+4", "returns to no offset"),
        ("uprobe.multi//bin/bash:f*", "/bin/bash:f*"),
        ("usdt//bin/bash:bash:start", "its own notes"),
        ("kprobe", "names no place"),
        ("kprobe.multi/tcp-*", "names no place"),
    ],
)
def test_what_the_bench_cannot_attach_is_loaded_only(section: str, needed: str) -> None:
    found = fared(trial(probe(section, mov64_imm(R0, 0), exit_())))
    assert (found.word, found.fine) == (Word.LOADS, True)
    assert found.whys[0].what.startswith("loaded, not attached: ") and needed in found.whys[0].what


def test_what_did_not_run_says_so() -> None:
    (why,) = fared(trial(probe("kprobe/vfs_open"))).whys
    assert (why.kind, "no trigger is known" in why.what) == ("not-fired", True)
    (why,) = fared(trial(probe())).whys
    assert "the trigger did not reach it" in why.what
    (why,) = fared(trial(probe("raw_tp/sched_switch")), failing(ReadRuns, "EINVAL")).whys
    assert why.kind == "not-counted"


@pytest.mark.parametrize("sections", [("kprobe/vfs_open", "kretprobe/vfs_open"), ("kretsyscall/open", "ksyscall/open")])
def test_two_halves_that_share_a_map_are_attached_together(sections: tuple[str, str]) -> None:
    one, other = (trial for trial in trials([NamedObject("pair.o", read(pair(*sections)))], facts()))
    assert [step.subject for step in one.steps if step.stage is Stage.PARTNER] == ["second"] * 4
    assert {step.subject for step in other.steps if step.stage is Stage.PARTNER} == {"first"}
    loads = [at.name for at in one.script.operations if isinstance(at, LoadProgram)] if one.script else []
    assert loads == ["first", "second"]

    def says(operation: Operation) -> Outcome:
        return Outcome(errno="ENOENT" if getattr(operation, "name", "").endswith("_second") else None, value=0)

    (_, alone) = fared(one, says).whys
    assert (alone.kind, "second" in alone.what) == ("no-partner", True)


@pytest.mark.parametrize("sections", [("kprobe/vfs_open", "kretprobe/vfs_read"), ("kprobe/f", "kprobe/f")])
def test_others_are_tried_alone(sections: tuple[str, str]) -> None:
    for one in trials([NamedObject("pair.o", read(pair(*sections)))], facts()):
        assert not one.at(Stage.PARTNER)


@pytest.mark.parametrize(
    ("section", "errno", "era", "kind"),
    [
        ("kprobe.multi/vfs_open", "EINVAL", "5.10", "newer-kernel"),
        ("kprobe.multi/vfs_open", "ENOTSUP", "6.1", "no-fprobe"),
        ("kprobe.multi/vfs_*", "EINVAL", "5.10", "newer-kernel"),
        ("raw_tp/no_such", "ENOENT", "6.1", "no-tracepoint"),
    ],
)
def test_a_link_that_is_refused_is_explained(section: str, errno: str, era: str, kind: str) -> None:
    def says(operation: Operation) -> Outcome:
        refused = isinstance(operation, RawBpf) and operation.name == "link of probe"
        return Outcome(errno=errno) if refused else Outcome(value=0)

    (why,) = fared(trial(probe(section), era), says, era).whys
    assert why.kind == kind


def test_a_function_without_a_number_is_refused() -> None:
    one = trial(probe("fentry/vfs_open"))
    assert one.refused is not None and one.refused.reason is Reason.NEEDS_KERNEL_TYPES


def test_a_certain_prediction_that_a_kernel_contradicts_is_a_difference() -> None:
    found = fared(trial(probe()), failing(LoadProgram, "EACCES"))
    assert found.contradicted and found.differs


def test_an_object_for_another_architecture_is_told_as_that() -> None:
    for arch, missing, whose in (
        ("x86_64", "asks for struct user_pt_regs.regs[0], which", "arm64"),
        ("arm64", "asks for struct pt_regs.di, which", "x86_64"),
        ("arm64", "asks for struct user_pt_regs.regs[0], which", ""),
        ("x86_64", "asks for struct task_struct.state, which", ""),
    ):
        assert other_architecture(missing, arch) == whose


def test_a_section_that_names_no_function_is_left_to_a_loader() -> None:
    """As pwru has them: kprobe/skb-1 is for all functions with a packet as first argument."""
    assert fared(trial(probe("kprobe/skb-1"))).word is Word.LOADS


def test_a_program_that_only_a_jit_takes_is_told_with_the_call() -> None:
    one = trial(
        probe("kprobe/cap_task_prctl", mov64_imm(R0, 0), call(Helper.GET_CURRENT_TASK), exit_()), "7.2", arch="arm64"
    )
    log = verifier_log.read("program requires BPF JIT compiler but it is not available\n")
    (why,) = fared(one, failing(LoadProgram, "EINVAL"), "7.2", reading=log, arch="arm64").whys
    assert why.instruction == 1
    assert "bpf_jit_enable=1" in why.remedy


@pytest.mark.parametrize(
    ("era", "asked", "reason"),
    [
        ("6.1", [(1, LOG), (1, LONG_LOG), (4, 1 << 12)], "BPF program is too large. Processed 1000001 insn"),
        (
            "4.1",
            [(1, LOG), (1, LONG_LOG)],
            "(the log does not end within 8 MiB: the verifier followed very many instructions)",
        ),
    ],
)
def test_a_log_without_its_end_tells_no_instruction(era: str, asked: list[tuple[int, int]], reason: str) -> None:
    class Executor:
        """A guest whose verifier follows a million instructions."""

        def __init__(self) -> None:
            self.asked: list[tuple[int, int]] = []

        def run(self, scripts: Sequence[Script]) -> Iterator[Observed]:
            for script in scripts:
                load = script.operations[-1]
                assert isinstance(load, LoadProgram)
                self.asked.append((load.log_level, load.log_size))
                said = Outcome(errno="ENOSPC", log="0: (b7) r0 = 0\n1: (95) exit\n")
                if load.log_level == 4:
                    said = Outcome(errno="E2BIG", log="BPF program is too large. Processed 1000001 insn\n")
                before = [Outcome(value=0) for _ in script.operations[:-1]]
                yield Observed(script, (*before, said), 0.0)

    one = trial(probe(), era)
    assert one.script is not None
    refused = [failing(LoadProgram, "E2BIG")(operation) for operation in one.script.operations]
    executor: Any = Executor()
    found = _readings(executor, [(one, Observed(one.script, tuple(refused), 0.0))], environment(era))
    assert executor.asked == asked
    reading = found[one.name]
    assert (reading.instruction, reading.reason) == (None, (reason,))
    assert fared(one, failing(LoadProgram, "E2BIG"), era, reading=reading).whys[0].kind == "too-complex"


def test_types_that_a_kernel_refuses_are_no_reason_to_refuse_the_program() -> None:
    def says(operation: Operation) -> Outcome:
        refused = isinstance(operation, RawBpf) and operation.command == Command.BTF_LOAD
        return Outcome(errno="EINVAL") if refused else Outcome(value=1)

    objects = [NamedObject("typed.o", read(typed()))]
    one = next(iter(trials(objects, facts("6.1"))))
    made = fared(one, says)
    assert made.loads is Answer.YES
    assert "loaded without the types of its functions (BTF), refused with EINVAL" in made.notes[0]
    old = next(iter(trials(objects, facts("4.1"))))
    assert not old.notes and not old.at(Stage.TYPES), "4.1 takes none"


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("number of funcs in func_info doesn't match number of subprogs", "5.13"),
        ("Arg#0 type PTR in f() is not supported yet.", "verified by its types alone"),
        ("callback function not static", "verified with the call"),
        ("missing btf func_info", "which the object does not have"),
    ],
)
def test_what_verifiers_say_of_types_is_explained(words: str, rule: str) -> None:
    made = fared(trial(probe()), failing(LoadProgram, "EINVAL"), reading=Reading(None, "", (words,), None))
    assert rule in made.whys[0].rule
