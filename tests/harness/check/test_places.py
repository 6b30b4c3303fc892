# SPDX-License-Identifier: MIT
"""Programs on places in files, on functions by a pattern, on devices and iterators: how each fared, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.check.looking import checked
from harness.check.symbols import Found, Symbol, matching
from harness.check.trying import NamedObject, Trial, trials
from harness.isa.assemble import R0, exit_, mov64_imm
from harness.lane import Engine, Lane
from harness.objects.btf.reader import Btf
from harness.objects.btf.types import Kind
from harness.objects.loading import Stage
from harness.objects.reader import read
from harness.run.checked import Answer
from harness.script.operations import (
    Buffer,
    EventSource,
    Execute,
    Operation,
    RawBpf,
    RawOpenEvent,
    ReadCount,
)
from harness.script.outcome import Outcome
from tests.harness.check.trying import environment, facts, failing, fared, trial
from tests.harness.objects.probes import pair, probe
from tests.harness.objects.types import Types
from tests.harness.programs.elf import ALLOC, EXEC, FUNC, Section, object_file
from tests.harness.programs.elf import Symbol as Named

FILE = object_file(
    Section("code", bytes(24), ALLOC | EXEC), symbols=(Named("begin", 1, FUNC, 0, 8), Named("work", 1, FUNC, 8, 16))
)


def in_file(section: str, era: str = "6.1") -> Trial:
    """A trial on a kernel in whose system there is one program."""
    files = {"/usr/bin/tool": FILE, "/bin/stripped": object_file(Section("code", bytes(8), ALLOC | EXEC))}
    where = replace(facts(era), read_file=files.get)
    return next(iter(trials([NamedObject("user.o", read(probe(section)))], where)))


@pytest.mark.parametrize("section", ["uprobe//usr/bin/tool:work+4", "uretprobe/tool:work", "uprobe.s/tool:begin"])
def test_a_place_in_a_file_is_probed(section: str) -> None:
    one = in_file(section)
    (opened,) = [step.operation for step in one.steps if isinstance(step.operation, RawOpenEvent)]
    parts = {part.offset: part.value for part in opened.parts}
    assert parts[0] == EventSource("uprobe") and parts[56] == Buffer(b"/usr/bin/tool\0")
    into = 64 + {"uprobe//usr/bin/tool:work+4": 12, "uretprobe/tool:work": 8}.get(section, 0)
    assert (parts[64], parts[8]) == (into, int("ret" in section))
    assert (opened.pid, fared(one, lambda _: Outcome(value=3)).hits) == (-1, 3)


@pytest.mark.parametrize(
    ("section", "era", "kind", "said"),
    [
        ("uprobe/tool:wrk", "6.1", "no-symbol", "'work'"),
        ("uprobe//bin/stripped:main", "6.1", "no-symbol", "take one that is not"),
        ("uprobe/tool:work", "4.1", "newer-kernel", "needs Linux 4.17"),
    ],
)
def test_why_there_is_no_place_in_a_file(section: str, era: str, kind: str, said: str) -> None:
    (why,) = fared(in_file(section, era), era=era).whys
    assert (why.kind, said in why.remedy) == (kind, True), why


@pytest.mark.parametrize(("errno", "kind"), [("ENOENT", "no-uprobes"), ("EINVAL", "attach")])
def test_a_place_in_a_file_that_takes_no_probe_is_told(errno: str, kind: str) -> None:
    (why,) = fared(in_file("uprobe/tool:work"), failing(RawOpenEvent, errno)).whys
    assert why.kind == kind and "/usr/bin/tool" in why.what


def test_both_ends_of_a_function_in_a_file_are_attached_together() -> None:
    files = {"/usr/bin/tool": FILE}
    two = NamedObject("user.o", read(pair("uprobe/tool:work", "uretprobe//usr/bin/tool:work")))
    assert all(one.at(Stage.PARTNER) for one in trials([two], replace(facts(), read_file=files.get)))


def test_what_a_pattern_matches_is_listed() -> None:
    one = trial(probe("kprobe.multi/cap_task_*"))
    assert one.trigger == "cap_task_prctl"
    functions = tuple(Symbol(0, f"cap_task_{number}") for number in range(9))
    found = fared(one, lambda _: Outcome(value=1), near={"cap_task_*": Found(functions, ())})
    (note,) = found.notes
    assert "cap_task_* matches 9 functions: cap_task_0, cap_task_1" in note and note.endswith(", ...")


def test_a_pattern_that_matches_nothing_is_told_with_the_nearest() -> None:
    def says(operation: Operation) -> Outcome:
        linked = isinstance(operation, RawBpf) and operation.name == "link of probe"
        return Outcome(errno="EINVAL") if linked else Outcome(value=0)

    near = {"vfz_*": matching(lambda pattern: () if pattern == "vfz_*" else ("vfs_open", "tcp_x"), "vfz_*")}
    (why,) = fared(trial(probe("kprobe.multi/vfz_*")), says, near=near).whys
    assert (why.kind, why.remedy) == ("symbol", "did you mean vfs_*?")


@pytest.mark.parametrize(
    ("section", "era", "index"),
    [("xdp", "6.1", 1), ("xdp.frags", "6.1", 1), ("tc/ingress", "6.12", 1), ("tcx/egress", "7.2", 1)],
)
def test_programs_of_devices_are_linked_to_loopback(section: str, era: str, index: int) -> None:
    one = trial(probe(section, mov64_imm(R0, 0), exit_()), era)
    (link,) = [step.operation for step in one.steps if step.stage is Stage.ATTACH]
    assert isinstance(link, RawBpf) and {part.offset: part.value for part in link.parts}[4] == index
    assert any(isinstance(step.operation, Execute) and step.operation.command[0] == "ping" for step in one.steps)
    assert fared(one, lambda _: Outcome(value=2), era).hits == 2


def test_what_cannot_be_linked_yet_is_told_with_the_release() -> None:
    (why,) = fared(trial(probe("tc/ingress", mov64_imm(R0, 0), exit_()), "6.1"), era="6.1").whys
    assert why.kind == "not-attached" and "since 6.6" in why.what


def test_an_iterator_runs_its_program_when_it_is_read() -> None:
    types = Types()
    proto = types.add(Kind.FUNC_PROTO, "", types.int())
    types.add(Kind.FUNC, "bpf_iter_task", proto, count=1)
    where = replace(facts(), read_types=lambda: Btf(types.content()))
    one = next(iter(trials([NamedObject("i.o", read(probe("iter/task", mov64_imm(R0, 0), exit_())))], where)))
    made = [step.operation for step in one.steps if step.stage is Stage.ATTACH]
    assert [operation.command for operation in made if isinstance(operation, RawBpf)] == [28, 33]
    assert any(isinstance(step.operation, ReadCount) for step in one.steps)
    assert fared(one, lambda _: Outcome(value=5)).hits == 5
    nobody_counts = {RawBpf: Outcome(errno="EPERM"), ReadCount: Outcome(value=7)}
    outcomes = [nobody_counts.get(type(at), Outcome(value=0)) for at in (step.operation for step in one.steps)]
    for at in one.at(Stage.ATTACH):
        outcomes[at] = Outcome(value=0)
    found = checked(Lane("k", "x86_64", Engine.INTERP), one, outcomes, (), environment())
    assert (found.fires, found.hits) == (Answer.UNKNOWN, None), "what it gives is no number of runs"
