# SPDX-License-Identifier: MIT
"""gdb on a running script, for tests: it stops at BPF instructions and calls of the kernel, and reads registers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.abi.pt_regs import PtRegs
from harness.debug.debuggee import Debuggee
from harness.debug.interactive import Begun, stopped
from harness.debug.looking import HIT, NeverReached
from harness.debug.subject import Subject
from harness.isa.opcodes import REGISTERS
from harness.run.results import ScriptResult
from harness.script.clause import Step, script_of
from harness.script.operations import Operation, Script
from hil.errors import BenchError
from hil.gdb.registers import register_file
from hil.gdb.session import GdbSession, Stop

_WORD = 8
_INT_BITS = 32


class UnexpectedReturn(AssertionError):
    """A function of the kernel returned something else than a test expects."""


@dataclass(frozen=True)
class AtInstruction:
    """An instruction that is about to be executed: of `program`, with number `instruction`; `registers` are R0 to R10,
    None for the one that a JIT's prologue has not set yet."""

    program: str
    instruction: int
    registers: tuple[int | None, ...]


class BpfSession(GdbSession):
    """A gdb on a guest that is stopped before a script begins; errors as those of `GdbSession`, and NeverReached when
    the script ends before the guest has stopped."""

    def __init__(self, debuggee: Debuggee, begun: Begun) -> None:
        """Connects, and loads the commands for BPF."""
        super().__init__(debuggee.machine, *debuggee.for_gdb)
        self._begun = begun
        try:
            self.execute(f"source {begun.loader}")
        except BaseException:
            self.close()
            raise
        # A script that ends first stops the guest as well, so there is one thing to wait for.
        begun.result.add_done_callback(lambda _: self._wake())

    def break_at_bpf(self, instruction: int, program: str = "") -> None:
        """Stops the guest from now on whenever that instruction is next: of a program of the script, or of all that
        have one. Programs need not be loaded yet. Raises GdbRefused when none has one."""
        self.execute(f"bpf break {program} {instruction}")

    def run_to_stop(self) -> Stop:
        """Lets the guest run until it stops."""
        self.continue_()
        stop = self.wait_for_stop(HIT)
        if stop.breakpoint is None and self._begun.result.done():
            raise NeverReached(
                "the script ended before the guest stopped",
                remedy="stop it at something that it does; a function may be part of its callers",
            )
        return stop

    def step_bpf(self, count: int = 1) -> None:
        """Executes BPF instructions; outside of a program, the first step is to the first one of any."""
        self.execute(f"bpf step {count}", HIT)

    def at_bpf(self) -> AtInstruction:
        """Returns the instruction that is next; raises GdbRefused when the guest is at none."""
        # What a step printed may come after gdb has said that it is done.
        said = json.loads(self.execute("bpf state").splitlines()[-1])
        return AtInstruction(said["program"], said["indexes"][0], tuple(said["registers"]))

    def bpf_registers(self) -> dict[str, int]:
        """Returns the program's registers by name, without those that are not set yet; errors as `at_bpf`."""
        values = self.at_bpf().registers
        return {f"R{number}": value for number in range(REGISTERS) if (value := values[number]) is not None}

    def expect_call(self, function: str, returns: int | None = None) -> int:
        """Lets the guest run through the next call of a function of the kernel, and returns what that returns, an int
        of C. Raises UnexpectedReturn when it is not `returns`, and UnknownSymbol when there is no such function."""
        called = self.break_at(function)
        stop = self.run_to_stop()
        while stop.breakpoint != called.number:
            stop = self.run_to_stop()
        self.delete(called)
        names, registers = register_file(self.arch.name), self.registers()
        stack = registers[names.sp]
        address = registers[names.link] if names.link else int.from_bytes(self.read_memory(stack, _WORD), "little")
        returned = self.break_at(f"{address:#x}")
        stop = self.run_to_stop()
        # A function that is called by itself returns to the same place, but further down the stack.
        while stop.breakpoint != returned.number or self.registers()[names.sp] < stack:
            stop = self.run_to_stop()
        self.delete(returned)
        value = self.registers()[names.result] & ((1 << _INT_BITS) - 1)
        value -= value >> (_INT_BITS - 1) << _INT_BITS
        if returns is not None and value != returns:
            raise UnexpectedReturn(f"{function} returned {value}, not {returns}")
        return value

    def _wake(self) -> None:
        with contextlib.suppress(BenchError):
            self.interrupt()


class Debugger:
    """A lane whose kernel gdb can stop."""

    def __init__(self, debuggee: Debuggee, folder: Path) -> None:
        """Takes the folder for the files that gdb reads, which exists."""
        self.debuggee = debuggee
        self._folder = folder
        self.result: ScriptResult | None = None
        """The verdict on the script that ran last, to its end; None before it has."""

    @property
    def registers(self) -> PtRegs:
        """Returns the context of a kprobe program here: where arguments and the result are."""
        return self.debuggee.environment.registers

    @contextmanager
    def run(self, *steps: Script | Operation | Step) -> Iterator[BpfSession]:
        """Begins operations, or one whole script, under gdb: the guest stands still, before the first of them. At the
        end it goes on, to the end of the script."""
        self.result = None
        where = self.debuggee.environment
        script = script_of("debugged", steps, where.era, where.version_code)
        with stopped(self.debuggee, Subject(script), "", self._folder) as begun:
            with BpfSession(self.debuggee, begun) as session:
                yield session
            seen = begun.go_on()
        self.result = self.debuggee.judge(seen)
