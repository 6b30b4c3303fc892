# SPDX-License-Identifier: MIT
"""What a kernel holds at one moment for those who attach probes: objects of BPF, probes, perf events, processes.

Where a kernel has no identifiers of programs and maps (before 4.13), only those with a descriptor in some process are
found, by the links in /proc/PID/fd.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.loader.identifiers import Identifiers
from harness.run.executed import KernelObject
from hil.errors import MachineLost
from hil.target import Target

_PROBES = {"kprobe_events": "probe", "uprobe_events": "probe"}
_ARMED = "/sys/kernel/debug/kprobes/list"
_HEAD = re.compile(r"^/proc/(?P<process>\d+)/fd:$")
_ENTRY = re.compile(r"(?P<name>\S+) -> (?P<to>.*)$")
_ANONYMOUS = {"bpf-prog": "program", "bpf-map": "map", "bpf_link": "link", "bpf-link": "link"}
_EVENT = "[perf_event]"
_SEPARATOR = "===="

MARK = "HIL_WORKSPACE"
"""The variable in the environment of a task, by which its processes are known wherever they work."""
_END = f"{_SEPARATOR} end\n"
_SCRIPT = f"""\
while read -r _; do
	for file; do
		echo "{_SEPARATOR} $file"
		cat "$file" 2>/dev/null
	done
	echo "{_SEPARATOR} links"
	ls -l -d /proc/[0-9]*/exe /proc/[0-9]*/cwd 2>/dev/null
	ls -l /proc/[0-9]*/fd 2>/dev/null
	echo "{_SEPARATOR} marked"
	grep -l "{MARK}=" /proc/[0-9]*/environ 2>/dev/null
	echo "{_SEPARATOR} end"
done
"""
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Ours:
    """What of the processes does not belong to a task: those with these programs, every one where it is None, unless
    they work in `folder`, or have MARK in their environment."""

    programs: frozenset[str] | None
    folder: str


class Looker:
    """A shell on a target that lists files when asked. One is enough for all looks: each command of its own would take
    an SSH channel, of which dropbear refuses one now and then while others end."""

    def __init__(self, target: Target) -> None:
        files = [f"{target.tracing}/{name}" for name in _PROBES] + [_ARMED]
        self._stream = target.open(["sh", "-c", _SCRIPT, "look", *files])

    def look(self) -> str:
        """Returns the files' contents by sections; MachineLost when the target is gone."""
        self._stream.write(b"look\n")
        said = bytearray()
        while not said.endswith(_END.encode()):
            data = self._stream.read(_CHUNK)
            if not data:
                raise MachineLost("the shell that looks at the kernel ended", remedy="see the console log")
            said += data
        return said.decode(errors="replace")

    def close(self) -> None:
        """Ends the shell."""
        self._stream.close()


def snapshot(looker: Looker, identifiers: Identifiers, ours: Ours) -> frozenset[KernelObject]:
    """Returns everything there is now; MachineLost when the target is gone."""
    sections = _sections(looker.look())
    by_id = list(identifiers.objects())
    sections.pop("end")
    processes, descriptors = _processes(sections.pop("links"))
    marked = {int(path.split("/")[2]) for path in sections.pop("marked")}
    found = [*_probes(sections), *by_id]
    events = [(process, number) for process, number, kind in descriptors if kind == _EVENT]
    attached = identifiers.attached(events)
    users = {process for process in processes if process in marked or _foreign(processes[process], ours)}
    for process, number, kind in descriptors:
        if process not in users:
            continue
        who = f"descriptor {number} of process {process} ({processes[process].get('exe', '?')})"
        if kind == _EVENT:
            what = attached.get((process, number), "a perf event")
            found.append(KernelObject("perf event", f"{process}/{number}", f"{what}: {who}"))
        elif (name := _ANONYMOUS.get(kind)) and name not in identifiers.kinds:
            found.append(KernelObject(name, f"{process}/{number}", f"{name}: {who}"))
    for process in sorted(users):
        exe = processes[process].get("exe", "?")
        found.append(KernelObject("process", str(process), f"process {process}: {exe}"))
    return frozenset(found)


def stays(one: KernelObject) -> bool:
    """Whether only a process takes it away, and no kernel in its own time: a line of a file of probes, and its kprobe,
    which is listed for as long, disabled when nobody uses it (__disable_kprobe, kernel/kprobes.c)."""
    return one.kind == "probe" or (one.kind == "kprobe" and "[DISABLED]" in one.text)


def _sections(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(f"{_SEPARATOR} "):
            lines = sections.setdefault(line.removeprefix(f"{_SEPARATOR} "), [])
        else:
            lines.append(line)
    return sections


def _probes(sections: dict[str, list[str]]) -> Iterator[KernelObject]:
    for path, lines in sections.items():
        for line in filter(None, lines):
            if path == _ARMED:
                address, *words = line.split()
                what = " ".join(word for word in words if word != address)
                yield KernelObject("kprobe", what.partition(" [")[0] + address, f"kprobes: {what}")
            else:
                yield KernelObject("probe", line, f"{path.rpartition('/')[2]}: {line}")


def _processes(lines: list[str]) -> tuple[dict[int, dict[str, str]], list[tuple[int, int, str]]]:
    """The links of each process by name, and the descriptors of anonymous inodes: process, number, kind."""
    processes: dict[int, dict[str, str]] = {}
    descriptors = []
    process = 0
    for line in lines:
        if head := _HEAD.match(line):
            process = int(head["process"])
        elif entry := _ENTRY.search(line):
            name, to = entry["name"], entry["to"]
            if name.startswith("/proc/"):
                _, _, number, what = name.split("/")
                processes.setdefault(int(number), {})[what] = to
            elif name.isdecimal() and to.startswith("anon_inode:"):
                descriptors.append((process, int(name), to.removeprefix("anon_inode:")))
    return processes, descriptors


def _foreign(links: dict[str, str], ours: Ours) -> bool:
    """Whether a process may be a task's: none of the bench, nor of the kernel, whose threads have no program."""
    exe, cwd = links.get("exe", ""), links.get("cwd", "")
    inside = cwd == ours.folder or cwd.startswith(f"{ours.folder}/") or cwd.endswith(ours.folder)
    return bool(exe) and (inside or (ours.programs is not None and exe not in ours.programs))
