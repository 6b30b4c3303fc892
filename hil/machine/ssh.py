# SPDX-License-Identifier: MIT
"""SSH to a target: one connection, with a channel for each command."""

from __future__ import annotations

import base64
import contextlib
import logging
import math
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from select import select

import paramiko

from hil.errors import BenchError, MachineLost
from hil.target import Completed

_log = logging.getLogger(__name__)

# Broken connections are raised as errors, they must not be printed to the user's terminal as well.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# One algorithm each, so that no other can be negotiated; dropbear and OpenSSH both support them. A whole login costs an
# emulated guest about 0.2 s of CPU time with these; others were not compared.
_KEY_EXCHANGE = ("curve25519-sha256@libssh.org",)
_CIPHERS = ("aes128-ctr",)
_MACS = ("hmac-sha2-256",)

_CHUNK = 1 << 16

_BROKEN = (OSError, EOFError, paramiko.SSHException)
"""The exceptions that paramiko raises when a connection is gone; which one depends on what it was doing."""

_GRACE = 2.0
"""Seconds that a command has to end after its input is closed. Not scaled: nothing fails when it is too short."""

Explain = Callable[[str], MachineLost]
"""A function that makes the error for what went wrong, by whether the target is still alive."""


@dataclass(frozen=True)
class Credentials:
    """The ed25519 private key to log in with, and the public host key that the server must have."""

    key: paramiko.PKey
    host_key: paramiko.PKey
    user: str = "root"

    @classmethod
    def load(cls, key: Path, host_key: str) -> Credentials:
        """Read a private key file and a public key line ("ssh-ed25519 <base64> [comment]"); raises BenchError when one
        is not valid."""
        try:
            private = paramiko.Ed25519Key.from_private_key_file(str(key))
        except (OSError, paramiko.SSHException) as error:
            raise BenchError(f"cannot read the SSH key {key}: {error}") from error
        try:
            _, encoded = host_key.split()[:2]
            public = paramiko.Ed25519Key(data=base64.b64decode(encoded, validate=True))
        except (ValueError, paramiko.SSHException) as error:
            raise BenchError(f"not a public ed25519 SSH host key: {host_key!r}") from error
        return cls(private, public)


