# SPDX-License-Identifier: MIT
"""BPF_PROG_LOAD: the kernel's checks before the verifier, and the verifier's verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.isa.table import find
from harness.model.errno import Errno
from harness.model.interface import permissions
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import LoadedProgram
from harness.model.interface.overlooked import REMOVING, with_jumps_removed
from harness.model.interface.verification import MapReferences, verdict
from harness.model.maps import ProgramArrayMap
from harness.model.rules import OTHER_COMMAND, LoadCheck
from harness.model.unpredictable import Bounded, Deadly, Narrowed, Settled, Unpredictable
from harness.script import logs
from harness.script.operations import LoadProgram, ProgramType
from harness.script.outcome import DESCRIPTOR, Either, Outcome
from harness.script.reason import Gap


def load(kernel: Kernel, operation: LoadProgram) -> Outcome:
    """Returns a descriptor; raises Errno by the era's checks and the verifier.

    Raises Settled when the verifier's verdict cannot be predicted but was observed: what becomes of the program then is
    known; Bounded when it could only be one of a few. Raises Deadly when the kernel may crash when it runs the program.
    """
    if why := logs.withheld(operation, kernel.environment.era):
        return replace(load(kernel, replace(operation, log_level=0)), log=why)
    function_types(kernel, operation)
    check(kernel, operation)
    permissions.verifier(kernel, operation.program.instructions)
    references = MapReferences(kernel.names, operation.program)
    try:
        _only_by_type(operation)
        _verified_whole(operation)
        said = verdict(kernel.environment, operation, references)
    except Unpredictable as unpredictable:
        if kernel.seen is None and not isinstance(unpredictable, Deadly):
            _spare(kernel, operation)  # the kernel may have died of it, if it took the program
        if kernel.seen is None or isinstance(unpredictable, Deadly):
            raise
        if kernel.seen.errno is None:
            _keep(kernel, operation, references)
        else:
            kernel.names.forget(operation.name)
        if isinstance(unpredictable, Narrowed) and not operation.log_level:
            raise Bounded(unpredictable.why, _either(unpredictable.errnos)) from unpredictable
        raise Settled(unpredictable.why) from unpredictable
    if said.errno is not None:
        if said.rule:
            kernel.refused(said.rule)
        return Outcome(errno=said.errno, log=said.log)
    _keep(kernel, operation, references)
    return Outcome(value=DESCRIPTOR, log=said.log)


def _either(errnos: Sequence[str | None]) -> Either:
    return Either(tuple(Outcome(value=DESCRIPTOR) if errno is None else Outcome(errno=errno) for errno in errnos))


def _only_by_type(operation: LoadProgram) -> None:
    """Raises Unpredictable for what is told of a program beyond its type."""
    if operation.attach_type or operation.attach_to or operation.flags:
        raise Unpredictable("what a program may do that is loaded for something beyond its type", Gap.VERDICT)


def _verified_whole(operation: LoadProgram) -> None:
    """Raises Unpredictable for functions that are verified by their types alone, each for any arguments."""
    if operation.types is not None and operation.types.globals:
        raise Unpredictable("what the verifier takes of global functions by their types alone", Gap.VERDICT)


def _keep(kernel: Kernel, operation: LoadProgram, references: MapReferences) -> None:
    """Keeps the loaded program from now on; raises Deadly when the kernel may crash when it runs."""
    _spare(kernel, operation)
    instructions, maps = operation.program.instructions, references.maps()
    code = kernel.interpreter.compile(instructions)
    if REMOVING & kernel.environment.faults_of_functions:
        code = with_jumps_removed(code, kernel.environment, instructions, maps)
    program = LoadedProgram(int(operation.type), instructions, code, maps)
    for map in program.maps.values():
        if isinstance(map, ProgramArrayMap):  # bpf_check_tail_call(), kernel/bpf/core.c, after the verifier
            map.admit(program.type)
    kernel.names.open(operation.name, program)


def _spare(kernel: Kernel, operation: LoadProgram) -> None:
    """Raises Deadly for a call that the verifier leaves to the JIT where there is none."""
    deadly = kernel.environment.deadly_helpers
    for instruction in operation.program.instructions if deadly else ():
        opcode = find(instruction)
        if opcode and opcode.name == "call" and instruction.imm in deadly:
            raise Deadly(
                f"whether the kernel survives a call of helper {instruction.imm}: do_misc_fixups() leaves it to the "
                "JIT (bpf_jit_inlines_helper_call()) also where there is none, and the interpreter calls what is no "
                "function; refused at load since 7.2"
            )


def function_types(kernel: Kernel, operation: LoadProgram) -> None:
    """Raises Errno where BPF_BTF_LOAD, which comes before BPF_PROG_LOAD, does not take the types of the functions."""
    if not operation.program.functions:
        return
    permissions.entry(kernel, OTHER_COMMAND)
    if not kernel.rules.function_types:
        raise Errno("EINVAL")
    if not permissions.bpf_capable(kernel):
        raise Errno("EPERM")


def check(kernel: Kernel, operation: LoadProgram) -> None:
    """Raises Errno by the era's checks before the verifier."""
    for step in kernel.rules.load_checks:
        CHECKS[step](kernel, operation)


def check_before_code(kernel: Kernel, operation: LoadProgram) -> None:
    """Makes those of these checks that bpf_prog_load() makes before it copies the instructions, knowing their
    number."""
    for step in kernel.rules.load_checks:
        if step in _BEFORE_CODE:
            CHECKS[step](kernel, operation)


_BEFORE_CODE = (LoadCheck.CAPABILITY, LoadCheck.LOCKED_MEMORY, LoadCheck.KERNEL_VERSION)


def length(kernel: Kernel, operation: LoadProgram) -> None:
    """Checks LOAD-06, LOAD-07."""
    if len(operation.program.instructions) > permissions.instruction_limit(kernel):
        raise Errno(kernel.rules.too_many_instructions)


def kernel_version(kernel: Kernel, operation: LoadProgram) -> None:
    """Checks LOAD-09."""
    wanted = operation.kern_version
    if operation.type == ProgramType.KPROBE and wanted not in (None, kernel.environment.version_code):
        raise Errno("EINVAL")


def program_type(kernel: Kernel, operation: LoadProgram) -> None:
    """Checks LOAD-12; a kernel without kprobes does not know programs that trace either: kernel/trace/Makefile builds
    bpf_trace.c with CONFIG_BPF_EVENTS only."""
    known = operation.type in kernel.rules.program_types
    if not known or (operation.type in permissions.TRACING and not kernel.environment.kprobes):
        raise Errno("EINVAL")


def empty(kernel: Kernel, operation: LoadProgram) -> None:
    """Checks LOAD-08."""
    if not operation.program.instructions:
        raise Errno("E2BIG")


def log(kernel: Kernel, operation: LoadProgram) -> None:
    """Checks LOG-02. Without a level the executor passes no buffer and no size either."""
    rule = kernel.rules.log
    if operation.log_level == 0:
        return
    if operation.log_level & ~rule.levels or not rule.least_size <= operation.log_size <= rule.most_size:
        raise Errno("EINVAL")


CHECKS: dict[LoadCheck, Callable[[Kernel, LoadProgram], None]] = {
    LoadCheck.LENGTH: length,
    LoadCheck.CAPABILITY: permissions.program_type,
    LoadCheck.LOCKED_MEMORY: lambda kernel, _: permissions.charge(kernel),
    LoadCheck.KERNEL_VERSION: kernel_version,
    LoadCheck.TYPE: program_type,
    LoadCheck.EMPTY: empty,
    LoadCheck.LOG: log,
}
