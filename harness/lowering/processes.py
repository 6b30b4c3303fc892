# SPDX-License-Identifier: MIT
"""The process that carries out a script: children, credentials, limits, its name; clone(2) to wait4(2)."""

from __future__ import annotations

from contextlib import ExitStack

from harness.abi import capabilities
from harness.abi.numbers import PR_SET_KEEPCAPS, PR_SET_NAME, RLIMIT_MEMLOCK
from harness.lowering.context import Lowering, Reader, first_failure, returned
from harness.script.outcome import Outcome
from harness.script.processes import Execute, Exit, Fork, GetProcessId, LimitLockedMemory, SetCredentials, SetName
from hil.agent.results import BatchResult, Status
from hil.agent.steps import Operand

BUSYBOX = "/bin/busybox"


def fork(lowering: Lowering, _: Fork) -> Reader:
    return first_failure([lowering.enter_child()], value=0)


def exit(lowering: Lowering, _: Exit) -> Reader:
    child = lowering.end_child()
    status = lowering.builder.alloc(4)
    waited = lowering.call("wait4", child, status, 0, 0)
    told = lowering.builder.load(status, 4)
    return first_failure([waited, told])


def set_credentials(lowering: Lowering, operation: SetCredentials) -> Reader:
    """Sets credentials. Capabilities survive the change of user if that is asked for, and are reduced afterwards. Only
    the last step fails."""
    builder, uid = lowering.builder, operation.uid
    header, data = builder.alloc(capabilities.header()), builder.alloc(capabilities.data(operation.capabilities))
    calls: tuple[tuple[str, tuple[Operand | int, ...]], ...] = (
        *((("prctl", (PR_SET_KEEPCAPS, 1, 0, 0, 0)),) if operation.keeps else ()),
        ("setgroups", (0, 0)),
        ("setresgid", (uid, uid, uid)),
        ("setresuid", (uid, uid, uid)),
    )
    steps = []
    with ExitStack() as going_on:
        for name, arguments in calls:
            steps.append(lowering.call(name, *arguments))
            going_on.enter_context(builder.unless_failed(steps[-1]))
        steps.append(lowering.call("capset", header, data))
    return first_failure(steps, value=0)


def execute(lowering: Lowering, operation: Execute) -> Reader:
    """Executes a program; a call that succeeds never returns."""
    arguments = [lowering.text(text) for text in (BUSYBOX, *operation.command, operation.line)]
    vector = lowering.builder.alloc(8 * (len(arguments) + 1))
    for index, argument in enumerate(arguments):
        lowering.builder.store(vector + 8 * index, 8, argument)
    call = lowering.call("execve", arguments[0], vector, vector + 8 * len(arguments))

    def read(results: BatchResult) -> Outcome:
        result = results[call]
        under_way = result is not None and result.status is Status.RUNNING
        return Outcome(value=0) if under_way else returned(call)(results)

    return read


def limit_locked_memory(lowering: Lowering, operation: LimitLockedMemory) -> Reader:
    limit = lowering.builder.alloc(2 * operation.nbytes.to_bytes(8, "little"))
    return returned(lowering.call("setrlimit", RLIMIT_MEMLOCK, limit))


def set_name(lowering: Lowering, operation: SetName) -> Reader:
    return returned(lowering.call("prctl", PR_SET_NAME, lowering.builder.alloc(operation.content + b"\0"), 0, 0, 0))


def get_process_id(lowering: Lowering, operation: GetProcessId) -> Reader:
    number = lowering.call("getpid")
    lowering.names[operation.name] = number
    return returned(number)