class Connection:
    """An authenticated connection. All commands share it, so that each needs only a channel."""

    def __init__(
        self, transport: paramiko.Transport, abort: Callable[[], None], *, patience: float, explain: Explain
    ) -> None:
        """`abort` cuts the line below `transport`, from any thread. A read from a stream fails when nothing arrives for
        `patience` seconds (inf: never)."""
        self._transport = transport
        self._abort = abort
        self._patience = patience
        self._explain = explain

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Completed:
        """Run a command to its end, at most `timeout` seconds; see `hil.target.Target.run`."""
        deadline = time.monotonic() + timeout
        # The shell stays to report death by a signal as 128 + n, which SSH servers report differently.
        channel = self._start(f"{shlex.join(argv)}; exit $?", timeout)
        with channel:
            if stdin:
                # In a thread of its own, so that a command that prints before it has read everything cannot block us.
                threading.Thread(target=_feed, args=(channel, stdin), name="ssh-stdin", daemon=True).start()
            else:
                channel.shutdown_write()
            stdout, stderr = bytearray(), bytearray()
            while True:
                if not select([channel], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise self._explain(f"{shlex.join(argv)} did not end in {timeout:.0f} s")
                # Checked before the buffers, so that no output before the end can be missed.
                ended = channel.eof_received or channel.closed
                out, err = channel.recv_ready(), channel.recv_stderr_ready()
                if out:
                    stdout += channel.recv(_CHUNK)
                if err:
                    stderr += channel.recv_stderr(_CHUNK)
                if ended and not out and not err:
                    break
            if not channel.status_event.wait(max(0.0, deadline - time.monotonic())) or channel.exit_status < 0:
                raise self._explain(f"{shlex.join(argv)} ended without a status")
            return Completed(channel.exit_status, bytes(stdout), bytes(stderr))

    def open(self, argv: Sequence[str], *, timeout: float) -> Stream:
        """Start a command and talk to it; see `hil.target.ByteStream`."""
        return Stream(self._start(f"exec {shlex.join(argv)}", timeout), self._patience, self._explain)

    def abort(self) -> None:
        """Shut the connection down, so that every read and write on it ends at once. Safe from any thread."""
        with contextlib.suppress(OSError):  # It may be closed already.
            self._abort()

    def close(self) -> None:
        """Release the connection; harmless when repeated."""
        self.abort()
        self._transport.close()

    def _start(self, command: str, timeout: float) -> paramiko.Channel:
        _log.debug("in the guest: %s", command)
        try:
            channel = self._transport.open_session(timeout=timeout)
            channel.settimeout(timeout)
            with _limited(channel, timeout):
                channel.exec_command(command)
        except _BROKEN as error:
            raise self._explain(f"SSH: cannot start {command!r}: {str(error) or type(error).__name__}") from error
        return channel


def connect(
    address: tuple[str, int], credentials: Credentials, *, timeout: float, patience: float, explain: Explain
) -> Connection:
    """Connect to a guest and log in within `timeout` seconds. Raises OSError or paramiko.SSHException, after which a
    retry may succeed while it boots; `explain`'s error when the server has another host key or rejects ours.

    `patience` is the connection's.
    """
    _log.debug("connecting to %s:%d", *address)
    line = socket.create_connection(address, timeout=timeout)
    # Requests are small, and each waits for its answer.
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(line)
    connection = Connection(transport, lambda: line.shutdown(socket.SHUT_RDWR), patience=patience, explain=explain)
    transport.daemon = True
    # paramiko has a time limit for each part of a login; use the caller's for all of them.
    for part in ("banner_timeout", "handshake_timeout", "auth_timeout"):
        setattr(transport, part, timeout)
    options = transport.get_security_options()
    options.kex, options.ciphers, options.digests = _KEY_EXCHANGE, _CIPHERS, _MACS
    options.key_types = (credentials.host_key.get_name(),)
    try:
        transport.start_client(timeout=timeout)
        if not transport.initial_kex_done:
            raise TimeoutError(f"no key exchange in {timeout:.0f} s")
        # Only this key is accepted: there is no list of known hosts and no question to the user.
        if transport.get_remote_server_key() != credentials.host_key:
            raise explain(f"SSH: the server at {address[0]}:{address[1]} is not the target: its host key differs")
        transport.auth_publickey(credentials.user, credentials.key)
    except paramiko.AuthenticationException as error:
        # paramiko raises the same exception when the server dies, or is too slow to answer.
        answered = transport.is_active() and str(error) != "Authentication timeout."
        connection.close()
        if not answered:
            raise
        raise explain(f"SSH: the server rejects our key for {credentials.user}") from error
    except BaseException:
        connection.close()
        raise
    return connection


class Stream:
    """A `hil.target.ByteStream` to a command's standard input and output."""

    def __init__(self, channel: paramiko.Channel, patience: float, explain: Explain) -> None:
        self._channel = channel
        self._explain = explain
        self._closed = False
        channel.settimeout(None if math.isinf(patience) else patience)

    def write(self, data: bytes) -> None:
        try:
            self._channel.sendall(data)
        except _BROKEN as error:
            raise self._explain(f"SSH: cannot write to the command: {str(error) or type(error).__name__}") from error

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._channel.recv(size)
        except TimeoutError as error:
            raise self._explain(f"SSH: no answer for {self._channel.gettimeout():.0f} s") from error
        # A command that ends closes its channel in order; without that the connection broke.
        if not data and not self._channel.eof_received and not self._closed:
            raise self._explain("SSH: the connection broke")
        return data

    def errors(self) -> bytes:
        """The unread output of the command on standard error."""
        data = bytearray()
        while self._channel.recv_stderr_ready():
            data += self._channel.recv_stderr(_CHUNK)
        return bytes(data)

    def end_input(self) -> None:
        """Close the command's input; its output can still be read."""
        with contextlib.suppress(*_BROKEN):  # The connection may be gone.
            self._channel.shutdown_write()

    def close(self) -> None:
        """Close the command's input, wait up to `_GRACE` seconds for it to end, and close the channel."""
        if self._closed:
            return
        self._closed = True
        # dropbear 2022.83 reuses the number of a closed channel while the old command is still ending, and then closes
        # the new channel instead ("Channel closed", about one time in ten). So the command ends first.
        with contextlib.suppress(*_BROKEN):  # The connection may be gone.
            self._channel.shutdown_write()
            self._channel.status_event.wait(_GRACE)
        _close(self._channel)


@contextlib.contextmanager
def _limited(channel: paramiko.Channel, seconds: float) -> Iterator[None]:
    """Raise TimeoutError when a request on a channel takes longer than `seconds`. paramiko waits for the answer without
    a limit, and a guest that cannot fork never gives one."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _close(channel)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except paramiko.SSHException as error:
        if late.is_set():
            raise TimeoutError(f"no answer in {seconds:.0f} s") from error
        raise
    finally:
        timer.cancel()


def _close(channel: paramiko.Channel) -> None:
    with contextlib.suppress(*_BROKEN):  # It sends a message, and the connection may be gone.
        channel.close()


def _feed(channel: paramiko.Channel, data: bytes) -> None:
    with contextlib.suppress(*_BROKEN):  # The command reads no more, or the target died; the reader reports which.
        channel.sendall(data)
        channel.shutdown_write()
