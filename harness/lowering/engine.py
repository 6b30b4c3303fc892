# SPDX-License-Identifier: MIT
"""The engine that runs programs: choosing it by the sysctl, and verifying the choice.

The sysctl alone proves nothing: a kernel may keep its value and leave programs to the interpreter all the same.
BPF_OBJ_GET_INFO_BY_FD returns the length of a program's machine code: kernel/bpf/syscall.c, bpf_prog_get_info_by_fd(),
5.10.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.abi import bpf
from harness.abi.numbers import O_RDONLY, O_WRONLY
from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.lane import Engine
from harness.lowering.context import Guest, Lowering
from harness.lowering.programs import load
from harness.script.operations import LoadProgram, ProgramType, Ref
from hil.agent.builder import BatchBuilder
from hil.agent.results import BatchResult
from hil.agent.steps import Batch

JIT_SWITCH = "/proc/sys/net/core/bpf_jit_enable"
_PROBE = LoadProgram("probe", ProgramType.SOCKET_FILTER, program(mov64_imm(R0, 0), exit_()))


class EngineUnavailable(Exception):
    """The guest cannot run programs in this engine; the text says why."""


def switching(guest: Guest, engine: Engine, deadline: float) -> tuple[Batch, Callable[[BatchResult], None]]:
    """Returns the batch that chooses `engine`, and the reader of its result, which raises EngineUnavailable when
    programs do not run in it."""
    wanted = "1" if engine is Engine.JIT else "0"
    lowering = Lowering(guest, "engine", BatchBuilder())
    lowering.write_to(JIT_SWITCH, wanted, O_WRONLY)
    opened = lowering.open(JIT_SWITCH, O_RDONLY)
    shown = lowering.builder.alloc(1)
    lowering.call("read", opened, shown, 1)
    content = lowering.builder.read(shown, 1)
    loading = load(lowering, _PROBE)
    loaded = lowering.operand(Ref(_PROBE.name))
    about = lowering.builder.alloc(bpf.PROG_INFO.size)
    request = {"bpf_fd": loaded, "info_len": bpf.PROG_INFO.size, "info": about}
    asked = lowering.call("bpf", bpf.Command.OBJ_GET_INFO_BY_FD, lowering.structure(bpf.OBJECT_INFO, request), 16)
    length = lowering.builder.load(about + bpf.PROG_INFO.fields["jited_prog_len"].offset, 4)

    def read(results: BatchResult) -> None:
        # A kernel without the JIT has nothing but the interpreter, and no switch.
        if (error := results.done(opened).error) and (engine is Engine.JIT or error != "ENOENT"):
            raise EngineUnavailable(f"{JIT_SWITCH}: {error}; the kernel was built without CONFIG_BPF_JIT")
        if not error and (now := results.done(content).data.decode("ascii", "replace")) != wanted:
            raise EngineUnavailable(f"{JIT_SWITCH} stays {now}; the kernel was built with one engine only")
        if guest.tells_engine:
            if refused := loading(results).errno:
                raise EngineUnavailable(f"{JIT_SWITCH} is {wanted}, but the kernel does not load a program: {refused}")
            if error := results.done(asked).error:
                raise EngineUnavailable(f"the kernel does not tell which engine runs a program: {error}")
            _check(engine, results.done(length).unsigned)

    return lowering.builder.build(deadline), read


def _check(engine: Engine, length: int) -> None:
    if engine is Engine.JIT and not length:
        raise EngineUnavailable(f"{JIT_SWITCH} is 1, but the kernel left a program to the interpreter")
    if engine is Engine.INTERP and length:
        raise EngineUnavailable(f"{JIT_SWITCH} is 0, but the JIT made {length} bytes of machine code of a program")
