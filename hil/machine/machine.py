# SPDX-License-Identifier: MIT
"""One machine: a QEMU process, its console, its QMP, and SSH into its guest."""

from __future__ import annotations

import contextlib
import logging
import shlex
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from hil import cache, programs
from hil.arch import Architecture
from hil.errors import BenchError, MachineLost
from hil.machine import accelerator, direct, speed, states, transport
from hil.machine.command import Wiring, qemu_command
from hil.machine.console import Console
from hil.machine.direct import DirectAgent
from hil.machine.ends import STOPPED, Ends
from hil.machine.liveness import (
    Ending,
    GuestPanicked,
    Liveness,
    Loss,
    MachineStopped,
    WaitFailed,
)
from hil.machine.login import log_in
from hil.machine.monitor import Monitor, MonitorFailed
from hil.machine.postmortem import PostMortem
from hil.machine.process import QemuProcess
from hil.machine.remains import Remains
from hil.machine.sockets import SocketFolder
from hil.machine.spec import MachineSpec
from hil.machine.ssh import Connection, Credentials
from hil.machine.waits import BOOT, LOGIN, QMP_ANSWER, QUIT, RESTORE, TERMINATE, Wait
from hil.target import ByteStream, Completed

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

READY = "hil: ready"
"""The line that the guest's init prints when its SSH server listens."""


_FINAL_OUTPUT_SECONDS = 10.0
"""Seconds to find out why QEMU ended; what its sockets still hold is read at once."""


