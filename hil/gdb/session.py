# SPDX-License-Identifier: MIT
"""A gdb session on a machine: stop the guest, inspect it, let it run."""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from hil.arch import Architecture
from hil.errors import BenchError
from hil.gdb import command, mi
from hil.gdb.errors import GdbGone, GdbRefused, GdbSilent, TargetGone, UnknownSymbol
from hil.gdb.frame import Frame
from hil.gdb.process import GdbProcess
from hil.gdb.registers import register_file
from hil.machine import Wait, speed
from hil.machine.liveness import Liveness, Loss

CONNECT = Wait("gdb to connect to QEMU", 30)
READ = Wait("gdb to read the symbols", 300)
ANSWER = Wait("gdb to answer", 30)
STOP = Wait("the guest to stop", 120)
QUIT = Wait("gdb to quit", 3)

_KEPT_LINES = 12
_LONGEST_BACKTRACE = 64
_LINE = re.compile(r'Line (?P<line>\d+) of "(?P<file>[^"]+)"')
_NO_VALUE = "<"
"""How gdb's `<optimized out>` and `<error reading variable ...>` begin."""
_DISCONNECTED = re.compile(r"remote (connection|communication|failure)|not being run|connection reset", re.IGNORECASE)


class Stub(Protocol):
    """The part of a machine that gdb needs; `hil.machine.Machine` has it."""

    @property
    def arch(self) -> Architecture: ...

    @property
    def gdb_socket(self) -> Path: ...

    def lost_reason(self) -> str | None: ...

    def on_loss(self, callback: Callable[[], None]) -> None: ...


@dataclass(frozen=True)
class Breakpoint:
    """A breakpoint; `number` is the one that gdb gave it."""

    number: str
    symbol: str
    address: int


@dataclass(frozen=True)
class Stop:
    """Why and where the guest stopped. `reason` is gdb's: "breakpoint-hit", "signal-received", ...; `breakpoint` is the
    number of the breakpoint that was hit; `function` is None where no symbol covers `pc`."""

    reason: str
    pc: int
    function: str | None = None
    breakpoint: str | None = None


