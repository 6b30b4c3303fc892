# SPDX-License-Identifier: MIT
"""What is read of a kernel's files, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.loader.running import Limits
from harness.loader.snapshot import Looker, Ours, snapshot
from harness.loader.worker import complaint
from harness.report.executed import ending
from harness.run.executed import Executed, KernelObject
from hil.errors import MachineLost

OURS = Ours(frozenset({"/bin/hil-agent", "/bin/busybox"}), "/hil")
SAID = """\
==== /tracing/kprobe_events
p:mine/hits SyS_getpgid
==== /tracing/uprobe_events
==== /sys/kernel/debug/kprobes/list
ffffffff81000000  k  SyS_getpgid+0x0    [FTRACE]
==== links
lrwxrwxrwx 1 root root 0 Jan 1 00:00 /proc/1/exe -> /bin/busybox
lrwxrwxrwx 1 root root 0 Jan 1 00:00 /proc/1/cwd -> /
lrwxrwxrwx 1 root root 0 Jan 1 00:00 /proc/20/exe -> /hil/my -> loader
lrwxrwxrwx 1 root root 0 Jan 1 00:00 /proc/20/cwd -> /hil
lrwxrwxrwx 1 root root 0 Jan 1 00:00 /proc/21/exe -> /bin/busybox
lrwxrwxrwx 1 root root 0 Jan 1 00:00 /proc/21/cwd -> /mnt/root/hil
lrwxrwxrwx 1 root root 0 Jan 1 00:00 /proc/22/exe -> /bin/busybox
lrwxrwxrwx 1 root root 0 Jan 1 00:00 /proc/22/cwd -> /
/proc/1/fd:
lrwx------ 1 root root 64 Jan 1 00:00 0 -> /dev/console
lrwx------ 1 root root 64 Jan 1 00:00 1 -> anon_inode:bpf-map

/proc/20/fd:
lrwx------ 1 root root 64 Jan 1 00:00 3 -> anon_inode:bpf-map
lrwx------ 1 root root 64 Jan 1 00:00 4 -> anon_inode:bpf-prog
lrwx------ 1 root root 64 Jan 1 00:00 5 -> anon_inode:[perf_event]
==== marked
/proc/22/environ
==== end
"""


@dataclass
class Answers:
    """Stands for the kernel's identifiers."""

    found: list[KernelObject] = field(default_factory=list)
    kinds: frozenset[str] = frozenset()

    def objects(self) -> list[KernelObject]:
        return self.found

    def attached(self, descriptors: list[tuple[int, int]]) -> dict[tuple[int, int], str]:
        return {(20, 5): "perf event on kprobe SyS_getpgid, program 7"} if self.kinds else {}


class Stream:
    """A shell that answers in small pieces."""

    def __init__(self, said: str) -> None:
        self._said = said.encode()

    def write(self, data: bytes) -> None:
        assert data == b"look\n"

    def read(self, size: int) -> bytes:
        piece, self._said = self._said[:100], self._said[100:]
        return piece


class Target:
    tracing = "/tracing"

    def __init__(self, said: str) -> None:
        self._said = said

    def open(self, argv: list[str]) -> Stream:
        return Stream(self._said)


def seen(said: str, answers: Answers) -> dict[tuple[str, str], str]:
    target: Any = Target(said)
    identifiers: Any = answers
    return {(one.kind, one.identity): one.text for one in snapshot(Looker(target), identifiers, OURS)}


def test_a_kernel_without_identifiers() -> None:
    found = seen(SAID, Answers())
    assert found["program", "20/4"] == "program: descriptor 4 of process 20 (/hil/my -> loader)"
    assert found["map", "20/3"].startswith("map: descriptor 3 of process 20")
    assert found["perf event", "20/5"].startswith("a perf event: descriptor 5")
    assert found["probe", "p:mine/hits SyS_getpgid"] == "kprobe_events: p:mine/hits SyS_getpgid"
    assert [text for (kind, _), text in found.items() if kind == "kprobe"] == ["kprobes: k SyS_getpgid+0x0 [FTRACE]"]
    assert {identity for kind, identity in found if kind == "process"} == {"20", "21", "22"}
    assert not [identity for _, identity in found if identity.startswith("1/")], "the bench's own"


def test_a_kernel_with_identifiers_lists_nothing_twice() -> None:
    program = KernelObject("program", "7", "program 7: kprobe")
    found = seen(SAID, Answers([program], frozenset({"program", "map", "link"})))
    assert found["program", "7"] == "program 7: kprobe"
    assert not [identity for kind, identity in found if kind == "map"]
    assert found["perf event", "20/5"].startswith("perf event on kprobe SyS_getpgid, program 7: descriptor 5")


def test_a_shell_that_ends_is_a_loss() -> None:
    with pytest.raises(MachineLost, match="the shell that looks"):
        seen(SAID[:200], Answers())


LEFT = (KernelObject("probe", "x", "kprobe_events: x"),)


@pytest.mark.parametrize(
    ("executed", "may_leave", "said"),
    [
        (Executed("l", ("c",), 0), False, ""),
        (Executed("l", ("c",), 0, left=LEFT), True, ""),
        (Executed("l", ("c",), 0, left=LEFT), False, "it left behind: kprobe_events: x"),
        (Executed("l", ("c",), 7, stderr="one\nno map"), False, "it ended with status 7: no map"),
        (Executed("l", ("c",), 139), False, "it ended with status 139 (signal 11)"),
        (Executed("l", ("c",), None, late=True), False, "it did not end within 60 nominal seconds"),
    ],
)
def test_what_is_wrong_with_a_command(executed: Executed, may_leave: bool, said: str) -> None:
    wrong = complaint(executed, Limits(), may_leave=may_leave)
    assert wrong.startswith(said) and bool(wrong) == bool(said)


def test_a_command_that_was_not_run_did_not_succeed() -> None:
    assert ending(Executed("l", ("c",))) == "not run"