class Machine:
    """A machine, which is a context manager that starts on entry and always stops.

    Every wait ends at once when QEMU exits or the guest panics, with an error that says so and has the command line,
    QEMU's messages and the last lines of the console in its details.
    """

    def __init__(self, spec: MachineSpec) -> None:
        self.spec = spec
        self.command: list[str] = []
        """The command that starts the same machine at a terminal; the bench's differs in its console and
        QMP, and, of a machine that is restored, in what it boots."""
        self.ending: Ending | None = None
        self.remains = Remains(spec.folder)
        self._liveness = Liveness()
        self._ends = Ends(self._liveness, self.remains, self._qemu_messages)
        self._stopping = threading.RLock()
        self._process: QemuProcess | None = None
        self._console: Console | None = None
        self._monitor: Monitor | None = None
        self._connection: Connection | None = None
        self._logging_in = threading.Lock()
        self._agent: DirectAgent | None = None
        self._logged_before = 0
        self._sockets: SocketFolder | None = None
        self.on_loss(self._log_loss)

    def __enter__(self) -> Machine:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- Properties

    @property
    def arch(self) -> Architecture:
        return self.spec.kernel.arch

    @property
    def console(self) -> Console:
        return _started(self._console)

    @property
    def qmp(self) -> Monitor:
        return _started(self._monitor)

    @property
    def pid(self) -> int:
        """The process id of QEMU."""
        return _started(self._process).pid

    @property
    def address(self) -> tuple[str, int]:
        """The address on this host of the guest's SSH server."""
        with self._qmp_errors():
            return "127.0.0.1", self.qmp.forwarded_port()

    @property
    def agent(self) -> str:
        """The path of the agent in the guest."""
        return self.spec.root.agent

    @property
    def tracing(self) -> str:
        """The path of the tracing files in the guest."""
        return self.spec.root.tracing

    @property
    def emulator(self) -> str:
        """The version of its QEMU, with the distribution's suffix: "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)"."""
        with self._qmp_errors():
            answer = self.qmp.execute("query-version")
        return (
            f"{'.'.join(str(answer['qemu'][part]) for part in ('major', 'minor', 'micro'))} {answer['package']}".strip()
        )

    @property
    def gdb_socket(self) -> Path:
        """The unix socket of QEMU's gdb stub, for gdb's `target remote`."""
        return _started(self._sockets).path / "gdb"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._liveness.loss is None

    @property
    def console_log(self) -> Path:
        """The path of the file with everything that the guest printed, which QEMU writes."""
        return self.spec.console_log

    @property
    def log_lacks(self) -> int:
        """The bytes missing in the console log once the machine is stopped: QEMU ignores errors of writing it."""
        if self._console is None or self._process is None or self._process.returncode:
            return 0  # QEMU may have been killed between writing to the console and to the log
        try:
            return max(0, self._logged_before + self._console.received - self.spec.console_log.stat().st_size)
        except OSError:
            return self._console.received

    def lost_reason(self) -> str | None:
        """Why the machine is no longer there; None while it is."""
        return self._liveness.loss.reason if self._liveness.loss else None

    @property
    def postmortem(self) -> PostMortem | None:
        """What was left of the guest when it died or hung; see `hil.target.Target`."""
        return self.remains.found

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence when the console shows the message of a panic by which the machine did not end."""
        message = self._console.panic if self._console else None
        if message is None or (self._liveness.loss and self._liveness.loss.error is GuestPanicked):
            return ()
        return (f"the console shows {message!r}, but no panic ended the machine: a program may have printed it",)

    def on_loss(self, callback: Callable[[], None]) -> None:
        """Call `callback`, from the thread that notices, when the machine is lost; at once when it already is."""
        self._liveness.on_loss(callback)

    # --- Start and stop

    def start(self) -> None:
        """Start QEMU and boot until the guest's SSH server listens, or restore the machine; on any failure nothing is
        left running. The login is made when it is first needed; at once where no agent connects by itself."""
        try:
            self._launch()
            if self.spec.state is None:
                self.wait_for(BOOT, lambda: self.console.shows(READY))
            else:
                self._restore(self.spec.state)
            _log.info("%s: %s", self.spec.folder.name, "booted" if self.spec.state is None else "restored")
            if not self.spec.root.connects:
                self._ssh()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End QEMU, orderly and quickly, and release everything; harmless when repeated, and from any thread."""
        self._liveness.lose(Loss("the bench stopped the machine", MachineStopped))
        # After an interrupt both the thread that uses the machine and the interrupted one call this.
        with self._stopping:
            if self._connection is not None:
                self._connection.close()
            if self._process is not None and self.ending is None:
                by = self._end(self._process)
                self.ending = Ending(self.lost_reason() or "", self._process.returncode, by)
                _log.info("%s: ended by %s with status %s", self.spec.folder.name, by, self.ending.returncode)
            if self._monitor is not None:
                self._monitor.close()
            if self._agent is not None:
                self._agent.close()
            if self._sockets is not None:
                self._sockets.remove()

    # --- Use

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        """Run a command in the guest; see `hil.target.Target`."""
        done = self._ssh().run(argv, stdin=stdin, timeout=timeout * speed.scale())
        self.remains.answered()
        return done

    def open(self, argv: Sequence[str]) -> ByteStream:
        """Start a command in the guest and talk to it; see `hil.target.Target`. The first agent runs already."""
        if self._agent is not None and list(argv) == [self.agent]:
            if not self._agent.taken:
                return self._agent.take(self.spec.patience * speed.scale(), self._error)
            self.run(direct.END)
        stream = self._ssh().open(argv, timeout=LOGIN.seconds * speed.scale())
        self.remains.answered()
        return stream

    def memory(self, address: int, size: int, cpu: int = 0) -> bytes:
        """Read the guest's memory at a virtual address, as a CPU sees it now; raises MonitorFailed when there is
        none."""
        file = _started(self._sockets).path / "memory"
        signed = address - (address >> 63 << 64)  # QMP's numbers are signed
        self.qmp.execute("memsave", val=signed, size=size, filename=str(file), **{"cpu-index": cpu})
        content = file.read_bytes()
        file.unlink()
        return content

    def save(self, target: Path) -> None:
        """Write the state of the machine to a file while the guest stands still; it goes on afterwards. Raises
        MachineLost when QEMU cannot, OSError when the file cannot be written."""
        with self._qmp_errors(), target.open("wb") as file:
            self.qmp.save(file)

    def wait_for(self, wait: Wait, happened: Callable[[], bool]) -> None:
        """Wait until `happened()`, which is called whenever the console prints. Raises MachineLost when the machine is
        lost or the deadline passes."""
        if not self._liveness.wait(happened, wait.seconds * speed.scale()):
            raise self._error(f"waiting for {wait.name}", timeout=wait)

    # --- Inside

    def _launch(self) -> None:
        programs.require(self.arch.qemu, self.arch.qemu_package)
        speed.scale()  # Raises its errors before QEMU is started.
        self.spec.folder.mkdir(parents=True, exist_ok=True)
        self._sockets = SocketFolder()
        console, console_of_qemu = socket.socketpair()
        qmp, qmp_of_qemu = socket.socketpair()
        self._agent = DirectAgent() if self.spec.root.connects else None
        if self.spec.state is not None:
            self._logged_before = states.copy_console(self.spec.state, self.spec.console_log)
        with console_of_qemu, qmp_of_qemu, self._agent.of_qemu if self._agent else contextlib.nullcontext() as agent:
            descriptors = console_of_qemu.fileno(), qmp_of_qemu.fileno()
            wiring = Wiring(*descriptors, self.gdb_socket, agent.fileno() if agent else None)
            parts = self.spec, accelerator.of(self.spec), transport.choose(self.spec.kernel)
            self.command = qemu_command(*parts)
            self.spec.command_file.write_text(shlex.join(self.command) + "\n")
            _log.info("%s: %s", self.spec.folder.name, shlex.join(self.command))
            _log.debug("%s: a nominal second is %.2f s on this host now", self.spec.folder.name, speed.scale())
            self._console = Console(console, self._liveness, {direct.ENDED: self._agent.end} if self._agent else {})
            self._ends.console = self._console
            self._process = QemuProcess(
                qemu_command(*parts, wiring),
                inherit=wiring.descriptors,
                stderr=self.spec.stderr_file,
                on_exit=self._ends.exited,
            )
        try:
            self._monitor = Monitor(
                qmp,
                timeout=QMP_ANSWER.seconds * speed.scale(),
                on_load=self._liveness.wake,
            )
            self._ends.monitor = self._monitor
            # Only now, or the end of a guest that ended at once would be told to nobody: QEMU holds it.
            self._monitor.watch(self._ends.changed_state)
        except MonitorFailed as error:
            raise self._error(f"waiting for {QMP_ANSWER.name}") from error

    def _restore(self, state: Path) -> None:
        with ThreadPoolExecutor(1) as beside:
            checked = beside.submit(cache.check, state)
            # QEMU may try for ever to load what is damaged: a check that fails ends the wait.
            checked.add_done_callback(lambda _: self._liveness.wake())
            with self._qmp_errors():
                self.qmp.load(state / states.STATE)
            self.wait_for(RESTORE, lambda: self.qmp.loaded or (checked.done() and checked.exception() is not None))
            checked.result()  # nothing of it has run
        with self._qmp_errors():
            self.qmp.execute("cont")

    def _log_loss(self) -> None:
        loss = self._liveness.loss
        assert loss is not None
        level = logging.DEBUG if loss.error is MachineStopped else logging.WARNING
        _log.log(level, "%s: %s", self.spec.folder.name, loss.reason)

    def _ssh(self) -> Connection:
        if self._liveness.loss is not None:
            raise self._error("the machine is gone")
        with self._logging_in:
            if self._connection is None:
                credentials = Credentials.load(self.spec.root.key, self.spec.root.host_key)
                patience = self.spec.patience * speed.scale()
                self._connection = log_in(self.address, credentials, self._liveness, self._error, patience=patience)
                _log.info("%s: logged in", self.spec.folder.name)
                self._liveness.on_loss(self._connection.abort)
            return self._connection

    @contextlib.contextmanager
    def _qmp_errors(self) -> Iterator[None]:
        """Turn MonitorFailed into the error of a machine that is lost, with its details."""
        try:
            yield
        except MonitorFailed as error:
            raise self._error(error.what) from error

    def _end(self, process: QemuProcess) -> str:
        """End QEMU; returns what ended it."""
        if process.wait(0):
            return "itself"
        # A process that is stopped answers nothing, and no other signal ends it.
        if process.stopped:
            process.send(signal.SIGKILL)
            process.wait(None)
            return signal.SIGKILL.name
        if self._monitor is not None:
            # It may be ending or stuck; the signals below end it in either case.
            with contextlib.suppress(MonitorFailed):
                self._monitor.quit(QUIT.seconds * speed.scale())
            if process.wait(QUIT.seconds * speed.scale()):
                return "quit"
        for number, seconds in ((signal.SIGTERM, TERMINATE.seconds * speed.scale()), (signal.SIGKILL, None)):
            process.send(number)
            if process.wait(seconds):
                return number.name
        raise AssertionError("nothing survives SIGKILL")

    def _error(self, what: str, *, timeout: Wait | None = None) -> MachineLost:
        """The error for `what` went wrong: the loss of the machine if that is the cause, else the wait that failed."""
        # A broken connection is often noticed before the other threads notice that the machine is lost.
        self._liveness.wait(lambda: False, 1)
        process = self._process
        if process is not None and process.returncode is None:
            self._ends.silent(stopped=process.stopped)
        if process is not None and process.returncode is not None:
            process.wait(_FINAL_OUTPUT_SECONDS)  # It has ended; wait until the reason is known.
        loss = self._liveness.loss
        if loss is not None:
            return loss.error(f"{what}: {loss.reason}", details=self._details())
        if timeout:
            what += f": timed out ({timeout.seconds:.0f} nominal s)"
        stopped = [STOPPED] if process is not None and process.stopped else []
        hangs = [self.postmortem.sentence] if self.postmortem and not stopped else []
        return WaitFailed("; ".join([what, *stopped, *hangs, *self.warnings]), details=self._details())

    def _qemu_messages(self) -> str:
        """The text that QEMU wrote to standard error."""
        file = self.spec.stderr_file
        return file.read_text(errors="replace").strip() if file.exists() else ""

    def _details(self) -> str:
        last = self._console.tail() if self._console else ""
        return "\n".join(
            [
                f"command: {shlex.join(self.command)}",
                f"QEMU's messages: {self._qemu_messages() or 'none'}",
                *([f"post-mortem: {self.spec.folder / self.postmortem.file}.txt"] if self.postmortem else []),
                f"last lines of the console ({self.spec.console_log}):",
                last or "(nothing)",
            ]
        )


def _started(part: _T | None) -> _T:
    if part is None:
        raise BenchError("the machine is not started")
    return part