class GdbSession:
    """One gdb on one machine, a context manager. The guest stops when the session begins and runs when it ends.

    Every method raises GdbGone when gdb ends, TargetGone when the machine ends, both at once; raises GdbSilent when its
    deadline passes and GdbRefused when gdb answers with an error. Several threads may use it, as `interrupt` requires.
    """

    def __init__(self, stub: Stub, *symbols: Path) -> None:
        """Connect, with the symbols of ELF files, of the kernel first; on failure nothing is left running."""
        self.arch = stub.arch
        self._tokens = itertools.count(1)
        self._results: dict[int, mi.Record] = {}
        self._stops: deque[Stop] = deque()
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)
        self._said: list[str] = []
        self._liveness = Liveness()
        self._numbers: dict[str, int] = {}
        self._running = False
        self._connected = False
        self._closing = threading.Event()
        self._gdb = GdbProcess(command.mi_command(), on_line=self._handle_line, on_exit=self._exited)
        try:
            stub.on_loss(lambda: self._liveness.lose(Loss(stub.lost_reason() or "the machine ended", TargetGone)))
            self._begin(stub.gdb_socket, symbols)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process id of gdb."""
        return self._gdb.pid

    # --- Control of execution

    def break_at(self, symbol: str) -> Breakpoint:
        """Set a breakpoint at the first instruction of a function; raises UnknownSymbol when there is none of this
        name.

        It is a hardware breakpoint, because a software breakpoint patches the kernel's text, as the kernel itself does
        where it has probes. Under TCG QEMU treats both alike.
        """
        try:
            row = self._command(f"-break-insert -h *{symbol}").values["bkpt"]
        except GdbRefused as error:
            if "No symbol" not in error.what:
                raise
            raise UnknownSymbol(
                f"the kernel has no symbol {symbol!r}", remedy="see /proc/kallsyms in a guest"
            ) from None
        return Breakpoint(row["number"], symbol, int(row["addr"], 16))

    def delete(self, breakpoint: Breakpoint) -> None:
        self._command(f"-break-delete {breakpoint.number}")

    def continue_(self) -> None:
        """Let the guest run; returns at once."""
        self._stops.clear()
        self._command("-exec-continue")

    def interrupt(self) -> None:
        """Stop a running guest, so that `wait_for_stop` returns. Does nothing when it is stopped."""
        if self._running:
            self._command("-exec-interrupt")

    def wait_for_stop(self, wait: Wait = STOP) -> Stop:
        """Wait for the guest to stop."""
        self._wait(wait, lambda: bool(self._stops))
        return self._stops.popleft()

    def detach(self) -> None:
        """Detach gdb from the guest, which runs from then on without breakpoints."""
        if not self._connected:
            return
        if self._running:
            self.interrupt()
            self._wait(ANSWER, lambda: not self._running)
        self._command("-target-detach")
        self._connected = False

    def close(self) -> None:
        """Detach and end gdb; harmless when repeated, when gdb is gone, or when the machine is."""
        if self._closing.is_set():
            return
        # An error here was either reported already or no longer matters.
        with contextlib.suppress(BenchError):
            self.detach()
        self._closing.set()
        self._gdb.write("-gdb-exit")
        if not self._gdb.wait(QUIT.seconds * speed.scale()):
            self._gdb.kill()

    # --- Inspection; the guest must be stopped

    def registers(self) -> Mapping[str, int]:
        """The general registers, unsigned, in the order of `hil.gdb.registers`."""
        names = register_file(self.arch.name).general
        if not self._numbers:
            every = self._command("-data-list-register-names").values["register-names"]
            self._numbers = {name: number for number, name in enumerate(every) if name}
        wanted = " ".join(str(self._numbers[name]) for name in names)
        rows = self._command(f"-data-list-register-values x {wanted}").values["register-values"]
        found = {int(row["number"]): int(row["value"], 16) for row in rows}
        return {name: found[self._numbers[name]] for name in names}

    def backtrace(self) -> tuple[Frame, ...]:
        """The stack as gdb unwinds it, innermost frame first. It is exact only with DWARF's call frame information;
        `hil.gdb.unwind` has better methods for code without."""
        rows = self._command("-stack-list-frames").values["stack"]
        return tuple(Frame(int(row["addr"], 16), _named(row.get("func"))) for row in rows)

    def source_line(self, address: int) -> str:
        """The line of the source that an instruction comes from, "kernel/fork.c:2500"; empty where no debug information
        has it."""
        found = _LINE.search(self.execute(f"info line *{address:#x}"))
        return f"{found['file']}:{found['line']}" if found else ""

    def variables(self, level: int) -> dict[str, str]:
        """The parameters and local variables of a frame of `backtrace`, as gdb prints them, those that have a value and
        are no structures. Only debug information has them."""
        self._command(f"-stack-select-frame {level}")
        rows = self._command("-stack-list-variables --simple-values").values["variables"]
        self._command("-stack-select-frame 0")
        return {row["name"]: row["value"] for row in rows if not row.get("value", _NO_VALUE).startswith(_NO_VALUE)}

    def evaluate(self, expression: str) -> str:
        """The value of an expression, as gdb prints it."""
        return str(self._command(f"-data-evaluate-expression {mi.quoted(expression)}").values["value"])

    def execute(self, text: str, wait: Wait = ANSWER) -> str:
        """What gdb prints for a command as a person types it, such as `info symbol 0xffffffff81000000`."""
        self._said.clear()
        self._command(f"-interpreter-exec console {mi.quoted(text)}", wait)
        return "".join(self._said)

    def read_memory(self, address: int, size: int) -> bytes:
        """`size` bytes of the guest at a virtual address; raises GdbRefused when not all of them are mapped."""
        rows = self._command(f"-data-read-memory-bytes {address:#x} {size}").values["memory"]
        data = b"".join(bytes.fromhex(row["contents"]) for row in rows)
        if len(data) != size:
            raise GdbRefused(f"gdb read {len(data)} of {size} bytes at {address:#x}", details=self._details())
        return data

    # --- Inside

    def _begin(self, socket: Path, symbols: Sequence[Path]) -> None:
        for setting in (
            "pagination off",
            "confirm off",
            # The value at a call alone, where a parameter's own value is lost.
            "print entry-values if-needed",
            # Accept commands while the guest runs, else nothing could interrupt it.
            "mi-async on",
            # gdb's heuristics can find frames for ever on a kernel's stack.
            f"backtrace limit {_LONGEST_BACKTRACE}",
            f"architecture {self.arch.gdb_architecture}",
        ):
            self._command(f"-gdb-set {setting}")
        for line in command.loading(symbols):
            self._command(f"-interpreter-exec console {mi.quoted(line)}", READ)
        self._command(f"-target-select remote {socket}", CONNECT)
        self._connected = True
        self._stops.clear()

    def _command(self, text: str, wait: Wait = ANSWER) -> mi.Record:
        # gdb answers from its caches after the machine is gone.
        self._check_alive(text)
        token = next(self._tokens)
        self._gdb.write(f"{token}{text}")
        self._wait(wait, lambda: token in self._results, text)
        record = self._results.pop(token)
        if record.message != "error":
            return record
        what = str(record.values.get("msg", "no reason given"))
        if _DISCONNECTED.search(what):
            # gdb often notices the machine's death before the threads that watch it, which know the reason.
            self._liveness.wait(lambda: False, 1)
            self._check_alive(text)
        raise GdbRefused(f"gdb refuses {text}: {what}", details=self._details())

    def _wait(self, wait: Wait, happened: Callable[[], bool], text: str = "") -> None:
        doing = f"waiting for {wait.name}" + (f" ({text})" if text else "")
        if self._liveness.wait(happened, wait.seconds * speed.scale()):
            return
        self._check_alive(doing)
        raise GdbSilent(f"{doing}: timed out ({wait.seconds:.0f} nominal s)", details=self._details())

    def _check_alive(self, doing: str) -> None:
        loss = self._liveness.loss
        if loss is not None:
            raise loss.error(f"{doing}: {loss.reason}", details=self._details())

    def _handle_line(self, line: str) -> None:
        """Handle one line of gdb's output, in the thread that reads it."""
        self._last.append(line)
        record = mi.parse(line)
        if record is None:
            return
        if record.kind == "result" and record.token is not None:
            # Before the sender of the command continues: it may interrupt at once, and `*running` comes later.
            self._running = self._running or record.message == "running"
            self._results[record.token] = record
        elif record.kind == "notify" and record.message == "running":
            self._running = True
        elif record.kind == "notify" and record.message == "stopped":
            self._running = False
            self._stops.append(_stop(record.values))
        elif record.kind == "console":
            self._said.append(str(record.payload))
        self._liveness.wake()

    def _exited(self, code: int) -> None:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        self._liveness.lose(Loss(f"gdb {how}", GdbGone))

    def _details(self) -> str:
        return "\n".join(["gdb's last output:", *self._last]) if self._last else "gdb printed nothing"


def _stop(values: Mapping[str, object]) -> Stop:
    frame = values.get("frame")
    frame = frame if isinstance(frame, dict) else {}
    number = values.get("bkptno")
    return Stop(
        reason=str(values.get("reason", "")),
        pc=int(str(frame.get("addr", "0")), 16),
        function=_named(frame.get("func")),
        breakpoint=None if number is None else str(number),
    )


def _named(function: object) -> str | None:
    return None if function in (None, "??") else str(function)
