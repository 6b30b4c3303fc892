# SPDX-License-Identifier: MIT
"""Runs a task on a target, and looks at what its kernel holds before, while and after it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from os import SEEK_END
from pathlib import Path

from harness.loader.identifiers import Identifiers
from harness.loader.snapshot import Looker, Ours, snapshot, stays
from harness.loader.task import FOLDER, Task
from harness.lowering.executor import GuestExecutor
from harness.run.executed import Executed, KernelObject
from harness.script.brief import MOST as LONGEST
from harness.script.brief import brief
from harness.session import Bootable
from hil import copying
from hil.errors import BenchError, MachineLost, UserError
from hil.machine import speed
from hil.rootfs import mounting
from hil.target import Completed, Target

BETWEEN = 0.25
"""Seconds between two looks while the command runs."""
SETTLE = 5.0
"""Nominal seconds in which what is released must be gone: kernels free programs and links behind the caller's back,
after a grace period (__bpf_prog_put, bpf_link_put_deferred)."""
GRACE = 2.0
"""Nominal seconds that a command has to end on SIGTERM, when its deadline has passed."""
LINES = 20
"""Lines of an output that the report has; files in the run folder have all."""
MOST = 1 << 16
"""Bytes of an output that these lines are taken from."""
Seen = dict[tuple[str, str], KernelObject]
"""What was seen, by kind and identity."""
_OURS = frozenset({"/bin/hil-agent", "/bin/busybox", "/sbin/dropbear", "/init"})
_MORE_SPACE = {"guest": "give it more memory with --memory", "board": "make room there"}

# Each with the workspace as its first argument; below it, `.hil` is the bench's own.
_MOUNT = """\
mountpoint -q "$1" && exit
[ ! -d /sys/fs/bpf ] || mount -t bpf bpf /sys/fs/bpf
mkdir -p "$1" && mount -t tmpfs -o mode=755 tmpfs "$1" && mkdir "$1/.hil"
"""
_MAKE = 'mkdir -p "$1/.hil"'
# The shell stays in front, so that a program which it does not find gets 127. A background process of a shell that is
# not interactive is no leader of a group, so setsid does not fork, and $! is the session.
_RUN = """\
folder=$1 root=$2
shift 2
cd "$folder" || exit 126
ulimit -l unlimited
export HIL_WORKSPACE="$folder" HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
if [ -n "$root" ]; then
	if [ -x "$root/bin/sh" ]; then shell=/bin/sh; else shell="$folder/.hil/busybox sh"; fi
	set -- chroot "$root" $shell -c "cd $folder && exec \\"\\$@\\"" sh "$@"
else
	set -- sh -c 'exec "$@"' sh "$@"
fi
setsid "$@" </dev/null >"$folder/.hil/stdout" 2>"$folder/.hil/stderr" &
echo $! >"$folder/.hil/pid"
wait $!
"""
# A command may have removed the file with the number of its session. What has its environment is ended then.
_END = """\
if read -r session 2>/dev/null <"$1/.hil/pid"; then
	kill -s "$2" -- "-$session" 2>/dev/null
	pkill "-$2" -s "$session"
else
	for file in $(grep -l "HIL_WORKSPACE=$1" /proc/[0-9]*/environ 2>/dev/null); do
		process=${file%/environ}
		kill -s "$2" "${process#/proc/}"
	done
