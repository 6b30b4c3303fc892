# SPDX-License-Identifier: MIT
"""The connection of the agent that the guest's init started: a stream that needs no login."""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import Callable

from hil.agent.codes import NO_TAG, FrameType
from hil.agent.wire import encode_frame
from hil.errors import MachineLost

ENDED = "hil: the agent ended"
"""The beginning of the line that images/init prints when this agent ends, which the connection itself does not show."""

END = ("sh", "-c", "read -r pid </run/hil-agent.pid && [ /proc/$pid/exe -ef /bin/hil-agent ] && kill $pid")
"""The command that ends this agent in the guest: its end of the connection stays open there, and it may be stuck."""

_ASK = encode_frame(FrameType.HELLO, NO_TAG, b"")


class DirectAgent:
    """Both ends of the connection: ours, and `of_qemu`, which QEMU inherits and forwards to the agent."""

    def __init__(self) -> None:
        self._ours, self.of_qemu = socket.socketpair()
        self.taken = False
        """Whether somebody has it; after that other agents have to be started."""

    def take(self, patience: float, explain: Callable[[str], MachineLost]) -> DirectStream:
        """The stream to the agent, for the only one who can have it; its parameters are those of DirectStream."""
        self.taken = True
        return DirectStream(self._ours, patience, explain)

    def end(self) -> None:
        """End the connection, so that every read on it returns; harmless when repeated, and from any thread."""
        with contextlib.suppress(OSError):  # it may be closed
            self._ours.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Release the connection; harmless when repeated."""
        self.end()
        self._ours.close()


class DirectStream:
    """A `hil.target.ByteStream` to the agent, which is asked for its greeting first: it is the same agent in a machine
    that was restored."""

    def __init__(self, channel: socket.socket, patience: float, explain: Callable[[str], MachineLost]) -> None:
        """A read fails with the error that `explain` makes when nothing arrives for `patience` seconds (inf: never)."""
        self._channel = channel
        self._explain = explain
        self._ended = False
        channel.settimeout(None if math.isinf(patience) else patience)
        self.write(_ASK)

    def write(self, data: bytes) -> None:
        try:
            self._channel.sendall(data)
        except OSError as error:
            raise self._explain(f"cannot write to the agent: {error}") from error

    def read(self, size: int) -> bytes:
        try:
            data = self._channel.recv(size)
        except TimeoutError as error:
            raise self._explain(f"no answer of the agent for {self._channel.gettimeout():.0f} s") from error
        except OSError:
            data = b""
        if not data and not self._ended:
            raise self._explain("the connection of the agent broke")
        return data

    def close(self) -> None:
        """End the stream, so that a read on it returns; harmless when repeated, and from any thread."""
        self._ended = True
        with contextlib.suppress(OSError):  # QEMU may be gone
            self._channel.shutdown(socket.SHUT_RDWR)
