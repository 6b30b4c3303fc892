# SPDX-License-Identifier: MIT
"""Lets a guest go on that a gdb has left stopped: one that was killed leaves its breakpoints in QEMU's stub.

https://sourceware.org/gdb/current/onlinedocs/gdb.html/Packets.html, `D`: QEMU removes all breakpoints with it.
"""

from __future__ import annotations

import socket
from pathlib import Path

from hil.errors import BenchError
from hil.machine import Wait, speed

ANSWER = Wait("QEMU's gdb stub to answer", 10)
_OK = b"OK"


def release(stub: Path) -> None:
    """Detach from the guest behind the stub's socket `stub`, to which no gdb is connected; it runs from then on without
    breakpoints. Raises BenchError when the stub does not answer."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER.seconds * speed.scale())
            connection.connect(str(stub))
            # A stub that spoke with several processes once wants to be told of which one.
            _ask(connection, b"qSupported:multiprocess+")
            answer = _ask(connection, b"D;1")
    except OSError as error:
        raise BenchError(f"waiting for {ANSWER.name}: {error}") from None
    if answer != _OK:
        raise BenchError(f"QEMU's gdb stub does not detach: {answer.decode(errors='replace')}")


def _ask(connection: socket.socket, text: bytes) -> bytes:
    """The answer to a packet; those that say that the guest has stopped, which nobody asked for, are passed over."""
    connection.sendall(b"$%s#%02x" % (text, sum(text) & 0xFF))
    received = b""
    while True:
        more = connection.recv(4096)
        if not more:
            raise ConnectionResetError("it closed the connection")
        received += more
        for part in received.split(b"$")[1:]:
            content, end, _ = part.partition(b"#")
            if end and not content.startswith(b"T"):
                return content