fi
true
"""


@dataclass(frozen=True)
class Limits:
    """`deadline` in nominal seconds, after which the command is ended."""

    deadline: float = 60.0
    watched: bool = True
    """Whether the bench looks at the kernel while it runs. Its looks are processes that open files, which a probe
    sees."""


class Place:
    """A target with a workspace for tasks: FOLDER of a guest, or `folder` on a board, on which other processes run as
    well, of which nothing is told unless they work there."""

    def __init__(self, target: Target, executor: GuestExecutor, folder: str = "") -> None:
        self._target = target
        self._executor = executor
        self._folder = folder or FOLDER
        self._own = f"{self._folder}/.hil"
        self._what = "board" if folder else "guest"
        self._root = ""
        self._looker: Looker | None = None
        self._ours = Ours(None if folder else _OURS, self._folder)

    def prepare(self, bootable: Bootable | None = None) -> None:
        """Makes the workspace, and mounts the root file system that commands are to run in, if the machine has one."""
        script = _MOUNT if self._folder == FOLDER else _MAKE
        done = self._target.run(["sh", "-c", script, "prepare", self._folder])
        if done.status:
            raise BenchError(
                f"cannot make a workspace on the {self._what}", remedy=done.stderr.decode(errors="replace").strip()
            )

        if bootable is not None and mounting.ROOT in bootable.disks:
            self._root = mounting.mount(self._target, self._folder)
            self._target.run(["cp", "/bin/busybox", self._own])  # the shell of a root that has none

    def look(self) -> frozenset[KernelObject]:
        """Returns what the kernel holds now."""
        identifiers = Identifiers(self._executor.agent, self._target.arch.name)
        if self._looker is None:
            self._looker = Looker(self._target)
        return snapshot(self._looker, identifiers, self._ours)

    def close(self) -> None:
        """Ends what looks at the kernel; harmless when repeated."""
        if self._looker is not None:
            self._looker.close()
            self._looker = None

    def run(self, lane: str, task: Task, limits: Limits, folder: Path, shown: Path) -> Executed:
        """Runs a task and returns how it fared; its outputs are files in `folder`, told relative to `shown`.

        Raises UserError when the guest has no room for its files, or lacks its interpreter; MachineLost when the guest
        died, with what was seen until then in `Lost.executed`.
        """
        copying.to_target(self._target, task.files, self._folder)
        self._check_interpreter(task)
        identifiers = Identifiers(self._executor.agent, self._target.arch.name)
        programs, maps = identifiers.next_numbers()
        before = self.look()
        seen: Seen = {}
        made = Executed(lane, task.argv)
        try:
            done, late, seconds = self._carry_out(task, limits, before, seen)
            left = self._left(before)
            programs_now, maps_now = identifiers.next_numbers()
            made = replace(
                made,
                status=None if late else done.status,
                late=late,
                seconds=round(seconds, 2),
                seen=_sorted({*seen.values(), *left}),
                left=_sorted(left),
                loaded=_between(programs, programs_now),
                made=_between(maps, maps_now),
            )
            return self._collect(made, task, folder, shown)
        except MachineLost as loss:
            seen_so_far = replace(made, seen=_sorted(set(seen.values())))
            raise Lost(loss, f"the {self._what}", self._target.lost_reason(), seen_so_far) from loss

    def _check_interpreter(self, task: Task) -> None:
        name = task.interpreter
        # Links in a root are about that root: Debian's dynamic loader is an absolute one.
        inside = ["chroot", self._root, f"{self._own}/busybox"] if self._root else []
        if name and self._target.run([*inside, "test", "-x", name]).status:
            where = "the root file system" if self._root else f"the {self._what}'s small root"
            raise UserError(
                f"{task.name} starts with {name}, which {where} does not have as a program",
                remedy="link it with -static, or give a --root that has what it needs",
            )

    def _carry_out(
        self, task: Task, limits: Limits, before: frozenset[KernelObject], seen: Seen
    ) -> tuple[Completed, bool, float]:
        """Runs the command; adds to `seen` what there is beyond `before` while it runs."""
        ended = threading.Event()
        result: list[Completed | BaseException] = []

        def run() -> None:
            argv = ["sh", "-c", _RUN, "run", self._folder, self._root, *task.argv]
            try:
                result.append(self._target.run(argv, timeout=limits.deadline + 10 * SETTLE))
            except BaseException as error:  # for the thread that waits
                result.append(error)
            ended.set()

        started = time.monotonic()
        deadline = started + limits.deadline * speed.scale()
        thread = threading.Thread(target=run, name="hil-exec", daemon=True)
        thread.start()
        late = False
        while not ended.wait(min(BETWEEN, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                late = True
                self._end(ended)
                break
            if limits.watched:
                _note(seen, self.look() - before)
        ended.wait()
        seconds = time.monotonic() - started
        thread.join()
        if isinstance(result[0], BaseException):
            raise result[0]
        return result[0], late, seconds

    def _end(self, ended: threading.Event) -> None:
        """Ends the command's session: SIGTERM first, so that it can detach, then SIGKILL."""
        for signal, seconds in (("TERM", GRACE), ("KILL", SETTLE)):
            self._target.run(["sh", "-c", _END, "end", self._folder, signal])
            if ended.wait(seconds * speed.scale()):
                return

    def _left(self, before: frozenset[KernelObject]) -> frozenset[KernelObject]:
        """What is there beyond `before`, once whatever is about to be released is."""
        deadline = time.monotonic() + SETTLE * speed.scale()
        while not all(map(stays, left := self.look() - before)) and time.monotonic() < deadline:
            pass
        return left

    def _collect(self, made: Executed, task: Task, folder: Path, shown: Path) -> Executed:
        folder.mkdir(parents=True, exist_ok=True)
        missing = copying.from_target(self._target, [f"{self._own}/stdout", f"{self._own}/stderr"], folder)
        stdout, stderr = (_last_lines(folder / name) for name in ("stdout", "stderr"))
        paths = [folder / name for name in ("stdout", "stderr") if (folder / name).exists()]
        notes = [*made.notes, *(f"its output is gone: there is no {path}" for path in missing)]
        if self._target.run(["stat", "-f", "-c", "%a", self._folder]).stdout.strip() == b"0":
            notes.append(f"there is no space left in the {self._what}'s {self._folder}; {_MORE_SPACE[self._what]}")
        if task.fetch:
            wanted = [path if path.startswith("/") else f"{self._folder}/{path}" for path in task.fetch]
            real = [path if f"{path}/".startswith(f"{self._folder}/") else f"{self._root}{path}" for path in wanted]
            fetched = folder / "files"
            fetched.mkdir(exist_ok=True)
            missing = copying.from_target(self._target, real, fetched)
            notes += [f"there is no {path} on the {self._what}, or it is neither file nor folder" for path in missing]
            paths += sorted(fetched.iterdir())
        output = tuple(str(path.relative_to(shown)) for path in paths)
        return replace(made, output=output, notes=tuple(notes), stdout=stdout, stderr=stderr)


