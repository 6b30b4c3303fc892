# SPDX-License-Identifier: MIT
"""fork(2), exit(2), execve(2), and calls that change the calling process: kernel/fork.c, exit.c and sys.c, fs/exec.c.

Their effects on perf events are in kernel/events/core.c: perf_event_init_task(), perf_event_exit_task(),
perf_event_exec().
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.abi.capabilities import Capability
from harness.abi.numbers import PR_SET_KEEPCAPS, PR_SET_NAME
from harness.model.errno import Errno
from harness.model.interface import settings
from harness.model.interface.descriptors import Number
from harness.model.interface.hits import Call, hit
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import PerfEvent
from harness.model.interface.perf import period_left
from harness.model.interface.task import Task
from harness.model.unpredictable import Settled, Unpredictable
from harness.script.operations import Buffer, Trigger
from harness.script.outcome import Outcome
from harness.script.processes import Execute, Exit, Fork, GetProcessId, LimitLockedMemory, SetCredentials, SetName
from harness.script.triggers import TRIGGERS, Argument

MOST_NAME = 15
"""The length in bytes of a process's name, without the NUL behind it: TASK_COMM_LEN."""
PRCTL = "cap_task_prctl"
WRITTEN = "write_null"
"""The function that an executed program reaches by writing its line."""
NEW_CAPABILITIES = frozenset({Capability.BPF, Capability.PERFMON})


def fork(kernel: Kernel, _: Fork) -> Outcome:
    """Forks: the child gets an event of its own for each inheritable one that counts its parent's hits."""
    parent, child = kernel.task, kernel.task.forked()
    for event in tuple(_events(kernel, parent)):
        if event.inherit:
            _inherit(kernel, event, child)
    kernel.switch(child)
    return Outcome(value=0)


def exit(kernel: Kernel, _: Exit) -> Outcome:
    """Ends a process: the counts of its events are added to those they were inherited from."""
    child, parent = kernel.task, kernel.task.parent
    assert parent is not None, "a script's children exit"
    settings.put_back(kernel)
    whole = all(event.inherit or event.doubt for event in _events(kernel, parent))
    for event in tuple(_events(kernel, child)):
        if event.original is not None:
            _disinherit(kernel, event, event.original, swapped=whole)
    child.names.exit(parent.names)
    kernel.switch(parent)
    return Outcome(value=0)


def execute(kernel: Kernel, operation: Execute) -> Outcome:
    """Executes a program, which writes its line; raises Unpredictable for one that does something else."""
    if operation.command != ("echo",):
        raise Unpredictable(f"what {(*operation.command, operation.line)[0]} does")
    for event in _events(kernel, kernel.task):
        event.enabled = event.enabled or event.enable_on_exec
        event.enable_on_exec = False
    kernel.names.execute()
    kernel.task.comm = b"busybox"
    trigger, nbytes = TRIGGERS[WRITTEN], len(operation.line.encode()) + 1
    hit(kernel, trigger.symbol, Call(trigger, Trigger(WRITTEN, (0, nbytes))))
    return Outcome(value=0)


def set_credentials(kernel: Kernel, operation: SetCredentials) -> Outcome:
    """Changes the caller's credentials; raises Errno EPERM for a caller that did so before: setgroups(2) takes a
    capability that is then gone."""
    settled = _prctl(kernel, Trigger(PRCTL, (PR_SET_KEEPCAPS, 1)), returns=0) if operation.keeps else None
    known = operation.capabilities if kernel.rules.splits_admin else operation.capabilities - NEW_CAPABILITIES
    task = kernel.task
    administers = task.capable(Capability.SYS_ADMIN)
    if task.limited:
        raise settled or Errno("EPERM")
    if not known <= task.capabilities or not administers:
        raise Unpredictable("which credentials a caller who is not root may take")
    task.uid = task.gid = operation.uid
    task.capabilities = known
    task.limited = True
    if settled:
        raise settled
    return Outcome(value=0)


def limit_locked_memory(kernel: Kernel, operation: LimitLockedMemory) -> Outcome:
    limit = kernel.task.memory_limit
    if limit is not None and operation.nbytes > limit and not kernel.task.capable(Capability.SYS_RESOURCE):
        raise Errno("EPERM")
    kernel.task.locked_memory = operation.nbytes
    return Outcome(value=0)


def set_name(kernel: Kernel, operation: SetName) -> Outcome:
    call = Trigger(PRCTL, (PR_SET_NAME, Buffer(operation.content + b"\0")))
    settled = _prctl(kernel, call, returns=TRIGGERS[PRCTL].returns)
    kernel.task.comm = operation.content.split(b"\0")[0][:MOST_NAME]
    if settled:
        raise settled
    return Outcome(value=0)


def get_process_id(kernel: Kernel, operation: GetProcessId) -> Outcome:
    """Returns the process id. From here on, what the kernel reports of this process must be this number."""
    told = kernel.task.pid
    kernel.task.pid = replace(told, same_as=operation.name)
    kernel.names.put(operation.name, Number(kernel.task))
    return Outcome(value=told)


def _prctl(kernel: Kernel, operation: Trigger, returns: int | Argument) -> Settled | None:
    """Reaches the function that every prctl(2) reaches first. Returns what cannot be known of a probe there, after
    which the call goes on."""
    trigger = replace(TRIGGERS[PRCTL], returns=returns)
    try:
        hit(kernel, trigger.symbol, Call(trigger, operation))
    except Settled as settled:
        return settled
    return None


def _events(kernel: Kernel, task: Task) -> Iterator[PerfEvent]:
    return (event for event in kernel.perf_events() if event.task is task)


def _inherit(kernel: Kernel, event: PerfEvent, child: Task) -> None:
    original = event.original or event
    inherited = replace(
        original,
        task=child,
        enabled=event.enabled,
        count=0,
        period_left=period_left(kernel, original.sample_period),
        ring=None,
        original=original,
        inherited=[],
        program=original.program if kernel.rules.inherits_program else None,
    )
    original.inherited.append(inherited)
    original.trace_event.events.append(inherited)


def _disinherit(kernel: Kernel, event: PerfEvent, original: PerfEvent, *, swapped: bool) -> None:
    """Frees an event of a task that ends, like any other.

    If all of the parent's events were inherited, the kernel may have swapped parent's and child's when it switched from
    one to the other (perf_event_context_sched_out()), and then another event is freed now.
    """
    original.count += event.count
    original.inherited.remove(event)
    if swapped and event.trace_event.programs:
        event.trace_event.doubt = "whether freeing an inherited event detaches the program"
    kernel.release(event)
