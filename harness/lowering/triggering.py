# SPDX-License-Identifier: MIT
"""Triggers as plain system calls."""

from __future__ import annotations

from harness.lowering.context import Lowering, Reader
from harness.script.operations import Buffer, Trigger, Untouched
from harness.script.outcome import Outcome
from harness.script.triggers import TRIGGERS, From
from hil.agent.results import BatchResult
from hil.agent.steps import Operand


def trigger(lowering: Lowering, operation: Trigger) -> Reader:
    trigger = TRIGGERS[operation.trigger]
    chosen = iter(operation.arguments)
    arguments: list[Operand | int] = []
    for argument in trigger.call:
        if argument is From.NULL_DEVICE:
            arguments.append(lowering.null_device())
        elif argument is From.CHOSEN:
            value = next(chosen, 0)
            arguments.append(_argument(lowering, value))
        else:
            arguments.append(argument)
    with lowering.builder.repeat(operation.times):
        call = lowering.call(trigger.system_call, *arguments)

    def read(results: BatchResult) -> Outcome:
        result = results.done(call)
        return Outcome(errno=result.error) if result.errno else Outcome(value=result.unsigned)

    return read


def _argument(lowering: Lowering, value: int | Buffer | Untouched) -> Operand | int:
    match value:
        case Buffer():
            return lowering.buffer(value)
        case Untouched():
            page = lowering.guest.page_size
            return lowering.builder.alloc(-(-value.nbytes // page) * page, align=page)
        case _:
            return value