def _note(seen: Seen, found: Iterable[KernelObject]) -> None:
    """Adds what was found, with the longest text: what an event is attached to is known only once it is."""
    for one in found:
        known = seen.get((one.kind, one.identity))
        if one.kind != "process" and (known is None or len(known.text) < len(one.text)):
            seen[one.kind, one.identity] = one


class Lost(MachineLost):
    """The target, `what`, died while the command ran; `executed` is what was known by then."""

    def __init__(self, loss: MachineLost, what: str, reason: str | None, executed: Executed) -> None:
        said = reason or ("its connection broke" if "\n" in loss.what else loss.what)  # not the command we sent
        super().__init__(f"{what} died while {executed.command[0]} ran: {said}", details=loss.details)
        self.executed = executed


def _between(first: int | None, last: int | None) -> int | None:
    """How many identifiers were given between two that were asked for."""
    return None if first is None or last is None else last - first - 1


def _sorted(objects: set[KernelObject] | frozenset[KernelObject]) -> tuple[KernelObject, ...]:
    return tuple(sorted(objects, key=lambda one: (one.kind, len(one.identity), one.identity)))


def _last_lines(path: Path) -> str:
    """Returns the last lines of an output as text, as much as fits into a report."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        length = file.seek(0, SEEK_END)
        file.seek(max(0, length - MOST))
        lines = file.read().decode(errors="replace").rstrip("\n").split("\n")
    return "\n".join(brief(line) if len(line) > LONGEST else line for line in lines[-LINES:])
