# SPDX-License-Identifier: MIT
"""Examines a machine whose guest died, which QEMU holds still, or hangs, which is stopped for each look."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from hil.errors import BenchError
from hil.gdb.frame import Frame
from hil.gdb.table import SymbolTable
from hil.gdb.unwind.choice import unwinder
from hil.gdb.unwind.stopped import Unwinder
from hil.machine import Machine
from hil.machine.postmortem import CpuState, Death, PostMortem
from hil.postmortem import registers
from hil.postmortem.cpu import StillCpu
from hil.postmortem.symbols import kept, symbols

_log = logging.getLogger(__name__)

_LOOKS = 3
"""How often a guest that hangs is looked at: a CPU that is in one function each time does not come out of it."""
_BETWEEN = 0.2
"""Seconds that it runs between two looks. Nothing fails when that is too short or too long: more or fewer functions of
a loop are seen."""
_PANIC = "panic"
_ON_THE_WAY = re.compile(
    r"(__)?die|\w+_notify_die|oops_end|no_context|page_fault(_oops)?|\w*(bad_area|fault|abort)\w*|(asm_)?exc_\w+|el1h?_\w+|do_trap\w*"
    r"|invalid_op|do_error_trap|general_protection|bug_handler|\w*brk\w*|do_sp_pc\w*|do_undef\w*|\w*bug\w*"
)
"""The functions between panic() and the one that an exception interrupted: die(), oops_end() and the entry code of
arch/x86 and arch/arm64, 4.1 to 7.2."""
_RUNNING = "running"

Look = Callable[[StillCpu, Sequence[Frame], SymbolTable | None], str]
"""Returns in words which program of the bench's user a CPU executes, "" for none; called while nothing moves."""


@dataclass(frozen=True)
class Sight:
    """A CPU at one look: its stack, and the registers."""

    cpu: StillCpu
    frames: tuple[Frame, ...]

    @property
    def function(self) -> str:
        """Returns the function it is in, or another word for its place."""
        if self.cpu.in_user_space:
            return "user space"
        return self.frames[0].function or f"{self.frames[0].address:#x}"


def examine(machine: Machine, death: Death, look: Look = lambda cpu, frames, table: "") -> PostMortem:
    """Returns what a machine's CPUs do that died or hangs: registers, stacks with names, and what `look` says of each.
    Raises MachineLost when QEMU ends meanwhile. A machine that hangs goes on afterwards."""
    notes: list[str] = []
    status = str(machine.qmp.execute("query-status")["status"])
    table, method = _names(machine, death, status, notes)
    taken: list[Mapping[int, Sight]] = []
    programs: dict[int, str] = {}
    for number in range(_LOOKS if death is Death.HANG and status == _RUNNING else 1):
        if number:
            time.sleep(_BETWEEN)
        with _still(machine) if status == _RUNNING else contextlib.nullcontext():
            taken.append({cpu.number: _sight(cpu, method, table) for cpu in _cpus(machine)})
            for cpu, sight in taken[-1].items():
                programs[cpu] = programs.get(cpu) or _looked(look, sight, table, notes)
    cpus = tuple(
        CpuState(
            number,
            _place([seen[number] for seen in taken], death),
            {name: f"{value:#x}" for name, value in last.cpu.registers().items()},
            tuple(map(str, last.frames)),
            programs[number],
        )
        for number, last in taken[-1].items()
    )
    return PostMortem(death, _sentence(cpus, death, status), cpus, notes=tuple(dict.fromkeys(notes)))


def _names(machine: Machine, death: Death, status: str, notes: list[str]) -> tuple[SymbolTable | None, Unwinder | None]:
    """Returns the kernel's symbols and how to unwind it; neither, and a note, where they cannot be had. No other
    machine is asked for those of a guest in which every CPU waits for an interrupt, as that says little."""
    try:
        table = kept(machine)
        if table is None and death is Death.HANG and _waits(machine, status):
            notes.append("names of functions: not looked up, since no CPU executes anything")
            return None, None
        table = table or symbols(machine, partial(_log.info, "%s: %s", machine.spec.folder.name))
        return table, unwinder(machine.spec.kernel, table)
    except (BenchError, OSError) as error:
        notes.append(f"names of functions: not known: {error}")
        return None, None


def _waits(machine: Machine, status: str) -> bool:
    with _still(machine) if status == _RUNNING else contextlib.nullcontext():
        return all(cpu.waits for cpu in _cpus(machine))


def _cpus(machine: Machine) -> Iterator[StillCpu]:
    text = machine.qmp.human("info registers -a")
    for number, values in registers.parse(text, machine.arch.name).items():
        yield StillCpu(number, machine.arch.name, values, machine.memory)


def _sight(cpu: StillCpu, method: Unwinder | None, table: SymbolTable | None) -> Sight:
    frames = cpu.backtrace()
    if method is not None and not cpu.in_user_space:
        try:
            frames = tuple(method.frames(cpu)) or frames
        except (BenchError, KeyError) as error:  # a stack that was overwritten may lead anywhere
            _log.debug("CPU %d: the stack ends: %s", cpu.number, error)
            frames = (table.frame(cpu.pc, returns=False),) if table else frames
    return Sight(cpu, frames)


def _looked(look: Look, sight: Sight, table: SymbolTable | None, notes: list[str]) -> str:
    try:
        return look(sight.cpu, sight.frames, table)
    except BenchError as error:
        notes.append(f"programs under way: not known: {error}")
        return ""


@contextlib.contextmanager
def _still(machine: Machine) -> Iterator[None]:
    machine.qmp.execute("stop")
    try:
        yield
    finally:
        machine.qmp.execute("cont")


def _place(seen: Sequence[Sight], death: Death) -> str:
    """Returns in words where a CPU is, of all looks at it."""
    last = seen[-1]
    if death is Death.CRASH:
        names = [frame.function or "" for frame in last.frames]
        if _PANIC in names:
            behind = names[names.index(_PANIC) + 1 :]
            cause = next((name for name in behind if not _ON_THE_WAY.fullmatch(name.partition(".")[0])), None)
            return "panics" if cause is None else f"panics in {cause or 'code without a name'}"
        return f"in {last.function}"
    if all(one.cpu.waits for one in seen):
        return "idle"
    if all(one.cpu.in_user_space for one in seen):
        return "spins in user space"
    common = next((name for name in _functions(last) if all(name in _functions(one) for one in seen)), "")
    if len({one.cpu.pc for one in seen}) == 1 and len(seen) > 1:
        return f"hangs in {last.function}, at {last.cpu.pc:#x}"
    if common and len(seen) > 1:
        inside = dict.fromkeys(one.function for one in seen if one.function != common)
        return f"spins in {common}" + (f", seen in {', '.join(inside)}" if inside else "")
    return f"busy, seen in {', '.join(dict.fromkeys(one.function for one in seen))}"


def _functions(sight: Sight) -> Sequence[str]:
    return [] if sight.cpu.in_user_space else [frame.function for frame in sight.frames if frame.function]


def _sentence(cpus: Sequence[CpuState], death: Death, status: str) -> str:
    where = "; ".join(f"CPU {cpu.number} {cpu.place}" for cpu in cpus)
    if death is Death.HANG and status != _RUNNING:
        return f"the guest does not run, since QEMU's state is {status}: {where}"
    return where
